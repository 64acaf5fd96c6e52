//! Carts, and those that were left behind.

use canonical::fact::{CartSnapshot, CheckoutSnapshot};
use canonical::{Fact, Instant, Money, Person};
use platform::address::set;
use platform::lenient::{Id, Object};
use platform::reading::{Reading, Silence};
use serde_json::json;

use crate::api::{self, Session, is_number, is_word};
use crate::order::instant;
use crate::{customer, line, payload, person};

/// A cart as it is now.
pub(crate) fn cart(session: &mut Session<'_>, cart_id: &str, happened_at: Instant) -> Reading {
    let cart = fetched(session, cart_id)?;
    let cart_id = session.reader.identity("id", cart.id)?;
    let dropped = &mut session.reader.dropped;
    let customer_id = person::id(dropped, "customer_id", cart.customer_id);
    let mut person = Person { customer_id, email: dropped.take("email", cart.email), ..Person::default() };
    set(&mut person.attributes, "locale", dropped.take("locale", cart.locale));
    let currency = dropped.take("currency", cart.currency);
    let items = dropped.take("line_items", cart.line_items);
    Ok(vec![Fact::Cart(CartSnapshot {
        cart_id,
        person,
        updated_at: instant(dropped, "updated_time", cart.updated_time).or(Some(happened_at)),
        checkout_url: None,
        currency: currency.and_then(|Object(currency)| dropped.take("currency", currency.code)),
        lines: items.map(|Object(items)| line::of_cart(dropped, items)).unwrap_or_default(),
    })])
}

/// A cart that nobody touched for an hour, whose buyer is known: the nearest to a checkout that was begun. What is
/// asked for is found by `cart_id` or, without one, by `token`.
pub(crate) fn abandoned(
    session: &mut Session<'_>,
    cart_id: Option<String>,
    token: Option<&str>,
    happened_at: Instant,
) -> Reading {
    let cart_id = match (cart_id, token) {
        (Some(cart_id), _) => cart_id,
        (None, Some(token)) => by_token(session, token)?,
        (None, None) => return Err(Silence::Malformed("no usable cart id or token".to_owned())),
    };
    let cart = fetched(session, &cart_id)?;
    let dropped = &mut session.reader.dropped;
    let customer_id = person::id(dropped, "customer_id", cart.customer_id);
    let mut email = dropped.take("email", cart.email);
    if let Some(id) = customer_id.as_deref().filter(|id| email.is_none() && is_number(id)) {
        let request = session.api.get(&customer::path(id));
        let answer = session.ask_for(request)?;
        email = customer::email(&mut session.reader.dropped, id, answer)?;
    }
    let checkout_url = recovery_url(session, &cart_id, token)?;
    let dropped = &mut session.reader.dropped;
    let mut person = Person { customer_id, email, ..Person::default() };
    set(&mut person.attributes, "locale", dropped.take("locale", cart.locale));
    let currency = dropped.take("currency", cart.currency);
    let currency = currency.and_then(|Object(currency)| dropped.take("currency", currency.code));
    let items = dropped.take("line_items", cart.line_items);
    let coupons = dropped.list("coupons", cart.coupons);
    let updated_at = instant(dropped, "updated_time", cart.updated_time);
    let created_at = instant(dropped, "created_time", cart.created_time);
    Ok(vec![Fact::Checkout(CheckoutSnapshot {
        checkout_id: cart_id.clone(),
        cart_id: Some(cart_id),
        person,
        // The last touch: the delivery itself comes an hour later.
        started_at: updated_at.or(created_at).or(Some(happened_at)),
        updated_at,
        completed: false,
        checkout_url,
        total: dropped.take("cart_amount", cart.cart_amount).map(|amount| Money { amount, currency }),
        discount_codes: coupons
            .into_iter()
            .filter_map(|Object(coupon)| dropped.take("coupons", coupon.code))
            .collect(),
        lines: items.map(|Object(items)| line::of_cart(dropped, items)).unwrap_or_default(),
        backfill: false,
    })])
}

fn fetched(session: &mut Session<'_>, cart_id: &str) -> Result<payload::Cart, Silence> {
    let include = "line_items.physical_items.options,line_items.digital_items.options";
    let request = session.api.get(&format!("v3/carts/{cart_id}?include={include}"));
    // Bought, deleted or too old.
    api::entity(session.ask_for(request)?)?.ok_or(Silence::Ignore("cart_gone"))
}

fn by_token(session: &mut Session<'_>, token: &str) -> Result<String, Silence> {
    let request = session.api.get(&format!("v3/abandoned-carts/{token}"));
    let cart: Option<payload::AbandonedCart> = api::entity(session.ask_for(request)?)?;
    let Id(cart_id) = cart.and_then(|cart| cart.cart_id.ok()).ok_or(Silence::Ignore("cart_gone"))?;
    if is_word(&cart_id) { Ok(cart_id) } else { Err(Silence::Malformed("no usable cart_id".to_owned())) }
}

/// A link that brings the cart back on any device: the shop's own page for it, if the settings name it and the
/// delivery the token that the page takes; else one that BigCommerce makes.
fn recovery_url(
    session: &mut Session<'_>,
    cart_id: &str,
    token: Option<&str>,
) -> Result<Option<String>, Silence> {
    if let (Some(page), Some(token)) = (session.reader.connection.text("cart_recovery_url"), token) {
        return Ok(Some(page.replace("{token}", token)));
    }
    let request = session.api.post(&format!("v3/carts/{cart_id}/redirect_urls"), &json!({}));
    // Refused for carts that cannot have one: then there is no link.
    let Some(answer) = session.ask_for(request)?.filter(|answer| answer.status < 300) else {
        return Ok(None);
    };
    let urls: Option<payload::RedirectUrls> = api::entity(Some(answer))?;
    Ok(urls.and_then(|urls| session.reader.dropped.take("checkout_url", urls.checkout_url)))
}
