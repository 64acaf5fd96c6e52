//! The stream poller: order, filters, failures, restarts.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Calls, dynamodb_client, eventually, failures, put, sort_keys, start, start_in, streams_client,
};

fn seen(calls: &Calls) -> Vec<String> {
    calls.all().iter().flat_map(sort_keys).collect()
}

#[tokio::test]
async fn records_reach_the_function_in_aws_shape_and_filtered() {
    let calls = Calls::default();
    let stack = start(vec![("watcher", calls.handler(|_| Ok(json!({"batchItemFailures": []}))))]).await;
    let client = dynamodb_client(&stack.endpoints.dynamodb);
    put(&client, "p1", "state", "never seen").await;
    put(&client, "p1", "e#1", "a").await;
    put(&client, "p1", "e#1", "b").await;
    // Changes nothing, so DynamoDB would write no record.
    put(&client, "p1", "e#1", "b").await;
    put(&client, "p1", "e#2", "c").await;
    eventually("all records", async || (seen(&calls).len() == 3).then_some(())).await;
    assert_eq!(seen(&calls), ["e#1", "e#1", "e#2"]);
    let events = calls.all();
    let records: Vec<_> = events.iter().flat_map(|event| event["Records"].as_array().unwrap()).collect();
    let second = records[1];
    assert_eq!(second["eventName"], "MODIFY");
    assert_eq!((&second["eventSource"], &second["awsRegion"]), (&json!("aws:dynamodb"), &json!("us-east-1")));
    assert!(second["eventID"].is_string());
    let source = second["eventSourceARN"].as_str().unwrap();
    assert!(source.contains(":table/tillstream-items/stream/"), "{source}");
    let change = &second["dynamodb"];
    assert_eq!(change["Keys"], json!({"pk": {"S": "p1"}, "sk": {"S": "e#1"}}));
    assert_eq!(
        (&change["OldImage"]["value"]["S"], &change["NewImage"]["value"]["S"]),
        (&json!("a"), &json!("b"))
    );
    assert_eq!(change["StreamViewType"], "NEW_AND_OLD_IMAGES");
    assert!(change["SizeBytes"].is_u64() && change["ApproximateCreationDateTime"].is_number());
    assert!(
        change["SequenceNumber"].as_str().unwrap()
            < records[2]["dynamodb"]["SequenceNumber"].as_str().unwrap()
    );
    stack.shutdown().await;
}

#[tokio::test]
async fn a_partial_failure_retries_from_the_lowest_failed_record() {
    let calls = Calls::default();
    let failed_once = AtomicBool::new(false);
    let watcher = calls.handler(move |event| {
        let records = event["Records"].as_array().unwrap();
        let bad = records.iter().find(|record| record["dynamodb"]["NewImage"]["value"]["S"] == "bad");
        Ok(match bad {
            Some(bad) if !failed_once.swap(true, Ordering::SeqCst) => {
                failures([bad["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned()])
            }
            _ => Value::Null,
        })
    });
    let stack = start(vec![("watcher", watcher)]).await;
    let client = dynamodb_client(&stack.endpoints.dynamodb);
    // One item, hence one lane.
    for value in ["good", "bad", "after"] {
        put(&client, "p1", "e#1", value).await;
    }
    let values = || -> Vec<Value> {
        let records = calls.all().into_iter().flat_map(|event| event["Records"].as_array().unwrap().clone());
        records.map(|record| record["dynamodb"]["NewImage"]["value"]["S"].clone()).collect()
    };
    let count = |value: &str| values().iter().filter(|seen| **seen == value).count();
    eventually("the retry", async || {
        (count("bad") == 2 && values().ends_with(&[json!("bad"), json!("after")])).then_some(())
    })
    .await;
    assert_eq!(count("good"), 1, "{:?}", values());
    stack.shutdown().await;
}

#[tokio::test]
async fn a_poison_record_is_isolated_and_ends_in_the_failure_queue() {
    let calls = Calls::default();
    let watcher = calls.handler(|event| {
        if sort_keys(event).iter().any(|key| key == "e#poison") {
            Err("boom".to_owned())
        } else {
            Ok(Value::Null)
        }
    });
    let stack = start(vec![("watcher", watcher)]).await;
    let client = dynamodb_client(&stack.endpoints.dynamodb);
    for key in ["e#1", "e#2", "e#poison", "e#3", "e#4"] {
        put(&client, "p1", key, "v").await;
    }
    let notice = eventually("the notice", async || {
        let messages = stack.queues.receive("tillstream-StreamFailures", 1, None, None).await.unwrap();
        messages.into_iter().next()
    })
    .await;
    let notice: Value = serde_json::from_str(&notice.body).unwrap();
    assert_eq!(notice["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(
        notice["requestContext"]["functionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:tillstream-WatcherFunction"
    );
    // The first attempt and two retries.
    assert_eq!(notice["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(notice["responseContext"]["functionError"], "Unhandled");
    let batch = &notice["DDBStreamBatchInfo"];
    assert_eq!(batch["batchSize"], 1);
    assert_eq!(batch["startSequenceNumber"], batch["endSequenceNumber"]);
    put(&client, "p1", "e#5", "v").await;
    eventually("the records behind it", async || {
        let done: Vec<_> = calls
            .all()
            .iter()
            .map(sort_keys)
            .filter(|keys| keys.iter().all(|key| key != "e#poison"))
            .flatten()
            .collect();
        ["e#1", "e#2", "e#3", "e#4", "e#5"]
            .iter()
            .all(|key| done.iter().any(|seen| seen == key))
            .then_some(())
    })
    .await;

    // What the notice points at can be read through the Streams API.
    let streams = streams_client(&stack.endpoints.dynamodb);
    let iterator = streams
        .get_shard_iterator()
        .stream_arn(batch["streamArn"].as_str().unwrap())
        .shard_id(batch["shardId"].as_str().unwrap())
        .shard_iterator_type("AT_SEQUENCE_NUMBER".into())
        .sequence_number(batch["startSequenceNumber"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    let records =
        streams.get_records().set_shard_iterator(iterator.shard_iterator).limit(1).send().await.unwrap();
    let keys = records.records()[0].dynamodb().unwrap().keys().unwrap();
    assert_eq!(keys["sk"].as_s().unwrap(), "e#poison");
    stack.shutdown().await;
}

#[tokio::test]
async fn a_restart_goes_on_where_the_stream_was_done() {
    let directory = tempfile::tempdir().unwrap();
    let first = Calls::default();
    // The second event is under way when the process ends, so its record is not done.
    let watcher = {
        let calls = first.clone();
        tillstream::lambda::handler(move |event| {
            let stuck = sort_keys(&event).iter().any(|key| key == "e#2");
            calls.add(event);
            async move {
                if stuck {
                    std::future::pending::<()>().await;
                }
                Ok(Value::Null)
            }
        })
    };
    let stack = start_in(directory.path(), vec![("watcher", watcher)]).await;
    let client = dynamodb_client(&stack.endpoints.dynamodb);
    put(&client, "p1", "e#1", "v").await;
    eventually("the first record", async || (seen(&first) == ["e#1"]).then_some(())).await;
    put(&client, "p1", "e#2", "v").await;
    eventually("the second record", async || (seen(&first) == ["e#1", "e#2"]).then_some(())).await;
    drop(stack);

    let second = Calls::default();
    let stack = start_in(directory.path(), vec![("watcher", second.handler(|_| Ok(Value::Null)))]).await;
    let client = dynamodb_client(&stack.endpoints.dynamodb);
    eventually("the record again", async || (seen(&second) == ["e#2"]).then_some(())).await;
    put(&client, "p1", "e#3", "v").await;
    eventually("what came later", async || (seen(&second) == ["e#2", "e#3"]).then_some(())).await;
    stack.shutdown().await;
}

#[tokio::test]
async fn the_records_of_one_item_stay_in_order_while_items_run_side_by_side() {
    let calls = Calls::default();
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let watcher = {
        let (calls, running, most) = (calls.clone(), Arc::clone(&running), Arc::clone(&most));
        tillstream::lambda::handler(move |event| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            calls.add(event);
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(Value::Null)
            }
        })
    };
    let stack = start(vec![("watcher", watcher)]).await;
    let client = dynamodb_client(&stack.endpoints.dynamodb);
    for round in 0..5 {
        for item in 0..8 {
            put(&client, &format!("p{item}"), "e#1", &round.to_string()).await;
        }
    }
    eventually("all records", async || (seen(&calls).len() == 40).then_some(())).await;
    let mut last: HashMap<String, String> = HashMap::new();
    for record in calls.all().iter().flat_map(|event| event["Records"].as_array().unwrap()) {
        let change = &record["dynamodb"];
        let item = change["Keys"]["pk"]["S"].as_str().unwrap().to_owned();
        let sequence = change["SequenceNumber"].as_str().unwrap().to_owned();
        assert!(last.get(&item).is_none_or(|before| *before < sequence), "{item} went back");
        last.insert(item, sequence);
    }
    assert_eq!(most.load(Ordering::SeqCst), 2, "the mapping has a parallelization factor of 2");
    stack.shutdown().await;
}

#[tokio::test]
async fn a_record_reaches_the_function_within_milliseconds() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let watcher = tillstream::lambda::handler(move |_| {
        sender.send(Instant::now()).unwrap();
        async { Ok(Value::Null) }
    });
    let stack = start(vec![("watcher", watcher)]).await;
    let client = dynamodb_client(&stack.endpoints.dynamodb);
    let mut waits = Vec::new();
    for n in 0..20 {
        put(&client, "p1", "e#1", &n.to_string()).await;
        let written = Instant::now();
        waits.push(receiver.recv().await.unwrap().saturating_duration_since(written));
    }
    waits.sort();
    // Generous, for a busy machine; measured in milliseconds on a quiet one.
    assert!(waits[10] < Duration::from_millis(150), "{waits:?}");
    stack.shutdown().await;
}
