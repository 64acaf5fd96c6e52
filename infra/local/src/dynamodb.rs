//! DynamoDB: the dynoxide engine in this process, kept in a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dynoxide::{Database, DynoxideError};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::template::Table;

/// How often the file is asked whether somebody wrote to it. The question costs microseconds: it
/// reads a counter in shared memory and takes no lock that a writer needs.
const WATCH_INTERVAL: Duration = Duration::from_millis(5);

/// The embedded database. Cloning shares it.
#[derive(Clone)]
pub(crate) struct DynamoDb {
    database: Database,
    path: PathBuf,
    changes: watch::Receiver<i64>,
    _watcher: Arc<Watcher>,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    /// The engine refuses.
    #[error("dynamodb: {0}")]
    Engine(#[from] DynoxideError),
    /// The file fails.
    #[error("dynamodb's file: {0}")]
    File(#[from] rusqlite::Error),
    /// A request or an answer does not have its shape.
    #[error("dynamodb's data: {0}")]
    Shape(#[from] serde_json::Error),
    /// A table was made with other keys.
    #[error("the table {0} in the data directory has other keys than the template: move the directory away")]
    Incompatible(String),
    /// The runtime is going down.
    #[error("the local stack is shutting down")]
    ShuttingDown,
}

/// What names a table and its stream.
#[derive(Clone, Debug)]
pub(crate) struct Arns {
    pub(crate) table: String,
    pub(crate) stream: Option<String>,
}

/// A page of stream records, each in the shape of the event a function gets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) records: Vec<Value>,
}

impl DynamoDb {
    /// Opens or creates the file.
    pub(crate) fn open(path: &Path) -> Result<Self, DynamoDbError> {
        let database = Database::new(&path.to_string_lossy())?;
        // The engine's name for its everyday settings: no sync on every commit, which only a power
        // cut could tell.
        database.disable_bulk_loading()?;
        // The engine finds a stream's next sequence number by a scan of all records, on every write.
        // With this index the scan becomes one step.
        Connection::open(path)?.execute_batch(
            "CREATE INDEX IF NOT EXISTS local_stream_sequence
             ON _stream_records (table_name, CAST(sequence_number AS INTEGER));",
        )?;
        let (watcher, changes) = Watcher::start(path)?;
        Ok(Self { database, path: path.to_owned(), changes, _watcher: Arc::new(watcher) })
    }

    /// Answers the DynamoDB and DynamoDB Streams APIs until `shutdown` resolves.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), String> {
        dynoxide::server::serve_with_shutdown(listener, self.database, shutdown).await
    }

    /// A value that changes with every write by anyone.
    pub(crate) fn changes(&self) -> watch::Receiver<i64> {
        self.changes.clone()
    }

    async fn run<T, F>(&self, job: F) -> Result<T, DynamoDbError>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> Result<T, DynamoDbError> + Send + 'static,
    {
        let database = self.database.clone();
        let task = tokio::task::spawn_blocking(move || job(&database));
        task.await.unwrap_or(Err(DynamoDbError::ShuttingDown))
    }

    /// Creates a table, or adds to the one that is there what the template has gained.
    pub(crate) async fn ensure_table(&self, table: &Table) -> Result<Arns, DynamoDbError> {
        let table = table.clone();
        self.run(move |database| ensure_table(database, &table)).await
    }

    /// Records of a stream after a sequence number, or from the oldest.
    pub(crate) async fn records(
        &self,
        stream_arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, DynamoDbError> {
        let (stream_arn, after) = (stream_arn.to_owned(), after.map(str::to_owned));
        self.run(move |database| {
            let shard_id = shard_id(&stream_arn);
            let start = match &after {
                Some(sequence) => {
                    json!({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": sequence})
                }
                None => json!({"ShardIteratorType": "TRIM_HORIZON"}),
            };
            let mut request = json!({"StreamArn": stream_arn, "ShardId": shard_id});
            merge(&mut request, start);
            let iterator = database.get_shard_iterator(serde_json::from_value(request)?)?.shard_iterator;
            let request = json!({"ShardIterator": iterator, "Limit": limit});
            let answer = database.get_records(serde_json::from_value(request)?)?;
            let mut records = Vec::with_capacity(answer.records.len());
            for record in answer.records {
                let mut record = serde_json::to_value(record)?;
                merge(&mut record, json!({"eventSourceARN": stream_arn, "awsRegion": crate::REGION}));
                records.push(record);
            }
            Ok(Page { records })
        })
        .await
    }

    /// The sequence number of a stream's newest record.
    pub(crate) async fn newest(&self, stream_arn: &str) -> Result<Option<String>, DynamoDbError> {
        let stream_arn = stream_arn.to_owned();
        self.run(move |database| {
            let request = serde_json::from_value(json!({"StreamArn": stream_arn}))?;
            let answer = serde_json::to_value(database.describe_stream(request)?)?;
            let shard = &answer["StreamDescription"]["Shards"][0]["SequenceNumberRange"];
            Ok(shard["EndingSequenceNumber"].as_str().map(str::to_owned))
        })
        .await
    }

    /// Deletes items whose time to live has passed, with stream records as DynamoDB writes them.
    pub(crate) async fn sweep_ttl(&self) -> Result<usize, DynamoDbError> {
        self.run(|database| Ok(database.sweep_ttl()?)).await
    }

    /// Deletes stream records older than `before`, in epoch seconds: a stream keeps 24 hours.
    pub(crate) async fn trim_streams(&self, before: i64) -> Result<usize, DynamoDbError> {
        let path = self.path.clone();
        let task = tokio::task::spawn_blocking(move || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            let mut trimmed = 0;
            loop {
                // Rows come in order of time. Few at once, so that writers never wait for long.
                let oldest: Vec<(i64, i64)> = connection
                    .prepare_cached("SELECT rowid, created_at FROM _stream_records ORDER BY rowid LIMIT 500")?
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect::<Result<_, _>>()?;
                let last = oldest.iter().take_while(|(_, created_at)| *created_at < before).last();
                let Some((last, _)) = last else { return Ok(trimmed) };
                trimmed += connection.execute("DELETE FROM _stream_records WHERE rowid <= ?1", [last])?;
            }
        });
        task.await.unwrap_or(Err(DynamoDbError::ShuttingDown))
    }
}

fn ensure_table(database: &Database, table: &Table) -> Result<Arns, DynamoDbError> {
    let describe = || -> Result<Value, DynamoDbError> {
        let request = serde_json::from_value(json!({"TableName": table.name}))?;
        Ok(serde_json::to_value(database.describe_table(request)?)?["Table"].take())
    };
    let existing = match describe() {
        Err(DynamoDbError::Engine(DynoxideError::ResourceNotFoundException(_))) => None,
        other => Some(other?),
    };
    match existing {
        None => {
            database.create_table(serde_json::from_value(table.definition.clone())?)?;
        }
        Some(existing) => update_table(database, table, &existing)?,
    }
    if let Some(attribute) = &table.ttl_attribute {
        let request = serde_json::from_value(json!({"TableName": table.name}))?;
        let ttl = serde_json::to_value(database.describe_time_to_live(request)?)?;
        if ttl["TimeToLiveDescription"]["TimeToLiveStatus"] != "ENABLED" {
            database.update_time_to_live(serde_json::from_value(json!({
                "TableName": table.name,
                "TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": true},
            }))?)?;
        }
    }
    let description = describe()?;
    Ok(Arns {
        table: description["TableArn"].as_str().unwrap_or_default().to_owned(),
        stream: description["LatestStreamArn"].as_str().map(str::to_owned),
    })
}

fn update_table(database: &Database, table: &Table, existing: &Value) -> Result<(), DynamoDbError> {
    let definition = &table.definition;
    if existing["KeySchema"] != definition["KeySchema"] {
        return Err(DynamoDbError::Incompatible(table.name.clone()));
    }
    let update = |change: Value| -> Result<(), DynamoDbError> {
        let mut request = json!({
            "TableName": table.name, "AttributeDefinitions": definition["AttributeDefinitions"],
        });
        merge(&mut request, change);
        database.update_table(serde_json::from_value(request)?)?;
        Ok(())
    };
    let list =
        |description: &Value| description["GlobalSecondaryIndexes"].as_array().cloned().unwrap_or_default();
    let there = list(existing);
    for index in list(definition) {
        if !there.iter().any(|other| other["IndexName"] == index["IndexName"]) {
            update(json!({"GlobalSecondaryIndexUpdates": [{"Create": index}]}))?;
        }
    }
    let wanted = &definition["StreamSpecification"];
    if wanted.is_object() && existing["StreamSpecification"]["StreamEnabled"] != true {
        update(json!({"StreamSpecification": wanted}))?;
    }
    Ok(())
}

/// The one shard of a stream here.
pub(crate) fn shard_id(stream_arn: &str) -> String {
    let table = stream_arn.rsplit_once(":table/").map_or(stream_arn, |(_, rest)| rest);
    dynoxide::streams::shard_id(table.split('/').next().unwrap_or_default())
}

fn merge(target: &mut Value, source: Value) {
    if let (Value::Object(target), Value::Object(source)) = (target, source) {
        target.extend(source);
    }
}

/// Watches the file for writes, on a thread of its own.
struct Watcher {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watcher {
    fn start(path: &Path) -> Result<(Self, watch::Receiver<i64>), DynamoDbError> {
        let connection = Connection::open(path)?;
        let version = move || connection.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0));
        let (sender, receiver) = watch::channel(version()?);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                thread::sleep(WATCH_INTERVAL);
                if let Ok(now) = version() {
                    sender.send_if_modified(|last| std::mem::replace(last, now) != now);
                }
            }
        });
        Ok((Self { stop, thread: Some(thread) }, receiver))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It only sleeps and reads; were it to panic, there would be nothing left to do here.
            let _ = thread.join();
        }
    }
}
