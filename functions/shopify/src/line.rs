//! Lines of orders, fulfilments, checkouts and carts.

use canonical::fact::Line;
use canonical::money::Decimal;
use canonical::{Currency, Money};
use platform::lenient::{Dropped, Field, Object};

use crate::payload::{DiscountCode, LineItem, MoneySet, Objects};
use crate::reader::Reader;

/// Where a line comes from: what its prices and ids mean differs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `id` names the line, `price` is in the shop's currency and before all discounts.
    Order,
    /// `id` is the variant's; `key` tells two lines of one variant apart.
    Checkout,
    /// As in a checkout, and `line_price` is what the line costs after discounts.
    Cart,
}

/// Lines, and the currency that the first of them names.
pub(crate) fn lines(
    reader: &mut Reader<'_>,
    origin: Origin,
    items: Objects<LineItem>,
) -> (Vec<Line>, Option<Currency>) {
    let items = reader.dropped.list("line_items", items);
    let mut currency = None;
    let lines = items.into_iter().enumerate().map(|(index, Object(item))| {
        let (line, named) = line(reader, origin, index, item);
        currency = currency.or(named);
        line
    });
    let lines = lines.collect();
    (lines, currency)
}

fn line(reader: &mut Reader<'_>, origin: Origin, index: usize, item: LineItem) -> (Line, Option<Currency>) {
    let id = reader.id("line_items.id", item.id);
    let product_id = reader.id("line_items.product_id", item.product_id);
    let variant_id = reader.id("line_items.variant_id", item.variant_id);
    let dropped = &mut reader.dropped;
    let key = dropped.take("line_items.key", item.key);
    let line_id = if origin == Origin::Order { id.or(key) } else { key.or(id) };

    let quantity = dropped.take("line_items.quantity", item.quantity).unwrap_or(Decimal::ONE);
    let price = shop_money(dropped, "line_items.price_set", item.price_set);
    let unit_price = match (origin, price) {
        // In a cart the plain amounts are the buyer's; only the set says which currency is which.
        (Origin::Cart, Some(Money { amount, .. })) => Some(amount),
        _ => dropped.take("line_items.price", item.price),
    };
    let charged = match origin {
        Origin::Cart => shop_money(dropped, "line_items.line_price_set", item.line_price_set)
            .map(|money| money.amount)
            .or_else(|| dropped.take("line_items.line_price", item.line_price)),
        Origin::Order | Origin::Checkout => None,
    };
    let discount = discount(dropped, item.total_discount, item.discount_allocations);
    let total =
        charged.or_else(|| unit_price?.checked_mul(quantity)?.checked_sub(discount.unwrap_or_default()));
    let title = dropped.take("line_items.title", item.title);
    let line = Line {
        // The place in the list does not change: lines are added at its end and never leave it.
        line_id: line_id.or_else(|| variant_id.clone()).unwrap_or_else(|| format!("#{index}")),
        product_id,
        variant_id,
        sku: dropped.take("line_items.sku", item.sku),
        name: title.or_else(|| item.presentment_title.ok()).or_else(|| item.name.ok()).unwrap_or_default(),
        variant_name: dropped.take("line_items.variant_title", item.variant_title),
        quantity,
        unit_price,
        total,
        brand: dropped.take("line_items.vendor", item.vendor),
        gift_card: dropped.take("line_items.gift_card", item.gift_card).unwrap_or_default(),
        ..Line::default()
    };
    (line, price.and_then(|money| money.currency))
}

/// A line's own share of all discounts. `total_discount` leaves out what is spread over the whole order.
fn discount(
    dropped: &mut Dropped,
    total: Field<Decimal>,
    allocations: Objects<crate::payload::Amount>,
) -> Option<Decimal> {
    let total = dropped.take("line_items.total_discount", total);
    let name = "line_items.discount_allocations";
    let mut allocations = dropped.list(name, allocations).into_iter().peekable();
    if allocations.peek().is_none() {
        return total;
    }
    allocations.try_fold(Decimal::ZERO, |sum, Object(allocation)| {
        sum.checked_add(dropped.take(name, allocation.amount).unwrap_or_default())
    })
}

/// The half of a set that is in the shop's currency.
pub(crate) fn shop_money(
    dropped: &mut Dropped,
    name: &'static str,
    set: Field<Object<MoneySet>>,
) -> Option<Money> {
    let Object(set) = dropped.take(name, set)?;
    let Object(half) = dropped.take(name, set.shop_money)?;
    let amount = dropped.take(name, half.amount)?;
    Some(Money { amount, currency: dropped.take(name, half.currency_code) })
}

/// The codes that were used; an automatic discount has an empty one.
pub(crate) fn discount_codes(dropped: &mut Dropped, codes: Objects<DiscountCode>) -> Vec<String> {
    let codes = dropped.list("discount_codes", codes);
    codes.into_iter().filter_map(|Object(code)| dropped.take("discount_codes.code", code.code)).collect()
}

/// Whether a line costs something else than price × quantity.
pub(crate) fn is_discounted(line: &Line) -> bool {
    line.total != line.unit_price.and_then(|price| price.checked_mul(line.quantity))
}

/// A line of a parcel that holds a part of an ordered line: its share of what the whole line costs.
pub(crate) fn share(part: &mut Line, whole: &Line) {
    if part.quantity == whole.quantity {
        part.total = whole.total;
        return;
    }
    // More decimals than the prices have would be an invention.
    part.total = whole.total.and_then(|total| {
        Some(total.checked_mul(part.quantity)?.checked_div(whole.quantity)?.round_dp(total.scale()))
    });
}
