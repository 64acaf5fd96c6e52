use api::Queue;
use http::StatusCode;
use predictions::{Minimums, Orders, Sample};
use serde_json::{Value, json};
use store::{Job, JobKind, JobStatus, PROFILE_SHARDS, PredictionsRecord};

use crate::{NOW_MS, World};

const DAY_S: i64 = 86_400;
const TODAY: i64 = NOW_MS / 86_400_000;

/// What the job leaves when it is done.
async fn fitted(world: &World, missed: Option<&str>) -> Option<predictions::Model> {
    let mut sample = Sample::new(TODAY);
    for customer in 0..600_i64 {
        let (count, first_day) = (1 + customer.unsigned_abs() % 4, TODAY - 20 - customer);
        let last_day = if count > 1 { first_day + customer / 2 } else { first_day };
        sample.add(&Orders { count, sum: (25 * count).into(), first_day, last_day });
    }
    let model = missed.is_none().then(|| sample.fit(&Minimums::default()).unwrap());
    let record = PredictionsRecord {
        job: "J1".to_owned(),
        method: predictions::VERSION,
        fitted_at: world.now(),
        fitted_day: "2026-06-17".to_owned(),
        customers: 600,
        missed: missed.map(str::to_owned),
        model: model.as_ref().map(|model| serde_json::to_value(model).unwrap()),
    };
    let version = world.store.program_version().await.unwrap() + 1;
    let job = Job {
        id: "J2".to_owned(),
        kind: JobKind::Predict { version },
        created_at: world.now(),
        status: JobStatus::default(),
    };
    world.store.put_model(&record, version, &job).await.unwrap();
    model
}

async fn predictions(world: &World) -> Value {
    let reply = world.get("/api/predictions").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    reply.body["data"]["attributes"].clone()
}

#[tokio::test]
async fn why_nothing_is_predicted_is_said() {
    let world = World::new().await;
    let told = predictions(&world).await;
    assert_eq!((&told["is_available"], &told["fitted_day"]), (&json!(false), &Value::Null));
    assert!(told["reason"].as_str().unwrap().starts_with("Nobody has asked"));
    assert_eq!(told["minimums"]["customers"], 500);

    let begun = world.post("/api/predictions/fit", json!({})).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    assert_eq!(begun.body["data"]["attributes"]["is_fitting"], true);
    assert_eq!(world.sent(Queue::Jobs).len(), PROFILE_SHARDS as usize);
    let jobs = world.store.jobs().await.unwrap();
    assert_eq!(jobs.iter().map(|job| &job.kind).collect::<Vec<_>>(), [&JobKind::FitPredictions]);
    assert_eq!(world.post("/api/predictions/fit", json!({})).await.error().0, 409);
    world.store.delete_job(&jobs[0].id).await.unwrap();

    let missed = "12 customers have placed an order that was not given back; predictions need 500";
    fitted(&world, Some(missed)).await;
    let told = predictions(&world).await;
    assert_eq!((&told["is_available"], &told["is_fitting"]), (&json!(false), &json!(false)));
    assert_eq!((&told["reason"], &told["customers"]), (&json!(missed), &json!(600)));

    fitted(&world, None).await;
    let told = predictions(&world).await;
    assert_eq!((&told["is_available"], &told["reason"]), (&json!(true), &Value::Null));
    assert_eq!((&told["fitted_day"], &told["customers"]), (&json!("2026-06-17"), &json!(600)));
    assert!(told["method"].as_str().unwrap().contains("NBD"));
}

#[tokio::test]
async fn a_profile_shows_what_is_predicted_of_it() {
    let world = World::new().await;
    let ann = world.profile("ann@example.com").await;
    let bob = world.profile("bob@example.com").await;
    let now_s = NOW_MS / 1000;
    world.record(&ann, "Placed Order", "o1", now_s - 40 * DAY_S, Some("20")).await;
    world.record(&ann, "Placed Order", "o2", now_s - 10 * DAY_S, Some("30.50")).await;
    world.record(&ann, "Refunded Order", "o2", now_s - 5 * DAY_S, Some("30.50")).await;
    let analytics = async |profile: &str| {
        let path = format!("/api/profiles/{profile}?additional-fields[profile]=predictive_analytics");
        let reply = world.get(&path).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        reply.body["data"]["attributes"]["predictive_analytics"].clone()
    };
    assert_eq!(analytics(&ann).await, Value::Null);
    let model = fitted(&world, None).await.unwrap();
    let orders =
        Orders { count: 2, sum: "50.50".parse().unwrap(), first_day: TODAY - 40, last_day: TODAY - 10 };
    let predicted = model.predict(&orders, TODAY);
    let told = analytics(&ann).await;
    assert_eq!(told["historic_number_of_orders"], 2);
    assert_eq!(told["historic_clv"], 50.5);
    assert_eq!(
        (&told["average_days_between_orders"], &told["average_order_value"]),
        (&json!(30), &json!(25.25))
    );
    for (name, value) in [
        ("churn_probability", predicted.churn_probability),
        ("predicted_clv", predicted.predicted_clv),
        ("total_clv", predicted.total_clv),
        ("predicted_number_of_orders", predicted.predicted_number_of_orders),
    ] {
        assert_eq!(told[name].to_string(), value.unwrap().to_string(), "{name}");
    }
    let next_ms = predicted.expected_day_of_next_order.unwrap() * 86_400_000;
    let next = canonical::Instant::from_millis(next_ms).unwrap().to_utc_string();
    assert_eq!(told["expected_date_of_next_order"], next.replace('Z', "+00:00"));
    assert_eq!(told["ranked_channel_affinity"], Value::Null);
    // Of somebody without an order nothing is said.
    let none = analytics(&bob).await;
    assert!(none.as_object().unwrap().values().all(Value::is_null), "{none}");
    // Of many the same is said, each in its place, and of members.
    let body = json!({"data": {"type": "list", "attributes": {"name": "News"}}});
    let list = world.post("/api/lists", body).await.id();
    let both = json!({"data": [{"type": "profile", "id": ann}, {"type": "profile", "id": bob}]});
    world.post(&format!("/api/lists/{list}/relationships/profiles"), both).await;
    for listing in ["/api/profiles".to_owned(), format!("/api/lists/{list}/profiles")] {
        let path = format!("{listing}?additional-fields[profile]=predictive_analytics");
        let many = world.get(&path).await;
        assert_eq!(many.ids().len(), 2, "{}", many.body);
        for profile in many.body["data"].as_array().unwrap() {
            let expected = if profile["id"] == ann.as_str() { &told } else { &none };
            assert_eq!(profile["attributes"]["predictive_analytics"], *expected, "{listing}");
        }
    }
    let body = json!({"data": {"type": "profile", "attributes": {"email": "ann@example.com"}}});
    let path = "/api/profile-import?additional-fields[profile]=predictive_analytics,subscriptions";
    assert_eq!(world.post(path, body).await.body["data"]["attributes"]["predictive_analytics"], told);
}
