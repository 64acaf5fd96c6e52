//! Records as the API writes them: every scalar is a text, one element is an object, several are an array, none is an
//! empty text or nothing, and the id `0` stands for none.
//! Sources: <https://developers.lightspeedhq.com/retail/endpoints/Sale/>,
//! <https://developers.lightspeedhq.com/retail/endpoints/SaleLine/>,
//! <https://developers.lightspeedhq.com/retail/endpoints/Customer/>,
//! <https://developers.lightspeedhq.com/retail/endpoints/ShipTo/>.

use std::collections::BTreeMap;

use canonical::money::Decimal;
use canonical::{Currency, Instant};
use platform::lenient::{Dropped, Field, Id, Lenient, Moment, Object};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, MapAccess, SeqAccess};

/// What stands where several may be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Many<T>(pub(crate) Vec<Field<T>>);

impl<'de, T: Deserialize<'de>> Lenient<'de> for Many<Object<T>> {
    fn from_array<A: SeqAccess<'de>>(array: A) -> Result<Option<Self>, A::Error> {
        Ok(Vec::<Field<Object<T>>>::from_array(array)?.map(Self))
    }

    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let element = T::deserialize(MapAccessDeserializer::new(object))?;
        Ok(Some(Self(vec![Field::Is(Object(element))])))
    }
}

/// Elements below a name of their own, such as `{"SaleLine": […]}`.
pub(crate) type Below<T> = Field<Object<T>>;
/// One or several.
pub(crate) type Elements<T> = Field<Many<Object<T>>>;

/// Takes the good elements of a list out.
pub(crate) fn elements<T>(dropped: &mut Dropped, name: &'static str, field: Elements<T>) -> Vec<T> {
    let Many(elements) = dropped.take(name, field).unwrap_or(Many(Vec::new()));
    elements.into_iter().filter_map(|element| dropped.take(name, element)).map(|Object(it)| it).collect()
}

/// Takes a foreign key; `0` is none.
pub(crate) fn key(dropped: &mut Dropped, name: &'static str, field: Field<Id>) -> Option<String> {
    dropped.take(name, field).map(|Id(id)| id).filter(|id| id != "0")
}

/// A text by a name that only the record knows.
pub(crate) type Texts = BTreeMap<String, Field<String>>;

/// A sale as it travels through the queue.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct SaleRecord {
    pub(crate) sale: Field<Object<Sale>>,
    pub(crate) shop: Field<Object<Shop>>,
    pub(crate) currency: Field<Currency>,
    /// Full path names by category.
    pub(crate) categories: Field<Object<Texts>>,
    /// Sales by the lines that were sold in them.
    pub(crate) sold_in: Field<Object<BTreeMap<String, Field<Id>>>>,
    /// What was put on gift cards, by line.
    pub(crate) gift_cards: Field<Object<BTreeMap<String, Field<Decimal>>>>,
}

/// A customer as it travels through the queue.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct CustomerRecord {
    pub(crate) customer: Field<Object<Customer>>,
    /// When the first poll began.
    pub(crate) new_since: Field<Instant>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Shop {
    pub(crate) name: Field<String>,
    #[serde(rename = "timeZone")]
    pub(crate) time_zone: Field<String>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Sale {
    #[serde(rename = "saleID")]
    pub(crate) id: Field<Id>,
    pub(crate) completed: Field<bool>,
    pub(crate) voided: Field<bool>,
    pub(crate) complete_time: Field<Moment>,
    /// Of a completed sale, when it was completed.
    pub(crate) time_stamp: Field<Moment>,
    pub(crate) create_time: Field<Moment>,
    /// Its page writes it in small letters, the tutorials do not.
    #[serde(alias = "updatetime")]
    pub(crate) update_time: Field<Moment>,
    pub(crate) ticket_number: Field<String>,
    pub(crate) reference_number: Field<String>,
    pub(crate) reference_number_source: Field<String>,
    pub(crate) calc_discount: Field<Decimal>,
    pub(crate) calc_total: Field<Decimal>,
    pub(crate) total: Field<Decimal>,
    /// With what was put on gift cards.
    pub(crate) displayable_total: Field<Decimal>,
    #[serde(rename = "customerID")]
    pub(crate) customer_id: Field<Id>,
    #[serde(rename = "shopID")]
    pub(crate) shop_id: Field<Id>,
    #[serde(rename = "Customer")]
    pub(crate) customer: Field<Object<Customer>>,
    #[serde(rename = "SaleLines")]
    pub(crate) lines: Below<SaleLines>,
    #[serde(rename = "ShipTo")]
    pub(crate) ship_to: Field<Object<ShipTo>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct SaleLines {
    #[serde(rename = "SaleLine")]
    pub(crate) lines: Elements<SaleLine>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SaleLine {
    #[serde(rename = "saleLineID")]
    pub(crate) id: Field<Id>,
    #[serde(rename = "parentSaleLineID")]
    pub(crate) parent: Field<Id>,
    #[serde(rename = "itemID")]
    pub(crate) item_id: Field<Id>,
    pub(crate) line_type: Field<String>,
    /// Below zero for what is given back.
    pub(crate) unit_quantity: Field<Decimal>,
    pub(crate) unit_price: Field<Decimal>,
    /// Quantity × price less discounts, without the tax that is added.
    pub(crate) displayable_subtotal: Field<Decimal>,
    pub(crate) calc_subtotal: Field<Decimal>,
    pub(crate) calc_line_discount: Field<Decimal>,
    pub(crate) calc_transaction_discount: Field<Decimal>,
    /// With tax.
    pub(crate) calc_total: Field<Decimal>,
    pub(crate) is_layaway: Field<bool>,
    pub(crate) is_special_order: Field<bool>,
    pub(crate) is_workorder: Field<bool>,
    #[serde(rename = "Item")]
    pub(crate) item: Field<Object<Item>>,
    #[serde(rename = "Discount")]
    pub(crate) discount: Field<Object<Discount>>,
    #[serde(rename = "Note")]
    pub(crate) note: Field<Object<Note>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Item {
    pub(crate) description: Field<String>,
    /// The shop's own.
    pub(crate) custom_sku: Field<String>,
    /// Lightspeed's.
    pub(crate) system_sku: Field<String>,
    #[serde(rename = "categoryID")]
    pub(crate) category_id: Field<Id>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Discount {
    pub(crate) name: Field<String>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Note {
    pub(crate) note: Field<String>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ShipTo {
    #[serde(rename = "shipToID")]
    pub(crate) id: Field<Id>,
    pub(crate) shipped: Field<bool>,
    pub(crate) time_stamp: Field<Moment>,
    pub(crate) first_name: Field<String>,
    pub(crate) last_name: Field<String>,
    pub(crate) company: Field<String>,
    #[serde(rename = "customerID")]
    pub(crate) customer_id: Field<Id>,
    #[serde(rename = "Contact")]
    pub(crate) contact: Field<Object<Contact>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Customer {
    #[serde(rename = "customerID")]
    pub(crate) id: Field<Id>,
    pub(crate) first_name: Field<String>,
    pub(crate) last_name: Field<String>,
    pub(crate) title: Field<String>,
    pub(crate) company: Field<String>,
    pub(crate) create_time: Field<Moment>,
    pub(crate) time_stamp: Field<Moment>,
    pub(crate) archived: Field<bool>,
    #[serde(rename = "Contact")]
    pub(crate) contact: Field<Object<Contact>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Contact {
    pub(crate) no_email: Field<bool>,
    pub(crate) time_stamp: Field<Moment>,
    #[serde(rename = "Addresses")]
    pub(crate) addresses: Below<Addresses>,
    #[serde(rename = "Emails")]
    pub(crate) emails: Below<Emails>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Addresses {
    #[serde(rename = "ContactAddress")]
    pub(crate) addresses: Elements<ContactAddress>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContactAddress {
    pub(crate) address1: Field<String>,
    pub(crate) address2: Field<String>,
    pub(crate) city: Field<String>,
    pub(crate) state: Field<String>,
    pub(crate) state_code: Field<String>,
    pub(crate) zip: Field<String>,
    pub(crate) country: Field<String>,
    pub(crate) country_code: Field<String>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Emails {
    #[serde(rename = "ContactEmail")]
    pub(crate) emails: Elements<ContactEmail>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContactEmail {
    pub(crate) address: Field<String>,
    /// `Primary` or `Secondary`.
    pub(crate) use_type: Field<String>,
}
