//! Volusion V1 ("classic"): a store's XML export.

mod feeds;
mod order;
mod payload;
mod record;

pub(crate) use feeds::{feeds, is_feed, page};
pub(crate) use order::order;
pub(crate) use record::TOPIC;

use platform::Connection;
use serde_json::Value;

/// Whether the connection's store is one of V1.
pub(crate) fn is_classic(connection: &Connection) -> bool {
    connection.text("edition") == Some("v1")
}

/// What the store's own statuses mean, by the setting: texts of `OrderStatus` and a word for each.
pub(crate) fn status_map(connection: &Connection) -> impl Iterator<Item = (&str, &str)> {
    let map = connection.settings.get("status_map").and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(status, word)| Some((status.trim(), word.as_str()?)))
}
