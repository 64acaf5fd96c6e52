//! The records that polls make, as far as they are read. Every scalar is a text or null; every field may be missing.

#![allow(clippy::struct_field_names, reason = "the names are Magento's")]

use canonical::Currency;
use canonical::money::Decimal;
use platform::lenient::{Field, Id, Moment, Object, Objects};
use serde::Deserialize;

/// The body of an order's record.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderRecord {
    pub order: Field<Object<Order>>,
    /// The order that was edited first, and replaced by this one.
    pub first: Field<Object<Order>>,
    pub shipments: Objects<Shipment>,
    pub creditmemos: Objects<Creditmemo>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    pub increment_id: Field<Id>,
    pub original_increment_id: Field<Id>,
    pub relation_child_id: Field<Id>,
    pub relation_child_real_id: Field<Id>,
    pub state: Field<String>,
    pub status: Field<String>,
    pub hold_before_state: Field<String>,
    pub email_sent: Field<String>,
    pub total_paid: Field<Decimal>,
    pub total_invoiced: Field<Decimal>,
    pub customer_id: Field<Id>,
    pub customer_is_guest: Field<String>,
    pub customer_email: Field<String>,
    pub customer_firstname: Field<String>,
    pub customer_lastname: Field<String>,
    pub billing_address: Field<Object<Address>>,
    pub shipping_address: Field<Object<Address>>,
    pub order_currency_code: Field<Currency>,
    pub grand_total: Field<Decimal>,
    pub base_currency_code: Field<Currency>,
    pub base_grand_total: Field<Decimal>,
    pub discount_amount: Field<Decimal>,
    pub coupon_code: Field<String>,
    pub store_id: Field<Id>,
    pub store_name: Field<String>,
    pub items: Objects<Item>,
    pub status_history: Objects<StatusHistory>,
    pub created_at: Field<Moment>,
    pub updated_at: Field<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    pub firstname: Field<String>,
    pub lastname: Field<String>,
    pub company: Field<String>,
    /// All lines in one text.
    pub street: Field<String>,
    pub city: Field<String>,
    pub region: Field<String>,
    pub postcode: Field<String>,
    pub country_id: Field<String>,
    pub telephone: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct StatusHistory {
    pub status: Field<String>,
    pub created_at: Field<Moment>,
}

/// A line of an order, or what of it is in a parcel.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Item {
    pub item_id: Field<Id>,
    pub order_item_id: Field<Id>,
    pub parent_item_id: Field<Id>,
    pub product_id: Field<Id>,
    pub product_type: Field<String>,
    pub sku: Field<String>,
    pub name: Field<String>,
    pub qty_ordered: Field<Decimal>,
    pub qty: Field<Decimal>,
    pub price: Field<Decimal>,
    pub row_total: Field<Decimal>,
    pub discount_amount: Field<Decimal>,
    pub attributes_info: Objects<Attribute>,
}

/// What was chosen of a configurable product.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Attribute {
    pub value: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shipment {
    pub shipment_id: Field<Id>,
    pub created_at: Field<Moment>,
    pub items: Objects<Item>,
    pub tracks: Objects<Track>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Track {
    pub track_number: Field<String>,
    /// Its name before version 1.6.
    pub number: Field<String>,
    pub title: Field<String>,
    pub carrier_code: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Creditmemo {
    pub creditmemo_id: Field<Id>,
    pub state: Field<String>,
    pub grand_total: Field<Decimal>,
    pub order_currency_code: Field<Currency>,
    pub comments: Objects<Comment>,
    pub created_at: Field<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Comment {
    pub comment: Field<String>,
}

/// The body of a customer's record.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CustomerRecord {
    pub customer: Field<Object<Customer>>,
    pub address: Field<Object<Address>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Customer {
    pub customer_id: Field<Id>,
    pub email: Field<String>,
    pub firstname: Field<String>,
    pub lastname: Field<String>,
    pub group_id: Field<Id>,
    pub created_at: Field<Moment>,
    pub updated_at: Field<Moment>,
}
