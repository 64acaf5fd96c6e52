//! S3, as much of it as there is, and what a dropped file becomes.

use reqwest::{Client, StatusCode};
use runtime::Clock;
use serde_json::{Value, json};
use tillstream::functions::{LOCAL_KEY, ProductFunctions};
use tillstream::{Options, Stack, TEMPLATE};

use crate::support::eventually;

const BUCKET: &str = "tillstream-FilesBucket";

async fn product() -> Stack {
    Stack::start(Options::in_memory(TEMPLATE), &ProductFunctions::new(Clock::system())).await.unwrap()
}

async fn api(client: &Client, request: reqwest::RequestBuilder) -> Value {
    let request = request.header("authorization", format!("Klaviyo-API-Key {LOCAL_KEY}"));
    let answer = client.execute(request.build().unwrap()).await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn objects_are_kept_and_read_in_parts() {
    let stack = product().await;
    let (client, s3) = (Client::builder().build().unwrap(), format!("{}/{BUCKET}", stack.endpoints.s3));
    let object = format!("{s3}/other/a%20b.txt");
    let answer = client.put(&object).body("0123456789").send().await.unwrap();
    assert_eq!(answer.headers()["etag"], "\"781e5e245d69b566979b86e28d23f2c7\"");

    let whole = client.get(&object).send().await.unwrap();
    assert_eq!((whole.status(), whole.text().await.unwrap()), (StatusCode::OK, "0123456789".to_owned()));
    let part = client.get(&object).header("range", "bytes=7-20").send().await.unwrap();
    assert_eq!(part.headers()["content-range"], "bytes 7-9/10");
    assert_eq!((part.status(), part.text().await.unwrap()), (StatusCode::PARTIAL_CONTENT, "789".to_owned()));
    let head = client.head(&object).send().await.unwrap();
    assert_eq!((head.status(), &head.headers()["content-length"]), (StatusCode::OK, &"10".parse().unwrap()));

    let beyond = client.get(&object).header("range", "bytes=10-20").send().await.unwrap();
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let other = client.get(&object).header("if-match", "\"e\"").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::PRECONDITION_FAILED);
    for missing in [format!("{s3}/other/c"), format!("{}/elsewhere/a", stack.endpoints.s3)] {
        assert_eq!(client.get(&missing).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }

    // Listed are keys of a prefix, behind one, and no more than are wanted.
    for key in ["c", "d&e"] {
        client.put(format!("{s3}/other/{key}")).body("0").send().await.unwrap();
    }
    let list = |query: &str| client.get(format!("{s3}/?list-type=2&{query}")).send();
    let listed = list("prefix=other%2F&start-after=other%2Fa+b.txt").await.unwrap().text().await.unwrap();
    assert!(listed.contains("<Key>other/c</Key>") && listed.contains("<Key>other/d&amp;e</Key>"), "{listed}");
    assert!(!listed.contains("a b.txt") && listed.contains("<IsTruncated>false<"), "{listed}");
    let listed = list("prefix=other%2F&max-keys=1").await.unwrap().text().await.unwrap();
    assert!(listed.contains("<KeyCount>1<") && listed.contains("<IsTruncated>true<"), "{listed}");

    // Written over is what is known.
    let over = |etag: &str| client.put(&object).header("if-match", format!("\"{etag}\"")).body("1").send();
    assert_eq!(over("e").await.unwrap().status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(over("781e5e245d69b566979b86e28d23f2c7").await.unwrap().status(), StatusCode::OK);
    stack.shutdown().await;
}

#[tokio::test]
async fn a_dropped_file_becomes_events_and_a_report() {
    let stack = product().await;
    let client = Client::builder().build().unwrap();
    let connection = json!({"data": {"type": "connection", "attributes": {
        "platform": "custom", "name": "Till", "secrets": {"webhook_secret": "example-secret-example-secret"}}}});
    let request = client.post(format!("{}/api/connections", stack.base_url)).body(connection.to_string());
    let connection = api(&client, request).await["data"]["id"].as_str().unwrap().to_owned();

    let file = "order_id,placed_at,email,currency,total,product_name,quantity,unit_price\n\
                742,2026-03-14T10:20:11+01:00,ann@example.com,EUR,49.00,Stoneware Mug,2,24.50\n\
                743,yesterday,bo@example.com,EUR,49.00,Stoneware Mug,2,24.50\n";
    let s3 = format!("{}/{BUCKET}", stack.endpoints.s3);
    let sent =
        client.put(format!("{s3}/drop/{connection}/march orders.csv")).body(file).send().await.unwrap();
    let etag = sent.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned();

    let events = eventually("the order's events", async || {
        let request = client.get(format!("{}/api/events", stack.base_url));
        let events = api(&client, request).await["data"].as_array().cloned().unwrap_or_default();
        (events.len() >= 2).then_some(events)
    });
    assert_eq!(events.await.len(), 2);
    let report = format!("{s3}/reports/{connection}/march orders.csv/{etag}/1.ndjson");
    let report = eventually("the report", async || {
        let answer = client.get(&report).send().await.unwrap();
        if answer.status() == StatusCode::OK { Some(answer.text().await.unwrap()) } else { None }
    });
    let reason = r#"{"line":3,"reason":"placed_at is not a time of RFC 3339"}"#;
    assert_eq!(report.await, format!("{reason}\n{{\"facts\":1,\"bad\":1,\"complete\":true}}\n"));
    stack.shutdown().await;
}
