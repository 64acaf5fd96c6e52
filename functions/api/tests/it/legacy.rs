use std::fmt::Write;

use axum::body::{Body, to_bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{COMPANY, World};

const EMAIL: &str = "a@example.com";

async fn send(
    world: &World,
    method: Method,
    uri: &str,
    content_type: &str,
    body: String,
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let request = Request::builder().method(method).uri(uri).header("content-type", content_type);
    let response = world.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    assert_eq!(parts.headers["access-control-allow-origin"], "*");
    (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

/// As PyPI's klaviyo 3.1.7 sends it.
async fn get(world: &World, path: &str, payload: &Value, rest: &str) -> String {
    let data = encoded(&STANDARD.encode(payload.to_string()));
    let uri = format!("{path}?data={data}&test=0{rest}");
    let (status, _, body) = send(world, Method::GET, &uri, "application/json", String::new()).await;
    assert_eq!(status, StatusCode::OK);
    String::from_utf8(body).unwrap()
}

async fn post(world: &World, path: &str, payload: &Value) -> String {
    let form = format!("data={}", encoded(&payload.to_string()));
    let (status, _, body) = send(world, Method::POST, path, "application/x-www-form-urlencoded", form).await;
    assert_eq!(status, StatusCode::OK);
    String::from_utf8(body).unwrap()
}

/// With every byte escaped.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        write!(encoded, "%{byte:02X}").unwrap();
        encoded
    })
}

fn order() -> Value {
    json!({
        "token": COMPANY,
        "event": "Placed Order",
        "properties": {"$event_id": "1001", "$value": 29.98, "ItemNames": ["X"], "Items": [{"SKU": "1"}]},
        "customer_properties": {"$first_name": "A", "$phone_number": "+15005550006", "email": EMAIL, "id": "cust-1"},
        "time": 1_700_000_000,
    })
}

#[tokio::test]
async fn an_event_is_taken_from_the_query_a_form_and_a_body() {
    let world = World::new().await;
    assert_eq!(get(&world, "/api/track", &order(), "").await, "1");
    assert_eq!(post(&world, "/api/track", &order()).await, "1");
    for body in [
        order().to_string(),
        json!({"data": order()}).to_string(),
        json!({"data": STANDARD.encode(order().to_string())}).to_string(),
        format!("data={}", STANDARD.encode(order().to_string())),
    ] {
        let (status, headers, answer) =
            send(&world, Method::POST, "/api/track/", "application/json", body.clone()).await;
        assert_eq!((status, answer.as_slice()), (StatusCode::OK, b"1".as_slice()), "{body}");
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    }
    let events = world.api_events();
    assert_eq!(events.len(), 6);
    assert!(events.iter().all(|event| *event == events[0]));
    let event = &events[0];
    assert!(event.public);
    assert_eq!((event.metric.as_str(), event.unique_id.as_deref()), ("Placed Order", Some("1001")));
    assert_eq!(event.time.unwrap().as_millis(), 1_700_000_000_000);
    assert_eq!(event.value.unwrap().amount.to_string(), "29.98");
    assert_eq!(Value::from(event.properties.clone()), json!({"ItemNames": ["X"], "Items": [{"SKU": "1"}]}));
    let person = &event.person;
    assert_eq!((person.email.as_deref(), person.external_id.as_deref()), (Some(EMAIL), Some("cust-1")));
    assert_eq!(person.phone.as_deref(), Some("+15005550006"));
    assert_eq!(person.attributes["first_name"], "A");
}

#[tokio::test]
async fn an_event_may_happen_once_and_now() {
    let world = World::new().await;
    let once = json!({
        "token": COMPANY, "event": "Signed Up", "time": null,
        "properties": {"__track_once__": true, "$value": "9.5", "$currency_code": "EUR"},
        "customer_properties": {"email": EMAIL}, "ip": "192.0.2.1",
    });
    assert_eq!(get(&world, "/api/track", &once, "").await, "1");
    world.pass(5000);
    assert_eq!(get(&world, "/api/track", &once, "").await, "1");
    let [first, second] = &world.api_events()[..] else { panic!("two events") };
    assert_eq!((&first.unique_id, first.time == second.time), (&second.unique_id, false));
    assert!(first.unique_id.is_some() && first.properties.is_empty());
    let value = first.value.unwrap();
    assert_eq!((value.amount.to_string().as_str(), value.currency.unwrap().as_str()), ("9.5", "EUR"));
    assert_eq!(first.person.attributes["location"]["ip"], "192.0.2.1");
}

#[tokio::test]
async fn a_profile_is_identified_at_once() {
    let world = World::new().await;
    let ann = json!({"token": COMPANY, "properties": {
        "$first_name": "A", "$city": "Lyon", "vip": true, "email": EMAIL, "$phone_number": "+12025550101",
    }});
    assert_eq!(get(&world, "/api/identify", &ann, "").await, "1");
    let again = json!({"token": COMPANY, "properties": {
        "$email": EMAIL, "$phone_number": "+12025550199", "$last_name": "B",
    }});
    assert_eq!(post(&world, "/api/identify", &again).await, "1");
    let found = world.get(&format!("/api/profiles?filter=equals(email,'{EMAIL}')")).await;
    let attributes = &found.body["data"][0]["attributes"];
    assert_eq!((&attributes["first_name"], &attributes["last_name"]), (&json!("A"), &json!("B")));
    assert_eq!(attributes["location"]["city"], "Lyon");
    assert_eq!(attributes["properties"], json!({"vip": true}));
    // The token is public: no identifier changes by it.
    assert_eq!(attributes["phone_number"], "+12025550101");
}

#[tokio::test]
async fn what_cannot_be_taken_is_a_nought() {
    let world = World::new().await;
    let with = |name: &str, value: Value| {
        let mut order = order();
        order[name] = value;
        order
    };
    for payload in [
        json!({}),
        json!([]),
        with("token", json!("NOBODY")),
        with("token", json!(null)),
        with("event", json!(null)),
        with("event", json!("")),
        with("event", json!("x".repeat(128))),
        with("customer_properties", json!({})),
        with("customer_properties", json!({"email": "no address"})),
        with("properties", json!(["x"])),
        with("time", json!("yesterday")),
        with("time", json!(1e300)),
    ] {
        assert_eq!(post(&world, "/api/track", &payload).await, "0", "{payload}");
    }
    for payload in [json!({"token": COMPANY}), json!({"token": COMPANY, "properties": {"$first_name": "A"}})]
    {
        assert_eq!(get(&world, "/api/identify", &payload, "").await, "0", "{payload}");
    }
    for uri in ["/api/track", "/api/track?data=", "/api/track?data=%21", "/api/identify?data=eyJh"] {
        let (status, _, body) = send(&world, Method::GET, uri, "text/plain", String::new()).await;
        assert_eq!((status, body.as_slice()), (StatusCode::OK, b"0".as_slice()), "{uri}");
    }
    let huge = format!("data={}", "x".repeat(256 * 1024));
    let (status, _, body) =
        send(&world, Method::POST, "/api/track", "application/x-www-form-urlencoded", huge).await;
    assert_eq!((status, body.as_slice()), (StatusCode::PAYLOAD_TOO_LARGE, b"0".as_slice()));
    assert_eq!(world.api_events(), []);
    world.outbox.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let body = order().to_string();
    let (status, _, body) = send(&world, Method::POST, "/api/track", "application/json", body).await;
    assert_eq!((status, body.as_slice()), (StatusCode::SERVICE_UNAVAILABLE, b"0".as_slice()));
}

#[tokio::test]
async fn an_identifier_that_cannot_be_one_is_a_property() {
    let world = World::new().await;
    let mut order = order();
    order["customer_properties"]["$phone_number"] = json!("0171 1");
    order["properties"]["$value"] = json!("a lot");
    assert_eq!(post(&world, "/api/track", &order).await, "1");
    let event = &world.api_events()[0];
    assert_eq!((&event.person.phone, event.person.email.as_deref()), (&None, Some(EMAIL)));
    assert_eq!(event.person.attributes["properties"]["$phone_number"], "0171 1");
    assert_eq!((event.value, &event.properties["$value"]), (None, &json!("a lot")));
}

#[tokio::test]
async fn a_test_writes_nothing_and_a_pixel_is_an_image() {
    let world = World::new().await;
    let data = encoded(&STANDARD.encode(order().to_string()));
    let (_, _, body) =
        send(&world, Method::GET, &format!("/api/track?data={data}&test=1"), "text/plain", String::new())
            .await;
    assert_eq!(body, b"1");
    assert_eq!(world.api_events(), []);
    for (uri, count) in [(format!("/api/track?data={data}&i=1"), 1), ("/api/track?i=1".to_owned(), 1)] {
        let (status, headers, body) = send(&world, Method::GET, &uri, "text/plain", String::new()).await;
        assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"image/gif".parse().unwrap()));
        assert!(body.starts_with(b"GIF89a") && body.ends_with(b";"));
        assert_eq!(world.api_events().len(), count);
    }
}
