//! Checkouts and carts.

use canonical::fact::{CartSnapshot, CheckoutSnapshot};
use canonical::{Fact, Money};
use platform::lenient::{self, Field};
use platform::reading::{Reader, Reading, Silence};

use crate::line;
use crate::payload;
use crate::person::Buyer;
use crate::value::{Price, given, id, time};

/// A checkout. Its address travels along: it opens the same cart on any device.
pub(crate) fn checkout(reader: &mut Reader<'_>) -> Reading {
    let checkout: payload::Checkout = lenient::object(&reader.delivery.body)?;
    let dropped = &mut reader.dropped;
    let checkout_id = given(dropped, "token", checkout.token)
        .or_else(|| id(dropped, "id", checkout.id))
        .ok_or_else(|| Silence::Malformed("no usable token or id".to_owned()))?;
    let buyer = Buyer::take(dropped, checkout.buyer).identified()?;
    // A time that cannot be read still says that there was one.
    let unreadable = checkout.completed_at == Field::Bad;
    let completed = time(dropped, "completed_at", checkout.completed_at).is_some() || unreadable;
    let total = dropped.take("total_price", checkout.total_price);
    let currency = dropped.take("currency", checkout.currency);
    let url = given(dropped, "abandoned_checkout_url", checkout.abandoned_checkout_url);
    Ok(vec![Fact::Checkout(CheckoutSnapshot {
        checkout_id,
        cart_id: given(dropped, "cart_token", checkout.cart_token),
        person: buyer.person,
        started_at: time(dropped, "created_at", checkout.created_at),
        updated_at: time(dropped, "updated_at", checkout.updated_at),
        completed,
        checkout_url: url.or_else(|| given(dropped, "checkout_url", checkout.checkout_url)),
        total: total.map(|Price(money)| Money { currency: currency.or(money.currency), ..money }),
        discount_codes: line::discount_codes(dropped, checkout.codes),
        lines: line::lines(dropped, checkout.line_items),
        backfill: false,
    })])
}

/// A cart. One that names nobody waits until a checkout says whose it was.
pub(crate) fn cart(reader: &mut Reader<'_>) -> Reading {
    let cart: payload::Cart = lenient::object(&reader.delivery.body)?;
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    let cart_id = given(dropped, "token", cart.token)
        .or_else(|| id(dropped, "id", cart.id))
        .ok_or_else(|| Silence::Malformed("no usable token or id".to_owned()))?;
    let updated_at = time(dropped, "updated_at", cart.updated_at);
    let created_at = time(dropped, "created_at", cart.created_at);
    Ok(vec![Fact::Cart(CartSnapshot {
        cart_id,
        person: Buyer::take(dropped, cart.buyer).person,
        updated_at: updated_at.or(created_at).or(Some(received_at)),
        checkout_url: given(dropped, "checkout_url", cart.checkout_url),
        currency: dropped.take("currency", cart.currency),
        lines: line::lines(dropped, cart.line_items),
    })])
}
