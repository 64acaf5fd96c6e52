//! Who is meant: identifiers by their rank, those beside the ones that a profile shows, and how much of a profile there
//! may be.

use canonical::Profile;
use http::StatusCode;
use serde_json::{Value, json};

use crate::World;

const PHONE: &str = "+12125550123";

fn profile(attributes: Value) -> Value {
    json!({"data": {"type": "profile", "attributes": attributes}})
}

#[tokio::test]
async fn the_strongest_identifier_says_who_is_meant() {
    // Four profiles, each known by one identifier; then what names some of them, and whom it means. Weaker ones that
    // contradict nothing merge into it.
    let table: [(&[&str], &str); 11] = [
        (&["id", "external_id", "email"], "id"),
        (&["id", "anonymous_id"], "id"),
        (&["external_id"], "external_id"),
        (&["external_id", "email"], "external_id"),
        (&["external_id", "phone_number"], "external_id"),
        (&["external_id", "email", "phone_number", "anonymous_id"], "external_id"),
        (&["email"], "email"),
        (&["email", "phone_number"], "email"),
        (&["email", "anonymous_id"], "email"),
        (&["phone_number", "anonymous_id"], "phone_number"),
        (&["anonymous_id"], "anonymous_id"),
    ];
    let values = |name: &str| match name {
        "external_id" => "c-1",
        "email" => "ann@example.com",
        "phone_number" => PHONE,
        _ => "device-1",
    };
    for (given, meant) in table {
        let world = World::new().await;
        let mut ids = std::collections::BTreeMap::new();
        for name in ["external_id", "email", "phone_number", "anonymous_id"] {
            let reply = world.post("/api/profile-import", profile(json!({name: values(name)}))).await;
            assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
            ids.insert(name, reply.id());
        }
        ids.insert(
            "id",
            world.post("/api/profile-import", profile(json!({"external_id": "c-9"}))).await.id(),
        );
        let mut body = profile(json!({"title": "Dr"}));
        for name in given {
            if *name == "id" {
                body["data"]["id"] = ids["id"].as_str().into();
            } else {
                body["data"]["attributes"][name] = values(name).into();
            }
        }
        let reply = world.post("/api/profile-import", body).await;
        if meant == "id" {
            // Identifiers of others are not taken from them.
            assert_eq!(reply.error().0, 409, "{given:?}");
            continue;
        }
        assert_eq!((reply.status, &reply.id()), (StatusCode::OK, &ids[meant]), "{given:?}");
        assert_eq!(reply.body["data"]["attributes"]["title"], "Dr");
        for name in given {
            let found = world.get(&format!("/api/profiles/{}", ids[name])).await;
            assert_eq!(found.id(), ids[meant], "{given:?}: {name}");
        }
    }
}

#[tokio::test]
async fn a_profile_is_found_by_identifiers_beside_the_one_it_shows() {
    let world = World::new().await;
    let ann = world.profile("ann@example.com").await;
    let bob = world.profile("bob@example.com").await;
    let patched = async |patch: Value| {
        let body = json!({"data": {"type": "profile", "id": ann, "attributes": {}, "meta": {"patch_identifiers": patch}}});
        world.patch(&format!("/api/profiles/{ann}"), body).await
    };
    let import = async |attributes: Value| world.post("/api/profile-import", profile(attributes)).await.id();
    // The first of its kind is shown, a further one only leads there.
    let more = json!({"append": {"phone_number": PHONE, "external_id": ["c-1", "c-2"]}});
    let reply = patched(more).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let attributes = &reply.body["data"]["attributes"];
    assert_eq!((&attributes["phone_number"], &attributes["external_id"]), (&json!(PHONE), &json!("c-1")));
    for attributes in [json!({"phone_number": PHONE}), json!({"external_id": "c-2"})] {
        assert_eq!(import(attributes.clone()).await, ann, "{attributes}");
    }
    // What names another profile is not taken.
    let taken = patched(json!({"append": {"anonymous_id": "d-1", "email": "bob@example.com"}})).await;
    assert_eq!(taken.error().0, 409);
    assert_eq!(taken.body["errors"][0]["meta"]["duplicate_profile_id"], bob);
    assert_ne!(import(json!({"anonymous_id": "d-1"})).await, ann);
    // What is unappended is free.
    let reply = patched(
        json!({"unappend": {"external_id": "c-2", "phone_number": [PHONE], "email": "bob@example.com"}}),
    );
    assert_eq!(reply.await.body["data"]["attributes"]["phone_number"], Value::Null);
    assert_eq!(import(json!({"email": "bob@example.com"})).await, bob);
    for attributes in [json!({"external_id": "c-2"}), json!({"phone_number": PHONE})] {
        assert_ne!(import(attributes.clone()).await, ann, "{attributes}");
    }
    let none = patched(json!({"unappend": {"external_id": "c-1", "email": "ann@example.com"}})).await;
    assert_eq!(none.error(), (400, "/data"));
    let place = "/data/meta/patch_identifiers";
    for (patch, at) in [
        (json!({"append": {"email": "x"}}), "/append/email"),
        (json!({"append": {"phone_number": [PHONE, 1]}}), "/append/phone_number/1"),
        (json!({"append": {"name": "x"}}), "/append/name"),
        (json!({"set": {}}), "/set"),
        (json!({"append": {"external_id": vec!["x"; 21]}}), "/append"),
    ] {
        assert_eq!(patched(patch.clone()).await.error(), (400, format!("{place}{at}").as_str()), "{patch}");
    }
    // Where other revisions have it, and where a profile is made.
    let body = json!({"email": "cid@example.com", "meta": {"patch_identifiers": {"append": {"external_id": "c-7"}}}});
    let cid = world.post("/api/profiles", profile(body)).await;
    assert_eq!(cid.body["data"]["attributes"]["external_id"], "c-7");
    let body = json!({"email": "cid@example.com", "meta": {"patch_identifiers": {"append": {"external_id": "c-8"}}}});
    assert_eq!(world.post("/api/profile-import", profile(body)).await.id(), cid.id());
    assert_eq!(import(json!({"external_id": "c-8"})).await, cid.id());
}

#[tokio::test]
async fn what_exceeds_a_bound_is_refused_at_its_place() {
    let world = World::new().await;
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let email = |length: usize| format!("{}@example.com", "a".repeat(length - 12));
    let place = "/data/attributes";
    for (attributes, at) in [
        (json!({"email": email(100)}), Some("/email")),
        (json!({"email": email(99)}), None),
        (json!({"email": "a@example.com", "properties": {"deep": nested(11)}}), Some("/properties/deep")),
        (json!({"email": "a@example.com", "properties": {"deep": nested(10)}}), None),
        (json!({"email": "a@example.com", "properties": {"many": vec![0; 4001]}}), Some("/properties/many")),
        (json!({"email": "a@example.com", "properties": {"many": vec![0; 4000]}}), None),
        (json!({"email": "a@example.com", "properties": {"long": "x".repeat(102_000)}}), None),
        (json!({"email": "a@example.com", "properties": {"long": "x".repeat(102_400)}}), Some("")),
        (json!({"email": "a@example.com", "first_name": {"x": 1}}), Some("/first_name")),
        (json!({"email": "a@example.com", "location": {"planet": "x"}}), Some("/location/planet")),
        (json!({"email": "a@example.com", "location": {"city": 1}}), Some("/location/city")),
        (json!({"email": "a@example.com", "subscriptions": {}}), Some("/subscriptions")),
        (json!({"external_id": "x".repeat(1025)}), Some("/external_id")),
        (json!({"phone_number": "12125550123"}), Some("/phone_number")),
        (json!({"email": 1}), Some("/email")),
        (json!({"email": " "}), Some("/email")),
    ] {
        let reply = world.post("/api/profile-import", profile(attributes)).await;
        match at {
            Some(at) => {
                let deep = reply.error().1.strip_prefix(place).is_some_and(|rest| rest.starts_with(at));
                assert!(reply.error().0 == 400 && deep, "{at}: {:?}", reply.error());
            }
            None => assert!(reply.status.is_success(), "{}", reply.body),
        }
    }
}

#[tokio::test]
async fn what_nobody_has_finds_nobody() {
    let world = World::new().await;
    let id = world.profile("ann@example.com").await;
    assert!(world.get("/api/profiles?filter=equals(_kx,'abc')").await.ids().is_empty());
    let including = world.get("/api/profiles?include=push-tokens,conversations").await;
    assert_eq!((including.ids(), &including.body["included"]), (vec![id.as_str()], &json!([])));
    let relationships = &including.body["data"][0]["relationships"];
    assert_eq!(relationships["push-tokens"]["data"], json!([]));
    assert_eq!(relationships["conversations"]["data"], json!([]));
    let one = world.get(&format!("/api/profiles/{id}?include=push-tokens,lists")).await;
    assert_eq!(one.body["data"]["relationships"]["push-tokens"]["data"], json!([]));
    assert_eq!(one.body["data"]["relationships"]["lists"]["data"], json!([]));
    let body = json!({"data": {"type": "list", "attributes": {"name": "News"}}});
    let list = world.post("/api/lists", body).await.id();
    let body = json!({"data": [{"type": "profile", "id": id}]});
    world.post(&format!("/api/lists/{list}/relationships/profiles"), body).await;
    for (filter, found) in [
        ("equals(_kx,'abc')", 0),
        ("any(push_token,['a','b'])", 0),
        ("equals(email,'ann@example.com'),equals(push_token,'a')", 0),
        ("any(email,['ann@example.com','x@example.com'])", 1),
    ] {
        for listing in ["profiles", "relationships/profiles"] {
            let path = format!("/api/lists/{list}/{listing}?filter={filter}");
            assert_eq!(world.get(&path).await.ids().len(), found, "{filter}");
        }
    }
    assert_eq!(world.get("/api/profiles?filter=any(_kx,['a'])").await.error(), (400, "filter"));
}

/// Four thousandths of a second go by with every change; who is there all the time is met once.
#[tokio::test]
async fn a_thousand_members_are_met_once_each_while_others_come_and_go_and_come_back() {
    let world = World::new().await;
    let body = json!({"data": {"type": "list", "attributes": {"name": "News"}}});
    let list = world.post("/api/lists", body).await.id();
    let mut members = Vec::new();
    for number in 0..1000 {
        let member = Profile::new(format!("{:026}", number * 7919 % 1000), world.now());
        world.store.put_profile(&member, 0).await.unwrap();
        members.push(member.id);
        world.store.join_list(&members[number], &list, world.now()).await.unwrap();
        // Some share an instant.
        world.pass(i64::from(number % 3 == 0));
    }
    let path = format!("/api/lists/{list}/profiles?fields[profile]=email&page[size]=100");
    for sort in ["joined_group_at", "-joined_group_at"] {
        let mut seen: Vec<String> = Vec::new();
        let mut next = Some(format!("{path}&sort={sort}"));
        let mut round = 0;
        while let Some(address) = next {
            let page = world.get(&address).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.body);
            seen.extend(page.ids().into_iter().map(str::to_owned));
            next = page.next();
            world.pass(1);
            // Every seventh leaves, and most of them come back; somebody new comes.
            for place in (0..1000).filter(|place| place % 7 == 0 && place % 10 == round % 10) {
                world.store.leave_list(&members[place], &list, world.now()).await.unwrap();
                world.pass(1);
                if place % 3 != 0 {
                    world.store.join_list(&members[place], &list, world.now()).await.unwrap();
                }
            }
            let new = world.profile(&format!("new{sort}{round}@example.com")).await;
            world.store.join_list(&new, &list, world.now()).await.unwrap();
            round += 1;
            assert!(round < 40, "no end");
        }
        let mut once = seen.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), seen.len(), "{sort}: somebody was met twice");
        let stayed = members.iter().enumerate().filter(|(place, _)| place % 7 != 0).map(|(_, id)| id);
        let missed: Vec<&String> = stayed.filter(|id| once.binary_search(id).is_err()).collect();
        assert_eq!(missed, [] as [&String; 0], "{sort}");
    }
    for cursor in ["abc", "YWJj.x", ".1"] {
        let path = format!("{path}&sort=joined_group_at&page[cursor]={cursor}");
        assert_eq!(world.get(&path).await.error(), (400, "page[cursor]"), "{cursor}");
    }
}
