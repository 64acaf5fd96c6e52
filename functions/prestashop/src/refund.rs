//! Refunds: one per slip. A shop that only sets the order's state has refunded all of it.

use canonical::fact::Refund;
use canonical::money::Decimal;
use canonical::{Currency, Instant, Money};
use jiff::tz::TimeZone;
use platform::lenient::{Dropped, Id, Object, Objects};

use crate::payload::Slip;
use crate::person::{amount, time};

/// The id of the refund that only the order's state tells of.
const BY_STATE: &str = "state";
/// The type of a slip that pays back less than its products: not what vouchers paid of the order.
const WITHOUT_VOUCHERS: &str = "1";

/// An order's refunds. A slip of money that was written before the order was refunded, or without that state, stands for
/// itself; if the state came first, it stands for everything, and what was written afterwards is the paper of it.
pub(crate) fn refunds(
    dropped: &mut Dropped,
    zone: &TimeZone,
    slips: Objects<Slip>,
    refunded: Option<Instant>,
    paid: Option<Decimal>,
    discounts: Option<Decimal>,
    currency: Option<Currency>,
) -> Vec<Refund> {
    let slips = dropped.list("slips", slips);
    let slips: Vec<Refund> = slips
        .into_iter()
        .filter_map(|Object(slip)| self::slip(dropped, zone, slip, discounts, currency))
        .collect();
    match refunded {
        Some(at) if slips.iter().all(|slip| slip.amount.is_none() || slip.at > at) => {
            let amount = paid.map(|amount| Money { amount, currency });
            vec![Refund { refund_id: BY_STATE.to_owned(), at, amount, reason: None }]
        }
        _ => slips,
    }
}

/// The products' part is what the slip lists, unless the merchant chose another amount; with tax, as the buyer paid.
fn slip(
    dropped: &mut Dropped,
    zone: &TimeZone,
    slip: Slip,
    discounts: Option<Decimal>,
    currency: Option<Currency>,
) -> Option<Refund> {
    let Id(refund_id) = dropped.take("slips.id", slip.id)?;
    let at = time(dropped, "slips.date_add", slip.date_add, zone)?;
    let chosen = amount(dropped, "slips.amount", slip.amount);
    let with_tax = amount(dropped, "slips.total_products_tax_incl", slip.total_products_tax_incl);
    let without_tax = amount(dropped, "slips.total_products_tax_excl", slip.total_products_tax_excl);
    let shipping = amount(dropped, "slips.total_shipping_tax_incl", slip.total_shipping_tax_incl)
        .or_else(|| amount(dropped, "slips.shipping_cost_amount", slip.shipping_cost_amount));
    let products = match chosen {
        Some(chosen) if Some(chosen) != with_tax && Some(chosen) != without_tax => Some(chosen),
        chosen => with_tax.or(chosen),
    };
    // The order's vouchers are not paid back, but only taken off the column that is not the buyer's: not if that is this.
    let kind = dropped.take("slips.order_slip_type", slip.order_slip_type);
    let kept = discounts.filter(|_| kind == Some(Id(WITHOUT_VOUCHERS.to_owned())) && chosen == with_tax);
    let products = products.and_then(|products| products.checked_sub(kept.unwrap_or_default()));
    let amount = products.and_then(|products| products.checked_add(shipping.unwrap_or_default()));
    let amount = amount.filter(|amount| *amount > Decimal::ZERO).map(|amount| Money { amount, currency });
    Some(Refund { refund_id, at, amount, reason: None })
}
