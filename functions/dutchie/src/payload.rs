//! Records as [`crate::record`] writes them.

#![allow(clippy::struct_field_names, reason = "fields are named as Dutchie names them")]

use canonical::money::Decimal;
use platform::lenient::{Field, Id, Moment, Object, Objects};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sale {
    /// What was made before is not told.
    pub(crate) since: Field<Moment>,
    pub(crate) location: Field<Object<Location>>,
    pub(crate) transaction: Field<Object<Transaction>>,
    pub(crate) customer: Field<Object<Customer>>,
    pub(crate) products: Objects<Product>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Client {
    pub(crate) location: Field<Object<Location>>,
    pub(crate) customer: Field<Object<Customer>>,
    pub(crate) into: Field<Object<Customer>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Goods {
    pub(crate) product: Field<Object<Product>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Location {
    pub(crate) location_id: Field<Id>,
    pub(crate) location_name: Field<String>,
    pub(crate) lsp_id: Field<Id>,
    pub(crate) lsp_name: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Transaction {
    pub(crate) transaction_id: Field<Id>,
    pub(crate) customer_id: Field<Id>,
    pub(crate) transaction_date: Field<Moment>,
    pub(crate) transaction_date_local_time: Field<Moment>,
    pub(crate) void_date: Field<String>,
    pub(crate) is_void: Field<bool>,
    pub(crate) total: Field<Decimal>,
    pub(crate) tax: Field<Decimal>,
    pub(crate) total_discount: Field<Decimal>,
    pub(crate) invoice_number: Field<String>,
    pub(crate) transaction_type: Field<String>,
    pub(crate) return_on_transaction_id: Field<Id>,
    pub(crate) adjustment_for_transaction_id: Field<Id>,
    pub(crate) is_return: Field<bool>,
    pub(crate) order_type: Field<String>,
    pub(crate) order_source: Field<String>,
    pub(crate) order_method: Field<String>,
    pub(crate) was_pre_ordered: Field<bool>,
    pub(crate) terminal_name: Field<String>,
    pub(crate) loyalty_earned: Field<Decimal>,
    pub(crate) loyalty_spent: Field<Decimal>,
    pub(crate) discounts: Objects<Discount>,
    pub(crate) items: Objects<Item>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Item {
    pub(crate) transaction_item_id: Field<Id>,
    pub(crate) product_id: Field<Id>,
    pub(crate) quantity: Field<Decimal>,
    pub(crate) unit_price: Field<Decimal>,
    pub(crate) total_discount: Field<Decimal>,
    pub(crate) total_price: Field<Decimal>,
    pub(crate) return_reason: Field<String>,
    pub(crate) is_coupon: Field<bool>,
    /// What becomes a property as it is.
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Discount {
    pub(crate) discount_name: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Customer {
    pub(crate) customer_id: Field<Id>,
    pub(crate) first_name: Field<String>,
    pub(crate) last_name: Field<String>,
    pub(crate) address1: Field<String>,
    pub(crate) address2: Field<String>,
    pub(crate) city: Field<String>,
    pub(crate) state: Field<String>,
    pub(crate) postal_code: Field<String>,
    pub(crate) phone: Field<String>,
    pub(crate) cell_phone: Field<String>,
    pub(crate) email_address: Field<String>,
    pub(crate) status: Field<String>,
    #[serde(rename = "lastModifiedDateUTC")]
    pub(crate) last_modified: Field<Moment>,
    pub(crate) creation_date: Field<String>,
    pub(crate) customer_type: Field<String>,
    pub(crate) date_of_birth: Field<String>,
    pub(crate) is_anonymous: Field<bool>,
    pub(crate) created_at_location: Field<String>,
    pub(crate) is_loyalty_member: Field<bool>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Product {
    pub(crate) product_id: Field<Id>,
    pub(crate) sku: Field<String>,
    pub(crate) internal_name: Field<String>,
    pub(crate) product_name: Field<String>,
    pub(crate) description: Field<String>,
    pub(crate) master_category: Field<String>,
    pub(crate) category: Field<String>,
    pub(crate) image_url: Field<String>,
    pub(crate) strain: Field<String>,
    pub(crate) strain_type: Field<String>,
    pub(crate) brand_name: Field<String>,
    pub(crate) is_active: Field<bool>,
    pub(crate) is_coupon: Field<bool>,
    pub(crate) price: Field<Decimal>,
    pub(crate) online_title: Field<String>,
    pub(crate) online_description: Field<String>,
    #[serde(rename = "lastModifiedDateUTC")]
    pub(crate) last_modified: Field<Moment>,
}
