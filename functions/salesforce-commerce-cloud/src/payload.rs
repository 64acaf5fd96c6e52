//! Orders as SCAPI writes them.
//! Source: <https://developer.salesforce.com/docs/commerce/commerce-api/references/orders>.

#![allow(clippy::struct_field_names, reason = "the names are the API's")]

use canonical::Currency;
use canonical::money::Decimal;
use platform::lenient::{Field, Id, Moment, Object, Objects};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Order {
    pub(crate) order_no: Field<Id>,
    pub(crate) status: Field<String>,
    pub(crate) shipping_status: Field<String>,
    pub(crate) payment_status: Field<String>,
    pub(crate) creation_date: Field<Moment>,
    pub(crate) place_date: Field<Moment>,
    pub(crate) last_modified: Field<Moment>,
    pub(crate) currency: Field<Currency>,
    pub(crate) taxation: Field<String>,
    pub(crate) order_total: Field<Decimal>,
    pub(crate) cancel_code: Field<String>,
    pub(crate) cancel_description: Field<String>,
    pub(crate) shipping_total: Field<Decimal>,
    pub(crate) tax_total: Field<Decimal>,
    pub(crate) customer_info: Field<Object<Customer>>,
    pub(crate) customer_locale: Field<String>,
    pub(crate) billing_address: Field<Object<Address>>,
    pub(crate) shipments: Objects<Shipment>,
    pub(crate) product_items: Objects<Item>,
    pub(crate) shipping_items: Objects<Shipping>,
    pub(crate) gift_certificate_items: Objects<GiftCertificate>,
    pub(crate) coupon_items: Objects<Coupon>,
    pub(crate) order_price_adjustments: Objects<Adjustment>,
    pub(crate) site_id: Field<Id>,
    pub(crate) channel_type: Field<String>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Customer {
    pub(crate) email: Field<String>,
    pub(crate) customer_no: Field<Id>,
    pub(crate) guest: Field<bool>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Address {
    pub(crate) first_name: Field<String>,
    pub(crate) last_name: Field<String>,
    pub(crate) company_name: Field<String>,
    pub(crate) address1: Field<String>,
    pub(crate) address2: Field<String>,
    pub(crate) city: Field<String>,
    pub(crate) state_code: Field<String>,
    pub(crate) postal_code: Field<String>,
    pub(crate) country_code: Field<String>,
    pub(crate) phone: Field<String>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Shipment {
    pub(crate) shipment_id: Field<Id>,
    pub(crate) shipping_status: Field<String>,
    pub(crate) tracking_number: Field<String>,
    pub(crate) shipping_method: Field<Object<Method>>,
    pub(crate) shipping_address: Field<Object<Address>>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Method {
    pub(crate) id: Field<String>,
    pub(crate) name: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Item {
    pub(crate) item_id: Field<Id>,
    pub(crate) position: Field<Decimal>,
    pub(crate) product_id: Field<Id>,
    pub(crate) product_name: Field<String>,
    pub(crate) item_text: Field<String>,
    pub(crate) brand: Field<String>,
    pub(crate) quantity: Field<Decimal>,
    /// Of one.
    pub(crate) base_price: Field<Decimal>,
    #[serde(flatten)]
    pub(crate) price: Price,
    pub(crate) price_after_item_discount: Field<Decimal>,
    pub(crate) shipment_id: Field<Id>,
    pub(crate) bonus_product_line_item: Field<bool>,
    pub(crate) option_items: Objects<OptionItem>,
    pub(crate) bundled_product_items: Objects<Bundled>,
    pub(crate) price_adjustments: Objects<Adjustment>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct OptionItem {
    pub(crate) item_text: Field<String>,
    /// Of one.
    pub(crate) base_price: Field<Decimal>,
    #[serde(flatten)]
    pub(crate) price: Price,
    pub(crate) price_after_item_discount: Field<Decimal>,
    pub(crate) price_adjustments: Objects<Adjustment>,
}

/// What something costs: OCAPI says it as the site counts, SCAPI with its tax and without.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Price {
    pub(crate) price: Field<Decimal>,
    pub(crate) gross_price: Field<Decimal>,
    pub(crate) net_price: Field<Decimal>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Bundled {
    pub(crate) product_name: Field<String>,
    pub(crate) item_text: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Shipping {
    pub(crate) price_adjustments: Objects<Adjustment>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct GiftCertificate {
    pub(crate) gift_certificate_item_id: Field<Id>,
    /// OCAPI's word for its price.
    pub(crate) amount: Field<Decimal>,
    #[serde(flatten)]
    pub(crate) price: Price,
    pub(crate) shipment_id: Field<Id>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Coupon {
    pub(crate) code: Field<String>,
    pub(crate) status_code: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Adjustment {
    #[serde(flatten)]
    pub(crate) price: Price,
    /// SCAPI's word for the adjustment as the site counts.
    pub(crate) base_price: Field<Decimal>,
    pub(crate) coupon_code: Field<String>,
}
