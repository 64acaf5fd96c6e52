//! Consent: subscribed, unsubscribed, suppressed, confirmed.

use api::Queue;
use axum::body::{Body, to_bytes};
use canonical::profile::Suppression;
use canonical::{ApiEvent, Instant, Profile};
use evaluation::{Change, ChangeKind, Evaluator};
use http::{Method, Request, StatusCode};
use jiff::tz::TimeZone;
use platform::Delivery;
use runtime::Clock;
use serde_json::{Value, json};
use store::{JobKind, JobMessage, OptIn};
use tower::ServiceExt;

use crate::{Reply, World};

const SUBSCRIBE: &str = "/api/profile-subscription-bulk-create-jobs";
const UNSUBSCRIBE: &str = "/api/profile-subscription-bulk-delete-jobs";
const SUPPRESS: &str = "/api/profile-suppression-bulk-create-jobs";
const UNSUPPRESS: &str = "/api/profile-suppression-bulk-delete-jobs";
const DAY_MS: i64 = 86_400_000;

/// A request with profiles, perhaps about a list.
fn job(kind: &str, profiles: Value, list: Option<&str>, more: Value) -> Value {
    let mut attributes = json!({"profiles": {"data": profiles}});
    for (name, value) in more.as_object().unwrap() {
        attributes[name] = value.clone();
    }
    let mut body = json!({"data": {"type": kind, "attributes": attributes}});
    if let Some(list) = list {
        body["data"]["relationships"] = json!({"list": {"data": {"type": "list", "id": list}}});
    }
    body
}

fn subscribing(profiles: Value, list: Option<&str>, more: Value) -> Value {
    job("profile-subscription-bulk-create-job", profiles, list, more)
}

fn unsubscribing(profiles: Value, list: Option<&str>) -> Value {
    job("profile-subscription-bulk-delete-job", profiles, list, json!({}))
}

/// A profile that says yes or no to e-mail.
fn by_email(email: &str, consent: &str) -> Value {
    let subscriptions = json!({"email": {"marketing": {"consent": consent}}});
    json!({"type": "profile", "attributes": {"email": email, "subscriptions": subscriptions}})
}

async fn accepted(world: &World, path: &str, body: Value) -> Reply {
    let reply = world.post(path, body).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
    reply
}

async fn list(world: &World, opt_in: &str) -> String {
    let attributes = json!({"name": "News & Offers", "opt_in_process": opt_in});
    world.post("/api/lists", json!({"data": {"type": "list", "attributes": attributes}})).await.id()
}

async fn find(world: &World, email: &str) -> String {
    let found = world.get(&format!("/api/profiles?filter=equals(email,'{email}')")).await;
    assert_eq!(found.ids().len(), 1, "{}", found.body);
    found.ids()[0].to_owned()
}

async fn subscriptions(world: &World, email: &str) -> Value {
    let query = format!("filter=equals(email,'{email}')&additional-fields[profile]=subscriptions");
    let found = world.get(&format!("/api/profiles?{query}")).await;
    found.body["data"][0]["attributes"]["subscriptions"].clone()
}

async fn consent(world: &World, email: &str) -> String {
    subscriptions(world, email).await["email"]["marketing"]["consent"].as_str().unwrap().to_owned()
}

async fn members(world: &World, list: &str) -> Vec<String> {
    let reply = world.get(&format!("/api/lists/{list}/profiles?sort=joined_group_at")).await;
    let data = reply.body["data"].as_array().unwrap().clone();
    data.iter().map(|member| member["attributes"]["email"].as_str().unwrap().to_owned()).collect()
}

/// What was told so far.
fn told(world: &World) -> Vec<ApiEvent> {
    let messages = world.sent(Queue::RawDeliveries);
    let event =
        |message: &String| serde_json::from_slice(&Delivery::from_message(message).unwrap().body).unwrap();
    messages.iter().map(event).collect()
}

fn metrics(world: &World) -> Vec<String> {
    told(world).into_iter().map(|event| event.metric).collect()
}

/// Suppresses somebody as a mail provider's report would.
async fn suppress_for(world: &World, email: &str, reason: &str) {
    let id = find(world, email).await;
    let at = world.now();
    let change = |profile: &mut Profile| {
        let consent = profile.consent.entry(canonical::fact::Channel::Email).or_default();
        consent.suppressions.push(Suppression { reason: reason.to_owned(), at });
        true
    };
    world.store.update_profile(&id, at, change).await.unwrap();
}

fn reasons(subscriptions: &Value) -> Vec<String> {
    let suppression = subscriptions["email"]["marketing"]["suppression"].as_array().unwrap();
    suppression.iter().map(|one| one["reason"].as_str().unwrap().to_owned()).collect()
}

/// A page as a browser gets it.
async fn browse(world: &World, method: Method, address: &str) -> (StatusCode, http::HeaderMap, String) {
    let request = Request::builder()
        .method(method)
        .uri(address.replace("https://api.example.com", ""))
        .header("host", "api.example.com")
        .body(Body::from("a=b"))
        .unwrap();
    let (parts, body) = world.router.clone().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

/// The links of all requests to confirm, oldest first.
fn links(world: &World) -> Vec<String> {
    let asked = told(world).into_iter().filter(|event| event.metric == "Requested Subscription Confirmation");
    asked.map(|event| event.properties["Confirmation URL"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn who_subscribes_is_subscribed_at_once_and_on_the_list() {
    let world = World::new().await;
    let list = list(&world, "single_opt_in").await;
    world.profile("ann@example.com").await;
    for reason in ["HARD_BOUNCE", "SPAM_COMPLAINT", "USER_SUPPRESSED", "UNSUBSCRIBE"] {
        suppress_for(&world, "ann@example.com", reason).await;
    }
    world.pass(1000);
    let yes = json!({"marketing": {"consent": "SUBSCRIBED"}});
    let both = json!({"marketing": {"consent": "SUBSCRIBED"}, "transactional": {"consent": "SUBSCRIBED"}});
    let mut email = yes.clone();
    email["open_tracking"] = json!({"consent": "SUBSCRIBED"});
    let all = json!({"email": email, "sms": both, "whatsapp": both, "push": yes});
    let people = json!([
        by_email("Ann@Example.com", "SUBSCRIBED"),
        {"type": "profile", "attributes": {
            "email": "bob@example.com", "phone_number": "+12125550123", "subscriptions": all,
            "age_gated_date_of_birth": "1990-01-31",
        }},
    ]);
    let reply =
        accepted(&world, SUBSCRIBE, subscribing(people, Some(&list), json!({"custom_source": "Fair"}))).await;
    assert_eq!(reply.body, Value::Null);
    let ann = subscriptions(&world, "ann@example.com").await;
    assert_eq!(
        ann["email"]["marketing"],
        json!({
            "can_receive_email_marketing": false, "consent": "SUBSCRIBED",
            "consent_timestamp": "2026-06-17T12:00:01+00:00", "last_updated": "2026-06-17T12:00:01+00:00",
            "method": "api", "method_detail": "", "custom_method_detail": "Fair", "double_optin": false,
            "suppression": [{"reason": "HARD_BOUNCE", "timestamp": "2026-06-17T12:00:00+00:00"}],
            "list_suppressions": [],
        })
    );
    assert_eq!(ann["sms"]["marketing"]["consent"], "NEVER_SUBSCRIBED");
    let bob = subscriptions(&world, "bob@example.com").await;
    for (place, can_receive) in [
        ("/email/marketing", "can_receive_email_marketing"),
        ("/email/open_tracking", "can_receive"),
        ("/sms/marketing", "can_receive_sms_marketing"),
        ("/sms/transactional", "can_receive_sms_transactional"),
        ("/whatsapp/marketing", "can_receive"),
        ("/whatsapp/transactional", "can_receive"),
        ("/mobile_push/marketing", "can_receive_push_marketing"),
    ] {
        let shown = bob.pointer(place).unwrap();
        assert_eq!((&shown["consent"], &shown[can_receive]), (&json!("SUBSCRIBED"), &json!(true)), "{place}");
    }
    assert_eq!(bob["whatsapp"]["conversational"]["can_receive"], false);
    assert_eq!(members(&world, &list).await, ["ann@example.com", "bob@example.com"]);
    let mut told = metrics(&world);
    told.sort();
    let expected = [
        "Subscribed to Email Marketing",
        "Subscribed to Email Marketing",
        "Subscribed to List",
        "Subscribed to List",
        "Subscribed to SMS Marketing",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn segments_see_consent_and_suppression() {
    let world = World::new().await;
    let list = list(&world, "single_opt_in").await;
    let now_ms = world.now_ms.clone();
    let clock = Clock::from_fn(move || {
        jiff::Timestamp::from_millisecond(now_ms.load(std::sync::atomic::Ordering::SeqCst)).unwrap()
    });
    let evaluator = Evaluator::over(world.store.clone(), clock, TimeZone::UTC);
    let segment = async |can_receive: bool, subscription: &str, filters: Value| {
        let condition = json!({"type": "profile-marketing-consent", "consent": {
            "channel": "email", "can_receive_marketing": can_receive,
            "consent_status": {"subscription": subscription, "filters": filters},
        }});
        let definition = json!({"condition_groups": [{"conditions": [condition]}]});
        let attributes = json!({"name": "Segment", "definition": definition});
        world.post("/api/segments", json!({"data": {"type": "segment", "attributes": attributes}})).await.id()
    };
    let by_api = json!([{"field": "method", "method": "api"}]);
    let reachable = segment(true, "subscribed", by_api).await;
    let suppressed = segment(false, "subscribed", json!([])).await;
    let gone = segment(false, "unsubscribed", json!([])).await;
    let ann = world.profile("ann@example.com").await;
    let mut position = 1;
    let mut held = async || {
        position += 1;
        let program = evaluator.program().await.unwrap();
        let loaded = evaluator.load(&[ann.as_str()]).await.unwrap();
        let kind = if position == 2 { ChangeKind::ProfileCreated } else { ChangeKind::ProfileChanged };
        evaluator.evaluate(&program, &ann, &loaded, &[Change { position, kind }]).await.unwrap();
        let mut held = Vec::new();
        for segment in [&reachable, &suppressed, &gone] {
            held.push(world.store.count_members(segment).await.unwrap() == 1);
        }
        held
    };
    assert_eq!(held().await, [false, false, false]);
    let yes = json!([by_email("ann@example.com", "SUBSCRIBED")]);
    accepted(&world, SUBSCRIBE, subscribing(yes, Some(&list), json!({}))).await;
    assert_eq!(held().await, [true, false, false]);
    world.pass(1000);
    let named = json!([{"type": "profile", "attributes": {"email": "ann@example.com"}}]);
    accepted(&world, SUPPRESS, job("profile-suppression-bulk-create-job", named.clone(), None, json!({})))
        .await;
    assert_eq!(held().await, [false, true, false]);
    accepted(&world, UNSUPPRESS, job("profile-suppression-bulk-delete-job", named, None, json!({}))).await;
    assert_eq!(held().await, [true, false, false]);
    let no = json!([by_email("ann@example.com", "UNSUBSCRIBED")]);
    accepted(&world, UNSUBSCRIBE, unsubscribing(no, None)).await;
    assert_eq!(held().await, [false, false, true]);
}

#[tokio::test]
async fn a_historical_import_counts_as_of_its_time_and_needs_no_confirmation() {
    let world = World::new().await;
    let list = list(&world, "double_opt_in").await;
    world.profile("eve@example.com").await;
    let no = json!([by_email("eve@example.com", "UNSUBSCRIBED")]);
    accepted(&world, UNSUBSCRIBE, unsubscribing(no, None)).await;
    // As an official client sends it.
    let imported = |email: &str| {
        let marketing = json!({"consent": "SUBSCRIBED", "consented_at": "2024-01-01T00:00:00+00:00"});
        json!({"type": "profile", "attributes": {
            "email": email, "subscriptions": {"email": {"marketing": marketing}},
        }})
    };
    let people = json!([imported("ann@example.com"), imported("eve@example.com")]);
    let more = json!({"custom_source": "Marketing Event", "historical_import": true});
    accepted(&world, SUBSCRIBE, subscribing(people, Some(&list), more)).await;
    let ann = subscriptions(&world, "ann@example.com").await;
    let marketing = &ann["email"]["marketing"];
    assert_eq!(marketing["consent"], "SUBSCRIBED");
    assert_eq!(marketing["consent_timestamp"], "2024-01-01T00:00:00+00:00");
    assert_eq!(marketing["last_updated"], "2026-06-17T12:00:00+00:00");
    // What somebody has decided since stands, and keeps them off the list.
    assert_eq!(consent(&world, "eve@example.com").await, "UNSUBSCRIBED");
    assert_eq!(members(&world, &list).await, ["ann@example.com"]);
    let told = told(&world);
    let told: Vec<_> = told.iter().skip(1).map(|event| (event.metric.as_str(), event.backfill)).collect();
    assert_eq!(told, [("Subscribed to Email Marketing", true), ("Subscribed to List", true)]);
}

#[tokio::test]
async fn what_cannot_be_subscribed_is_refused_where_it_is_wrong() {
    let world = World::new().await;
    let single = list(&world, "single_opt_in").await;
    let ann = world.profile("ann@example.com").await;
    let at = "/data/attributes/profiles/data/0/attributes";
    let one = |attributes: Value| json!([{"type": "profile", "attributes": attributes}]);
    let email = |marketing: Value| {
        one(json!({"email": "x@example.com", "subscriptions": {"email": {"marketing": marketing}}}))
    };
    let yes = json!({"consent": "SUBSCRIBED"});
    let import = json!({"historical_import": true});
    for (profiles, more, pointer) in [
        (json!([]), json!({}), "/data/attributes/profiles/data".to_owned()),
        (one(json!({"subscriptions": {"email": {"marketing": yes}}})), json!({}), format!("{at}/email")),
        (
            one(json!({"email": "x@example.com", "subscriptions": {"sms": {"marketing": yes}}})),
            json!({}),
            format!("{at}/phone_number"),
        ),
        (one(json!({"email": "nobody"})), json!({}), format!("{at}/email")),
        (
            one(json!({"email": "x@example.com", "subscriptions": {}})),
            json!({}),
            format!("{at}/subscriptions"),
        ),
        (
            one(json!({"email": "x@example.com", "subscriptions": {"fax": {}}})),
            json!({}),
            format!("{at}/subscriptions/fax"),
        ),
        (
            one(json!({"email": "x@example.com", "subscriptions": {"email": ["NEWS"]}})),
            json!({}),
            format!("{at}/subscriptions/email/0"),
        ),
        (
            email(json!({"consent": "UNSUBSCRIBED"})),
            json!({}),
            format!("{at}/subscriptions/email/marketing/consent"),
        ),
        (
            email(json!({"consent": "SUBSCRIBED", "consented_at": "2024-01-01T00:00:00Z"})),
            json!({}),
            format!("{at}/subscriptions/email/marketing/consented_at"),
        ),
        (email(yes.clone()), import.clone(), format!("{at}/subscriptions/email/marketing/consented_at")),
        (
            email(json!({"consent": "SUBSCRIBED", "consented_at": "2026-06-17T12:00:01Z"})),
            import.clone(),
            format!("{at}/subscriptions/email/marketing/consented_at"),
        ),
        (
            email(json!({"consent": "SUBSCRIBED", "consented_at": "long ago"})),
            import.clone(),
            format!("{at}/subscriptions/email/marketing/consented_at"),
        ),
        (
            one(json!({"email": "x@example.com", "subscriptions": {"push": {
                "marketing": yes, "tokens": [{"token": "t", "platform": "ios", "vendor": "apns"}],
            }}})),
            json!({}),
            format!("{at}/subscriptions/push/tokens"),
        ),
        (
            one(json!({"email": "x@example.com", "age_gated_date_of_birth": "young"})),
            json!({}),
            format!("{at}/age_gated_date_of_birth"),
        ),
        (
            json!([{"type": "profile", "id": "NOBODY", "attributes": {"subscriptions": {"email": {"marketing": yes}}}}]),
            json!({}),
            at.to_owned(),
        ),
        (
            json!([{"type": "profile", "id": ann, "attributes": {
                "email": "other@example.com", "subscriptions": {"email": {"marketing": yes}},
            }}]),
            json!({}),
            at.to_owned(),
        ),
        (
            json!([{"type": "profile", "id": ann, "attributes": {"subscriptions": {"sms": {"marketing": yes}}}}]),
            json!({}),
            at.to_owned(),
        ),
    ] {
        // Nobody is subscribed if anything is wrong.
        let mut all = profiles.clone();
        all.as_array_mut()
            .unwrap()
            .extend((profiles != json!([])).then(|| by_email("ann@example.com", "SUBSCRIBED")));
        let reply = world.post(SUBSCRIBE, subscribing(all, Some(&single), more)).await;
        assert_eq!(reply.error(), (400, pointer.as_str()), "{profiles} {}", reply.body);
    }
    let many = vec![by_email("ann@example.com", "SUBSCRIBED"); 1001];
    let reply = world.post(SUBSCRIBE, subscribing(many.into(), Some(&single), json!({}))).await;
    assert_eq!(reply.error(), (400, "/data/attributes/profiles/data"));
    let many = vec![by_email("ann@example.com", "UNSUBSCRIBED"); 101];
    let reply = world.post(UNSUBSCRIBE, unsubscribing(many.into(), None)).await;
    assert_eq!(reply.error(), (400, "/data/attributes/profiles/data"));
    let one = json!([by_email("ann@example.com", "SUBSCRIBED")]);
    let reply = world.post(SUBSCRIBE, subscribing(one, Some("NONE00"), json!({}))).await;
    assert_eq!(reply.error(), (404, "/data/relationships/list/data/id"));
    assert_eq!(consent(&world, "ann@example.com").await, "NEVER_SUBSCRIBED");
    assert!(metrics(&world).is_empty());
}

#[tokio::test]
async fn a_profile_can_be_named_by_its_id_and_gets_the_addresses_that_it_lacks() {
    let world = World::opting_in(OptIn::SingleOptIn).await;
    let ann = world.profile("ann@example.com").await;
    let subscriptions_asked = json!({"email": {"marketing": {"consent": "SUBSCRIBED"}}, "sms": {"marketing": {"consent": "SUBSCRIBED"}}});
    let attributes = json!({"phone_number": "+12125550123", "subscriptions": subscriptions_asked});
    let people = json!([{"type": "profile", "id": ann, "attributes": attributes}]);
    for _ in 0..2 {
        accepted(&world, SUBSCRIBE, subscribing(people.clone(), None, json!({}))).await;
    }
    let shown = subscriptions(&world, "ann@example.com").await;
    assert_eq!(shown["email"]["marketing"]["consent"], "SUBSCRIBED");
    assert_eq!(shown["sms"]["marketing"]["can_receive_sms_marketing"], true);
    let found = world.get("/api/profiles?filter=equals(phone_number,'%2B12125550123')").await;
    assert_eq!(found.ids(), [ann.as_str()]);
}

#[tokio::test]
async fn two_addresses_of_two_people_are_subscribed_each_on_its_own() {
    let world = World::opting_in(OptIn::SingleOptIn).await;
    for (email, phone) in [("ann@example.com", "+12125550101"), ("bob@example.com", "+12125550102")] {
        let attributes = json!({"email": email, "phone_number": phone});
        world.post("/api/profiles", json!({"data": {"type": "profile", "attributes": attributes}})).await;
    }
    let yes = json!({"marketing": {"consent": "SUBSCRIBED"}});
    let people = json!([{"type": "profile", "attributes": {
        "email": "ann@example.com", "phone_number": "+12125550102", "subscriptions": {"email": yes, "sms": yes},
    }}]);
    accepted(&world, SUBSCRIBE, subscribing(people, None, json!({}))).await;
    let (ann, bob) =
        (subscriptions(&world, "ann@example.com").await, subscriptions(&world, "bob@example.com").await);
    let of = |shown: &Value, way: &str| shown[way]["marketing"]["consent"].as_str().unwrap().to_owned();
    assert_eq!([of(&ann, "email"), of(&ann, "sms")], ["SUBSCRIBED", "NEVER_SUBSCRIBED"]);
    assert_eq!([of(&bob, "email"), of(&bob, "sms")], ["NEVER_SUBSCRIBED", "SUBSCRIBED"]);
}

#[tokio::test]
async fn who_is_on_the_list_leaves_it_and_everybody_else_is_unsubscribed_altogether() {
    let world = World::new().await;
    let (list, other) = (list(&world, "single_opt_in").await, list(&world, "single_opt_in").await);
    for (email, list) in [("ann@example.com", &list), ("bob@example.com", &other)] {
        let yes = json!({"marketing": {"consent": "SUBSCRIBED"}});
        let phone = if email.starts_with("ann") { "+12125550101" } else { "+12125550102" };
        let people = json!([{"type": "profile", "attributes": {
            "email": email, "phone_number": phone, "subscriptions": {"email": yes, "sms": yes},
        }}]);
        accepted(&world, SUBSCRIBE, subscribing(people, Some(list), json!({}))).await;
    }
    world.pass(60_000);
    let people = json!([
        by_email("ann@example.com", "UNSUBSCRIBED"),
        by_email("bob@example.com", "UNSUBSCRIBED"),
        by_email("new@example.com", "UNSUBSCRIBED"),
    ]);
    let expected = ["SUBSCRIBED", "UNSUBSCRIBED", "UNSUBSCRIBED"];
    // Sent again because the answer was lost, it does not mean more.
    for _ in 0..2 {
        accepted(&world, UNSUBSCRIBE, unsubscribing(people.clone(), Some(&list))).await;
        for (email, expected) in
            ["ann@example.com", "bob@example.com", "new@example.com"].iter().zip(expected)
        {
            assert_eq!(consent(&world, email).await, expected, "{email}");
        }
        world.pass(1000);
    }
    let ann = subscriptions(&world, "ann@example.com").await;
    assert_eq!(
        ann["email"]["marketing"]["list_suppressions"],
        json!([{"list_id": list, "reason": "UNSUBSCRIBE", "timestamp": "2026-06-17T12:01:00+00:00"}])
    );
    assert_eq!(ann["email"]["marketing"]["can_receive_email_marketing"], true);
    assert_eq!(members(&world, &list).await, [""; 0]);
    assert_eq!(members(&world, &other).await, ["bob@example.com"]);
    assert_eq!(reasons(&subscriptions(&world, "bob@example.com").await), ["UNSUBSCRIBE"]);
    let told = metrics(&world);
    assert_eq!(told.iter().filter(|metric| *metric == "Unsubscribed from List").count(), 1);
    // Later, she is not on the list: the same request is about all e-mail.
    world.pass(DAY_MS);
    let again = json!([by_email("ann@example.com", "UNSUBSCRIBED")]);
    accepted(&world, UNSUBSCRIBE, unsubscribing(again, Some(&list))).await;
    assert_eq!(consent(&world, "ann@example.com").await, "UNSUBSCRIBED");
    let sms = |shown: &Value| shown["sms"]["marketing"]["consent"].as_str().unwrap().to_owned();
    assert_eq!(sms(&subscriptions(&world, "ann@example.com").await), "SUBSCRIBED");
    // Text messages are no list's.
    let no = json!({"sms": {"marketing": {"consent": "UNSUBSCRIBED"}}});
    let people =
        json!([{"type": "profile", "attributes": {"phone_number": "+12125550102", "subscriptions": no}}]);
    accepted(&world, UNSUBSCRIBE, unsubscribing(people, Some(&other))).await;
    assert_eq!(sms(&subscriptions(&world, "bob@example.com").await), "UNSUBSCRIBED");
    // Who subscribes again is back, and the list may write again.
    world.pass(1000);
    let yes = json!([by_email("ann@example.com", "SUBSCRIBED")]);
    accepted(&world, SUBSCRIBE, subscribing(yes, Some(&list), json!({}))).await;
    let ann = subscriptions(&world, "ann@example.com").await;
    assert_eq!(ann["email"]["marketing"]["list_suppressions"], json!([]));
    assert_eq!(members(&world, &list).await, ["ann@example.com"]);
}

#[tokio::test]
async fn named_addresses_are_suppressed_and_only_that_is_taken_back() {
    let world = World::new().await;
    world.profile("ann@example.com").await;
    world.profile("bob@example.com").await;
    for reason in ["HARD_BOUNCE", "UNSUBSCRIBE"] {
        suppress_for(&world, "bob@example.com", reason).await;
    }
    let named = |emails: &[&str]| -> Value {
        emails.iter().map(|email| json!({"type": "profile", "attributes": {"email": email}})).collect()
    };
    let suppress =
        |emails: &[&str]| job("profile-suppression-bulk-create-job", named(emails), None, json!({}));
    let all = ["ann@example.com", "bob@example.com", "new@example.com", "ANN@example.com"];
    let reply = accepted(&world, SUPPRESS, suppress(&all)).await;
    let attributes = &reply.body["data"]["attributes"];
    assert_eq!(
        attributes,
        &json!({
            "status": "complete", "created_at": "2026-06-17T12:00:00+00:00", "total_count": 3, "completed_count": 3,
            "completed_at": "2026-06-17T12:00:00+00:00", "skipped_count": 0,
        })
    );
    assert_eq!(reply.body["data"]["type"], "profile-suppression-bulk-create-job");
    let path = format!("{SUPPRESS}/{}", reply.id());
    assert_eq!(reply.body["data"]["links"]["self"], format!("https://api.example.com{path}/"));
    assert_eq!(world.get(&path).await.body["data"], reply.body["data"]);
    assert_eq!(world.get(&format!("{UNSUPPRESS}/{}", reply.id())).await.error().0, 404);
    assert_eq!(reasons(&subscriptions(&world, "ann@example.com").await), ["USER_SUPPRESSED"]);
    let again = accepted(&world, SUPPRESS, suppress(&["ann@example.com"])).await;
    assert_eq!(again.body["data"]["attributes"]["skipped_count"], 1);

    let unsuppress = job("profile-suppression-bulk-delete-job", named(&all), None, json!({}));
    let reply = accepted(&world, UNSUPPRESS, unsuppress).await;
    assert_eq!(reply.body["data"]["type"], "profile-suppression-bulk-delete-job");
    assert_eq!(reply.body["data"]["attributes"]["completed_count"], 3);
    assert_eq!(reasons(&subscriptions(&world, "bob@example.com").await), ["HARD_BOUNCE", "UNSUBSCRIBE"]);
    assert!(reasons(&subscriptions(&world, "ann@example.com").await).is_empty());
    let nobody = job("profile-suppression-bulk-delete-job", named(&["none@example.com"]), None, json!({}));
    let reply = accepted(&world, UNSUPPRESS, nobody).await;
    assert_eq!(reply.body["data"]["attributes"]["skipped_count"], 1);
    assert_eq!(world.get("/api/profiles?filter=equals(email,'none@example.com')").await.ids(), [""; 0]);
    world.pass(7 * DAY_MS + 1);
    assert_eq!(world.get(&path).await.error().0, 404);
}

#[tokio::test]
async fn the_members_of_a_list_or_a_segment_are_left_to_a_job() {
    let world = World::new().await;
    let list = list(&world, "single_opt_in").await;
    let yes = json!([by_email("ann@example.com", "SUBSCRIBED")]);
    accepted(&world, SUBSCRIBE, subscribing(yes, Some(&list), json!({}))).await;
    let about = |kind: &str, group: &str, id: &str| json!({"data": {"type": kind, "attributes": {}, "relationships": {group: {"data": {"type": group, "id": id}}}}});
    let kind = "profile-suppression-bulk-create-job";
    let reply = accepted(&world, SUPPRESS, about(kind, "list", &list)).await;
    let id = reply.id();
    let attributes = &reply.body["data"]["attributes"];
    assert_eq!((&attributes["status"], &attributes["total_count"]), (&json!("queued"), &json!(1)));
    assert_eq!(
        reply.body["data"]["relationships"],
        json!({"lists": {"data": [{"type": "list", "id": list}]}, "segments": {"data": []}})
    );
    let message: JobMessage = serde_json::from_str(&world.sent(Queue::Jobs)[0]).unwrap();
    assert_eq!(world.store.job(&message.job).await.unwrap().unwrap().kind, JobKind::Suppress);
    assert_eq!(message.job, id);
    world.pass(1000);
    let named = json!([{"type": "profile", "attributes": {"email": "ann@example.com"}}]);
    let done = accepted(&world, SUPPRESS, job(kind, named.clone(), None, json!({}))).await.id();
    for (query, found) in [
        (String::new(), vec![&id, &done]),
        ("?sort=-created".to_owned(), vec![&done, &id]),
        ("?sort=created".to_owned(), vec![&id, &done]),
        ("?filter=equals(status,'queued')".to_owned(), vec![&id]),
        (format!("?filter=equals(list_id,'{list}'),equals(status,'complete')"), vec![]),
        (format!("?filter=equals(list_id,'{list}')"), vec![&id]),
        (format!("?filter=equals(segment_id,'{list}')"), vec![]),
    ] {
        assert_eq!(world.get(&format!("{SUPPRESS}{query}")).await.ids(), found, "{query}");
    }
    assert_eq!(world.get(UNSUPPRESS).await.ids(), [""; 0]);
    assert_eq!(
        world.get(&format!("{SUPPRESS}?filter=any(status,['queued'])")).await.error(),
        (400, "filter")
    );
    assert_eq!(world.get(&format!("{SUPPRESS}?sort=status")).await.error(), (400, "sort"));

    let mut both = about(kind, "list", &list);
    both["data"]["attributes"]["profiles"] = json!({"data": named});
    let many: Vec<Value> = (0..101)
        .map(|place| json!({"type": "profile", "attributes": {"email": format!("p{place}@example.com")}}))
        .collect();
    for (body, expected) in [
        (both, (400, "/data")),
        (json!({"data": {"type": kind, "attributes": {}}}), (400, "/data")),
        (about(kind, "list", "NONE00"), (404, "/data/relationships/list/data/id")),
        (about(kind, "segment", "NONE00"), (404, "/data/relationships/segment/data/id")),
        (about("profile-suppression-bulk-delete-job", "list", &list), (400, "/data/type")),
        (job(kind, many.into(), None, json!({})), (400, "/data/attributes/profiles/data")),
        (
            job(kind, json!([{"type": "profile", "attributes": {}}]), None, json!({})),
            (400, "/data/attributes/profiles/data/0/attributes/email"),
        ),
    ] {
        assert_eq!(world.post(SUPPRESS, body).await.error(), expected);
    }
}

#[tokio::test]
async fn nobody_is_subscribed_by_a_double_opt_in_before_they_confirm_it() {
    let world = World::new().await;
    let list = list(&world, "double_opt_in").await;
    let ask = || {
        subscribing(
            json!([by_email("ann@example.com", "SUBSCRIBED")]),
            Some(&list),
            json!({"custom_source": "Fair"}),
        )
    };
    accepted(&world, SUBSCRIBE, ask()).await;
    let is_subscribed =
        async || (consent(&world, "ann@example.com").await, members(&world, &list).await.len());
    assert_eq!(is_subscribed().await, ("NEVER_SUBSCRIBED".to_owned(), 0));
    let asked = told(&world);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].metric, "Requested Subscription Confirmation");
    let properties = &asked[0].properties;
    assert_eq!((&properties["List"], &properties["List ID"]), (&json!("News & Offers"), &json!(list)));
    assert_eq!(properties["Channels"], json!(["email"]));
    assert_eq!(properties["Expires"], "2026-07-17T12:00:00+00:00");
    let link = links(&world)[0].clone();
    let token = link.strip_prefix("https://api.example.com/confirm/").unwrap();
    assert_eq!(token.len(), 64);

    // A program that follows the link confirms nothing.
    let (status, headers, page) = browse(&world, Method::GET, &link).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("News &amp; Offers") && page.contains("<form method=\"post\">"), "{page}");
    assert!(!page.contains("ann@example.com"));
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        (
            "content-security-policy",
            "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
    ] {
        assert_eq!(headers[name], value);
    }
    assert_eq!(is_subscribed().await, ("NEVER_SUBSCRIBED".to_owned(), 0));
    let (status, headers, _) = browse(&world, Method::DELETE, &link).await;
    assert_eq!((status, &headers["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"GET, POST".parse().unwrap()));

    world.pass(60_000);
    assert_eq!(browse(&world, Method::POST, &link).await.0, StatusCode::OK);
    assert_eq!(is_subscribed().await, ("SUBSCRIBED".to_owned(), 1));
    let shown = subscriptions(&world, "ann@example.com").await;
    let marketing = &shown["email"]["marketing"];
    assert_eq!(
        (&marketing["double_optin"], &marketing["custom_method_detail"]),
        (&json!(true), &json!("Fair"))
    );
    assert_eq!(marketing["consent_timestamp"], "2026-06-17T12:01:00+00:00");
    // Again: the same, also in what is told.
    world.pass(60_000);
    assert_eq!(browse(&world, Method::POST, &link).await.0, StatusCode::OK);
    assert_eq!(subscriptions(&world, "ann@example.com").await, shown);
    let confirmed: Vec<_> =
        told(&world).into_iter().filter(|event| event.metric == "Subscribed to Email Marketing").collect();
    assert_eq!(confirmed.len(), 2);
    assert_eq!(confirmed[0].unique_id, confirmed[1].unique_id);
    // Who is subscribed and on the list has nothing to confirm.
    accepted(&world, SUBSCRIBE, ask()).await;
    assert_eq!(links(&world).len(), 1);
    // What is decided later stays decided.
    accepted(&world, UNSUBSCRIBE, unsubscribing(json!([by_email("ann@example.com", "UNSUBSCRIBED")]), None))
        .await;
    let id = find(&world, "ann@example.com").await;
    world.store.leave_list(&id, &list, world.now()).await.unwrap();
    assert_eq!(browse(&world, Method::POST, &link).await.0, StatusCode::OK);
    assert_eq!(is_subscribed().await, ("UNSUBSCRIBED".to_owned(), 0));
}

#[tokio::test]
async fn a_link_confirms_one_address_and_not_for_ever() {
    let world = World::new().await;
    let list = list(&world, "double_opt_in").await;
    let yes = json!({"marketing": {"consent": "SUBSCRIBED"}});
    let people = json!([{"type": "profile", "attributes": {
        "email": "ann@example.com", "phone_number": "+12125550123", "subscriptions": {"email": yes, "sms": yes},
    }}]);
    accepted(&world, SUBSCRIBE, subscribing(people.clone(), Some(&list), json!({}))).await;
    let asked = links(&world);
    assert_eq!(asked.len(), 2);
    assert_eq!(browse(&world, Method::POST, &asked[1]).await.0, StatusCode::OK);
    let shown = subscriptions(&world, "ann@example.com").await;
    assert_eq!(shown["email"]["marketing"]["consent"], "NEVER_SUBSCRIBED");
    assert_eq!(shown["sms"]["marketing"]["consent"], "SUBSCRIBED");
    assert_eq!(members(&world, &list).await, ["ann@example.com"]);
    // Whoever asks again and again within a quarter of an hour makes one event.
    accepted(
        &world,
        SUBSCRIBE,
        subscribing(json!([by_email("bob@example.com", "SUBSCRIBED")]), Some(&list), json!({})),
    )
    .await;
    accepted(
        &world,
        SUBSCRIBE,
        subscribing(json!([by_email("bob@example.com", "SUBSCRIBED")]), Some(&list), json!({})),
    )
    .await;
    let told = told(&world);
    let ids: Vec<_> = told[told.len() - 2..].iter().map(|event| event.unique_id.clone()).collect();
    assert_eq!(ids[0], ids[1]);
    // The link goes to an address that is no longer hers.
    let id = find(&world, "ann@example.com").await;
    let change = json!({"data": {"type": "profile", "id": id, "attributes": {"email": "anna@example.com"}}});
    assert_eq!(world.patch(&format!("/api/profiles/{id}"), change).await.status, StatusCode::OK);
    assert_eq!(browse(&world, Method::POST, &asked[0]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(consent(&world, "anna@example.com").await, "NEVER_SUBSCRIBED");
    // Nobody's, and too old.
    let bob = links(&world).pop().unwrap();
    for address in [
        "https://api.example.com/confirm/abc",
        "https://api.example.com/confirm/a/b",
        "https://api.example.com/confirm",
    ] {
        assert_eq!(browse(&world, Method::GET, address).await.0, StatusCode::NOT_FOUND, "{address}");
    }
    world.pass(30 * DAY_MS);
    for method in [Method::GET, Method::POST] {
        assert_eq!(browse(&world, method, &bob).await.0, StatusCode::NOT_FOUND);
    }
    assert_eq!(consent(&world, "bob@example.com").await, "NEVER_SUBSCRIBED");
}

#[tokio::test]
async fn without_a_list_the_process_of_the_account_counts() {
    for (process, expected, links_sent) in
        [(OptIn::SingleOptIn, "SUBSCRIBED", 0), (OptIn::DoubleOptIn, "NEVER_SUBSCRIBED", 1)]
    {
        let world = World::opting_in(process).await;
        accepted(
            &world,
            SUBSCRIBE,
            subscribing(json!([by_email("ann@example.com", "SUBSCRIBED")]), None, json!({})),
        )
        .await;
        assert_eq!(consent(&world, "ann@example.com").await, expected);
        assert_eq!(links(&world).len(), links_sent);
        for link in links(&world) {
            assert_eq!(browse(&world, Method::POST, &link).await.0, StatusCode::OK);
            assert_eq!(consent(&world, "ann@example.com").await, "SUBSCRIBED");
        }
    }
}

#[tokio::test]
async fn the_shapes_of_older_revisions_are_understood() {
    let world = World::new().await;
    let list = list(&world, "single_opt_in").await;
    let send = async |path: &str, kind: &str, attributes: Value| {
        let body = json!({"data": {"type": kind, "attributes": attributes}});
        accepted(&world, path, body).await;
    };
    let subscribe = "profile-subscription-bulk-create-job";
    // Until 2023-06-15.
    let id = world.profile("ann@example.com").await;
    let subscriptions_of_2022 = json!([
        {"channels": {"email": ["MARKETING"]}, "email": "ann@example.com", "profile_id": id},
        {"channels": {"email": ["MARKETING"], "sms": ["MARKETING"]}, "email": "bob@example.com", "phone_number": "+12125550102"},
        {"email": "cat@example.com"},
    ]);
    let attributes = json!({"list_id": list, "custom_source": "Old", "subscriptions": subscriptions_of_2022});
    send("/api/profile-subscription-bulk-create-jobs/", subscribe, attributes).await;
    assert_eq!(members(&world, &list).await.len(), 3);
    for email in ["ann@example.com", "bob@example.com", "cat@example.com"] {
        assert_eq!(consent(&world, email).await, "SUBSCRIBED", "{email}");
    }
    assert_eq!(subscriptions(&world, "bob@example.com").await["sms"]["marketing"]["consent"], "SUBSCRIBED");
    // 2023-07-15 and 2023-09-15.
    let profile = json!({"type": "profile", "attributes": {"email": "dan@example.com", "subscriptions": {"email": ["MARKETING"]}}});
    let attributes = json!({"list_id": list, "profiles": {"data": [profile]}});
    send(SUBSCRIBE, subscribe, attributes).await;
    assert_eq!(consent(&world, "dan@example.com").await, "SUBSCRIBED");

    world.pass(1000);
    let kind = "profile-unsubscription-bulk-create-job";
    let path = "/api/profile-unsubscription-bulk-create-jobs/";
    send(path, kind, json!({"emails": ["ann@example.com"], "phone_numbers": ["+12125550102"]})).await;
    assert_eq!(consent(&world, "ann@example.com").await, "UNSUBSCRIBED");
    let bob = subscriptions(&world, "bob@example.com").await;
    assert_eq!(
        (&bob["sms"]["marketing"]["consent"], &bob["email"]["marketing"]["consent"]),
        (&json!("UNSUBSCRIBED"), &json!("SUBSCRIBED"))
    );
    let profile = json!({"type": "profile", "attributes": {"email": "dan@example.com"}});
    send(UNSUBSCRIBE, "profile-subscription-bulk-delete-job", json!({"profiles": {"data": [profile]}})).await;
    assert_eq!(consent(&world, "dan@example.com").await, "UNSUBSCRIBED");

    let suppressions = json!({"suppressions": [{"email": "cat@example.com"}]});
    send(
        "/api/profile-suppression-bulk-create-jobs/",
        "profile-suppression-bulk-create-job",
        suppressions.clone(),
    )
    .await;
    assert_eq!(reasons(&subscriptions(&world, "cat@example.com").await), ["USER_SUPPRESSED"]);
    let path = "/api/profile-unsuppression-bulk-create-jobs/";
    send(path, "profile-unsuppression-bulk-create-job", suppressions).await;
    assert!(reasons(&subscriptions(&world, "cat@example.com").await).is_empty());
    assert_eq!(world.post(path, json!({"data": {"type": "profile-unsuppression-bulk-create-job", "attributes": {"suppressions": [{}]}}})).await.error(), (400, "/data/attributes/suppressions/0/email"));
}

#[tokio::test]
async fn keys_need_the_scopes_of_subscriptions() {
    let world = World::new().await;
    world.add_key("pk_some", &["profiles:write", "subscriptions:write"]).await;
    for (method, path, status) in [
        (Method::POST, SUBSCRIBE, 403),
        (Method::POST, UNSUBSCRIBE, 403),
        (Method::POST, SUPPRESS, 400),
        (Method::POST, UNSUPPRESS, 400),
        (Method::GET, SUPPRESS, 403),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "api.example.com")
            .header("authorization", "Klaviyo-API-Key pk_some");
        let reply = world.request(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(reply.status.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn profiles_are_found_by_their_suppressions() {
    let world = World::new().await;
    let list = list(&world, "single_opt_in").await;
    world.profile("free@example.com").await;
    for (email, reason) in [
        ("ann@example.com", "HARD_BOUNCE"),
        ("bob@example.com", "USER_SUPPRESSED"),
        ("cat@example.com", "HARD_BOUNCE"),
    ] {
        world.profile(email).await;
        suppress_for(&world, email, reason).await;
        world.pass(1000);
    }
    suppress_for(&world, "ann@example.com", "USER_SUPPRESSED").await;
    for email in ["dan@example.com", "eve@example.com"] {
        let yes = json!([by_email(email, "SUBSCRIBED")]);
        accepted(&world, SUBSCRIBE, subscribing(yes, Some(&list), json!({}))).await;
        let no = json!([by_email(email, "UNSUBSCRIBED")]);
        accepted(&world, UNSUBSCRIBE, unsubscribing(no, Some(&list))).await;
        world.pass(1000);
    }
    let of = "subscriptions.email.marketing";
    let found = async |query: String| {
        let reply = world.get(&format!("/api/profiles?{query}")).await;
        assert_eq!(reply.status, StatusCode::OK, "{query} {}", reply.body);
        let data = reply.body["data"].as_array().unwrap().clone();
        let name = |one: &Value| one["attributes"]["email"].as_str().unwrap()[..3].to_owned();
        data.iter().map(name).collect::<Vec<String>>()
    };
    let second = |second: u32| format!("2026-06-17T12:00:0{second}Z");
    for (query, expected) in [
        (format!("filter=equals({of}.suppression.reason,'HARD_BOUNCE')"), vec!["cat", "ann"]),
        (format!("filter=equals({of}.suppression.reason,'USER_SUPPRESSED')"), vec!["bob", "ann"]),
        (format!("filter=equals({of}.suppression.reason,'SPAM_COMPLAINT')"), vec![]),
        (format!("filter=greater-than({of}.suppression.timestamp,{})", second(1)), vec!["cat", "ann"]),
        (
            format!("filter=greater-or-equal({of}.suppression.timestamp,{})", second(1)),
            vec!["bob", "cat", "ann"],
        ),
        (format!("filter=less-than({of}.suppression.timestamp,{})", second(1)), vec!["ann"]),
        // One suppression must meet both.
        (
            format!(
                "filter=equals({of}.suppression.reason,'HARD_BOUNCE'),greater-than({of}.suppression.timestamp,{})",
                second(1)
            ),
            vec!["cat"],
        ),
        (format!("sort={of}.suppression.timestamp"), vec!["bob", "cat", "ann"]),
        (format!("sort=-{of}.suppression.timestamp"), vec!["ann", "cat", "bob"]),
        (format!("filter=equals({of}.list_suppressions.list_id,'{list}')"), vec!["dan", "eve"]),
        (format!("filter=equals({of}.list_suppressions.list_id,'NONE00')"), vec![]),
        (
            format!("filter=equals({of}.list_suppressions.reason,'UNSUBSCRIBE')&sort=-email"),
            vec!["eve", "dan"],
        ),
        (format!("filter=less-or-equal({of}.list_suppressions.timestamp,{})", second(3)), vec!["dan"]),
        (format!("sort=-{of}.list_suppressions.timestamp"), vec!["eve", "dan"]),
        (
            format!("filter=equals(email,'ann@example.com'),equals({of}.suppression.reason,'HARD_BOUNCE')"),
            vec!["ann"],
        ),
        (
            format!("filter=equals(email,'ann@example.com'),equals({of}.list_suppressions.list_id,'{list}')"),
            vec![],
        ),
    ] {
        assert_eq!(found(query.clone()).await, expected, "{query}");
    }
    let first = world.get(&format!("/api/profiles?sort={of}.suppression.timestamp&page[size]=2")).await;
    assert_eq!((first.ids().len(), world.get(&first.next().unwrap()).await.ids().len()), (2, 1));
    let bad = format!("/api/profiles?filter=greater-than({of}.suppression.timestamp,'soon')");
    assert_eq!(world.get(&bad).await.error(), (400, "filter"));
    let bad = format!("/api/profiles?filter=equals({of}.suppression.reason,'BORED')");
    assert_eq!(world.get(&bad).await.error(), (400, "filter"));
}

#[tokio::test]
async fn who_is_suppressed_stays_so_when_two_profiles_become_one() {
    let world = World::new().await;
    let list = list(&world, "single_opt_in").await;
    let phone = json!({"data": {"type": "profile", "attributes": {"phone_number": "+12125550123"}}});
    world.post("/api/profiles", phone).await;
    let mut other = world.store.profile(world.get("/api/profiles").await.ids()[0]).await.unwrap().unwrap();
    let at: Instant = world.now();
    other.value.suppress(at);
    other.value.suppress_list(&list, at);
    world.store.put_profile(&other.value, other.version).await.unwrap();
    world.profile("ann@example.com").await;
    let body = json!({"data": {"type": "profile", "attributes": {"email": "ann@example.com", "phone_number": "+12125550123"}}});
    world.post("/api/profile-import", body).await;
    let shown = subscriptions(&world, "ann@example.com").await;
    assert_eq!(reasons(&shown), ["USER_SUPPRESSED"]);
    assert_eq!(shown["email"]["marketing"]["list_suppressions"][0]["list_id"], json!(list));
}

#[tokio::test]
async fn what_broke_off_is_whole_once_it_is_sent_again() {
    let world = World::new().await;
    let (single, double) = (list(&world, "single_opt_in").await, list(&world, "double_opt_in").await);
    let yes =
        |list: &str| subscribing(json!([by_email("ann@example.com", "SUBSCRIBED")]), Some(list), json!({}));
    let broken = |is: bool| world.outbox.broken.store(is, std::sync::atomic::Ordering::SeqCst);
    for list in [&double, &single] {
        broken(true);
        assert_eq!(world.post(SUBSCRIBE, yes(list)).await.error().0, 503);
        broken(false);
        accepted(&world, SUBSCRIBE, yes(list)).await;
    }
    assert_eq!(members(&world, &single).await, ["ann@example.com"]);
    // The link is asked for before she is subscribed, and told although the first attempt failed.
    let link = links(&world)[0].clone();
    world.pass(1000);
    broken(true);
    assert_eq!(browse(&world, Method::POST, &link).await.0, StatusCode::SERVICE_UNAVAILABLE);
    broken(false);
    world.pass(1000);
    assert_eq!(browse(&world, Method::POST, &link).await.0, StatusCode::OK);
    assert_eq!(members(&world, &double).await, ["ann@example.com"]);
    let told = told(&world);
    let confirmed = told.last().unwrap();
    assert_eq!(confirmed.time.unwrap().as_millis(), crate::NOW_MS + 1000);
    let shown = subscriptions(&world, "ann@example.com").await;
    assert_eq!(shown["email"]["marketing"]["double_optin"], true);
    // A list that is deleted takes nobody in by a link from before.
    let gone = list(&world, "double_opt_in").await;
    accepted(
        &world,
        SUBSCRIBE,
        subscribing(json!([by_email("bob@example.com", "SUBSCRIBED")]), Some(&gone), json!({})),
    )
    .await;
    world.delete(&format!("/api/lists/{gone}")).await;
    let link = links(&world).pop().unwrap();
    assert_eq!(browse(&world, Method::POST, &link).await.0, StatusCode::OK);
    assert_eq!(consent(&world, "bob@example.com").await, "SUBSCRIBED");
    let bob = find(&world, "bob@example.com").await;
    assert!(world.store.profile(&bob).await.unwrap().unwrap().value.lists.is_empty());
}
