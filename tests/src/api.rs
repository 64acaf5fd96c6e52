//! A client of the HTTP API.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Url};
use serde_json::{Value, json};

use crate::{PATIENCE, eventually, eventually_within};

/// Speaks to one stack. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    address: String,
    key: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body; null if it is empty, a string if it is not JSON.
    pub body: Value,
}

impl Reply {
    /// `data.id`.
    pub fn id(&self) -> String {
        self.body["data"]["id"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    /// The attributes of the one resource.
    pub fn attributes(&self) -> &Value {
        &self.body["data"]["attributes"]
    }
}

/// An event as the API tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// The metric's name.
    pub metric: String,
    /// When it happened.
    pub datetime: String,
    /// `event_properties`, written out.
    pub properties: String,
}

impl Told {
    /// One of the properties.
    pub fn property(&self, name: &str) -> Value {
        serde_json::from_str::<Value>(&self.properties).unwrap()[name].clone()
    }
}

impl Api {
    /// A client with a key.
    pub fn new(address: String, key: String) -> Self {
        let mut http = reqwest::Client::builder().timeout(Duration::from_secs(30));
        // By RFC 6761 these names are this machine's, which not every resolver knows.
        let name = Url::parse(&address).unwrap().domain().map(str::to_owned);
        if let Some(name) = name.filter(|name| name.ends_with(".localhost")) {
            http = http.resolve(&name, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        }
        let http = http.build().unwrap();
        Self { http, address, key }
    }

    /// Where it is, and its key: for clients of other languages.
    pub fn access(&self) -> (&str, &str) {
        (&self.address, &self.key)
    }

    /// A request of this address, without a key.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address))
    }

    async fn send(&self, request: RequestBuilder) -> reqwest::Result<Reply> {
        let key = format!("Klaviyo-API-Key {}", self.key);
        let response = request.header("authorization", key).header("revision", "2026-07-15").send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        };
        Ok(Reply { status, body })
    }

    /// The answer to a request of [`Api::request`], with the key.
    pub async fn answer(&self, request: RequestBuilder) -> Reply {
        self.send(request).await.unwrap()
    }

    /// `GET` with parameters.
    pub async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Reply {
        let url = Url::parse_with_params(&format!("{}{path}", self.address), parameters).unwrap();
        self.send(self.http.get(url)).await.unwrap()
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(body)).await.unwrap()
    }

    /// Calls an operation of an AWS service whose protocol is JSON.
    pub async fn ask(&self, target: &str, body: &Value) -> Value {
        let request = self.request(Method::POST, "/").header("x-amz-target", target);
        let request = request.header("content-type", "application/x-amz-json-1.1").body(body.to_string());
        let reply = self.send(request).await.unwrap();
        assert_eq!(reply.status, 200, "{target}: {}", reply.body);
        reply.body
    }

    /// `PATCH` of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PATCH, path).json(body)).await.unwrap()
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await.unwrap()
    }

    /// All pages of a collection.
    pub async fn all(&self, path: &str, parameters: &[(&str, &str)]) -> Vec<Value> {
        let mut reply = self.get(path, parameters).await;
        let mut items = Vec::new();
        loop {
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
            items.extend(reply.body["data"].as_array().unwrap().iter().cloned());
            let Some(next) = reply.body["links"]["next"].as_str() else { return items };
            // A deployed stack says what it is called on AWS.
            let path = &next[next.find("/api/").unwrap()..];
            reply = self.send(self.request(Method::GET, path)).await.unwrap();
        }
    }

    /// Creates a segment and returns its id.
    pub async fn create_segment(&self, name: &str, definition: &Value) -> String {
        let attributes = json!({"name": name, "definition": definition});
        let body = json!({"data": {"type": "segment", "attributes": attributes}});
        let reply = self.post("/api/segments", &body).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.id()
    }

    /// Changes a segment's definition.
    pub async fn redefine_segment(&self, id: &str, definition: &Value) -> Reply {
        let body = json!({"data": {"type": "segment", "id": id, "attributes": {"definition": definition}}});
        let reply = self.patch(&format!("/api/segments/{id}"), &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply
    }

    /// Waits until everybody is evaluated.
    pub async fn segment_is_whole(&self, id: &str) {
        self.segment_is_whole_within(PATIENCE, id).await;
    }

    /// The same where it may take another time.
    pub async fn segment_is_whole_within(&self, patience: Duration, id: &str) {
        eventually_within(patience, "the segment is whole", async || {
            let segment = self.get(&format!("/api/segments/{id}"), &[]).await;
            (segment.attributes()["is_processing"] == false).then_some(())
        })
        .await;
    }

    /// The members' e-mail addresses, sorted.
    pub async fn members(&self, segment: &str) -> Vec<String> {
        let members = self.all(&format!("/api/segments/{segment}/profiles"), &[]).await;
        let email = |member: &Value| member["attributes"]["email"].as_str().unwrap_or_default().to_owned();
        let mut emails: Vec<String> = members.iter().map(email).collect();
        emails.sort();
        emails
    }

    /// The profile with an address.
    pub async fn profile(&self, email: &str) -> Option<Value> {
        let filter = format!("equals(email,\"{email}\")");
        let found = self.all("/api/profiles", &[("filter", &filter)]).await;
        assert!(found.len() <= 1, "{found:?}");
        found.into_iter().next()
    }

    /// The id of the profile with an address, once it exists.
    pub async fn profile_id(&self, email: &str) -> String {
        eventually("the profile exists", async || {
            self.profile(email).await.map(|profile| profile["id"].as_str().unwrap().to_owned())
        })
        .await
    }

    /// A person's history, sorted; empty for nobody.
    pub async fn history(&self, email: &str) -> Vec<Told> {
        let Some(profile) = self.profile(email).await else { return Vec::new() };
        let filter = format!("equals(profile_id,\"{}\")", profile["id"].as_str().unwrap());
        let events = self.all("/api/events", &[("filter", &filter)]).await;
        // After the events: what happens for the first time makes its metric.
        let metrics = self.all("/api/metrics", &[]).await;
        let name = |id: &Value| {
            let metric = metrics.iter().find(|metric| metric["id"] == *id).unwrap();
            metric["attributes"]["name"].as_str().unwrap().to_owned()
        };
        let mut told: Vec<Told> = events
            .iter()
            .map(|event| Told {
                metric: name(&event["relationships"]["metric"]["data"]["id"]),
                datetime: event["attributes"]["datetime"].as_str().unwrap().to_owned(),
                properties: event["attributes"]["event_properties"].to_string(),
            })
            .collect();
        told.sort();
        told
    }

    /// The names of what happened to a person, sorted.
    pub async fn metrics_of(&self, email: &str) -> Vec<String> {
        self.history(email).await.into_iter().map(|event| event.metric).collect()
    }

    /// A counter's value; 0 if it never counted.
    pub async fn counter(&self, series: &str) -> u64 {
        let text = self.get("/metrics", &[]).await.body;
        let value = text
            .as_str()
            .and_then(|text| text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok()));
        value.unwrap_or_default()
    }
}

/// Somebody did it at least so often in the last days or hours.
pub fn at_least(count: u32, metric: &str, quantity: u32, unit: &str) -> Value {
    json!({"condition_groups": [{"conditions": [{
        "type": "profile-metric",
        "metric_id": metric,
        "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "greater-than-or-equal", "value": count},
        "timeframe_filter": {"type": "date", "operator": "in-the-last", "unit": unit, "quantity": quantity},
    }]}]})
}
