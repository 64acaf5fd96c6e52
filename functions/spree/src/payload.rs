//! Spree's records, as far as they are read. Releases, documentation and the two APIs call the same thing by
//! different names: each name is a field of its own, and [`either`] joins them. What is not named here, secrets
//! such as `reset_token` among it, is never read.

#![allow(clippy::struct_field_names, reason = "the names are Spree's")]

use canonical::money::Decimal;
use canonical::{Currency, Instant};
use platform::lenient::{Field, Id, Object, Objects};
use serde::Deserialize;

/// The first of two names that is there.
pub(crate) fn either<T>(one: Field<T>, other: Field<T>) -> Field<T> {
    if matches!(one, Field::Absent) { other } else { one }
}

/// What names a delivery: the envelope of 5.3 and later, or what earlier releases add to a JSON:API document.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Head {
    pub id: Field<Id>,
    pub name: Field<String>,
    pub created_at: Field<Instant>,
    pub event_id: Field<Id>,
    pub event_type: Field<String>,
    pub event_created_at: Field<Instant>,
}

/// An order, or the cart it grows from.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    pub id: Field<Id>,
    pub number: Field<String>,
    pub state: Field<String>,
    pub status: Field<String>,
    pub email: Field<String>,
    pub currency: Field<Currency>,
    pub locale: Field<String>,
    pub channel: Field<String>,
    pub total: Field<Decimal>,
    pub discount_total: Field<Decimal>,
    pub promo_total: Field<Decimal>,
    pub completed_at: Field<Instant>,
    pub canceled_at: Field<Instant>,
    pub created_at: Field<Instant>,
    pub updated_at: Field<Instant>,
    pub fulfillment_status: Field<String>,
    pub shipment_state: Field<String>,
    pub customer_id: Field<Id>,
    pub user_id: Field<Id>,
    pub customer: Field<Object<Customer>>,
    pub user: Field<Object<Customer>>,
    pub items: Objects<LineItem>,
    pub line_items: Objects<LineItem>,
    pub fulfillments: Objects<Shipment>,
    pub shipments: Objects<Shipment>,
    pub payments: Objects<Payment>,
    pub billing_address: Field<Object<Address>>,
    pub bill_address: Field<Object<Address>>,
    pub shipping_address: Field<Object<Address>>,
    pub ship_address: Field<Object<Address>>,
    pub discounts: Objects<Discount>,
    pub order_promotions: Objects<Discount>,
    pub promotions: Objects<Discount>,
    pub coupon_code: Field<String>,
}

/// What another record says of its order.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderName {
    pub id: Field<Id>,
    pub number: Field<String>,
    pub email: Field<String>,
    pub currency: Field<Currency>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct LineItem {
    pub id: Field<Id>,
    pub variant_id: Field<Id>,
    pub variant: Field<Object<Variant>>,
    pub name: Field<String>,
    pub slug: Field<String>,
    pub options_text: Field<String>,
    pub quantity: Field<Decimal>,
    pub price: Field<Decimal>,
    pub discounted_amount: Field<Decimal>,
    pub discount_total: Field<Decimal>,
    pub promo_total: Field<Decimal>,
    pub thumbnail_url: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shipment {
    pub id: Field<Id>,
    pub number: Field<String>,
    pub status: Field<String>,
    pub state: Field<String>,
    pub tracking: Field<String>,
    pub fulfilled_at: Field<Instant>,
    pub shipped_at: Field<Instant>,
    pub items: Objects<ShipmentItem>,
    pub order_id: Field<Id>,
    pub order: Field<Object<OrderName>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ShipmentItem {
    pub item_id: Field<Id>,
    pub quantity: Field<Decimal>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Payment {
    pub id: Field<Id>,
    pub order: Field<Object<OrderName>>,
    pub refunds: Objects<Refund>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refund {
    pub id: Field<Id>,
    pub amount: Field<Decimal>,
    pub payment_id: Field<Id>,
    pub payment: Field<Object<Payment>>,
    pub created_at: Field<Instant>,
}

/// A record that is only read for the order it belongs to.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Part {
    pub order_id: Field<Id>,
    pub order: Field<Object<OrderName>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Discount {
    pub code: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    pub first_name: Field<String>,
    pub firstname: Field<String>,
    pub last_name: Field<String>,
    pub lastname: Field<String>,
    pub company: Field<String>,
    pub address1: Field<String>,
    pub address2: Field<String>,
    pub city: Field<String>,
    pub postal_code: Field<String>,
    pub zipcode: Field<String>,
    pub country_iso: Field<String>,
    pub country_name: Field<String>,
    pub country: Field<Object<Country>>,
    pub state_abbr: Field<String>,
    pub state_name: Field<String>,
    pub state_text: Field<String>,
    pub state: Field<Object<State>>,
    pub phone: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Country {
    pub iso: Field<String>,
    pub name: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub abbr: Field<String>,
    pub name: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Customer {
    pub id: Field<Id>,
    pub email: Field<String>,
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub phone: Field<String>,
    pub selected_locale: Field<String>,
    pub default_billing_address: Field<Object<Address>>,
    pub default_shipping_address: Field<Object<Address>>,
    pub bill_address: Field<Object<Address>>,
    pub ship_address: Field<Object<Address>>,
    pub updated_at: Field<Instant>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Subscriber {
    pub id: Field<Id>,
    pub email: Field<String>,
    pub verified: Field<bool>,
    pub verified_at: Field<Instant>,
    pub customer_id: Field<Id>,
    pub user_id: Field<Id>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Product {
    pub id: Field<Id>,
    pub name: Field<String>,
    pub slug: Field<String>,
    pub description: Field<String>,
    pub description_html: Field<String>,
    pub status: Field<String>,
    pub available: Field<bool>,
    pub deleted_at: Field<Instant>,
    pub updated_at: Field<Instant>,
    pub thumbnail_url: Field<String>,
    pub price: Field<Price>,
    pub categories: Objects<Category>,
    pub taxons: Objects<Category>,
    pub variants: Objects<Variant>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Category {
    pub name: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Variant {
    pub id: Field<Id>,
    pub product_id: Field<Id>,
    pub product: Field<Object<Named>>,
    pub sku: Field<String>,
    pub options_text: Field<String>,
    pub price: Field<Price>,
    pub total_on_hand: Field<Decimal>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub id: Field<Id>,
}

/// A price: an object since 5.4, a text before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Price(pub Option<Decimal>);

impl<'de> platform::lenient::Lenient<'de> for Price {
    fn from_text(text: &str) -> Option<Self> {
        Some(Self(Some(Decimal::from_text(text)?)))
    }

    fn from_integer(number: i128) -> Option<Self> {
        Some(Self(Some(Decimal::from_integer(number)?)))
    }

    fn from_float(number: f64) -> Option<Self> {
        Some(Self(Some(Decimal::from_float(number)?)))
    }

    fn from_object<A: serde::de::MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Amount {
            amount: Field<Decimal>,
        }
        let read = Object::<Amount>::from_object(object)?;
        // Hidden prices are an object whose amount is null.
        Ok(read.and_then(|Object(price)| match price.amount {
            Field::Is(amount) => Some(Self(Some(amount))),
            Field::Absent => Some(Self(None)),
            Field::Bad => None,
        }))
    }
}
