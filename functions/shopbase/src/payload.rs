//! ShopBase's payloads, as far as they are read. The names are Shopify's as far as is known; every field may be
//! missing, `null`, blank, 0 or of another type.

#![allow(clippy::struct_field_names, reason = "the names are ShopBase's")]

use canonical::Currency;
use canonical::money::Decimal;
use platform::lenient::{Field, Id, Object, Objects};
use serde::Deserialize;

use crate::value::{DiscountCode, Given, Price, Time};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    pub id: Field<Given<Id>>,
    pub name: Field<String>,
    pub order_number: Field<Given<String>>,
    #[serde(flatten)]
    pub buyer: Buyer,
    pub currency: Field<Currency>,
    pub total_price: Field<Price>,
    pub total_discounts: Field<Price>,
    #[serde(flatten)]
    pub codes: Codes,
    pub line_items: Objects<LineItem>,
    pub fulfillments: Objects<Fulfillment>,
    pub refunds: Objects<Refund>,
    pub financial_status: Field<String>,
    pub fulfillment_status: Field<String>,
    pub cancelled_at: Field<Time>,
    pub cancel_reason: Field<Given<String>>,
    pub created_at: Field<Time>,
    pub processed_at: Field<Time>,
    pub updated_at: Field<Time>,
    pub source_name: Field<Given<String>>,
    pub test: Field<bool>,
}

/// Who ordered, or is about to.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Buyer {
    pub email: Field<Given<String>>,
    pub phone: Field<Given<String>>,
    pub customer: Field<Given<Object<Customer>>>,
    pub customer_locale: Field<Given<String>>,
    pub billing_address: Field<Given<Object<Address>>>,
    pub shipping_address: Field<Given<Object<Address>>>,
}

/// Where discount codes may be.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Codes {
    pub discount_code: Field<DiscountCode>,
    pub discount_codes: Field<Vec<Field<DiscountCode>>>,
    pub discount_applications: Field<Vec<Field<DiscountCode>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Customer {
    pub id: Field<Given<Id>>,
    pub email: Field<Given<String>>,
    pub phone: Field<Given<String>>,
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub default_address: Field<Given<Object<Address>>>,
    pub updated_at: Field<Time>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub company: Field<String>,
    pub address1: Field<String>,
    pub address2: Field<String>,
    pub city: Field<String>,
    pub province: Field<String>,
    pub province_code: Field<String>,
    pub country: Field<String>,
    pub country_code: Field<String>,
    pub zip: Field<String>,
    pub phone: Field<Given<String>>,
}

/// A line of an order, a fulfilment, a checkout or a cart.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct LineItem {
    pub id: Field<Given<Id>>,
    pub product_id: Field<Given<Id>>,
    pub variant_id: Field<Given<Id>>,
    pub sku: Field<String>,
    pub title: Field<String>,
    pub name: Field<String>,
    pub variant_title: Field<String>,
    pub vendor: Field<String>,
    pub quantity: Field<Decimal>,
    pub price: Field<Price>,
    pub total_discount: Field<Price>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fulfillment {
    pub id: Field<Given<Id>>,
    pub order_id: Field<Given<Id>>,
    pub status: Field<String>,
    pub created_at: Field<Time>,
    pub updated_at: Field<Time>,
    pub tracking_company: Field<Given<String>>,
    pub tracking_number: Field<Given<String>>,
    pub tracking_numbers: Field<Vec<Field<Given<String>>>>,
    pub line_items: Objects<LineItem>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refund {
    pub id: Field<Given<Id>>,
    pub order_id: Field<Given<Id>>,
    pub created_at: Field<Time>,
    pub processed_at: Field<Time>,
    pub note: Field<Given<String>>,
    pub transactions: Objects<Transaction>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Transaction {
    pub kind: Field<String>,
    pub status: Field<String>,
    pub amount: Field<Price>,
    pub currency: Field<Currency>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Checkout {
    pub id: Field<Given<Id>>,
    pub token: Field<Given<String>>,
    pub cart_token: Field<Given<String>>,
    #[serde(flatten)]
    pub buyer: Buyer,
    pub created_at: Field<Time>,
    pub updated_at: Field<Time>,
    pub completed_at: Field<Time>,
    pub abandoned_checkout_url: Field<Given<String>>,
    pub checkout_url: Field<Given<String>>,
    pub currency: Field<Currency>,
    pub total_price: Field<Price>,
    #[serde(flatten)]
    pub codes: Codes,
    pub line_items: Objects<LineItem>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cart {
    pub id: Field<Given<Id>>,
    pub token: Field<Given<String>>,
    #[serde(flatten)]
    pub buyer: Buyer,
    pub created_at: Field<Time>,
    pub updated_at: Field<Time>,
    pub checkout_url: Field<Given<String>>,
    pub currency: Field<Currency>,
    pub line_items: Objects<LineItem>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Product {
    pub id: Field<Given<Id>>,
    pub title: Field<String>,
    pub body_html: Field<String>,
    pub vendor: Field<String>,
    pub product_type: Field<String>,
    pub published: Field<bool>,
    pub published_at: Field<Time>,
    pub updated_at: Field<Time>,
    pub image: Field<Given<Object<Image>>>,
    pub images: Objects<Image>,
    pub variants: Objects<Variant>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Image {
    pub src: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Variant {
    pub id: Field<Given<Id>>,
    pub title: Field<String>,
    pub sku: Field<String>,
    pub price: Field<Price>,
    pub inventory_quantity: Field<Decimal>,
}

/// `app/uninstalled`, as far as it names the shop.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shop {
    pub domain: Field<String>,
    pub shop_domain: Field<String>,
}
