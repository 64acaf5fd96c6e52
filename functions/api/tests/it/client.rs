use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::catalog::{item, make, variant};
use crate::{COMPANY, Reply, World};

const EMAIL: &str = "ann@example.com";

async fn send(world: &World, path: &str, body: impl ToString) -> Reply {
    let request = Request::post(format!("{path}?company_id={COMPANY}"))
        .header("origin", "https://shop.example.com")
        .header("content-type", "application/json");
    let reply = world.request(request.body(Body::from(body.to_string())).unwrap()).await;
    assert_eq!(reply.headers["access-control-allow-origin"], "*", "{path}");
    assert!(!reply.headers.contains_key("access-control-allow-credentials"));
    reply
}

fn metric() -> Value {
    json!({"data": {"type": "metric", "attributes": {"name": "Viewed Product"}}})
}

fn event(profile: Value) -> Value {
    json!({"data": {"type": "event", "attributes": {
        "properties": {"Colour": "red"},
        "metric": metric(),
        "profile": {"data": profile},
    }}})
}

fn events(count: usize) -> Value {
    let events: Vec<Value> = (0..count)
        .map(|place| {
            json!({"type": "event", "attributes": {
                "properties": {}, "metric": metric(), "unique_id": place.to_string(),
            }})
        })
        .collect();
    json!({"data": {"type": "event-bulk-create", "attributes": {
        "profile": {"data": {"type": "profile", "attributes": {"email": EMAIL, "first_name": "Ann"}}},
        "events": {"data": events},
    }}})
}

fn profile(attributes: Value) -> Value {
    json!({"data": {"type": "profile", "attributes": attributes}})
}

#[tokio::test]
async fn a_page_of_any_origin_may_ask_whether_it_may_send() {
    let world = World::new().await;
    for path in ["/client/events", "/client/event-bulk-create", "/client/profiles/", "/api/track"] {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .uri(path)
            .header("origin", "https://shop.example.com")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,revision");
        let reply = world.request(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{path}");
        let header = |name: &str| reply.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("access-control-allow-origin"), "*");
        assert_eq!(header("access-control-allow-headers"), "revision, content-type");
        assert!(header("access-control-allow-methods").contains("POST"));
        assert!(!reply.headers.contains_key("access-control-allow-credentials"));
    }
    // What needs a key is not for pages.
    let reply = world.get("/api/profiles").await;
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
    assert_eq!(world.send(Method::OPTIONS, "/api/profiles", Body::empty()).await.error().0, 405);
}

#[tokio::test]
async fn an_event_needs_no_key_and_is_marked_as_anybodys() {
    let world = World::new().await;
    let body = event(json!({"type": "profile", "attributes": {
        "email": EMAIL, "meta": {"patch_identifiers": {"append": {}}},
    }}));
    let reply = send(&world, "/client/events", body).await;
    assert_eq!((reply.status, reply.body), (StatusCode::ACCEPTED, Value::Null));
    let [sent] = &world.api_events()[..] else { panic!("one event") };
    assert!(sent.public);
    assert_eq!((sent.metric.as_str(), sent.person.email.as_deref()), ("Viewed Product", Some(EMAIL)));
    // The server's own are not.
    world.post("/api/events", event(json!({"type": "profile", "attributes": {"email": EMAIL}}))).await;
    assert!(!world.api_events()[1].public);
}

#[tokio::test]
async fn who_is_unknown_cannot_be_told_from_who_is_known() {
    let world = World::new().await;
    let known = world.profile(EMAIL).await;
    for id in [known.as_str(), "NOBODY"] {
        let named = json!({"type": "profile", "id": id, "attributes": {}});
        let reply = send(&world, "/client/events", event(named.clone())).await;
        assert_eq!((reply.status, reply.body), (StatusCode::ACCEPTED, Value::Null));
        let reply = send(&world, "/client/profiles", json!({"data": named})).await;
        assert_eq!((reply.status, reply.body), (StatusCode::ACCEPTED, Value::Null));
    }
    for path in ["/client/profiles", "/client/events", "/client/event-bulk-create"] {
        let request = Request::get(format!("{path}?company_id={COMPANY}")).body(Body::empty()).unwrap();
        assert_eq!(world.request(request).await.error().0, 405, "{path}");
    }
    // A profile that is full is not told of, either.
    let many: serde_json::Map<String, Value> = (0..400).map(|n| (format!("k{n}"), n.into())).collect();
    let full = send(&world, "/client/profiles", profile(json!({"email": EMAIL, "properties": many}))).await;
    assert_eq!(full.status, StatusCode::ACCEPTED);
    let one_more = profile(json!({"email": EMAIL, "properties": {"more": 1}}));
    assert_eq!(send(&world, "/client/profiles", one_more).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_account_must_be_named_and_be_this_one() {
    let world = World::new().await;
    for path in ["/client/events", "/client/event-bulk-create", "/client/profiles"] {
        for query in ["", "?company_id=", "?company_id=NOBODY", "?company_id=pk_test"] {
            let request = Request::post(format!("{path}{query}"))
                .header("authorization", "Klaviyo-API-Key pk_test")
                .body(Body::from(profile(json!({"email": EMAIL})).to_string()));
            let reply = world.request(request.unwrap()).await;
            assert_eq!(reply.error(), (400, "company_id"), "{path}{query}");
            assert_eq!(reply.headers["access-control-allow-origin"], "*");
        }
    }
    assert_eq!(world.api_events(), []);
}

#[tokio::test]
async fn a_profile_is_made_and_described_but_no_identifier_of_it_changes() {
    let world = World::new().await;
    let first = profile(json!({"email": EMAIL, "phone_number": "+12025550101", "first_name": "Ann"}));
    assert_eq!(send(&world, "/client/profiles", first).await.status, StatusCode::ACCEPTED);
    let found = world.get(&format!("/api/profiles?filter=equals(email,'{EMAIL}')")).await;
    let id = found.ids()[0].to_owned();

    let change = json!({"data": {
        "type": "profile",
        "attributes": {"email": EMAIL, "phone_number": "+12025550199", "title": "Dr", "properties": {"a": 1}},
        "meta": {"patch_properties": {"append": {"seen": "x"}}, "patch_identifiers": {"unappend": {"email": EMAIL}}},
    }});
    assert_eq!(send(&world, "/client/profiles", change).await.status, StatusCode::ACCEPTED);
    let by_id = json!({"data": {"type": "profile", "id": id, "attributes": {
        "email": "eve@example.com", "phone_number": null, "last_name": "Lee",
    }}});
    assert_eq!(send(&world, "/client/profiles", by_id).await.status, StatusCode::ACCEPTED);
    let read = world.get(&format!("/api/profiles/{id}")).await;
    let attributes = &read.body["data"]["attributes"];
    for (name, value) in [
        ("email", json!(EMAIL)),
        ("phone_number", json!("+12025550101")),
        ("first_name", json!("Ann")),
        ("last_name", json!("Lee")),
        ("title", json!("Dr")),
    ] {
        assert_eq!(attributes[name], value, "{name}");
    }
    assert_eq!(attributes["properties"], json!({"a": 1, "seen": ["x"]}));
    assert_eq!(world.get("/api/profiles").await.ids(), [id.as_str()]);

    // Two people whom anybody names together stay two.
    let bob = world.profile("bob@example.com").await;
    let claim = json!({"data": {"type": "profile", "id": bob, "attributes": {"external_id": "bob"}}});
    assert_eq!(world.patch(&format!("/api/profiles/{bob}"), claim).await.status, StatusCode::OK);
    let both = profile(json!({"external_id": "bob", "email": EMAIL}));
    assert_eq!(send(&world, "/client/profiles", both).await.status, StatusCode::ACCEPTED);
    assert_eq!(world.get("/api/profiles").await.ids().len(), 2);
}

#[tokio::test]
async fn several_events_are_one_profiles_and_all_or_none() {
    let world = World::new().await;
    let reply = send(&world, "/client/event-bulk-create", events(3)).await;
    assert_eq!((reply.status, reply.body), (StatusCode::ACCEPTED, Value::Null));
    let sent = world.api_events();
    assert!(sent.len() == 3 && sent.iter().all(|event| event.public));
    assert_eq!(sent[0].person.attributes["first_name"], "Ann");
    assert!(sent[1].person.attributes.is_empty());

    let mut twice = events(2);
    twice["data"]["attributes"]["events"]["data"][1]["attributes"]["unique_id"] = json!("0");
    let place = "/data/attributes/events/data";
    for (body, pointer) in [
        (events(0), place.to_owned()),
        (events(1001), place.to_owned()),
        (twice, format!("{place}/1/attributes/unique_id")),
        (json!({"data": [events(1)["data"].clone()]}), "/data".to_owned()),
        (event(json!({})), "/data/type".to_owned()),
    ] {
        let reply = send(&world, "/client/event-bulk-create", body).await;
        assert_eq!(reply.error(), (400, pointer.as_str()));
    }
    assert_eq!(send(&world, "/client/event-bulk-create", events(1000)).await.status, StatusCode::ACCEPTED);
    assert_eq!(world.api_events().len(), 1003);
}

#[tokio::test]
async fn bodies_are_smaller_than_those_of_servers() {
    let world = World::new().await;
    for (path, most) in
        [("/client/events", 256), ("/client/profiles", 256), ("/client/event-bulk-create", 1024)]
    {
        let huge = format!("{{\"data\": \"{}\"}}", "x".repeat(most * 1024));
        assert_eq!(send(&world, path, huge).await.error().0, 413, "{path}");
        for body in ["", "{"] {
            assert_eq!(send(&world, path, body).await.error(), (400, "/"), "{path}");
        }
    }
    let nobody = send(&world, "/client/profiles", profile(json!({"first_name": "Ann"}))).await;
    assert_eq!(nobody.error(), (400, "/data/attributes"));
    let nobody = send(&world, "/client/events", event(json!({"type": "profile", "attributes": {}}))).await;
    assert_eq!(nobody.error().0, 400);
}

#[tokio::test]
async fn what_the_queue_does_not_take_is_said_to_be_tried_again() {
    let world = World::new().await;
    world.outbox.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let body = event(json!({"type": "profile", "attributes": {"email": EMAIL}}));
    assert_eq!(send(&world, "/client/events", body).await.error().0, 503);
    assert_eq!(send(&world, "/client/event-bulk-create", events(2)).await.error().0, 503);
}

fn visit(list: &str, attributes: Value) -> Value {
    json!({"data": {
        "type": "subscription",
        "attributes": {
            "custom_source": "Footer",
            "profile": {"data": {"type": "profile", "attributes": attributes}},
        },
        "relationships": {"list": {"data": {"type": "list", "id": list}}},
    }})
}

async fn list(world: &World, opt_in: &str) -> String {
    let attributes = json!({"name": "News", "opt_in_process": opt_in});
    world.post("/api/lists", json!({"data": {"type": "list", "attributes": attributes}})).await.id()
}

#[tokio::test]
async fn who_subscribes_is_on_the_list_or_has_to_confirm_it() {
    let world = World::new().await;
    let said = json!({
        "email": EMAIL, "first_name": "Ann",
        "subscriptions": {"email": {"marketing": {"consent": "SUBSCRIBED"}}},
    });
    let single = list(&world, "single_opt_in").await;
    let reply = send(&world, "/client/subscriptions", visit(&single, said.clone())).await;
    assert_eq!((reply.status, reply.body), (StatusCode::ACCEPTED, Value::Null));
    let members =
        world.get(&format!("/api/lists/{single}/profiles?additional-fields[profile]=subscriptions")).await;
    assert_eq!(members.ids().len(), 1, "{}", members.body);
    let ann = &members.body["data"][0]["attributes"];
    assert_eq!((&ann["email"], &ann["first_name"]), (&json!(EMAIL), &json!("Ann")));
    let marketing = &ann["subscriptions"]["email"]["marketing"];
    assert_eq!(
        (&marketing["consent"], &marketing["custom_method_detail"]),
        (&json!("SUBSCRIBED"), &json!("Footer"))
    );

    let double = list(&world, "double_opt_in").await;
    let said = json!({"email": "bob@example.com", "subscriptions": said["subscriptions"]});
    assert_eq!(
        send(&world, "/client/subscriptions", visit(&double, said)).await.status,
        StatusCode::ACCEPTED
    );
    assert!(world.get(&format!("/api/lists/{double}/profiles")).await.ids().is_empty());

    let mut without = visit(&single, json!({"email": EMAIL}));
    without["data"].as_object_mut().unwrap().remove("relationships");
    assert_eq!(send(&world, "/client/subscriptions", without).await.error(), (400, "/data/relationships"));
}

#[tokio::test]
async fn who_waits_for_a_variant_is_not_told_who_is_there() {
    let world = World::new().await;
    make(&world, item("I1")).await;
    make(&world, variant("V1", "I1")).await;
    let waiting = |profile: Value| {
        json!({"data": {
            "type": "back-in-stock-subscription",
            "attributes": {"channels": ["EMAIL"], "profile": {"data": profile}},
            "relationships": {
                "variant": {"data": {"type": "catalog-variant", "id": "$custom:::$default:::V1"}},
            },
        }})
    };
    let path = "/client/back-in-stock-subscriptions";
    let nobody = waiting(json!({"type": "profile", "id": "01J00000000000000000000000", "attributes": {}}));
    assert_eq!(send(&world, path, nobody).await.status, StatusCode::ACCEPTED);
    assert!(world.store.back_in_stock("V1", None, 10).await.unwrap().items.is_empty());
    let ann = waiting(json!({"type": "profile", "attributes": {"email": EMAIL}}));
    assert_eq!(send(&world, path, ann).await.status, StatusCode::ACCEPTED);
    assert_eq!(world.store.back_in_stock("V1", None, 10).await.unwrap().items.len(), 1);
    assert!(world.last_event().1.public);
}
