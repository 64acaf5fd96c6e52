//! Bodies that are too large for the queue: stored here while the queue carries their name.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt, stream};

use crate::table::{self, number};
use crate::{Error, Result, Store};

/// How long a body is kept, in seconds: longer than a message lives in the queue and then in the dead-letter queue.
const KEPT_FOR_S: i64 = 20 * 24 * 3600;
/// More parts than the largest body has.
const MAX_PARTS: usize = 32;
/// Parts that are written at the same time: whoever sent the body waits for an answer.
const CONCURRENCY: usize = 4;

impl Store {
    /// Stores a body's parts. Storing the same again changes nothing but their end.
    pub async fn put_claim(&self, id: &str, parts: Vec<Vec<u8>>, now_s: i64) -> Result<()> {
        let writes = parts.into_iter().enumerate().map(|(index, part)| {
            let mut item = table::key(&partition(id), &sort(index));
            item.insert("bytes".to_owned(), AttributeValue::B(Blob::new(part)));
            item.insert("expires".to_owned(), number(now_s + KEPT_FOR_S));
            self.put(&self.orders, item, None)
        });
        let writes: Vec<_> = writes.collect();
        stream::iter(writes).buffer_unordered(CONCURRENCY).try_collect().await
    }

    /// A body's parts in a row; `None` if one is not there any more.
    pub async fn claim(&self, id: &str, parts: usize) -> Result<Option<Vec<u8>>> {
        if parts > MAX_PARTS {
            return Ok(None);
        }
        let keys = (0..parts).map(|index| table::key(&partition(id), &sort(index))).collect();
        let mut found: HashMap<String, Vec<u8>> = HashMap::new();
        for mut item in self.batch_get(&self.orders, keys).await? {
            let sort = table::item_text(&item, "sk").unwrap_or_default().to_owned();
            let Some(AttributeValue::B(bytes)) = item.remove("bytes") else {
                return Err(Error::corrupt("claim", "bytes missing"));
            };
            found.insert(sort, bytes.into_inner());
        }
        let parts: Option<Vec<_>> = (0..parts).map(|index| found.remove(&sort(index))).collect();
        Ok(parts.map(|parts| parts.concat()))
    }
}

fn partition(id: &str) -> String {
    format!("claim#{id}")
}

fn sort(index: usize) -> String {
    format!("{index:03}")
}
