//! What is asked for: customers, sales, and shipments, by change or for an import.
//! Sources: <https://developers.lightspeedhq.com/retail/endpoints/Sale/>,
//! <https://developers.lightspeedhq.com/retail/endpoints/Customer/>,
//! <https://developers.lightspeedhq.com/retail/endpoints/ShipTo/>.

use jiff::{Timestamp, ToSpan};
use platform::{ApiRequest, Connection, Feed, Fetched, Page, Period, Span};
use serde_json::Value;

use crate::api::{self, Api};
use crate::joins::{Joins, Known};
use crate::record;

const CUSTOMERS: &str = "customers";
const SALES: &str = "sales";
const SHIP_TOS: &str = "ship_tos";
/// What is loaded with a sale. Shop and category are no relations of a sale: they are joined.
pub(crate) const SALE_RELATIONS: &str = r#"["SaleLines","SaleLines.Item","SaleLines.Discount","SaleLines.Note","SalePayments","SalePayments.SaleAccounts","ShipTo","ShipTo.Contact","Customer","Customer.Contact"]"#;
const CONTACT: &str = r#"["Contact"]"#;

/// What stands behind the address of the changed customers: since when a customer is new. It is not sent.
const NEW_SINCE: &str = "#new_since=";

/// Nothing without an account. Shipments need no feed of their own in an import: they come with their sales.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let Some(api) = Api::of(connection) else { return Vec::new() };
    let within = between(period.since, period.until);
    let list = |name, entity, relations, by: &str, sort: &str| {
        let parameters = [("sort", sort), (by, &within), ("archived", "true"), ("load_relations", relations)];
        Feed { name, request: api.list(entity, &parameters) }
    };
    match period.span {
        Span::Changes if !connection.flag("poll", true) => Vec::new(),
        Span::Changes => {
            let by = changed_by(connection);
            // Since the first poll, unless the connection says another time.
            let mut customers = list(CUSTOMERS, "Customer", CONTACT, "timeStamp", "timeStamp");
            customers.request.url += NEW_SINCE;
            customers.request.url += period.marks.get(CUSTOMERS).unwrap_or(&period.since.to_string());
            vec![
                customers,
                list(SALES, "Sale", SALE_RELATIONS, by, by),
                Feed {
                    name: SHIP_TOS,
                    request: api.list(
                        "ShipTo",
                        &[("sort", "timeStamp"), ("timeStamp", &within), ("load_relations", CONTACT)],
                    ),
                },
            ]
        }
        Span::History => vec![
            list(CUSTOMERS, "Customer", CONTACT, "createTime", "customerID"),
            // Of a completed sale, when it was completed; sales older than the field completeTime have it too.
            list(SALES, "Sale", SALE_RELATIONS, "timeStamp", "timeStamp"),
        ],
    }
}

/// The field by which changed sales are found: `timeStamp` of a completed sale is when it was completed, so a sale that is
/// voided later would not be seen by it.
fn changed_by(connection: &Connection) -> &'static str {
    match connection.text("sale_change_field") {
        Some("updateTime") => "updateTime",
        Some("timeStamp") => "timeStamp",
        _ => "updatetime",
    }
}

/// `><,from,to`, both included, in whole seconds around the period.
fn between(since: Timestamp, until: Timestamp) -> String {
    let text = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%S-00:00").to_string();
    let until = if until.subsec_nanosecond() == 0 {
        until
    } else {
        until.saturating_add(1.second()).unwrap_or(until)
    };
    format!("><,{},{}", text(since), text(until))
}

/// Reads one page.
pub(crate) fn page(
    connection: &Connection,
    feed: &Feed,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let api = Api::of(connection).ok_or("the setting account_id is missing")?;
    let body = api::body(answer)?;
    let (address, new_since) = match feed.request.url.split_once(NEW_SINCE) {
        Some((address, since)) => (address, Some(since)),
        None => (feed.request.url.as_str(), None),
    };
    let request = ApiRequest { url: address.to_owned(), ..feed.request.clone() };
    let mut next = api.next(&request, &body)?;
    if let (Some(next), Some(since)) = (&mut next, new_since) {
        next.url = format!("{}{NEW_SINCE}{since}", next.url);
    }
    let joins = Joins { api, has_currency: connection.currency("currency").is_some(), answers: joined };
    let records = match feed.name {
        CUSTOMERS => {
            let customers = api::many(&body["Customer"]).iter();
            customers.map(|customer| record::customer(customer, new_since)).collect()
        }
        SALES => {
            let sales = api::many(&body["Sale"]).to_vec();
            match joins.about(sales)? {
                Ok(known) => known.sales.iter().map(|sale| record::sale(sale, &known)).collect(),
                Err(joins) => return Ok(Page { joins, ..Page::default() }),
            }
        }
        SHIP_TOS => {
            let shipped: Vec<&Value> =
                api::many(&body["ShipTo"]).iter().filter(|ship_to| is_shipped(ship_to)).collect();
            match joins.shipped(&shipped)? {
                Ok(known) => shipped.iter().map(|ship_to| shipment(ship_to, &known)).collect(),
                Err(joins) => return Ok(Page { joins, ..Page::default() }),
            }
        }
        other => return Err(format!("there is no feed {other}")),
    };
    Ok(Page { records, next, mark: new_since.map(str::to_owned), ..Page::default() })
}

/// Marked as shipped, and tied to a customer.
fn is_shipped(ship_to: &Value) -> bool {
    ship_to["shipped"].as_str() == Some("true") && api::id(ship_to, "customerID").is_some()
}

/// The sale of a shipment, with the shipment in it as if it had come with the sale.
fn shipment(ship_to: &Value, known: &Known) -> platform::Record {
    let sale_id = &ship_to["saleID"];
    let mut sale =
        known.sales.iter().find(|sale| &sale["saleID"] == sale_id).cloned().unwrap_or_else(
            || serde_json::json!({ "saleID": sale_id, "customerID": &ship_to["customerID"] }),
        );
    sale["ShipTo"] = ship_to.clone();
    record::sale(&sale, known)
}
