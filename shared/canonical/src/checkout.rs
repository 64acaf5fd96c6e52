//! Started Checkout: once per checkout, however often the source reports it.

use serde::{Deserialize, Serialize};

use crate::fact::CheckoutSnapshot;
use crate::properties::Properties;
use crate::{Event, Metric, Source};

/// What was already told of one checkout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// Started Checkout was told.
    #[serde(rename = "s", skip_serializing_if = "std::ops::Not::not")]
    pub started: bool,
}

/// Started Checkout, if the ledger has not told it. Nothing for a checkout that has become an order, nor
/// for one whose time is not known. When `started_at` is absent, `updated_at` stands in for it.
pub fn advance(ledger: &Ledger, snapshot: &CheckoutSnapshot, source: &Source) -> (Ledger, Vec<Event>) {
    let Some(at) = snapshot.started_at.or(snapshot.updated_at) else { return (*ledger, Vec::new()) };
    if ledger.started || snapshot.completed {
        return (*ledger, Vec::new());
    }
    let event = Event {
        value: snapshot.total,
        properties: Properties::default()
            .items(&snapshot.lines)
            .text("CheckoutURL", snapshot.checkout_url.as_deref())
            .list("Discount Codes", snapshot.discount_codes.iter().map(String::as_str))
            .email_domain(&snapshot.person)
            .build(),
        backfill: snapshot.backfill,
        ..Event::new(source, Metric::StartedCheckout, &[&snapshot.checkout_id], at)
    };
    (Ledger { started: true }, vec![event])
}
