//! Orders that a delivery only hints at: what to ask, and what the answers say.

use canonical::Instant;
use platform::lenient::{Field, Id, Object, Objects};
use platform::reading::Silence;

use crate::api::{Api, Kind};
use crate::payload::{Order, OrderName, Payment, Refund};
use crate::reader::Reader;

/// Nothing may be asked, or nothing can be asked about.
const UNKNOWN: Silence = Silence::Ignore("order_unknown");
const NOT_FOUND: Silence = Silence::Ignore("order_not_found");

/// The whole order with a number. `None` where it cannot be had: then the delivery's own words must do.
pub(crate) fn order_by_number(reader: &Reader<'_>, number: &Field<String>) -> Result<Option<Order>, Silence> {
    let Field::Is(number) = number else { return Ok(None) };
    let Some(api) = Api::of(reader.connection) else { return Ok(None) };
    let Some(path) = api.orders_by("number", number) else { return Ok(None) };
    let answers = api.answers(&[path], reader.fetched)?;
    let orders = api.records::<Order>(answers.first());
    Ok(orders.into_iter().find(|order| matches!(&order.number, Field::Is(found) if found == number)))
}

/// The whole order with an id; `unknown` is the reason where there is no id.
pub(crate) fn order_by_id(
    reader: &Reader<'_>,
    id: &Field<Id>,
    unknown: &'static str,
) -> Result<Order, Silence> {
    let Field::Is(Id(id)) = id else { return Err(Silence::Ignore(unknown)) };
    let api = Api::of(reader.connection).ok_or(UNKNOWN)?;
    let path = api.order(id).ok_or(UNKNOWN)?;
    let answers = api.answers(&[path], reader.fetched)?;
    api.records(answers.first()).into_iter().next().ok_or(NOT_FOUND)
}

/// The order that a parcel belongs to.
pub(crate) fn order_of_shipment(
    reader: &Reader<'_>,
    order_id: &Field<Id>,
    number: &Field<String>,
) -> Result<Order, Silence> {
    if matches!(order_id, Field::Is(_)) {
        return order_by_id(reader, order_id, "order_unknown");
    }
    let (Field::Is(number), Some(api)) = (number, Api::of(reader.connection)) else { return Err(UNKNOWN) };
    let path = api.orders_by("shipments_number", number).ok_or(UNKNOWN)?;
    let answers = api.answers(&[path], reader.fetched)?;
    // Spree takes a filter that it does not know for none, and answers with all orders.
    let orders = api.records::<Order>(answers.first());
    orders.into_iter().find(|order| holds_parcel(order, number)).ok_or(NOT_FOUND)
}

fn holds_parcel(order: &Order, number: &str) -> bool {
    [&order.fulfillments, &order.shipments].into_iter().any(|list| {
        elements(list).any(|parcel| matches!(&parcel.number, Field::Is(found) if found == number))
    })
}

fn elements<T>(list: &Objects<T>) -> impl Iterator<Item = &T> {
    let list = match list {
        Field::Is(list) => list.as_slice(),
        Field::Absent | Field::Bad => &[],
    };
    list.iter().filter_map(|element| match element {
        Field::Is(Object(element)) => Some(element),
        Field::Absent | Field::Bad => None,
    })
}

/// The order that a payment is of. The Admin API finds no order by its payment; a refund changes its order, so the
/// order is looked for among those that changed since.
pub(crate) fn order_of_payment(
    reader: &Reader<'_>,
    payment_id: &Field<Id>,
    refunded_at: &Field<Instant>,
) -> Result<OrderName, Silence> {
    let (Field::Is(Id(payment_id)), Some(api)) = (payment_id, Api::of(reader.connection)) else {
        return Err(UNKNOWN);
    };
    match api.kind() {
        Kind::Admin => {
            let since = match refunded_at {
                Field::Is(at) => at.truncated_to_second(),
                _ => return Err(UNKNOWN),
            };
            let since = since.to_utc_string();
            let path =
                format!("orders?q%5Bupdated_at_gteq%5D={since}&sort=updated_at&limit=100&expand=payments");
            let answers = api.answers(&[path], reader.fetched)?;
            let orders = api.records::<Order>(answers.first());
            let has_it = |order: &Order| {
                elements(&order.payments)
                    .any(|payment| matches!(&payment.id, Field::Is(Id(id)) if id == payment_id))
            };
            let order = orders.into_iter().find(has_it).ok_or(NOT_FOUND)?;
            let Order { id, number, email, currency, .. } = order;
            Ok(OrderName { id, number, email, currency })
        }
        Kind::Platform => {
            let path = Api::payment(payment_id).ok_or(UNKNOWN)?;
            let answers = api.answers(&[path], reader.fetched)?;
            let payment = api.records::<Payment>(answers.first()).into_iter().next().ok_or(NOT_FOUND)?;
            payment.order.ok().map(|Object(order)| order).ok_or(NOT_FOUND)
        }
    }
}

/// The order with an id and all its refunds.
pub(crate) fn order_and_refunds(
    reader: &Reader<'_>,
    id: &Field<Id>,
) -> Result<(Order, Vec<Refund>), Silence> {
    let (Field::Is(Id(id)), Some(api)) = (id, Api::of(reader.connection)) else { return Err(UNKNOWN) };
    let mut paths = vec![api.order(id).ok_or(UNKNOWN)?];
    // The Platform API's order brings them along.
    paths.extend(api.refunds(id));
    let answers = api.answers(&paths, reader.fetched)?;
    let order = api.records(answers.first()).into_iter().next().ok_or(NOT_FOUND)?;
    Ok((order, api.records(answers.get(1))))
}
