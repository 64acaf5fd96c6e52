use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use api::Queue;
use axum::body::Body;
use canonical::Instant;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::{NOW_MS, World};

/// What the Python SDK sends.
fn event() -> Value {
    json!({"data": {"type": "event", "attributes": {
        "properties": {"OrderId": "1001", "Items": [{"ProductID": "1111", "Quantity": 1}], "$extra": {"note": "x"}},
        "time": "2026-01-02T03:04:05.678+00:00",
        "value": 29.98,
        "value_currency": "USD",
        "unique_id": "1001",
        "backfill": false,
        "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
        "profile": {"data": {"type": "profile", "attributes": {
            "email": " Ann@Example.com", "external_id": "cust-1", "first_name": null, "properties": {"vip": true},
        }}},
    }}})
}

/// The event with another value at a place.
fn with(pointer: &str, value: Value) -> Value {
    let mut event = event();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[name] = value;
    event
}

fn without(pointer: &str) -> Value {
    let mut event = event();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    event
}

#[tokio::test]
async fn an_event_is_in_the_queue_before_the_answer() {
    let world = World::new().await;
    let reply = world.post("/api/events/", event()).await;
    assert_eq!((reply.status, reply.body), (StatusCode::ACCEPTED, Value::Null));
    let (delivery, event) = world.last_event();
    assert_eq!(
        (delivery.platform.as_str(), delivery.connection.as_str(), delivery.topic.as_str()),
        ("api", "", "events")
    );
    assert_eq!(delivery.received_at.as_millisecond(), NOW_MS);
    assert_eq!(event.person.email.as_deref(), Some("ann@example.com"));
    assert_eq!(event.person.external_id.as_deref(), Some("cust-1"));
    assert_eq!(
        Value::from(event.person.attributes),
        json!({"first_name": null, "properties": {"vip": true}})
    );
    assert_eq!(
        (event.metric.as_str(), event.service, event.unique_id.as_deref()),
        ("Placed Order", None, Some("1001"))
    );
    assert_eq!(event.time.map(Instant::to_utc_string).as_deref(), Some("2026-01-02T03:04:05Z"));
    let value = event.value.unwrap();
    assert_eq!((value.amount.to_string(), value.currency.unwrap().as_str()), ("29.98".to_owned(), "USD"));
    assert_eq!(event.properties["$extra"], json!({"note": "x"}));
    assert!(!event.backfill);
}

#[tokio::test]
async fn either_content_type_is_taken() {
    let world = World::new().await;
    for content_type in ["application/json", "application/vnd.api+json"] {
        let request = Request::post("//api/events/")
            .header("authorization", "Bearer pk_test")
            .header("content-type", content_type);
        let reply = world.request(request.body(Body::from(event().to_string())).unwrap()).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn an_event_needs_no_more_than_metric_person_and_properties() {
    let world = World::new().await;
    let body = json!({"data": {"type": "event", "attributes": {
        "properties": {},
        "time": null,
        "value": null,
        "metric": {"data": {"type": "metric", "attributes": {"name": "Waved", "service": "magento"}}},
        "profile": {"data": {"type": "profile", "attributes": {"phone_number": "+12125550123"}}},
    }}});
    assert_eq!(world.post("/api/events", body).await.status, StatusCode::ACCEPTED);
    let (_, event) = world.last_event();
    assert_eq!(event.time, Some(world.now()));
    assert_eq!((event.service.as_deref(), event.value, event.unique_id), (Some("magento"), None, None));
}

#[tokio::test]
async fn patches_are_taken_in_both_places_where_revisions_have_them() {
    let world = World::new().await;
    let meta =
        json!({"patch_properties": {"append": {"skus": "9"}, "unappend": {"tags": ["a"]}, "unset": "old"}});
    for pointer in ["/data/attributes/profile/data/meta", "/data/attributes/profile/data/attributes/meta"] {
        assert_eq!(world.post("/api/events", with(pointer, meta.clone())).await.status, StatusCode::ACCEPTED);
        let patch = world.last_event().1.patch;
        assert_eq!(Value::from(patch.append), json!({"skus": "9"}), "{pointer}");
        assert_eq!(Value::from(patch.unappend), json!({"tags": ["a"]}));
        assert_eq!(patch.unset, ["old"]);
    }
    let pointer = "/data/attributes/profile/data/meta";
    let reply = world.post("/api/events", with(pointer, json!({"patch_identifiers": {}}))).await;
    assert_eq!(reply.error(), (400, "/data/attributes/profile/data/meta/patch_identifiers"));
}

#[tokio::test]
async fn every_complaint_points_at_its_cause_and_nothing_is_enqueued() {
    let world = World::new().await;
    let at = |place: &str| format!("/data/attributes/{place}");
    let person = |name: &str| format!("/data/attributes/profile/data/attributes/{name}");
    let nested = (0..11).fold(json!(1), |inner, _| json!([inner]));
    let many: Value =
        (0..401).map(|place| (format!("p{place}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
    let cases = [
        (with("/data/type", json!("profile")), "/data/type".to_owned()),
        (without("/data/attributes"), "/data/attributes".to_owned()),
        (without("/data/attributes/properties"), at("properties")),
        (with("/data/attributes/properties", json!([])), at("properties")),
        (with("/data/attributes/properties", many), at("properties")),
        (
            with("/data/attributes/properties/deep", nested),
            at(&format!("properties/deep{}", "/0".repeat(10))),
        ),
        (with("/data/attributes/properties/list", vec![0; 4001].into()), at("properties/list")),
        (with("/data/attributes/properties/text", "x".repeat(102_401).into()), at("properties/text")),
        (with("/data/attributes/time", json!("soon")), at("time")),
        (with("/data/attributes/time", json!(1_700_000_000)), at("time")),
        (with("/data/attributes/time", json!("1989-12-31T23:59:59Z")), at("time")),
        (with("/data/attributes/time", json!("2027-06-18T00:00:00Z")), at("time")),
        (with("/data/attributes/value", json!("29.98")), at("value")),
        (with("/data/attributes/value", json!(1e300)), at("value")),
        (with("/data/attributes/value_currency", json!("DOLLARS")), at("value_currency")),
        (with("/data/attributes/unique_id", json!("")), at("unique_id")),
        (with("/data/attributes/unique_id", json!("x".repeat(256))), at("unique_id")),
        (with("/data/attributes/unique_id", json!(7)), at("unique_id")),
        (with("/data/attributes/backfill", json!("yes")), at("backfill")),
        (with("/data/attributes/valeu", json!(1)), at("valeu")),
        (without("/data/attributes/metric"), at("metric")),
        (without("/data/attributes/metric/data"), at("metric/data")),
        (with("/data/attributes/metric/data/type", json!("event")), at("metric/data/type")),
        (without("/data/attributes/metric/data/attributes/name"), at("metric/data/attributes/name")),
        (
            with("/data/attributes/metric/data/attributes/name", json!("x".repeat(128))),
            at("metric/data/attributes/name"),
        ),
        (without("/data/attributes/profile"), at("profile")),
        (with("/data/attributes/profile/data/attributes", json!({"_kx": "abc"})), at("profile/data")),
        (with("/data/attributes/profile/data/attributes/email", json!("ann@")), person("email")),
        (
            with(
                "/data/attributes/profile/data/attributes/email",
                json!(format!("{}@example.com", "a".repeat(100))),
            ),
            person("email"),
        ),
        (
            with("/data/attributes/profile/data/attributes/phone_number", json!("2125550123")),
            person("phone_number"),
        ),
        (with("/data/attributes/profile/data/attributes/first_name", json!(1)), person("first_name")),
        (
            with("/data/attributes/profile/data/attributes/location", json!({"planet": "Mars"})),
            person("location/planet"),
        ),
        (with("/data/attributes/profile/data/attributes/shoe_size", json!(44)), person("shoe_size")),
        (
            with("/data/attributes/profile/data/attributes/properties", json!({"t": "x".repeat(102_400)})),
            at("profile/data/attributes"),
        ),
    ];
    for (body, pointer) in cases {
        assert_eq!(world.post("/api/events", body).await.error(), (400, pointer.as_str()));
    }
    assert_eq!(world.sent(Queue::RawDeliveries).len(), 0);
}

#[tokio::test]
async fn a_profile_id_alone_must_exist() {
    let world = World::new().await;
    let id = world.profile("ann@example.com").await;
    let pointer = "/data/attributes/profile/data";
    let reply = world.post("/api/events", with(pointer, json!({"type": "profile", "id": "none"}))).await;
    assert_eq!(reply.error(), (400, "/data/attributes/profile/data/id"));
    let reply = world.post("/api/events", with(pointer, json!({"type": "profile", "id": id}))).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(world.last_event().1.profile_id, Some(id));
    // An id of the shop's own beside an identifier does no harm.
    let body = with("/data/attributes/profile/data/id", json!("shop-7"));
    assert_eq!(world.post("/api/events", body).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_queue_that_is_down_is_503_and_an_event_that_fits_no_message_is_413() {
    let world = World::new().await;
    world.outbox.broken.store(true, Ordering::SeqCst);
    assert_eq!(world.post("/api/events", event()).await.error().0, 503);
    world.outbox.broken.store(false, Ordering::SeqCst);
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'!' + u8::try_from(state >> 24).unwrap() % 90)
    };
    let texts: Vec<String> = (0..40).map(|_| (0..100_000).map(|_| noise()).collect()).collect();
    let reply = world.post("/api/events", with("/data/attributes/properties/noise", texts.into())).await;
    assert_eq!(reply.error().0, 413);
}

#[tokio::test]
async fn events_are_listed_by_metric_profile_and_time() {
    let world = World::new().await;
    let (ann, bob) = (world.profile("ann@example.com").await, world.profile("bob@example.com").await);
    for at in 0..4 {
        world.record(&ann, "Waved", &format!("a{at}"), 1_700_000_000 + at, None).await;
        world.record(&bob, "Waved", &format!("a{at}"), 1_700_000_000 + at, None).await;
    }
    world.record(&ann, "Placed Order", "o1", 1_700_000_010, Some("12.50")).await;
    let waved = store::metric_id("api", "Waved");
    for (query, count) in [
        (String::new(), 9),
        (format!("filter=equals(metric_id,\"{waved}\")"), 8),
        (format!("filter=equals(profile_id,\"{ann}\")"), 5),
        (format!("filter=equals(profile_id,'{ann}'),equals(metric_id,'{waved}')"), 4),
        (format!("filter=equals(profile_id,'{ann}'),greater-than(timestamp,1700000002)"), 2),
        (format!("filter=equals(profile_id,'{ann}'),greater-or-equal(timestamp,1700000002)"), 3),
        (format!("filter=equals(profile_id,'{ann}'),less-than(datetime,2023-11-14T22:13:22Z)"), 2),
        (format!("filter=equals(profile_id,'{ann}'),less-or-equal(datetime,2023-11-14T22:13:22Z)"), 3),
        ("filter=has(profile),has(metric)".to_owned(), 9),
        ("filter=equals(metric_id,'AAAAAA'),equals(metric_id,'BBBBBB')".to_owned(), 0),
        ("filter=equals(profile_id,'nobody')".to_owned(), 0),
        (format!("filter=equals(profile_id,'{ann}'),equals(profile_id,'{bob}')"), 0),
        (format!("filter=and(has(profile),equals(profile_id,'{ann}'),equals(profile_id,'{ann}'))"), 5),
        (format!("filter=equals(metric_id,'{waved}'),less-than(timestamp,1700000002)"), 4),
        (format!("filter=equals(metric_id,'{waved}'),less-or-equal(timestamp,1700000002)"), 6),
        (format!("filter=equals(metric_id,'{waved}'),greater-than(datetime,2023-11-14T22:13:22Z)"), 2),
        (format!("filter=equals(metric_id,'{waved}'),greater-or-equal(datetime,2023-11-14T22:13:22Z)"), 4),
    ] {
        let query = query.replace('"', "%22");
        let reply = world.get(&format!("/api/events?{query}")).await;
        assert_eq!(reply.ids().len(), count, "{query}");
        // Two events of one metric, id and time belong to two people: pages must not lose one.
        let mut paged = Vec::new();
        let mut next = Some(format!("/api/events?{query}&page[size]=1"));
        while let Some(address) = next {
            let page = world.get(&address).await;
            paged.extend(page.ids().into_iter().map(str::to_owned));
            next = page.next();
        }
        assert_eq!(paged, reply.ids(), "{query}");
    }
    let newest = world.get("/api/events?sort=-datetime&page[size]=1").await;
    let oldest = world.get("/api/events?sort=timestamp&page[size]=1").await;
    assert_eq!(newest.body["data"][0]["attributes"]["timestamp"], 1_700_000_010);
    assert_eq!(oldest.body["data"][0]["attributes"]["timestamp"], 1_700_000_000);
}

#[tokio::test]
async fn an_event_has_klaviyo_s_shape() {
    let world = World::new().await;
    let ann = world.profile("ann@example.com").await;
    world.record(&ann, "Placed Order", "o1", 1_700_000_010, Some("12.50")).await;
    let list = world.get("/api/events?include=metric,profile&fields[profile]=email").await;
    let event = &list.body["data"][0];
    let id = event["id"].as_str().unwrap();
    assert!(id.starts_with(&ann));
    let attributes = &event["attributes"];
    assert_eq!(attributes["datetime"], "2023-11-14T22:13:30+00:00");
    assert_eq!(attributes["event_properties"]["$value"], json!(12.5));
    assert_eq!(attributes["event_properties"]["$currency_code"], "EUR");
    assert_eq!(attributes["event_properties"]["OrderId"], "o1");
    let metric = store::metric_id("api", "Placed Order");
    assert_eq!(event["relationships"]["metric"]["data"], json!({"type": "metric", "id": metric}));
    assert_eq!(event["relationships"]["profile"]["data"], json!({"type": "profile", "id": ann}));
    assert_eq!(event["relationships"]["attributions"]["data"], json!([]));
    assert_eq!(event["links"]["self"], format!("https://api.example.com/api/events/{id}/"));
    let kinds: BTreeSet<&str> =
        list.body["included"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["metric", "profile"]));
    assert_eq!(list.body["included"][1]["attributes"], json!({"email": "ann@example.com"}));

    let single = world.get(&format!("/api/events/{id}")).await;
    assert_eq!(&single.body["data"], event);
    assert_eq!(
        world.get(&format!("/api/events/{id}/metric")).await.body["data"]["attributes"]["name"],
        "Placed Order"
    );
    assert_eq!(world.get(&format!("/api/events/{id}/profile")).await.id(), ann);
    assert_eq!(
        world.get(&format!("/api/events/{id}/relationships/metric")).await.body["data"],
        json!({"type": "metric", "id": metric})
    );
    assert_eq!(world.get(&format!("/api/events/{id}/relationships/profile")).await.id(), ann);
    let sparse =
        world.get(&format!("/api/events/{id}?fields[event]=datetime,event_properties.OrderId")).await;
    assert_eq!(
        sparse.body["data"]["attributes"],
        json!({"datetime": "2023-11-14T22:13:30+00:00", "event_properties": {"OrderId": "o1"}})
    );
    for id in ["none", "none-none"] {
        assert_eq!(world.get(&format!("/api/events/{id}")).await.error().0, 404);
    }
}

#[tokio::test]
async fn a_profile_tells_when_its_newest_event_happened_which_is_not_one_to_come() {
    let world = World::new().await;
    let (ann, bob) = (world.profile("ann@example.com").await, world.profile("bob@example.com").await);
    for (id, at) in [("o1", 1_700_000_010), ("o2", 1_700_000_000), ("ahead", 1_900_000_000)] {
        world.record(&ann, "Placed Order", id, at, None).await;
    }
    let happened = json!("2023-11-14T22:13:30+00:00");
    let last_event = |profile: &Value| profile["attributes"]["last_event_date"].clone();
    assert_eq!(last_event(&world.get(&format!("/api/profiles/{ann}")).await.body["data"]), happened);
    assert_eq!(last_event(&world.get(&format!("/api/profiles/{bob}")).await.body["data"]), Value::Null);
    let list = world.get("/api/profiles?sort=email").await;
    let told: Vec<Value> = list.body["data"].as_array().unwrap().iter().map(last_event).collect();
    assert_eq!(told, [happened.clone(), Value::Null]);
    let events = world.get("/api/events?include=profile").await;
    assert_eq!(last_event(&events.body["included"][0]), happened);
}

#[tokio::test]
async fn metrics_are_listed_by_integration() {
    let world = World::new().await;
    let ann = world.profile("ann@example.com").await;
    world.record(&ann, "Placed Order", "o1", 1_700_000_010, None).await;
    let id = store::metric_id("api", "Placed Order");
    for (query, count) in [
        ("", 1),
        ("?filter=equals(integration.name,%22API%22)", 1),
        ("?filter=equals(integration.category,'API')", 1),
        ("?filter=equals(integration.name,'Any%20Shop')", 0),
    ] {
        assert_eq!(world.get(&format!("/api/metrics{query}")).await.ids().len(), count, "{query}");
    }
    let metric = world.get(&format!("/api/metrics/{id}")).await;
    assert_eq!(metric.body["data"]["attributes"]["name"], "Placed Order");
    assert_eq!(metric.body["data"]["attributes"]["integration"]["name"], "API");
    assert_eq!(metric.body["data"]["links"]["self"], format!("https://api.example.com/api/metrics/{id}/"));
    assert_eq!(world.get("/api/metrics/NONE00").await.error().0, 404);
    let request = Request::builder().method(Method::GET).uri("/api/metrics").body(Body::empty()).unwrap();
    assert_eq!(world.request(request).await.error().0, 401);
}

#[tokio::test]
async fn events_are_sorted_included_and_refused_as_the_specification_has_it() {
    let world = World::new().await;
    let ann = world.profile("ann@example.com").await;
    for at in 0..3 {
        world.record(&ann, "Waved", &format!("a{at}"), 1_700_000_000 + at, None).await;
    }
    let times = |reply: &crate::Reply| -> Vec<i64> {
        let events = reply.body["data"].as_array().unwrap();
        events.iter().map(|event| event["attributes"]["timestamp"].as_i64().unwrap()).collect()
    };
    for field in ["datetime", "timestamp"] {
        let ascending = world.get(&format!("/api/events?sort={field}")).await;
        let descending = world.get(&format!("/api/events?sort=-{field}")).await;
        assert_eq!(times(&ascending), [1_700_000_000, 1_700_000_001, 1_700_000_002]);
        assert_eq!(times(&descending), [1_700_000_002, 1_700_000_001, 1_700_000_000]);
    }
    // Nothing is attributed, which is no reason to refuse the question.
    let sparse = "fields[event]=uuid&fields[metric]=name&fields[profile]=email&fields[attribution]=id";
    let reply = world.get(&format!("/api/events?include=attributions,metric,profile&{sparse}")).await;
    let attributes: Vec<&Value> =
        reply.body["included"].as_array().unwrap().iter().map(|item| &item["attributes"]).collect();
    assert_eq!(attributes, [&json!({"name": "Waved"}), &json!({"email": "ann@example.com"})]);
    assert_eq!(reply.body["data"][0]["attributes"].as_object().unwrap().len(), 1);
    assert_eq!(world.get("/api/events?include=attributions").await.body["included"], json!([]));
    let id = reply.ids()[0].to_owned();
    let single = world.get(&format!("/api/events/{id}?include=attributions,metric,profile&{sparse}")).await;
    assert_eq!(single.body["included"], reply.body["included"]);
    let profile = world
        .get(&format!(
            "/api/events/{id}/profile?additional-fields[profile]=subscriptions,predictive_analytics"
        ))
        .await;
    let attributes = profile.body["data"]["attributes"].as_object().unwrap();
    assert!(attributes.contains_key("subscriptions") && attributes.contains_key("predictive_analytics"));

    for (query, parameter) in [
        ("sort=value", "sort"),
        ("include=list", "include"),
        ("page[size]=0", "page[size]"),
        ("page[size]=1001", "page[size]"),
        ("page[cursor]=%3D", "page[cursor]"),
        ("filter=equals(value,1)", "filter"),
        ("filter=any(metric_id,['a'])", "filter"),
        ("filter=equals(metric_id,['a','b'])", "filter"),
        ("filter=equals(datetime,2026-01-01)", "filter"),
        ("filter=greater-than(datetime,soon)", "filter"),
        ("filter=greater-than(timestamp,2026-01-01)", "filter"),
        ("filter=has(attributions)", "filter"),
        ("filter=equals(profile,'x')", "filter"),
    ] {
        assert_eq!(world.get(&format!("/api/events?{query}")).await.error(), (400, parameter), "{query}");
    }
    assert_eq!(world.get("/api/events?page[size]=1000").await.status, StatusCode::OK);
}
