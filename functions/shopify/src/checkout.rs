//! Checkouts and carts.

use canonical::Fact;
use canonical::fact::{CartSnapshot, CheckoutSnapshot};
use canonical::{Money, Person};
use platform::lenient;

use crate::line::{self, Origin};
use crate::payload;
use crate::person::{self, Buyer};
use crate::reader::Reader;
use platform::reading::{Reading, Silence};

/// A checkout. That its buyer accepts marketing is not read: a box ticked in a checkout that was never
/// completed is no consent.
pub(crate) fn checkout(reader: &mut Reader<'_>) -> Reading {
    let checkout: payload::Checkout = lenient::object(&reader.delivery.body)?;
    let id = reader.id("id", checkout.id);
    let checkout_id = reader
        .dropped
        .take("token", checkout.token)
        .or(id)
        .ok_or_else(|| Silence::Malformed("no usable token or id".to_owned()))?;
    let billing = person::address(&mut reader.dropped, "billing_address", checkout.billing_address);
    let shipping = person::address(&mut reader.dropped, "shipping_address", checkout.shipping_address);
    let buyer = Buyer {
        email: reader.dropped.take("email", checkout.email),
        phone: reader.dropped.take("phone", checkout.phone),
        customer: checkout.customer,
        locale: reader.dropped.take("customer_locale", checkout.customer_locale),
        billing: billing.as_ref(),
        shipping: shipping.as_ref(),
    };
    let person = buyer.person(reader);
    let (lines, _) = line::lines(reader, Origin::Checkout, checkout.line_items);
    let triggered_at = reader.triggered_at();
    let dropped = &mut reader.dropped;
    let currency = dropped.take("currency", checkout.currency);
    // A time that cannot be read still says that there was one.
    let completed = checkout.completed_at != lenient::Field::Absent;
    dropped.take("completed_at", checkout.completed_at);
    Ok(vec![Fact::Checkout(CheckoutSnapshot {
        checkout_id,
        cart_id: dropped.take("cart_token", checkout.cart_token),
        person,
        started_at: dropped.take("created_at", checkout.created_at),
        updated_at: dropped.take("updated_at", checkout.updated_at).or(triggered_at),
        completed,
        checkout_url: dropped.take("abandoned_checkout_url", checkout.abandoned_checkout_url),
        total: dropped.take("total_price", checkout.total_price).map(|amount| Money { amount, currency }),
        discount_codes: line::discount_codes(dropped, checkout.discount_codes),
        lines,
        backfill: false,
    })])
}

/// A cart, which never says whose it is: the checkout that grows from it does.
pub(crate) fn cart(reader: &mut Reader<'_>) -> Reading {
    let cart: payload::Cart = lenient::object(&reader.delivery.body)?;
    let id = reader.id("id", cart.id);
    let cart_id = reader
        .dropped
        .take("token", cart.token)
        .or(id)
        .ok_or_else(|| Silence::Malformed("no usable token or id".to_owned()))?;
    let (lines, currency) = line::lines(reader, Origin::Cart, cart.line_items);
    let updated_at = reader.dropped.take("updated_at", cart.updated_at);
    Ok(vec![Fact::Cart(CartSnapshot {
        cart_id,
        person: Person::default(),
        updated_at: updated_at.or_else(|| reader.triggered_at()),
        checkout_url: None,
        currency,
        lines,
    })])
}
