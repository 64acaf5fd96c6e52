//! Orders.

use std::collections::BTreeMap;

use canonical::fact::{Cancellation, Line, OrderDetail, OrderSnapshot, Shipment};
use canonical::money::decimal_to_json;
use canonical::{Fact, Instant, Money, Person};
use platform::address::{self, Address};
use platform::lenient::{self, Dropped, Field, Id, Moment, Object};
use platform::reading::{Reader, Reading, Silence};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::line::{self, Discounts};
use crate::{custom, payload, spelling};

#[derive(Deserialize)]
#[serde(transparent)]
struct Body(Map<String, Value>);

/// What an order's status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Submitted, but not placed; perhaps it never will be.
    Pending,
    Placed,
    Completed,
    Cancelled,
    /// None that is known: placed if there is a date for that.
    Other,
}

impl Status {
    fn of(status: &Field<String>) -> Self {
        match status {
            status if status.is("created") || status.is("failed") || status.is("failed_with_reopen") => {
                Self::Pending
            }
            status if status.is("new") || status.is("open") => Self::Placed,
            status if status.is("completed") => Self::Completed,
            status if status.is("cancelled") => Self::Cancelled,
            _ => Self::Other,
        }
    }
}

/// An order of either API.
pub(crate) fn order(reader: &mut Reader<'_>) -> Reading {
    let Body(body) = lenient::object(&reader.delivery.body)?;
    let order: payload::Order = serde_json::from_value(spelling::folded(body).into())
        .map_err(|_| Silence::Malformed("the body is not an order".to_owned()))?;
    let order_id = reader.identity("orderNo", order.order_no)?;
    let status = Status::of(&order.status);
    if status == Status::Pending {
        return Err(Silence::Ignore("not_placed"));
    }
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    dropped.take("status", order.status);

    let creation_date = moment(dropped, "creationDate", order.creation_date);
    let place_date = moment(dropped, "placeDate", order.place_date);
    let updated_at = moment(dropped, "lastModified", order.last_modified);
    let placed_at = if status == Status::Other { place_date } else { place_date.or(creation_date) };
    // Neither API says when it was shipped, completed or cancelled: the change that showed it is the nearest.
    let changed_at = updated_at.unwrap_or(received_at);

    let taxation = dropped.take("taxation", order.taxation);
    let is_gross = taxation.as_deref().is_some_and(|taxation| taxation.eq_ignore_ascii_case("gross"));
    let mut discounts = Discounts { is_gross, ..Discounts::default() };
    for Object(coupon) in dropped.list("couponItems", order.coupon_items) {
        let is_applied = matches!(coupon.status_code, Field::Absent) || coupon.status_code.is("applied");
        if let Some(code) = dropped.take("couponItems", coupon.code)
            && is_applied
        {
            discounts.code(code);
        }
    }
    discounts.add(dropped, order.order_price_adjustments);
    for Object(shipping) in dropped.list("shippingItems", order.shipping_items) {
        discounts.add(dropped, shipping.price_adjustments);
    }
    let items = dropped.list("productItems", order.product_items).into_iter().enumerate();
    let (mut lines, mut shipment_of): (Vec<Line>, Vec<Option<String>>) =
        items.map(|(index, Object(item))| line::line(dropped, &mut discounts, index, item)).unzip();
    let certificates = dropped.list("giftCertificateItems", order.gift_certificate_items).into_iter();
    for (index, Object(certificate)) in certificates.enumerate() {
        let (line, shipment) = line::gift_certificate(dropped, &discounts, index, certificate);
        lines.push(line);
        shipment_of.push(shipment);
    }

    let billing = postal(dropped, "billingAddress", order.billing_address);
    let mut parcels = Vec::new();
    let (mut shipments, mut shipping) = (Vec::new(), None);
    for Object(shipment) in dropped.list("shipments", order.shipments) {
        let mut parcel = parcel(dropped, shipment);
        shipping = shipping.or_else(|| parcel.address.take());
        shipments.push(Value::Object(parcel.described()));
        parcels.push(parcel);
    }
    let is_all_shipped = order.shipping_status.is("shipped");
    let is_some_shipped = order.shipping_status.is("part_shipped");
    dropped.take("shippingStatus", order.shipping_status);
    let is_only_one = parcels.len() == 1;
    let sent = parcels
        .into_iter()
        .filter(|parcel| parcel.is_shipped || is_all_shipped || (is_some_shipped && is_only_one))
        .filter_map(|parcel| {
            let shipment_id = parcel.shipment_id?;
            let is_in = |(_, shipment): &(&Line, &Option<String>)| shipment.as_ref() == Some(&shipment_id);
            let of_it = lines.iter().zip(&shipment_of).filter(is_in).map(|(line, _)| line.clone());
            // One shipment holds everything, or a part that is not named.
            let lines: Vec<_> = if is_only_one { Vec::new() } else { of_it.collect() };
            // The one that every order begins with stays, empty, where all went into others.
            let is_empty = !is_only_one && lines.is_empty() && shipment_of.iter().all(Option::is_some);
            if is_empty {
                return None;
            }
            let tracking_numbers = parcel.tracking_number.into_iter().collect();
            Some(Shipment { shipment_id, at: changed_at, company: None, tracking_numbers, lines })
        })
        .collect();

    let person =
        person(dropped, order.customer_info, order.customer_locale, billing.as_ref(), shipping.as_ref());
    let currency = dropped.take("currency", order.currency);
    let mut extra: BTreeMap<String, Value> = custom::attributes(dropped, order.rest).collect();
    let known = [
        ("Taxation", taxation.map(Value::String)),
        ("Tax", dropped.take("taxTotal", order.tax_total).map(decimal_to_json)),
        ("Shipping Cost", dropped.take("shippingTotal", order.shipping_total).map(decimal_to_json)),
        ("Payment Status", dropped.take("paymentStatus", order.payment_status).map(Value::String)),
        ("Shipments", Some(Value::Array(shipments)).filter(|list| *list != json!([]))),
    ];
    extra.extend(known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let description = dropped.take("cancelDescription", order.cancel_description);
    let reason = description.or_else(|| dropped.take("cancelCode", order.cancel_code));
    let detail = OrderDetail {
        number: Some(order_id.clone()),
        total: dropped.take("orderTotal", order.order_total).map(|amount| Money { amount, currency }),
        total_discounts: Some(discounts.total),
        discount_codes: discounts.codes,
        lines,
        billing_address: billing.map(Postal::into_property),
        shipping_address: shipping.map(Postal::into_property),
        source_name: dropped.take("channelType", order.channel_type),
        shop_id: dropped.take("siteId", order.site_id).map(|Id(id)| id),
        extra,
        ..OrderDetail::default()
    };
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        person,
        updated_at,
        placed_at,
        detail: Some(detail),
        cancelled: (status == Status::Cancelled).then_some(Cancellation { at: changed_at, reason }),
        fulfilled_at: (is_all_shipped || status == Status::Completed).then_some(changed_at),
        shipments: sent,
        ..OrderSnapshot::default()
    })])
}

/// Both APIs write UTC.
fn moment(dropped: &mut Dropped, name: &'static str, field: Field<Moment>) -> Option<Instant> {
    dropped.take(name, field)?.in_utc()
}

/// A shipment of the order, sent or not.
struct Parcel {
    shipment_id: Option<String>,
    is_shipped: bool,
    method: Option<String>,
    tracking_number: Option<String>,
    address: Option<Postal>,
    custom: Vec<(String, Value)>,
}

impl Parcel {
    fn described(&mut self) -> Map<String, Value> {
        let id = self.shipment_id.clone();
        let known = [("ShipmentId", id), ("Shipping Method", self.method.take())];
        let known = known.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into())));
        known.chain(std::mem::take(&mut self.custom)).collect()
    }
}

fn parcel(dropped: &mut Dropped, shipment: payload::Shipment) -> Parcel {
    let method = dropped.take("shippingMethod", shipment.shipping_method).map(|Object(method)| method);
    let method = method.unwrap_or_default();
    let is_shipped = shipment.shipping_status.is("shipped");
    dropped.take("shipments.shippingStatus", shipment.shipping_status);
    Parcel {
        shipment_id: dropped.take("shipmentId", shipment.shipment_id).map(|Id(id)| id),
        is_shipped,
        method: dropped.take("shippingMethod", method.name).or_else(|| method.id.ok()),
        tracking_number: dropped.take("trackingNumber", shipment.tracking_number),
        address: postal(dropped, "shippingAddress", shipment.shipping_address),
        custom: custom::attributes(dropped, shipment.rest).collect(),
    }
}

/// An address with the merchant's own attributes.
struct Postal {
    address: Address,
    custom: Vec<(String, Value)>,
}

impl Postal {
    fn into_property(self) -> Map<String, Value> {
        let mut property = self.address.into_property();
        property.extend(self.custom);
        property
    }
}

fn postal(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Object<payload::Address>>,
) -> Option<Postal> {
    let Object(address) = dropped.take(name, field)?;
    let mut text = |field| dropped.take::<String>(name, field);
    let postal = Address {
        first_name: text(address.first_name),
        last_name: text(address.last_name),
        company: text(address.company_name),
        address1: text(address.address1),
        address2: text(address.address2),
        city: text(address.city),
        region_code: text(address.state_code),
        zip: text(address.postal_code),
        country_code: text(address.country_code).map(|code| code.to_ascii_uppercase()),
        phone: text(address.phone),
        ..Address::default()
    };
    let custom = custom::attributes(dropped, address.rest).collect();
    (postal != Address::default()).then_some(Postal { address: postal, custom })
}

fn person(
    dropped: &mut Dropped,
    customer: Field<Object<payload::Customer>>,
    locale: Field<String>,
    billing: Option<&Postal>,
    shipping: Option<&Postal>,
) -> Person {
    let Object(customer) = dropped.take("customerInfo", customer).unwrap_or_default();
    let is_guest = dropped.take("customerInfo.guest", customer.guest) == Some(true);
    let customer_no = dropped.take("customerInfo.customerNo", customer.customer_no).filter(|_| !is_guest);
    let mut person = Person {
        email: dropped.take("customerInfo.email", customer.email),
        // A guest's number is no customer's.
        customer_id: customer_no.map(|Id(id)| id),
        ..Person::default()
    };
    let [billing, shipping] = [billing, shipping].map(|postal| postal.map(|postal| &postal.address));
    address::lend(&mut person, billing, shipping);
    let locale = dropped.take("customerLocale", locale).filter(|locale| locale != "default");
    address::set(&mut person.attributes, "locale", locale.map(|locale| locale.replace('_', "-")));
    let custom = custom::attributes(dropped, customer.rest).collect();
    address::set_object(&mut person.attributes, "properties", custom);
    person
}
