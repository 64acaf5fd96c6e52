//! Messages in, deliveries and reports out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use files::{Files, Object, Objects, Part};
use futures::FutureExt;
use futures::future::BoxFuture;
use platform::Delivery;
use runtime::Config;
use serde_json::{Map, Value, json};
use store::{ConnectionRecord, ConnectionStatus};
use testing::{RAW_QUEUE, World, at};

const FILES_QUEUE: &str = "http://queues.example.com/files";
const DEAD_LETTERS: &str = "http://queues.example.com/files-dead";

type Pass = Box<dyn Fn() + Send>;

/// A bucket that can be told to fail, and that lets time pass while it is read.
#[derive(Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, (String, Vec<u8>)>>,
    parts: Mutex<u32>,
    fails_at: Mutex<Option<u32>>,
    on_part: Mutex<Option<Pass>>,
    /// Smaller parts than are asked for, as if the file were larger.
    most: Mutex<Option<u64>>,
}

impl Objects for Memory {
    fn part<'a>(
        &'a self,
        object: &'a Object<'a>,
        from: u64,
        count: u64,
    ) -> BoxFuture<'a, anyhow::Result<Option<Part>>> {
        async move {
            let number = {
                let mut parts = self.parts.lock().unwrap();
                *parts += 1;
                *parts
            };
            if *self.fails_at.lock().unwrap() == Some(number) {
                return Err(anyhow::anyhow!("the bucket does not answer"));
            }
            if let Some(pass) = self.on_part.lock().unwrap().as_ref() {
                pass();
            }
            let count = self.most.lock().unwrap().unwrap_or(count).min(count);
            let objects = self.objects.lock().unwrap();
            Ok(objects.get(object.key).filter(|(etag, _)| etag == object.etag).map(|(_, body)| {
                let from = usize::try_from(from).unwrap().min(body.len());
                let until = (from + usize::try_from(count).unwrap()).min(body.len());
                Part { bytes: body[from..until].to_vec(), size: body.len() as u64 }
            }))
        }
        .boxed()
    }

    fn put<'a>(&'a self, key: &'a str, body: Vec<u8>) -> BoxFuture<'a, anyhow::Result<()>> {
        self.objects.lock().unwrap().insert(key.to_owned(), ("e".to_owned(), body));
        std::future::ready(Ok(())).boxed()
    }
}

impl Memory {
    fn drop_file(&self, key: &str, etag: &str, body: &str) {
        self.objects.lock().unwrap().insert(key.to_owned(), (etag.to_owned(), body.as_bytes().to_vec()));
    }

    fn reports(&self) -> BTreeMap<String, Vec<Value>> {
        let objects = self.objects.lock().unwrap();
        let reports = objects.iter().filter(|(key, _)| key.starts_with("reports/"));
        let lines = |body: &[u8]| {
            std::str::from_utf8(body)
                .unwrap()
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        reports.map(|(key, (_, body))| (key.clone(), lines(body))).collect()
    }
}

struct Setup {
    world: Arc<World>,
    bucket: Arc<Memory>,
    files: Files,
}

async fn setup(status: ConnectionStatus) -> Setup {
    let world = Arc::new(World::start().await);
    let record = ConnectionRecord {
        id: "C1".to_owned(),
        platform: "mi9".to_owned(),
        name: "Grocery".to_owned(),
        settings: Map::new(),
        secret_names: Vec::new(),
        status,
        created_at: at(0),
        updated_at: at(0),
    };
    world.store.create_connection(&record).await.unwrap();
    let variables = [
        ("ORDERS_TABLE", "orders"),
        ("REGISTRY_TABLE", "registry"),
        ("RAW_DELIVERIES_QUEUE_URL", RAW_QUEUE),
        ("FILES_QUEUE_URL", FILES_QUEUE),
        ("FILES_DLQ_URL", DEAD_LETTERS),
    ];
    let config = Config::from_map(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let bucket = Arc::new(Memory::default());
    let files = Files::new(&config, &world.clients, world.clock(), Arc::clone(&bucket) as Arc<dyn Objects>);
    Setup { files: files.unwrap(), world, bucket }
}

impl Setup {
    /// Whether the message was taken.
    async fn message(&self, body: String) -> bool {
        let mut message = SqsMessage::default();
        (message.message_id, message.body) = (Some("m".to_owned()), Some(body));
        let mut event = SqsEvent::default();
        event.records = vec![message];
        self.files.handle(event).await.unwrap().batch_item_failures.is_empty()
    }

    async fn announced(&self, key: &str, etag: &str) -> bool {
        self.message(announcement(key, etag)).await
    }

    fn deliveries(&self) -> Vec<Delivery> {
        let sent = self.world.take_sent(RAW_QUEUE);
        sent.iter().map(|message| Delivery::from_message(&message.body).unwrap()).collect()
    }
}

fn announcement(key: &str, etag: &str) -> String {
    json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
        "eventTime": "2026-06-17T11:59:00.000Z", "userIdentity": {}, "requestParameters": {}, "responseElements": {},
        "s3": {"bucket": {"name": "files"}, "object": {"key": key, "size": 1, "eTag": etag, "sequencer": "1"}},
    }]})
    .to_string()
}

fn order(number: usize) -> String {
    json!({"fact": "order", "order_id": number.to_string(), "placed_at": "2026-03-14T09:00:00Z"}).to_string()
}

fn ids(deliveries: &[Delivery]) -> Vec<String> {
    let facts = deliveries.iter().flat_map(|delivery| {
        let body: Value = serde_json::from_slice(&delivery.body).unwrap();
        body["facts"].as_array().unwrap().clone()
    });
    facts.map(|fact| fact["order_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_file_s_lines_become_deliveries_and_its_bad_lines_a_report() {
    let setup = setup(ConnectionStatus::Active).await;
    let lines = [order(1), "ann@example.com".to_owned(), order(2), "{}".to_owned()];
    setup.bucket.drop_file("drop/C1/march orders.ndjson", "e-1", &lines.join("\n"));
    assert!(setup.announced("drop/C1/march+orders.ndjson", "e-1").await);
    let deliveries = setup.deliveries();
    assert_eq!(ids(&deliveries), ["1", "2"]);
    let delivery = &deliveries[0];
    assert_eq!(
        (delivery.topic.as_str(), delivery.platform.as_str(), delivery.backfill),
        ("facts", "mi9", false)
    );
    let reports = setup.bucket.reports();
    let (key, report) = reports.first_key_value().unwrap();
    assert_eq!(key, "reports/C1/march orders.ndjson/e1/1.ndjson");
    assert_eq!((&report[0]["line"], &report[1]["line"]), (&json!(2), &json!(4)));
    assert_eq!(report[2], json!({"facts": 2, "bad": 2, "complete": true}));
    assert!(!format!("{report:?}").contains("ann@example.com"));
    let health = setup.world.store.health("C1").await.unwrap();
    let (_, error) = health.last_error.unwrap();
    assert!(error.contains("2 lines not read; line 2"), "{error}");
}

#[tokio::test]
async fn many_facts_are_sent_in_batches_of_ids_that_repeat() {
    let setup = setup(ConnectionStatus::Active).await;
    let lines: Vec<String> = (0..250).map(order).collect();
    setup.bucket.drop_file("drop/C1/history/a.ndjson", "e-1", &lines.join("\n"));
    assert!(setup.announced("drop/C1/history/a.ndjson", "e-1").await);
    let first = setup.deliveries();
    assert_eq!((first.len(), ids(&first).len()), (3, 250));
    assert!(first.iter().all(|delivery| delivery.backfill));
    assert!(setup.announced("drop/C1/history/a.ndjson", "e-1").await);
    let again = setup.deliveries();
    let names = |deliveries: &[Delivery]| -> Vec<_> {
        deliveries.iter().map(|delivery| (delivery.delivery_id.clone(), delivery.body.clone())).collect()
    };
    assert_eq!(names(&first), names(&again));
}

#[tokio::test]
async fn what_fails_in_the_middle_is_read_again_from_its_beginning() {
    let setup = setup(ConnectionStatus::Active).await;
    let lines: Vec<String> = (0..50).map(order).collect();
    setup.bucket.drop_file("drop/C1/a.ndjson", "e-1", &lines.join("\n"));
    *setup.bucket.most.lock().unwrap() = Some(1000);
    *setup.bucket.fails_at.lock().unwrap() = Some(3);
    assert!(!setup.announced("drop/C1/a.ndjson", "e-1").await);
    let before = ids(&setup.deliveries());
    assert!(!before.is_empty() && before.len() < 50);
    assert!(setup.announced("drop/C1/a.ndjson", "e-1").await);
    let after: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(ids(&setup.deliveries()), after);
}

#[tokio::test]
async fn a_long_file_is_left_to_further_calls_with_its_header_and_its_lines() {
    let setup = setup(ConnectionStatus::Active).await;
    let rows = (0..60).map(|number| format!("{number},Mug,{}\n", if number == 40 { "x" } else { "1" }));
    let file = format!("order_id,product_name,quantity\n{}", rows.collect::<String>());
    setup.bucket.drop_file("drop/C1/a.csv", "e-1", &file);
    *setup.bucket.most.lock().unwrap() = Some(100);
    assert!(setup.announced("drop/C1/a.csv", "e-1").await);
    let at_once = ids(&setup.deliveries());
    assert_eq!(at_once.len(), 59);

    // The same with so little time that each call reads one block.
    let world = Arc::clone(&setup.world);
    *setup.bucket.on_part.lock().unwrap() = Some(Box::new(move || world.pass(700_000)));
    let mut told = Vec::new();
    let mut message = Some(announcement("drop/C1/a.csv", "e-1"));
    let mut calls = 0;
    while let Some(body) = message.take() {
        assert!(setup.message(body).await);
        told.extend(ids(&setup.deliveries()));
        message = setup.world.take_sent(FILES_QUEUE).pop().map(|message| message.body);
        calls += 1;
        assert!(calls < 50);
    }
    assert_eq!(told, at_once);
    assert!(calls > 2, "{calls}");
    let problems: Vec<Value> = setup.bucket.reports().into_values().flatten().collect();
    assert!(problems.contains(&json!({"line": 42, "reason": "quantity is not an amount"})), "{problems:?}");
}

#[tokio::test]
async fn a_line_that_is_too_long_costs_only_itself() {
    let setup = setup(ConnectionStatus::Active).await;
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(13 * 1024 * 1024));
    setup.bucket.drop_file(
        "drop/C1/a.ndjson",
        "e-1",
        &[order(1), long, order(2), "{}".to_owned()].join("\n"),
    );
    assert!(setup.announced("drop/C1/a.ndjson", "e-1").await);
    assert_eq!(ids(&setup.deliveries()), ["1", "2"]);
    let report = setup.bucket.reports().remove("reports/C1/a.ndjson/e1/1.ndjson").unwrap();
    assert_eq!(report[0], json!({"line": 2, "reason": "longer than 8 MiB"}));
    assert_eq!((&report[1]["line"], &report[2]["bad"]), (&json!(4), &json!(2)));
}

#[tokio::test]
async fn only_active_connections_take_files_and_the_others_are_dead_letters_that_can_be_put_back() {
    let disabled = setup(ConnectionStatus::Disabled).await;
    for key in ["drop/C1/a.ndjson", "drop/C2/a.ndjson", "drop/C1/a.xlsx"] {
        disabled.bucket.drop_file(key, "e-1", &order(1));
        assert!(disabled.announced(key, "e-1").await);
    }
    assert_eq!(disabled.deliveries().len(), 0);
    let letters = disabled.world.take_sent(DEAD_LETTERS);
    assert_eq!(letters.len(), 3);
    let active = setup(ConnectionStatus::Active).await;
    active.bucket.drop_file("drop/C1/a.ndjson", "e-1", &order(1));
    assert!(active.message(letters[0].body.clone()).await);
    assert_eq!(ids(&active.deliveries()), ["1"]);
}

#[tokio::test]
async fn a_file_that_was_replaced_or_removed_is_left_to_its_own_announcement() {
    let setup = setup(ConnectionStatus::Active).await;
    setup.bucket.drop_file("drop/C1/a.ndjson", "e-2", &order(1));
    assert!(setup.announced("drop/C1/a.ndjson", "e-1").await);
    assert!(setup.announced("drop/C1/b.ndjson", "e-1").await);
    assert_eq!((setup.deliveries().len(), setup.bucket.reports().len()), (0, 0));
    assert!(setup.announced("drop/C1/a.ndjson", "e-2").await);
    assert_eq!(setup.deliveries().len(), 1);
}

#[tokio::test]
async fn a_header_that_cannot_be_read_is_reported() {
    let setup = setup(ConnectionStatus::Active).await;
    setup.bucket.drop_file("drop/C1/a.csv", "e-1", "Name\nAnn\n");
    assert!(setup.announced("drop/C1/a.csv", "e-1").await);
    let reports = setup.bucket.reports();
    let report = &reports["reports/C1/a.csv/e1/1.ndjson"];
    assert_eq!(report[0]["reason"], "no column Email, Phone Number, External ID or Anonymous ID");
}

#[tokio::test]
async fn what_is_no_announcement_of_a_file_is_passed_over_or_refused() {
    let setup = setup(ConnectionStatus::Active).await;
    assert!(setup.message(json!({"Service": "Amazon S3", "Event": "s3:TestEvent"}).to_string()).await);
    let removed = announcement("drop/C1/a.ndjson", "e").replace("ObjectCreated:Put", "ObjectRemoved:Delete");
    assert!(setup.message(removed).await);
    assert!(!setup.message("{".to_owned()).await);
    assert!(!setup.announced("drop/C1/%zz.ndjson", "e").await);
}
