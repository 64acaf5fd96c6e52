//! Klaviyo's own module, for shops that point it here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use canonical::fact::{CartSnapshot, Line};
use canonical::money::Decimal;
use canonical::{Fact, Instant, Person};
use platform::lenient::{Dropped, Id, Object};
use platform::reading::{Reader, Reading, Silence};

use crate::payload::{self, KlaviyoItem};
use crate::person::amount;
use crate::record::Record;

/// Added To Cart as Klaviyo's module writes it. It says who only by the customer's number in the quote's id, or by
/// what a cookie of Klaviyo's holds.
pub(crate) fn added_to_cart(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
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
    let lines = items.into_iter().enumerate().map(|(index, Object(item))| line(dropped, index, item));
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

fn line(dropped: &mut Dropped, index: usize, item: KlaviyoItem) -> Line {
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
