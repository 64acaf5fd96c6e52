//! Magento 1 by XML-RPC: sessions, many calls in one request, lists without pages.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use serde_json::{Value, json};
use xml::{Element, escaped};

use crate::past::{Bought, Past, Shop};

const SESSION: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

pub(super) const SHOP: Shop = Shop {
    platform: "magento1",
    settings: |address| json!({"shop_url": "https://larch.example", "api_url": address}),
    secrets: || json!({"api_user": "tillstream", "api_key": "api key <1>"}),
    router,
    // The session; a list of 100, whose orders are asked for 20 at a time (an order is some 50 kB, and takes the shop a
    // while to write) together with the lists of their shipments and credit memos.
    least_requests: |orders| 1 + orders.div_ceil(100) + orders.div_ceil(20),
    order_id: |number| format!("{}", 100_000_000 + number),
};

fn router(past: Arc<Past>) -> Router {
    Router::new().route("/index.php/api/xmlrpc", post(call)).with_state(past)
}

async fn call(State(past): State<Arc<Past>>, body: String) -> Response {
    let Ok(call) = Element::parse(body.as_bytes()) else { return StatusCode::BAD_REQUEST.into_response() };
    let params = call.child("params").map(|params| params.children.as_slice()).unwrap_or_default();
    let params: Vec<Value> = params.iter().map(|param| read(&param.children[0])).collect();
    let answer = match call.child("methodName").unwrap().text.as_str() {
        "login" if params == ["tillstream", "api key <1>"] => Ok(SESSION.into()),
        "login" => Err(2),
        "multiCall" if params[0] == SESSION => {
            Ok(params[1].as_array().unwrap().iter().map(|call| one(&past, call)).collect())
        }
        "multiCall" => Err(5),
        _ => Err(3),
    };
    let answer = match answer {
        Ok(value) => format!("<params><param>{}</param></params>", written(&value)),
        Err(code) => format!("<fault>{}</fault>", written(&json!({"faultCode": code, "faultString": "No."}))),
    };
    let body =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodResponse>{answer}</methodResponse>");
    ([("content-type", "text/xml; charset=UTF-8")], body).into_response()
}

/// One call of several: its path and its arguments. A fault among them is a value.
fn one(past: &Past, call: &Value) -> Value {
    let argument = &call[1][0];
    let path = call[0].as_str().unwrap();
    match path {
        "sales_order.list" => past.orders.iter().filter(|order| fits(argument, order)).map(head).collect(),
        "sales_order.info" => {
            let number = argument.as_str().unwrap();
            match past.orders.iter().find(|order| (SHOP.order_id)(order.number) == number) {
                Some(order) => whole(order),
                None => {
                    json!({"isFault": true, "faultCode": "100", "faultMessage": "Requested order not exists."})
                }
            }
        }
        // The customers were there before the first order; nothing is shipped or given back.
        "customer.list" | "sales_order_shipment.list" | "sales_order_creditmemo.list" => json!([]),
        _ => json!({"isFault": true, "faultCode": "3", "faultMessage": "Invalid api path."}),
    }
}

/// Both seconds are included. Times are UTC.
fn fits(filter: &Value, order: &Bought) -> bool {
    let columns = [("created_at", order.at), ("updated_at", order.changed_at())];
    columns.into_iter().all(|(column, at)| {
        let at = date(at);
        filter[column]["from"].as_str().is_none_or(|from| at.as_str() >= from)
            && filter[column]["to"].as_str().is_none_or(|to| at.as_str() <= to)
    })
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Every scalar is a text.
fn head(order: &Bought) -> Value {
    let total = order.total();
    json!({
        "order_id": order.number.to_string(), "increment_id": (SHOP.order_id)(order.number), "state": "complete",
        "status": "complete", "email_sent": "1", "store_id": "1", "customer_id": order.customer.to_string(),
        "customer_is_guest": "0", "customer_email": order.email, "customer_firstname": "Ida", "customer_lastname": "Moss",
        "order_currency_code": "EUR", "base_currency_code": "EUR", "grand_total": total, "base_grand_total": total,
        "total_paid": total, "total_invoiced": total, "discount_amount": "0.0000", "coupon_code": null,
        "created_at": date(order.at), "updated_at": date(order.changed_at()),
    })
}

fn whole(order: &Bought) -> Value {
    let mut whole = head(order);
    whole["billing_address"] =
        json!({"firstname": "Ida", "lastname": "Moss", "country_id": "FR", "city": "Lyon"});
    whole["shipping_address"] = whole["billing_address"].clone();
    whole["items"] = json!([{
        "item_id": order.number.to_string(), "product_id": "7", "product_type": "simple", "sku": "MM-1",
        "name": "Moss & pot", "qty_ordered": order.quantity.to_string(), "price": order.price(),
        "row_total": order.total(),
    }]);
    whole["status_history"] = json!([{"status": "complete", "created_at": date(order.at)}]);
    whole
}

/// A value of XML-RPC: scalars are texts.
fn read(value: &Element) -> Value {
    let Some(typed) = value.children.first() else { return value.text.clone().into() };
    let member = |member: &Element| Some((member.child("name")?.text.clone(), read(member.child("value")?)));
    match typed.name.as_str() {
        "struct" => Value::Object(typed.children.iter().filter_map(member).collect()),
        "array" => typed.child("data").unwrap().children.iter().map(read).collect(),
        "nil" => Value::Null,
        _ => typed.text.clone().into(),
    }
}

fn written(value: &Value) -> String {
    let inner = match value {
        Value::Null => "<nil/>".to_owned(),
        Value::Bool(truth) => format!("<boolean>{}</boolean>", u8::from(*truth)),
        Value::Number(number) => format!("<int>{number}</int>"),
        Value::String(text) => format!("<string>{}</string>", escaped(text)),
        Value::Array(list) => {
            format!("<array><data>{}</data></array>", list.iter().map(written).collect::<Vec<_>>().concat())
        }
        Value::Object(fields) => {
            let member = |(name, value): (&String, &Value)| {
                format!("<member><name>{name}</name>{}</member>", written(value))
            };
            format!("<struct>{}</struct>", fields.iter().map(member).collect::<Vec<_>>().concat())
        }
    };
    format!("<value>{inner}</value>")
}
