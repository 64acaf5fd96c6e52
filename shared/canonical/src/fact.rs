//! What an adapter may say: facts about orders, carts, customers and products, in no platform's words.
//! Adapters never decide which event happens; the ledgers of this crate do.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Currency, Instant, Money};

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "fact", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "made once and moved; boxes would cost readability")]
pub enum Fact {
    /// An order as the platform sees it now, or a part of it.
    Order(OrderSnapshot),
    /// A checkout that was begun.
    Checkout(CheckoutSnapshot),
    /// A cart and all that is in it now.
    Cart(CartSnapshot),
    /// A product page that was looked at.
    ProductView(ProductView),
    /// A customer's attributes.
    Customer(CustomerSnapshot),
    /// A decision about marketing, on one channel.
    Consent(ConsentChange),
    /// Something a loyalty programme did.
    Loyalty(LoyaltyActivity),
    /// A product of the catalog was created, changed or removed.
    Catalog(CatalogItem),
    /// A person, or a whole shop, must be forgotten.
    Erasure(ErasureRequest),
    /// A person asked what is stored about them.
    DataRequest(Person),
    /// The platform ended the connection: its credentials are void.
    Disconnected {
        /// When.
        at: Option<Instant>,
    },
}

/// Who a fact is about: what the source wrote, not yet normalised. Empty strings count as absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Person {
    /// The id the account's owner gave the person; only through the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Phone number in any notation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// ISO 3166-1 alpha-2: how to read a phone number without a country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_country: Option<String>,
    /// A device's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
    /// The platform's own id of the customer: links facts of one connection to each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// Attributes by Klaviyo's names: `first_name`, `last_name`, `organization`, `title`, `locale`, `image`,
    /// `location` (an object) and `properties` (an object).
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
}

/// An order, or a part of it, as one delivery shows it. Absent means "this delivery does not say", never "no".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OrderSnapshot {
    /// The platform's id.
    pub order_id: String,
    /// The buyer.
    pub person: Person,
    /// When the source changed the person's attributes last; they are last-writer-wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Instant>,
    /// Set once the order counts as placed, by the platform's own rule: the business time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Instant>,
    /// What was bought, in total; absent in thin deliveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<OrderDetail>,
    /// The cancellation, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Cancellation>,
    /// When all of it was fulfilled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fulfilled_at: Option<Instant>,
    /// Parcels that left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shipments: Vec<Shipment>,
    /// Refunds, those without money included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    /// The source says that everything was paid back.
    pub fully_refunded: bool,
    /// Which refunds become events.
    pub refund_policy: RefundPolicy,
    /// From a historical import.
    pub backfill: bool,
}

impl OrderSnapshot {
    /// Whether nothing has happened to the order but that it was placed.
    pub(crate) fn is_only_placed(&self) -> bool {
        self.cancelled.is_none()
            && self.fulfilled_at.is_none()
            && self.shipments.is_empty()
            && self.refunds.is_empty()
    }
}

/// Which refunds become Refunded Order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefundPolicy {
    /// One event per order, once everything was paid back, with all that was paid back as its value.
    FullOnly,
    /// One event per refund, with its own amount.
    #[default]
    Each,
}

/// What an order consists of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OrderDetail {
    /// The number people see, such as `#1001`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The total at the time of sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// All discounts together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_discounts: Option<Decimal>,
    /// Codes that were used; automatic discounts have none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub discount_codes: Vec<String>,
    /// The lines.
    pub lines: Vec<Line>,
    /// Address objects with Klaviyo's keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_address: Option<Map<String, Value>>,
    /// As `billing_address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping_address: Option<Map<String, Value>>,
    /// Where it was sold: web, pos, draft, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_name: Option<String>,
    /// The shop's name or domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shop: Option<String>,
    /// The shop's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shop_id: Option<String>,
    /// The branch, for sales over a counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Properties that have no canonical name, such as presentment amounts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Value>,
}

/// One line of an order, a checkout or a cart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Line {
    /// The line's own id; if the source has none, one that is stable for the line.
    pub line_id: String,
    /// The product's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// The variant's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<String>,
    /// Stock-keeping unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The product's name.
    pub name: String,
    /// The variant's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_name: Option<String>,
    /// May be fractional (1.5 metres of cloth).
    pub quantity: Decimal,
    /// Price of one, before discounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Decimal>,
    /// Price × quantity after the line's discounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Decimal>,
    /// Names of categories or collections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Brand or vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// A picture's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// The product page's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_url: Option<String>,
    /// A gift card: money, not goods.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gift_card: bool,
    /// Properties of Ordered Product that have no canonical name, such as a batch.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Value>,
}

impl Line {
    /// What the line costs: its total after its discounts, else price × quantity. `None` if neither is
    /// known, or if the product of both is too large for a decimal of 28 digits.
    pub fn amount(&self) -> Option<Decimal> {
        self.total.or_else(|| self.unit_price?.checked_mul(self.quantity))
    }
}

/// That an order was cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cancellation {
    /// When.
    pub at: Instant,
    /// The source's word for why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One parcel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shipment {
    /// The platform's id of the fulfilment.
    pub shipment_id: String,
    /// When it was sent.
    pub at: Instant,
    /// The carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Tracking numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracking_numbers: Vec<String>,
    /// What is in it; empty if the source does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
}

/// One refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refund {
    /// The platform's id.
    pub refund_id: String,
    /// When.
    pub at: Instant,
    /// The money that was really paid back; `None` when none was (a mere restock, a pending payment).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The merchant's note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A checkout that was begun and perhaps completed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CheckoutSnapshot {
    /// What names the checkout through all its deliveries.
    pub checkout_id: String,
    /// The cart it grew from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cart_id: Option<String>,
    /// Who; the event waits until somebody is named.
    pub person: Person,
    /// When it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Instant>,
    /// The source's last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Instant>,
    /// It became an order: no longer begun, so it yields nothing.
    pub completed: bool,
    /// A link that restores it on any device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_url: Option<String>,
    /// The total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// Codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub discount_codes: Vec<String>,
    /// The lines.
    pub lines: Vec<Line>,
    /// From a historical import.
    pub backfill: bool,
}

/// A cart as it is now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CartSnapshot {
    /// What names the cart through all its deliveries.
    pub cart_id: String,
    /// Who; often nobody yet.
    pub person: Person,
    /// The source's last change: the order of snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Instant>,
    /// A link to the cart or checkout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_url: Option<String>,
    /// Of all prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// All lines; empty when the cart was emptied.
    pub lines: Vec<Line>,
}

/// A product page that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductView {
    /// What names this view.
    pub view_id: String,
    /// Who.
    pub person: Person,
    /// When.
    pub at: Instant,
    /// What.
    pub product: Line,
    /// The price before a reduction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare_at_price: Option<Decimal>,
}

/// A customer's attributes at one time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CustomerSnapshot {
    /// Identifiers and attributes.
    pub person: Person,
    /// The source's last change; attributes are last-writer-wins by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Instant>,
    /// The platform deleted the customer's record: the link to it goes, the history stays.
    pub deleted: bool,
}

/// How somebody may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// E-mail.
    Email,
    /// Text messages that advertise.
    Sms,
    /// Text messages about what was bought.
    SmsTransactional,
    /// `WhatsApp` messages that advertise.
    WhatsappMarketing,
    /// `WhatsApp` messages about what was bought.
    WhatsappTransactional,
    /// `WhatsApp` messages that answer.
    WhatsappConversational,
    /// Notifications of an app.
    Push,
    /// That opening an e-mail is noticed: no way to reach anybody, but decided on like one.
    OpenTracking,
}

/// A person's word on marketing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsentStatus {
    /// Never asked or never answered.
    #[default]
    NeverSubscribed,
    /// Yes.
    Subscribed,
    /// No.
    Unsubscribed,
}

/// A decision about marketing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConsentChange {
    /// Who.
    pub person: Person,
    /// On which channel.
    pub channel: Channel,
    /// What was decided.
    pub status: ConsentStatus,
    /// When.
    pub at: Instant,
    /// Klaviyo's word for how, such as `checkout` or `integration`.
    pub method: String,
    /// Whether a confirmation was given.
    #[serde(default)]
    pub double_opt_in: bool,
}

/// Something a loyalty programme did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoyaltyActivity {
    /// What names the activity.
    pub activity_id: String,
    /// Who.
    pub person: Person,
    /// Which of the canonical loyalty metrics.
    pub metric: crate::Metric,
    /// When.
    pub at: Instant,
    /// Its properties.
    #[serde(default)]
    pub properties: Map<String, Value>,
    /// Where only a comparison shows that it happened: the activity is told if the profile had another value, and not
    /// if the profile has never had the property.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<PropertyChange>,
}

/// What a custom property of a profile changes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PropertyChange {
    /// The property's name.
    pub property: String,
    /// Its new value.
    pub value: Value,
    /// Only a rise counts: to a greater number, or to any from none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rising: bool,
    /// A property and its new value: if the profile has had just that, nothing happened, for it only means something else
    /// now, as a tier does whose threshold was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<(String, Value)>,
}

/// A product, or that it is gone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CatalogItem {
    /// The platform's product id.
    pub product_id: String,
    /// The source's last change: last-writer-wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Instant>,
    /// The product was removed.
    pub deleted: bool,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its text, which may be HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// Brand or vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Categories, collections, types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Lowest price of its variants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// Whether it can be bought.
    pub published: bool,
    /// Its variants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<CatalogVariant>,
}

/// A variant of a product.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CatalogVariant {
    /// The platform's variant id.
    pub variant_id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Stock-keeping unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Its price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// How many are in stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory_quantity: Option<Decimal>,
}

/// Somebody, or a whole shop, must be forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "scope", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "rare, made once and moved")]
pub enum ErasureRequest {
    /// One person, and the orders that must lose their personal data.
    Person {
        /// Who.
        person: Person,
        /// Orders named in the request.
        #[serde(default)]
        order_ids: Vec<String>,
    },
    /// All data that came through the connection.
    Shop,
}
