//! What must exist for an operation to succeed: made by the operations of the specification themselves, after their examples.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::{Value, json};
use tests::{Api, eventually};

use crate::specification::document::{Operation, Specification};

/// The public id of a local stack.
const COMPANY: &str = "LOCAL0";

/// Where an example cannot be what is sent: the operation, where in its body, and what is there instead (null for nothing).
fn corrections() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        // Items name categories: one of the two must be there first.
        ("create_catalog_category", "/data/relationships", Value::Null),
        // Push tokens are refused: nothing keeps them.
        (
            "bulk_subscribe_profiles",
            "/data/attributes/profiles/data/0/attributes/subscriptions/push",
            Value::Null,
        ),
        (
            "create_client_subscription",
            "/data/attributes/profile/data/attributes/subscriptions/push",
            Value::Null,
        ),
        // The schema has the id beside the attributes, not among them.
        ("create_back_in_stock_subscription", "/data/attributes/profile/data/attributes/id", Value::Null),
        (
            "create_client_back_in_stock_subscription",
            "/data/attributes/profile/data/attributes/id",
            Value::Null,
        ),
        // The schema wants either an integer or a number, and a whole number is both.
        (
            "update_custom_metric",
            "/data/attributes/definition/metric_groups/0/metric_filters/1/filter/value",
            json!(999.5),
        ),
        // Only one way to say who is meant.
        ("bulk_suppress_profiles", "/data/relationships", Value::Null),
        ("bulk_unsuppress_profiles", "/data/relationships", Value::Null),
        ("request_profile_deletion", "/data/attributes/profile/data/id", Value::Null),
        ("request_profile_deletion", "/data/attributes/profile/data/attributes/phone_number", Value::Null),
        // The relationship is optional by the schema, and all that can be changed.
        (
            "update_mapped_metric",
            "/data/relationships",
            json!({"metric": {"data": {"type": "metric", "id": ""}}}),
        ),
    ]
}

/// An answer, and what was asked.
pub(super) struct Answer {
    pub(super) asked: String,
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) body: Value,
}

/// What was made for one operation.
pub(super) struct World<'a> {
    api: &'a Api,
    specification: &'a Specification,
    /// Ids by the collection they are in.
    ids: HashMap<String, String>,
}

impl<'a> World<'a> {
    pub(super) fn new(api: &'a Api, specification: &'a Specification) -> Self {
        Self { api, specification, ids: HashMap::new() }
    }

    /// Makes what a collection lists, where its operations can.
    pub(super) async fn fill(&mut self, collection: &Operation) {
        let name = collection.path.trim_start_matches("/api/").to_owned();
        if name == "events" || name == "metrics" || self.specification.at("POST", &collection.path).is_some()
        {
            Box::pin(self.id(&name)).await;
        }
    }

    /// Asks as the examples say, with ids of what there is.
    pub(super) async fn ask(&mut self, operation: &Operation) -> Answer {
        let mut path = operation.path.clone();
        let mut query = Vec::new();
        for parameter in &operation.parameters {
            let example = parameter.example.as_str().unwrap_or_default();
            if parameter.in_query {
                let value = if parameter.name == "company_id" { COMPANY } else { example };
                query.push((parameter.name.as_str(), value.to_owned()));
            } else {
                let collection = operation.path.split('/').nth(2).unwrap();
                let id = Box::pin(self.id(collection)).await;
                path = path.replace(&format!("{{{}}}", parameter.name), &id);
            }
        }
        let mut body = None;
        if let Some(schema) = &operation.request {
            let mut example = self.specification.example(schema);
            for (_, place, value) in corrections().into_iter().filter(|(id, ..)| *id == operation.id) {
                put(&mut example, place, value);
            }
            self.make_true(&mut example).await;
            body = Some(example);
        }
        self.send(&operation.method, &path, &query, body).await
    }

    async fn send(&self, method: &str, path: &str, query: &[(&str, String)], body: Option<Value>) -> Answer {
        let (address, key) = self.api.access();
        let url = Url::parse_with_params(&format!("{address}{path}"), query).unwrap();
        let http = reqwest::Client::builder().timeout(Duration::from_mins(1)).build().unwrap();
        let mut request = http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        request = request.header("revision", "2026-07-15");
        if path.starts_with("/api/") {
            request = request.header("authorization", format!("Klaviyo-API-Key {key}"));
        }
        let asked = format!("{method} {path} {}", body.as_ref().unwrap_or(&Value::Null));
        if let Some(body) = body {
            request = request.header("content-type", "application/vnd.api+json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let content_type =
            response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text)
            .unwrap_or_else(|_| if text.is_empty() { Value::Null } else { text.into() });
        Answer { asked, status, content_type, body }
    }

    /// The id of something in a collection: the one that was made before, or of something new.
    async fn id(&mut self, collection: &str) -> String {
        if let Some(id) = self.ids.get(collection) {
            return id.clone();
        }
        let id = match collection {
            "mapped-metrics" => "revenue".to_owned(),
            "events" | "metrics" => self.event(collection).await,
            "metric-properties" => {
                let metric = Box::pin(self.id("metrics")).await;
                self.first(&format!("/api/metrics/{metric}/metric-properties")).await
            }
            "push-tokens" => {
                self.make("push-tokens").await;
                self.first("/api/push-tokens").await
            }
            "accounts" => self.first("/api/accounts").await,
            "profile-merge" => {
                let made = self.make("profiles").await;
                made["data"]["id"].as_str().unwrap().to_owned()
            }
            _ => {
                let made = self.make(collection).await;
                made["data"]["id"].as_str().unwrap_or_else(|| panic!("{collection}: {made}")).to_owned()
            }
        };
        self.ids.insert(collection.to_owned(), id.clone());
        id
    }

    /// The answer to the operation that makes one.
    async fn make(&mut self, collection: &str) -> Value {
        let path = format!("/api/{collection}");
        let operation =
            self.specification.at("POST", &path).unwrap_or_else(|| panic!("nothing makes {collection}"));
        let made = Box::pin(self.ask(operation)).await;
        assert!((200..300).contains(&made.status), "{}: {} {}", made.asked, made.status, made.body);
        made.body
    }

    async fn first(&self, path: &str) -> String {
        eventually(path, async || {
            let found = self.api.get(path, &[]).await;
            found.body["data"][0]["id"].as_str().map(str::to_owned)
        })
        .await
    }

    /// The id of an event, or of its metric, once it is there.
    async fn event(&mut self, wanted: &str) -> String {
        let name = fresh("Example");
        let body = json!({"data": {"type": "event", "attributes": {
            "properties": {"Colour": "green"},
            "metric": {"data": {"type": "metric", "attributes": {"name": name}}},
            "profile": {"data": {"type": "profile", "attributes": {"email": address()}}},
        }}});
        let made = self.send("POST", "/api/events", &[], Some(body)).await;
        assert_eq!(made.status, 202, "{}", made.body);
        let metric = store::metric_id("api", &name);
        let filter = format!("equals(metric_id,\"{metric}\")");
        let event = eventually("the event", async || {
            let found = self.api.get("/api/events", &[("filter", &filter)]).await;
            found.body["data"][0]["id"].as_str().map(str::to_owned)
        })
        .await;
        if wanted == "events" { event } else { metric }
    }

    /// Puts ids of what there is, and names and addresses that nobody has, where an example has its own.
    async fn make_true(&mut self, value: &mut Value) {
        match value {
            Value::Array(items) => {
                for item in items {
                    Box::pin(self.make_true(item)).await;
                }
            }
            Value::Object(members) => {
                // Nothing is in it in the examples, and with an event it is refused.
                members.remove("patch_identifiers");
                if let (Some(kind), Some(_)) =
                    (members.get("type").and_then(Value::as_str), members.get("id"))
                {
                    if kind == "profile"
                        && members.contains_key("attributes")
                        && !members.contains_key("links")
                    {
                        // Who is meant is said by the attributes; a change says the id of its address.
                        if !self.ids.contains_key("profiles") {
                            members.remove("id");
                        }
                    }
                    if let (Some(collection), true) =
                        (collection(members["type"].as_str().unwrap()), members.contains_key("id"))
                    {
                        let id = Box::pin(self.id(collection)).await;
                        members.insert("id".to_owned(), id.into());
                    }
                }
                let tagged = members.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
                for (name, member) in members.iter_mut() {
                    match name.as_str() {
                        "email" if member.is_string() => *member = address().into(),
                        "phone_number" => *member = telephone().into(),
                        "external_id" | "unique_id" | "anonymous_id" | "token" | "sku" => {
                            *member = fresh("example").into();
                        }
                        "metric_id" => *member = Box::pin(self.id("metrics")).await.into(),
                        "group_ids" => *member = json!([Box::pin(self.id("lists")).await]),
                        "attributes" => {
                            if NAMED.contains(&tagged.as_str()) && member["name"].is_string() {
                                member["name"] = fresh("Example").into();
                            }
                            Box::pin(self.make_true(member)).await;
                        }
                        _ => Box::pin(self.make_true(member)).await,
                    }
                }
            }
            _ => {}
        }
    }
}

/// What there is once of each name.
const NAMED: &[&str] = &["custom-metric", "list", "segment", "tag", "tag-group"];

/// The collection that has the resources of a type.
fn collection(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "catalog-category" => "catalog-categories",
        "catalog-item" => "catalog-items",
        "catalog-variant" => "catalog-variants",
        "custom-metric" => "custom-metrics",
        "list" => "lists",
        "mapped-metric" => "mapped-metrics",
        "metric" => "metrics",
        // The destination; its sources are others.
        "profile-merge" => "profile-merge",
        "profile" => "profiles",
        "segment" => "segments",
        "tag" => "tags",
        "tag-group" => "tag-groups",
        _ => return None,
    })
}

/// Puts a value at a place, or takes away what is there.
fn put(document: &mut Value, place: &str, value: Value) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let Some(members) = document.pointer_mut(parent).and_then(Value::as_object_mut) else { return };
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}

fn next() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

fn fresh(name: &str) -> String {
    format!("{name} {}", next())
}

fn address() -> String {
    format!("person{}@example.com", next())
}

fn telephone() -> String {
    format!("+49151{:08}", next())
}
