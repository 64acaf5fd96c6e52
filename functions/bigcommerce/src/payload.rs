//! What is read of BigCommerce's bodies. API v2 writes amounts as texts and times after RFC 2822, API v3 numbers and
//! ISO 8601.

#![allow(clippy::struct_field_names, reason = "the names are BigCommerce's")]

use canonical::Currency;
use canonical::money::Decimal;
use platform::lenient::{Field, Id, Moment, Object, Objects};
use serde::Deserialize;
use serde_json::Number;

/// A webhook's body.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Envelope {
    pub scope: Field<String>,
    pub producer: Field<String>,
    pub hash: Field<String>,
    pub created_at: Field<Number>,
    pub data: Field<Object<Data>>,
}

/// What it is about. The scopes of a channel call their ids otherwise than those of the store.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Data {
    pub id: Field<Id>,
    #[serde(rename = "orderId")]
    pub order: Field<Id>,
    pub order_id: Field<Id>,
    #[serde(rename = "cartId")]
    pub cart: Field<Id>,
    pub cart_id: Field<Id>,
    pub product_id: Field<Id>,
    pub customer_id: Field<Id>,
    pub token: Field<Id>,
    pub status: Field<Object<StatusChange>>,
    pub address: Field<Object<Owner>>,
    pub sku: Field<Object<Owner>>,
    pub inventory: Field<Object<Owner>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct StatusChange {
    pub previous_status_id: Field<Number>,
}

/// Whose an address or a SKU is.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    pub customer_id: Field<Id>,
    pub product_id: Field<Id>,
}

/// API v3: one record.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Entity<T: Default> {
    #[serde(bound(deserialize = "T: serde::de::DeserializeOwned"))]
    pub data: Field<Object<T>>,
}

/// API v3: several records.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Entities<T: Default> {
    #[serde(bound(deserialize = "T: serde::de::DeserializeOwned"))]
    pub data: Objects<T>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    pub id: Field<Id>,
    pub status_id: Field<Number>,
    pub customer_id: Field<Id>,
    pub date_created: Field<Moment>,
    pub date_modified: Field<Moment>,
    pub date_shipped: Field<Moment>,
    pub default_currency_code: Field<Currency>,
    pub currency_code: Field<Currency>,
    pub currency_exchange_rate: Field<Decimal>,
    pub total_inc_tax: Field<Decimal>,
    pub discount_amount: Field<Decimal>,
    pub coupon_discount: Field<Decimal>,
    pub refunded_amount: Field<Decimal>,
    pub store_credit_amount: Field<Decimal>,
    pub gift_certificate_amount: Field<Decimal>,
    pub items_shipped: Field<Decimal>,
    pub billing_address: Field<Object<Address>>,
    pub customer_locale: Field<String>,
    pub payment_method: Field<String>,
    pub order_source: Field<String>,
    pub external_source: Field<String>,
    pub channel_id: Field<Id>,
    pub cart_id: Field<Id>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub company: Field<String>,
    pub street_1: Field<String>,
    pub street_2: Field<String>,
    pub city: Field<String>,
    pub state: Field<String>,
    pub zip: Field<String>,
    pub country: Field<String>,
    pub country_iso2: Field<String>,
    pub phone: Field<String>,
    pub email: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderProduct {
    pub id: Field<Id>,
    pub product_id: Field<Id>,
    pub variant_id: Field<Id>,
    pub name: Field<String>,
    pub sku: Field<String>,
    #[serde(rename = "type")]
    pub kind: Field<String>,
    pub quantity: Field<Decimal>,
    pub price_inc_tax: Field<Decimal>,
    pub total_inc_tax: Field<Decimal>,
    pub brand: Field<String>,
    pub gift_certificate_id: Field<Id>,
    pub applied_discounts: Objects<AppliedDiscount>,
    pub product_options: Objects<ProductOption>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct AppliedDiscount {
    pub amount: Field<Decimal>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ProductOption {
    pub display_value: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Coupon {
    pub code: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shipment {
    pub id: Field<Id>,
    pub date_created: Field<Moment>,
    pub tracking_number: Field<String>,
    pub tracking_carrier: Field<String>,
    pub shipping_provider: Field<String>,
    pub shipping_provider_display_name: Field<String>,
    pub items: Objects<ShipmentItem>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ShipmentItem {
    pub order_product_id: Field<Id>,
    pub quantity: Field<Decimal>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refund {
    pub id: Field<Id>,
    pub created: Field<Moment>,
    pub reason: Field<String>,
    pub total_amount: Field<Decimal>,
    pub payments: Objects<RefundPayment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct RefundPayment {
    pub amount: Field<Decimal>,
    pub is_declined: Field<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cart {
    pub id: Field<Id>,
    pub customer_id: Field<Id>,
    pub email: Field<String>,
    pub locale: Field<String>,
    pub currency: Field<Object<CartCurrency>>,
    pub cart_amount: Field<Decimal>,
    pub created_time: Field<Moment>,
    pub updated_time: Field<Moment>,
    pub coupons: Objects<Coupon>,
    pub line_items: Field<Object<CartItems>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CartCurrency {
    pub code: Field<Currency>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CartItems {
    pub physical_items: Objects<CartItem>,
    pub digital_items: Objects<CartItem>,
    pub custom_items: Objects<CartItem>,
    pub gift_certificates: Objects<CartItem>,
}

/// A line of a cart; a gift certificate has only an amount.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CartItem {
    pub id: Field<Id>,
    pub product_id: Field<Id>,
    pub variant_id: Field<Id>,
    pub sku: Field<String>,
    pub name: Field<String>,
    pub url: Field<String>,
    pub image_url: Field<String>,
    pub quantity: Field<Decimal>,
    pub list_price: Field<Decimal>,
    pub extended_sale_price: Field<Decimal>,
    pub extended_list_price: Field<Decimal>,
    pub amount: Field<Decimal>,
    pub options: Objects<CartOption>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CartOption {
    pub value: Field<String>,
}

/// `/v3/abandoned-carts/{token}`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct AbandonedCart {
    pub cart_id: Field<Id>,
}

/// `/v3/carts/{id}/redirect_urls`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct RedirectUrls {
    pub checkout_url: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Customer {
    pub id: Field<Id>,
    pub email: Field<String>,
    pub phone: Field<String>,
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub company: Field<String>,
    pub customer_group_id: Field<Id>,
    pub accepts_product_review_abandoned_cart_emails: Field<bool>,
    pub date_modified: Field<Moment>,
    pub addresses: Objects<CustomerAddress>,
}

/// An address of API v3.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CustomerAddress {
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub company: Field<String>,
    pub address1: Field<String>,
    pub address2: Field<String>,
    pub city: Field<String>,
    pub state_or_province: Field<String>,
    pub postal_code: Field<String>,
    pub country: Field<String>,
    pub country_code: Field<String>,
    pub phone: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Subscriber {
    pub id: Field<Id>,
    pub email: Field<String>,
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub source: Field<String>,
    pub consents: Field<Vec<Field<String>>>,
    pub date_created: Field<Moment>,
    pub date_modified: Field<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Product {
    pub id: Field<Id>,
    pub name: Field<String>,
    pub description: Field<String>,
    pub price: Field<Decimal>,
    pub calculated_price: Field<Decimal>,
    pub brand_id: Field<Id>,
    pub categories: Field<Vec<Field<Id>>>,
    pub is_visible: Field<bool>,
    pub availability: Field<String>,
    pub custom_url: Field<Object<CustomUrl>>,
    pub images: Objects<Image>,
    pub variants: Objects<Variant>,
    pub date_modified: Field<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CustomUrl {
    pub url: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Image {
    pub is_thumbnail: Field<bool>,
    pub url_standard: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Variant {
    pub id: Field<Id>,
    pub sku: Field<String>,
    pub price: Field<Decimal>,
    pub calculated_price: Field<Decimal>,
    pub inventory_level: Field<Decimal>,
    pub option_values: Objects<OptionValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct OptionValue {
    pub label: Field<String>,
}

/// A brand or a category.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub name: Field<String>,
}
