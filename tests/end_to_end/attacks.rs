//! What somebody with bad intentions sends: each has its answer, and the next honest request is served.

use std::io::Write as _;

use platform::signature::hmac_sha256_base64;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Delivery, Order, Shop, Stack, eventually, now};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{start, start_with_shop};

/// The stack still takes what is genuine.
async fn is_well(stack: &Stack, shop: &Shop, id: u64) {
    let email = format!("honest{id}@example.com");
    shop.deliver(stack.api(), &Order::new(id, &email, now()).created()).await;
    eventually("the honest order", async || stack.api().profile(&email).await.map(drop)).await;
}

#[tokio::test]
async fn the_secret_of_one_shop_opens_no_other() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let settings = json!({"shop_domain": "other.example"});
    let other = Shop::create(api, &settings, "whsec-other", true).await.id();
    let order = Order::new(1, "ida@example.com", now()).created();
    let misdirected = Shop { connection: other, ..shop.clone() };
    assert_eq!(misdirected.try_deliver(api, &order).await.unwrap(), 401);
    // Another platform's receiver knows nothing of this connection.
    let elsewhere = api.request(Method::POST, &format!("/webhooks/woocommerce/{}", shop.connection));
    let signature = hmac_sha256_base64(&shop.secret, &order.body);
    let elsewhere =
        elsewhere.header("x-wc-webhook-signature", signature).header("x-wc-webhook-topic", "order.created");
    assert_eq!(elsewhere.body(order.body.clone()).send().await.unwrap().status(), 404);
    stack.settled().await;
    assert_eq!(api.profile("ida@example.com").await, None);
    is_well(&stack, &shop, 2).await;
}

#[tokio::test]
async fn an_id_is_no_path_and_no_key_of_a_table() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let long = "a".repeat(7000);
    let list = json!({"data": {"type": "list", "attributes": {"name": "News"}}});
    let list = api.post("/api/lists", &list).await.id();
    let ids = [
        "..%2F..%2Fapi-keys",
        "%2e%2e%2fapi-keys",
        "..",
        "%00",
        "%ff",
        "p%23x%23profile",
        "x%0d%0aset-cookie:%20a",
        "$(id)",
        &long,
    ];
    for id in ids {
        for path in [
            format!("/api/profiles/{id}"),
            format!("/api/segments/{id}"),
            format!("/api/events/{id}"),
            format!("/api/connections/{id}"),
            format!("/api/catalog-items/{id}"),
        ] {
            let reply = api.get(&path, &[]).await;
            assert!([400, 404, 414].contains(&reply.status), "{path}: {} {}", reply.status, reply.body);
        }
        let filter = format!("equals(profile_id,'{id}')");
        let reply = api.get("/api/events", &[("filter", &filter)]).await;
        assert!([200, 400].contains(&reply.status), "{filter}: {} {}", reply.status, reply.body);
        let named = json!({"data": [{"type": "profile", "id": id}]});
        let reply = api.post(&format!("/api/lists/{list}/relationships/profiles"), &named).await;
        assert!([400, 404].contains(&reply.status), "{id}: {} {}", reply.status, reply.body);
        let status = Shop { connection: id.to_owned(), ..shop.clone() };
        let status =
            status.try_deliver(api, &Order::new(1, "ida@example.com", now()).created()).await.unwrap();
        assert!([400, 404, 405, 414].contains(&status), "{id}: {status}");
    }
    is_well(&stack, &shop, 2).await;
}

#[tokio::test]
async fn documents_that_are_deep_broad_or_packed_are_refused_or_set_aside() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let deep = [b"[".repeat(400_000), b"]".repeat(400_000)].concat();
    let broad = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(60_000)).into_bytes();
    for path in
        ["/api/events", "/api/profiles", "/api/segments", "/api/profile-subscription-bulk-create-jobs"]
    {
        for body in [&deep, &broad] {
            let request = api.request(Method::POST, path).body(body.clone());
            let reply = api.answer(request).await;
            assert!([400, 413].contains(&reply.status), "{path}: {} {}", reply.status, reply.body);
        }
    }
    // A megabyte of which a hundred come: nobody unpacks it.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..100 {
        packed.write_all(&vec![b' '; 1024 * 1024]).unwrap();
    }
    let packed = packed.finish().unwrap();
    let request =
        api.request(Method::POST, "/api/events").header("content-encoding", "gzip").body(packed.clone());
    let reply = api.answer(request).await;
    assert!([400, 415].contains(&reply.status), "{} {}", reply.status, reply.body);

    // Even the shop's own signature makes no sense of them.
    for (number, body) in [deep, broad, packed].into_iter().enumerate() {
        let delivery = Delivery { topic: "orders/create".to_owned(), id: format!("bad {number}"), body };
        shop.deliver(api, &delivery).await;
    }
    stack.settled().await;
    eventually("three are set aside", async || (stack.dead_letters().await.len() == 3).then_some(())).await;
    is_well(&stack, &shop, 2).await;
}

#[tokio::test]
async fn a_regular_expression_costs_no_more_than_its_text_is_long() {
    let stack = start().await;
    let api = stack.api();
    let person =
        json!({"email": "ida@example.com", "properties": {"note": format!("{}!", "a".repeat(20_000))}});
    let person = json!({"data": {"type": "profile", "attributes": person}});
    assert_eq!(api.post("/api/profiles", &person).await.status, 201);
    let asked = |pattern: &str| {
        let filter = json!({"type": "string", "operator": "regex", "value": pattern});
        let condition =
            json!({"type": "profile-property", "property": "properties['note']", "filter": filter});
        let definition = json!({"condition_groups": [{"conditions": [condition]}]});
        json!({"data": {"type": "segment-preview", "attributes": {"definition": definition}}})
    };
    // What takes a backtracking engine longer than the universe has been there.
    for pattern in ["(a+)+$", "(a|aa)+$", "^(a|a?)+$"] {
        let reply = api.post("/api/segments/preview", &asked(pattern)).await;
        assert_eq!(
            (reply.status, &reply.attributes()["count"]),
            (200, &json!(0)),
            "{pattern}: {}",
            reply.body
        );
    }
    for pattern in ["((a{1000}){1000}){1000}", &"(".repeat(100_000), &"a".repeat(100_000)] {
        let reply = api.post("/api/segments/preview", &asked(pattern)).await;
        assert_eq!(reply.status, 400, "{}", reply.body);
    }
}

#[tokio::test]
async fn a_request_is_read_in_one_way_only() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let order = Order::new(1, "ida@example.com", now()).created();
    let genuine = hmac_sha256_base64(&shop.secret, &order.body);
    // Of two signatures neither is believed.
    for pair in [[genuine.as_str(), "forged"], ["forged", &genuine]] {
        let mut request = api.request(Method::POST, &format!("/webhooks/shopify/{}", shop.connection));
        for signature in pair {
            request = request.header("x-shopify-hmac-sha256", signature);
        }
        let request = request.header("x-shopify-topic", &order.topic).header("x-shopify-webhook-id", "1");
        assert_eq!(request.body(order.body.clone()).send().await.unwrap().status(), 401);
    }
    // Of two lengths neither is, and nothing behind a body is taken for another request.
    let address = api.access().0.trim_start_matches("http://").to_owned();
    let head = format!("POST /webhooks/shopify/{} HTTP/1.1\r\nhost: {address}\r\n", shop.connection);
    for lengths in [
        "content-length: 4\r\ncontent-length: 40\r\n",
        "content-length: 4, 40\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "content-length : 4\r\n",
    ] {
        let smuggled = "GET /api/health HTTP/1.1\r\nhost: a\r\n\r\n";
        let answer = raw(&address, &format!("{head}{lengths}\r\n{smuggled}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{lengths}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{lengths}: {answer}");
    }
    stack.settled().await;
    assert_eq!(api.profile("ida@example.com").await, None);
    is_well(&stack, &shop, 2).await;
}

/// What is answered to these bytes until the connection ends.
async fn raw(address: &str, bytes: &str) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = connection.read_to_end(&mut answer);
    let _ = tokio::time::timeout(tests::PATIENCE, read).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_wrong_is_said_without_saying_what_is_there() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    // A guessed id and a guessed signature look alike, and name nothing.
    let order = Order::new(1, "ida@example.com", now()).created();
    let guess = Shop { connection: "01JD0000000000000000000000".to_owned(), ..shop.clone() };
    assert_eq!(guess.try_deliver(api, &order).await.unwrap(), 404);
    let keyless =
        api.request(Method::GET, &format!("/api/connections/{}", shop.connection)).send().await.unwrap();
    let other = api.request(Method::GET, "/api/connections/none").send().await.unwrap();
    assert_eq!((keyless.status().as_u16(), other.status().as_u16()), (401, 401));
    let masked = |text: String| -> Value {
        let mut body: Value = serde_json::from_str(&text).unwrap();
        body["errors"][0]["id"] = Value::Null;
        body
    };
    assert_eq!(masked(keyless.text().await.unwrap()), masked(other.text().await.unwrap()));
}
