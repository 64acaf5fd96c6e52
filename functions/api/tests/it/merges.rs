//! Merging profiles, and forgetting them. What the job does is tested where the job is.

use api::Queue;
use canonical::fact::{Channel, ConsentStatus};
use canonical::profile::{Consent, Suppression};
use http::StatusCode;
use serde_json::{Value, json};
use store::JobKind;

use crate::World;

const MERGE: &str = "/api/profile-merge";
const DELETION: &str = "/api/data-privacy-deletion-jobs";

fn merge(into: &str, from: &[&str]) -> Value {
    let sources: Vec<Value> = from.iter().map(|id| json!({"type": "profile", "id": id})).collect();
    json!({"data": {"type": "profile-merge", "id": into, "relationships": {"profiles": {"data": sources}}}})
}

fn deletion(profile: Value) -> Value {
    let mut profile = profile;
    profile["type"] = "profile".into();
    json!({"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": {"data": profile}}}})
}

impl World {
    async fn made(&self, attributes: Value) -> String {
        let body = json!({"data": {"type": "profile", "attributes": attributes}});
        self.post("/api/profiles", body).await.id()
    }

    async fn attributes(&self, id: &str) -> Value {
        self.get(&format!("/api/profiles/{id}")).await.body["data"]["attributes"].clone()
    }

    /// The profiles that jobs are to settle.
    async fn settling(&self) -> Vec<String> {
        let jobs = self.store.jobs().await.unwrap();
        assert!(jobs.len() <= self.sent(Queue::Jobs).len());
        let profile = |kind| if let JobKind::Settle { profile } = kind { Some(profile) } else { None };
        jobs.into_iter().filter_map(|job| profile(job.kind)).collect()
    }

    async fn settle_all(&self) {
        for profile in self.settling().await {
            assert_eq!(self.store.settle(&profile, None).await.unwrap().1, None);
        }
    }

    async fn import(&self, attributes: Value) -> String {
        let body = json!({"data": {"type": "profile", "attributes": attributes}});
        self.post("/api/profile-import", body).await.id()
    }
}

#[tokio::test]
async fn the_destination_wins_the_source_fills_its_gaps_and_two_things_are_otherwise() {
    let world = World::new().await;
    let into = world
        .made(json!({
            "email": "ann@example.com", "first_name": "Ann", "properties": {"tier": "gold", "own": 1},
            "location": {"city": "Lyon", "timezone": "Europe/Paris"},
        }))
        .await;
    let from = world
        .made(json!({
            "email": "other@example.com", "phone_number": "+12125550123", "first_name": "Anna", "title": "Dr",
            "properties": {"tier": "silver", "theirs": 2},
            "location": {"city": "Boston", "zip": "02110", "timezone": "US/Eastern"},
        }))
        .await;
    let reply = world.post(MERGE, merge(&into, &[&from])).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    let link = format!("https://api.example.com/api/profiles/{into}/");
    assert_eq!(
        reply.body["data"],
        json!({"type": "profile", "id": into, "attributes": {}, "links": {"self": link}})
    );
    let merged = world.attributes(&into).await;
    for (name, value) in [
        ("email", json!("ann@example.com")),
        ("phone_number", json!("+12125550123")),
        ("first_name", json!("Ann")),
        ("title", json!("Dr")),
        ("properties", json!({"tier": "gold", "own": 1, "theirs": 2})),
        // The fuller location, and the source's time zone.
        ("location", json!({"city": "Boston", "zip": "02110", "timezone": "US/Eastern"})),
    ] {
        assert_eq!(merged[name], value, "{name}");
    }
    // The source is gone: its id and its identifiers lead to who stayed.
    assert_eq!(world.get(&format!("/api/profiles/{from}")).await.id(), into);
    assert_eq!(world.get("/api/profiles").await.ids(), [into.as_str()]);
    assert_eq!(world.import(json!({"phone_number": "+12125550123"})).await, into);
    assert_eq!(world.settling().await, [from.as_str()]);

    // The same request again.
    let again = world.post(MERGE, merge(&into, &[&from])).await;
    assert_eq!((again.status, again.id()), (StatusCode::CREATED, into.clone()));
    let back = world.post(MERGE, merge(&from, &[&into])).await;
    assert_eq!((back.status, back.id()), (StatusCode::CREATED, into.clone()));
    assert_eq!(world.settling().await.len(), 1);
}

#[tokio::test]
async fn who_must_not_get_mail_must_not_after_a_merge_and_lists_and_events_are_united() {
    let world = World::new().await;
    let (into, from) = (world.profile("ann@example.com").await, world.profile("other@example.com").await);
    let mut suppressed = world.store.profile(&from).await.unwrap().unwrap();
    let consent = Consent {
        status: ConsentStatus::Subscribed,
        at: Some(world.now()),
        suppressions: vec![Suppression { reason: "USER_SUPPRESSED".to_owned(), at: world.now() }],
        ..Consent::default()
    };
    suppressed.value.consent.insert(Channel::Email, consent);
    world.store.put_profile(&suppressed.value, suppressed.version).await.unwrap();
    let body = json!({"data": {"type": "list", "attributes": {"name": "News"}}});
    let list = world.post("/api/lists", body).await.id();
    let body = json!({"data": [{"type": "profile", "id": from}]});
    world.post(&format!("/api/lists/{list}/relationships/profiles"), body).await;
    for (profile, key) in [(&into, "1"), (&from, "2"), (&from, "3")] {
        world.record(profile, "Placed Order", key, 1_781_000_000, None).await;
    }
    assert_eq!(world.post(MERGE, merge(&into, &[&from])).await.status, StatusCode::CREATED);
    let members = world.get(&format!("/api/lists/{list}/profiles")).await;
    assert_eq!(members.ids(), [into.as_str()]);
    let path = format!("/api/profiles/{into}?additional-fields[profile]=subscriptions");
    let marketing =
        world.get(&path).await.body["data"]["attributes"]["subscriptions"]["email"]["marketing"].clone();
    assert_eq!(marketing["can_receive_email_marketing"], false);
    assert_eq!(marketing["suppression"][0]["reason"], "USER_SUPPRESSED");
    world.settle_all().await;
    for id in [&into, &from] {
        let events = world.get(&format!("/api/events?filter=equals(profile_id,'{id}')")).await;
        assert_eq!(events.ids().len(), 3, "{id}");
    }
}

#[tokio::test]
async fn merges_that_are_none_are_refused_with_their_place() {
    let world = World::new().await;
    let (ann, bob) = (world.profile("ann@example.com").await, world.profile("bob@example.com").await);
    let mut without = merge(&ann, &[]);
    without["data"]["relationships"] = json!({});
    let mut kind = merge(&ann, &[&bob]);
    kind["data"]["relationships"]["profiles"]["data"][0]["type"] = "list".into();
    let sources = "/data/relationships/profiles/data";
    for (body, status, place) in [
        (merge(&ann, &[]), 400, sources.to_owned()),
        (merge(&ann, &[&bob, "C"]), 400, sources.to_owned()),
        (merge(&ann, &[&ann]), 400, format!("{sources}/0/id")),
        (merge(&ann, &["none"]), 404, format!("{sources}/0/id")),
        (merge("none", &[&ann]), 404, "/data/id".to_owned()),
        (without, 400, "/data/relationships/profiles".to_owned()),
        (kind, 400, format!("{sources}/0/type")),
    ] {
        let reply = world.post(MERGE, body.clone()).await;
        assert_eq!(reply.error(), (status, place.as_str()), "{body}");
    }
    assert_eq!(world.get("/api/profiles").await.ids().len(), 2);
}

#[tokio::test]
async fn merges_of_one_circle_at_once_end_in_one_profile() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for name in ["ann", "bob", "cid"] {
        ids.push(world.profile(&format!("{name}@example.com")).await);
    }
    let pairs = [(0, 1), (1, 2), (2, 0)];
    let merges = pairs.map(|(into, from)| merge(&ids[into], &[&ids[from]]));
    let replies = futures::future::join_all(merges.map(|body| world.post(MERGE, body))).await;
    assert!(replies.iter().all(|reply| reply.status == StatusCode::CREATED));
    let left = world.get("/api/profiles").await;
    assert_eq!(left.ids().len(), 1);
    for id in &ids {
        assert_eq!(world.get(&format!("/api/profiles/{id}")).await.id(), left.ids()[0]);
    }
}

#[tokio::test]
async fn a_person_is_forgotten_by_id_by_address_and_by_number() {
    for (named, found) in [
        (json!({"id": ""}), true),
        (json!({"attributes": {"email": " Ann@Example.com"}}), true),
        (json!({"id": null, "attributes": {"phone_number": "+12125550123", "email": null}}), true),
        (json!({"attributes": {"email": "nobody@example.com"}}), false),
    ] {
        let world = World::new().await;
        let attributes =
            json!({"email": "ann@example.com", "phone_number": "+12125550123", "first_name": "Ann"});
        let ann = world.made(attributes.clone()).await;
        let bob = world.profile("bob@example.com").await;
        world.record(&ann, "Placed Order", "1", 1_781_000_000, None).await;
        let mut named = named;
        if named["id"] == "" {
            named["id"] = ann.as_str().into();
        }
        for _ in 0..2 {
            let reply = world.post(DELETION, deletion(named.clone())).await;
            assert_eq!((reply.status, reply.body), (StatusCode::ACCEPTED, Value::Null), "{named}");
        }
        if !found {
            assert!(world.settling().await.is_empty());
            assert_eq!(world.attributes(&ann).await["first_name"], "Ann");
            continue;
        }
        assert_eq!(world.get(&format!("/api/profiles/{ann}")).await.error().0, 404);
        assert_eq!(world.get("/api/profiles").await.ids(), [bob.as_str()]);
        assert_eq!(world.settling().await, [ann.as_str()]);
        world.settle_all().await;
        let metric = store::metric_id("api", "Placed Order");
        let events = world.get(&format!("/api/events?filter=equals(metric_id,'{metric}')")).await;
        assert!(events.ids().is_empty());
        // Who is told of afterwards is somebody new.
        world.pass(1);
        let again = world.import(attributes).await;
        assert_ne!(again, ann);
        assert_eq!(world.get(&format!("/api/profiles/{ann}")).await.error().0, 404);
    }
}

#[tokio::test]
async fn deletions_that_name_nobody_or_too_much_are_refused() {
    let world = World::new().await;
    let profile = "/data/attributes/profile/data";
    for (named, status, place) in [
        (json!({}), 400, profile.to_owned()),
        (json!({"attributes": {}}), 400, profile.to_owned()),
        (json!({"id": "A", "attributes": {"email": "a@example.com"}}), 400, profile.to_owned()),
        (
            json!({"attributes": {"email": "a@example.com", "phone_number": "+12125550123"}}),
            400,
            profile.to_owned(),
        ),
        (json!({"attributes": {"external_id": "A"}}), 400, format!("{profile}/attributes/external_id")),
        (json!({"attributes": {"email": "a"}}), 400, format!("{profile}/attributes/email")),
        (json!({"id": "none"}), 404, format!("{profile}/id")),
    ] {
        let reply = world.post(DELETION, deletion(named.clone())).await;
        assert_eq!(reply.error(), (status, place.as_str()), "{named}");
    }
    world.add_key("pk_other", &["profiles:write"]).await;
    let request = http::Request::post(DELETION)
        .header("authorization", "Klaviyo-API-Key pk_other")
        .body(axum::body::Body::from(deletion(json!({"id": "A"})).to_string()));
    assert_eq!(world.request(request.unwrap()).await.status, StatusCode::FORBIDDEN);
}
