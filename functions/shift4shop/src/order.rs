//! Orders, and checkouts that nobody finished: one resource, told apart by its status.

use canonical::fact::{
    Cancellation, CheckoutSnapshot, Line, OrderDetail, OrderSnapshot, Refund, RefundPolicy, Shipment,
};
use canonical::money::{Decimal, decimal_to_json};
use canonical::{Fact, Instant, Money, Person};
use platform::address::{Address, lend};
use platform::lenient::{Dropped, Field, Object, Objects};
use platform::reading::{Reader, Reading, Silence};
use serde_json::Value;

use crate::notice::real;
use crate::status::Status;
use crate::store::Store;
use crate::{payload, person, text};

/// What a shipment says, before it is known whether it left.
struct Parcel {
    id: String,
    left: bool,
    at: Option<Instant>,
    company: Option<String>,
    tracking_numbers: Vec<String>,
}

/// An order as the API answers it.
pub(crate) fn order(reader: &mut Reader<'_>, store: &Store<'_>, mut order: payload::Order) -> Reading {
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    let order_id = dropped.take("OrderID", std::mem::take(&mut order.order_id)).and_then(real);
    let order_id = order_id.ok_or_else(|| Silence::Malformed("no usable OrderID".to_owned()))?;
    let status = Status::take(store, dropped, "OrderStatusID", std::mem::take(&mut order.order_status_id));
    if status == Some(Status::Quote) {
        return Err(Silence::Ignore("quote"));
    }
    let ordered_at = store.time(dropped, "OrderDate", std::mem::take(&mut order.order_date));
    let updated_at = store.time(dropped, "LastUpdate", std::mem::take(&mut order.last_update));

    let mut shipments = dropped.list("ShipmentList", std::mem::take(&mut order.shipment_list));
    let billing = person::billing(dropped, &mut order);
    let shipping = shipments.first_mut().map(|Object(shipment)| person::shipping(dropped, shipment));
    let mut person = Person {
        customer_id: dropped.take("CustomerID", std::mem::take(&mut order.customer_id)).and_then(real),
        email: dropped.take("BillingEmail", std::mem::take(&mut order.billing_email)),
        ..Person::default()
    };
    lend(&mut person, Some(&billing), shipping.as_ref());

    let lines = lines(dropped, store, std::mem::take(&mut order.order_item_list));
    let total = dropped.take("OrderAmount", std::mem::take(&mut order.order_amount));
    let total = total.map(|amount| Money::new(amount, store.currency));
    let discount_codes = codes(dropped, std::mem::take(&mut order.promotion_list));
    if status == Some(Status::NotCompleted) {
        return Ok(vec![Fact::Checkout(CheckoutSnapshot {
            checkout_id: order_id,
            person,
            started_at: ordered_at,
            updated_at,
            total,
            discount_codes,
            lines,
            ..CheckoutSnapshot::default()
        })]);
    }

    let shipping_cost =
        sum(dropped, "ShipmentCost", shipments.iter_mut().map(|Object(s)| std::mem::take(&mut s.cost)));
    let parcels: Vec<Parcel> = shipments
        .into_iter()
        .enumerate()
        .map(|(index, Object(shipment))| parcel(dropped, store, index, shipment))
        .collect();
    let shipments = shipped(parcels, status, updated_at.unwrap_or(received_at));
    let fulfilled_at = (status == Some(Status::Shipped)).then(|| {
        let last = shipments.iter().map(|shipment| shipment.at).max();
        last.or(updated_at).unwrap_or(received_at)
    });
    let cancelled = (status == Some(Status::Cancelled))
        .then(|| Cancellation { at: updated_at.unwrap_or(received_at), reason: None });
    let transactions = std::mem::take(&mut order.transaction_list);
    let refunds = refunds(dropped, store, transactions, updated_at.unwrap_or(received_at));
    let detail = detail(dropped, store, order, shipping_cost);
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        person,
        updated_at,
        // An order whose status cannot be read may be an unfinished one.
        placed_at: ordered_at.filter(|_| status.is_some()),
        detail: Some(OrderDetail {
            total,
            discount_codes,
            lines,
            billing_address: Some(billing.into_property()).filter(|address| !address.is_empty()),
            shipping_address: shipping.map(Address::into_property).filter(|address| !address.is_empty()),
            ..detail
        }),
        cancelled,
        fulfilled_at,
        shipments,
        refunds,
        refund_policy: RefundPolicy::Each,
        ..OrderSnapshot::default()
    })])
}

/// The number and the sums of an order.
fn detail(
    dropped: &mut Dropped,
    store: &Store<'_>,
    order: payload::Order,
    shipping_cost: Option<Decimal>,
) -> OrderDetail {
    let prefix = dropped.take("InvoiceNumberPrefix", order.invoice_number_prefix).unwrap_or_default();
    let number = dropped.take("InvoiceNumber", order.invoice_number);
    let parts = [order.order_discount_coupon, order.order_discount_promotion];
    let parts = sum(dropped, "OrderDiscount", parts);
    let discount = dropped.take("OrderDiscount", order.order_discount);
    let taxes = sum(dropped, "SalesTax", [order.sales_tax, order.sales_tax2, order.sales_tax3]);
    let extra = [
        ("Total Shipping", shipping_cost.map(decimal_to_json)),
        ("Total Tax", taxes.map(decimal_to_json)),
        (
            "Payment Method",
            dropped.take("BillingPaymentMethod", order.billing_payment_method).map(Value::String),
        ),
        ("Alternate Order ID", dropped.take("AlternateOrderID", order.alternate_order_id).map(Value::String)),
    ];
    OrderDetail {
        number: number.map(|number| format!("{prefix}{number}")),
        // The sum of both kinds; what a store leaves at 0 is made up of its parts.
        total_discounts: discount.filter(|discount| !discount.is_zero()).or(parts).or(discount),
        source_name: dropped.take("OrderType", order.order_type),
        shop: store.address.strip_prefix("https://").map(str::to_owned),
        extra: extra.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect(),
        ..OrderDetail::default()
    }
}

fn lines(dropped: &mut Dropped, store: &Store<'_>, items: Objects<payload::Item>) -> Vec<Line> {
    let items = dropped.list("OrderItemList", items).into_iter().enumerate();
    items.map(|(index, Object(item))| line(dropped, store, index, item)).collect()
}

fn line(dropped: &mut Dropped, store: &Store<'_>, index: usize, item: payload::Item) -> Line {
    let own = dropped.take("OrderItemList.ItemIndexID", item.item_index_id).and_then(real);
    let sku = dropped.take("OrderItemList.ItemID", item.item_id);
    let description = dropped.take("OrderItemList.ItemDescription", item.item_description);
    let (name, variant_name) = text::name_and_options(description.as_deref().unwrap_or_default());
    let quantity = dropped.take("OrderItemList.ItemQuantity", item.item_quantity).unwrap_or(Decimal::ONE);
    let base = dropped.take("OrderItemList.ItemUnitPrice", item.item_unit_price);
    let options = dropped.take("OrderItemList.ItemOptionPrice", item.item_option_price).unwrap_or_default();
    // What the options cost comes on top of the product's price.
    let unit_price = base.and_then(|base| base.checked_add(options));
    Line {
        line_id: own.unwrap_or_else(|| format!("#{}", index + 1)),
        product_id: dropped.take("OrderItemList.CatalogID", item.catalog_id).and_then(real),
        name: if name.is_empty() { sku.clone().unwrap_or_default() } else { name },
        sku,
        variant_name,
        quantity,
        unit_price,
        total: unit_price.and_then(|price| price.checked_mul(quantity)),
        image_url: dropped.take("OrderItemList.ItemImage1", item.item_image1).map(|path| store.file(path)),
        ..Line::default()
    }
}

/// Codes of coupons; an automatic promotion has none.
fn codes(dropped: &mut Dropped, promotions: Objects<payload::Promotion>) -> Vec<String> {
    let promotions = dropped.list("PromotionList", promotions);
    promotions
        .into_iter()
        .filter_map(|Object(one)| dropped.take("PromotionList.Coupon", one.coupon))
        .collect()
}

/// `ShipmentID` is 0 for every new order: a shipment is known by its number, which is its place in the list.
fn parcel(dropped: &mut Dropped, store: &Store<'_>, index: usize, shipment: payload::Shipment) -> Parcel {
    let number = dropped.take("ShipmentList.ShipmentNumber", shipment.number).and_then(real);
    let status = Status::take(store, dropped, "ShipmentList.ShipmentOrderStatus", shipment.order_status);
    let shipped_at = store.time(dropped, "ShipmentList.ShipmentShippedDate", shipment.shipped_date);
    let updated_at = store.time(dropped, "ShipmentList.ShipmentLastUpdate", shipment.last_update);
    let tracking_numbers: Vec<String> =
        dropped.take("ShipmentList.ShipmentTrackingCode", shipment.tracking_code).into_iter().collect();
    Parcel {
        id: number.unwrap_or_else(|| (index + 1).to_string()),
        left: shipped_at.is_some() || !tracking_numbers.is_empty() || status == Some(Status::Shipped),
        at: shipped_at.or(updated_at),
        company: dropped.take("ShipmentList.ShipmentMethodName", shipment.method_name),
        tracking_numbers,
    }
}

/// The parcels that left: those that say so; all of a shipped order; the only one of a partly shipped one.
fn shipped(parcels: Vec<Parcel>, status: Option<Status>, fallback: Instant) -> Vec<Shipment> {
    let all =
        status == Some(Status::Shipped) || (status == Some(Status::PartlyShipped) && parcels.len() == 1);
    let left = parcels.into_iter().filter(|parcel| all || parcel.left);
    left.map(|parcel| Shipment {
        shipment_id: parcel.id,
        at: parcel.at.unwrap_or(fallback),
        company: parcel.company,
        tracking_numbers: parcel.tracking_numbers,
        lines: Vec::new(),
    })
    .collect()
}

/// Transactions that paid back.
fn refunds(
    dropped: &mut Dropped,
    store: &Store<'_>,
    transactions: Objects<payload::Transaction>,
    fallback: Instant,
) -> Vec<Refund> {
    let transactions = dropped.list("TransactionList", transactions).into_iter().enumerate();
    let mut refunds = Vec::new();
    for (index, Object(transaction)) in transactions {
        let kind = dropped.take("TransactionList.TransactionType", transaction.kind).unwrap_or_default();
        if !pays_back(&kind) {
            continue;
        }
        let own = dropped.take("TransactionList.TransactionIndexID", transaction.index_id).and_then(real);
        let id = own.or_else(|| {
            dropped.take("TransactionList.TransactionID", transaction.transaction_id).map(|id| id.0)
        });
        let amount = dropped.take("TransactionList.TransactionAmount", transaction.amount);
        let at = store.time(dropped, "TransactionList.TransactionDateTime", transaction.date_time);
        refunds.push(Refund {
            refund_id: id.unwrap_or_else(|| format!("#{}", index + 1)),
            at: at.unwrap_or(fallback),
            // Written with a minus by some gateways.
            amount: amount.map(|amount| Money::new(amount.abs(), store.currency)),
            reason: None,
        });
    }
    refunds
}

/// The word is not documented: "refund", "refunded", "partial refund", "credit"; but not "credit card".
fn pays_back(kind: &str) -> bool {
    let mut words = kind.split(|c: char| !c.is_ascii_alphabetic()).map(str::to_ascii_lowercase);
    kind.eq_ignore_ascii_case("credit") || words.any(|word| word.starts_with("refund"))
}

/// The sum of what is there; `None` where nothing is.
fn sum(
    dropped: &mut Dropped,
    name: &'static str,
    amounts: impl IntoIterator<Item = Field<Decimal>>,
) -> Option<Decimal> {
    let amounts: Vec<Decimal> = amounts.into_iter().filter_map(|amount| dropped.take(name, amount)).collect();
    let (first, rest) = amounts.split_first()?;
    rest.iter().try_fold(*first, |sum, amount| sum.checked_add(*amount))
}
