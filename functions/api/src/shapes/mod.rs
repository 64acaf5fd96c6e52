//! What bodies look like, for the OpenAPI document: attributes of resources as they are taken and given.
//!
//! Bodies are read and written elsewhere, field by field; tests hold what is really answered against these.
#![allow(dead_code, reason = "they are never made: only what they look like is asked for")]

mod api_keys;
mod bulk;
mod connections;
mod consent;
mod events;
mod lists;
mod metrics;
mod profiles;
mod segments;

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

pub(crate) use api_keys::*;
pub(crate) use bulk::*;
pub(crate) use connections::*;
pub(crate) use consent::*;
pub(crate) use events::*;
pub(crate) use lists::*;
pub(crate) use metrics::*;
pub(crate) use profiles::*;
pub(crate) use segments::*;

/// An instant in ISO 8601.
#[derive(ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub(crate) struct Time(String);

/// A day in ISO 8601.
#[derive(ToSchema)]
#[schema(value_type = String, format = Date)]
pub(crate) struct Day(String);

/// An object whose fields are the client's own.
pub(crate) type Object = BTreeMap<String, Value>;

/// Any JSON.
#[derive(ToSchema)]
#[schema(value_type = Object)]
pub(crate) struct Anything(Object);

/// Resources by their kinds and ids alone.
#[derive(ToSchema)]
pub(crate) struct Ids {
    /// 1000 at most.
    #[schema(max_items = 1000)]
    data: Vec<Identifier>,
}

/// A kind and an id.
#[derive(ToSchema)]
pub(crate) struct Identifier {
    r#type: String,
    id: String,
}

/// What was refused, and why.
#[derive(ToSchema)]
pub(crate) struct Errors {
    errors: Vec<ErrorObject>,
}

/// One complaint.
#[derive(ToSchema)]
pub(crate) struct ErrorObject {
    id: String,
    status: u16,
    code: String,
    title: String,
    detail: String,
    /// `pointer` into the body, or `parameter` of the query.
    #[schema(required = false)]
    source: Option<Object>,
    #[schema(required = false)]
    meta: Option<Object>,
}

/// Where a document is.
#[derive(ToSchema)]
pub(crate) struct Links {
    #[schema(rename = "self")]
    this: String,
}

/// Where a page is, and those beside it.
#[derive(ToSchema)]
pub(crate) struct PageLinks {
    #[schema(rename = "self")]
    this: String,
    #[schema(required = true)]
    next: Option<String>,
    #[schema(required = true)]
    prev: Option<String>,
}
