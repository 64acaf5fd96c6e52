//! Magento's records, as far as they are read. The same record comes as REST resource (numbers, `null` left out) and
//! as columns of the database (texts such as `"34.0000"`); every field may be missing, empty or of another type.

#![allow(clippy::struct_field_names, reason = "the names are Magento's")]

use canonical::Currency;
use canonical::money::Decimal;
use platform::lenient::{Field, Id, Lenient, Moment, Object, Objects};
use serde::Deserialize;
use serde::de::MapAccess;
use serde_json::{Map, Value};

/// Yes or no, as boolean or as the database's 1 and 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flag(pub bool);

impl Lenient<'_> for Flag {
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "1" | "true" => Some(Self(true)),
            "0" | "false" => Some(Self(false)),
            _ => None,
        }
    }

    fn from_integer(number: i128) -> Option<Self> {
        match number {
            0 | 1 => Some(Self(number == 1)),
            _ => None,
        }
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(Self(value))
    }
}

/// Lines of a street: an array, or one text with line ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Street(pub Vec<String>);

impl<'de> Lenient<'de> for Street {
    fn from_text(text: &str) -> Option<Self> {
        Some(Self(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()))
    }

    fn from_array<A: serde::de::SeqAccess<'de>>(array: A) -> Result<Option<Self>, A::Error> {
        let lines = Vec::<Field<String>>::from_array(array)?.unwrap_or_default();
        Ok(Some(Self(lines.into_iter().filter_map(Field::ok).collect())))
    }
}

/// A region: its name as text, or an object with name and code.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Region {
    pub name: Option<String>,
    pub code: Option<String>,
}

impl<'de> Lenient<'de> for Region {
    fn from_text(text: &str) -> Option<Self> {
        Some(Self { name: Some(text.to_owned()), code: None })
    }

    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Parts {
            region: Field<String>,
            region_code: Field<String>,
        }
        let parts = Object::<Parts>::from_object(object)?;
        Ok(parts.map(|Object(parts)| Self { name: parts.region.ok(), code: parts.region_code.ok() }))
    }
}

/// Addresses of an order: an array whose elements say their type, or an object with the types as keys.
#[derive(Default)]
pub(crate) struct Addresses(pub Vec<(String, Field<Object<Address>>)>);

impl<'de> Lenient<'de> for Addresses {
    fn from_array<A: serde::de::SeqAccess<'de>>(array: A) -> Result<Option<Self>, A::Error> {
        let addresses = Vec::<Field<Object<Address>>>::from_array(array)?.unwrap_or_default();
        let typed = addresses.into_iter().filter_map(|address| match &address {
            Field::Is(Object(Address { address_type: Field::Is(kind), .. })) => Some((kind.clone(), address)),
            _ => None,
        });
        Ok(Some(Self(typed.collect())))
    }

    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        let mut typed = Vec::new();
        while let Some(entry) = object.next_entry()? {
            typed.push(entry);
        }
        Ok(Some(Self(typed)))
    }
}

impl Addresses {
    /// Takes the address of a type out.
    pub(crate) fn take(&mut self, kind: &str) -> Field<Object<Address>> {
        let found = self.0.iter().position(|(name, _)| name == kind);
        found.map(|index| self.0.swap_remove(index).1).unwrap_or_default()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    pub id: Field<Id>,
    pub address_type: Field<String>,
    pub email: Field<String>,
    pub firstname: Field<String>,
    pub lastname: Field<String>,
    pub company: Field<String>,
    pub street: Field<Street>,
    pub city: Field<String>,
    pub region: Field<Region>,
    pub region_code: Field<String>,
    pub postcode: Field<String>,
    pub country_id: Field<String>,
    pub telephone: Field<String>,
    pub default_billing: Field<Flag>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    pub entity_id: Field<Id>,
    pub id: Field<Id>,
    pub increment_id: Field<String>,
    pub original_increment_id: Field<String>,
    pub relation_child_id: Field<Id>,
    pub state: Field<String>,
    pub status: Field<String>,
    pub hold_before_state: Field<String>,
    pub customer_id: Field<Id>,
    pub customer_is_guest: Field<Flag>,
    pub customer_email: Field<String>,
    pub customer_firstname: Field<String>,
    pub customer_lastname: Field<String>,
    pub billing_address: Field<Object<Address>>,
    pub shipping_address: Field<Object<Address>>,
    pub addresses: Field<Addresses>,
    pub extension_attributes: Field<Object<OrderExtension>>,
    pub order_currency_code: Field<Currency>,
    pub grand_total: Field<Decimal>,
    pub base_currency_code: Field<Currency>,
    pub base_grand_total: Field<Decimal>,
    pub discount_amount: Field<Decimal>,
    pub coupon_code: Field<String>,
    pub items: Objects<Item>,
    pub status_histories: Objects<StatusHistory>,
    pub payment: Field<Object<Payment>>,
    pub email_sent: Field<Flag>,
    pub total_paid: Field<Decimal>,
    pub total_invoiced: Field<Decimal>,
    pub store_id: Field<Id>,
    pub store_name: Field<String>,
    pub created_at: Field<Moment>,
    pub updated_at: Field<Moment>,
    pub kl_email_consent: Field<Flag>,
    pub kl_sms_consent: Field<Flag>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderExtension {
    pub shipping_assignments: Objects<ShippingAssignment>,
    pub kl_email_consent: Field<Flag>,
    pub kl_sms_consent: Field<Flag>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ShippingAssignment {
    pub shipping: Field<Object<Shipping>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shipping {
    pub address: Field<Object<Address>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct StatusHistory {
    pub status: Field<String>,
    pub created_at: Field<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Payment {
    pub amount_authorized: Field<Decimal>,
}

/// A line of an order, a quote or a shipment.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Item {
    pub item_id: Field<Id>,
    pub order_item_id: Field<Id>,
    pub parent_item_id: Field<Id>,
    pub quote_id: Field<Id>,
    pub product_id: Field<Id>,
    pub product_type: Field<String>,
    pub sku: Field<String>,
    pub name: Field<String>,
    pub qty_ordered: Field<Decimal>,
    pub qty: Field<Decimal>,
    pub price: Field<Decimal>,
    pub row_total: Field<Decimal>,
    pub discount_amount: Field<Decimal>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Creditmemo {
    pub entity_id: Field<Id>,
    pub id: Field<Id>,
    pub order_id: Field<Id>,
    pub customer_id: Field<Id>,
    pub state: Field<String>,
    pub grand_total: Field<Decimal>,
    pub order_currency_code: Field<Currency>,
    pub customer_note: Field<String>,
    pub comments: Objects<Comment>,
    pub created_at: Field<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Comment {
    pub comment: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shipment {
    pub entity_id: Field<Id>,
    pub id: Field<Id>,
    pub order_id: Field<Id>,
    pub customer_id: Field<Id>,
    pub items: Objects<Item>,
    pub tracks: Objects<Track>,
    pub created_at: Field<Moment>,
}

/// A tracking number of a shipment, which is its parent.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Track {
    pub parent_id: Field<Id>,
    pub order_id: Field<Id>,
    pub track_number: Field<String>,
    pub title: Field<String>,
    pub carrier_code: Field<String>,
    pub created_at: Field<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Customer {
    pub id: Field<Id>,
    pub entity_id: Field<Id>,
    pub email: Field<String>,
    pub firstname: Field<String>,
    pub lastname: Field<String>,
    pub group_id: Field<Id>,
    pub default_billing: Field<Id>,
    pub addresses: Objects<Address>,
    pub updated_at: Field<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Subscriber {
    pub subscriber_email: Field<String>,
    pub customer_id: Field<Id>,
    pub subscriber_status: Field<String>,
    pub change_status_at: Field<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Quote {
    pub entity_id: Field<Id>,
    pub id: Field<Id>,
    pub is_active: Field<Flag>,
    pub items_count: Field<Decimal>,
    pub items: Objects<Item>,
    pub customer_id: Field<Id>,
    pub customer_email: Field<String>,
    pub customer_firstname: Field<String>,
    pub customer_lastname: Field<String>,
    pub customer: Field<Object<Customer>>,
    pub billing_address: Field<Object<Address>>,
    pub currency: Field<Object<QuoteCurrency>>,
    pub quote_currency_code: Field<Currency>,
    pub grand_total: Field<Decimal>,
    pub coupon_code: Field<String>,
    pub updated_at: Field<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct QuoteCurrency {
    pub quote_currency_code: Field<Currency>,
}

/// A product. REST puts most attributes into `custom_attributes`; the database's columns bear their names.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Product {
    pub entity_id: Field<Id>,
    pub id: Field<Id>,
    /// Klaviyo's module calls it so.
    pub product_id: Field<Id>,
    pub sku: Field<String>,
    pub name: Field<String>,
    pub type_id: Field<String>,
    pub price: Field<Decimal>,
    pub status: Field<String>,
    pub visibility: Field<String>,
    pub updated_at: Field<Moment>,
    pub description: Field<String>,
    pub short_description: Field<String>,
    pub url_key: Field<String>,
    pub image: Field<String>,
    pub stock_data: Field<Object<Stock>>,
    pub quantity_and_stock_status: Field<Object<Stock>>,
    pub extension_attributes: Field<Object<ProductExtension>>,
    pub custom_attributes: Objects<CustomAttribute>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Stock {
    pub qty: Field<Decimal>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ProductExtension {
    pub stock_item: Field<Object<Stock>>,
    pub configurable_product_links: Field<Vec<Field<Id>>>,
}

/// An attribute whose value may be a text, a number or a list; only texts are read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CustomAttribute {
    pub attribute_code: Field<String>,
    pub value: Value,
}

/// What Klaviyo's module keeps of an Added To Cart.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct KlaviyoCart {
    #[serde(rename = "QuoteId")]
    pub quote_id: Field<String>,
    #[serde(rename = "Items")]
    pub items: Objects<KlaviyoItem>,
    pub time: Field<Decimal>,
    #[serde(rename = "$email")]
    pub email: Field<String>,
    #[serde(rename = "$exchange_id")]
    pub exchange_id: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct KlaviyoItem {
    pub product_id: Field<Id>,
    pub simple_product_id: Field<Id>,
    pub title: Field<String>,
    pub price: Field<Decimal>,
    pub quantity: Field<Decimal>,
    pub url: Field<String>,
}

/// An event of Adobe I/O, as `CloudEvents` 1.0 has them. Fields have an old and a new name; the old ones are to disappear.
/// Source: <https://developer.adobe.com/events/docs/support/faq>.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CloudEvent {
    pub id: Field<Id>,
    pub eventid: Field<Id>,
    pub event_id: Field<Id>,
    pub recipientclientid: Field<String>,
    pub recipient_client_id: Field<String>,
    #[serde(rename = "type")]
    pub kind: Field<String>,
    pub time: Field<Moment>,
    pub data: Field<Object<EventData>>,
    /// What holds `data` in deliveries that are older than `CloudEvents`.
    pub event: Field<Object<WrappedEvent>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct WrappedEvent {
    pub data: Field<Object<EventData>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventData {
    pub value: Field<Object<Map<String, Value>>>,
}
