//! Carts of known customers that have become no order: checkouts that were begun.

use canonical::Fact;
use canonical::fact::CheckoutSnapshot;
use platform::lenient::{self, Object};
use platform::reading::{Reader, Reading, Silence};

use crate::line;
use crate::payload::CartRecord;
use crate::person::{is_erased, person, time, zone};

/// A cart. Its rows have no prices, so neither it nor they have a value.
pub(crate) fn checkout(reader: &mut Reader<'_>) -> Reading {
    let record: CartRecord = lenient::object(&reader.delivery.body)?;
    let cart = reader.dropped.take("cart", record.cart);
    let Object(cart) = cart.ok_or_else(|| Silence::Malformed("no usable cart".to_owned()))?;
    let checkout_id = reader.identity("id", cart.id)?;
    let dropped = &mut reader.dropped;
    let zone = zone(dropped, reader.connection, record.time_zone);
    let customer = dropped.take("customer", record.customer);
    let Some(Object(mut customer)) = customer.filter(|Object(customer)| !is_erased(customer)) else {
        return Err(Silence::Ignore("cart_of_nobody"));
    };
    let rows = dropped.list("rows", cart.rows);
    let lines = line::in_cart(dropped, reader.connection, rows);
    if lines.is_empty() {
        return Err(Silence::Ignore("empty_cart"));
    }
    Ok(vec![Fact::Checkout(CheckoutSnapshot {
        cart_id: Some(checkout_id.clone()),
        checkout_id,
        person: person(dropped, &mut customer),
        started_at: time(dropped, "date_add", cart.date_add, &zone),
        updated_at: time(dropped, "date_upd", cart.date_upd, &zone),
        lines,
        ..CheckoutSnapshot::default()
    })])
}
