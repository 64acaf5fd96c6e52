//! What bodies look like, for the OpenAPI document: attributes of resources as they are taken and given.
//!
//! Bodies are read and written elsewhere, field by field; tests hold what is really answered against these.
#![allow(dead_code, reason = "they are never made: only what they look like is asked for")]

mod api_keys;
mod bulk;
mod catalog;
mod client;
mod connections;
mod consent;
mod events;
mod lists;
mod metrics;
mod profiles;
mod relationships;
mod segments;
mod tags;

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

pub(crate) use api_keys::*;
pub(crate) use bulk::*;
pub(crate) use catalog::*;
pub(crate) use client::*;
pub(crate) use connections::*;
pub(crate) use consent::*;
pub(crate) use events::*;
pub(crate) use lists::*;
pub(crate) use metrics::*;
pub(crate) use profiles::*;
pub(crate) use relationships::*;
pub(crate) use segments::*;
pub(crate) use tags::*;

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

/// One of something. Only types without parameters of their own may be in it: of more, names know nothing.
#[derive(ToSchema)]
pub(crate) struct One<T: ToSchema> {
    data: T,
}

/// Some of something; likewise.
#[derive(ToSchema)]
pub(crate) struct Many<T: ToSchema> {
    data: Vec<T>,
}

/// A resource that is sent among others: its kind, its id if it is there already, its attributes, its relationships.
macro_rules! row {
    ($(#[$about:meta])* $name:ident $(($id:ident))?: $attributes:ty $(=> $relationships:ty)?) => {
        $(#[$about])*
        #[derive(utoipa::ToSchema)]
        pub(crate) struct $name {
            r#type: String,
            $($id: String,)?
            attributes: $attributes,
            $(
                #[schema(required = false, nullable = false)]
                relationships: Option<$relationships>,
            )?
        }
    };
}
pub(crate) use row;

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
    #[schema(required = false)]
    source: Option<ErrorSource>,
    #[schema(required = false)]
    meta: Option<Object>,
}

/// What a complaint is about.
#[derive(ToSchema)]
pub(crate) struct ErrorSource {
    /// Into the body.
    #[schema(required = false, nullable = false)]
    pointer: Option<String>,
    /// Of the query.
    #[schema(required = false, nullable = false)]
    parameter: Option<String>,
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
