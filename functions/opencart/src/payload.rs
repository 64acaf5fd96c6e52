//! The bodies of polled records: `OpenCart`'s own rows as the extension sends them, whose values are texts or numbers.

#![allow(clippy::struct_field_names, reason = "the names are those of the columns")]

use canonical::Currency;
use canonical::money::Decimal;
use platform::lenient::{Field, Id, Lenient, Object, Objects, Stamp};
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, SeqAccess};

/// The name of a way to pay or to ship: a text up to 4.0.1, `{"name": …, "code": …}` since, often as text again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Method(pub(crate) Option<String>);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: Field<String>,
}

impl<'de> Lenient<'de> for Method {
    fn from_text(text: &str) -> Option<Self> {
        if !text.starts_with(['{', '[']) {
            return Some(Self(Some(text.to_owned())));
        }
        // `[]` is PHP's empty object.
        match serde_json::from_str(text) {
            Ok(Field::Is(Object(Named { name }))) => Some(Self(name.ok())),
            Ok(_) if text == "[]" => Some(Self(None)),
            _ => None,
        }
    }

    fn from_array<A: SeqAccess<'de>>(mut array: A) -> Result<Option<Self>, A::Error> {
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(Self(None)))
    }

    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let named = Object::<Named>::from_object(object)?;
        Ok(named.map(|Object(Named { name })| Self(name.ok())))
    }
}

/// An order, confirmed or not.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderRecord {
    pub(crate) time_zone: Field<String>,
    /// The shop's default currency.
    pub(crate) currency: Field<Currency>,
    /// The statuses of complete orders.
    pub(crate) complete: Field<Vec<Field<Id>>>,
    pub(crate) order: Field<Object<Order>>,
    pub(crate) products: Objects<OrderProduct>,
    pub(crate) totals: Objects<OrderTotal>,
    pub(crate) histories: Objects<History>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    pub(crate) order_id: Field<Id>,
    pub(crate) invoice_prefix: Field<String>,
    pub(crate) invoice_no: Field<String>,
    pub(crate) store_id: Field<Id>,
    pub(crate) store_name: Field<String>,
    pub(crate) customer_id: Field<Id>,
    pub(crate) firstname: Field<String>,
    pub(crate) lastname: Field<String>,
    pub(crate) email: Field<String>,
    pub(crate) telephone: Field<String>,
    pub(crate) payment_firstname: Field<String>,
    pub(crate) payment_lastname: Field<String>,
    pub(crate) payment_company: Field<String>,
    pub(crate) payment_address_1: Field<String>,
    pub(crate) payment_address_2: Field<String>,
    pub(crate) payment_city: Field<String>,
    pub(crate) payment_postcode: Field<String>,
    pub(crate) payment_country: Field<String>,
    pub(crate) payment_iso_code_2: Field<String>,
    pub(crate) payment_zone: Field<String>,
    pub(crate) payment_zone_code: Field<String>,
    pub(crate) payment_method: Field<Method>,
    pub(crate) shipping_firstname: Field<String>,
    pub(crate) shipping_lastname: Field<String>,
    pub(crate) shipping_company: Field<String>,
    pub(crate) shipping_address_1: Field<String>,
    pub(crate) shipping_address_2: Field<String>,
    pub(crate) shipping_city: Field<String>,
    pub(crate) shipping_postcode: Field<String>,
    pub(crate) shipping_country: Field<String>,
    pub(crate) shipping_iso_code_2: Field<String>,
    pub(crate) shipping_zone: Field<String>,
    pub(crate) shipping_zone_code: Field<String>,
    pub(crate) shipping_method: Field<Method>,
    pub(crate) tracking: Field<String>,
    pub(crate) total: Field<Decimal>,
    pub(crate) order_status_id: Field<Id>,
    pub(crate) currency_code: Field<Currency>,
    pub(crate) currency_value: Field<Decimal>,
    /// Of the currency's row.
    pub(crate) decimal_place: Field<Decimal>,
    pub(crate) date_added: Field<Stamp>,
    pub(crate) date_modified: Field<Stamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderProduct {
    pub(crate) product_id: Field<Id>,
    pub(crate) name: Field<String>,
    pub(crate) model: Field<String>,
    pub(crate) quantity: Field<Decimal>,
    pub(crate) price: Field<Decimal>,
    pub(crate) total: Field<Decimal>,
    pub(crate) options: Objects<OrderOption>,
    /// Of the product's row, as the following.
    pub(crate) sku: Field<String>,
    pub(crate) image: Field<String>,
    pub(crate) manufacturer: Field<String>,
    pub(crate) categories: Field<Vec<Field<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderOption {
    pub(crate) name: Field<String>,
    pub(crate) value: Field<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderTotal {
    pub(crate) code: Field<String>,
    pub(crate) title: Field<String>,
    pub(crate) value: Field<Decimal>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct History {
    pub(crate) order_history_id: Field<Id>,
    pub(crate) order_status_id: Field<Id>,
    pub(crate) date_added: Field<Stamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CustomerRecord {
    pub(crate) time_zone: Field<String>,
    pub(crate) customer: Field<Object<Customer>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Customer {
    pub(crate) customer_id: Field<Id>,
    pub(crate) firstname: Field<String>,
    pub(crate) lastname: Field<String>,
    pub(crate) email: Field<String>,
    pub(crate) telephone: Field<String>,
    pub(crate) date_added: Field<Stamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ProductRecord {
    pub(crate) time_zone: Field<String>,
    pub(crate) product: Field<Object<Product>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Product {
    pub(crate) product_id: Field<Id>,
    pub(crate) name: Field<String>,
    pub(crate) description: Field<String>,
    pub(crate) model: Field<String>,
    pub(crate) sku: Field<String>,
    pub(crate) image: Field<String>,
    pub(crate) manufacturer: Field<String>,
    pub(crate) categories: Field<Vec<Field<String>>>,
    /// As the shop shows it.
    pub(crate) price: Field<Decimal>,
    pub(crate) quantity: Field<Decimal>,
    pub(crate) status: Field<Id>,
    pub(crate) date_added: Field<Stamp>,
    pub(crate) date_modified: Field<Stamp>,
}
