//! Shift4Shop's payloads, as far as they are read. Every field may be missing, `null`, empty or of another type than
//! documented. What is not named here is not read: card data and passwords above all.
//! Source: <https://apirest.3dcart.com/v2/orders/index.html>.

#![allow(clippy::struct_field_names, reason = "the names are those of the platform")]

use canonical::money::Decimal;
use platform::lenient::{Field, Id, Object, Objects};
use serde::Deserialize;

use crate::store::StoreTime;

/// What a delivery is about: its ids, and nothing else.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Notice {
    #[serde(rename = "OrderID")]
    pub order_id: Field<Id>,
    #[serde(rename = "CustomerID")]
    pub customer_id: Field<Id>,
    #[serde(rename = "CatalogID")]
    pub catalog_id: Field<Id>,
    #[serde(rename = "SKUInfo")]
    pub sku_info: Field<Object<SkuInfo>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Order {
    #[serde(rename = "OrderID")]
    pub order_id: Field<Id>,
    #[serde(rename = "CustomerID")]
    pub customer_id: Field<Id>,
    pub invoice_number_prefix: Field<String>,
    pub invoice_number: Field<String>,
    #[serde(rename = "OrderStatusID")]
    pub order_status_id: Field<Id>,
    pub order_date: Field<StoreTime>,
    pub last_update: Field<StoreTime>,
    pub order_type: Field<String>,
    #[serde(rename = "AlternateOrderID")]
    pub alternate_order_id: Field<String>,
    pub billing_first_name: Field<String>,
    pub billing_last_name: Field<String>,
    pub billing_company: Field<String>,
    pub billing_address: Field<String>,
    pub billing_address2: Field<String>,
    pub billing_city: Field<String>,
    pub billing_state: Field<String>,
    pub billing_zip_code: Field<String>,
    pub billing_country: Field<String>,
    pub billing_phone_number: Field<String>,
    pub billing_email: Field<String>,
    pub billing_payment_method: Field<String>,
    pub order_amount: Field<Decimal>,
    pub order_discount: Field<Decimal>,
    pub order_discount_coupon: Field<Decimal>,
    pub order_discount_promotion: Field<Decimal>,
    pub sales_tax: Field<Decimal>,
    pub sales_tax2: Field<Decimal>,
    pub sales_tax3: Field<Decimal>,
    pub promotion_list: Objects<Promotion>,
    pub order_item_list: Objects<Item>,
    pub shipment_list: Objects<Shipment>,
    pub transaction_list: Objects<Transaction>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Promotion {
    pub coupon: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Item {
    #[serde(rename = "CatalogID")]
    pub catalog_id: Field<Id>,
    #[serde(rename = "ItemIndexID")]
    pub item_index_id: Field<Id>,
    #[serde(rename = "ItemID")]
    pub item_id: Field<String>,
    pub item_description: Field<String>,
    pub item_quantity: Field<Decimal>,
    pub item_unit_price: Field<Decimal>,
    pub item_option_price: Field<Decimal>,
    pub item_image1: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shipment {
    #[serde(rename = "ShipmentNumber")]
    pub number: Field<Id>,
    #[serde(rename = "ShipmentFirstName")]
    pub first_name: Field<String>,
    #[serde(rename = "ShipmentLastName")]
    pub last_name: Field<String>,
    #[serde(rename = "ShipmentCompany")]
    pub company: Field<String>,
    #[serde(rename = "ShipmentAddress")]
    pub address: Field<String>,
    #[serde(rename = "ShipmentAddress2")]
    pub address2: Field<String>,
    #[serde(rename = "ShipmentCity")]
    pub city: Field<String>,
    #[serde(rename = "ShipmentState")]
    pub state: Field<String>,
    #[serde(rename = "ShipmentZipCode")]
    pub zip_code: Field<String>,
    #[serde(rename = "ShipmentCountry")]
    pub country: Field<String>,
    #[serde(rename = "ShipmentPhone")]
    pub phone: Field<String>,
    #[serde(rename = "ShipmentCost")]
    pub cost: Field<Decimal>,
    #[serde(rename = "ShipmentMethodName")]
    pub method_name: Field<String>,
    #[serde(rename = "ShipmentTrackingCode")]
    pub tracking_code: Field<String>,
    #[serde(rename = "ShipmentShippedDate")]
    pub shipped_date: Field<StoreTime>,
    #[serde(rename = "ShipmentOrderStatus")]
    pub order_status: Field<Id>,
    #[serde(rename = "ShipmentLastUpdate")]
    pub last_update: Field<StoreTime>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Transaction {
    #[serde(rename = "TransactionIndexID")]
    pub index_id: Field<Id>,
    #[serde(rename = "TransactionID")]
    pub transaction_id: Field<Id>,
    #[serde(rename = "TransactionDateTime")]
    pub date_time: Field<StoreTime>,
    #[serde(rename = "TransactionType")]
    pub kind: Field<String>,
    #[serde(rename = "TransactionAmount")]
    pub amount: Field<Decimal>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Customer {
    #[serde(rename = "CustomerID")]
    pub customer_id: Field<Id>,
    pub email: Field<String>,
    pub billing_company: Field<String>,
    pub billing_first_name: Field<String>,
    pub billing_last_name: Field<String>,
    pub billing_address1: Field<String>,
    pub billing_address2: Field<String>,
    pub billing_city: Field<String>,
    pub billing_state: Field<String>,
    pub billing_zip_code: Field<String>,
    pub billing_country: Field<String>,
    pub billing_phone_number: Field<String>,
    pub mail_list: Field<Flag>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Product {
    #[serde(rename = "SKUInfo")]
    pub sku_info: Field<Object<SkuInfo>>,
    pub manufacturer_name: Field<String>,
    pub description: Field<String>,
    pub short_description: Field<String>,
    pub category_list: Objects<Category>,
    pub main_image_file: Field<String>,
    pub product_link: Field<String>,
    pub last_update: Field<StoreTime>,
    pub hide: Field<Flag>,
    pub not_for_sale: Field<Flag>,
    pub advanced_option_list: Objects<AdvancedOption>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct SkuInfo {
    #[serde(rename = "CatalogID")]
    pub catalog_id: Field<Id>,
    #[serde(rename = "SKU")]
    pub sku: Field<String>,
    #[serde(rename = "Name")]
    pub name: Field<String>,
    #[serde(rename = "Price")]
    pub price: Field<Decimal>,
    #[serde(rename = "SalePrice")]
    pub sale_price: Field<Decimal>,
    #[serde(rename = "OnSale")]
    pub on_sale: Field<Flag>,
    #[serde(rename = "Stock")]
    pub stock: Field<Decimal>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Category {
    pub category_name: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct AdvancedOption {
    #[serde(rename = "AdvancedOptionCode")]
    pub code: Field<Id>,
    #[serde(rename = "AdvancedOptionSufix")]
    pub sufix: Field<String>,
    #[serde(rename = "AdvancedOptionName")]
    pub name: Field<String>,
    #[serde(rename = "AdvancedOptionPrice")]
    pub price: Field<Decimal>,
    #[serde(rename = "AdvancedOptionStock")]
    pub stock: Field<Decimal>,
}

/// A boolean that older answers write as `1` and `0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Flag(pub bool);

impl platform::lenient::Lenient<'_> for Flag {
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "1" => Some(Self(true)),
            "0" => Some(Self(false)),
            _ if text.eq_ignore_ascii_case("true") => Some(Self(true)),
            _ if text.eq_ignore_ascii_case("false") => Some(Self(false)),
            _ => None,
        }
    }

    fn from_integer(number: i128) -> Option<Self> {
        match number {
            1 => Some(Self(true)),
            0 => Some(Self(false)),
            _ => None,
        }
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(Self(value))
    }
}
