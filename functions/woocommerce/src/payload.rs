//! WooCommerce's records (REST API v3), as far as they are read. Every field may be missing, `null`, empty or of
//! another type than documented. Of each time there are two: only the one in UTC says which instant it is.

#![allow(clippy::struct_field_names, reason = "the names are WooCommerce's")]

use canonical::Currency;
use canonical::money::Decimal;
use platform::lenient::{Field, Id, Lenient, Moment, Object, Objects};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    pub id: Field<Id>,
    pub code: Field<String>,
    pub number: Field<String>,
    pub status: Field<String>,
    pub currency: Field<Currency>,
    pub customer_id: Field<Id>,
    pub billing: Field<Object<Address>>,
    pub shipping: Field<Object<Address>>,
    pub total: Field<Decimal>,
    pub discount_total: Field<Decimal>,
    pub discount_tax: Field<Decimal>,
    pub prices_include_tax: Field<bool>,
    pub line_items: Objects<LineItem>,
    pub coupon_lines: Objects<CouponLine>,
    pub fee_lines: Objects<FeeLine>,
    pub refunds: Objects<Refund>,
    pub date_created_gmt: Field<Moment>,
    pub date_modified_gmt: Field<Moment>,
    pub date_paid_gmt: Field<Moment>,
    pub date_completed_gmt: Field<Moment>,
    pub created_via: Field<String>,
    pub payment_method_title: Field<String>,
    pub payment_url: Field<String>,
    pub meta_data: Objects<Meta>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub company: Field<String>,
    pub address_1: Field<String>,
    pub address_2: Field<String>,
    pub city: Field<String>,
    pub state: Field<String>,
    pub postcode: Field<String>,
    pub country: Field<String>,
    pub email: Field<String>,
    pub phone: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct LineItem {
    pub id: Field<Id>,
    pub product_id: Field<Id>,
    pub variation_id: Field<Id>,
    pub sku: Field<String>,
    pub name: Field<String>,
    pub parent_name: Field<String>,
    pub quantity: Field<Decimal>,
    pub price: Field<Decimal>,
    pub subtotal: Field<Decimal>,
    pub subtotal_tax: Field<Decimal>,
    pub total: Field<Decimal>,
    pub total_tax: Field<Decimal>,
    pub image: Field<Object<Image>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CouponLine {
    pub code: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct FeeLine {
    pub total: Field<Decimal>,
    pub total_tax: Field<Decimal>,
}

/// A refund within its order, which has no date; or from the list of an order's refunds, which has one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refund {
    pub id: Field<Id>,
    pub reason: Field<String>,
    pub total: Field<Decimal>,
    pub date_created_gmt: Field<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Meta {
    pub key: Field<String>,
    pub value: Field<Word>,
}

/// A value that is one word: a text, an integer or a boolean, as text. What plugins store may be anything.
pub(crate) struct Word(pub String);

impl Lenient<'_> for Word {
    fn from_text(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }

    fn from_integer(number: i128) -> Option<Self> {
        Some(Self(number.to_string()))
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(Self(value.to_string()))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Customer {
    pub id: Field<Id>,
    pub code: Field<String>,
    pub email: Field<String>,
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub billing: Field<Object<Address>>,
    pub shipping: Field<Object<Address>>,
    pub date_created_gmt: Field<Moment>,
    pub date_modified_gmt: Field<Moment>,
    pub meta_data: Objects<Meta>,
}

/// A product; a variation too, which is a record of its own kind with the same fields.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Product {
    pub id: Field<Id>,
    pub code: Field<String>,
    pub name: Field<String>,
    pub status: Field<String>,
    pub description: Field<String>,
    pub short_description: Field<String>,
    pub permalink: Field<String>,
    pub sku: Field<String>,
    pub price: Field<Decimal>,
    pub stock_quantity: Field<Decimal>,
    pub image: Field<Object<Image>>,
    pub images: Objects<Image>,
    pub brands: Objects<Term>,
    pub categories: Objects<Term>,
    pub attributes: Objects<Attribute>,
    pub variations: Field<Vec<Field<Id>>>,
    pub date_modified_gmt: Field<Moment>,
}

/// A category or a brand.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Term {
    pub name: Field<String>,
}

/// What a variation differs by; of a product, all that its variations may differ by.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Attribute {
    pub option: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Image {
    pub src: Field<String>,
}
