#![doc = include_str!("../README.md")]

mod bucket;
mod entry;
pub mod memory;
mod place;
mod text;

use std::sync::Arc;

use anyhow::Context;
use futures::future::BoxFuture;
use jiff::Timestamp;
use runtime::Config;

use bucket::Bucket;
pub use entry::{ERASED, Entry, Told};
use place::Place;
pub use text::identifiers_in;

/// What an object holds at most, before it is compressed, if it holds more than one delivery: whoever reads it holds it in
/// memory.
const OBJECT_BYTES: usize = 8 * 1024 * 1024;
/// Keys that are asked for at once: as many as S3 gives.
const PAGE: usize = 1000;
/// Pages that are looked through for one delivery: of a minute with ten million.
const MAX_PAGES: usize = 1000;

/// An object that was read.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its bytes.
    pub body: Vec<u8>,
    /// What this version of it is recognised by.
    pub etag: String,
}

/// Storage for objects.
pub trait Objects: Send + Sync {
    /// Writes an object; over the one of this `ETag` only, if one is given. Returns whether it was written.
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        over: Option<&'a str>,
    ) -> BoxFuture<'a, anyhow::Result<bool>>;

    /// An object; `None` if there is none.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, anyhow::Result<Option<Object>>>;

    /// The next keys behind `after`, which need not be one, of those that begin with a prefix, in their order.
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, anyhow::Result<Vec<String>>>;
}

/// The archive.
#[derive(Clone)]
pub struct Archive {
    objects: Arc<dyn Objects>,
}

/// Entries as they were read.
#[derive(Clone, Debug)]
pub struct Batch {
    /// All of one object.
    pub entries: Vec<Entry>,
    key: String,
    etag: String,
}

impl Archive {
    /// Over a storage.
    pub fn new(objects: Arc<dyn Objects>) -> Self {
        Self { objects }
    }

    /// The one that a Lambda function is told of; `None` if nothing is archived.
    pub async fn from_env(config: &Config) -> Option<Self> {
        let name = config.optional("ARCHIVE_BUCKET")?;
        Some(Self::new(Arc::new(Bucket::from_env(name).await)))
    }

    /// The same in an emulated S3 on this machine.
    pub fn local(config: &Config, endpoint: &str) -> Option<Self> {
        let name = config.optional("ARCHIVE_BUCKET")?;
        Some(Self::new(Arc::new(Bucket::local(endpoint, name))))
    }

    /// Returns once all entries are kept: an object for each minute of their receipt, or more if they are large. Keeping the
    /// same again changes nothing.
    pub async fn keep(&self, entries: Vec<Entry>) -> anyhow::Result<()> {
        let mut batches: Vec<(String, usize, Vec<Entry>)> = Vec::new();
        for entry in entries {
            let folder = Place::of(&entry.id).context("an entry without an id")?.folder()?;
            let bytes = entry.message.as_ref().map_or(0, String::len);
            let has_room =
                |batch: &&mut (String, usize, _)| batch.0 == folder && batch.1 + bytes <= OBJECT_BYTES;
            match batches.iter_mut().find(has_room) {
                Some((_, filled, entries)) => {
                    *filled += bytes;
                    entries.push(entry);
                }
                None => batches.push((folder, bytes, vec![entry])),
            }
        }
        let puts = batches.into_iter().map(|(folder, _, entries)| async move {
            let key = place::key(&folder, entries.iter().map(|entry| entry.id.as_str()));
            self.objects.put(&key, entry::pack(&entries)?, None).await
        });
        futures::future::try_join_all(puts).await.map(drop)
    }

    /// The last that was said of a delivery; `None` if it is not here.
    pub async fn find(&self, id: &str) -> anyhow::Result<Option<Entry>> {
        let Some(place) = Place::of(id) else { return Ok(None) };
        let folder = place.folder()?;
        let (mut after, mut last): (String, Option<Entry>) = (folder.clone(), None);
        for _ in 0..MAX_PAGES {
            let keys = self.objects.list(&folder, &after, PAGE).await?;
            for key in keys.iter().filter(|key| place.may_be_in(key)) {
                let entries = self.read(key).await?.map(|batch| batch.entries).unwrap_or_default();
                let found = entries.into_iter().filter(|entry| entry.id == id);
                last = last.into_iter().chain(found).max_by_key(|entry| entry.archived_at);
            }
            match keys.last() {
                Some(key) if keys.len() >= PAGE => after.clone_from(key),
                _ => break,
            }
        }
        Ok(last)
    }

    /// Keys of the next objects, by the time of receipt: from the minute of `from` to that of `until`, behind `after`.
    pub async fn keys(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Vec<String>> {
        let first = place::folder(from);
        let after = after.map_or(first.as_str(), |after| after.max(first.as_str()));
        let mut keys = self.objects.list(place::ROOT, after, limit).await?;
        let last = place::folder(until);
        keys.retain(|key| *key < last || key.starts_with(&last));
        Ok(keys)
    }

    /// The entries of an object; `None` if it is not there any more.
    pub async fn read(&self, key: &str) -> anyhow::Result<Option<Batch>> {
        let Some(Object { body, etag }) = self.objects.get(key).await? else { return Ok(None) };
        let entries = entry::unpack(&body).with_context(|| key.to_owned())?;
        Ok(Some(Batch { entries, key: key.to_owned(), etag }))
    }

    /// Writes entries over what was read of them. Returns whether that was still there.
    pub async fn rewrite(&self, batch: &Batch) -> anyhow::Result<bool> {
        self.objects.put(&batch.key, entry::pack(&batch.entries)?, Some(&batch.etag)).await
    }
}
