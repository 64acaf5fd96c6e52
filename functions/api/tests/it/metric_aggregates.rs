//! Counts by interval, held against what a loop over the same events says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use canonical::{Event, Instant, Metric, Money, Source};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use store::{MetricRecord, StoredEvent};

use crate::{Reply, World};

const RANGE: [&str; 2] = ["greater-or-equal(datetime,2026-03-01)", "less-than(datetime,2026-04-01)"];

/// An order, for the naive computation.
struct Order {
    profile: String,
    at_ms: i64,
    cents: i64,
    properties: Value,
}

impl World {
    async fn order(&self, order: &Order) {
        let metric_id = store::metric_id("api", Metric::PlacedOrder.name());
        let metric = MetricRecord {
            id: metric_id.clone(),
            name: Metric::PlacedOrder.name().to_owned(),
            integration: "api".to_owned(),
            canonical: Some(Metric::PlacedOrder.name().to_owned()),
            created_at: self.now(),
            updated_at: self.now(),
        };
        self.store.ensure_metric(metric).await.unwrap();
        let source = Source {
            platform: "api".to_owned(),
            connection: String::new(),
            topic: "events".to_owned(),
            delivery_id: "d".to_owned(),
        };
        let occurred_at = Instant::from_millis(order.at_ms).unwrap();
        let key = format!("{}{}{}", order.profile, order.at_ms, order.cents);
        let mut event = Event::new(&source, Metric::PlacedOrder, &[&key], occurred_at);
        event.value = Some(Money::new(rust_decimal(order.cents), "EUR".parse().unwrap()));
        event.properties = order.properties.as_object().unwrap().clone();
        let profile_id = order.profile.clone();
        let stored = StoredEvent { profile_id, metric_id, ingested_at: self.now(), event };
        self.store.put_event(&stored).await.unwrap();
    }

    async fn aggregates(&self, attributes: Value) -> Reply {
        let mut all = json!({
            "metric_id": store::metric_id("api", "Placed Order"),
            "measurements": ["count", "sum_value", "unique"],
            "filter": RANGE,
        });
        all.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        let body = json!({"data": {"type": "metric-aggregate", "attributes": all}});
        self.post("/api/metric-aggregates", body).await
    }
}

fn rust_decimal(cents: i64) -> canonical::money::Decimal {
    canonical::money::Decimal::new(cents, 2)
}

fn millis(text: &str) -> i64 {
    text.parse::<Instant>().unwrap().as_millis()
}

/// Orders of March 2026 at all hours, some at the edges of days in Paris.
async fn orders(world: &World) -> Vec<Order> {
    let mut profiles = Vec::new();
    for name in ["ann", "bob", "cyd"] {
        profiles.push(world.profile(&format!("{name}@example.com")).await);
    }
    let mut state = 7_u64;
    let mut orders = Vec::new();
    let edges = [
        "2026-02-28T23:00:00Z",
        "2026-03-28T22:59:59.999Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T00:59:59Z",
        "2026-03-29T01:00:00Z",
        "2026-03-29T21:59:59Z",
        "2026-03-29T22:00:00Z",
        "2026-03-31T21:59:59.999Z",
    ];
    for place in 0..80_usize {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = i64::try_from(state >> 33).unwrap();
        let edge = edges.get(place).map(|edge| millis(edge));
        let order = Order {
            profile: profiles[usize::try_from(random % 3).unwrap()].clone(),
            at_ms: edge.unwrap_or_else(|| millis("2026-03-01T00:00:00Z") + random % (30 * 86_400_000)),
            cents: random % 10_000,
            properties: [json!({"Brand": "Acme"}), json!({"Brand": ["Acme", "Blue"]}), json!({})]
                [usize::try_from(random / 7 % 3).unwrap()]
            .clone(),
        };
        world.order(&order).await;
        orders.push(order);
    }
    orders
}

/// Count, sum and profiles by the label that a wall clock shows.
fn naive(orders: &[Order], format: &str) -> BTreeMap<String, (usize, i64, usize)> {
    let paris = TimeZone::get("Europe/Paris").unwrap();
    let mut found: BTreeMap<String, Vec<&Order>> = BTreeMap::new();
    for order in orders {
        let shown = Instant::from_millis(order.at_ms).unwrap().timestamp().to_zoned(paris.clone());
        if shown.strftime("%Y-%m").to_string() == "2026-03" {
            found.entry(shown.strftime(format).to_string()).or_default().push(order);
        }
    }
    let measured = found.into_iter().map(|(label, orders)| {
        let profiles: BTreeSet<&str> = orders.iter().map(|order| order.profile.as_str()).collect();
        (label, (orders.len(), orders.iter().map(|order| order.cents).sum(), profiles.len()))
    });
    measured.collect()
}

#[tokio::test]
async fn days_in_paris_are_what_a_loop_over_all_orders_says() {
    let world = World::new().await;
    let orders = orders(&world).await;
    let paris = TimeZone::get("Europe/Paris").unwrap();
    for (interval, format, intervals) in
        [("hour", "%F %H %z", 743), ("day", "%F", 31), ("week", "%G-%V", 6), ("month", "%Y-%m", 1)]
    {
        let reply = world.aggregates(json!({"interval": interval, "timezone": "Europe/Paris"})).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let attributes = &reply.body["data"]["attributes"];
        let dates = attributes["dates"].as_array().unwrap();
        assert_eq!(dates.len(), intervals, "{interval}");
        let [row] = attributes["data"].as_array().unwrap().as_slice() else { panic!("{}", reply.body) };
        assert_eq!(row["dimensions"], json!([]));
        let mut found = BTreeMap::new();
        for (place, date) in dates.iter().enumerate() {
            let date: Instant = date.as_str().unwrap().parse().unwrap();
            let label = date.timestamp().to_zoned(paris.clone()).strftime(format).to_string();
            let of = |measure: &str| row["measurements"][measure][place].clone();
            if of("count") != 0 {
                found.insert(label, (of("count"), of("sum_value"), of("unique")));
            }
        }
        let naive: BTreeMap<String, (Value, Value, Value)> = naive(&orders, format)
            .into_iter()
            .map(|(label, (count, cents, profiles))| {
                let sum = canonical::money::decimal_to_json(rust_decimal(cents));
                (label, (json!(count), sum, json!(profiles)))
            })
            .collect();
        assert_eq!(found, naive, "{interval}");
        // Counts alone are read from the index, and are the same.
        let counts =
            json!({"interval": interval, "timezone": "Europe/Paris", "measurements": ["count", "unique"]});
        let counts = world.aggregates(counts).await;
        for measure in ["count", "unique"] {
            let other = &counts.body["data"]["attributes"]["data"][0]["measurements"];
            assert_eq!(other[measure], row["measurements"][measure]);
            assert_eq!(other["sum_value"], Value::Null);
        }
    }
}

#[tokio::test]
async fn rows_are_made_of_properties_and_narrowed_by_filters() {
    let world = World::new().await;
    let orders = orders(&world).await;
    let count = |test: &dyn Fn(&Order) -> bool| {
        let in_march = |order: &&Order| order.at_ms >= millis("2026-03-01T00:00:00Z");
        orders.iter().filter(in_march).filter(|order| test(order)).count()
    };
    let acme = |order: &Order| order.properties["Brand"].is_string() || order.properties["Brand"].is_array();
    let blue = |order: &Order| order.properties["Brand"].is_array();
    let unset = |order: &Order| order.properties["Brand"].is_null();
    let whole = json!({"by": ["Brand"], "interval": "month", "measurements": ["count"]});
    let reply = world.aggregates(whole).await;
    let rows = |reply: &Reply| -> Vec<(String, usize)> {
        let rows = reply.body["data"]["attributes"]["data"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| {
                let name = row["dimensions"][0].as_str().unwrap().to_owned();
                (name, serde_json::from_value(row["measurements"]["count"][0].clone()).unwrap())
            })
            .collect()
    };
    let expected = vec![
        (String::new(), count(&unset)),
        ("Acme".to_owned(), count(&acme)),
        ("Blue".to_owned(), count(&blue)),
    ];
    assert_eq!(rows(&reply), expected);
    let mut descending = expected.clone();
    descending.reverse();
    for (sort, expected) in [("Brand", &expected), ("-Brand", &descending)] {
        let asked = json!({"by": ["Brand"], "interval": "month", "measurements": ["count"], "sort": sort});
        assert_eq!(&rows(&world.aggregates(asked).await), expected);
    }
    let mut by_count = expected.clone();
    by_count.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let asked = json!({"by": ["Brand"], "interval": "month", "measurements": ["count"], "sort": "-count"});
    assert_eq!(rows(&world.aggregates(asked).await), by_count);
    for (filter, expected) in [
        ("equals(Brand,'Blue')", count(&blue)),
        ("equals(Brand,'')", count(&unset)),
        ("has(Brand)", count(&acme)),
        ("equals($value_currency,\"EUR\")", count(&|_| true)),
        ("equals($attributed_flow,'F')", 0),
    ] {
        let filters = [RANGE[0], RANGE[1], filter];
        let reply = world.aggregates(json!({"interval": "month", "filter": filters})).await;
        let row = &reply.body["data"]["attributes"]["data"][0];
        assert_eq!(row["measurements"]["count"], json!([expected]), "{filter}");
    }
    // Nothing that is sent from here could be attributed to: nothing is.
    let reply = world.aggregates(json!({"by": ["$attributed_message", "$value_currency"]})).await;
    let data = reply.body["data"]["attributes"]["data"].as_array().unwrap();
    assert_eq!((data.len(), &data[0]["dimensions"]), (1, &json!(["", "EUR"])));
}

#[tokio::test]
async fn pages_follow_each_other_and_fields_are_returned_as_asked() {
    let world = World::new().await;
    let ann = world.profile("ann@example.com").await;
    for place in 0..8_i64 {
        for _ in 0..=place % 3 {
            let order = Order {
                profile: ann.clone(),
                at_ms: millis("2026-03-05T12:00:00Z") + place * 1000,
                cents: 100 * (place % 3) + 1,
                properties: json!({"URL": format!("/{place}")}),
            };
            world.order(&order).await;
        }
    }
    for sort in ["URL", "-URL", "sum_value", "-sum_value", "-unique", "count"] {
        let query = |cursor: Option<&Value>| json!({"by": ["URL"], "sort": sort, "page_size": 2, "page_cursor": cursor});
        let all = world.aggregates(json!({"by": ["URL"], "sort": sort})).await;
        assert_eq!(all.next(), None);
        let all = all.body["data"]["attributes"]["data"].as_array().unwrap().clone();
        let mut paged = Vec::new();
        let mut page = world.aggregates(query(None)).await;
        loop {
            paged.extend(page.body["data"]["attributes"]["data"].as_array().unwrap().clone());
            let Some(next) = page.next() else { break };
            // The whole address is as good as the cursor in it.
            page = world.aggregates(query(Some(&json!(next)))).await;
        }
        assert_eq!((paged.len(), &paged), (8, &all), "{sort}");
    }
    let first = world.aggregates(json!({"by": ["URL"], "page_size": 1})).await;
    let cursor = first.next().unwrap().split("page%5Bcursor%5D=").nth(1).unwrap().to_owned();
    let second = world.aggregates(json!({"by": ["URL"], "page_size": 1, "page_cursor": cursor})).await;
    assert_eq!(second.body["data"]["attributes"]["data"][0]["dimensions"], json!(["/1"]));
    let other = json!({"by": ["URL"], "sort": "-URL", "page_size": 1, "page_cursor": cursor});
    assert_eq!(world.aggregates(other).await.error(), (400, "/data/attributes/page_cursor"));

    // A year of hours makes long rows: the page ends where it is long enough.
    let year = ["greater-or-equal(datetime,2025-06-01)", "less-than(datetime,2026-06-01)"];
    let long = json!({"by": ["URL"], "interval": "hour", "filter": year});
    let page = world.aggregates(long).await;
    assert_eq!(page.body["data"]["attributes"]["data"].as_array().unwrap().len(), 7);
    let next = page.next().unwrap().replace("https://api.example.com", "");
    let same = json!({"data": {"type": "metric-aggregate", "attributes": {
        "filter": year, "by": ["URL"], "interval": "hour", "measurements": ["count", "sum_value", "unique"],
        "metric_id": store::metric_id("api", "Placed Order"),
    }}});
    let rest = world.post(&next, same).await;
    assert_eq!(rest.body["data"]["attributes"]["data"][0]["dimensions"], json!(["/7"]));

    let reply = world.aggregates(json!({"return_fields": ["measurements"], "interval": "month"})).await;
    let attributes = &reply.body["data"]["attributes"];
    assert_eq!(attributes.as_object().unwrap().len(), 1);
    assert_eq!(attributes["data"][0]["dimensions"], Value::Null);
    assert!(attributes["data"][0]["measurements"]["count"].is_array());
    assert_eq!(reply.body["data"]["type"], "metric-aggregate");
    let own = format!("https://api.example.com/api/metric-aggregates/{}/", reply.id());
    assert_eq!(reply.body["data"]["links"]["self"], own);
}

#[tokio::test]
async fn a_time_without_an_offset_is_that_of_the_time_zone() {
    let world = World::new().await;
    let ann = world.profile("ann@example.com").await;
    for at in ["2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z"]
    {
        let order = Order { profile: ann.clone(), at_ms: millis(at), cents: 1, properties: json!({}) };
        world.order(&order).await;
    }
    for (zone, range, expected) in [
        ("Europe/Paris", ["2026-03-29", "2026-03-30"], json!([2])),
        ("Europe/Paris", ["2026-03-29T00:00:00", "2026-03-30T00:00:00.000001"], json!([2, 1])),
        ("Europe/Paris", ["2026-03-29T00:00:00+00:00", "2026-03-30 00:00:00+00:00"], json!([1, 1])),
        ("UTC", ["2026-03-29", "2026-03-30"], json!([2])),
    ] {
        let filter =
            [format!("greater-or-equal(datetime,{})", range[0]), format!("less-than(datetime,{})", range[1])];
        let asked = json!({"filter": filter, "timezone": zone, "measurements": ["count"]});
        let reply = world.aggregates(asked).await;
        assert_eq!(
            reply.body["data"]["attributes"]["data"][0]["measurements"]["count"], expected,
            "{zone} {range:?}"
        );
    }
}

#[tokio::test]
async fn every_complaint_points_at_its_cause() {
    let world = World::new().await;
    let ann = world.profile("ann@example.com").await;
    world.record(&ann, "Placed Order", "o1", 1_773_000_000, None).await;
    let range = |from: &str, to: &str| {
        json!([format!("greater-or-equal(datetime,{from})"), format!("less-than(datetime,{to})")])
    };
    let names: Vec<String> = (0..11).map(|place| format!("d{place}")).collect();
    for (attributes, pointer) in [
        (json!({"metric_id": null}), "metric_id"),
        (json!({"measurements": []}), "measurements"),
        (json!({"measurements": ["count", "median"]}), "measurements/1"),
        (json!({"interval": "year"}), "interval"),
        (json!({"timezone": "Europe/Fern"}), "timezone"),
        (json!({"timezone": "europe/paris"}), "timezone"),
        (json!({"by": ["URL", "URL"]}), "by/1"),
        (json!({"by": names}), "by"),
        (json!({"by": "URL"}), "by"),
        (json!({"filter": null}), "filter"),
        (json!({"filter": []}), "filter"),
        (json!({"filter": [RANGE[0]]}), "filter"),
        (json!({"filter": [RANGE[0], "less-than(datetime,soon)"]}), "filter/1"),
        (json!({"filter": [RANGE[0], "less-than(datetime"]}), "filter/1"),
        (json!({"filter": [RANGE[0], RANGE[1], "equals(datetime,2026-03-04)"]}), "filter/2"),
        (json!({"filter": range("2026-03-02", "2026-03-02")}), "filter"),
        (json!({"filter": range("2025-03-02", "2026-03-02T00:00:00.001")}), "filter"),
        (json!({"page_size": 0}), "page_size"),
        (json!({"page_size": 1001}), "page_size"),
        (json!({"page_cursor": "x"}), "page_cursor"),
        (json!({"sort": "URL"}), "sort"),
        (json!({"sort": "-unique", "measurements": ["count"]}), "sort"),
        (json!({"return_fields": ["id"]}), "return_fields/0"),
        (json!({"colour": 1}), "colour"),
    ] {
        let reply = world.aggregates(attributes.clone()).await;
        assert_eq!(reply.error(), (400, format!("/data/attributes/{pointer}").as_str()), "{attributes}");
    }
    let reply = world.aggregates(json!({"metric_id": "NONE00"})).await;
    assert_eq!(reply.error(), (404, "/data/attributes/metric_id"));
    let year = json!({"filter": range("2025-03-02", "2026-03-02"), "interval": "hour"});
    let reply = world.aggregates(year).await;
    assert_eq!(reply.body["data"]["attributes"]["dates"].as_array().unwrap().len(), 365 * 24);
}

#[tokio::test]
async fn what_takes_too_long_asks_for_a_smaller_range() {
    let world = World::new().await;
    let ann = world.profile("ann@example.com").await;
    world.record(&ann, "Placed Order", "o1", 1_773_000_000, None).await;
    assert_eq!(world.aggregates(json!({})).await.status, 200);
    world.step_ms.store(20_000, Ordering::SeqCst);
    assert_eq!(world.aggregates(json!({})).await.error(), (422, "/data/attributes/filter"));
}
