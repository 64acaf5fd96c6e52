//! Volusion V1 ("classic"): a store's XML export.

mod feeds;
mod order;
mod payload;
mod record;

pub(crate) use feeds::{feeds, is_feed, page};
pub(crate) use order::order;
pub(crate) use record::TOPIC;

use platform::Connection;

/// Whether the connection's store is one of V1.
pub(crate) fn is_classic(connection: &Connection) -> bool {
    connection.text("edition") == Some("v1")
}
