//! Lines of transactions, completed from the list of products.

use std::collections::{BTreeMap, BTreeSet};

use canonical::Instant;
use canonical::fact::Line;
use canonical::money::{Decimal, decimal_to_json};
use platform::lenient::{Dropped, Id, Object, Objects};
use serde_json::Value;

use crate::payload::{Discount, Item, Product};
use crate::person::{Place, number};
use crate::sale::cents;
use crate::{product, record};

/// The transaction that lines are of.
pub(crate) struct Origin<'a> {
    pub(crate) place: &'a Place,
    pub(crate) transaction_id: &'a str,
    pub(crate) customer_id: &'a str,
    pub(crate) at: Instant,
}

/// What a transaction is about.
#[derive(Default)]
pub(crate) struct Sold {
    pub(crate) lines: Vec<Line>,
    /// Names of the lines' discounts.
    pub(crate) discounts: Vec<String>,
    /// Why the first thing was brought back, if any was.
    pub(crate) return_reason: Option<String>,
}

/// The goods among the items: coupons are none.
pub(crate) fn lines(
    dropped: &mut Dropped,
    origin: &Origin<'_>,
    items: Objects<Item>,
    products: &[Product],
) -> Sold {
    let (mut sold, mut taken) = (Sold::default(), BTreeSet::new());
    for (place, Object(item)) in dropped.list("items", items).into_iter().enumerate() {
        let product_id = dropped.take("productId", item.product_id.clone()).map(|Id(id)| id);
        let product = products.iter().find(|product| {
            product_id
                .as_ref()
                .is_some_and(|wanted| product.product_id.clone().ok().is_some_and(|Id(id)| id == *wanted))
        });
        let product = product.cloned().unwrap_or_default();
        let coupons = [item.is_coupon.clone(), product.is_coupon.clone()];
        if coupons.into_iter().any(|coupon| dropped.take("isCoupon", coupon).unwrap_or_default()) {
            continue;
        }
        let discounts = item.rest.get("discounts").and_then(Value::as_array).into_iter().flatten();
        let names = discounts.filter_map(|discount| discount.get("discountName")?.as_str());
        sold.discounts.extend(names.map(str::to_owned));
        let reason = dropped.take("returnReason", item.return_reason.clone());
        sold.return_reason = sold.return_reason.take().or(reason);
        let line_id = dropped.take("transactionItemId", item.transaction_item_id.clone());
        let line_id = line_id.map_or_else(|| format!("n{}", place + 1), |Id(id)| id);
        let line = line(dropped, origin, item, product);
        sold.lines.push(Line { line_id: distinct(&mut taken, &line_id), product_id, ..line });
    }
    sold
}

/// Items may share an id with what they belong to: each line needs its own.
fn distinct(taken: &mut BTreeSet<String>, id: &str) -> String {
    let mut line_id = id.to_owned();
    let mut copy = 1;
    while !taken.insert(line_id.clone()) {
        copy += 1;
        line_id = format!("{id}.{copy}");
    }
    line_id
}

fn line(dropped: &mut Dropped, origin: &Origin<'_>, item: Item, mut product: Product) -> Line {
    let quantity =
        dropped.take("quantity", item.quantity.clone()).map_or(Decimal::ONE, |quantity| quantity.abs());
    let unit_price = dropped.take("unitPrice", item.unit_price.clone()).map(|price| price.abs());
    let discount = dropped.take("totalDiscount", item.total_discount.clone()).unwrap_or_default().abs();
    // totalPrice holds taxes.
    let net = unit_price.and_then(|price| price.checked_mul(quantity)?.checked_sub(discount));
    let total = net.or_else(|| Some(dropped.take("totalPrice", item.total_price.clone())?.abs()));
    let extra = extra(dropped, origin, item, &product);
    Line {
        sku: dropped.take("sku", std::mem::take(&mut product.sku)),
        name: product::title(dropped, &mut product).unwrap_or_default(),
        quantity,
        unit_price,
        total: total.map(cents),
        categories: product::categories(dropped, product.category, product.master_category),
        brand: dropped.take("brandName", product.brand_name),
        image_url: dropped.take("imageUrl", product.image_url),
        extra,
        ..Line::default()
    }
}

/// What Klaviyo's integration tells of a product sold, under its names.
fn extra(
    dropped: &mut Dropped,
    origin: &Origin<'_>,
    item: Item,
    product: &Product,
) -> BTreeMap<String, Value> {
    let amount = |amount: Option<Decimal>| amount.map(decimal_to_json);
    let text = |text: Option<String>| text.map(Value::String);
    let id = |id: Option<Id>| id.map(|Id(id)| number(id));
    let known = [
        ("quantity", amount(dropped.take("quantity", item.quantity))),
        ("unitPrice", amount(dropped.take("unitPrice", item.unit_price))),
        ("totalPrice", amount(dropped.take("totalPrice", item.total_price))),
        ("totalDiscount", amount(dropped.take("totalDiscount", item.total_discount))),
        ("returnReason", text(dropped.take("returnReason", item.return_reason))),
        ("isCoupon", dropped.take("isCoupon", item.is_coupon).map(Value::Bool)),
        ("productId", id(dropped.take("productId", item.product_id))),
        ("transactionItemId", id(dropped.take("transactionItemId", item.transaction_item_id))),
        ("strain", text(dropped.take("strain", product.strain.clone()))),
        ("strainType", text(dropped.take("strainType", product.strain_type.clone()))),
        ("brandName", text(dropped.take("brandName", product.brand_name.clone()))),
        ("transactionId", Some(number(origin.transaction_id.to_owned()))),
        ("transactionDate", Some(origin.at.to_string().into())),
        ("customerId", Some(number(origin.customer_id.to_owned()))),
        ("locationName", text(origin.place.name.clone())),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let mut rest = item.rest;
    let rest = record::LINE_PROPERTIES.iter().filter_map(|name| rest.remove_entry(*name)).collect::<Vec<_>>();
    rest.into_iter().filter(|(_, value)| !value.is_null()).chain(known).collect()
}

/// Names of discounts, which are all that can stand for their codes.
pub(crate) fn discount_names(dropped: &mut Dropped, discounts: Objects<Discount>) -> Vec<String> {
    let discounts = dropped.list("discounts", discounts);
    discounts
        .into_iter()
        .filter_map(|Object(discount)| dropped.take("discountName", discount.discount_name))
        .collect()
}
