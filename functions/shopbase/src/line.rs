//! Lines of orders, fulfilments, checkouts and carts, and the codes used on them.

use std::collections::BTreeSet;

use canonical::fact::Line;
use canonical::money::Decimal;
use platform::lenient::{Dropped, Object, Objects};

use crate::payload::{Codes, LineItem};
use crate::value::{DiscountCode, Price, id};

/// Takes all lines out.
pub(crate) fn lines(dropped: &mut Dropped, items: Objects<LineItem>) -> Vec<Line> {
    let items = dropped.list("line_items", items);
    items.into_iter().enumerate().map(|(index, Object(item))| line(dropped, index, item)).collect()
}

fn line(dropped: &mut Dropped, index: usize, item: LineItem) -> Line {
    let line_id = id(dropped, "line_items.id", item.id);
    let variant_id = id(dropped, "line_items.variant_id", item.variant_id);
    let quantity = dropped.take("line_items.quantity", item.quantity).unwrap_or(Decimal::ONE);
    let price = dropped.take("line_items.price", item.price);
    let discount = dropped.take("line_items.total_discount", item.total_discount);
    let unit_price = price.map(|Price(money)| money.amount);
    let discount = discount.map(|Price(money)| money.amount).unwrap_or_default();
    let title = dropped.take("line_items.title", item.title);
    Line {
        line_id: line_id.or_else(|| variant_id.clone()).unwrap_or_else(|| format!("#{index}")),
        product_id: id(dropped, "line_items.product_id", item.product_id),
        variant_id,
        sku: dropped.take("line_items.sku", item.sku),
        name: title.or_else(|| dropped.take("line_items.name", item.name)).unwrap_or_default(),
        variant_name: dropped.take("line_items.variant_title", item.variant_title),
        quantity,
        unit_price,
        total: unit_price.and_then(|price| price.checked_mul(quantity)?.checked_sub(discount)),
        brand: dropped.take("line_items.vendor", item.vendor),
        ..Line::default()
    }
}

/// Whether a line costs something else than price × quantity.
pub(crate) fn is_discounted(line: &Line) -> bool {
    line.total != line.unit_price.and_then(|price| price.checked_mul(line.quantity))
}

/// A parcel's line names its part of an ordered line: it costs its share of what that line costs.
pub(crate) fn share(part: &mut Line, whole: &Line) {
    part.total = if part.quantity == whole.quantity {
        whole.total
    } else {
        // More decimals than the prices have would be an invention; but of a number, 25 may be 25.00.
        whole.total.and_then(|total| {
            let decimals = total.scale().max(2);
            Some(total.checked_mul(part.quantity)?.checked_div(whole.quantity)?.round_dp(decimals))
        })
    };
}

/// All codes, each once, wherever they are named.
pub(crate) fn discount_codes(dropped: &mut Dropped, codes: Codes) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let single = dropped.take("discount_code", codes.discount_code);
    let several = dropped.list("discount_codes", codes.discount_codes);
    let applied = dropped.list("discount_applications", codes.discount_applications);
    let named = single.into_iter().chain(several).chain(applied);
    named.filter_map(|DiscountCode(code)| code).filter(|code| seen.insert(code.clone())).collect()
}
