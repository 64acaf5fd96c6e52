//! The bodies of polled records, as [`crate::join`] makes them: rows of the webservice, whose values are texts, or
//! numbers for ids.

use canonical::Currency;
use canonical::money::Decimal;
use platform::lenient::{Field, Id, Lenient, Object, Objects, Stamp};
use serde::Deserialize;
use serde_json::Value;

/// `1` or `0`, as text or number, or a boolean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

impl Lenient<'_> for Flag {
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "1" | "true" => Some(Self(true)),
            "0" | "false" => Some(Self(false)),
            _ => None,
        }
    }

    fn from_integer(number: i128) -> Option<Self> {
        Some(Self(number != 0))
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(Self(value))
    }
}

/// Names of the shop's configuration with their values.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Configuration {
    #[serde(rename = "PS_OS_CANCELED")]
    pub(crate) cancelled: Field<Id>,
    #[serde(rename = "PS_OS_REFUND")]
    pub(crate) refunded: Field<Id>,
    #[serde(rename = "PS_OS_ERROR")]
    pub(crate) failed: Field<Id>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderRecord {
    pub(crate) time_zone: Field<String>,
    pub(crate) order: Field<Object<Order>>,
    pub(crate) currency: Field<Currency>,
    pub(crate) customer: Field<Object<Customer>>,
    pub(crate) billing_address: Field<Object<Address>>,
    pub(crate) shipping_address: Field<Object<Address>>,
    pub(crate) histories: Objects<History>,
    pub(crate) states: Objects<State>,
    pub(crate) configuration: Field<Object<Configuration>>,
    pub(crate) slips: Objects<Slip>,
    pub(crate) carriers: Objects<OrderCarrier>,
    pub(crate) cart_rules: Objects<CartRule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    pub(crate) id: Field<Id>,
    pub(crate) reference: Field<String>,
    pub(crate) id_customer: Field<Id>,
    pub(crate) current_state: Field<Id>,
    pub(crate) date_add: Field<Stamp>,
    pub(crate) date_upd: Field<Stamp>,
    pub(crate) id_shop: Field<Id>,
    pub(crate) total_discounts_tax_incl: Field<Decimal>,
    pub(crate) total_paid_tax_incl: Field<Decimal>,
    pub(crate) total_paid_real: Field<Decimal>,
    pub(crate) rows: Objects<OrderRow>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderRow {
    pub(crate) id: Field<Id>,
    pub(crate) product_id: Field<Id>,
    pub(crate) product_attribute_id: Field<Id>,
    pub(crate) product_quantity: Field<Decimal>,
    pub(crate) product_name: Field<String>,
    pub(crate) product_reference: Field<String>,
    pub(crate) unit_price_tax_incl: Field<Decimal>,
    pub(crate) product: Field<Object<Product>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct History {
    pub(crate) id: Field<Id>,
    pub(crate) id_order_state: Field<Id>,
    pub(crate) date_add: Field<Stamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub(crate) id: Field<Id>,
    pub(crate) shipped: Field<Flag>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Slip {
    pub(crate) id: Field<Id>,
    pub(crate) total_products_tax_excl: Field<Decimal>,
    pub(crate) total_products_tax_incl: Field<Decimal>,
    pub(crate) total_shipping_tax_incl: Field<Decimal>,
    pub(crate) amount: Field<Decimal>,
    pub(crate) shipping_cost_amount: Field<Decimal>,
    pub(crate) order_slip_type: Field<Id>,
    pub(crate) date_add: Field<Stamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderCarrier {
    pub(crate) id: Field<Id>,
    pub(crate) carrier_name: Field<String>,
    pub(crate) tracking_number: Field<String>,
    pub(crate) date_add: Field<Stamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CartRule {
    pub(crate) code: Field<String>,
    pub(crate) deleted: Field<Flag>,
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
    pub(crate) id: Field<Id>,
    pub(crate) email: Field<String>,
    pub(crate) firstname: Field<String>,
    pub(crate) lastname: Field<String>,
    pub(crate) company: Field<String>,
    pub(crate) newsletter: Field<Flag>,
    pub(crate) newsletter_date_add: Field<Stamp>,
    pub(crate) is_guest: Field<Flag>,
    pub(crate) deleted: Field<Flag>,
    pub(crate) date_add: Field<Stamp>,
    pub(crate) date_upd: Field<Stamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    pub(crate) firstname: Field<String>,
    pub(crate) lastname: Field<String>,
    pub(crate) company: Field<String>,
    pub(crate) address1: Field<String>,
    pub(crate) address2: Field<String>,
    pub(crate) postcode: Field<String>,
    pub(crate) city: Field<String>,
    pub(crate) phone: Field<String>,
    pub(crate) phone_mobile: Field<String>,
    pub(crate) country_code: Field<String>,
    pub(crate) state: Field<String>,
    pub(crate) state_code: Field<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CartRecord {
    pub(crate) time_zone: Field<String>,
    pub(crate) cart: Field<Object<Cart>>,
    pub(crate) customer: Field<Object<Customer>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cart {
    pub(crate) id: Field<Id>,
    pub(crate) date_add: Field<Stamp>,
    pub(crate) date_upd: Field<Stamp>,
    pub(crate) rows: Objects<CartRow>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CartRow {
    pub(crate) id_product: Field<Id>,
    pub(crate) id_product_attribute: Field<Id>,
    pub(crate) id_customization: Field<Id>,
    pub(crate) quantity: Field<Decimal>,
    pub(crate) product: Field<Object<Product>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ProductRecord {
    pub(crate) time_zone: Field<String>,
    pub(crate) product: Field<Object<Product>>,
    pub(crate) combinations: Objects<Combination>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Product {
    pub(crate) id: Field<Id>,
    pub(crate) name: Field<String>,
    pub(crate) reference: Field<String>,
    pub(crate) description_short: Field<String>,
    /// `false` where there is none.
    pub(crate) manufacturer_name: Value,
    pub(crate) category: Field<String>,
    pub(crate) id_default_image: Field<Id>,
    pub(crate) price_with_tax: Field<Decimal>,
    pub(crate) active: Field<Flag>,
    pub(crate) available_for_order: Field<Flag>,
    pub(crate) date_upd: Field<Stamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Combination {
    pub(crate) id: Field<Id>,
    pub(crate) reference: Field<String>,
    pub(crate) price_with_tax: Field<Decimal>,
}
