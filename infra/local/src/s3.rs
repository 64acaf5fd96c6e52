//! S3, as much of it as dropping files and the archive take: `PUT`, `GET` and `HEAD` of single objects by path-style addresses, in
//! the state file, the listing of keys, and the announcement of new objects to queues. Signatures are not looked at.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State as Shared};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use md5::{Digest, Md5};
use rusqlite::{OptionalExtension as _, params};
use serde::Deserialize;
use serde_json::json;

use crate::clock::{Clock, now_ms};
use crate::sqs::{Outgoing, Queues};
use crate::state::State;
use crate::template::Bucket;
use crate::{ACCOUNT_ID, REGION};

pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS s3_objects (
        bucket TEXT NOT NULL,
        key TEXT NOT NULL,
        etag TEXT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (bucket, key)
    );
";

/// The largest object: it is taken in one request.
const LIMIT_BYTES: usize = 512 * 1024 * 1024;

/// Keys of one listing.
const MAX_KEYS: u32 = 1000;

/// The buckets.
#[derive(Clone)]
pub(crate) struct S3 {
    state: State,
    queues: Queues,
    buckets: Arc<[Bucket]>,
    clock: Clock,
}

impl S3 {
    pub(crate) fn new(state: State, queues: Queues, buckets: Vec<Bucket>, clock: Clock) -> Self {
        Self { state, queues, buckets: buckets.into(), clock }
    }

    pub(crate) fn router(self) -> Router {
        let router = Router::new().route("/{bucket}/{*key}", get(read).put(write));
        let router = router.route("/{bucket}/", get(list)).route("/{bucket}", get(list));
        router.layer(DefaultBodyLimit::max(LIMIT_BYTES)).with_state(self)
    }

    fn bucket(&self, name: &str) -> Result<&Bucket, Failure> {
        self.buckets.iter().find(|bucket| bucket.name == name).ok_or(Failure::NoSuchBucket)
    }

    async fn announce(&self, bucket: &Bucket, key: &str, size: usize, etag: &str) -> Result<(), Failure> {
        let time = Timestamp::from_millisecond(now_ms(&self.clock)).map_err(Failure::internal)?;
        let message = json!({"Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": REGION,
            "eventTime": time.to_string(),
            "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": ACCOUNT_ID},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {},
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": {"name": bucket.name, "arn": format!("arn:aws:s3:::{}", bucket.name)},
                "object": {"key": encoded(key), "size": size, "eTag": etag},
            },
        }]});
        for notification in bucket.notifications.iter().filter(|one| key.starts_with(&one.prefix)) {
            let message = Outgoing::text(message.to_string());
            self.queues.send(&notification.queue, message).await.map_err(Failure::internal)?;
        }
        Ok(())
    }
}

/// A refusal, as S3 words it.
#[derive(Debug)]
enum Failure {
    NoSuchBucket,
    NoSuchKey,
    PreconditionFailed,
    InvalidRange,
    Internal(String),
}

impl Failure {
    fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::NoSuchBucket => (StatusCode::NOT_FOUND, "NoSuchBucket"),
            Self::NoSuchKey => (StatusCode::NOT_FOUND, "NoSuchKey"),
            Self::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
            Self::InvalidRange => (StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"),
            Self::Internal(error) => {
                tracing::error!(error, "S3");
                (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
            }
        };
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code></Error>");
        (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
    }
}

async fn write(
    Shared(s3): Shared<S3>,
    Path((bucket, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let bucket = s3.bucket(&bucket)?;
    let etag = format!("{:032x}", u128::from_be_bytes(Md5::digest(&body).into()));
    let size = body.len();
    let row = (bucket.name.clone(), key.clone(), etag.clone());
    let over = header_text(&headers, header::IF_MATCH).map(|etag| etag.trim_matches('"').to_owned());
    s3.state
        .call(move |connection| {
            if let Some(over) = over {
                let sql = "SELECT etag FROM s3_objects WHERE bucket = ?1 AND key = ?2";
                let found = connection.query_row(sql, params![row.0, row.1], |row| row.get::<_, String>(0));
                if found.optional()?.ok_or(Failure::NoSuchKey)? != over {
                    return Err(Failure::PreconditionFailed);
                }
            }
            let sql = "INSERT OR REPLACE INTO s3_objects (bucket, key, etag, body) VALUES (?1, ?2, ?3, ?4)";
            connection.execute(sql, params![row.0, row.1, row.2, &body[..]]).map_err(Failure::from)
        })
        .await?;
    s3.announce(bucket, &key, size, &etag).await?;
    Ok([(header::ETAG, format!("\"{etag}\""))].into_response())
}

async fn read(
    Shared(s3): Shared<S3>,
    Path((bucket, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let bucket = s3.bucket(&bucket)?.name.clone();
    let wanted = header_text(&headers, header::IF_MATCH).map(|etag| etag.trim_matches('"').to_owned());
    let range = header_text(&headers, header::RANGE).and_then(range);
    let (from, until) = range.unwrap_or((0, u64::MAX));
    let found = s3
        .state
        .call(move |connection| {
            let sql = "SELECT etag, length(body), substr(body, ?3, ?4) FROM s3_objects WHERE bucket = ?1 AND key = ?2";
            let count = until.saturating_sub(from).saturating_add(1);
            let bounds = [from.saturating_add(1), count].map(|bound| i64::try_from(bound).unwrap_or(i64::MAX));
            let found = connection.query_row(sql, params![bucket, key, bounds[0], bounds[1]], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?, row.get::<_, Vec<u8>>(2)?))
            });
            found.optional().map_err(Failure::from)
        })
        .await?;
    let (etag, size, body) = found.ok_or(Failure::NoSuchKey)?;
    if wanted.is_some_and(|wanted| wanted != etag) {
        return Err(Failure::PreconditionFailed);
    }
    let quoted = [(header::ETAG, format!("\"{etag}\""))];
    if range.is_none() {
        return Ok((quoted, body).into_response());
    }
    if body.is_empty() {
        return Err(Failure::InvalidRange);
    }
    let last = from + body.len() as u64 - 1;
    let part = [(header::CONTENT_RANGE, format!("bytes {from}-{last}/{size}"))];
    Ok((StatusCode::PARTIAL_CONTENT, quoted, part, body).into_response())
}

/// What `ListObjectsV2` asks for: the next keys of a prefix, behind one.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Listing {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    start_after: String,
    max_keys: Option<u32>,
}

async fn list(
    Shared(s3): Shared<S3>,
    Path(bucket): Path<String>,
    Query(asked): Query<Listing>,
) -> Result<Response, Failure> {
    let bucket = s3.bucket(&bucket)?.name.clone();
    let limit = asked.max_keys.unwrap_or(MAX_KEYS).min(MAX_KEYS);
    let mut keys: Vec<String> = s3
        .state
        .call(move |connection| {
            let sql = "SELECT key FROM s3_objects WHERE bucket = ?1 AND key > ?2 AND substr(key, 1, length(?3)) = ?3
                ORDER BY key LIMIT ?4";
            let mut rows = connection.prepare(sql)?;
            let found = rows
                .query_map(params![bucket, asked.start_after, asked.prefix, limit + 1], |row| row.get(0))?;
            found.collect::<Result<_, _>>().map_err(Failure::from)
        })
        .await?;
    let is_truncated = keys.len() > limit as usize;
    keys.truncate(limit as usize);
    let key = |key: &String| format!("<Contents><Key>{}</Key></Contents>", quick_xml::escape::escape(key));
    let contents: Vec<String> = keys.iter().map(key).collect();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><IsTruncated>{is_truncated}</IsTruncated>\
         <KeyCount>{}</KeyCount>{}</ListBucketResult>",
        keys.len(),
        contents.concat()
    );
    Ok(([(header::CONTENT_TYPE, "application/xml")], body).into_response())
}

fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// `bytes=0-99`, the only form that is understood.
fn range(text: &str) -> Option<(u64, u64)> {
    let (from, until) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some((from.parse().ok()?, until.parse().ok()?))
}

/// A key as announcements write it.
fn encoded(key: &str) -> String {
    let encode = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        b'/' | b'-' | b'_' | b'.' | b'*' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let encoded: Vec<String> = key.bytes().map(encode).collect();
    encoded.concat()
}
