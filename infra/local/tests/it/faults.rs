//! Trouble on purpose: it strikes functions only, and nothing is lost by it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tillstream::lambda::{Handler, handler};
use tillstream::sqs::Outgoing;
use tillstream::{BoxError, Endpoints, FunctionContext, Handlers, Options, Stack};

use crate::support::{Calls, SAMPLE, dynamodb_client, eventually, handlers, put, sort_keys};

/// Ready-made handlers, and where the functions are told that the services are.
struct Told {
    handlers: std::collections::HashMap<String, Handler>,
    endpoints: Arc<Mutex<Option<Endpoints>>>,
}

impl Handlers for Told {
    fn handler(&self, context: FunctionContext) -> BoxFuture<'_, Result<Option<Handler>, BoxError>> {
        *self.endpoints.lock().unwrap() = Some(context.endpoints.clone());
        self.handlers.handler(context)
    }
}

async fn start(faults: &str, replaced: Vec<(&str, Handler)>) -> (Stack, Endpoints) {
    let options = Options { faults: Some(faults.parse().unwrap()), ..Options::in_memory(SAMPLE) };
    let told = Told { handlers: handlers(replaced), endpoints: Arc::default() };
    let stack = Stack::start(options, &told).await.unwrap();
    let endpoints = told.endpoints.lock().unwrap().clone().unwrap();
    (stack, endpoints)
}

#[tokio::test]
async fn a_write_is_refused_or_its_answer_lost_for_functions_and_for_nobody_else() {
    let (stack, disturbed) = start("seed=1,rate=400", Vec::new()).await;
    let (calm, disturbed) =
        (dynamodb_client(&stack.endpoints.dynamodb), dynamodb_client(&disturbed.dynamodb));
    let writes = (0..60).map(async |number| {
        let key = || AttributeValue::S(number.to_string());
        let request = disturbed.put_item().table_name("tillstream-items").item("pk", key()).item("sk", key());
        if request.send().await.is_ok() {
            return (0, 0);
        }
        let read = calm.get_item().table_name("tillstream-items").key("pk", key()).key("sk", key());
        if read.send().await.unwrap().item.is_some() { (1, 0) } else { (0, 1) }
    });
    let failed = futures::future::join_all(writes).await;
    let (lost, refused) = failed.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(lost > 0 && refused > 0, "{lost} lost, {refused} refused");
    stack.shutdown().await;
}

#[tokio::test]
async fn every_message_and_every_record_comes_though_some_come_again() {
    let (worked, watched) = (Calls::default(), Calls::default());
    let answer = |_: &Value| Ok(json!({"batchItemFailures": []}));
    let replaced = vec![("worker", worked.handler(answer)), ("watcher", watched.handler(answer))];
    let (stack, _) = start("seed=1,rate=200", replaced).await;
    let client = dynamodb_client(&stack.endpoints.dynamodb);
    let expected: BTreeSet<String> = (0..100).map(|number| format!("e#{number}")).collect();
    for text in &expected {
        put(&client, "p1", text, "").await;
        stack.queues.send("tillstream-Deliveries", Outgoing::text(text.clone())).await.unwrap();
    }
    eventually("all messages", async || {
        let bodies = worked.all().into_iter().flat_map(|event| event["Records"].as_array().unwrap().clone());
        let mut came: BTreeSet<String> =
            bodies.map(|record| record["body"].as_str().unwrap().to_owned()).collect();
        // What came back too often was set aside.
        let aside = stack.queues.receive("tillstream-DeadLetters", 10, Some(60), Some(Duration::ZERO)).await;
        for message in aside.unwrap() {
            worked.add(json!({"Records": [{"body": message.body}]}));
            came.insert(message.body);
        }
        (came == expected).then_some(())
    })
    .await;
    let came = eventually("all records, some again", async || {
        let came: Vec<String> = watched.all().iter().flat_map(sort_keys).collect();
        (came.len() > expected.len()).then_some(came)
    })
    .await;
    assert_eq!(came.into_iter().collect::<BTreeSet<_>>(), expected);
    stack.shutdown().await;
}

#[tokio::test]
async fn an_invocation_dies_now_and_then() {
    let slow = handler(|_| async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        Ok(Value::Null)
    });
    let (stack, _) = start("seed=1,rate=1000", vec![("ticker", slow)]).await;
    stack.invoke("ticker", Value::Null).await.unwrap_err();
    stack.shutdown().await;
}
