//! Orders of an export as records: the fields that are read, and no others. Bank accounts, cards and IP addresses stay behind.

use std::collections::{BTreeMap, BTreeSet};

use canonical::hash;
use platform::{Headers, Record};
use serde_json::{Map, Value, json};
use xml::Element;

/// The topic that records are read as.
pub(crate) const TOPIC: &str = "v1_order";

const ORDER_FIELDS: &[&str] = &[
    "OrderID",
    "CustomerID",
    "OrderDate",
    "OrderDateUtc",
    "LastModified",
    "ShipDate",
    "CancelDate",
    "CancelReason",
    "OrderStatus",
    "PaymentAmount",
    "Total_Payment_Received",
    "Total_Payment_Authorized",
    "Order_Entry_System",
    "BillingFirstName",
    "BillingLastName",
    "BillingCompanyName",
    "BillingAddress1",
    "BillingAddress2",
    "BillingCity",
    "BillingState",
    "BillingPostalCode",
    "BillingCountry",
    "BillingPhoneNumber",
    "ShipFirstName",
    "ShipLastName",
    "ShipCompanyName",
    "ShipAddress1",
    "ShipAddress2",
    "ShipCity",
    "ShipState",
    "ShipPostalCode",
    "ShipCountry",
    "ShipPhoneNumber",
];
const LINE_FIELDS: &[&str] = &[
    "OrderDetailID",
    "ProductCode",
    "ProductID",
    "ProductName",
    "ProductPrice",
    "Quantity",
    "TotalPrice",
    "CouponCode",
    "QtyShipped",
    "Returned",
    "Returned_Date",
];
const CUSTOMER_FIELDS: &[&str] = &["EmailAddress", "EmailSubscriber"];

/// An order's rows: one with its details below it, or one for each detail.
pub(crate) struct Group {
    pub(crate) number: u64,
    order: Map<String, Value>,
    customer: Map<String, Value>,
    lines: Vec<Map<String, Value>>,
}

impl Group {
    /// A field of the order.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.order.get(name)?.as_str()
    }

    fn customer_id(&self) -> Option<&str> {
        self.text("CustomerID").filter(|id| !id.is_empty() && *id != "0" && is_plain(id))
    }

    /// The record, with the customer where the row does not say who it is.
    pub(crate) fn record(mut self, customers: &[Element]) -> Record {
        if self.customer.is_empty() {
            let own = customers.iter().find(|row| {
                let id = row.child("CustomerID").map(|id| id.text.trim());
                id.is_some() && id == self.customer_id()
            });
            self.customer = own.map(|row| chosen(row, CUSTOMER_FIELDS)).unwrap_or_default();
        }
        let body = json!({ "order": self.order, "lines": self.lines, "customer": self.customer }).to_string();
        let number = self.number.to_string();
        let delivery_id = format!("v1:{number}:{}", hash::long_id(&[TOPIC, &number, &body]));
        Record { topic: TOPIC.to_owned(), delivery_id, headers: Headers::default(), body: body.into_bytes() }
    }
}

/// Words that may go into an address: ids, names of schemas.
pub(crate) fn is_plain(word: &str) -> bool {
    word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// The rows by order. A row without a usable id is nobody's.
pub(crate) fn grouped(rows: &[Element]) -> Vec<Group> {
    let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.name == "Orders") {
        let number = row.child("OrderID").and_then(|id| id.text.trim().parse().ok());
        let Some(number) = number.filter(|number| *number > 0) else { continue };
        let group = groups.entry(number).or_insert_with(|| Group {
            number,
            order: chosen(row, ORDER_FIELDS),
            customer: chosen(row, CUSTOMER_FIELDS),
            lines: Vec::new(),
        });
        let nested = row.children.iter().filter(|child| child.name == "OrderDetails");
        let lines: Vec<_> = nested.map(|detail| chosen(detail, LINE_FIELDS)).collect();
        let flat = if lines.is_empty() { vec![chosen(row, LINE_FIELDS)] } else { lines };
        for line in flat {
            // A join with something else repeats lines.
            let again = line
                .get("OrderDetailID")
                .is_some_and(|id| group.lines.iter().any(|known| known.get("OrderDetailID") == Some(id)));
            if !again && !line.is_empty() {
                group.lines.push(line);
            }
        }
    }
    groups.into_values().collect()
}

/// Customers who must be asked for, each once: their orders' rows name no e-mail address.
pub(crate) fn customers_lacking(groups: &[Group]) -> Vec<&str> {
    let lacking = groups.iter().filter(|group| group.customer.is_empty());
    let ids: BTreeSet<&str> = lacking.filter_map(Group::customer_id).collect();
    ids.into_iter().collect()
}

fn chosen(row: &Element, names: &[&str]) -> Map<String, Value> {
    let fields = row.children.iter().filter(|field| names.contains(&field.name.as_str()));
    let fields = fields.map(|field| (field.name.clone(), field.text.trim()));
    fields.filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, text.into())).collect()
}
