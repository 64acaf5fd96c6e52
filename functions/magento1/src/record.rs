//! What travels on of the shop's answers: the fields that are read, and no others. Hashes of passwords, addresses on the
//! network, cards and comments stay behind.

use canonical::hash;
use platform::{Headers, Record};
use serde_json::{Map, Value, json};

use crate::php::Php;

/// The topics that records are read as.
pub(crate) const ORDER: &str = "order";
pub(crate) const CUSTOMER: &str = "customer";

const ORDER_FIELDS: &[&str] = &[
    "increment_id",
    "original_increment_id",
    "relation_child_id",
    "relation_child_real_id",
    "state",
    "status",
    "hold_before_state",
    "email_sent",
    "total_paid",
    "total_invoiced",
    "customer_id",
    "customer_is_guest",
    "customer_email",
    "customer_firstname",
    "customer_lastname",
    "order_currency_code",
    "grand_total",
    "base_currency_code",
    "base_grand_total",
    "discount_amount",
    "coupon_code",
    "store_id",
    "store_name",
    "created_at",
    "updated_at",
];
const ADDRESS_FIELDS: &[&str] =
    &["firstname", "lastname", "company", "street", "city", "region", "postcode", "country_id", "telephone"];
const ITEM_FIELDS: &[&str] = &[
    "item_id",
    "order_item_id",
    "parent_item_id",
    "product_id",
    "product_type",
    "sku",
    "name",
    "qty_ordered",
    "qty",
    "price",
    "row_total",
    "discount_amount",
];
const HISTORY_FIELDS: &[&str] = &["status", "created_at"];
const SHIPMENT_FIELDS: &[&str] = &["shipment_id", "increment_id", "created_at"];
const TRACK_FIELDS: &[&str] = &["track_number", "number", "title", "carrier_code"];
const CREDITMEMO_FIELDS: &[&str] =
    &["creditmemo_id", "increment_id", "state", "grand_total", "order_currency_code", "created_at"];
const COMMENT_FIELDS: &[&str] = &["comment"];
const CUSTOMER_FIELDS: &[&str] =
    &["customer_id", "email", "firstname", "lastname", "group_id", "created_at", "updated_at"];

/// An order with all that belongs to it.
pub(crate) fn order(order: &Value, first: Option<&Value>, shipments: &[Value], memos: &[Value]) -> Record {
    let id = &order["order_id"];
    let of_order = |part: &&Value| !id.is_null() && part["order_id"] == *id;
    let shipments: Vec<_> = shipments.iter().filter(of_order).map(shipment).collect();
    let memos: Vec<_> = memos.iter().filter(of_order).map(creditmemo).collect();
    let mut body = json!({ "order": whole(order), "shipments": shipments, "creditmemos": memos });
    if let Some(first) = first {
        body["first"] = whole(first);
    }
    record(ORDER, order["increment_id"].as_str().unwrap_or_default(), &body)
}

/// A customer with the billing address.
pub(crate) fn customer(customer: &Value, address: Option<&Value>) -> Option<Record> {
    let id = customer["customer_id"].as_str()?;
    let mut body = json!({ "customer": chosen(customer, CUSTOMER_FIELDS) });
    if let Some(address) = address.filter(|address| address.is_object()) {
        body["address"] = chosen(address, ADDRESS_FIELDS);
    }
    Some(record(CUSTOMER, id, &body))
}

fn record(topic: &str, id: &str, body: &Value) -> Record {
    let body = body.to_string();
    // Everything that is known goes into the name: a new parcel does not always touch the order.
    let digest = hash::long_id(&[topic, id, &body]);
    let plain = id.len() <= 50 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let delivery_id = if plain { format!("{topic}:{id}:{digest}") } else { format!("{topic}:{digest}") };
    Record { topic: topic.to_owned(), delivery_id, headers: Headers::default(), body: body.into_bytes() }
}

fn whole(order: &Value) -> Value {
    let mut whole = chosen(order, ORDER_FIELDS);
    for name in ["billing_address", "shipping_address"] {
        // A virtual order's is an empty array.
        if order[name].is_object() {
            whole[name] = chosen(&order[name], ADDRESS_FIELDS);
        }
    }
    whole["items"] = listed(&order["items"], item);
    whole["status_history"] = listed(&order["status_history"], |entry| chosen(entry, HISTORY_FIELDS));
    whole
}

fn shipment(shipment: &Value) -> Value {
    let mut whole = chosen(shipment, SHIPMENT_FIELDS);
    whole["items"] = listed(&shipment["items"], item);
    whole["tracks"] = listed(&shipment["tracks"], |track| chosen(track, TRACK_FIELDS));
    whole
}

fn creditmemo(memo: &Value) -> Value {
    let mut whole = chosen(memo, CREDITMEMO_FIELDS);
    whole["comments"] = listed(&memo["comments"], |comment| chosen(comment, COMMENT_FIELDS));
    whole
}

fn item(item: &Value) -> Value {
    let mut chosen = chosen(item, ITEM_FIELDS);
    let options = item["product_options"].as_str().and_then(Php::read);
    if let Some(attributes) = options.as_ref().and_then(|options| options.get("attributes_info")) {
        let attributes = attributes.list().into_iter().map(|attribute| {
            let text = |name| attribute.get(name).and_then(Php::text);
            json!({ "label": text("label"), "value": text("value") })
        });
        chosen["attributes_info"] = attributes.collect();
    }
    chosen
}

fn listed(list: &Value, part: impl Fn(&Value) -> Value) -> Value {
    list.as_array().into_iter().flatten().map(part).collect()
}

fn chosen(fields: &Value, names: &[&str]) -> Value {
    let chosen = names.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())));
    Value::Object(chosen.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}
