//! The tables of the template, in the embedded database.

use std::collections::BTreeMap;

use aws_lambda_events::dynamodb::EventRecord;
use dynoxide::Database;
use serde_json::{Map, Value, json};
use serde_norway::Value as Yaml;

const TEMPLATE: &str = include_str!("../../../infra/template.yaml");
/// Logical ids in the template, and the names of the tables here.
const TABLES: [(&str, &str); 3] =
    [("ProfilesTable", "profiles"), ("OrdersTable", "orders"), ("RegistryTable", "registry")];
/// What the template says that the embedded database takes, too.
const KEPT: [&str; 5] =
    ["AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes", "BillingMode"];

pub(crate) fn create(database: &Database) {
    let template: Yaml = serde_norway::from_str(TEMPLATE).unwrap();
    for (logical_id, name) in TABLES {
        let properties = &template["Resources"][logical_id]["Properties"];
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
        let request = serde_json::from_value(Value::Object(definition)).unwrap();
        database.create_table(request).unwrap();
    }
}

pub(crate) fn items(database: &Database, table: &str) -> BTreeMap<(String, String), Value> {
    let request = serde_json::from_value(json!({"TableName": table, "ConsistentRead": true})).unwrap();
    let answer = serde_json::to_value(database.scan(request).unwrap()).unwrap();
    assert!(answer.get("LastEvaluatedKey").is_none_or(Value::is_null), "more than one page in {table}");
    let items = answer["Items"].as_array().cloned().unwrap_or_default();
    let text = |item: &Value, name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
    items.into_iter().map(|item| ((text(&item, "pk"), text(&item, "sk")), item)).collect()
}

pub(crate) fn put(database: &Database, table: &str, item: &Value) {
    let request = serde_json::from_value(json!({"TableName": table, "Item": item})).unwrap();
    database.put_item(request).unwrap();
}

pub(crate) fn delete(database: &Database, table: &str, partition: &str, sort: &str) {
    let key = json!({"pk": {"S": partition}, "sk": {"S": sort}});
    let request = serde_json::from_value(json!({"TableName": table, "Key": key})).unwrap();
    database.delete_item(request).unwrap();
}

pub(crate) fn stream(database: &Database) -> Vec<EventRecord> {
    let request = serde_json::from_value(json!({"TableName": "profiles"})).unwrap();
    let table = serde_json::to_value(database.describe_table(request).unwrap()).unwrap();
    let request = serde_json::from_value(json!({
        "StreamArn": table["Table"]["LatestStreamArn"],
        "ShardId": dynoxide::streams::shard_id("profiles"),
        "ShardIteratorType": "TRIM_HORIZON",
    }))
    .unwrap();
    let mut iterator = database.get_shard_iterator(request).unwrap().shard_iterator;
    let mut records = Vec::new();
    loop {
        let request = serde_json::from_value(json!({"ShardIterator": iterator, "Limit": 1000})).unwrap();
        let answer = serde_json::to_value(database.get_records(request).unwrap()).unwrap();
        let page = answer["Records"].as_array().cloned().unwrap_or_default();
        if page.is_empty() {
            return records;
        }
        records.extend(page.into_iter().filter(passes).map(to_record));
        match answer["NextShardIterator"].as_str() {
            Some(next) => iterator = Some(next.to_owned()),
            None => return records,
        }
    }
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
