//! Orders of V1.

use std::collections::BTreeMap;

use canonical::fact::{Cancellation, Line, OrderDetail, OrderSnapshot, Refund, RefundPolicy, Shipment};
use canonical::money::Decimal;
use canonical::{Fact, Instant, Money, Person};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use platform::Connection;
use platform::address::{Address, lend, set_object};
use platform::lenient::{self, Dropped, Field, Id, Object, Objects};
use platform::reading::{Reader, Reading, Silence};
use serde_json::Map;

use crate::classic::payload::{self, Amount, Body, Flag, Local};
use crate::classic::status_map;
use crate::line::numbered;

/// An order with its lines and its customer.
pub(crate) fn order(reader: &mut Reader<'_>) -> Reading {
    let body: Body = lenient::object(&reader.delivery.body)?;
    let Object(order) = reader
        .dropped
        .take("order", body.order)
        .ok_or_else(|| Silence::Malformed("no usable order".to_owned()))?;
    let order_id = reader.identity("OrderID", order.order_id)?;
    let received_at = reader.received_at();
    let currency = reader.connection.currency("currency");
    let refund_policy = reader.connection.refund_policy(RefundPolicy::Each);
    let configured = reader.connection.time_zone("time_zone");
    let dropped = &mut reader.dropped;

    let mut local = |name, field| dropped.take::<Local>(name, field).map(|Local(local)| local);
    let ordered = local("OrderDate", order.order_date);
    let ordered_utc = local("OrderDateUtc", order.order_date_utc);
    let modified = local("LastModified", order.last_modified);
    let shipped = local("ShipDate", order.ship_date);
    let cancelled = local("CancelDate", order.cancel_date);
    let zone = configured.or_else(|| offset(ordered?, ordered_utc?)).unwrap_or(TimeZone::UTC);
    let instant = |local: Option<DateTime>| payload::instant(local?, &zone);
    let updated_at = instant(modified);
    let changed_at = updated_at.unwrap_or(received_at);
    let ordered_at = ordered_utc.and_then(|utc| payload::instant(utc, &TimeZone::UTC));
    let ordered_at = ordered_at.or_else(|| instant(ordered));

    let status = dropped.take("OrderStatus", order.order_status).unwrap_or_default();
    let status = Status::of(&status, reader.connection);
    let details = Details::of(dropped, body.lines, &zone);
    let total = dropped.take("PaymentAmount", order.payment_amount).map(|Amount(amount)| amount);
    let mut is_nothing =
        |name, paid| dropped.take(name, paid).is_some_and(|Amount(amount): Amount| amount.is_zero());
    let unpaid = [
        is_nothing("Total_Payment_Received", order.total_payment_received),
        is_nothing("Total_Payment_Authorized", order.total_payment_authorized),
    ] == [true; 2];
    // Perhaps its payment was declined before it was cancelled. If not, its time was told when it was seen before.
    let is_placed = status.is_placed() && !(status == Status::Cancelled && unpaid);
    let shipped_at = instant(shipped).unwrap_or(changed_at);
    let shipment = details.has_left(status).then(|| Shipment {
        // Parcels have no ids and their contents change: all that leaves counts as one.
        shipment_id: format!("{order_id}-1"),
        at: shipped_at,
        company: None,
        tracking_numbers: Vec::new(),
        lines: Vec::new(),
    });
    let fulfilled_at = details.is_fulfilled(status).then_some(shipped_at);
    let refunds = details.refunds(&order_id, status, total, changed_at, currency);

    let billing = address(Address {
        first_name: dropped.take("BillingFirstName", order.billing_first_name),
        last_name: dropped.take("BillingLastName", order.billing_last_name),
        company: dropped.take("BillingCompanyName", order.billing_company_name),
        address1: dropped.take("BillingAddress1", order.billing_address1),
        address2: dropped.take("BillingAddress2", order.billing_address2),
        city: dropped.take("BillingCity", order.billing_city),
        region: dropped.take("BillingState", order.billing_state),
        country: dropped.take("BillingCountry", order.billing_country),
        zip: dropped.take("BillingPostalCode", order.billing_postal_code),
        phone: dropped.take("BillingPhoneNumber", order.billing_phone_number),
        ..Address::default()
    });
    let shipping = address(Address {
        first_name: dropped.take("ShipFirstName", order.ship_first_name),
        last_name: dropped.take("ShipLastName", order.ship_last_name),
        company: dropped.take("ShipCompanyName", order.ship_company_name),
        address1: dropped.take("ShipAddress1", order.ship_address1),
        address2: dropped.take("ShipAddress2", order.ship_address2),
        city: dropped.take("ShipCity", order.ship_city),
        region: dropped.take("ShipState", order.ship_state),
        country: dropped.take("ShipCountry", order.ship_country),
        zip: dropped.take("ShipPostalCode", order.ship_postal_code),
        phone: dropped.take("ShipPhoneNumber", order.ship_phone_number),
        ..Address::default()
    });
    let Object(customer) = dropped.take("customer", body.customer).unwrap_or_default();
    let customer_id = dropped.take("CustomerID", order.customer_id).map(|Id(id)| id).filter(|id| id != "0");
    let email = dropped.take("EmailAddress", customer.email_address);
    let mut person = Person { customer_id, email, ..Person::default() };
    lend(&mut person, billing.as_ref(), shipping.as_ref());
    // A state without a time, and no decision: it is only shown.
    if let Some(Flag(subscriber)) = dropped.take("EmailSubscriber", customer.email_subscriber) {
        let shown = Map::from_iter([("Volusion Email Subscriber".to_owned(), subscriber.into())]);
        set_object(&mut person.attributes, "properties", shown);
    }

    let detail = OrderDetail {
        number: Some(order_id.clone()),
        total: total.map(|amount| Money { amount, currency }),
        total_discounts: details.discounts,
        discount_codes: details.codes,
        lines: details.lines,
        billing_address: billing.map(Address::into_property),
        shipping_address: shipping.map(Address::into_property),
        source_name: dropped.take("Order_Entry_System", order.order_entry_system),
        ..OrderDetail::default()
    };
    let cancelled = (status == Status::Cancelled).then(|| Cancellation {
        at: instant(cancelled).unwrap_or(changed_at),
        reason: dropped.take("CancelReason", order.cancel_reason),
    });
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        person,
        updated_at,
        placed_at: ordered_at.filter(|_| is_placed),
        detail: Some(detail),
        cancelled,
        fulfilled_at,
        shipments: shipment.into_iter().collect(),
        refunds,
        fully_refunded: status == Status::Returned,
        refund_policy,
        ..OrderSnapshot::default()
    })])
}

/// How far the store's clock is from UTC, where an order says both times.
fn offset(local: DateTime, utc: DateTime) -> Option<TimeZone> {
    let seconds = local.duration_since(utc).as_secs();
    Offset::from_seconds(i32::try_from(seconds).ok()?).ok().map(TimeZone::fixed)
}

/// An address of blanks is none. A country of two letters is a code.
fn address(mut address: Address) -> Option<Address> {
    if address.country.as_ref().is_some_and(|country| country.len() == 2) {
        address.country_code = address.country.take();
    }
    Some(address).filter(|address| *address != Address::default())
}

/// What an order's status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Nobody has paid: no order yet.
    Declined,
    Open,
    /// Only the lines know what has left.
    ByLines,
    PartiallyShipped,
    Shipped,
    PartiallyReturned,
    Returned,
    Cancelled,
}

impl Status {
    /// By the setting `status_map`, else as Volusion means its own texts.
    fn of(text: &str, connection: &Connection) -> Self {
        let mapped = status_map(connection).find(|(status, _)| status.eq_ignore_ascii_case(text));
        mapped.and_then(|(_, word)| Self::parse(word)).unwrap_or_else(|| Self::own(text))
    }

    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "not_placed" => Self::Declined,
            "placed" => Self::Open,
            "by_lines" => Self::ByLines,
            "partially_shipped" => Self::PartiallyShipped,
            "shipped" => Self::Shipped,
            "partially_returned" => Self::PartiallyReturned,
            "returned" => Self::Returned,
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }

    fn own(text: &str) -> Self {
        match text.trim().to_ascii_lowercase().as_str() {
            "" | "payment declined" => Self::Declined,
            "see line items" | "partially backordered" => Self::ByLines,
            "partially shipped" => Self::PartiallyShipped,
            "shipped" => Self::Shipped,
            "partially returned" => Self::PartiallyReturned,
            "returned" => Self::Returned,
            "cancelled" | "canceled" | "cancel order" => Self::Cancelled,
            _ => Self::Open,
        }
    }

    fn is_placed(self) -> bool {
        self != Self::Declined
    }
}

/// One line with what happened to it.
struct Fate {
    line: Line,
    shipped: Decimal,
    returned: bool,
    returned_at: Option<Instant>,
}

/// The rows of an order: lines, and discounts among them.
struct Details {
    lines: Vec<Line>,
    fates: Vec<Fate>,
    discounts: Option<Decimal>,
    codes: Vec<String>,
    /// Every line says that it left.
    all_left: bool,
    /// How many lines a product has that have no ids.
    products: BTreeMap<String, usize>,
}

impl Details {
    fn of(dropped: &mut Dropped, rows: Objects<payload::Line>, zone: &TimeZone) -> Self {
        let mut details = Self {
            lines: Vec::new(),
            fates: Vec::new(),
            discounts: None,
            codes: Vec::new(),
            all_left: false,
            products: BTreeMap::new(),
        };
        for (index, Object(row)) in dropped.list("lines", rows).into_iter().enumerate() {
            details.add(dropped, index, row, zone);
        }
        details.lines = details.fates.iter().map(|fate| fate.line.clone()).collect();
        details.all_left =
            !details.fates.is_empty() && details.fates.iter().all(|fate| fate.shipped >= fate.line.quantity);
        details
    }

    fn add(&mut self, dropped: &mut Dropped, index: usize, row: payload::Line, zone: &TimeZone) {
        let mut amount = |name, field: Field<Amount>| dropped.take(name, field).map(|Amount(amount)| amount);
        let unit_price = amount("lines.ProductPrice", row.product_price);
        let quantity = amount("lines.Quantity", row.quantity).unwrap_or(Decimal::ONE);
        let total = amount("lines.TotalPrice", row.total_price)
            .or_else(|| unit_price.and_then(|price| price.checked_mul(quantity)));
        let shipped = amount("lines.QtyShipped", row.qty_shipped).unwrap_or_default();
        let sku = dropped.take("lines.ProductCode", row.product_code);
        let coupon = dropped.take("lines.CouponCode", row.coupon_code);
        let named = sku.as_deref().and_then(|sku| sku.strip_prefix("DSC-"));
        // A discount is a row with a negative price.
        let is_negative = total.is_some_and(|total| total.is_sign_negative() && !total.is_zero());
        if is_negative && (named.is_some() || coupon.is_some()) {
            let code = coupon.or_else(|| named.map(str::to_owned));
            self.codes.extend(code.filter(|code| !self.codes.contains(code)));
            self.discounts = self.discounts.unwrap_or_default().checked_add(total.unwrap_or_default().abs());
            return;
        }
        let product_id = dropped.take("lines.ProductID", row.product_id).map(|Id(id)| id);
        let id = dropped.take("lines.OrderDetailID", row.id).map(|Id(id)| id);
        // Without an id the product names a line, and a number behind it a second line of one product.
        let by_product = || Some(numbered(&mut self.products, sku.as_deref()?));
        let line = Line {
            line_id: id.or_else(by_product).unwrap_or_else(|| format!("#{index}")),
            product_id,
            name: dropped
                .take("lines.ProductName", row.product_name)
                .or_else(|| sku.clone())
                .unwrap_or_default(),
            sku,
            quantity,
            unit_price,
            total,
            ..Line::default()
        };
        let returned = dropped.take("lines.Returned", row.returned).is_some_and(|Flag(returned)| returned);
        let returned_at = dropped.take("lines.Returned_Date", row.returned_date);
        let returned_at = returned_at.and_then(|Local(local)| payload::instant(local, zone));
        self.fates.push(Fate { line, shipped, returned, returned_at });
    }

    /// Whether anything has left.
    fn has_left(&self, status: Status) -> bool {
        match status {
            Status::Shipped | Status::PartiallyShipped => true,
            Status::ByLines | Status::PartiallyReturned | Status::Returned => {
                self.fates.iter().any(|fate| fate.shipped > Decimal::ZERO)
            }
            Status::Declined | Status::Open | Status::Cancelled => false,
        }
    }

    /// Whether everything has left.
    fn is_fulfilled(&self, status: Status) -> bool {
        status == Status::Shipped || (self.all_left && self.has_left(status))
    }

    /// Each line that came back is a refund of its price; of an order that was returned the rest is one more. No amount is
    /// written anywhere.
    fn refunds(
        &self,
        order_id: &str,
        status: Status,
        total: Option<Decimal>,
        changed_at: Instant,
        currency: Option<canonical::Currency>,
    ) -> Vec<Refund> {
        if !matches!(status, Status::PartiallyReturned | Status::Returned) {
            return Vec::new();
        }
        let money = |amount: Option<Decimal>| {
            amount.filter(|amount| *amount > Decimal::ZERO).map(|amount| Money { amount, currency })
        };
        let returned: Vec<&Fate> = self.fates.iter().filter(|fate| fate.returned).collect();
        let mut refunds: Vec<Refund> = returned
            .iter()
            .map(|fate| Refund {
                refund_id: format!("{order_id}:{}", fate.line.line_id),
                at: fate.returned_at.unwrap_or(changed_at),
                amount: money(fate.line.total),
                reason: None,
            })
            .collect();
        let paid_back = returned.iter().filter_map(|fate| fate.line.total);
        let rest = paid_back.fold(total, |rest, amount| rest?.checked_sub(amount));
        if status == Status::Returned && (refunds.is_empty() || money(rest).is_some()) {
            let at = refunds.iter().map(|refund| refund.at).max().unwrap_or(changed_at);
            let refund_id = format!("{order_id}:rest");
            refunds.push(Refund { refund_id, at, amount: money(rest), reason: None });
        }
        refunds
    }
}
