//! Records as they travel: what the reading needs and nothing else. Dutchie's own records hold much that must not be
//! kept: identity cards, medical conditions, payments, notes.

use canonical::hash;
use platform::{Headers, Record};
use serde_json::{Map, Value, json};

use crate::api::{field, id};

/// A transaction with its customer and its products.
pub(crate) const TRANSACTION: &str = "transaction";
/// A customer, with the one it was merged into.
pub(crate) const CUSTOMER: &str = "customer";
/// A product.
pub(crate) const PRODUCT: &str = "product";

const TRANSACTION_FIELDS: &[&str] = &[
    "transactionId",
    "customerId",
    "transactionDate",
    "transactionDateLocalTime",
    "voidDate",
    "isVoid",
    "total",
    "tax",
    "totalDiscount",
    "invoiceNumber",
    "transactionType",
    "returnOnTransactionId",
    "adjustmentForTransactionId",
    "isReturn",
    "orderType",
    "orderSource",
    "orderMethod",
    "wasPreOrdered",
    "terminalName",
    "loyaltyEarned",
    "loyaltySpent",
    "lastModifiedDateUTC",
];
const ITEM_FIELDS: &[&str] = &[
    "transactionItemId",
    "productId",
    "totalPrice",
    "quantity",
    "unitPrice",
    "unitCost",
    "packageId",
    "sourcePackageId",
    "totalDiscount",
    "unitId",
    "unitWeight",
    "unitWeightUnit",
    "flowerEquivalent",
    "flowerEquivalentUnit",
    "returnDate",
    "isReturned",
    "returnedByTransactionId",
    "returnReason",
    "batchName",
    "vendor",
    "isCoupon",
];
/// What a line's Ordered Product tells as it is.
pub(crate) const LINE_PROPERTIES: &[&str] = &[
    "unitCost",
    "packageId",
    "sourcePackageId",
    "unitId",
    "unitWeight",
    "unitWeightUnit",
    "flowerEquivalent",
    "flowerEquivalentUnit",
    "returnDate",
    "isReturned",
    "returnedByTransactionId",
    "batchName",
    "vendor",
    "discounts",
    "taxes",
];
/// Without the reason, which may be that the buyer is a patient.
const DISCOUNT_FIELDS: &[&str] = &["discountId", "discountName", "amount"];
const TAX_FIELDS: &[&str] = &["rateName", "rate", "amount"];
const CUSTOMER_FIELDS: &[&str] = &[
    "customerId",
    "firstName",
    "lastName",
    "address1",
    "address2",
    "city",
    "state",
    "postalCode",
    "phone",
    "cellPhone",
    "emailAddress",
    "status",
    "lastModifiedDateUTC",
    "creationDate",
    "customerType",
    "dateOfBirth",
    "isAnonymous",
    "createdAtLocation",
    "isLoyaltyMember",
    "mergedIntoCustomerId",
];
const PRODUCT_FIELDS: &[&str] = &[
    "productId",
    "sku",
    "internalName",
    "productName",
    "description",
    "masterCategory",
    "category",
    "imageUrl",
    "strain",
    "strainType",
    "brandName",
    "isActive",
    "isCoupon",
    "price",
    "onlineTitle",
    "onlineDescription",
    "lastModifiedDateUTC",
];
/// What a line needs of its product.
const SOLD_FIELDS: &[&str] = &[
    "productId",
    "sku",
    "internalName",
    "productName",
    "masterCategory",
    "category",
    "imageUrl",
    "strain",
    "strainType",
    "brandName",
    "isCoupon",
    "onlineTitle",
];

/// The named fields of an object, in camelCase.
fn pick(object: &Value, names: &[&str]) -> Map<String, Value> {
    let known = names.iter().filter_map(|name| Some(((*name).to_owned(), field(object, name)?.clone())));
    known.filter(|(_, value)| !value.is_null()).collect()
}

fn pick_each(object: &Value, list: &str, names: &[&str]) -> Value {
    let items = field(object, list).and_then(Value::as_array);
    items.into_iter().flatten().map(|item| Value::Object(pick(item, names))).collect()
}

/// Where a key belongs to, by `GET /whoami`.
#[derive(Clone, Debug)]
pub(crate) struct Location(Value);

impl Location {
    /// `None` if the answer names no location. One published answer names the parent's id `CompanyId`.
    pub(crate) fn of(whoami: &Value) -> Option<Self> {
        let location = id(whoami, "locationId")?;
        let parent = id(whoami, "lspId").or_else(|| id(whoami, "companyId"));
        let name = |name| field(whoami, name).and_then(Value::as_str);
        Some(Self(json!({
            "locationId": location,
            "locationName": name("locationName"),
            "lspId": parent,
            "lspName": name("lspName").or_else(|| name("companyName")),
        })))
    }
}

/// What is read of a customer.
pub(crate) fn person(customer: &Value) -> Value {
    pick(customer, CUSTOMER_FIELDS).into()
}

/// A transaction as a record. What was made before `since` is not to be told.
pub(crate) fn transaction(
    location: &Location,
    transaction: &Value,
    customer: Option<&Value>,
    products: &[Value],
    since: Option<&str>,
) -> Record {
    let mut sale = pick(transaction, TRANSACTION_FIELDS);
    let items = field(transaction, "items").and_then(Value::as_array);
    let mut sold = Vec::new();
    let items: Vec<Value> = items
        .into_iter()
        .flatten()
        .map(|item| {
            sold.extend(id(item, "productId"));
            let mut picked = pick(item, ITEM_FIELDS);
            picked.insert("discounts".to_owned(), pick_each(item, "discounts", DISCOUNT_FIELDS));
            picked.insert("taxes".to_owned(), pick_each(item, "taxes", TAX_FIELDS));
            picked.into()
        })
        .collect();
    sale.insert("items".to_owned(), items.into());
    sale.insert("discounts".to_owned(), pick_each(transaction, "discounts", DISCOUNT_FIELDS));
    let products =
        products.iter().filter(|product| id(product, "productId").is_some_and(|id| sold.contains(&id)));
    let body = json!({
        "since": since,
        "location": location.0,
        "transaction": sale,
        "customer": customer.map(person),
        "products": products.map(|product| pick(product, SOLD_FIELDS)).collect::<Vec<_>>(),
    });
    record(TRANSACTION, id(transaction, "transactionId"), &body)
}

/// A customer as a record. `into` is the one it was merged into.
pub(crate) fn customer(location: &Location, customer: &Value, into: Option<&Value>) -> Record {
    let body = json!({
        "location": location.0,
        "customer": person(customer),
        "into": into.map(person),
    });
    record(CUSTOMER, id(customer, "customerId"), &body)
}

/// A product as a record.
pub(crate) fn product(product: &Value) -> Record {
    record(PRODUCT, id(product, "productId"), &json!({ "product": pick(product, PRODUCT_FIELDS) }))
}

/// Its id names the state of the record: not all that a body holds moves its time of change.
fn record(topic: &str, id: Option<u64>, body: &Value) -> Record {
    let body = body.to_string();
    Record {
        topic: topic.to_owned(),
        delivery_id: format!("{topic}-{}-{}", id.unwrap_or_default(), hash::long_id(&[topic, &body])),
        headers: Headers::default(),
        body: body.into_bytes(),
    }
}
