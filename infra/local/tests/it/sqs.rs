//! SQS through the SDK's client.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use tillstream::Stack;

use crate::support::{sqs_client, start, start_in};

async fn queue(client: &Client, name: &str, attributes: &[(QueueAttributeName, &str)]) -> String {
    let attributes: HashMap<_, _> =
        attributes.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
    let created =
        client.create_queue().queue_name(name).set_attributes(Some(attributes)).send().await.unwrap();
    created.queue_url.unwrap()
}

async fn stack() -> (Stack, Client) {
    let stack = start(vec![]).await;
    let client = sqs_client(&stack.endpoints.sqs);
    (stack, client)
}

async fn send(client: &Client, url: &str, body: &str) -> String {
    client.send_message().queue_url(url).message_body(body).send().await.unwrap().message_id.unwrap()
}

async fn receive(client: &Client, url: &str, wait_s: i32) -> Vec<Message> {
    client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .wait_time_seconds(wait_s)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All")
        .send()
        .await
        .unwrap()
        .messages
        .unwrap_or_default()
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

fn attribute(message: &Message, name: &MessageSystemAttributeName) -> String {
    message.attributes().unwrap()[name].clone()
}

macro_rules! code {
    ($call:expr) => {
        $call.send().await.unwrap_err().into_service_error().code().unwrap().to_owned()
    };
}

#[tokio::test]
async fn a_message_arrives_with_its_attributes_and_hides_until_it_is_deleted() {
    let (_stack, client) = stack().await;
    let url = queue(&client, "plain", &[]).await;
    let text = MessageAttributeValue::builder().data_type("String").string_value("shop").build().unwrap();
    let bytes =
        MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new([0, 1])).build().unwrap();
    let sent = client
        .send_message()
        .queue_url(&url)
        .message_body("héllo")
        .message_group_id("tenant-1")
        .message_attributes("source", text.clone())
        .message_attributes("raw", bytes.clone())
        .send()
        .await
        .unwrap();
    let messages = receive(&client, &url, 0).await;
    let message = &messages[0];
    assert_eq!((message.body(), message.message_id()), (Some("héllo"), sent.message_id()));
    assert_eq!(message.md5_of_body(), sent.md5_of_message_body());
    assert_eq!(message.md5_of_message_attributes(), sent.md5_of_message_attributes());
    assert_eq!(message.message_attributes().unwrap()["source"], text);
    assert_eq!(message.message_attributes().unwrap()["raw"], bytes);
    assert_eq!(attribute(message, &MessageSystemAttributeName::ApproximateReceiveCount), "1");
    assert_eq!(attribute(message, &MessageSystemAttributeName::MessageGroupId), "tenant-1");
    assert!(receive(&client, &url, 0).await.is_empty());

    let handle = message.receipt_handle().unwrap();
    client.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
    // A second delete is no error, but there is nothing left to change.
    client.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
    let change =
        client.change_message_visibility().queue_url(&url).receipt_handle(handle).visibility_timeout(0);
    assert_eq!(code!(change), "AWS.SimpleQueueService.MessageNotInflight");
}

#[tokio::test]
async fn a_message_received_too_often_moves_to_the_dead_letter_queue_with_its_id() {
    let (_stack, client) = stack().await;
    let dead = queue(&client, "dead", &[]).await;
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":"2"}"#;
    let attributes =
        [(QueueAttributeName::VisibilityTimeout, "1"), (QueueAttributeName::RedrivePolicy, policy)];
    let url = queue(&client, "source", &attributes).await;
    let id = send(&client, &url, "poison").await;
    for count in ["1", "2"] {
        // The long poll ends when the visibility time-out does.
        let messages = receive(&client, &url, 5).await;
        assert_eq!(attribute(&messages[0], &MessageSystemAttributeName::ApproximateReceiveCount), count);
    }
    let started = Instant::now();
    let (none, dead_letters) = tokio::join!(receive(&client, &url, 2), receive(&client, &dead, 5));
    assert!(none.is_empty());
    assert!(started.elapsed() < Duration::from_secs(4));
    assert_eq!(dead_letters[0].message_id(), Some(id.as_str()));
    assert_eq!(
        attribute(&dead_letters[0], &MessageSystemAttributeName::DeadLetterQueueSourceArn),
        "arn:aws:sqs:us-east-1:000000000000:source"
    );
    let sources = client.list_dead_letter_source_queues().queue_url(&dead).send().await.unwrap();
    assert_eq!(sources.queue_urls(), std::slice::from_ref(&url));

    // Back to where it came from, as a new message.
    let handle = dead_letters[0].receipt_handle().unwrap();
    client
        .change_message_visibility()
        .queue_url(&dead)
        .receipt_handle(handle)
        .visibility_timeout(0)
        .send()
        .await
        .unwrap();
    let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
    client.start_message_move_task().source_arn(arn).send().await.unwrap();
    let moved = receive(&client, &url, 5).await;
    assert_eq!(bodies(&moved), ["poison"]);
    assert_ne!(moved[0].message_id(), Some(id.as_str()));
    assert_eq!(attribute(&moved[0], &MessageSystemAttributeName::ApproximateReceiveCount), "1");
    let tasks = client.list_message_move_tasks().source_arn(arn).send().await.unwrap();
    assert_eq!(tasks.results()[0].approximate_number_of_messages_moved(), 1);
}

#[tokio::test]
async fn a_long_poll_ends_when_a_message_comes() {
    let (_stack, client) = stack().await;
    let url = queue(&client, "polled", &[]).await;
    let started = Instant::now();
    let (messages, _) = tokio::join!(receive(&client, &url, 10), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        send(&client, &url, "late").await
    });
    assert_eq!(bodies(&messages), ["late"]);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_delayed_message_comes_after_its_delay() {
    let (_stack, client) = stack().await;
    let url = queue(&client, "delayed", &[]).await;
    client.send_message().queue_url(&url).message_body("soon").delay_seconds(1).send().await.unwrap();
    assert!(receive(&client, &url, 0).await.is_empty());
    let attributes = client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap();
    assert_eq!(attributes[&QueueAttributeName::ApproximateNumberOfMessagesDelayed], "1");
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "30");
    assert_eq!(bodies(&receive(&client, &url, 5).await), ["soon"]);
}

#[tokio::test]
async fn batches_send_hide_and_delete() {
    let (_stack, client) = stack().await;
    let url = queue(&client, "batches", &[]).await;
    let entry = |id: &str, body: &str| {
        SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
    };
    let entries: Vec<_> = (0..10).map(|n| entry(&n.to_string(), &format!("m{n}"))).collect();
    let sent = client.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
    assert_eq!((sent.successful().len(), sent.failed().len()), (10, 0));
    let messages = receive(&client, &url, 0).await;
    assert_eq!(bodies(&messages), ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"]);

    let shown: Vec<_> = messages[..2]
        .iter()
        .enumerate()
        .map(|(n, message)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(n.to_string())
                .receipt_handle(message.receipt_handle().unwrap())
                .visibility_timeout(0)
                .build()
                .unwrap()
        })
        .collect();
    let changed = client
        .change_message_visibility_batch()
        .queue_url(&url)
        .set_entries(Some(shown))
        .send()
        .await
        .unwrap();
    assert_eq!(changed.successful().len(), 2);
    let again = receive(&client, &url, 0).await;
    assert_eq!(bodies(&again), ["m0", "m1"]);

    // The handle of the first receive is replaced, and one is not a handle at all.
    let delete = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let deleted = client
        .delete_message_batch()
        .queue_url(&url)
        .entries(delete("old", messages[0].receipt_handle().unwrap()))
        .entries(delete("new", again[1].receipt_handle().unwrap()))
        .entries(delete("bad", "zzz"))
        .send()
        .await
        .unwrap();
    assert_eq!((deleted.successful().len(), deleted.failed().len()), (2, 1));
    assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");

    client.purge_queue().queue_url(&url).send().await.unwrap();
    let send = |entries: Vec<_>| client.send_message_batch().queue_url(&url).set_entries(Some(entries));
    let eleven = (0..11).map(|n| entry(&n.to_string(), "x")).collect();
    assert_eq!(code!(send(eleven)), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest");
    assert_eq!(
        code!(send(vec![entry("1", "x"), entry("1", "y")])),
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"
    );
    let half = "x".repeat(600 * 1024);
    assert_eq!(
        code!(send(vec![entry("1", &half), entry("2", &half)])),
        "AWS.SimpleQueueService.BatchRequestTooLong"
    );
    let mixed = send(vec![entry("good", "x"), entry("bad", "\u{1}")]).send().await.unwrap();
    assert_eq!(mixed.failed()[0].code(), "InvalidMessageContents");
    assert_eq!(bodies(&receive(&client, &url, 0).await), ["x"]);
}

#[tokio::test]
async fn limits_and_missing_things_are_refused_as_sqs_does() {
    let (_stack, client) = stack().await;
    let url = queue(&client, "limits", &[(QueueAttributeName::VisibilityTimeout, "7")]).await;
    assert_eq!(queue(&client, "limits", &[(QueueAttributeName::VisibilityTimeout, "7")]).await, url);
    let other = client
        .create_queue()
        .queue_name("limits")
        .attributes(QueueAttributeName::VisibilityTimeout, "8")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(other.is_queue_name_exists());
    let gone = client.get_queue_url().queue_name("gone").send().await.unwrap_err().into_service_error();
    assert!(gone.is_queue_does_not_exist());
    let mebibyte = "x".repeat(1024 * 1024);
    client.send_message().queue_url(&url).message_body(&mebibyte).send().await.unwrap();
    let larger = client.send_message().queue_url(&url).message_body(format!("{mebibyte}x"));
    assert_eq!(code!(larger), "InvalidParameterValue");
    let fifo = client.create_queue().queue_name("orders.fifo");
    assert_eq!(code!(fifo), "AWS.SimpleQueueService.UnsupportedOperation");
    let many = client.receive_message().queue_url(&url).max_number_of_messages(11);
    assert_eq!(code!(many), "InvalidParameterValue");
    let urls = client.list_queues().queue_name_prefix("lim").send().await.unwrap();
    assert_eq!(urls.queue_urls(), [url]);
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let ids = {
        let stack = start_in(directory.path(), vec![]).await;
        let client = sqs_client(&stack.endpoints.sqs);
        let url = queue(&client, "kept", &[]).await;
        let ids = [send(&client, &url, "one").await, send(&client, &url, "two").await];
        let first = client.receive_message().queue_url(&url).send().await.unwrap().messages.unwrap();
        client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(first[0].receipt_handle().unwrap())
            .send()
            .await
            .unwrap();
        // Not shut down: dropped with everything that was under way.
        ids
    };
    let stack = start_in(directory.path(), vec![]).await;
    let client = sqs_client(&stack.endpoints.sqs);
    let url = client.get_queue_url().queue_name("kept").send().await.unwrap().queue_url.unwrap();
    let messages = receive(&client, &url, 0).await;
    assert_eq!(bodies(&messages), ["two"]);
    assert_eq!(messages[0].message_id(), Some(ids[1].as_str()));
    stack.shutdown().await;
}
