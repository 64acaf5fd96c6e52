//! How an input tells of a platform's delivery: parts with a record separator (0x1e) between them, so that an input can be read,
//! and cut and put together by the fuzzer.
//!
//! ```text
//! shopify orders/create
//! {"shop_domain":"shop.example.com"}
//! POST the=query
//! x-shopify-topic: orders/create
//! ␞the body␞200
//! link: <…>
//!
//! an answer's body␞…
//! ```

use jiff::Timestamp;
use platform::{Connection, Delivery, Fetched, Headers, Platform, Request};

/// When every delivery arrives.
pub(crate) const NOW: &str = "2026-03-14T09:27:00Z";
const SEPARATOR: u8 = 0x1e;
/// Answers that are looked at.
const MAX_ANSWERS: usize = 6;

pub(crate) struct Sheet {
    pub(crate) platform: &'static dyn Platform,
    /// The topic, or the name of a feed.
    pub(crate) topic: String,
    pub(crate) connection: Connection,
    pub(crate) request: Request,
    pub(crate) body: Vec<u8>,
    pub(crate) answers: Vec<Fetched>,
}

impl Sheet {
    /// `None` for what tells of no platform's delivery.
    pub(crate) fn read(input: &[u8]) -> Option<Self> {
        let mut parts = input.split(|byte| *byte == SEPARATOR);
        let head = String::from_utf8_lossy(parts.next()?);
        let mut lines = head.lines();
        let (platform, topic) = lines.next()?.split_once(' ')?;
        let platform = ::platforms::platform(platform)?;
        let settings = serde_json::from_str(lines.next()?).ok()?;
        let (method, query) = lines.next()?.split_once(' ')?;
        let connection =
            Connection { id: "conn-1".to_owned(), platform: platform.name().to_owned(), settings };
        let request = Request {
            method: method.to_owned(),
            query: query.to_owned(),
            headers: headers(lines),
            ..Request::default()
        };
        let body = parts.next().unwrap_or_default().to_vec();
        let answers = parts.take(MAX_ANSWERS).map(answer).collect();
        Some(Self { platform, topic: topic.to_owned(), connection, request, body, answers })
    }

    pub(crate) fn delivery(&self) -> Delivery {
        Delivery {
            platform: self.platform.name().to_owned(),
            connection: self.connection.id.clone(),
            topic: self.topic.clone(),
            delivery_id: "d-1".to_owned(),
            received_at: now(),
            headers: self.request.headers.clone(),
            backfill: false,
            body: self.body.clone(),
        }
    }
}

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// Lines of `name: value`; others are passed over.
pub(crate) fn headers<'a>(lines: impl Iterator<Item = &'a str>) -> Headers {
    lines.filter_map(|line| line.split_once(": ")).collect()
}

/// A status, headers, a blank line and a body; 200 and nothing but a body where that is not so.
fn answer(part: &[u8]) -> Fetched {
    let plain = || Fetched { status: 200, headers: Headers::default(), body: part.to_vec() };
    let Some(end) = part.windows(2).position(|pair| pair == b"\n\n") else { return plain() };
    let Ok(head) = std::str::from_utf8(&part[..end]) else { return plain() };
    let mut lines = head.lines();
    let Some(status) = lines.next().and_then(|line| line.parse().ok()) else { return plain() };
    Fetched { status, headers: headers(lines), body: part[end + 2..].to_vec() }
}
