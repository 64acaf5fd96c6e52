//! Where a delivery lies: by the minute of its receipt, under its digest.

use anyhow::Context;
use jiff::Timestamp;

pub(crate) const ROOT: &str = "deliveries/";
const SUFFIX: &str = ".ndjson.gz";

/// A delivery's id, taken apart.
pub(crate) struct Place<'a> {
    received_ms: i64,
    digest: &'a str,
}

impl<'a> Place<'a> {
    /// `None` for what is no delivery's id.
    pub(crate) fn of(id: &'a str) -> Option<Self> {
        let (millis, digest) = id.split_once('-')?;
        let is_digest = digest.len() == platform::DIGEST_CHARS
            && digest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let received_ms = millis.parse().ok().filter(|millis| *millis >= 0)?;
        is_digest.then_some(Self { received_ms, digest })
    }

    /// The folder of its minute.
    pub(crate) fn folder(&self) -> anyhow::Result<String> {
        Ok(folder(Timestamp::from_millisecond(self.received_ms).context("a time beyond all times")?))
    }

    /// Whether an object's key says that the delivery is in it.
    pub(crate) fn may_be_in(&self, key: &str) -> bool {
        let name = key.rsplit('/').next().and_then(|name| name.strip_suffix(SUFFIX)).unwrap_or_default();
        name.as_bytes().chunks(platform::DIGEST_CHARS).any(|digest| digest == self.digest.as_bytes())
    }
}

pub(crate) fn folder(at: Timestamp) -> String {
    format!("{ROOT}{}/", at.strftime("%Y-%m-%d/%H-%M"))
}

/// The key of an object with these deliveries, of which there are ten at most.
pub(crate) fn key<'a>(folder: &str, ids: impl Iterator<Item = &'a str>) -> String {
    let mut digests: Vec<&str> = ids.filter_map(|id| Some(Place::of(id)?.digest)).collect();
    digests.sort_unstable();
    format!("{folder}{}{SUFFIX}", digests.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_where_its_id_says() {
        let place = Place::of("1763840701234-4T8ZK2M9QX7B").unwrap();
        let folder = place.folder().unwrap();
        assert_eq!(folder, "deliveries/2025-11-22/19-45/");
        let key = key(&folder, ["1763840701234-4T8ZK2M9QX7B", "1763840701300-0A8ZK2M9QX7B"].into_iter());
        assert_eq!(key, "deliveries/2025-11-22/19-45/0A8ZK2M9QX7B4T8ZK2M9QX7B.ndjson.gz");
        assert!(place.may_be_in(&key));
        // What two digests have in common is neither.
        assert!(!Place::of("1763840701234-QX7B4T8ZK2M9").unwrap().may_be_in(&key));
    }

    #[test]
    fn what_is_no_id_has_no_place() {
        for id in ["", "1", "1-", "x-4T8ZK2M9QX7B", "-5-4T8ZK2M9QX7B", "1-4t8zk2m9qx7b", "1-../../../../x"] {
            assert!(Place::of(id).is_none(), "{id}");
        }
        assert!(Place::of("9223372036854775807-4T8ZK2M9QX7B").unwrap().folder().is_err());
    }
}
