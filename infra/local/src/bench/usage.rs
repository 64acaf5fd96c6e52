//! What AWS charges for, and how it counts it.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::money::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What one request to an HTTP API covers.
/// <https://aws.amazon.com/api-gateway/pricing/>
const API_CHUNK: usize = 512 * 1024;
/// What one request to SQS covers.
/// <https://aws.amazon.com/sqs/pricing/>
const SQS_CHUNK: usize = 64 * 1024;
/// What a request to SQS holds at most.
const SQS_BATCH: usize = 10;
/// What a line takes in CloudWatch Logs beside its text.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
const LOG_LINE: usize = 26;
/// With this memory a function has a processor to itself, with less a share of one.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>
const MEMORY_OF_A_PROCESSOR_MB: u32 = 1769;

/// A unit of a bill.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    ApiRequests,
    LambdaRequests,
    LambdaMbMs,
    SqsRequests,
    #[serde(rename = "dynamodb_write_units")]
    DynamoDbWriteUnits,
    #[serde(rename = "dynamodb_read_units")]
    DynamoDbReadUnits,
    StreamRecords,
    LogBytes,
    SecretsRead,
}

impl Unit {
    pub(super) fn service(self) -> &'static str {
        match self {
            Self::ApiRequests => "API Gateway",
            Self::LambdaRequests | Self::LambdaMbMs => "Lambda",
            Self::SqsRequests => "SQS",
            Self::DynamoDbWriteUnits | Self::DynamoDbReadUnits => "DynamoDB",
            Self::StreamRecords => "DynamoDB Streams",
            Self::LogBytes => "CloudWatch Logs",
            Self::SecretsRead => "Parameter Store",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ApiRequests | Self::SqsRequests => "requests",
            Self::LambdaRequests => "invocations",
            Self::LambdaMbMs => "MB·ms",
            Self::DynamoDbWriteUnits => "write units",
            Self::DynamoDbReadUnits => "read units",
            Self::StreamRecords => "records",
            Self::LogBytes => "bytes",
            Self::SecretsRead => "secrets read",
        }
    }
}

/// Which function uses what, and of which queue, table or index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) unit: Unit,
    pub(super) function: String,
    pub(super) place: String,
}

/// A bill without prices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage(BTreeMap<Line, Decimal>);

impl Usage {
    pub(super) fn add(&mut self, unit: Unit, function: &str, place: &str, amount: Decimal) {
        let line = Line { unit, function: function.to_owned(), place: place.to_owned() };
        *self.0.entry(line).or_default() += amount;
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (&Line, Decimal)> {
        self.0.iter().map(|(line, amount)| (line, *amount))
    }

    /// Leaves out what a function used.
    pub(super) fn forget(&mut self, function: &str) {
        self.0.retain(|line, _| line.function != function);
    }

    /// What came since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let mut left = self.clone();
        for (line, amount) in &earlier.0 {
            *left.0.entry(line.clone()).or_default() -= amount;
        }
        left.0.retain(|_, amount| !amount.is_zero());
        left
    }
}

/// Requests to an HTTP API that one of so many bytes counts for.
pub(super) fn api_requests(bytes: usize) -> Decimal {
    chunks(bytes, API_CHUNK)
}

/// Requests to SQS that one of so many bytes counts for.
pub(super) fn sqs_requests(bytes: usize) -> Decimal {
    chunks(bytes, SQS_CHUNK)
}

/// Requests that Lambda makes to receive messages and delete them again: ten at once.
pub(super) fn poll_requests(bodies: &[usize]) -> (Decimal, Decimal) {
    let receives = bodies.chunks(SQS_BATCH).map(|batch| sqs_requests(batch.iter().sum())).sum();
    (receives, Decimal::from(bodies.len().div_ceil(SQS_BATCH)))
}

/// What lines of a log take.
pub(super) fn log_bytes(lines: &[usize]) -> Decimal {
    Decimal::from(lines.iter().map(|line| line + LOG_LINE).sum::<usize>())
}

/// How long an invocation takes in Lambda that took `wall` here, of it `cpu` on a whole processor: computing takes longer with
/// a share of one. In whole milliseconds, as they are charged.
pub(super) fn billed_ms(wall: Duration, cpu: Duration, memory_mb: u32) -> Decimal {
    let missing = MEMORY_OF_A_PROCESSOR_MB.saturating_sub(memory_mb);
    let longer = cpu.saturating_mul(missing) / memory_mb.max(1);
    Decimal::from((wall + longer).as_nanos().div_ceil(1_000_000).max(1).try_into().unwrap_or(u64::MAX))
}

fn chunks(bytes: usize, chunk: usize) -> Decimal {
    Decimal::from(bytes.div_ceil(chunk).max(1))
}

/// Whether an operation of DynamoDB tells its capacity.
pub(super) fn has_capacity(operation: &str) -> bool {
    dynamodb_unit(operation).is_some()
}

fn dynamodb_unit(operation: &str) -> Option<Unit> {
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems" => {
            Some(Unit::DynamoDbWriteUnits)
        }
        "GetItem" | "Query" | "Scan" | "BatchGetItem" | "TransactGetItems" => Some(Unit::DynamoDbReadUnits),
        _ => None,
    }
}

/// What an operation consumed, by table (`orders`) and index (`profiles/due`).
///
/// An answer says it in `ConsumedCapacity`: whole kilobytes of the larger of the old and the new item, twice in transactions,
/// and the same of the entry of each index that changes. A refusal says nothing, but is charged: a condition that does not hold
/// as a write, an action of a cancelled transaction as two. Of the size of what was there only the first kilobyte is counted.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>
pub(super) fn dynamodb_units(
    operation: &str,
    request: &Value,
    answer: &Value,
) -> Vec<(Unit, String, Decimal)> {
    let Some(unit) = dynamodb_unit(operation) else { return Vec::new() };
    let refusal = answer["__type"].as_str().and_then(|kind| kind.rsplit('#').next());
    match refusal {
        Some("ConditionalCheckFailedException") => {
            return vec![(unit, table(&request["TableName"]), Decimal::ONE)];
        }
        Some("TransactionCanceledException") => {
            let actions = request["TransactItems"].as_array().into_iter().flatten();
            let tables = actions.filter_map(|action| action.as_object()?.values().next());
            return tables.map(|action| (unit, table(&action["TableName"]), Decimal::TWO)).collect();
        }
        Some(_) => return Vec::new(),
        None => {}
    }
    let consumed = &answer["ConsumedCapacity"];
    let all = consumed.as_array().map_or(std::slice::from_ref(consumed), Vec::as_slice);
    let mut units = Vec::new();
    for consumed in all.iter().filter(|consumed| consumed.is_object()) {
        let name = table(&consumed["TableName"]);
        units.push((unit, name.clone(), number(&consumed["Table"]["CapacityUnits"])));
        for indexes in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
            for (index, consumed) in consumed[indexes].as_object().into_iter().flatten() {
                units.push((unit, format!("{name}/{index}"), number(&consumed["CapacityUnits"])));
            }
        }
    }
    units.retain(|(_, _, amount)| !amount.is_zero());
    units
}

/// `profiles` of `tillstream-ProfilesTable`.
fn table(name: &Value) -> String {
    let name = name.as_str().unwrap_or_default();
    let short = name.rsplit('-').next().unwrap_or(name);
    short.strip_suffix("Table").unwrap_or(short).to_lowercase()
}

fn number(value: &Value) -> Decimal {
    value.to_string().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn requests_are_counted_in_chunks_and_at_least_once() {
        let requests = [0, 1, API_CHUNK, API_CHUNK + 1].map(api_requests);
        assert_eq!(requests, [1, 1, 1, 2].map(Decimal::from));
        let requests = [0, SQS_CHUNK, SQS_CHUNK + 1, 16 * SQS_CHUNK].map(sqs_requests);
        assert_eq!(requests, [1, 1, 2, 16].map(Decimal::from));
    }

    #[test]
    fn lambda_receives_and_deletes_ten_messages_at_once() {
        let requests = |receives: u64, deletes: u64| (Decimal::from(receives), Decimal::from(deletes));
        assert_eq!(poll_requests(&[100]), requests(1, 1));
        assert_eq!(poll_requests(&[100; 10]), requests(1, 1));
        assert_eq!(poll_requests(&[100; 11]), requests(2, 2));
        // Three bodies of 30 KB are 90 KB: two chunks; what deletes them is small.
        assert_eq!(poll_requests(&[30 * 1024; 3]), requests(2, 1));
    }

    #[test]
    fn milliseconds_are_whole_and_computing_takes_longer_with_a_share_of_a_processor() {
        let ms = |us: u64| Duration::from_micros(us);
        assert_eq!(billed_ms(ms(0), ms(0), 512), decimal("1"));
        assert_eq!(billed_ms(ms(7_001), ms(0), 512), decimal("8"));
        // 10 ms, of them 4 on a processor: with 512 of 1769 MB these 4 take 13.8.
        assert_eq!(billed_ms(ms(10_000), ms(4_000), 512), decimal("20"));
        assert_eq!(billed_ms(ms(10_000), ms(4_000), 3_008), decimal("10"));
    }

    #[test]
    fn capacity_is_told_by_table_and_index() {
        let answer = json!({"ConsumedCapacity": {
            "TableName": "tillstream-ProfilesTable", "CapacityUnits": 4.0, "Table": {"CapacityUnits": 2.0},
            "GlobalSecondaryIndexes": {"due": {"CapacityUnits": 1.0}},
            "LocalSecondaryIndexes": {"events-by-time": {"CapacityUnits": 1.0}},
        }});
        let write = |place: &str, amount: &str| (Unit::DynamoDbWriteUnits, place.to_owned(), decimal(amount));
        assert_eq!(
            dynamodb_units("PutItem", &json!({}), &answer),
            [write("profiles", "2"), write("profiles/due", "1"), write("profiles/events-by-time", "1")]
        );
        // What is read in an index costs nothing in its table, and half a unit if it need not be the latest.
        let answer = json!({"ConsumedCapacity": [{
            "TableName": "tillstream-OrdersTable", "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.0},
            "GlobalSecondaryIndexes": {"due": {"CapacityUnits": 0.5}},
        }]});
        let read = (Unit::DynamoDbReadUnits, "orders/due".to_owned(), decimal("0.5"));
        assert_eq!(dynamodb_units("Query", &json!({}), &answer), [read]);
        assert_eq!(dynamodb_units("DescribeTable", &json!({}), &answer), []);
    }

    #[test]
    fn refused_writes_are_charged() {
        let refused = |kind: &str| json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{kind}")});
        let write = |place: &str, amount: &str| (Unit::DynamoDbWriteUnits, place.to_owned(), decimal(amount));
        let put = json!({"TableName": "tillstream-OrdersTable"});
        let units = dynamodb_units("PutItem", &put, &refused("ConditionalCheckFailedException"));
        assert_eq!(units, [write("orders", "1")]);
        let transaction = json!({"TransactItems": [
            {"Put": {"TableName": "tillstream-ProfilesTable"}},
            {"ConditionCheck": {"TableName": "tillstream-RegistryTable"}},
        ]});
        let units =
            dynamodb_units("TransactWriteItems", &transaction, &refused("TransactionCanceledException"));
        assert_eq!(units, [write("profiles", "2"), write("registry", "2")]);
        assert_eq!(dynamodb_units("PutItem", &put, &refused("ThrottlingException")), []);
    }

    #[test]
    fn usage_is_the_difference_of_two_readings() {
        let mut usage = Usage::default();
        usage.add(Unit::SqsRequests, "mapper", "deliveries", Decimal::ONE);
        let before = usage.clone();
        usage.add(Unit::SqsRequests, "mapper", "deliveries", Decimal::TWO);
        let since = usage.since(&before);
        let lines: Vec<_> = since.lines().map(|(line, amount)| (line.unit, amount)).collect();
        assert_eq!(lines, [(Unit::SqsRequests, Decimal::TWO)]);
        assert_eq!(usage.since(&usage), Usage::default());
    }
}
