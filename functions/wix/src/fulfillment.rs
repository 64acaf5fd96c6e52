//! Parcels, which come as the whole list of an order's fulfilments.

use canonical::Fact;
use canonical::fact::{Line, OrderSnapshot, Shipment};
use canonical::money::Decimal;
use platform::lenient::{self, Id, Object, Objects};
use platform::reading::{Reading, Silence};

use crate::reader::Reader;
use crate::{line, order, payload};

/// All fulfilments of an order. Those with a tracking number or a carrier are parcels.
pub(crate) fn fulfillments(reader: &mut Reader<'_>) -> Reading {
    let order: payload::OrderWithFulfillments = reader.entity(|holder| holder.order_with_fulfillments)?;
    let order_id = reader.dropped.take("orderId", order.order_id).map(|Id(id)| id);
    let order_id = order_id.or_else(|| reader.event.entity_id.clone());
    let order_id = order_id.ok_or_else(|| Silence::Malformed("no usable orderId".to_owned()))?;
    let tracked = Tracked::list(reader, order.fulfillments);
    if tracked.is_empty() {
        return Err(Silence::Ignore("fulfillment_without_tracking"));
    }
    let mut order = order::named(reader, &order_id)?;
    put(&mut order, tracked);
    Ok(vec![Fact::Order(order)])
}

/// Adds the parcels in an answer of the API to their order.
pub(crate) fn add(reader: &mut Reader<'_>, order: &mut OrderSnapshot, answer: &[u8]) -> Result<(), Silence> {
    let list: payload::OrderWithFulfillments = lenient::object(answer)?;
    let tracked = Tracked::list(reader, list.fulfillments);
    put(order, tracked);
    Ok(())
}

fn put(order: &mut OrderSnapshot, tracked: Vec<Tracked>) {
    let lines = order.detail.as_ref().map(|detail| detail.lines.as_slice()).unwrap_or_default();
    order.shipments = tracked.into_iter().map(|tracked| tracked.shipment(lines)).collect();
}

/// A fulfilment that was handed to a carrier.
struct Tracked {
    shipment: Shipment,
    /// How many of which lines.
    parts: Vec<(String, Option<Decimal>)>,
}

impl Tracked {
    fn list(reader: &mut Reader<'_>, fulfillments: Objects<payload::Fulfillment>) -> Vec<Self> {
        let fulfillments = reader.dropped.list("fulfillments", fulfillments);
        fulfillments.into_iter().filter_map(|Object(fulfillment)| Self::read(reader, fulfillment)).collect()
    }

    /// `None` without tracking, or without an id, which is noted.
    fn read(reader: &mut Reader<'_>, fulfillment: payload::Fulfillment) -> Option<Self> {
        let Object(tracking) = reader.dropped.take("fulfillments.trackingInfo", fulfillment.tracking_info)?;
        let number = reader.dropped.take("fulfillments.trackingNumber", tracking.tracking_number);
        let company = reader.dropped.take("fulfillments.shippingProvider", tracking.shipping_provider);
        let link = reader.dropped.take("fulfillments.trackingLink", tracking.tracking_link);
        if number.is_none() && company.is_none() && link.is_none() {
            return None;
        }
        let Some(Id(shipment_id)) = reader.dropped.take("fulfillments.id", fulfillment.id) else {
            reader.dropped.note("fulfillments.id");
            return None;
        };
        let created_at = reader.time("fulfillments.createdDate", fulfillment.created_date);
        let parts = reader.dropped.list("fulfillments.lineItems", fulfillment.line_items).into_iter();
        let parts = parts.filter_map(|Object(part)| {
            let Id(id) = reader.dropped.take("fulfillments.lineItems.id", part.id)?;
            Some((id, reader.dropped.take("fulfillments.lineItems.quantity", part.quantity)))
        });
        let parts = parts.collect();
        let shipment = Shipment {
            shipment_id,
            at: created_at.unwrap_or_else(|| reader.happened_at()),
            company,
            tracking_numbers: number.into_iter().collect(),
            lines: Vec::new(),
        };
        Some(Self { shipment, parts })
    }

    /// The parcel, with what is in it as far as the order's lines say.
    fn shipment(self, lines: &[Line]) -> Shipment {
        let parts = self.parts.into_iter().filter_map(|(id, quantity)| {
            let whole = lines.iter().find(|line| line.line_id == id)?;
            Some(line::share(whole, quantity.unwrap_or(whole.quantity)))
        });
        Shipment { lines: parts.collect(), ..self.shipment }
    }
}
