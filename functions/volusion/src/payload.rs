//! Volt's payloads, as far as they are read. Every field may be missing, `null`, empty or of another type.

#![allow(clippy::struct_field_names, reason = "the names are Volusion's")]

use canonical::Instant;
use canonical::money::Decimal;
use platform::lenient::{Dropped, Field, Id, Lenient, Object, Objects};
use serde::Deserialize;

/// A time. The year 1 (`0001-01-01T00:00:00.000Z`), as all before 1970, means none.
pub(crate) struct Time(Option<Instant>);

impl Lenient<'_> for Time {
    fn from_text(text: &str) -> Option<Self> {
        let instant = Instant::from_text(text)?;
        Some(Self(Some(instant).filter(|instant| instant.as_millis() > 0)))
    }
}

/// Takes a time out.
pub(crate) fn time(dropped: &mut Dropped, name: &'static str, field: Field<Time>) -> Option<Instant> {
    dropped.take(name, field)?.0
}

/// A delivery's body.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Body {
    pub value: Field<Object<Entity>>,
}

/// An order, or a cart: which of the two shows in what it has.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Entity {
    pub id: Field<Id>,
    pub order_number: Field<String>,
    pub customer_id: Field<Id>,
    pub tenant: Field<Id>,
    pub placed_by: Field<Object<Contact>>,
    pub deliver_to: Field<Object<Contact>>,
    pub cart: Field<Object<Cart>>,
    pub grand_total: Field<Decimal>,
    pub created_on: Field<Time>,
    pub updated_on: Field<Time>,
    pub status: Field<String>,
    pub shipped: Field<bool>,
    pub is_canceled: Field<bool>,
    pub is_refunded: Field<bool>,
    pub is_import: Field<bool>,
    pub fulfillment_lifecycle: Objects<Fulfillment>,
    pub payment_lifecycle: Objects<Payment>,
    pub stripe_refunds: Objects<Payment>,
    /// Of a cart that is delivered by itself.
    pub items: Objects<Item>,
    /// As `items`.
    pub checkout_url: Field<String>,
}

/// Who ordered, or who gets it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Contact {
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub company: Field<String>,
    pub email_address: Field<String>,
    pub phone_number: Field<String>,
    pub address: Field<Object<Address>>,
    pub email_opt_in: Field<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Address {
    pub address1: Field<String>,
    pub address2: Field<String>,
    pub city: Field<String>,
    pub state: Field<String>,
    pub postal_code: Field<String>,
    pub country: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Cart {
    pub id: Field<Id>,
    pub items: Objects<Item>,
    pub grand_total: Field<Decimal>,
    pub discount_amount: Field<Decimal>,
    pub discounts: Objects<AppliedDiscount>,
    pub checkout_url: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct AppliedDiscount {
    pub discount: Field<Object<Discount>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Discount {
    pub criteria: Field<Object<Criteria>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Criteria {
    pub coupon_code: Field<String>,
}

/// A line of a cart.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Item {
    pub product: Field<Object<Product>>,
    pub quantity: Field<Decimal>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Product {
    pub id: Field<Id>,
    pub product_variant_id: Field<Id>,
    pub sku: Field<String>,
    pub name: Field<String>,
    pub price: Field<Decimal>,
    pub image_metadata: Field<Object<ImageMetadata>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ImageMetadata {
    pub image_link: Field<Object<ImageLink>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ImageLink {
    pub full_uri: Field<String>,
}

/// An entry of `fulfillmentLifecycle`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Fulfillment {
    pub id: Field<Id>,
    pub event_type: Field<String>,
    pub created_on: Field<Time>,
    pub tracking_information: Objects<Tracking>,
    pub products: Objects<Part>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tracking {
    pub carrier: Field<String>,
    pub number: Field<String>,
}

/// What of a line is in a parcel.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Part {
    pub id: Field<Id>,
    pub product_variant_id: Field<Id>,
    pub name: Field<String>,
    pub quantity: Field<Decimal>,
}

/// An entry of `paymentLifecycle` or `stripeRefunds`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Payment {
    pub id: Field<Id>,
    pub stripe_refund_id: Field<Id>,
    pub event_type: Field<String>,
    pub refund_amount: Field<Decimal>,
    pub note: Field<String>,
    pub created_on: Field<Time>,
}
