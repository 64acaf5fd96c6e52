//! Quotes, which are Magento's carts: what is in them, and the checkouts that begin in them.

use canonical::Fact;
use canonical::fact::{CartSnapshot, CheckoutSnapshot, Line};
use canonical::{Instant, Money, Person};
use platform::lenient::{Field, Id, Object, Objects};
use platform::reading::{Reader, Reading, Silence};

use crate::line::{self, Origin};
use crate::order::time;
use crate::payload::{self, Flag, Item};
use crate::person::{self, Buyer, amount, either};
use crate::record::Record;
use crate::topic::Topic;

/// A quote. As Klaviyo counts, a checkout has begun once an active quote has an e-mail address and something in it:
/// at once for customers who are logged in.
pub(crate) fn quote(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let mut quote: payload::Quote = record.read()?;
    let id = either(std::mem::take(&mut quote.entity_id), std::mem::take(&mut quote.id));
    let addition = record.topic == Topic::CartAddition;
    // Of a quote that is not saved yet perhaps only the lines know the id, and perhaps nobody.
    let id = either(id, id_in_lines(&quote.items));
    if addition && id == Field::Absent {
        return Err(Silence::Ignore("cart_not_saved"));
    }
    let quote_id = reader.identity("entity_id", id)?;
    let dropped = &mut reader.dropped;
    let updated_at = time(dropped, "updated_at", quote.updated_at);
    // The row's time is that of its last saving, which was before an addition.
    let updated_at = if addition { record.sent_at.or(updated_at) } else { updated_at.or(record.sent_at) };

    let Object(customer) = dropped.take("customer", quote.customer).unwrap_or_default();
    let billing_email = match &quote.billing_address {
        Field::Is(Object(address)) => address.email.clone(),
        _ => Field::Absent,
    };
    let billing = person::address(dropped, "billing_address", quote.billing_address);
    let buyer = Buyer {
        customer_id: either(quote.customer_id, customer.id),
        email: either(either(quote.customer_email, customer.email), billing_email),
        first_name: either(quote.customer_firstname, customer.firstname),
        last_name: either(quote.customer_lastname, customer.lastname),
        billing: billing.as_ref(),
        ..Buyer::default()
    };
    let person = buyer.person(dropped);

    let listed = matches!(quote.items, Field::Is(_));
    let lines = line::lines(dropped, Origin::Quote, quote.items);
    let count = dropped.take("items_count", quote.items_count);
    let is_empty = lines.is_empty() && count.map_or(listed, |count| count.is_zero());
    // An empty list beside a count is no list.
    let says_lines = is_empty || !lines.is_empty();
    let Object(currencies) = dropped.take("currency", quote.currency).unwrap_or_default();
    let currency = dropped
        .take("quote_currency_code", quote.quote_currency_code)
        .or_else(|| dropped.take("currency", currencies.quote_currency_code));
    let total = amount(dropped, "grand_total", quote.grand_total).map(|amount| Money { amount, currency });
    let codes: Vec<_> = dropped.take("coupon_code", quote.coupon_code).into_iter().collect();
    let active = dropped.take("is_active", quote.is_active);

    let mut facts = Vec::new();
    if active != Some(Flag(false)) && says_lines {
        facts.push(Fact::Cart(CartSnapshot {
            cart_id: quote_id.clone(),
            person: person.clone(),
            updated_at,
            checkout_url: None,
            currency,
            lines: lines.clone(),
        }));
    }
    // Neither is its total, so an addition begins no checkout.
    let begun = active == Some(Flag(true)) && !addition;
    if begun && person.email.is_some() && !is_empty && (says_lines || count.is_some()) {
        facts.push(checkout(quote_id, person, updated_at, total, codes, lines));
    }
    if facts.is_empty() { Err(Silence::Ignore("quote_without_checkout")) } else { Ok(facts) }
}

fn checkout(
    quote_id: String,
    person: Person,
    updated_at: Option<Instant>,
    total: Option<Money>,
    discount_codes: Vec<String>,
    lines: Vec<Line>,
) -> Fact {
    Fact::Checkout(CheckoutSnapshot {
        checkout_id: quote_id.clone(),
        cart_id: Some(quote_id),
        person,
        // The row's own time is when the cart was made, which may be days earlier.
        started_at: None,
        updated_at,
        total,
        discount_codes,
        lines,
        ..CheckoutSnapshot::default()
    })
}

fn id_in_lines(items: &Objects<Item>) -> Field<Id> {
    let Field::Is(items) = items else { return Field::Absent };
    let ids = items
        .iter()
        .filter_map(|item| if let Field::Is(Object(item)) = item { Some(&item.quote_id) } else { None });
    ids.into_iter().find(|id| **id != Field::Absent).cloned().unwrap_or_default()
}
