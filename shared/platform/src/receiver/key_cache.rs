//! Public keys that platforms publish.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;

/// How long a public key is used before it is fetched again: a day, as Adobe asks.
const FRESH_MS: i64 = 24 * 3_600_000;
/// Public keys remembered before all are forgotten: a bound, not a tuning.
const MAX_REMEMBERED: usize = 100;

/// Fetches public keys, for platforms that sign with keys they publish.
pub trait KeySource: Send + Sync {
    /// The text (PEM) at an address, which the adapter has checked.
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, anyhow::Result<String>>;
}

/// Keys that were fetched, and where others come from.
#[derive(Default)]
pub(super) struct KeyCache {
    source: Option<Arc<dyn KeySource>>,
    remembered: Mutex<HashMap<String, (i64, String)>>,
}

impl KeyCache {
    pub(super) fn new(source: Arc<dyn KeySource>) -> Self {
        Self { source: Some(source), ..Self::default() }
    }

    /// Adds the keys at these addresses to `keys`. Returns why one is missing, if one is.
    pub(super) async fn fetch(
        &self,
        addresses: Vec<String>,
        now: Timestamp,
        keys: &mut BTreeMap<String, String>,
    ) -> Option<anyhow::Error> {
        let fetched = join_all(addresses.iter().map(|address| self.key(address, now))).await;
        let mut missing = None;
        for (address, key) in addresses.into_iter().zip(fetched) {
            match key {
                Ok(key) => drop(keys.insert(address, key)),
                Err(error) => missing = Some(error),
            }
        }
        missing
    }

    async fn key(&self, address: &str, now: Timestamp) -> anyhow::Result<String> {
        let now_ms = now.as_millisecond();
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned();
        if let Some((_, key)) = remembered.filter(|(read_at_ms, _)| now_ms - read_at_ms < FRESH_MS) {
            return Ok(key);
        }
        let source = self.source.as_ref().ok_or_else(|| anyhow::anyhow!("no source of public keys"))?;
        let key = source.fetch(address).await?;
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(address.to_owned(), (now_ms, key.clone()));
        Ok(key)
    }
}
