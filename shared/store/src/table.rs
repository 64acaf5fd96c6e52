//! Typed items over the SDK: one way to get, put, query and write in batches.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, DeleteRequest, KeysAndAttributes, Put, PutRequest, TransactWriteItem,
    WriteRequest,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result, Store};

/// An item's attributes by name.
pub type Item = HashMap<String, AttributeValue>;

/// DynamoDB's own bounds.
const BATCH_GET: usize = 100;
const BATCH_WRITE: usize = 25;
/// Rounds of asking again for what a batch left undone, before the caller's own retry takes over.
const BATCH_ROUNDS: u32 = 6;

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn key(partition: &str, sort: &str) -> Item {
    HashMap::from([("pk".to_owned(), text(partition)), ("sk".to_owned(), text(sort))])
}

pub(crate) fn to_item(value: &impl Serialize) -> Result<Item> {
    Ok(serde_dynamo::to_item::<_, serde_dynamo::Item>(value)
        .map_err(|error| Error::corrupt("item", error))?
        .into())
}

pub(crate) fn from_item<T: DeserializeOwned>(kind: &'static str, item: Item) -> Result<T> {
    serde_dynamo::from_item(serde_dynamo::Item::from(item)).map_err(|error| Error::corrupt(kind, error))
}

pub(crate) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::corrupt("document", error))
}

pub(crate) fn from_json<T: DeserializeOwned>(kind: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::corrupt(kind, error))
}

pub(crate) fn item_text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// A condition on the item that a put replaces.
pub(crate) enum Unless {
    /// There must be none.
    Exists,
    /// Its attribute `v` must be this version.
    VersionIsNot(u64),
}

/// The key of an item that was read.
pub(crate) fn key_of(item: &Item) -> Option<Item> {
    Some(key(item_text(item, "pk")?, item_text(item, "sk")?))
}

/// A put, as a part of a transaction.
pub(crate) fn put_of(table: &str, item: Item) -> Result<TransactWriteItem> {
    let put = Put::builder().table_name(table).set_item(Some(item)).build();
    let put = put.map_err(|error| Error::corrupt("transaction", error))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// A put over the version that was read, 0 if there was none, as a part of a transaction.
pub(crate) fn put_over(table: &str, item: Item, read_version: u64) -> Result<TransactWriteItem> {
    let put = Put::builder().table_name(table).set_item(Some(item));
    let put = match read_version {
        0 => put.condition_expression("attribute_not_exists(pk)"),
        version => put.condition_expression("v = :v").expression_attribute_values(":v", number(version)),
    };
    let put = put.build().map_err(|error| Error::corrupt("transaction", error))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// A removal, as a part of a transaction.
pub(crate) fn delete_of(table: &str, key: Item) -> Result<TransactWriteItem> {
    let delete = Delete::builder().table_name(table).set_key(Some(key)).build();
    let delete = delete.map_err(|error| Error::corrupt("transaction", error))?;
    Ok(TransactWriteItem::builder().delete(delete).build())
}

impl Store {
    pub(crate) async fn get(&self, table: &str, partition: &str, sort: &str) -> Result<Option<Item>> {
        let answer = self
            .client
            .get_item()
            .table_name(table)
            .set_key(Some(key(partition, sort)))
            .consistent_read(true)
            .send()
            .await;
        Ok(answer.map_err(|error| Error::of(&error))?.item)
    }

    /// Writes an item; [`Error::Conflict`] if the condition does not hold.
    pub(crate) async fn put(&self, table: &str, item: Item, unless: Option<Unless>) -> Result<()> {
        let request = self.client.put_item().table_name(table).set_item(Some(item));
        let request = match unless {
            None => request,
            Some(Unless::Exists) => request.condition_expression("attribute_not_exists(pk)"),
            Some(Unless::VersionIsNot(version)) => {
                request.condition_expression("v = :v").expression_attribute_values(":v", number(version))
            }
        };
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    pub(crate) async fn delete(&self, table: &str, partition: &str, sort: &str) -> Result<()> {
        let request = self.client.delete_item().table_name(table).set_key(Some(key(partition, sort)));
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    /// Reads many items, in no order; those that are not there are left out.
    pub(crate) async fn batch_get(&self, table: &str, keys: Vec<Item>) -> Result<Vec<Item>> {
        self.batch_get_only(table, keys, None).await
    }

    /// The same, with only these attributes of each.
    pub(crate) async fn batch_get_only(
        &self,
        table: &str,
        keys: Vec<Item>,
        attributes: Option<&str>,
    ) -> Result<Vec<Item>> {
        let mut found = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(BATCH_GET) {
            let mut wanted = chunk.to_vec();
            let mut round = 0;
            while !wanted.is_empty() {
                pause_before(round).await?;
                let request = KeysAndAttributes::builder()
                    .set_keys(Some(wanted))
                    .set_projection_expression(attributes.map(str::to_owned))
                    .consistent_read(true)
                    .build();
                let request = request.map_err(|error| Error::corrupt("batch", error))?;
                let answer = self.client.batch_get_item().request_items(table, request).send().await;
                let mut answer = answer.map_err(|error| Error::of(&error))?;
                found.extend(
                    answer.responses.as_mut().and_then(|tables| tables.remove(table)).unwrap_or_default(),
                );
                wanted = answer
                    .unprocessed_keys
                    .and_then(|mut tables| tables.remove(table))
                    .map(|left| left.keys)
                    .unwrap_or_default();
                round += 1;
            }
        }
        Ok(found)
    }

    /// Deletes many items.
    pub(crate) async fn batch_delete(&self, table: &str, keys: Vec<Item>) -> Result<()> {
        let requests = keys.into_iter().map(|key| {
            let delete = DeleteRequest::builder().set_key(Some(key)).build();
            delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
        });
        let requests: std::result::Result<Vec<_>, _> = requests.collect();
        self.batch_write(table, requests.map_err(|error| Error::corrupt("batch", error))?).await
    }

    /// Writes many items.
    pub(crate) async fn batch_put(&self, table: &str, items: Vec<Item>) -> Result<()> {
        let requests = items.into_iter().map(|item| {
            let put = PutRequest::builder().set_item(Some(item)).build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
        });
        let requests: std::result::Result<Vec<_>, _> = requests.collect();
        self.batch_write(table, requests.map_err(|error| Error::corrupt("batch", error))?).await
    }

    async fn batch_write(&self, table: &str, requests: Vec<WriteRequest>) -> Result<()> {
        for chunk in requests.chunks(BATCH_WRITE) {
            let mut left = chunk.to_vec();
            let mut round = 0;
            while !left.is_empty() {
                pause_before(round).await?;
                let answer = self.client.batch_write_item().request_items(table, left).send().await;
                let answer = answer.map_err(|error| Error::of(&error))?;
                left =
                    answer.unprocessed_items.and_then(|mut tables| tables.remove(table)).unwrap_or_default();
                round += 1;
            }
        }
        Ok(())
    }

    /// All items of a partition whose sort key begins with a prefix, in its order.
    pub(crate) async fn partition(&self, table: &str, partition: &str, prefix: &str) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let request =
                self.client.query().table_name(table).consistent_read(true).set_exclusive_start_key(start);
            let request = request.expression_attribute_values(":pk", text(partition));
            let request = if prefix.is_empty() {
                request.key_condition_expression("pk = :pk")
            } else {
                request
                    .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                    .expression_attribute_values(":prefix", text(prefix))
            };
            let answer = request.send().await.map_err(|error| Error::of(&error))?;
            items.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
    }
}

/// The highest character: behind a prefix it is above everything that begins with the prefix.
const LAST: char = '\u{10ffff}';

impl Store {
    /// The next items of a partition whose sort key begins with a prefix, behind `after`, which begins with it too;
    /// fewer than `limit` only at the end.
    pub(crate) async fn partition_after(
        &self,
        table: &str,
        partition: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Item>> {
        let mut items: Vec<Item> = Vec::new();
        let mut start = None;
        loop {
            let request = self
                .client
                .query()
                .table_name(table)
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .key_condition_expression("pk = :pk AND sk BETWEEN :after AND :last")
                .expression_attribute_values(":pk", text(partition))
                .expression_attribute_values(":after", text(after))
                .expression_attribute_values(":last", text(format!("{prefix}{LAST}")))
                // The item at the beginning is read again and dropped.
                .limit(i32::try_from(limit - items.len() + 1).unwrap_or(i32::MAX));
            let answer = request.send().await.map_err(|error| Error::of(&error))?;
            let found = answer.items.unwrap_or_default().into_iter();
            items.extend(found.filter(|item| item_text(item, "sk") != Some(after)));
            start = answer.last_evaluated_key;
            if start.is_none() || items.len() >= limit {
                items.truncate(limit);
                return Ok(items);
            }
        }
    }
}

/// Waits 0, 50, 100, 200 … ms before a round of a batch; gives up after [`BATCH_ROUNDS`].
async fn pause_before(round: u32) -> Result<()> {
    match round {
        0 => Ok(()),
        BATCH_ROUNDS.. => Err(Error::Unavailable("batch still throttled".to_owned())),
        _ => {
            tokio::time::sleep(std::time::Duration::from_millis(25 << round)).await;
            Ok(())
        }
    }
}
