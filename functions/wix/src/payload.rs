//! Wix's payloads, as far as they are read. Every field may be missing, `null`, empty or of another type than
//! documented.

#![allow(clippy::struct_field_names, reason = "the names are Wix's")]

use canonical::Currency;
use canonical::money::Decimal;
use platform::lenient::{Field, Id, Lenient, Moment, Object, Objects};
use serde::Deserialize;
use serde::de::MapAccess;
use serde::de::value::MapAccessDeserializer;
use serde_json::{Map, Value};

/// JSON inside JSON: a text that holds it, or, as some events have it, the object itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Json(pub String);

impl<'de> Lenient<'de> for Json {
    fn from_text(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }

    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(object)).map(|value| Some(Self(value.to_string())))
    }
}

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seconds(pub i64);

impl Lenient<'_> for Seconds {
    fn from_integer(number: i128) -> Option<Self> {
        number.try_into().ok().map(Self)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Claims {
    pub data: Field<Json>,
    pub iat: Field<Seconds>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Envelope {
    pub event_type: Field<String>,
    pub instance_id: Field<String>,
    pub data: Field<Json>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Event {
    pub id: Field<Id>,
    pub entity_fqdn: Field<String>,
    pub slug: Field<String>,
    pub entity_id: Field<Id>,
    pub event_time: Field<Moment>,
    pub triggered_by_anonymize_request: Field<bool>,
    pub created_event: Field<Object<Created>>,
    pub updated_event: Field<Object<Updated>>,
    pub action_event: Field<Object<Action>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Created {
    pub entity: Field<Json>,
    pub entity_as_json: Field<Json>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Updated {
    pub current_entity: Field<Json>,
    pub current_entity_as_json: Field<Json>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Action {
    pub body: Field<Json>,
    pub body_as_json: Field<Json>,
}

/// What bodies of actions and answers of the API keep an entity in.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Holder {
    pub order: Field<Json>,
    pub order_with_fulfillments: Field<Json>,
    pub order_transactions: Field<Json>,
    pub checkout: Field<Json>,
    pub abandoned_checkout: Field<Json>,
    pub cart: Field<Json>,
    pub contact: Field<Json>,
    pub target_contact: Field<Json>,
    pub member: Field<Json>,
    pub product: Field<Json>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Order {
    pub id: Field<Id>,
    pub number: Field<String>,
    pub created_date: Field<Moment>,
    pub purchased_date: Field<Moment>,
    pub updated_date: Field<Moment>,
    pub status: Field<String>,
    pub payment_status: Field<String>,
    pub fulfillment_status: Field<String>,
    pub buyer_info: Field<Object<Buyer>>,
    pub buyer_language: Field<String>,
    pub billing_info: Field<Object<Recipient>>,
    pub recipient_info: Field<Object<Recipient>>,
    pub shipping_info: Field<Object<Shipping>>,
    pub currency: Field<Currency>,
    pub price_summary: Field<Object<PriceSummary>>,
    pub tax_included_in_prices: Field<bool>,
    pub applied_discounts: Objects<Discount>,
    pub line_items: Objects<LineItem>,
    pub activities: Objects<Activity>,
    pub channel_info: Field<Object<Channel>>,
    pub business_location: Field<Object<Named>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Buyer {
    pub contact_id: Field<Id>,
    pub email: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Recipient {
    pub address: Field<Object<Address>>,
    pub contact_details: Field<Object<ContactDetails>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContactDetails {
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub company: Field<String>,
    pub phone: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Address {
    pub address_line: Field<String>,
    pub address_line1: Field<String>,
    pub address_line2: Field<String>,
    pub street_address: Field<Object<Street>>,
    pub city: Field<String>,
    pub postal_code: Field<String>,
    pub subdivision: Field<String>,
    pub subdivision_fullname: Field<String>,
    pub country: Field<String>,
    pub country_fullname: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Street {
    pub number: Field<String>,
    pub name: Field<String>,
}

/// Orders have the destination below `logistics`, checkouts have it here.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Shipping {
    pub logistics: Field<Object<Logistics>>,
    pub shipping_destination: Field<Object<Recipient>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Logistics {
    pub shipping_destination: Field<Object<Recipient>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Price {
    pub amount: Field<Decimal>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PriceSummary {
    pub total: Field<Object<Price>>,
    pub total_price: Field<Object<Price>>,
    pub discount: Field<Object<Price>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Discount {
    pub coupon: Field<Object<Coupon>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Coupon {
    pub code: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Activity {
    #[serde(rename = "type")]
    pub kind: Field<String>,
    pub created_date: Field<Moment>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Channel {
    #[serde(rename = "type")]
    pub kind: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub name: Field<String>,
}

/// A line of an order, a checkout or a cart.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LineItem {
    pub id: Field<Id>,
    pub product_name: Field<Object<Translated>>,
    pub catalog_reference: Field<Object<CatalogReference>>,
    pub physical_properties: Field<Object<PhysicalProperties>>,
    pub quantity: Field<Decimal>,
    pub price: Field<Object<Price>>,
    pub price_before_discounts: Field<Object<Price>>,
    /// In orders.
    pub total_discount: Field<Object<Price>>,
    /// In checkouts.
    pub discount: Field<Object<Price>>,
    pub line_item_price: Field<Object<Price>>,
    pub total_price_before_tax: Field<Object<Price>>,
    pub total_price_after_tax: Field<Object<Price>>,
    pub description_lines: Objects<DescriptionLine>,
    pub item_type: Field<Object<ItemType>>,
    pub image: Field<Object<Media>>,
    pub media: Field<Object<Media>>,
    pub url: Field<Object<PageUrl>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Translated {
    pub original: Field<String>,
    pub translated: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CatalogReference {
    pub catalog_item_id: Field<Id>,
    pub app_id: Field<String>,
    pub options: Field<Object<CatalogOptions>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CatalogOptions {
    pub variant_id: Field<Id>,
    /// What the buyer wrote, by the question.
    pub custom_text_fields: Field<Object<Map<String, Value>>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct PhysicalProperties {
    pub sku: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DescriptionLine {
    pub name: Field<Object<Translated>>,
    pub plain_text: Field<Object<Translated>>,
    pub color_info: Field<Object<Translated>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ItemType {
    pub preset: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Media {
    pub url: Field<String>,
}

/// A page in two parts: lines write `url` and `relativePath`, products `base` and `path`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PageUrl {
    #[serde(alias = "base")]
    pub url: Field<String>,
    #[serde(alias = "path")]
    pub relative_path: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct OrderWithFulfillments {
    pub order_id: Field<Id>,
    pub fulfillments: Objects<Fulfillment>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Fulfillment {
    pub id: Field<Id>,
    pub created_date: Field<Moment>,
    pub line_items: Objects<FulfilledLine>,
    pub tracking_info: Field<Object<TrackingInfo>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct FulfilledLine {
    pub id: Field<Id>,
    pub quantity: Field<Decimal>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct TrackingInfo {
    pub tracking_number: Field<String>,
    pub shipping_provider: Field<String>,
    pub tracking_link: Field<String>,
}

/// What an event about payments and refunds says, and the list of both that it holds or is.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Transactions {
    pub order_id: Field<Id>,
    pub refund: Field<Object<Refund>>,
    pub refunds: Objects<Refund>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Refund {
    pub id: Field<Id>,
    pub created_date: Field<Moment>,
    pub summary: Field<Object<RefundSummary>>,
    pub transactions: Objects<RefundTransaction>,
    pub details: Field<Object<RefundDetails>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct RefundSummary {
    pub refunded: Field<Object<Price>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RefundTransaction {
    pub amount: Field<Object<Price>>,
    pub refund_status: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct RefundDetails {
    pub reason: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct AbandonedCheckout {
    pub checkout_id: Field<Id>,
    pub cart_id: Field<Id>,
    pub created_date: Field<Moment>,
    pub updated_date: Field<Moment>,
    pub status: Field<String>,
    pub buyer_info: Field<Object<Buyer>>,
    pub buyer_language: Field<String>,
    pub contact_details: Field<Object<ContactDetails>>,
    pub currency: Field<Currency>,
    pub total_price: Field<Object<Price>>,
    pub checkout_url: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Checkout {
    pub id: Field<Id>,
    pub cart_id: Field<Id>,
    pub created_date: Field<Moment>,
    pub updated_date: Field<Moment>,
    pub completed: Field<bool>,
    pub buyer_info: Field<Object<Buyer>>,
    pub buyer_language: Field<String>,
    pub billing_info: Field<Object<Recipient>>,
    pub shipping_info: Field<Object<Shipping>>,
    pub currency: Field<Currency>,
    pub price_summary: Field<Object<PriceSummary>>,
    /// Orders and carts write the plural.
    pub tax_included_in_price: Field<bool>,
    pub applied_discounts: Objects<Discount>,
    pub line_items: Objects<LineItem>,
    pub checkout_url: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Cart {
    pub id: Field<Id>,
    pub updated_date: Field<Moment>,
    pub buyer_info: Field<Object<Buyer>>,
    pub buyer_language: Field<String>,
    pub currency: Field<Currency>,
    pub tax_included_in_prices: Field<bool>,
    pub line_items: Objects<LineItem>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Contact {
    pub id: Field<Id>,
    pub updated_date: Field<Moment>,
    pub primary_info: Field<Object<PrimaryInfo>>,
    pub info: Field<Object<ContactInfo>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct PrimaryInfo {
    pub email: Field<String>,
    pub phone: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContactInfo {
    pub name: Field<Object<Name>>,
    pub emails: Field<Object<Items<ContactEmail>>>,
    pub phones: Field<Object<Items<ContactPhone>>>,
    pub addresses: Field<Object<Items<ContactAddress>>>,
    pub company: Field<String>,
    pub job_title: Field<String>,
    pub locale: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Name {
    pub first: Field<String>,
    pub last: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, bound(deserialize = "T: Default + Deserialize<'de>"))]
pub(crate) struct Items<T> {
    pub items: Objects<T>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ContactEmail {
    pub email: Field<String>,
    pub primary: Field<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContactPhone {
    pub phone: Field<String>,
    #[serde(rename = "e164Phone")]
    pub e164_phone: Field<String>,
    pub country_code: Field<String>,
    pub primary: Field<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ContactAddress {
    pub address: Field<Object<Address>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Member {
    pub id: Field<Id>,
    pub contact_id: Field<Id>,
    pub login_email: Field<String>,
    pub updated_date: Field<Moment>,
    pub contact: Field<Object<MemberContact>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct MemberContact {
    pub first_name: Field<String>,
    pub last_name: Field<String>,
    pub company: Field<String>,
    pub job_title: Field<String>,
    pub phones: Field<Vec<Field<String>>>,
    pub addresses: Objects<Address>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct SubscriptionChange {
    pub subscription: Field<Object<Subscription>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Subscription {
    pub email: Field<String>,
    pub subscription_status: Field<String>,
}

/// What any entity may say about whom it belongs to.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Owned {
    pub id: Field<Id>,
    pub order_id: Field<Id>,
    pub contact_id: Field<Id>,
    pub buyer_info: Field<Object<Buyer>>,
}

/// Events name a product `productId`, the API `id`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Product {
    pub id: Field<Id>,
    pub product_id: Field<Id>,
    pub name: Field<String>,
    pub description: Field<String>,
    pub brand: Field<String>,
    pub sku: Field<String>,
    pub visible: Field<bool>,
    pub price_data: Field<Object<ProductPrice>>,
    pub media: Field<Object<ProductMedia>>,
    pub product_page_url: Field<Object<PageUrl>>,
    pub variants: Objects<Variant>,
    pub last_updated: Field<Moment>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ProductPrice {
    pub price: Field<Decimal>,
    pub discounted_price: Field<Decimal>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ProductMedia {
    pub main_media: Field<Object<MainMedia>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct MainMedia {
    pub image: Field<Object<Media>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Variant {
    pub id: Field<Id>,
    pub choices: Field<Object<Map<String, Value>>>,
    pub variant: Field<Object<VariantData>>,
    pub stock: Field<Object<VariantStock>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct VariantData {
    pub price_data: Field<Object<ProductPrice>>,
    pub sku: Field<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct VariantStock {
    pub track_quantity: Field<bool>,
    pub quantity: Field<Decimal>,
}

/// A page of orders.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct OrderPage {
    pub orders: Field<Vec<Field<Json>>>,
    #[serde(alias = "pagingMetadata")]
    pub metadata: Field<Object<Paging>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Paging {
    pub has_next: Field<bool>,
    pub cursors: Field<Object<Cursors>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Cursors {
    pub next: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Token {
    pub access_token: Field<String>,
}
