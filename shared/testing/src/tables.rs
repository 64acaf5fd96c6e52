//! The tables of the template, and who keeps them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lambda_events::dynamodb::EventRecord;
use dynoxide::Database;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use serde_norway::Value as Yaml;
use tokio::net::TcpListener;

const TEMPLATE: &str = include_str!("../../../infra/template.yaml");
/// Logical ids in the template, and the names of the tables here.
const TABLES: [(&str, &str); 3] =
    [("ProfilesTable", "profiles"), ("OrdersTable", "orders"), ("RegistryTable", "registry")];
/// What the template says that the engines take, too.
const KEPT: [&str; 5] =
    ["AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes", "BillingMode"];

/// Tables of one world, past the interception.
pub(crate) struct Tables {
    /// Where the SDK's clients find them.
    pub(crate) address: String,
    /// The access key with which they find them.
    pub(crate) account: String,
    /// `None` if the engine runs elsewhere.
    embedded: Option<Database>,
}

impl Tables {
    /// Empty tables: embedded ones, or in the emulator that the environment names.
    #[allow(clippy::disallowed_methods, reason = "the one setting of tests")]
    pub(crate) async fn create() -> Self {
        let tables = match std::env::var("TILLSTREAM_DYNAMODB") {
            Ok(address) => Self { address, account: new_account(), embedded: None },
            Err(_) => Self::embedded().await,
        };
        let template: Yaml = serde_norway::from_str(TEMPLATE).unwrap();
        for (logical_id, name) in TABLES {
            tables.call("CreateTable", &definition(&template["Resources"][logical_id]["Properties"], name));
        }
        tables
    }

    async fn embedded() -> Self {
        let database = Database::memory().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
        Self { address, account: "test".to_owned(), embedded: Some(database) }
    }

    pub(crate) fn items(&self, table: &str) -> BTreeMap<(String, String), Value> {
        let answer = self.call("Scan", &json!({"TableName": table, "ConsistentRead": true}));
        assert!(answer.get("LastEvaluatedKey").is_none_or(Value::is_null), "more than one page in {table}");
        let items = answer["Items"].as_array().cloned().unwrap_or_default();
        let text = |item: &Value, name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
        items.into_iter().map(|item| ((text(&item, "pk"), text(&item, "sk")), item)).collect()
    }

    pub(crate) fn put(&self, table: &str, item: &Value) {
        self.call("PutItem", &json!({"TableName": table, "Item": item}));
    }

    pub(crate) fn delete(&self, table: &str, partition: &str, sort: &str) {
        let key = json!({"pk": {"S": partition}, "sk": {"S": sort}});
        self.call("DeleteItem", &json!({"TableName": table, "Key": key}));
    }

    pub(crate) fn stream(&self) -> Vec<EventRecord> {
        let table = self.call("DescribeTable", &json!({"TableName": "profiles"}));
        let arn = &table["Table"]["LatestStreamArn"];
        let stream = self.call("DescribeStream", &json!({"StreamArn": arn}));
        let request = json!({
            "StreamArn": arn,
            "ShardId": stream["StreamDescription"]["Shards"][0]["ShardId"],
            "ShardIteratorType": "TRIM_HORIZON",
        });
        let mut iterator = self.call("GetShardIterator", &request)["ShardIterator"].clone();
        let mut records = Vec::new();
        loop {
            let answer = self.call("GetRecords", &json!({"ShardIterator": iterator, "Limit": 1000}));
            let page = answer["Records"].as_array().cloned().unwrap_or_default();
            if page.is_empty() {
                return records;
            }
            records.extend(page.into_iter().filter(passes).map(to_record));
            match &answer["NextShardIterator"] {
                Value::Null => return records,
                next => iterator = next.clone(),
            }
        }
    }

    fn call(&self, operation: &str, request: &Value) -> Value {
        let Some(database) = &self.embedded else { return self.ask(operation, request) };
        match operation {
            "CreateTable" => with(request, |request| database.create_table(request)),
            "Scan" => with(request, |request| database.scan(request)),
            "PutItem" => with(request, |request| database.put_item(request)),
            "DeleteItem" => with(request, |request| database.delete_item(request)),
            "DescribeTable" => with(request, |request| database.describe_table(request)),
            "DescribeStream" => with(request, |request| database.describe_stream(request)),
            "GetShardIterator" => with(request, |request| database.get_shard_iterator(request)),
            "GetRecords" => with(request, |request| database.get_records(request)),
            other => panic!("{other}"),
        }
    }

    /// A test looks into tables without awaiting, so this waits for the answer where it is.
    fn ask(&self, operation: &str, request: &Value) -> Value {
        let streams = ["DescribeStream", "GetShardIterator", "GetRecords"].contains(&operation);
        let service = if streams { "DynamoDBStreams_20120810" } else { "DynamoDB_20120810" };
        let body = request.to_string();
        let head = format!(
            "POST / HTTP/1.0\r\nX-Amz-Target: {service}.{operation}\r\nContent-Length: {}\r\n\
             Content-Type: application/x-amz-json-1.0\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential={}/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none\r\n\r\n",
            body.len(),
            self.account,
        );
        let mut connection = TcpStream::connect(self.address.trim_start_matches("http://")).unwrap();
        connection.write_all((head + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.lines().next().is_some_and(|status| status.contains(" 200")), "{operation}: {answer}");
        serde_json::from_str(body).unwrap()
    }
}

/// The emulator keeps apart what has access keys of twelve digits that differ.
fn new_account() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:07}{count:05}", std::process::id() % 10_000_000)
}

fn with<Q, A, E>(request: &Value, operation: impl FnOnce(Q) -> Result<A, E>) -> Value
where
    Q: DeserializeOwned,
    A: Serialize,
    E: std::fmt::Debug,
{
    let request = serde_json::from_value(request.clone()).unwrap();
    serde_json::to_value(operation(request).unwrap()).unwrap()
}

fn definition(properties: &Yaml, name: &str) -> Value {
    let mut definition = Map::from_iter([("TableName".to_owned(), json!(name))]);
    for key in KEPT {
        if let Some(value) = properties.get(key) {
            definition.insert(key.to_owned(), serde_json::to_value(value).unwrap());
        }
    }
    if let Some(stream) = properties.get("StreamSpecification") {
        let view = serde_json::to_value(&stream["StreamViewType"]).unwrap();
        let stream = json!({"StreamEnabled": true, "StreamViewType": view});
        definition.insert("StreamSpecification".to_owned(), stream);
    }
    Value::Object(definition)
}

/// The event source's filter: events that come or go, profiles and ticks that are written.
fn passes(record: &Value) -> bool {
    let sort = record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap_or_default();
    sort.starts_with("e#") || (matches!(sort, "profile" | "tick") && record["eventName"] != "REMOVE")
}

fn to_record(mut record: Value) -> EventRecord {
    record["eventSourceARN"] = json!("arn:aws:dynamodb:us-east-1:000000000000:table/profiles/stream/1");
    record["awsRegion"] = json!("us-east-1");
    serde_json::from_value(record).unwrap()
}
