//! The whole stack over HTTP: gateway, functions, queues, schedules and what a restart keeps.

use aws_sdk_sqs::types::MessageAttributeValue;
use futures::future::BoxFuture;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tillstream::lambda::{Handler, handler};
use tillstream::{BoxError, FunctionContext, Handlers, Options, Stack, StartError};

use crate::support::{Calls, SAMPLE, eventually, failures, handlers, sqs_client, start, start_in};

#[tokio::test]
async fn a_request_goes_through_gateway_queue_and_worker() {
    let (received, worked) = (Calls::default(), Calls::default());
    let receiver =
        received.handler(|_| Ok(json!({"statusCode": 202, "headers": {"x-hook": "yes"}, "body": "ok"})));
    let stack = start(vec![("receiver", receiver), ("worker", worked.handler(|_| Ok(Value::Null)))]).await;
    let answer = Client::builder()
        .build()
        .unwrap()
        .post(format!("{}/hooks/corner?x=1", stack.base_url))
        .header("content-type", "application/json")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(answer.headers()["x-hook"], "yes");
    assert_eq!(answer.text().await.unwrap(), "ok");
    let event = &received.all()[0];
    assert_eq!(event["routeKey"], "POST /hooks/{shop}");
    assert_eq!((&event["pathParameters"]["shop"], &event["body"]), (&json!("corner"), &json!("{}")));

    let url = &stack.model.functions[0].environment["QUEUE_URL"];
    let client = sqs_client(&stack.endpoints.sqs);
    client.send_message().queue_url(url).message_body("delivery").send().await.unwrap();
    eventually("the worker's call", async || worked.all().into_iter().next()).await;
    let record = &worked.all()[0]["Records"][0];
    assert_eq!((&record["body"], &record["eventSource"]), (&json!("delivery"), &json!("aws:sqs")));
    assert_eq!(record["eventSourceARN"], "arn:aws:sqs:us-east-1:000000000000:tillstream-Deliveries");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(record["md5OfBody"].as_str().unwrap().len(), 32);
    eventually("the delete", async || {
        let depth = stack.queues.depth("tillstream-Deliveries").await.unwrap();
        (depth.visible + depth.in_flight == 0).then_some(())
    })
    .await;
    assert!(stack.metrics().contains("lambda_invocations_total{function=\"WorkerFunction\"}"));
    stack.shutdown().await;
}

#[tokio::test]
async fn a_delayed_message_reaches_the_function_with_its_attributes_and_group() {
    let worked = Calls::default();
    let stack = start(vec![("worker", worked.handler(|_| Ok(Value::Null)))]).await;
    let url = &stack.model.functions[0].environment["QUEUE_URL"];
    let client = sqs_client(&stack.endpoints.sqs);
    let send = |body: &str| client.send_message().queue_url(url).message_body(body);
    let deferrals = MessageAttributeValue::builder().data_type("Number").string_value("2").build().unwrap();
    let delayed = send("delayed").delay_seconds(1).message_group_id("shop-1");
    delayed.message_attributes("deferrals", deferrals).send().await.unwrap();
    send("prompt").send().await.unwrap();
    eventually("both calls", async || (worked.all().len() == 2).then_some(())).await;
    let records: Vec<Value> = worked.all().iter().map(|event| event["Records"][0].clone()).collect();
    assert_eq!((&records[0]["body"], &records[1]["body"]), (&json!("prompt"), &json!("delayed")));
    let attribute = &records[1]["messageAttributes"]["deferrals"];
    assert_eq!((&attribute["dataType"], &attribute["stringValue"]), (&json!("Number"), &json!("2")));
    assert_eq!(records[1]["attributes"]["MessageGroupId"], "shop-1");
    stack.shutdown().await;
}

#[tokio::test]
async fn messages_that_fail_come_again_and_then_go_to_the_dead_letter_queue() {
    let worked = Calls::default();
    let worker = worked.handler(|event| {
        let records = event["Records"].as_array().unwrap();
        let bad = records.iter().filter(|record| record["body"] == "bad");
        Ok(failures(bad.map(|record| record["messageId"].as_str().unwrap().to_owned())))
    });
    let stack = start(vec![("worker", worker)]).await;
    let client = sqs_client(&stack.endpoints.sqs);
    let url = &stack.model.functions[0].environment["QUEUE_URL"];
    for body in ["good", "bad", "good"] {
        client.send_message().queue_url(url).message_body(body).send().await.unwrap();
    }
    let dead = eventually("the dead letter", async || {
        stack.queues.receive("tillstream-DeadLetters", 1, None, None).await.unwrap().into_iter().next()
    })
    .await;
    assert_eq!(dead.body, "bad");
    let events = worked.all();
    let bodies: Vec<_> = events
        .iter()
        .flat_map(|event| event["Records"].as_array().unwrap())
        .map(|record| record["body"].as_str().unwrap())
        .collect();
    let count = |body: &str| bodies.iter().filter(|seen| **seen == body).count();
    assert_eq!((count("good"), count("bad")), (2, 2));
    stack.shutdown().await;
}

#[tokio::test]
async fn a_message_under_way_when_the_process_ends_comes_again_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let first = Calls::default();
    let stuck = {
        let calls = first.clone();
        handler(move |event| {
            calls.add(event);
            std::future::pending()
        })
    };
    let stack = start_in(directory.path(), vec![("worker", stuck)]).await;
    stack.queues.send("tillstream-Deliveries", tillstream::sqs::Outgoing::text("once")).await.unwrap();
    eventually("the first attempt", async || first.all().into_iter().next()).await;
    drop(stack);

    let second = Calls::default();
    let stack = start_in(directory.path(), vec![("worker", second.handler(|_| Ok(Value::Null)))]).await;
    let event = eventually("the second attempt", async || second.all().into_iter().next()).await;
    assert_eq!(event["Records"][0]["attributes"]["ApproximateReceiveCount"], "2");
    stack.shutdown().await;
}

#[tokio::test]
async fn the_gateway_answers_for_what_cannot_be_passed_on() {
    let receiver = handler(|event: Value| async move {
        match event["pathParameters"]["shop"].as_str() {
            Some("fails") => Err("broken".to_owned()),
            _ => Ok(json!({"length": event["body"].as_str().unwrap_or_default().len()})),
        }
    });
    let stack = start(vec![("receiver", receiver)]).await;
    let client = Client::builder().build().unwrap();
    let post = async |path: &str, body: Vec<u8>| {
        let answer = client.post(format!("{}{path}", stack.base_url)).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(post("/gone", vec![]).await, (404, r#"{"message":"Not Found"}"#.to_owned()));
    assert_eq!(
        post("/hooks/fails", vec![]).await,
        (500, r#"{"message":"Internal Server Error"}"#.to_owned())
    );
    let too_large = (413, r#"{"message":"Request Entity Too Large"}"#.to_owned());
    assert_eq!(post("/hooks/a", vec![b'x'; 10 * 1024 * 1024 + 1]).await, too_large);
    assert_eq!(post("/hooks/a", vec![b'x'; 5 * 1024 * 1024]).await, too_large);
    assert_eq!(post("/hooks/a", b"abc".to_vec()).await, (200, r#"{"length":4}"#.to_owned()));
    stack.shutdown().await;
}

#[tokio::test]
async fn a_function_is_invoked_directly_as_through_lambda() {
    let ticker = handler(|event: Value| async move {
        if event["fail"] == true { Err("no".to_owned()) } else { Ok(json!({"seen": event})) }
    });
    let stack = start(vec![("ticker", ticker)]).await;
    let client = Client::builder().build().unwrap();
    let invoke = |name: &str, body: &'static str| {
        client.post(format!("{}/2015-03-31/functions/{name}/invocations", stack.base_url)).body(body)
    };
    let answer = invoke("ticker", r#"{"n":1}"#).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.text().await.unwrap(), r#"{"seen":{"n":1}}"#);
    let failed = invoke("TickerFunction", r#"{"fail":true}"#).send().await.unwrap();
    assert_eq!(failed.headers()["x-amz-function-error"], "Unhandled");
    assert!(failed.text().await.unwrap().contains(r#""errorMessage":"no""#));
    let later = invoke("ticker", "{}").header("x-amz-invocation-type", "Event").send().await.unwrap();
    assert_eq!(later.status(), StatusCode::ACCEPTED);
    assert_eq!(invoke("gone", "{}").send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let metrics =
        client.get(format!("{}/metrics", stack.base_url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("lambda_errors_total{function=\"TickerFunction\"}"), "{metrics}");
    stack.shutdown().await;
}

#[tokio::test]
async fn a_function_without_code_stops_the_start() {
    let mut incomplete = handlers(vec![]);
    incomplete.remove("watcher");
    let error = Stack::start(Options::in_memory(SAMPLE), &incomplete).await.err().unwrap();
    assert!(matches!(error, StartError::NoHandler { .. }));
    assert_eq!(error.to_string(), "no handler for the function WatcherFunction (crate watcher)");
}

#[tokio::test]
async fn a_data_directory_has_one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let stack = start_in(directory.path(), vec![]).await;
    let options = Options { data_dir: Some(directory.path().to_owned()), ..Options::in_memory(SAMPLE) };
    let second = Stack::start(options, &handlers(vec![])).await.err().unwrap();
    assert!(matches!(second, StartError::InUse(_)), "{second}");
    stack.shutdown().await;
    start_in(directory.path(), vec![]).await.shutdown().await;
}

/// Every function answers 204.
struct NoContent;

impl Handlers for NoContent {
    fn handler(&self, context: FunctionContext) -> BoxFuture<'_, Result<Option<Handler>, BoxError>> {
        assert!(context.base_url.starts_with("http://127.0.0.1:"));
        Box::pin(async { Ok(Some(handler(|_| async { Ok(json!({"statusCode": 204})) }))) })
    }
}

#[tokio::test]
async fn the_template_of_the_product_starts() {
    let stack = Stack::start(Options::in_memory(tillstream::TEMPLATE), &NoContent).await.unwrap();
    for path in ["/healthz", "/api/profiles"] {
        let answer = reqwest::get(format!("{}{path}", stack.base_url)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{path}");
    }
    let hook = Client::builder().build().unwrap().post(format!("{}/webhooks/shopify/c1", stack.base_url));
    assert_eq!(hook.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert!(!stack.model.stream_sources.is_empty() && !stack.model.queue_sources.is_empty());
    stack.shutdown().await;
}
