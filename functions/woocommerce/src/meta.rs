//! `meta_data`: what plugins write onto records, under keys of their own.

use platform::lenient::{Dropped, Object, Objects};

use crate::payload;

/// Keys and their values, as far as these are words.
pub(crate) struct Meta(Vec<(String, String)>);

impl Meta {
    /// Takes them out. Values of other types are no fault: plugins store what they like.
    pub(crate) fn take(dropped: &mut Dropped, meta: Objects<payload::Meta>) -> Self {
        let entries = dropped.list("meta_data", meta).into_iter();
        Self(entries.filter_map(|Object(entry)| Some((entry.key.ok()?, entry.value.ok()?.0))).collect())
    }

    /// The first value under a key, which is the one that WordPress gives.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str())
    }
}
