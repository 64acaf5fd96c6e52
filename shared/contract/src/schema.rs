//! The contract as a JSON Schema, made from the very types that bodies are read into.

use canonical::Fact;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::check::{LOYALTY, MAX_FACTS, MAX_ID_CHARS, MAX_ITEMS, MAX_KEYS, MAX_TEXT_CHARS};

/// Ids, by the type they are in.
const IDS: [(&str, &str); 9] = [
    ("CartSnapshot", "cart_id"),
    ("CatalogItem", "product_id"),
    ("CatalogVariant", "variant_id"),
    ("CheckoutSnapshot", "checkout_id"),
    ("LoyaltyActivity", "activity_id"),
    ("OrderSnapshot", "order_id"),
    ("ProductView", "view_id"),
    ("Refund", "refund_id"),
    ("Shipment", "shipment_id"),
];
/// What must be there although the type has a default for it.
const REQUIRED: [(&str, &str); 2] = [("CartSnapshot", "updated_at"), ("CustomerSnapshot", "person")];
/// Where lines are: unlike the product of a view, each has an id and a quantity.
const LINES: [&str; 4] = ["CartSnapshot", "CheckoutSnapshot", "OrderDetail", "Shipment"];

/// The JSON Schema (draft 2020-12) of a body: one fact, or `{"facts": [...]}`. It says all that the types and bounds
/// say; that ids do not repeat, that somebody is named and how deep things nest is checked by the adapter alone.
pub fn schemas() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let fact = Value::from(generator.subschema_for::<Fact>());
    let mut definitions = generator.take_definitions(true);
    definitions.values_mut().for_each(bound);
    narrow(&mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Deliveries of a custom source",
        "description": "One fact, or several facts in one delivery.",
        "type": "object",
        "if": { "required": ["facts"] },
        "then": {
            "properties": {
                "facts": { "type": "array", "items": fact, "maxItems": MAX_FACTS }
            }
        },
        "else": fact,
        "$defs": definitions
    })
}

/// Puts the bounds into a schema and all below it.
fn bound(schema: &mut Value) {
    match schema {
        Value::Object(words) => {
            words.values_mut().for_each(bound);
            let is = |kind: &str| match words.get("type") {
                Some(Value::String(one)) => one == kind,
                Some(Value::Array(several)) => several.iter().any(|one| one == kind),
                _ => false,
            };
            let free = words.get("additionalProperties").is_some();
            let (text, array, object) = (is("string"), is("array"), is("object") && free);
            let said = ["const", "enum", "format", "pattern"].iter().any(|word| words.contains_key(*word));
            if text && !said {
                words.insert("maxLength".to_owned(), MAX_TEXT_CHARS.into());
            }
            if array {
                words.insert("maxItems".to_owned(), MAX_ITEMS.into());
            }
            if object {
                words.insert("maxProperties".to_owned(), MAX_KEYS.into());
            }
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(bound),
        _ => {}
    }
}

/// What a custom source may say is less than what an adapter may say.
fn narrow(definitions: &mut Map<String, Value>) {
    for (name, field) in IDS {
        require(definitions, name, field);
        let description = definitions[name]["properties"][field]["description"].take();
        definitions[name]["properties"][field] = id(&description);
    }
    for name in LINES {
        let items = &mut definitions[name]["properties"]["lines"]["items"];
        items["required"] = json!(["line_id", "quantity"]);
        items["properties"] = json!({ "line_id": id(&json!("What names the line within the fact.")) });
    }
    for (name, field) in REQUIRED {
        require(definitions, name, field);
    }
    definitions["CartSnapshot"]["properties"]["updated_at"]["type"] = json!("string");
    definitions["CheckoutSnapshot"]["anyOf"] = ["started_at", "updated_at"]
        .map(|field| json!({ "required": [field], "properties": { field: { "type": "string" } } }))
        .as_slice()
        .into();
    definitions["Person"]["properties"]["attributes"]["properties"] =
        json!({ "properties": { "maxProperties": MAX_KEYS } });
    let loyalty: Vec<&str> = LOYALTY.iter().map(|metric| metric.name()).collect();
    definitions["LoyaltyActivity"]["properties"]["metric"] = json!({
        "description": "Which of the metrics of a loyalty programme.", "enum": loyalty
    });
    definitions["ConsentChange"]["properties"]["status"] = json!({
        "description": "What was decided.", "enum": ["SUBSCRIBED", "UNSUBSCRIBED"]
    });
    // Both are narrower where they are used.
    for unused in ["ConsentStatus", "Metric"] {
        definitions.remove(unused);
    }
    if let Value::Array(kinds) = &mut definitions["Fact"]["oneOf"] {
        kinds.retain(|kind| kind["properties"]["fact"]["const"] != "disconnected");
    }
}

fn id(description: &Value) -> Value {
    json!({
        "description": description,
        "type": "string", "minLength": 1, "maxLength": MAX_ID_CHARS, "pattern": "\\S"
    })
}

fn require(definitions: &mut Map<String, Value>, name: &str, field: &str) {
    let definition = &mut definitions[name];
    if let Some(property) = definition["properties"][field].as_object_mut() {
        property.remove("default");
    }
    match &mut definition["required"] {
        Value::Array(required) if required.iter().any(|name| name == field) => {}
        Value::Array(required) => required.push(field.into()),
        none => *none = json!([field]),
    }
}
