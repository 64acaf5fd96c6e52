//! A sale: lines that were sold are an order, lines that were given back are refunds of the orders they came from.
//! Sources: <https://developers.lightspeedhq.com/retail/endpoints/Sale/>,
//! <https://developers.lightspeedhq.com/retail/tutorials/sales/>.

use std::collections::{BTreeMap, BTreeSet};

use canonical::fact::{Cancellation, OrderDetail, OrderSnapshot, Refund, RefundPolicy, Shipment};
use canonical::money::{Decimal, decimal_to_json};
use canonical::{Currency, Fact, Instant, Money, Person};
use jiff::tz::TimeZone;
use platform::lenient::{Dropped, Field, Id, Object};
use platform::reading::{Reader, Reading, Silence};
use serde_json::Value;

use crate::customer::{self, Buyer, moment};
use crate::line::{self, Kind, Part, Surroundings};
use crate::money::round;
use crate::payload::{self, SaleRecord, ShipTo, Shop};

/// What all facts of a sale share.
struct Ticket {
    id: String,
    buyer: Buyer,
    completed_at: Instant,
    updated_at: Option<Instant>,
    currency: Option<Currency>,
    shop: Option<String>,
    shop_id: Option<String>,
    source: Option<String>,
}

/// What the sale says as a whole.
struct Header {
    total: Option<Decimal>,
    with_gift_cards: Option<Decimal>,
    discounts: Option<Decimal>,
    number: Option<String>,
    reference: Option<String>,
}

/// All that a sale says. One that is not completed says nothing: it is not paid, and may never be.
pub(crate) fn sale(reader: &mut Reader<'_>, record: SaleRecord) -> Reading {
    let Some(Object(mut sale)) = reader.dropped.take("sale", record.sale) else {
        return Err(Silence::Malformed("no usable sale".to_owned()));
    };
    let id = reader.identity("saleID", std::mem::take(&mut sale.id))?;
    let dropped = &mut reader.dropped;
    let is_voided = dropped.take("voided", sale.voided) == Some(true);
    let is_completed = dropped.take("completed", sale.completed) == Some(true);
    let complete_time = moment(dropped, "completeTime", sale.complete_time);
    if !(is_completed || is_voided && complete_time.is_some()) {
        return Err(Silence::Ignore("not_completed"));
    }
    let (shop, zone) = shop(dropped, record.shop);
    let updated_at = moment(dropped, "updatetime", sale.update_time);
    let times = [
        complete_time,
        moment(dropped, "timeStamp", sale.time_stamp),
        moment(dropped, "createTime", sale.create_time),
        updated_at,
    ];
    let Some(completed_at) = times.into_iter().flatten().next() else {
        return Err(Silence::Malformed("no usable completeTime".to_owned()));
    };
    let currency = dropped.take("currency", record.currency);
    let currency = reader.connection.currency("currency").or(currency);
    let customer_id = payload::key(dropped, "customerID", sale.customer_id);
    let customer = dropped.take("Customer", sale.customer);
    let buyer = customer.and_then(|Object(customer)| customer::buyer(reader, customer, None));
    let dropped = &mut reader.dropped;
    let ticket = Ticket {
        id,
        buyer: buyer.unwrap_or_else(|| Buyer::known_by(customer_id)),
        completed_at: in_zone(completed_at, &zone),
        updated_at: updated_at.map(|at| in_zone(at, &zone)),
        currency,
        shop,
        shop_id: payload::key(dropped, "shopID", sale.shop_id),
        source: dropped.take("referenceNumberSource", sale.reference_number_source),
    };
    let header = Header {
        total: dropped.take("total", sale.total).or_else(|| dropped.take("calcTotal", sale.calc_total)),
        with_gift_cards: dropped.take("displayableTotal", sale.displayable_total),
        discounts: dropped.take("calcDiscount", sale.calc_discount).map(|off| round(off, currency)),
        number: dropped.take("ticketNumber", sale.ticket_number),
        reference: dropped.take("referenceNumber", sale.reference_number),
    };
    let Object(categories) = dropped.take("categories", record.categories).unwrap_or_default();
    let Object(gift_cards) = dropped.take("gift_cards", record.gift_cards).unwrap_or_default();
    let Object(sold_in) = dropped.take("sold_in", record.sold_in).unwrap_or_default();
    let surroundings = Surroundings { categories, gift_cards, currency };
    let Object(lines) = dropped.take("SaleLines", sale.lines).unwrap_or_default();
    let lines = payload::elements(dropped, "SaleLine", lines.lines).into_iter();
    let (returned, sold): (Vec<Part>, Vec<Part>) =
        lines.filter_map(|line| line::part(dropped, &surroundings, line)).partition(|part| part.is_return);
    let ship_to = dropped.take("ShipTo", sale.ship_to);

    let told = ticket.is_told(reader);
    let (mut facts, mut silence) = (Vec::new(), "nothing_sold");
    match ticket.order(reader, &header, &sold, &returned, told) {
        Ok(mut order) => {
            if let Some(Object(ship_to)) = ship_to {
                ship(&mut reader.dropped, &mut order, ship_to, &zone);
            }
            if is_voided {
                let at = ticket.updated_at.unwrap_or_else(|| reader.received_at());
                order.cancelled = Some(Cancellation { at, reason: None });
            }
            facts.push(Fact::Order(order));
        }
        Err(reason) => silence = reason,
    }
    for mut refund in ticket.refunds(&header, &sold, &returned, sold_in) {
        match told {
            _ if is_voided => silence = "voided_refund",
            Ok(()) => facts.push(Fact::Order(refund)),
            Err(reason) if refund.order_id == ticket.id => silence = reason,
            // Somebody's, if the original order is.
            Err(_) => {
                refund.person = Person::default();
                facts.push(Fact::Order(refund));
            }
        }
    }
    if facts.is_empty() { Err(Silence::Ignore(silence)) } else { Ok(facts) }
}

impl Ticket {
    /// Whether there is somebody to tell the sale of; the reason if not.
    fn is_told(&self, reader: &Reader<'_>) -> Result<(), &'static str> {
        if self.buyer.person.customer_id.is_none() {
            return Err("no_customer");
        }
        if self.buyer.is_without_email && !reader.connection.flag("sync_without_email", false) {
            return Err("no_email");
        }
        Ok(())
    }

    /// What was sold.
    fn order(
        &self,
        reader: &Reader<'_>,
        header: &Header,
        sold: &[Part],
        returned: &[Part],
        told: Result<(), &'static str>,
    ) -> Result<OrderSnapshot, &'static str> {
        // A sale whose lines did not come along is one all the same.
        let is_bare =
            sold.is_empty() && returned.is_empty() && header.total.is_some_and(|total| total > Decimal::ZERO);
        if sold.is_empty() && !is_bare {
            return Err("nothing_sold");
        }
        told?;
        let total = header.value(sold, returned, self.currency);
        let is_free = total.is_some_and(|total| total <= Decimal::ZERO);
        if is_free && !reader.connection.flag("sync_zero_orders", false) {
            return Err("zero_value");
        }
        let mut detail = self.detail(&sold.iter().collect::<Vec<_>>());
        detail.total = total.map(|amount| Money { amount, currency: self.currency });
        detail.number.clone_from(&header.number);
        if returned.is_empty() && !sold.iter().any(|part| part.kind == Kind::Rebate) {
            detail.total_discounts = header.discounts.or(detail.total_discounts);
        }
        let reference = header.reference.clone().map(Value::from);
        detail.extra.extend(reference.map(|reference| ("Reference Number".to_owned(), reference)));
        Ok(OrderSnapshot {
            placed_at: Some(self.completed_at),
            detail: Some(detail),
            ..self.snapshot(self.id.clone())
        })
    }

    /// What was given back: one refund for each order that something of it came from. Where that is not known, the
    /// refund is one of an order that has the sale's own id.
    fn refunds(
        &self,
        header: &Header,
        sold: &[Part],
        returned: &[Part],
        sold_in: BTreeMap<String, Field<Id>>,
    ) -> Vec<OrderSnapshot> {
        let sold_in: BTreeMap<String, String> =
            sold_in.into_iter().filter_map(|(line, sale)| Some((line, sale.ok()?.0))).collect();
        let mut originals: BTreeMap<&str, Vec<&Part>> = BTreeMap::new();
        for part in returned {
            let original = part.parent.as_ref().and_then(|parent| sold_in.get(parent)).unwrap_or(&self.id);
            originals.entry(original).or_default().push(part);
        }
        let paid_back =
            header.total.filter(|total| sold.is_empty() && *total < Decimal::ZERO).map(|total| -total);
        if returned.is_empty() && paid_back.is_some() {
            originals.insert(&self.id, Vec::new());
        }
        let is_one = originals.len() == 1;
        let refund = |(original, parts): (&str, Vec<&Part>)| {
            let amount =
                paid_back.filter(|_| is_one).or_else(|| line::gross(parts.iter().copied(), self.currency));
            let refund = Refund {
                refund_id: self.id.clone(),
                at: self.completed_at,
                amount: amount.map(|amount| Money { amount, currency: self.currency }),
                reason: None,
            };
            OrderSnapshot {
                detail: Some(self.detail(&parts)),
                refunds: vec![refund],
                ..self.snapshot(original.to_owned())
            }
        };
        originals.into_iter().map(refund).collect()
    }

    fn snapshot(&self, order_id: String) -> OrderSnapshot {
        OrderSnapshot {
            order_id,
            person: self.buyer.person.clone(),
            updated_at: self.buyer.updated_at.or(self.updated_at),
            refund_policy: RefundPolicy::Each,
            ..OrderSnapshot::default()
        }
    }

    /// What some lines consist of, without a total: that of a refund is not that of the order.
    fn detail(&self, parts: &[&Part]) -> OrderDetail {
        let parts = || parts.iter().copied();
        let mut extra = BTreeMap::new();
        let types: BTreeSet<&str> = parts().flat_map(|part| part.sale_types.iter().copied()).collect();
        if !types.is_empty() {
            extra.insert("Sale Types".to_owned(), types.into_iter().collect());
        }
        let fees = line::gross(parts().filter(|part| part.kind == Kind::Fee), self.currency);
        if let Some(fees) = fees.filter(|fees| !fees.is_zero()) {
            extra.insert("Fees".to_owned(), decimal_to_json(fees));
        }
        let goods = parts().filter(|part| part.kind == Kind::Goods);
        OrderDetail {
            total_discounts: line::discounts(parts(), self.currency),
            discount_codes: parts().filter_map(|part| part.discount_name.clone()).collect(),
            lines: goods.map(|part| part.line.clone()).collect(),
            source_name: Some(self.source.clone().unwrap_or_else(|| "pos".to_owned())),
            shop: self.shop.clone(),
            shop_id: self.shop_id.clone(),
            extra,
            ..OrderDetail::default()
        }
    }
}

impl Header {
    /// What was paid for what was sold. Of an exchange the sale's total is only the difference.
    fn value(&self, sold: &[Part], returned: &[Part], currency: Option<Currency>) -> Option<Decimal> {
        let has_gift_cards = sold.iter().any(|part| part.line.gift_card);
        let whole = self.with_gift_cards.or(self.total.filter(|_| !has_gift_cards));
        whole.filter(|_| returned.is_empty()).or_else(|| line::gross(sold, currency))
    }
}

/// Marked as shipped, and tied to a customer. Where a shipment goes is known before.
fn ship(dropped: &mut Dropped, order: &mut OrderSnapshot, ship_to: ShipTo, zone: &TimeZone) {
    let id = payload::key(dropped, "shipToID", ship_to.id);
    let customer_id = payload::key(dropped, "ShipTo.customerID", ship_to.customer_id);
    let at = moment(dropped, "ShipTo.timeStamp", ship_to.time_stamp);
    let is_shipped = dropped.take("shipped", ship_to.shipped) == Some(true) && customer_id.is_some();
    if let (Some(shipment_id), Some(at), true) = (id, at, is_shipped) {
        let at = in_zone(at, zone);
        let shipment =
            Shipment { shipment_id, at, company: None, tracking_numbers: Vec::new(), lines: Vec::new() };
        order.shipments.push(shipment);
    }
    let Object(contact) = dropped.take("ShipTo.Contact", ship_to.contact).unwrap_or_default();
    let mut address = customer::address(dropped, contact.addresses).unwrap_or_default();
    address.first_name = dropped.take("ShipTo.firstName", ship_to.first_name);
    address.last_name = dropped.take("ShipTo.lastName", ship_to.last_name);
    address.company = dropped.take("ShipTo.company", ship_to.company);
    let address = address.into_property();
    if let Some(detail) = order.detail.as_mut().filter(|_| !address.is_empty()) {
        detail.shipping_address = Some(address);
    }
}

/// The shop's name, and its time zone: the only one there is.
fn shop(dropped: &mut Dropped, shop: Field<Object<Shop>>) -> (Option<String>, TimeZone) {
    let Object(shop) = dropped.take("shop", shop).unwrap_or_default();
    let name = dropped.take("timeZone", shop.time_zone);
    let zone = name.as_deref().and_then(|name| TimeZone::get(name).ok());
    if zone.is_none() && name.is_some() {
        dropped.note("timeZone");
    }
    (dropped.take("name", shop.name), zone.unwrap_or(TimeZone::UTC))
}

/// With the offset that clocks in the shop show.
fn in_zone(at: Instant, zone: &TimeZone) -> Instant {
    let timestamp = at.timestamp();
    Instant::at_offset(timestamp, zone.to_offset(timestamp))
}
