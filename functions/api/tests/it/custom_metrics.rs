//! Custom and mapped metrics.

use http::StatusCode;
use serde_json::{Value, json};
use store::MetricRecord;

use crate::{Reply, World};

impl World {
    /// A canonical metric, as the mapper makes it.
    async fn metric(&self, integration: &str, name: &str) -> String {
        let metric = MetricRecord {
            id: store::metric_id(integration, name),
            name: name.to_owned(),
            integration: integration.to_owned(),
            canonical: canonical::Metric::from_name(name).map(|metric| metric.name().to_owned()),
            created_at: self.now(),
            updated_at: self.now(),
        };
        self.store.ensure_metric(metric).await.unwrap().id
    }

    async fn custom_metric(&self, name: &str, metric: &str) -> Reply {
        self.post("/api/custom-metrics", custom(name, definition(metric))).await
    }
}

fn definition(metric: &str) -> Value {
    json!({"aggregation_method": "value", "metric_groups": [{
        "metric_id": metric,
        "metric_filters": [{"property": "Brand", "filter": {"type": "string", "operator": "in", "value": ["Acme"]}}],
        "value_property": null,
    }]})
}

fn custom(name: &str, definition: Value) -> Value {
    json!({"data": {"type": "custom-metric", "attributes": {"name": name, "definition": definition}}})
}

fn mapping(id: &str, relationships: Value) -> Value {
    json!({"data": {"type": "mapped-metric", "id": id, "relationships": relationships}})
}

#[tokio::test]
async fn a_custom_metric_is_made_read_changed_and_removed() {
    let world = World::new().await;
    let placed = world.metric("anyshop", "Placed Order").await;
    let waved = world.metric("api", "Waved").await;
    let made = world.custom_metric("Acme revenue", &placed).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let id = made.id();
    let data = &made.body["data"];
    assert_eq!(data["attributes"]["name"], "Acme revenue");
    assert_eq!(data["attributes"]["definition"], definition(&placed));
    assert_eq!(data["attributes"]["created"], "2026-06-17T12:00:00+00:00");
    assert_eq!(data["relationships"]["metrics"]["data"], json!([{"type": "metric", "id": placed}]));
    assert_eq!(data["links"]["self"], format!("https://api.example.com/api/custom-metrics/{id}/"));
    let read = world.get(&format!("/api/custom-metrics/{id}?include=metrics&fields[metric]=name")).await;
    assert_eq!(&read.body["data"], data);
    assert_eq!(read.body["included"][0]["attributes"], json!({"name": "Placed Order"}));
    let sparse = world
        .get("/api/custom-metrics?fields[custom-metric]=definition.aggregation_method&include=metrics")
        .await;
    assert_eq!(sparse.body["data"][0]["attributes"], json!({"definition": {"aggregation_method": "value"}}));
    assert_eq!(sparse.body["included"].as_array().unwrap().len(), 1);
    assert_eq!(world.get(&format!("/api/custom-metrics/{id}/metrics")).await.ids(), [placed.as_str()]);
    let ids = world.get(&format!("/api/custom-metrics/{id}/relationships/metrics")).await;
    assert_eq!(ids.body["data"], json!([{"type": "metric", "id": placed}]));

    world.pass(1000);
    let patch =
        |attributes: Value| json!({"data": {"type": "custom-metric", "id": id, "attributes": attributes}});
    let address = format!("/api/custom-metrics/{id}");
    let same = world.patch(&address, patch(json!({"name": null, "definition": null}))).await;
    assert_eq!((same.status, &same.body["data"]), (StatusCode::OK, data));
    let changed = world.patch(&address, patch(json!({"definition": definition(&waved)}))).await;
    let attributes = &changed.body["data"]["attributes"];
    assert_eq!(attributes["definition"]["metric_groups"][0]["metric_id"], json!(waved));
    assert_eq!(
        (&attributes["name"], &attributes["updated"]),
        (&json!("Acme revenue"), &json!("2026-06-17T12:00:01+00:00"))
    );
    assert_eq!(world.delete(&address).await.status, StatusCode::NO_CONTENT);
    for reply in [
        world.get(&address).await,
        world.delete(&address).await,
        world.patch(&address, patch(json!({}))).await,
    ] {
        assert_eq!(reply.error().0, 404);
    }
}

#[tokio::test]
async fn names_are_unique_and_there_are_fifty_at_most() {
    let world = World::new().await;
    let placed = world.metric("anyshop", "Placed Order").await;
    let first = world.custom_metric("Number 0", &placed).await.id();
    assert_eq!(world.custom_metric("Number 0", &placed).await.error(), (400, "/data/attributes/name"));
    let second = world.custom_metric("Number 1", &placed).await.id();
    let patch = |id: &str, name: &str| json!({"data": {"type": "custom-metric", "id": id, "attributes": {"name": name}}});
    let reply = world.patch(&format!("/api/custom-metrics/{second}"), patch(&second, "Number 0")).await;
    assert_eq!(reply.error(), (400, "/data/attributes/name"));
    let own = world.patch(&format!("/api/custom-metrics/{first}"), patch(&first, "Number 0")).await;
    assert_eq!(own.status, StatusCode::OK);
    // Even if they come at the same time.
    let (left, right) =
        tokio::join!(world.custom_metric("Twice", &placed), world.custom_metric("Twice", &placed));
    let mut statuses = [left.status.as_u16(), right.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400]);
    for number in 3..50 {
        let reply = world.custom_metric(&format!("Number {number}"), &placed).await;
        assert_eq!(reply.status, StatusCode::CREATED);
    }
    assert_eq!(world.custom_metric("One more", &placed).await.error(), (400, "/data"));
    assert_eq!(world.get("/api/custom-metrics").await.ids().len(), 50);
}

#[tokio::test]
async fn a_definition_is_checked_to_the_last_value() {
    let world = World::new().await;
    let placed = world.metric("anyshop", "Placed Order").await;
    let filtered = |filter: Value| {
        json!({"aggregation_method": "count", "metric_groups": [
            {"metric_id": placed, "metric_filters": [{"property": "Brand", "filter": filter}]},
        ]})
    };
    for (place, filter) in [
        json!({"type": "numeric", "operator": "not-equals", "value": 1.5}),
        json!({"type": "string", "operator": "in", "value": ["a", "b"]}),
        json!({"type": "string", "operator": "nregex", "value": "^a"}),
        json!({"type": "string", "operator": "not-ends-with", "value": "a"}),
        json!({"type": "existence", "operator": "not-set"}),
        json!({"type": "boolean", "operator": "equals", "value": false}),
        json!({"type": "list", "operator": "not-contains", "value": 7}),
        json!({"type": "list", "operator": "contains-starts-with", "value": "a"}),
        json!({"type": "list", "operator": "not-contains-substring", "value": "a"}),
    ]
    .into_iter()
    .enumerate()
    {
        let reply =
            world.post("/api/custom-metrics", custom(&format!("Good {place}"), filtered(filter))).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    }
    let group = |group: Value| json!({"aggregation_method": "count", "metric_groups": [group]});
    let filter = "metric_groups/0/metric_filters/0/filter";
    for (definition, pointer) in [
        (json!([]), String::new()),
        (json!({"metric_groups": []}), "/aggregation_method".to_owned()),
        (json!({"aggregation_method": "sum", "metric_groups": []}), "/aggregation_method".to_owned()),
        (json!({"aggregation_method": "count"}), "/metric_groups".to_owned()),
        (json!({"aggregation_method": "count", "metric_groups": []}), "/metric_groups".to_owned()),
        (group(json!({"metric_id": "NONE00"})), "/metric_groups/0/metric_id".to_owned()),
        (group(json!({"metric_id": placed, "x": 1})), "/metric_groups/0/x".to_owned()),
        (
            group(json!({"metric_id": placed, "value_property": 1})),
            "/metric_groups/0/value_property".to_owned(),
        ),
        (
            group(json!({"metric_id": placed, "metric_filters": [{"property": "x"}]})),
            "/metric_groups/0/metric_filters/0/filter".to_owned(),
        ),
        (
            group(
                json!({"metric_id": placed, "metric_filters": vec![json!({"property": "x", "filter": {"type": "existence", "operator": "is-set"}}); 11]}),
            ),
            "/metric_groups/0/metric_filters".to_owned(),
        ),
        (group(json!({"metric_id": placed, "value_property": "x".repeat(30_000)})), String::new()),
        (filtered(json!({"type": "date", "operator": "in"})), format!("/{filter}/type")),
        (filtered(json!({"type": "string", "operator": "is-set"})), format!("/{filter}/operator")),
        (filtered(json!({"type": "string", "operator": "equals"})), format!("/{filter}/value")),
        (
            filtered(json!({"type": "string", "operator": "in", "value": ["a", 1]})),
            format!("/{filter}/value/1"),
        ),
        (filtered(json!({"type": "string", "operator": "in", "value": []})), format!("/{filter}/value")),
        (
            filtered(json!({"type": "numeric", "operator": "equals", "value": "1"})),
            format!("/{filter}/value"),
        ),
        (filtered(json!({"type": "boolean", "operator": "equals", "value": 1})), format!("/{filter}/value")),
        (
            filtered(json!({"type": "existence", "operator": "is-set", "value": 1})),
            format!("/{filter}/value"),
        ),
        (filtered(json!({"type": "list", "operator": "contains", "value": 1.5})), format!("/{filter}/value")),
    ] {
        let reply = world.post("/api/custom-metrics", custom("Bad", definition.clone())).await;
        assert_eq!(
            reply.error(),
            (400, format!("/data/attributes/definition{pointer}").as_str()),
            "{definition}"
        );
    }
}

#[tokio::test]
async fn mapped_metrics_are_the_canonical_ones_until_somebody_decides() {
    let world = World::new().await;
    let none = world.get("/api/mapped-metrics/revenue").await;
    assert_eq!(none.body["data"]["attributes"]["updated"], "1970-01-01T00:00:00+00:00");
    assert_eq!(world.get("/api/mapped-metrics/revenue/metric").await.error().0, 404);
    assert_eq!(world.get("/api/mapped-metrics/revenue/custom-metric").await.error().0, 404);
    assert_eq!(world.get("/api/mapped-metrics/profit").await.error().0, 404);

    let placed = world.metric("anyshop", "Placed Order").await;
    let viewed = world.metric("anyshop", "Viewed Product").await;
    let list = world.get("/api/mapped-metrics?include=metric,custom-metric").await;
    assert_eq!(
        list.ids(),
        [
            "added_to_cart",
            "cancelled_sales",
            "ordered_product",
            "refunded_sales",
            "revenue",
            "started_checkout",
            "viewed_product"
        ]
    );
    let included: Vec<&Value> =
        list.body["included"].as_array().unwrap().iter().map(|included| &included["id"]).collect();
    assert_eq!(included, [&json!(placed), &json!(viewed)]);
    assert_eq!(world.get("/api/mapped-metrics/revenue/metric").await.id(), placed);
    assert_eq!(
        world.get("/api/mapped-metrics/revenue/relationships/metric").await.body["data"],
        json!({"type": "metric", "id": placed})
    );
    assert_eq!(
        world.get("/api/mapped-metrics/revenue").await.body["data"]["attributes"]["updated"],
        "2026-06-17T12:00:00+00:00"
    );

    // A second shop elsewhere: revenue is what both tell, as a custom metric that follows.
    world.pass(1000);
    let other = world.metric("api", "Placed Order").await;
    assert_eq!(world.get("/api/mapped-metrics/revenue/metric").await.error().0, 404);
    let shared = world.get("/api/mapped-metrics/revenue/custom-metric").await;
    let mut groups: Vec<Value> = vec![json!({"metric_id": placed}), json!({"metric_id": other})];
    groups.sort_by_key(Value::to_string);
    assert_eq!(
        shared.body["data"]["attributes"]["definition"],
        json!({"aggregation_method": "value", "metric_groups": groups})
    );
    let id = shared.id();
    assert_eq!(world.get("/api/custom-metrics").await.ids(), [id.as_str()]);
    assert_eq!(world.get(&format!("/api/custom-metrics/{id}/metrics")).await.ids().len(), 2);
    assert_eq!(world.get("/api/mapped-metrics/revenue/relationships/custom-metric").await.id(), id);
    assert_eq!(world.delete(&format!("/api/custom-metrics/{id}")).await.error().0, 409);
    let aggregate = json!({"data": {"type": "metric-aggregate", "attributes": {
        "metric_id": id, "measurements": ["count"],
        "filter": ["greater-or-equal(datetime,2026-03-01),less-than(datetime,2026-04-01)"],
    }}});
    assert_eq!(
        world.post("/api/metric-aggregates", aggregate).await.error(),
        (400, "/data/attributes/metric_id")
    );
}

#[tokio::test]
async fn a_mapping_is_decided_and_protects_what_it_names() {
    let world = World::new().await;
    let placed = world.metric("anyshop", "Placed Order").await;
    let custom = world.custom_metric("Acme revenue", &placed).await.id();
    let address = "/api/mapped-metrics/revenue";
    let to = |kind: &str, id: &str| json!({kind: {"data": {"type": kind, "id": id}}});
    world.pass(5000);
    let set = world.patch(address, mapping("revenue", to("custom-metric", &custom))).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    let data = &set.body["data"];
    assert_eq!(
        data["relationships"]["custom-metric"]["data"],
        json!({"type": "custom-metric", "id": custom})
    );
    assert_eq!(data["relationships"]["metric"].get("data"), None);
    assert_eq!(data["attributes"]["updated"], "2026-06-17T12:00:05+00:00");
    let read = world.get(&format!("{address}?include=custom-metric&fields[custom-metric]=name")).await;
    assert_eq!(
        (&read.body["data"], &read.body["included"][0]["attributes"]),
        (data, &json!({"name": "Acme revenue"}))
    );
    assert_eq!(world.delete(&format!("/api/custom-metrics/{custom}")).await.error().0, 409);
    // The other one takes its place; null leaves nothing, which is a decision too.
    let set = world.patch(address, mapping("revenue", to("metric", &placed))).await;
    assert_eq!(set.body["data"]["relationships"]["custom-metric"].get("data"), None);
    let unset = world.patch(address, mapping("revenue", json!({"metric": {"data": null}}))).await;
    assert_eq!(unset.body["data"]["relationships"]["metric"].get("data"), None);
    assert_eq!(world.get(&format!("{address}/metric")).await.error().0, 404);
    assert_eq!(world.delete(&format!("/api/custom-metrics/{custom}")).await.status, StatusCode::NO_CONTENT);
    for (body, pointer) in [
        (mapping("refunded_sales", json!({})), "/data/id"),
        (mapping("revenue", to("metric", "NONE00")), "/data/relationships/metric/data/id"),
        (mapping("revenue", to("custom-metric", &placed)), "/data/relationships/custom-metric/data/id"),
        (
            mapping("revenue", json!({"metric": {"data": {"type": "list", "id": "x"}}})),
            "/data/relationships/metric/data/type",
        ),
        (mapping("revenue", json!({"list": {}})), "/data/relationships/list"),
    ] {
        assert_eq!(world.patch(address, body.clone()).await.error(), (400, pointer), "{body}");
    }
    let again = world.custom_metric("Again", &placed).await.id();
    let mut both = to("metric", &placed);
    both["custom-metric"] = to("custom-metric", &again)["custom-metric"].clone();
    assert_eq!(world.patch(address, mapping("revenue", both)).await.error(), (400, "/data/relationships"));
    assert_eq!(world.patch("/api/mapped-metrics/profit", mapping("profit", json!({}))).await.error().0, 404);
}
