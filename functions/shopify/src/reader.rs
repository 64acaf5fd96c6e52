//! What every topic's reading shares.

use canonical::Instant;
use platform::lenient::{Dropped, Field, Id};
use platform::reading::Silence;
use platform::{Connection, Delivery, Headers};

/// The names of a header: today's, and that of the developer preview called Events.
/// Source: <https://shopify.dev/docs/apps/build/events/verify-deliveries>.
type Names = [&'static str; 2];

pub(crate) const SIGNATURE: Names = ["x-shopify-hmac-sha256", "shopify-hmac-sha256"];
pub(crate) const TOPIC: Names = ["x-shopify-topic", "shopify-topic"];
pub(crate) const SHOP: Names = ["x-shopify-shop-domain", "shopify-shop-domain"];
pub(crate) const TRIGGERED_AT: Names = ["x-shopify-triggered-at", "shopify-triggered-at"];
pub(crate) const VERSION: Names = ["x-shopify-api-version", "shopify-api-version"];
pub(crate) const EVENT_ID: Names = ["x-shopify-event-id", "shopify-event-id"];
pub(crate) const WEBHOOK_ID: Names = ["x-shopify-webhook-id", "shopify-webhook-id"];

/// A header's value, trimmed; blank counts as missing.
pub(crate) fn header(headers: &Headers, names: Names) -> Option<&str> {
    names.iter().find_map(|name| headers.get(name)).map(str::trim).filter(|value| !value.is_empty())
}

/// A delivery while it is read.
pub(crate) struct Reader<'a> {
    pub(crate) delivery: &'a Delivery,
    pub(crate) connection: &'a Connection,
    pub(crate) dropped: Dropped,
}

impl Reader<'_> {
    /// Takes an id that the delivery makes no sense without; `what` names it in the reason.
    pub(crate) fn identity(&mut self, what: &'static str, id: Field<Id>) -> Result<String, Silence> {
        self.id(what, id).ok_or_else(|| Silence::Malformed(format!("no usable {what}")))
    }

    /// Takes an id. Of a GraphQL id such as `gid://shopify/Customer/1?x=y` it is the last segment, which
    /// is the id that the other topics use.
    pub(crate) fn id(&mut self, name: &'static str, id: Field<Id>) -> Option<String> {
        let Id(id) = self.dropped.take(name, id)?;
        let Some(path) = id.strip_prefix("gid://") else { return Some(id) };
        let path = path.split('?').next().unwrap_or_default();
        path.rsplit('/').next().filter(|last| !last.is_empty()).map(str::to_owned)
    }

    /// When what the delivery tells happened, where its body does not say.
    pub(crate) fn triggered_at(&self) -> Option<Instant> {
        header(&self.delivery.headers, TRIGGERED_AT)?.parse().ok()
    }

    /// As [`Self::triggered_at`], with the time of the delivery's acceptance as the last resort.
    pub(crate) fn happened_at(&self) -> Instant {
        self.triggered_at().unwrap_or_else(|| self.delivery.received_at.into())
    }

    /// The shop's `myshopify.com` domain.
    pub(crate) fn shop(&self) -> Option<&str> {
        header(&self.delivery.headers, SHOP).or_else(|| self.connection.text("shop_domain"))
    }

    /// Test orders and test payments are wanted.
    pub(crate) fn includes_tests(&self) -> bool {
        self.connection.flag("include_test_orders", false)
    }

    /// A body that names another shop than the connection is for. The body is signed and the header is
    /// not, and what needs this check cannot be undone.
    pub(crate) fn own_shop(&self, named: Option<&str>) -> Result<(), Silence> {
        match (named, self.connection.text("shop_domain")) {
            (Some(named), Some(own)) if !named.eq_ignore_ascii_case(own) => {
                Err(Silence::Ignore("other_shop"))
            }
            _ => Ok(()),
        }
    }
}
