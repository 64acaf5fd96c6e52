//! Carts that are delivered by themselves.

use canonical::fact::CartSnapshot;
use canonical::{Fact, Person};
use platform::reading::{Reader, Reading};

use crate::line;
use crate::payload::{Entity, time};

/// A cart, which never says whose it is: the order that it becomes does.
pub(crate) fn cart(reader: &mut Reader<'_>, cart: Entity) -> Reading {
    let cart_id = reader.identity("id", cart.id)?;
    let currency = reader.connection.currency("currency");
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    let updated_at = time(dropped, "updatedOn", cart.updated_on);
    let created_at = time(dropped, "createdOn", cart.created_on);
    Ok(vec![Fact::Cart(CartSnapshot {
        cart_id,
        person: Person::default(),
        updated_at: updated_at.or(created_at).or(Some(received_at)),
        checkout_url: dropped.take("checkoutUrl", cart.checkout_url),
        currency,
        lines: line::lines(dropped, cart.items),
    })])
}
