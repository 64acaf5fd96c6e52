//! Many profiles and events at once. What the job makes of the profiles is tested where the job is.

use api::Queue;
use canonical::{ApiEvent, Instant};
use http::StatusCode;
use platform::Delivery;
use serde_json::{Value, json};
use store::{BulkOutcome, BulkPlace, BulkRow, JobKind};

use crate::World;

const PROFILES: &str = "/api/profile-bulk-import-jobs";
const EVENTS: &str = "/api/event-bulk-create-jobs";

fn import(profiles: Vec<Value>) -> Value {
    json!({"data": {"type": "profile-bulk-import-job", "attributes": {"profiles": {"data": profiles}}}})
}

fn profile(attributes: Value) -> Value {
    json!({"type": "profile", "attributes": attributes})
}

async fn rows(world: &World, id: &str) -> Vec<BulkRow> {
    let import = world.store.bulk_import(id).await.unwrap().unwrap();
    let mut rows = Vec::new();
    for chunk in 0..import.chunks {
        rows.extend(world.store.bulk_rows(id, chunk).await.unwrap().unwrap());
    }
    rows
}

fn place(row: &BulkRow) -> (BulkPlace, bool) {
    match row {
        BulkRow::Profile { place, .. } => (place.clone(), true),
        BulkRow::Refused(error) => (error.place.clone(), false),
    }
}

#[tokio::test]
async fn an_import_is_written_down_before_the_answer() {
    let world = World::new().await;
    // As the Python SDK sends it, with an empty list of lists.
    let mut body = import(vec![
        profile(
            json!({"email": " Ann@Example.com", "first_name": null, "properties": {"vip": true, "old": null}}),
        ),
        profile(json!({"email": "no address"})),
        profile(json!({"phone_number": "+12125550123", "location": {"city": "Lyon", "zip": null}})),
        profile(json!({"first_name": "Nobody"})),
        json!({"type": "profile", "id": "P1", "attributes": {"title": "Dr"}}),
        json!({"type": "person"}),
    ]);
    body["data"]["relationships"] = json!({"lists": {"data": []}});
    let reply = world.post(PROFILES, body).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
    let id = reply.id();
    assert_eq!(
        reply.body["data"]["attributes"],
        json!({
            "status": "queued", "created_at": "2026-06-17T12:00:00+00:00", "total_count": 6, "completed_count": 0,
            "failed_count": 0, "started_at": null, "completed_at": null,
            "expires_at": "2026-06-24T12:00:00+00:00",
        })
    );
    let job = world.store.job(&id).await.unwrap().unwrap();
    assert_eq!((job.kind, job.status.parts_left), (JobKind::ImportProfiles, vec![0]));
    assert_eq!(world.sent(Queue::Jobs), [json!({"job": id, "part": 0}).to_string()]);
    let rows = rows(&world, &id).await;
    let at = |rest: &str| BulkPlace::Pointer(format!("/data/attributes/profiles/data/{rest}"));
    let expected = [
        (at("0"), true),
        (at("1/attributes/email"), false),
        (at("2"), true),
        (at("3"), false),
        (at("4"), true),
        (at("5/type"), false),
    ];
    assert_eq!(rows.iter().map(place).collect::<Vec<_>>(), expected);
    // Null clears nothing in a bulk import.
    let BulkRow::Profile { person, .. } = &rows[0] else { panic!() };
    assert_eq!(person.email.as_deref(), Some("ann@example.com"));
    assert_eq!(Value::from(person.attributes.clone()), json!({"properties": {"vip": true}}));
    let BulkRow::Profile { person, .. } = &rows[2] else { panic!() };
    assert_eq!(Value::from(person.attributes.clone()), json!({"location": {"city": "Lyon"}}));
}

#[tokio::test]
async fn what_an_import_came_to_can_be_asked_for() {
    let world = World::new().await;
    let first = world.post(PROFILES, import(vec![profile(json!({"email": "a@example.com"}))])).await.id();
    world.pass(1000);
    let body = import(vec![profile(json!({"email": "secret"})), profile(json!({"email": "b@example.com"}))]);
    let second = world.post(PROFILES, body).await.id();

    let known = world.profile("b@example.com").await;
    let stored = world.store.bulk_import(&second).await.unwrap().unwrap();
    let rows = rows(&world, &second).await;
    let BulkRow::Refused(error) = &rows[0] else { panic!() };
    let outcome = BulkOutcome { profiles: vec![known.clone(), known.clone()], errors: vec![error.clone()] };
    world.store.finish_bulk_chunk(&stored, &outcome, world.now()).await.unwrap();

    let got = world.get(&format!("{PROFILES}/{second}")).await;
    let attributes = &got.body["data"]["attributes"];
    assert_eq!(attributes["status"], "complete");
    assert_eq!((&attributes["completed_count"], &attributes["failed_count"]), (&json!(2), &json!(1)));
    assert_eq!(attributes["completed_at"], "2026-06-17T12:00:01+00:00");
    let errors = world.get(&format!("{PROFILES}/{second}/import-errors")).await;
    let error = &errors.body["data"][0];
    assert_eq!(error["type"], "import-error");
    assert_eq!(error["attributes"]["source"]["pointer"], "/data/attributes/profiles/data/0/attributes/email");
    assert_eq!(error["attributes"]["original_payload"], Value::Null);
    assert!(!errors.body.to_string().contains("secret"));
    let profiles = world.get(&format!("{PROFILES}/{second}/profiles")).await;
    assert_eq!(profiles.ids(), [known.as_str()]);
    assert_eq!(profiles.body["data"][0]["attributes"]["email"], "b@example.com");
    let ids = world.get(&format!("{PROFILES}/{second}/relationships/profiles")).await;
    assert_eq!(ids.body["data"], json!([{"type": "profile", "id": known}]));

    assert_eq!(world.get(PROFILES).await.ids(), [first.as_str(), second.as_str()]);
    assert_eq!(
        world.get(&format!("{PROFILES}?sort=-created_at")).await.ids(),
        [second.as_str(), first.as_str()]
    );
    assert_eq!(
        world.get(&format!("{PROFILES}?filter=equals(status,'queued')")).await.ids(),
        [first.as_str()]
    );
    let page = world.get(&format!("{PROFILES}?page[size]=1")).await;
    assert_eq!(page.ids(), [first.as_str()]);
    assert_eq!(world.get(&page.next().unwrap()).await.ids(), [second.as_str()]);
    assert_eq!(world.get(&format!("{PROFILES}?filter=equals(id,'x')")).await.error(), (400, "filter"));

    world.pass(8 * 24 * 3_600_000);
    assert_eq!(world.get(&format!("{PROFILES}/{second}")).await.error().0, 404);
    assert_eq!(world.get(&format!("{PROFILES}/{second}/profiles")).await.error().0, 404);
    assert!(world.get(PROFILES).await.ids().is_empty());
}

#[tokio::test]
async fn an_import_that_is_none_is_refused_whole() {
    let world = World::new().await;
    let in_list = |lists: Value| {
        let mut body = import(vec![profile(json!({"email": "a@example.com"}))]);
        body["data"]["relationships"] = json!({"lists": {"data": lists}});
        body
    };
    for (body, place) in [
        (import(vec![]), "/data/attributes/profiles/data"),
        (import(vec![profile(json!({})); 10_001]), "/data/attributes/profiles/data"),
        (in_list(json!({})), "/data/relationships/lists/data"),
        (in_list(json!([{"type": "segment", "id": "L1"}])), "/data/relationships/lists/data/0/type"),
        (in_list(json!(vec![json!({"type": "list", "id": "L1"}); 11])), "/data/relationships/lists/data"),
        (json!({"data": {"type": "profile"}}), "/data/type"),
        (
            json!({"data": {"type": "profile-bulk-import-job", "attributes": {"profiles": []}}}),
            "/data/attributes/profiles",
        ),
    ] {
        assert_eq!(world.post(PROFILES, body).await.error(), (400, place));
    }
    let unknown = in_list(json!([{"type": "list", "id": "L1"}]));
    assert_eq!(world.post(PROFILES, unknown).await.error(), (404, "/data/relationships/lists/data/0/id"));
    assert!(world.sent(Queue::Jobs).is_empty());
    world.add_key("pk_reader", &["profiles:write"]).await;
}

#[tokio::test]
async fn an_import_names_the_lists_that_its_profiles_are_put_on() {
    let world = World::new().await;
    let mut lists = Vec::new();
    for name in ["News", "Sales"] {
        let body = json!({"data": {"type": "list", "attributes": {"name": name}}});
        lists.push(world.post("/api/lists", body).await.id());
    }
    let named = |id: &str| json!({"type": "list", "id": id});
    let mut body = import(vec![profile(json!({"email": "a@example.com"}))]);
    body["data"]["relationships"] =
        json!({"lists": {"data": [named(&lists[1]), named(&lists[0]), named(&lists[1])]}});
    let id = world.post(PROFILES, body).await.id();
    let stored = world.store.bulk_import(&id).await.unwrap().unwrap();
    assert_eq!(stored.lists, [lists[1].as_str(), &lists[0]]);
    let both = json!([named(&lists[1]), named(&lists[0])]);
    let ids = world.get(&format!("{PROFILES}/{id}/relationships/lists")).await;
    assert_eq!(ids.body["data"], both);
    let whole = world.get(&format!("{PROFILES}/{id}/lists?fields[list]=name")).await;
    assert_eq!(whole.body["data"][0]["attributes"], json!({"name": "Sales"}));
    let including = world.get(&format!("{PROFILES}/{id}?include=lists")).await;
    assert_eq!(including.body["data"]["relationships"]["lists"]["data"], both);
    assert_eq!(including.body["included"].as_array().unwrap().len(), 2);
    assert_eq!(world.get(&format!("{PROFILES}/{id}?include=profiles")).await.error(), (400, "include"));

    world.delete(&format!("/api/lists/{}", lists[0])).await;
    assert_eq!(world.get(&format!("{PROFILES}/{id}/lists")).await.ids(), [lists[1].as_str()]);
    assert_eq!(world.get(&format!("{PROFILES}/none/lists")).await.error().0, 404);
}

#[tokio::test]
async fn the_same_request_again_is_an_import_of_its_own_that_knows_of_the_first() {
    let world = World::new().await;
    let body = |email: &str| import(vec![profile(json!({"email": email}))]);
    let mut first_sent = Vec::new();
    for (email, wait_ms) in [("a@example.com", 0), ("a@example.com", 1000), ("b@example.com", 1000)] {
        world.pass(wait_ms);
        let id = world.post(PROFILES, body(email)).await.id();
        first_sent.push(world.store.bulk_import(&id).await.unwrap().unwrap().first_sent_at);
    }
    assert_eq!(first_sent, [None, Instant::from_millis(crate::NOW_MS), None]);
    assert_eq!(world.get(PROFILES).await.ids().len(), 3);
    // For as long as the first is known.
    world.pass(7 * 24 * 3_600_000);
    let id = world.post(PROFILES, body("a@example.com")).await.id();
    assert_eq!(world.store.bulk_import(&id).await.unwrap().unwrap().first_sent_at, None);
    world.pass(1);
    let id = world.post(PROFILES, body("a@example.com")).await.id();
    assert!(world.store.bulk_import(&id).await.unwrap().unwrap().first_sent_at.is_some());
}

#[tokio::test]
async fn listings_of_an_import_keep_to_their_sizes_and_its_words_are_known() {
    let world = World::new().await;
    let rows = (0..25).map(|number| profile(json!({"email": format!("no {number}")})));
    let id = world.post(PROFILES, import(rows.collect())).await.id();
    let stored = world.store.bulk_import(&id).await.unwrap().unwrap();
    let rows = self::rows(&world, &id).await;
    let errors = rows.into_iter().map(|row| if let BulkRow::Refused(error) = row { error } else { panic!() });
    let mut profiles = Vec::new();
    for number in 0..25 {
        profiles.push(world.profile(&format!("p{number}@example.com")).await);
    }
    let outcome = BulkOutcome { profiles, errors: errors.collect() };
    world.store.finish_bulk_chunk(&stored, &outcome, world.now()).await.unwrap();
    for listing in ["import-errors", "profiles", "relationships/profiles"] {
        let path = format!("{PROFILES}/{id}/{listing}");
        let first = world.get(&path).await;
        let rest = world.get(&first.next().unwrap()).await;
        assert_eq!((first.ids().len(), rest.ids().len(), rest.next()), (20, 5, None), "{listing}");
        assert!(first.ids().iter().all(|id| !rest.ids().contains(id)), "{listing}");
        assert_eq!(world.get(&format!("{path}?page[size]=100")).await.ids().len(), 25);
        for size in ["0", "101", "x"] {
            assert_eq!(world.get(&format!("{path}?page[size]={size}")).await.error(), (400, "page[size]"));
        }
    }
    let with = format!("{PROFILES}/{id}/profiles?additional-fields[profile]=subscriptions&page[size]=1");
    assert!(world.get(&with).await.body["data"][0]["attributes"]["subscriptions"].is_object());
    for (filter, count) in [
        ("equals(status,'complete')", 1),
        ("any(status,['queued','complete'])", 1),
        ("equals(status,'cancelled')", 0),
    ] {
        assert_eq!(world.get(&format!("{PROFILES}?filter={filter}")).await.ids().len(), count, "{filter}");
    }
    for filter in ["equals(status,'done')", "greater-than(status,'complete')"] {
        assert_eq!(world.get(&format!("{PROFILES}?filter={filter}")).await.error(), (400, "filter"));
    }
    assert_eq!(world.get(&format!("{PROFILES}?sort=status")).await.error(), (400, "sort"));
}

#[tokio::test]
async fn many_and_large_rows_are_written_down_in_bounded_chunks() {
    let world = World::new().await;
    let large = "x".repeat(90_000);
    let mut profiles: Vec<Value> =
        (0..450).map(|number| profile(json!({"external_id": number.to_string()}))).collect();
    profiles.extend(
        (0..8).map(|number| {
            profile(json!({"external_id": format!("L{number}"), "properties": {"note": large}}))
        }),
    );
    profiles.push(profile(json!({"external_id": "M", "properties": {"a": large, "b": large}})));
    let id = world.post(PROFILES, import(profiles)).await.id();
    let import = world.store.bulk_import(&id).await.unwrap().unwrap();
    assert_eq!((import.total, import.chunks), (459, 6));
    let rows = rows(&world, &id).await;
    assert_eq!(rows.len(), 459);
    assert!(!place(rows.last().unwrap()).1, "larger than 100 KB");
    assert_eq!(rows.iter().filter(|row| place(row).1).count(), 458);
}

#[tokio::test]
async fn a_file_of_profiles_is_read_row_by_row() {
    let world = World::new().await;
    let csv = "Email,First Name,Country,Phone Number,Tier\n\
               ann@example.com,Ann,FR,06 12 34 56 78,2\n\
               not an address,Bob,,,\n\
               ,,,,\n\
               \"carla@example.com\",\"Car\nla\",,,\n\
               dan@example.com,Dan,,12,\n\
               eve@example.com\n";
    let reply = world.upload(PROFILES, "text/csv; charset=utf-8", csv).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
    let rows = rows(&world, &reply.id()).await;
    let line = BulkPlace::Line;
    assert_eq!(
        rows.iter().map(place).collect::<Vec<_>>(),
        [
            (line(2), true),
            (line(3), false),
            (line(4), false),
            (line(5), true),
            (line(7), false),
            (line(8), false)
        ]
    );
    let BulkRow::Profile { person, .. } = &rows[0] else { panic!() };
    assert_eq!(person.phone.as_deref(), Some("+33612345678"));
    assert_eq!(
        Value::from(person.attributes.clone()),
        json!({"first_name": "Ann", "location": {"country": "FR"}, "properties": {"Tier": 2}})
    );
    for row in &rows {
        let BulkRow::Refused(error) = row else { continue };
        assert!(!error.detail.contains("not an address") && !error.detail.contains("dan@"), "{error:?}");
    }

    let lines = "{\"email\":\"ann@example.com\",\"properties\":{\"Tier\":2}}\r\n\n[]\n{\"email\":1}\n{\"phone_number\":\"+12125550123\"}";
    let reply = world.upload(PROFILES, "application/x-ndjson", lines).await;
    let rows = self::rows(&world, &reply.id()).await;
    assert_eq!(
        rows.iter().map(place).collect::<Vec<_>>(),
        [(line(1), true), (line(3), false), (line(4), false), (line(5), true)]
    );

    for bad in ["", "Name\nAnn\n", "Email,email\na@example.com,\n"] {
        assert_eq!(world.upload(PROFILES, "text/csv", bad).await.error().0, 400, "{bad}");
    }
}

fn events(entries: Value) -> Value {
    json!({"data": {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": entries}}}})
}

fn event(unique_id: &str, extra: Value) -> Value {
    let mut attributes = json!({
        "properties": {"OrderId": unique_id}, "time": "2025-01-02T03:04:05Z", "unique_id": unique_id,
        "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
    });
    attributes.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    json!({"type": "event", "attributes": attributes})
}

fn entry(profile: Value, backfill: Option<bool>, events: Vec<Value>) -> Value {
    json!({"type": "event-bulk-create", "attributes": {
        "backfill": backfill, "profile": {"data": self::profile(profile)}, "events": {"data": events},
    }})
}

fn handed_over(world: &World) -> Vec<ApiEvent> {
    let messages = world.sent(Queue::RawDeliveries);
    let deliveries = messages.iter().map(|message| Delivery::from_message(message).unwrap());
    deliveries
        .map(|delivery| {
            assert_eq!((delivery.platform.as_str(), delivery.topic.as_str()), ("api", "events"));
            serde_json::from_slice(&delivery.body).unwrap()
        })
        .collect()
}

#[tokio::test]
async fn events_in_bulk_go_the_way_of_single_ones() {
    let world = World::new().await;
    let ann = json!({"email": "ann@example.com", "first_name": "Ann"});
    let body = events(json!([
        entry(
            ann,
            Some(true),
            vec![event("1", json!({})), event("2", json!({"backfill": false, "value": 9.5}))]
        ),
        entry(
            json!({"external_id": "c-2"}),
            None,
            vec![event("1", json!({})), event("3", json!({"backfill": true}))]
        ),
    ]));
    let reply = world.post(EVENTS, body).await;
    assert_eq!((reply.status, &reply.body), (StatusCode::ACCEPTED, &Value::Null), "{}", reply.body);
    let events = handed_over(&world);
    let flags: Vec<_> =
        events.iter().map(|event| (event.unique_id.as_deref().unwrap(), event.backfill)).collect();
    assert_eq!(flags, [("1", true), ("2", false), ("1", false), ("3", true)]);
    // Attributes are told once.
    assert_eq!(Value::from(events[0].person.attributes.clone()), json!({"first_name": "Ann"}));
    assert!(events[1].person.attributes.is_empty());
    assert_eq!(events[1].person.email.as_deref(), Some("ann@example.com"));
}

#[tokio::test]
async fn events_in_bulk_are_taken_whole_or_not_at_all() {
    let world = World::new().await;
    let ann = || json!({"email": "ann@example.com"});
    let base = "/data/attributes/events-bulk-create/data";
    let many: Vec<Value> = (0..1001).map(|number| event(&number.to_string(), json!({}))).collect();
    for (entries, place) in [
        (json!([]), base.to_owned()),
        (json!([entry(ann(), None, vec![])]), base.to_owned()),
        (json!([entry(ann(), None, many)]), base.to_owned()),
        (
            json!([entry(ann(), None, vec![event("1", json!({})), event("1", json!({}))])]),
            format!("{base}/0/attributes/events/data/1/attributes/unique_id"),
        ),
        (
            json!([entry(ann(), None, vec![event("1", json!({})), event("2", json!({"value": "x"}))])]),
            format!("{base}/0/attributes/events/data/1/attributes/value"),
        ),
        (
            json!([entry(json!({}), None, vec![event("1", json!({}))])]),
            format!("{base}/0/attributes/profile/data"),
        ),
        (
            json!([entry(ann(), None, vec![event("1", json!({"profile": {}}))])]),
            format!("{base}/0/attributes/events/data/0/attributes/profile"),
        ),
    ] {
        assert_eq!(world.post(EVENTS, events(entries)).await.error(), (400, place.as_str()));
    }
    let mut by_id = entry(json!({}), None, vec![event("1", json!({}))]);
    by_id["attributes"]["profile"]["data"]["id"] = json!("P404");
    assert_eq!(world.post(EVENTS, events(json!([by_id.clone()]))).await.error(), (400, base));
    assert!(handed_over(&world).is_empty());
    by_id["attributes"]["profile"]["data"]["id"] = world.profile("ann@example.com").await.into();
    assert_eq!(world.post(EVENTS, events(json!([by_id]))).await.status, StatusCode::ACCEPTED);
    world.outbox.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let body = events(json!([entry(ann(), None, vec![event("1", json!({}))])]));
    assert_eq!(world.post(EVENTS, body).await.error().0, 503);
}

#[tokio::test]
async fn a_file_of_events_names_its_bad_rows_and_starts_no_flows() {
    let world = World::new().await;
    let csv = "Metric,Email,Time,Unique ID,Value,Value Currency,OrderId\n\
               Placed Order,ann@example.com,2025-01-02T03:04:05Z,1001,29.98,EUR,1001\n\
               Placed Order,not an address,2025-01-02T03:04:05Z,1002,1,EUR,1002\n\
               Placed Order,bob@example.com,,,1,EUR,1003\n\
               Placed Order,bob@example.com,1899-01-01T00:00:00Z,1004,1,EUR,1004\n\
               Placed Order,bob@example.com,1735787045,1005,,,1005\n";
    let reply = world.upload(EVENTS, "text/csv", csv).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
    let attributes = &reply.body["data"]["attributes"];
    assert_eq!(
        (&attributes["total_count"], &attributes["completed_count"], &attributes["failed_count"]),
        (&json!(5), &json!(2), &json!(3))
    );
    let included = reply.body["included"].as_array().unwrap();
    let lines: Vec<_> =
        included.iter().map(|error| error["attributes"]["source"]["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [3, 4, 5]);
    assert!(!reply.body.to_string().contains("not an address") && !reply.body.to_string().contains("bob@"));
    let events = handed_over(&world);
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.backfill));
    assert_eq!(events[0].time.map(Instant::to_utc_string).as_deref(), Some("2025-01-02T03:04:05Z"));
    assert_eq!(events[0].value.unwrap().amount.to_string(), "29.98");
    assert_eq!(Value::from(events[0].properties.clone()), json!({"OrderId": 1001}));

    let line = json!({"metric": "Waved", "email": "ann@example.com", "time": "2025-01-02T03:04:05Z",
        "properties": {"deep": {"er": 1}}})
    .to_string();
    let reply = world.upload(&format!("{EVENTS}?backfill=false"), "application/x-ndjson", &line).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
    let event = handed_over(&world).pop().unwrap();
    assert!(!event.backfill);
    assert_eq!(Value::from(event.properties), json!({"deep": {"er": 1}}));
    let reply = world.upload(&format!("{EVENTS}?backfill=maybe"), "application/x-ndjson", &line).await;
    assert_eq!(reply.error(), (400, "backfill"));
    let many = format!("{line}\n").repeat(1001);
    assert_eq!(world.upload(EVENTS, "application/x-ndjson", &many).await.error().0, 400);
    assert_eq!(world.upload(EVENTS, "text/csv", "Email\n").await.error().0, 400);
}
