//! What the command that counts costs says to programs.

use std::process::Command;

use serde_json::Value;

#[test]
fn what_fifty_orders_cost_is_told_by_service_function_and_delivery() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tillstream"));
    let output =
        command.args(["bench", "cost", "--orders", "50", "--latency-ms", "0", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["orders"], &told["deliveries"], &told["segments"]),
        (&50.into(), &200.into(), &50.into())
    );

    let per_order =
        |service: &str, unit: &str| told["services"][service]["per_order"][unit].as_f64().unwrap();
    let four = 4.0..4.001;
    assert!(four.contains(&per_order("API Gateway", "requests")));
    // Each delivery is received by a function, and some more share batches of the mapper and the evaluator.
    assert!((4.0..20.0).contains(&per_order("Lambda", "invocations")));
    // Each delivery is sent alone, and received and deleted in batches.
    assert!((4.8..12.1).contains(&per_order("SQS", "requests")));
    assert!(per_order("DynamoDB", "write units") > 10.0);
    for (service, unit) in
        [("DynamoDB", "read units"), ("DynamoDB Streams", "records"), ("CloudWatch Logs", "bytes")]
    {
        assert!(per_order(service, unit) > 0.0, "{service}, {unit}");
    }

    let dollars = told["dollars_per_million_orders"].as_f64().unwrap();
    let sums = ["services", "functions", "steps"].map(|by| {
        let parts = told[by].as_object().unwrap().values();
        parts
            .map(|part| part.as_f64().unwrap_or_else(|| part["dollars_per_million_orders"].as_f64().unwrap()))
            .sum()
    });
    assert!(sums.iter().all(|sum: &f64| (sum - dollars).abs() < 0.01), "{dollars} is not {sums:?}");
    assert!(told["dollars_per_million_orders_unbatched"].as_f64().unwrap() >= dollars);
}

#[test]
fn how_many_deliveries_are_kept_up_with_is_told_with_what_each_takes() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tillstream"));
    let output = command
        .args(["bench", "load", "--from", "5", "--seconds", "2", "--steps", "1", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = told["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0]["deliveries_per_second"], 5);
    // How fast this machine is right now is not for a test to say.
    let expected = if steps[0]["is_sustained"] == true { 5.into() } else { Value::Null };
    assert_eq!(told["deliveries_per_second"], expected);
    for part in ["shopify", "mapper", "segment-evaluator", "the machine around them"] {
        assert!(steps[0]["cpu_us_per_delivery"][part].as_u64().unwrap() > 0, "{part}: {told:#}");
    }
}
