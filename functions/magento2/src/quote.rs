//! Quotes, which are Magento's carts: what is in them, and the checkouts that begin in them.

use canonical::Fact;
use canonical::fact::{CartSnapshot, CheckoutSnapshot, Line};
use canonical::money::Decimal;
use canonical::{Instant, Money, Person};
use platform::lenient::{Field, Id, Object};
use platform::reading::{Reader, Reading, Silence};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::line::{self, Origin};
use crate::order::time;
use crate::payload::{self, Flag, Item, KlaviyoItem};
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
    let emails = [quote.customer_email, customer.email, billing_email];
    let billing = person::address(dropped, "billing_address", quote.billing_address);
    let buyer = Buyer {
        customer_id: either(quote.customer_id, customer.id),
        email: emails.into_iter().find(|email| *email != Field::Absent).unwrap_or_default(),
        first_name: or(quote.customer_firstname, customer.firstname),
        last_name: or(quote.customer_lastname, customer.lastname),
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

fn id_in_lines(items: &platform::lenient::Objects<Item>) -> Field<Id> {
    let Field::Is(items) = items else { return Field::Absent };
    let ids = items
        .iter()
        .filter_map(|item| if let Field::Is(Object(item)) = item { Some(&item.quote_id) } else { None });
    ids.into_iter().find(|id| **id != Field::Absent).cloned().unwrap_or_default()
}

fn or(first: Field<String>, second: Field<String>) -> Field<String> {
    if first == Field::Absent { second } else { first }
}

/// Added To Cart as Klaviyo's module writes it. It says who only by the customer's number in the quote's id, or by
/// what a cookie of Klaviyo's holds.
pub(crate) fn klaviyo_cart(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let cart: payload::KlaviyoCart = record.read()?;
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    let quote_id = dropped.take("QuoteId", cart.quote_id);
    let quote_id = quote_id.ok_or_else(|| Silence::Malformed("no usable QuoteId".to_owned()))?;
    let customer = quote_id.strip_prefix("kx_identifier_").and_then(|encoded| STANDARD.decode(encoded).ok());
    let customer = customer.and_then(|id| String::from_utf8(id).ok());
    let seconds = dropped.take("time", cart.time).and_then(|time| i64::try_from(time.trunc()).ok());
    let at = seconds.and_then(|seconds| Instant::from_millis(seconds.checked_mul(1000)?));
    let items = dropped.list("Items", cart.items);
    let lines = items.into_iter().enumerate().map(|(index, Object(item))| klaviyo_line(dropped, index, item));
    let lines = lines.collect();
    let person = Person {
        email: dropped.take("$email", cart.email),
        anonymous_id: dropped.take("$exchange_id", cart.exchange_id),
        customer_id: customer.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()) && !id.is_empty()),
        ..Person::default()
    };
    Ok(vec![Fact::Cart(CartSnapshot {
        // Its lines have other names than the quote's own.
        cart_id: format!("klaviyo:{quote_id}"),
        person,
        updated_at: at.or(record.sent_at).or(Some(received_at)),
        checkout_url: None,
        currency: None,
        lines,
    })])
}

fn klaviyo_line(dropped: &mut platform::lenient::Dropped, index: usize, item: KlaviyoItem) -> Line {
    let product_id = dropped.take("Items.ProductId", item.product_id).map(|Id(id)| id);
    let simple = dropped.take("Items.SimpleProductId", item.simple_product_id).map(|Id(id)| id);
    let variant_id = simple.filter(|id| Some(id) != product_id.as_ref());
    let line_id = variant_id.clone().or_else(|| product_id.clone());
    Line {
        line_id: line_id.unwrap_or_else(|| format!("#{index}")),
        product_id,
        variant_id,
        name: dropped.take("Items.Title", item.title).unwrap_or_default(),
        quantity: amount(dropped, "Items.Quantity", item.quantity).unwrap_or(Decimal::ONE),
        unit_price: amount(dropped, "Items.Price", item.price),
        product_url: dropped.take("Items.Url", item.url),
        ..Line::default()
    }
}
