//! From a body to facts. Strict: one bad record refuses the whole delivery, and every bad record is named.

use canonical::fact::{
    CartSnapshot, CatalogItem, CheckoutSnapshot, ConsentChange, CustomerSnapshot, ErasureRequest,
    LoyaltyActivity, OrderSnapshot, ProductView,
};
use canonical::{Fact, Person};
use platform::lenient;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::check::{self, MAX_FACTS, Rules};

/// Bad records that a reason names; the rest is counted.
const MAX_NAMED: usize = 20;

/// What is wrong with a record, and where: the names of fields and places in lists, never a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// From the record on, such as `detail.lines[0].quantity`; empty for the record itself.
    pub(crate) path: String,
    /// What is expected there.
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { path: path.into(), detail: detail.into() }
    }

    /// With the place of the record in front.
    fn text(self, place: &str) -> String {
        let Self { path, detail } = self;
        let separator = if place.is_empty() || path.is_empty() { "" } else { "." };
        match format!("{place}{separator}{path}") {
            path if path.is_empty() => detail,
            path => format!("{path}: {detail}"),
        }
    }
}

/// The facts of a body: `{"facts": [...]}`, or an object that is one fact.
pub(crate) fn facts(body: &[u8], rules: Rules) -> Result<Vec<Fact>, String> {
    let body: Json = lenient::object(body).map_err(|error| error.to_string())?;
    let Json(mut body) = body;
    let Some(records) = body.remove("facts") else {
        let fact = fact(body.into(), rules).map_err(|problem| problem.text(""))?;
        return Ok(vec![fact]);
    };
    let Value::Array(records) = records else { return Err("facts: expected an array".to_owned()) };
    if records.len() > MAX_FACTS {
        return Err(format!("facts: more than {MAX_FACTS}"));
    }
    let (mut facts, mut problems) = (Vec::with_capacity(records.len()), Vec::new());
    for (index, record) in records.into_iter().enumerate() {
        match fact(record, rules) {
            Ok(fact) => facts.push(fact),
            Err(problem) => problems.push(problem.text(&format!("facts[{index}]"))),
        }
    }
    if problems.is_empty() {
        return Ok(facts);
    }
    let unnamed = problems.len().saturating_sub(MAX_NAMED);
    problems.truncate(MAX_NAMED);
    if unnamed > 0 {
        problems.push(format!("and {unnamed} more"));
    }
    Err(problems.join("; "))
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Json(Map<String, Value>);

fn fact(record: Value, rules: Rules) -> Result<Fact, Problem> {
    let Value::Object(fields) = &record else { return Err(Problem::new("", "expected an object")) };
    check::quantities(fields)?;
    let kind = fields.get("fact").and_then(Value::as_str).unwrap_or_default().to_owned();
    let fact = match kind.as_str() {
        "order" => Fact::Order(read::<OrderSnapshot>(record)?),
        "checkout" => Fact::Checkout(read::<CheckoutSnapshot>(record)?),
        "cart" => Fact::Cart(read::<CartSnapshot>(record)?),
        "product_view" => Fact::ProductView(read::<ProductView>(record)?),
        "customer" => Fact::Customer(read::<CustomerSnapshot>(record)?),
        "consent" => Fact::Consent(read::<ConsentChange>(record)?),
        "loyalty" => Fact::Loyalty(read::<LoyaltyActivity>(record)?),
        "catalog" => Fact::Catalog(read::<CatalogItem>(record)?),
        "erasure" => Fact::Erasure(read::<ErasureRequest>(record)?),
        "data_request" => Fact::DataRequest(read::<Person>(record)?),
        _ => {
            let kinds = "expected order, checkout, cart, product_view, customer, consent, loyalty, catalog, erasure \
                         or data_request";
            return Err(Problem::new("fact", kinds));
        }
    };
    check::fact(&fact, rules)?;
    Ok(fact)
}

/// Each kind is read as what it is, not by way of [`Fact`], whose tag would hide the place of a mistake.
fn read<T: DeserializeOwned>(record: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(record).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        Problem::new(path, expectation(&error.into_inner().to_string()))
    })
}

/// What a message of serde says without what it was given: messages name the given value before the expectation.
fn expectation(message: &str) -> String {
    if let Some((_, expected)) = message.rsplit_once(", expected ") {
        return format!("expected {expected}");
    }
    // `missing field` is followed by the field's name; the other two say no more than this.
    if ["missing field ", "not an instant", "not an ISO 4217"].iter().any(|known| message.starts_with(known))
    {
        return message.to_owned();
    }
    "not as the contract says".to_owned()
}
