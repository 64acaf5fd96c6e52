use serde_json::{Value, json};
use tests::{api::at_least, eventually_eq};

use crate::{start, whole_segment};

fn event(unique_id: &str, time: &str, value: u32) -> Value {
    json!({"data": {"type": "event", "attributes": {
        "properties": {"Colour": "green"}, "time": time, "value": value, "value_currency": "EUR", "unique_id": unique_id,
        "metric": {"data": {"type": "metric", "attributes": {"name": "Signed Guestbook"}}},
        "profile": {"data": {"type": "profile", "attributes": {"email": " Ida@Example.com"}}},
    }}})
}

#[tokio::test]
async fn of_events_with_one_unique_id_the_first_stays_whatever_their_time() {
    let stack = start().await;
    let api = stack.api();
    let metric = store::metric_id("api", "Signed Guestbook");
    let signed = whole_segment(api, "Signed twice", &at_least(2, &metric, 20_000, "day")).await;
    for body in [
        event("a", "2026-01-02T03:04:05Z", 1),
        event("a", "2026-02-02T03:04:05Z", 2),
        event("b", "2026-01-02T03:04:05Z", 3),
    ] {
        assert_eq!(api.post("/api/events", &body).await.status, 202);
        stack.settled().await;
    }
    let mut told: Vec<_> = api
        .history("ida@example.com")
        .await
        .iter()
        .map(|event| (event.datetime.clone(), event.property("$value"), event.property("Colour")))
        .collect();
    told.sort_by_key(|(_, value, _)| value.as_u64());
    let at = "2026-01-02T03:04:05+00:00".to_owned();
    assert_eq!(told, [(at.clone(), json!(1), json!("green")), (at, json!(3), json!("green"))]);
    eventually_eq("a member by two", &1, async || api.members(&signed).await.len()).await;
}

#[tokio::test]
async fn an_imported_profile_is_new_once_and_readable_at_once() {
    let stack = start().await;
    let api = stack.api();
    let named = json!({"condition_groups": [{"conditions": [{
        "type": "profile-property", "property": "first_name",
        "filter": {"type": "string", "operator": "equals", "value": "Ida"},
    }]}]});
    let idas = whole_segment(api, "Idas", &named).await;
    let body = |name: &str| {
        let attributes = json!({"email": "ida@example.com", "first_name": name, "properties": {"vip": true}});
        json!({"data": {"type": "profile", "attributes": attributes}})
    };
    let created = api.post("/api/profile-import", &body("Ida")).await;
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!(api.profile("ida@example.com").await.unwrap()["id"], created.id().as_str());
    eventually_eq("a member by name", &1, async || api.members(&idas).await.len()).await;
    let updated = api.post("/api/profile-import", &body("Ada")).await;
    assert_eq!((updated.status, updated.id()), (200, created.id()));
    assert_eq!(updated.attributes()["first_name"], "Ada");
    eventually_eq("no longer", &0, async || api.members(&idas).await.len()).await;
}

#[tokio::test]
async fn without_a_key_nothing_is_told() {
    let stack = start().await;
    let api = stack.api();
    for path in ["/api/profiles", "/api/events", "/api/segments", "/api/connections"] {
        let response = api.request(reqwest::Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 401, "{path}");
    }
    assert_eq!(api.get("/healthz", &[]).await.body, json!({"status": "ok"}));
}
