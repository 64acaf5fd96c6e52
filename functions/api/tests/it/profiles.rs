use axum::body::Body;
use canonical::Person;
use canonical::fact::{Channel, ConsentChange, ConsentStatus};
use canonical::identity::Identifiers;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::World;

fn profile(attributes: Value) -> Value {
    json!({"data": {"type": "profile", "attributes": attributes}})
}

fn change(id: &str, attributes: Value) -> Value {
    json!({"data": {"type": "profile", "id": id, "attributes": attributes}})
}

#[tokio::test]
async fn a_profile_is_created_and_readable_at_once() {
    let world = World::new().await;
    let created = world
        .post(
            "/api/profiles/",
            profile(json!({
                "email": "Ann@Example.com", "phone_number": "+12125550123", "external_id": "c-1", "first_name": "Ann",
                "location": {"city": "Lyon", "latitude": "45.76", "longitude": 4.83}, "properties": {"vip": true},
            })),
        )
        .await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    let id = created.id();
    assert_eq!(id.len(), 26);
    assert_eq!(
        created.body["data"]["attributes"],
        json!({
            "email": "ann@example.com", "phone_number": "+12125550123", "external_id": "c-1", "first_name": "Ann",
            "last_name": null, "organization": null, "locale": null, "title": null, "image": null,
            "created": "2026-06-17T12:00:00+00:00", "updated": "2026-06-17T12:00:00+00:00", "last_event_date": null,
            "location": {"city": "Lyon", "latitude": "45.76", "longitude": 4.83}, "properties": {"vip": true},
        })
    );
    let read = world.get(&format!("/api/profiles/{id}")).await;
    assert_eq!(read.body["data"], created.body["data"]);
    assert_eq!(read.body["data"]["links"]["self"], format!("https://api.example.com/api/profiles/{id}/"));
    assert_eq!(world.get("/api/profiles/none").await.error(), (404, "/data/"));
}

#[tokio::test]
async fn a_duplicate_is_409_and_names_the_profile_that_is_there() {
    let world = World::new().await;
    let first =
        world.post("/api/profiles", profile(json!({"email": "ann@example.com", "external_id": "c-1"}))).await;
    let id = first.id();
    for attributes in [
        json!({"email": "ANN@example.com", "first_name": "Other"}),
        json!({"external_id": "c-1", "email": "new@example.com"}),
        json!({"phone_number": "+12125550123", "email": "ann@example.com"}),
    ] {
        let reply = world.post("/api/profiles", profile(attributes)).await;
        assert_eq!(reply.error().0, 409);
        assert_eq!(reply.body["errors"][0]["meta"]["duplicate_profile_id"], id);
        assert_eq!(
            reply.body["errors"][0]["detail"],
            "A profile already exists with one of these identifiers."
        );
    }
    assert_eq!(world.get(&format!("/api/profiles/{id}")).await.body["data"], first.body["data"]);
    let lookup = world.get("/api/profiles?filter=equals(email,'new@example.com')").await;
    assert_eq!(lookup.ids(), [""; 0]);
}

#[tokio::test]
async fn a_profile_without_an_identifier_is_refused() {
    let world = World::new().await;
    for attributes in [json!({}), json!({"first_name": "Ann"}), json!({"email": null})] {
        let reply = world.post("/api/profiles", profile(attributes.clone())).await;
        assert_eq!(reply.error(), (400, "/data/attributes"));
        assert_eq!(
            world.post("/api/profile-import", profile(attributes)).await.error(),
            (400, "/data/attributes")
        );
    }
}

#[tokio::test]
async fn null_clears_and_absence_leaves() {
    let world = World::new().await;
    let attributes = json!({
        "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee", "properties": {"a": 1, "b": 2},
        "location": {"city": "Lyon", "zip": "69001"},
    });
    let id = world.post("/api/profiles", profile(attributes)).await.id();
    world.pass(1000);
    let update =
        json!({"first_name": null, "properties": {"a": null, "c": 3}, "location": {"city": "Paris"}});
    let reply = world.patch(&format!("/api/profiles/{id}"), change(&id, update)).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let attributes = &reply.body["data"]["attributes"];
    assert_eq!(attributes["first_name"], Value::Null);
    assert_eq!(attributes["last_name"], "Lee");
    assert_eq!(attributes["properties"], json!({"b": 2, "c": 3}));
    assert_eq!(attributes["location"], json!({"city": "Paris", "zip": "69001"}));
    assert_eq!(attributes["updated"], "2026-06-17T12:00:01+00:00");
    world.pass(1000);
    let reply = world.patch(&format!("/api/profiles/{id}"), change(&id, json!({"location": null}))).await;
    assert_eq!(reply.body["data"]["attributes"]["location"], json!({}));
    // Nothing new: nothing is written.
    world.pass(1000);
    let reply = world.patch(&format!("/api/profiles/{id}"), change(&id, json!({"last_name": "Lee"}))).await;
    assert_eq!(reply.body["data"]["attributes"]["updated"], "2026-06-17T12:00:02+00:00");
}

#[tokio::test]
async fn an_update_wins_over_a_platform_whose_clock_is_ahead() {
    let world = World::new().await;
    let id = world.profile("ann@example.com").await;
    let stored = world.store.profile(&id).await.unwrap().unwrap();
    let mut ahead = stored.value;
    let attributes = serde_json::from_value(json!({"title": "Dr"})).unwrap();
    assert!(ahead.apply_attributes(&attributes, crate::NOW_MS + 3_600_000).changed);
    world.store.put_profile(&ahead, stored.version).await.unwrap();
    let reply = world.patch(&format!("/api/profiles/{id}"), change(&id, json!({"title": "Prof"}))).await;
    assert_eq!(reply.body["data"]["attributes"]["title"], "Prof");
}

#[tokio::test]
async fn properties_are_appended_unappended_and_unset() {
    let world = World::new().await;
    let attributes =
        json!({"email": "ann@example.com", "properties": {"tags": ["a", "b"], "size": "M", "old": 1}});
    let id = world.post("/api/profiles", profile(attributes)).await.id();
    let mut body = change(&id, json!({}));
    body["data"]["meta"] = json!({"patch_properties": {
        "append": {"tags": "c", "size": ["L", "M"], "skus": 1}, "unappend": {"tags": ["a"]}, "unset": ["old"],
    }});
    for _ in 0..2 {
        let reply = world.patch(&format!("/api/profiles/{id}"), body.clone()).await;
        assert_eq!(
            reply.body["data"]["attributes"]["properties"],
            json!({"tags": ["b", "c"], "size": ["M", "L"], "skus": [1]})
        );
    }
}

#[tokio::test]
async fn identifiers_change_hands_only_when_they_are_free() {
    let world = World::new().await;
    let (ann, bob) = (world.profile("ann@example.com").await, world.profile("bob@example.com").await);
    let path = format!("/api/profiles/{ann}");
    let taken = world.patch(&path, change(&ann, json!({"email": "bob@example.com"}))).await;
    assert_eq!(taken.error().0, 409);
    assert_eq!(taken.body["errors"][0]["meta"]["duplicate_profile_id"], bob);
    let moved = world.patch(&path, change(&ann, json!({"email": "ann@new.example.com"}))).await;
    assert_eq!(moved.body["data"]["attributes"]["email"], "ann@new.example.com");
    for (email, found) in [("ann@example.com", false), ("ann@new.example.com", true)] {
        let reply = world.get(&format!("/api/profiles?filter=equals(email,'{email}')")).await;
        assert_eq!(reply.ids().len(), usize::from(found), "{email}");
    }
    // The old address is somebody else's now.
    let other = world.profile("ann@example.com").await;
    assert_ne!(other, ann);
    let bare = world.patch(&path, change(&ann, json!({"email": null}))).await;
    assert_eq!(bare.error(), (400, "/data"));
    let swapped = world.patch(&path, change(&ann, json!({"email": null, "external_id": "c-9"}))).await;
    assert_eq!(swapped.body["data"]["attributes"]["email"], Value::Null);
    assert_eq!(world.patch(&path, change(&bob, json!({}))).await.error(), (400, "/data/id"));
    assert_eq!(world.patch("/api/profiles/none", change("none", json!({}))).await.error().0, 404);
}

#[tokio::test]
async fn import_creates_and_then_updates() {
    let world = World::new().await;
    let body = profile(json!({"email": "ann@example.com", "first_name": "Ann", "properties": {"k": 1}}));
    let first = world.post("/api/profile-import", body.clone()).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let again = world.post("/api/profile-import", body).await;
    assert_eq!((again.status, again.id()), (StatusCode::OK, first.id()));
    let cleared = json!({"email": "ann@example.com", "first_name": null, "properties": {"k": null}});
    let reply = world.post("/api/profile-import", profile(cleared)).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.body["data"]["attributes"]["first_name"], Value::Null);
    assert_eq!(reply.body["data"]["attributes"]["properties"], json!({}));
    let by_id = change(&first.id(), json!({"last_name": "Lee"}));
    assert_eq!(world.post("/api/profile-import", by_id).await.body["data"]["attributes"]["last_name"], "Lee");
    let unknown = change("none", json!({"last_name": "Lee"}));
    assert_eq!(world.post("/api/profile-import", unknown).await.error().0, 404);
    let both = json!({"email": "ann@example.com", "external_id": "c-1"});
    assert_eq!(world.post("/api/profile-import", profile(both)).await.id(), first.id());
    let reply =
        world.post("/api/profile-import", profile(json!({"external_id": "c-1", "email": null}))).await;
    assert_eq!((reply.id(), &reply.body["data"]["attributes"]["email"]), (first.id(), &Value::Null));
}

#[tokio::test]
async fn a_profile_holds_no_more_properties_than_klaviyo_s() {
    let world = World::new().await;
    let properties = |from: usize, to: usize| {
        (from..to).map(|at| (format!("p{at}"), json!(at))).collect::<serde_json::Map<_, _>>()
    };
    let attributes = json!({"email": "ann@example.com", "properties": properties(0, 399)});
    let id = world.post("/api/profiles", profile(attributes)).await.id();
    let path = format!("/api/profiles/{id}");
    let more = json!({"properties": properties(399, 402)});
    assert_eq!(
        world.patch(&path, change(&id, more.clone())).await.error(),
        (400, "/data/attributes/properties")
    );
    let more = json!({"email": "ann@example.com", "properties": more["properties"]});
    assert_eq!(world.post("/api/profile-import", profile(more)).await.error().0, 400);
    let count = world.get(&path).await.body["data"]["attributes"]["properties"].as_object().unwrap().len();
    assert_eq!(count, 399);
}

#[tokio::test]
async fn profiles_are_found_by_every_identifier() {
    let world = World::new().await;
    let attributes =
        json!({"email": "a+b@example.com", "phone_number": "+12125550123", "external_id": "c,1"});
    let ann = world.post("/api/profiles", profile(attributes)).await.id();
    let bob = world.profile("bob@example.com").await;
    let cid = world.profile("cid@example.com").await;
    let mut both = [ann.as_str(), bob.as_str()];
    both.sort_unstable();
    for (filter, found) in [
        ("equals(email,%22a%2Bb%40example.com%22)".to_owned(), vec![ann.as_str()]),
        ("equals(email,'A%2BB@example.com')".to_owned(), vec![&ann]),
        ("equals(phone_number,\"%2B12125550123\")".replace('"', "%22"), vec![&ann]),
        ("equals(external_id,%22c,1%22)".to_owned(), vec![&ann]),
        (format!("equals(id,'{bob}')"), vec![&bob]),
        ("any(email,['a%2Bb@example.com','bob@example.com','none@example.com'])".to_owned(), both.to_vec()),
        (format!("any(id,['{ann}','{bob}'])"), both.to_vec()),
        (format!("equals(id,'{ann}'),equals(email,'bob@example.com')"), vec![]),
        (format!("equals(id,'{ann}'),greater-than(created,2026-01-01)"), vec![&ann]),
        (format!("equals(id,'{ann}'),less-than(created,2026-01-01)"), vec![]),
    ] {
        assert_eq!(world.get(&format!("/api/profiles?filter={filter}")).await.ids(), found, "{filter}");
    }
    let all = format!("/api/profiles?filter=any(id,['{ann}','{bob}','{cid}'])&page[size]=2");
    let first = world.get(&all).await;
    let second = world.get(&first.next().unwrap()).await;
    assert_eq!((first.ids().len(), second.ids().len(), second.next()), (2, 1, None));
}

#[tokio::test]
async fn pages_miss_nobody_and_repeat_nobody_while_profiles_come_and_change() {
    let world = World::new().await;
    let mut made = Vec::new();
    for place in 0..25 {
        made.push(world.profile(&format!("p{place:02}@example.com")).await);
        world.pass(1000);
    }
    for (sort, expect_order) in [("created", true), ("-created", true), ("id", false), ("-email", true)] {
        let mut seen: Vec<String> = Vec::new();
        let mut next = Some(format!("/api/profiles?sort={sort}&page[size]=4"));
        let mut round = 0;
        while let Some(address) = next {
            let page = world.get(&address).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.body);
            seen.extend(page.ids().into_iter().map(str::to_owned));
            next = page.next();
            // Churn: somebody new, and somebody whose update moves them in other listings.
            world.profile(&format!("new{sort}{round}@example.com")).await;
            let body = change(&made[0], json!({"title": format!("{sort}{round}")}));
            world.patch(&format!("/api/profiles/{}", made[0]), body).await;
            world.pass(1000);
            round += 1;
            assert!(round < 200, "endless");
        }
        let old: Vec<&String> = seen.iter().filter(|id| made.contains(id)).collect();
        assert_eq!(old.len(), 25, "{sort}");
        if expect_order {
            let mut expected: Vec<&String> = made.iter().collect();
            if sort.starts_with('-') {
                expected.reverse();
            }
            assert_eq!(old, expected, "{sort}");
        }
    }
    let window = "greater-than(created,2026-06-17T12:00:02Z),less-than(created,2026-06-17T12:00:06Z)";
    let reply = world.get(&format!("/api/profiles?filter={window}")).await;
    assert_eq!(reply.ids(), made[3..6].iter().map(String::as_str).collect::<Vec<_>>());
    let sorted = world.get(&format!("/api/profiles?sort=-email&filter=and({window})&page[size]=2")).await;
    assert_eq!(sorted.ids(), [made[5].as_str(), made[4].as_str()]);
    let rest = world.get(&sorted.next().unwrap()).await;
    assert_eq!(rest.ids(), [made[3].as_str()]);
}

#[tokio::test]
async fn subscriptions_are_shown_on_demand() {
    let world = World::new().await;
    let id = world.profile("ann@example.com").await;
    let address = format!("/api/profiles/{id}?additional-fields[profile]=subscriptions");
    let reply = world.get(&address).await;
    let marketing = &reply.body["data"]["attributes"]["subscriptions"]["email"]["marketing"];
    assert_eq!(
        (&marketing["consent"], &marketing["can_receive_email_marketing"]),
        (&json!("NEVER_SUBSCRIBED"), &json!(true))
    );
    let person = Person { email: Some("ann@example.com".into()), ..Person::default() };
    let (identifiers, _) = Identifiers::of(&person, "");
    let decision = ConsentChange {
        person,
        channel: Channel::Email,
        status: ConsentStatus::Unsubscribed,
        at: world.now(),
        method: "preference_page".into(),
        double_opt_in: false,
    };
    let now = world.now();
    world
        .store
        .update_person(&identifiers, None, now, |profile| profile.apply_consent(&decision).is_some())
        .await
        .unwrap();
    let reply = world.get(&address).await;
    let marketing = &reply.body["data"]["attributes"]["subscriptions"]["email"]["marketing"];
    assert_eq!(marketing["consent"], "UNSUBSCRIBED");
    assert_eq!(marketing["can_receive_email_marketing"], false);
    assert_eq!(marketing["method"], "preference_page");
    assert_eq!(
        marketing["suppression"],
        json!([{"reason": "UNSUBSCRIBE", "timestamp": "2026-06-17T12:00:00+00:00"}])
    );
    let sparse = format!("{address}&fields[profile]=subscriptions.email.marketing.consent,email");
    assert_eq!(
        world.get(&sparse).await.body["data"]["attributes"],
        json!({"subscriptions": {"email": {"marketing": {"consent": "UNSUBSCRIBED"}}}, "email": "ann@example.com"})
    );
    assert_eq!(
        world.get(&format!("/api/profiles/{id}")).await.body["data"]["attributes"]["subscriptions"],
        Value::Null
    );
}

#[tokio::test]
async fn bodies_that_name_the_wrong_resource_are_refused() {
    let world = World::new().await;
    let id = world.profile("ann@example.com").await;
    let reply = world
        .send(Method::PATCH, &format!("/api/profiles/{id}"), Body::from("{\"data\":{\"type\":\"profile\"}}"))
        .await;
    assert_eq!(reply.error(), (400, "/data/id"));
}
