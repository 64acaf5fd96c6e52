//! Carts: orders that were not placed yet.

use canonical::fact::{CartSnapshot, CheckoutSnapshot};
use canonical::{Fact, Instant};
use platform::lenient::Object;
use platform::reading::{Reading, Silence};

use crate::lookup;
use crate::order::{self, Content};
use crate::payload::{self, either};
use crate::reader::Reader;
use crate::topic::Step;

/// A line of a cart: the whole cart is read, for a line alone does not say what else is in it.
pub(crate) fn line_item(reader: &mut Reader<'_>) -> Reading {
    let part: payload::Part = reader.record()?;
    let order = reader.dropped.take("order", part.order).map(|Object(order)| order.id).unwrap_or_default();
    let order = lookup::order_by_id(reader, &either(part.order_id, order), "line_item_without_cart")?;
    order::facts(reader, Step::Changed, order, Vec::new())
}

/// What a cart says: what is in it, and with an e-mail that somebody has begun to check out.
pub(crate) fn facts(content: Content, state: Option<&str>, created_at: Option<Instant>) -> Reading {
    let Content { order_id, person, currency, total, discount_codes, lines, updated_at, .. } = content;
    // Where the step is said, the first one is not yet a checkout.
    let begun = person.email.is_some() && state != Some("cart");
    let cart = lines.clone().map(|lines| {
        Fact::Cart(CartSnapshot {
            cart_id: order_id.clone(),
            person: person.clone(),
            updated_at: Some(updated_at),
            checkout_url: None,
            currency,
            lines,
        })
    });
    let checkout = begun.then(|| {
        Fact::Checkout(CheckoutSnapshot {
            checkout_id: order_id.clone(),
            cart_id: Some(order_id),
            person,
            started_at: Some(created_at.unwrap_or(updated_at)),
            updated_at: Some(updated_at),
            total,
            discount_codes,
            lines: lines.unwrap_or_default(),
            ..CheckoutSnapshot::default()
        })
    });
    let facts: Vec<_> = cart.into_iter().chain(checkout).collect();
    if facts.is_empty() { Err(Silence::Ignore("cart_is_thin")) } else { Ok(facts) }
}
