//! Shopify's payloads, as far as they are read. Every field may be missing, `null`, empty or of another
//! type than documented.

#![allow(clippy::struct_field_names, reason = "the names are Shopify's")]

use canonical::money::Decimal;
use canonical::{Currency, Instant};
use platform::lenient::{Field, Id, Object};
use serde::Deserialize;
use serde_json::Number;

/// An array of objects.
pub(crate) type Objects<T> = Field<Vec<Field<Object<T>>>>;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    pub id: Field<Id>,
    pub name: Field<String>,
    pub order_number: Field<String>,
    pub email: Field<String>,
    pub contact_email: Field<String>,
    pub phone: Field<String>,
    pub customer: Field<Object<Customer>>,
    pub customer_locale: Field<String>,
    pub billing_address: Field<Object<Address>>,
    pub shipping_address: Field<Object<Address>>,
    pub currency: Field<Currency>,
    pub total_price: Field<Decimal>,
    pub total_price_set: Field<Object<MoneySet>>,
    pub total_discounts: Field<Decimal>,
    pub discount_codes: Objects<DiscountCode>,
    pub line_items: Objects<LineItem>,
    pub fulfillments: Objects<Fulfillment>,
    pub refunds: Objects<Refund>,
    pub financial_status: Field<String>,
    pub fulfillment_status: Field<String>,
    pub cancelled_at: Field<Instant>,
    pub cancel_reason: Field<String>,
    pub created_at: Field<Instant>,
    pub processed_at: Field<Instant>,
    pub updated_at: Field<Instant>,
    pub source_name: Field<String>,
    pub location_id: Field<Id>,
    pub tags: Field<String>,
    pub test: Field<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Customer {
    pub id: Field<Id>,
    pub email: Field<String>,
    pub phone: Field<String>,
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub default_address: Field<Object<Address>>,
    pub tags: Field<String>,
    pub updated_at: Field<Instant>,
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
    pub phone: Field<String>,
    pub latitude: Field<Number>,
    pub longitude: Field<Number>,
}

/// An amount in the shop's currency and in the buyer's.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct MoneySet {
    pub shop_money: Field<Object<Amount>>,
    pub presentment_money: Field<Object<Amount>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Amount {
    pub amount: Field<Decimal>,
    #[serde(alias = "currencyCode")]
    pub currency_code: Field<Currency>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct DiscountCode {
    pub code: Field<String>,
}

/// A line of an order, a fulfilment, a checkout or a cart.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct LineItem {
    pub id: Field<Id>,
    pub key: Field<String>,
    pub product_id: Field<Id>,
    pub variant_id: Field<Id>,
    pub sku: Field<String>,
    pub title: Field<String>,
    pub presentment_title: Field<String>,
    pub name: Field<String>,
    pub variant_title: Field<String>,
    pub vendor: Field<String>,
    pub quantity: Field<Decimal>,
    pub price: Field<Decimal>,
    pub price_set: Field<Object<MoneySet>>,
    pub line_price: Field<Decimal>,
    pub line_price_set: Field<Object<MoneySet>>,
    pub total_discount: Field<Decimal>,
    pub discount_allocations: Objects<Amount>,
    pub gift_card: Field<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fulfillment {
    pub id: Field<Id>,
    pub order_id: Field<Id>,
    pub email: Field<String>,
    pub status: Field<String>,
    pub created_at: Field<Instant>,
    pub tracking_company: Field<String>,
    pub tracking_number: Field<String>,
    pub tracking_numbers: Field<Vec<Field<String>>>,
    pub line_items: Objects<LineItem>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refund {
    pub id: Field<Id>,
    pub order_id: Field<Id>,
    pub created_at: Field<Instant>,
    pub processed_at: Field<Instant>,
    pub note: Field<String>,
    pub transactions: Objects<Transaction>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Transaction {
    pub kind: Field<String>,
    pub status: Field<String>,
    pub amount: Field<Decimal>,
    pub currency: Field<Currency>,
    pub test: Field<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Checkout {
    pub id: Field<Id>,
    pub token: Field<String>,
    pub cart_token: Field<String>,
    pub email: Field<String>,
    pub phone: Field<String>,
    pub customer: Field<Object<Customer>>,
    pub customer_locale: Field<String>,
    pub billing_address: Field<Object<Address>>,
    pub shipping_address: Field<Object<Address>>,
    pub created_at: Field<Instant>,
    pub updated_at: Field<Instant>,
    pub completed_at: Field<Instant>,
    pub abandoned_checkout_url: Field<String>,
    pub currency: Field<Currency>,
    pub total_price: Field<Decimal>,
    pub discount_codes: Objects<DiscountCode>,
    pub line_items: Objects<LineItem>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cart {
    pub id: Field<Id>,
    pub token: Field<String>,
    pub updated_at: Field<Instant>,
    pub line_items: Objects<LineItem>,
}

/// The consent topics: the one for e-mail calls its fields otherwise than the one for text messages.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConsentUpdate {
    pub customer_id: Field<Id>,
    pub id: Field<Id>,
    pub email_address: Field<String>,
    pub phone: Field<String>,
    pub email_marketing_consent: Field<Object<Consent>>,
    pub sms_marketing_consent: Field<Object<Consent>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Consent {
    pub state: Field<String>,
    pub opt_in_level: Field<String>,
    pub consent_updated_at: Field<Instant>,
}

/// `customer.tags_added`, `customer.tags_removed` and `customers/purchasing_summary`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CustomerChange {
    pub customer_id: Field<Id>,
    pub occurred_at: Field<Instant>,
    pub tags: Field<Vec<Field<String>>>,
    pub number_of_orders: Field<Decimal>,
    pub amount_spent: Field<Object<Amount>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Product {
    pub id: Field<Id>,
    pub title: Field<String>,
    pub body_html: Field<String>,
    pub handle: Field<String>,
    pub vendor: Field<String>,
    pub product_type: Field<String>,
    pub status: Field<String>,
    pub published_at: Field<Instant>,
    pub updated_at: Field<Instant>,
    pub image: Field<Object<Image>>,
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
    pub id: Field<Id>,
    pub title: Field<String>,
    pub sku: Field<String>,
    pub price: Field<Decimal>,
    pub inventory_quantity: Field<Decimal>,
}

/// `customers/data_request`, `customers/redact`, `shop/redact`, and the shop of `app/uninstalled`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Privacy {
    pub shop_domain: Field<String>,
    pub myshopify_domain: Field<String>,
    pub customer: Field<Object<Customer>>,
    pub orders_to_redact: Field<Vec<Field<Id>>>,
}
