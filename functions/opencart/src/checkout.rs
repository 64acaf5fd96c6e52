//! Orders that nobody confirmed: the row is written before the payment.

use canonical::fact::{CheckoutSnapshot, Line};
use canonical::{Instant, Money, Person};

/// A checkout that was begun; once the order is confirmed, it is an order and no longer this. There is no link that
/// restores it.
pub(crate) fn checkout(
    order_id: String,
    person: Person,
    [started_at, updated_at]: [Option<Instant>; 2],
    total: Option<Money>,
    discount_codes: Vec<String>,
    lines: Vec<Line>,
) -> CheckoutSnapshot {
    CheckoutSnapshot {
        checkout_id: order_id,
        person,
        started_at,
        updated_at,
        total,
        discount_codes,
        lines,
        ..CheckoutSnapshot::default()
    }
}
