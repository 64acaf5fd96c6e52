//! A bucket in memory, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Archive, Object, Objects};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};

/// A bucket that can be out of order.
#[derive(Clone, Default)]
pub struct Bucket(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    written: u64,
    is_down: bool,
}

impl Bucket {
    /// The archive in it.
    pub fn archive(&self) -> Archive {
        Archive::new(Arc::new(self.clone()))
    }

    /// From now on, nothing can be done with it, or all again.
    pub fn fail(&self, is_down: bool) {
        self.lock().is_down = is_down;
    }

    /// Its keys, in their order.
    pub fn keys(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> anyhow::Result<T> {
        let mut state = self.lock();
        if state.is_down { Err(anyhow::anyhow!("the bucket is down")) } else { Ok(act(&mut state)) }
    }
}

impl Objects for Bucket {
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        over: Option<&'a str>,
    ) -> BoxFuture<'a, anyhow::Result<bool>> {
        let written = self.with(|state| {
            let found = state.objects.get(key).map(|object| object.etag.as_str());
            if over.is_some() && over != found {
                return false;
            }
            state.written += 1;
            let etag = state.written.to_string();
            state.objects.insert(key.to_owned(), Object { body, etag });
            true
        });
        ready(written).boxed()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, anyhow::Result<Option<Object>>> {
        ready(self.with(|state| state.objects.get(key).cloned())).boxed()
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, anyhow::Result<Vec<String>>> {
        let found = self.with(|state| {
            let keys = state.objects.keys().filter(|key| key.starts_with(prefix) && key.as_str() > after);
            keys.take(limit).cloned().collect()
        });
        ready(found).boxed()
    }
}
