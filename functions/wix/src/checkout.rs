//! Checkouts, those that were left, and carts.

use canonical::fact::{CartSnapshot, CheckoutSnapshot};
use canonical::{Fact, Money};
use platform::address::Address;
use platform::lenient::{Id, Object};
use platform::reading::{Reading, Silence};

use crate::person::{self, Buyer};
use crate::reader::{Reader, held};
use crate::{api, line, payload};

/// A checkout and all that is in it.
pub(crate) fn checkout(reader: &mut Reader<'_>) -> Reading {
    let checkout = reader.entity(|holder| holder.checkout)?;
    let mut checkout = snapshot(reader, checkout)?;
    checkout.completed |= reader.event.topic.ends_with("_completed");
    Ok(vec![Fact::Checkout(checkout)])
}

fn snapshot(reader: &mut Reader<'_>, checkout: payload::Checkout) -> Result<CheckoutSnapshot, Silence> {
    let checkout_id = reader.identity("id", checkout.id)?;
    let billing = person::recipient(&mut reader.dropped, "billingInfo", checkout.billing_info);
    let shipping = reader.dropped.take("shippingInfo", checkout.shipping_info);
    let shipping = shipping.map(|Object(shipping)| shipping.shipping_destination).unwrap_or_default();
    let shipping = person::recipient(&mut reader.dropped, "shippingDestination", shipping);
    let buyer = Buyer {
        info: checkout.buyer_info,
        language: checkout.buyer_language,
        billing: billing.as_ref(),
        shipping: shipping.as_ref(),
    };
    let person = buyer.person(&mut reader.dropped);
    let tax_included = reader.dropped.take("taxIncludedInPrice", checkout.tax_included_in_price);
    let lines = line::lines(reader, checkout.line_items, tax_included.unwrap_or_default());
    let summary = reader.dropped.take("priceSummary", checkout.price_summary);
    let summary = summary.map(|Object(summary)| summary).unwrap_or_default();
    let total = reader.amount("priceSummary.total", summary.total);
    let currency = reader.dropped.take("currency", checkout.currency);
    Ok(CheckoutSnapshot {
        checkout_id,
        cart_id: reader.dropped.take("cartId", checkout.cart_id).map(|Id(id)| id),
        person,
        started_at: reader.time("createdDate", checkout.created_date),
        updated_at: reader.time("updatedDate", checkout.updated_date).or(reader.event.time),
        completed: reader.dropped.take("completed", checkout.completed).unwrap_or_default(),
        checkout_url: reader.dropped.take("checkoutUrl", checkout.checkout_url),
        total: total.map(|amount| Money { amount, currency }),
        discount_codes: line::discount_codes(&mut reader.dropped, checkout.applied_discounts),
        lines,
        backfill: false,
    })
}

/// A checkout that was left, or that was left and became an order after all. What is in it is asked for.
pub(crate) fn abandoned(reader: &mut Reader<'_>) -> Reading {
    let left: payload::AbandonedCheckout = reader.entity(|holder| holder.abandoned_checkout)?;
    let checkout_id = reader.identity("checkoutId", left.checkout_id)?;
    let mut address = Address::default();
    person::contact(&mut reader.dropped, "contactDetails", left.contact_details, &mut address);
    let buyer = Buyer {
        info: left.buyer_info,
        language: left.buyer_language,
        billing: Some(&address),
        shipping: None,
    };
    let person = buyer.person(&mut reader.dropped);
    let total = reader.amount("totalPrice", left.total_price);
    let currency = reader.dropped.take("currency", left.currency);
    let known = CheckoutSnapshot {
        checkout_id,
        cart_id: reader.dropped.take("cartId", left.cart_id).map(|Id(id)| id),
        person,
        started_at: reader.time("createdDate", left.created_date),
        updated_at: reader.time("updatedDate", left.updated_date).or(reader.event.time),
        completed: left.status.is("RECOVERED") || reader.event.topic.ends_with("_recovered"),
        checkout_url: reader.dropped.take("checkoutUrl", left.checkout_url),
        total: total.map(|amount| Money { amount, currency }),
        ..CheckoutSnapshot::default()
    };
    let checkout = if known.completed { known } else { joined(reader, known)? };
    Ok(vec![Fact::Checkout(checkout)])
}

/// With the checkout itself, as far as it can be asked for.
fn joined(reader: &mut Reader<'_>, left: CheckoutSnapshot) -> Result<CheckoutSnapshot, Silence> {
    let Some(id) = api::segment(&left.checkout_id) else { return Ok(left) };
    let answers = reader.api.get(&[format!("/ecom/v1/checkouts/{id}")])?;
    let Some(found) = answers.first().and_then(api::found) else { return Ok(left) };
    let mut checkout = snapshot(reader, held(found, |holder| holder.checkout)?)?;
    if checkout.checkout_id != left.checkout_id {
        return Ok(left);
    }
    // Who left it, and the link that leads back to it, only the event says for certain.
    checkout.person.email = left.person.email.or(checkout.person.email);
    checkout.person.customer_id = left.person.customer_id.or(checkout.person.customer_id);
    for (key, value) in left.person.attributes {
        checkout.person.attributes.entry(key).or_insert(value);
    }
    checkout.cart_id = checkout.cart_id.or(left.cart_id);
    checkout.checkout_url = left.checkout_url.or(checkout.checkout_url);
    checkout.total = checkout.total.or(left.total);
    checkout.started_at = checkout.started_at.or(left.started_at);
    Ok(checkout)
}

/// A cart and all that is in it now.
pub(crate) fn cart(reader: &mut Reader<'_>) -> Reading {
    let cart: payload::Cart = reader.entity(|holder| holder.cart)?;
    let cart_id = reader.identity("id", cart.id)?;
    let buyer = Buyer { info: cart.buyer_info, language: cart.buyer_language, billing: None, shipping: None };
    let person = buyer.person(&mut reader.dropped);
    let tax_included = reader.dropped.take("taxIncludedInPrices", cart.tax_included_in_prices);
    let lines = line::lines(reader, cart.line_items, tax_included.unwrap_or_default());
    Ok(vec![Fact::Cart(CartSnapshot {
        cart_id,
        person,
        updated_at: reader.time("updatedDate", cart.updated_date).or(reader.event.time),
        checkout_url: None,
        currency: reader.dropped.take("currency", cart.currency),
        lines,
    })])
}
