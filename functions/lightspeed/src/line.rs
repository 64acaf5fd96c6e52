//! Lines of a sale: goods, charges, fees, gift cards, rebates and notes, sold or given back.
//! Source: <https://developers.lightspeedhq.com/retail/endpoints/SaleLine/>.

use std::collections::BTreeMap;

use canonical::Currency;
use canonical::fact::Line;
use canonical::money::Decimal;
use platform::lenient::{Dropped, Field, Object};

use crate::money::{round, sum};
use crate::payload::{self, Item, SaleLine, Texts};

/// What a line's meaning depends on.
pub(crate) struct Surroundings {
    /// Full path names by id.
    pub(crate) categories: Texts,
    /// What was put on gift cards, by line.
    pub(crate) gift_cards: BTreeMap<String, Field<Decimal>>,
    pub(crate) currency: Option<Currency>,
}

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something that is bought: an item, a miscellaneous charge, a gift card.
    Goods,
    /// A fee on an item, such as a bottle's deposit.
    Fee,
    /// A price below zero: a rebate, a trade-in.
    Rebate,
}

/// A line, read. Of what is given back all signs are turned, so that it looks as when it was sold.
pub(crate) struct Part {
    pub(crate) kind: Kind,
    pub(crate) is_return: bool,
    /// The line that is given back.
    pub(crate) parent: Option<String>,
    pub(crate) line: Line,
    /// With tax, not rounded.
    pub(crate) gross: Decimal,
    /// Of the line and, in proportion, of the sale.
    pub(crate) discount: Decimal,
    pub(crate) discount_name: Option<String>,
    /// Layaway, special order, work order.
    pub(crate) sale_types: Vec<&'static str>,
}

/// Reads a line; `None` for a note, and for what has no quantity.
pub(crate) fn part(dropped: &mut Dropped, surroundings: &Surroundings, line: SaleLine) -> Option<Part> {
    let Some(line_id) = payload::key(dropped, "saleLineID", line.id) else {
        dropped.note("saleLineID");
        return None;
    };
    let quantity = dropped.take("unitQuantity", line.unit_quantity)?;
    let is_return = quantity.is_sign_negative() && !quantity.is_zero();
    let turned = |amount: Decimal| if is_return { -amount } else { amount };
    let unit_price = dropped.take("unitPrice", line.unit_price);
    let line_discount = dropped.take("calcLineDiscount", line.calc_line_discount).unwrap_or_default();
    let sale_discount =
        dropped.take("calcTransactionDiscount", line.calc_transaction_discount).unwrap_or_default();
    let discount = line_discount.checked_add(sale_discount)?;
    let subtotal = dropped.take("calcSubtotal", line.calc_subtotal);
    let net = dropped
        .take("displayableSubtotal", line.displayable_subtotal)
        .or_else(|| subtotal?.checked_sub(discount))
        .or_else(|| unit_price?.checked_mul(quantity)?.checked_sub(discount));
    let gross = dropped.take("calcTotal", line.calc_total).or(net).unwrap_or_default();
    let item_id = payload::key(dropped, "itemID", line.item_id);
    let is_fee = dropped.take("lineType", line.line_type).is_some_and(|kind| kind.starts_with("item_fee"));
    let gift_card = surroundings.gift_cards.get(&line_id).cloned().unwrap_or_default();
    let gift_card = gift_card.ok().filter(|_| !is_return && item_id.is_none());
    if quantity.is_zero() || (item_id.is_none() && gross.is_zero() && gift_card.is_none()) {
        return None;
    }
    let gross = gift_card.unwrap_or_else(|| turned(gross));
    let kind = if is_fee {
        Kind::Fee
    } else if gross.is_sign_negative() && !gross.is_zero() {
        Kind::Rebate
    } else {
        Kind::Goods
    };
    let Object(item) = dropped.take("Item", line.item).unwrap_or_default();
    let item = described(dropped, surroundings, item);
    let note = dropped.take("Note", line.note).and_then(|Object(note)| dropped.take("note", note.note));
    let name = match (&gift_card, item.name) {
        (Some(_), _) => "Gift Card".to_owned(),
        (None, Some(name)) => name,
        (None, None) if item_id.is_some() => note.unwrap_or_default(),
        (None, None) => note.unwrap_or_else(|| "Misc. charge".to_owned()),
    };
    let discount_name = dropped
        .take("Discount", line.discount)
        .and_then(|Object(discount)| dropped.take("name", discount.name));
    let sale_types = [
        ("Layaway", dropped.take("isLayaway", line.is_layaway)),
        ("Special Order", dropped.take("isSpecialOrder", line.is_special_order)),
        ("Work Order", dropped.take("isWorkorder", line.is_workorder)),
    ];
    Some(Part {
        kind,
        is_return,
        parent: payload::key(dropped, "parentSaleLineID", line.parent),
        line: Line {
            line_id,
            product_id: item_id,
            sku: item.sku,
            name,
            quantity: turned(quantity).normalize(),
            unit_price: gift_card.or(unit_price).map(|price| price.normalize()),
            total: gift_card.or(net.map(turned)).map(|total| round(total, surroundings.currency)),
            categories: item.category.into_iter().collect(),
            gift_card: gift_card.is_some(),
            ..Line::default()
        },
        gross,
        discount: turned(discount),
        discount_name,
        sale_types: sale_types
            .into_iter()
            .filter(|(_, is)| *is == Some(true))
            .map(|(name, _)| name)
            .collect(),
    })
}

#[derive(Default)]
struct Described {
    name: Option<String>,
    sku: Option<String>,
    category: Option<String>,
}

fn described(dropped: &mut Dropped, surroundings: &Surroundings, item: Item) -> Described {
    let category = payload::key(dropped, "categoryID", item.category_id);
    let system_sku = dropped.take("systemSku", item.system_sku);
    Described {
        name: dropped.take("description", item.description),
        sku: dropped.take("customSku", item.custom_sku).or(system_sku),
        category: category.and_then(|id| surroundings.categories.get(&id)?.clone().ok()),
    }
}

/// What lines come to, tax included.
pub(crate) fn gross<'a>(
    parts: impl IntoIterator<Item = &'a Part>,
    currency: Option<Currency>,
) -> Option<Decimal> {
    sum(parts.into_iter().map(|part| part.gross)).map(|gross| round(gross, currency))
}

/// What was taken off: discounts, and what has a price below zero.
pub(crate) fn discounts<'a>(
    parts: impl IntoIterator<Item = &'a Part>,
    currency: Option<Currency>,
) -> Option<Decimal> {
    let off = parts.into_iter().map(|part| match part.kind {
        Kind::Rebate => -part.line.total.unwrap_or(part.gross),
        Kind::Goods | Kind::Fee => part.discount,
    });
    sum(off).map(|off| round(off, currency))
}
