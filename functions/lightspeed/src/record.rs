//! What travels through the queue: of a sale and of a customer only what is read, and beside a sale what was joined.

use canonical::hash;
use platform::{Headers, Record};
use serde_json::{Map, Value, json};

use crate::api;
use crate::joins::{self, Known};

/// A sale with its lines, its customer and its shipment.
pub(crate) const SALE: &str = "sale";
/// A customer.
pub(crate) const CUSTOMER: &str = "customer";

const SALE_FIELDS: &[&str] = &[
    "saleID",
    "timeStamp",
    "createTime",
    "updatetime",
    "updateTime",
    "completeTime",
    "completed",
    "voided",
    "ticketNumber",
    "referenceNumber",
    "referenceNumberSource",
    "calcDiscount",
    "calcTotal",
    "total",
    "displayableTotal",
    "customerID",
    "shopID",
];
const LINE_FIELDS: &[&str] = &[
    "saleLineID",
    "parentSaleLineID",
    "itemID",
    "lineType",
    "unitQuantity",
    "unitPrice",
    "displayableSubtotal",
    "calcSubtotal",
    "calcLineDiscount",
    "calcTransactionDiscount",
    "calcTotal",
    "isLayaway",
    "isSpecialOrder",
    "isWorkorder",
];
const ITEM_FIELDS: &[&str] = &["description", "customSku", "systemSku", "categoryID"];
const CUSTOMER_FIELDS: &[&str] =
    &["customerID", "firstName", "lastName", "title", "company", "createTime", "timeStamp", "archived"];
const CONTACT_FIELDS: &[&str] = &["noEmail", "timeStamp", "Addresses", "Emails"];
const SHIP_TO_FIELDS: &[&str] =
    &["shipToID", "shipped", "timeStamp", "firstName", "lastName", "company", "customerID"];

/// A customer, who is new if made since then. Birthdays, phone numbers, tax numbers and notes stay where they are.
pub(crate) fn customer(customer: &Value, new_since: Option<&str>) -> Record {
    record(CUSTOMER, &json!({ "customer": person(customer), "new_since": new_since }))
}

fn person(customer: &Value) -> Map<String, Value> {
    let mut picked = pick(customer, CUSTOMER_FIELDS);
    nest(&mut picked, customer, "Contact", |contact| pick(contact, CONTACT_FIELDS));
    picked
}

fn shipment(ship_to: &Value) -> Map<String, Value> {
    let mut picked = pick(ship_to, SHIP_TO_FIELDS);
    nest(&mut picked, ship_to, "Contact", |contact| pick(contact, &["Addresses"]));
    picked
}

/// A sale, and of what was joined what it needs. Payments do not travel.
pub(crate) fn sale(sale: &Value, known: &Known) -> Record {
    let gift_cards = gift_cards(sale);
    let (mut categories, mut sold_in) = (Map::new(), Map::new());
    let lines: Vec<Value> = joins::lines(sale)
        .iter()
        .map(|line| {
            if let Some(id) = api::id(&line["Item"], "categoryID")
                && let Some(name) = known.categories.get(id)
            {
                categories.insert(id.to_owned(), name.clone());
            }
            if let Some(parent) = joins::parent(line)
                && let Some(sale) = known.sold_in.get(parent)
            {
                sold_in.insert(parent.to_owned(), sale.clone().into());
            }
            let is_gift_card = api::id(line, "saleLineID").is_some_and(|id| gift_cards.contains_key(id));
            self::line(line, is_gift_card)
        })
        .collect();
    let mut picked = pick(sale, SALE_FIELDS);
    if !lines.is_empty() {
        picked.insert("SaleLines".to_owned(), json!({ "SaleLine": lines }));
    }
    nest(&mut picked, sale, "Customer", person);
    nest(&mut picked, sale, "ShipTo", shipment);
    let shop = api::id(sale, "shopID").and_then(|id| known.shops.get(id));
    let body = json!({
        "sale": picked,
        "shop": shop,
        "currency": known.currency,
        "categories": categories,
        "sold_in": sold_in,
        "gift_cards": gift_cards,
    });
    record(SALE, &body)
}

/// The note of a gift card's line holds the card's number.
fn line(line: &Value, is_gift_card: bool) -> Value {
    let mut picked = pick(line, LINE_FIELDS);
    nest(&mut picked, line, "Item", |item| pick(item, ITEM_FIELDS));
    nest(&mut picked, line, "Discount", |discount| pick(discount, &["name"]));
    if !is_gift_card {
        nest(&mut picked, line, "Note", |note| pick(note, &["note"]));
    }
    picked.into()
}

/// What was put on gift cards, by the line that says so: a payment below zero to the card's account. The sale's total
/// leaves it out.
/// Source: <https://developers.lightspeedhq.com/retail/tutorials/gift-cards/>.
fn gift_cards(sale: &Value) -> Map<String, Value> {
    let payments = api::many(&sale["SalePayments"]["SalePayment"]);
    payments
        .iter()
        .filter_map(|payment| {
            let amount = payment["amount"].as_str()?.trim().strip_prefix('-')?;
            let accounts = api::many(&payment["SaleAccounts"]["SaleAccount"]);
            let line = accounts.iter().find_map(|account| api::id(account, "saleLineID"))?;
            Some((line.to_owned(), amount.into()))
        })
        .collect()
}

fn pick(object: &Value, names: &[&str]) -> Map<String, Value> {
    let fields = names.iter().filter_map(|name| Some(((*name).to_owned(), object.get(name)?.clone())));
    fields.collect()
}

fn nest(
    to: &mut Map<String, Value>,
    from: &Value,
    name: &str,
    picked: impl Fn(&Value) -> Map<String, Value>,
) {
    if from[name].is_object() {
        to.insert(name.to_owned(), picked(&from[name]).into());
    }
}

/// The id names the state: the body holds the record's id and its times.
fn record(topic: &str, body: &Value) -> Record {
    let body = body.to_string();
    Record {
        topic: topic.to_owned(),
        delivery_id: hash::long_id(&[topic, &body]),
        headers: Headers::default(),
        body: body.into_bytes(),
    }
}
