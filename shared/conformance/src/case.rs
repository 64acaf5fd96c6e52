//! One request, and how it is run.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use platform::{
    ApiRequest, Connection, Delivery, Fetched, Headers, Mapping, Platform, Request, Unverified, Verdict,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Suite;

/// When every delivery of a fixture arrives.
pub const NOW: &str = "2026-03-14T09:27:00Z";
/// Rounds of requests that an adapter may ask for.
const MAX_ROUNDS: usize = 6;

/// A request, with the answers that its reading needs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Case {
    /// What it shows.
    pub description: String,
    /// `POST` if it is empty.
    pub method: String,
    /// The query, as it comes.
    pub query: String,
    /// The headers without the signature.
    pub headers: BTreeMap<String, String>,
    /// The connection's settings.
    pub settings: Map<String, Value>,
    /// A JSON value, or a text for a body that is not JSON.
    pub body: Value,
    /// Answers of the platform's API.
    pub fetched: Vec<Answer>,
    /// The topic, if the body came with a poll.
    pub polled: Option<String>,
    /// What it must become.
    pub expect: Value,
}

/// An answer of the platform's API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    request: String,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: Value,
}

fn ok() -> u16 {
    200
}

fn bytes(body: &Value) -> Vec<u8> {
    match body {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        Value::Object(object) if object.len() == 1 && object.contains_key("base64") => {
            STANDARD.decode(object["base64"].as_str().unwrap()).unwrap()
        }
        value => serde_json::to_vec(value).unwrap(),
    }
}

impl Case {
    /// The connection it comes through.
    pub fn connection(&self, platform: &dyn Platform) -> Connection {
        let settings = self.settings.clone();
        Connection { id: "conn-1".to_owned(), platform: platform.name().to_owned(), settings }
    }

    /// The body before it is signed.
    pub fn body(&self) -> Vec<u8> {
        bytes(&self.body)
    }

    /// The answer to a request, if the case has one.
    pub fn answer(&self, request: &ApiRequest) -> Option<Fetched> {
        let name = format!("{} {}", request.method, request.url);
        let answer = self.fetched.iter().find(|answer| answer.request == name)?;
        let headers = Headers::from_iter(&answer.headers);
        Some(Fetched { status: answer.status, headers, body: bytes(&answer.body) })
    }

    /// Through the door: the delivery as the mapper gets it, or the verdict.
    pub fn delivery(&self, suite: &Suite) -> Result<Delivery, Value> {
        let (platform, connection) = (suite.platform, self.connection(suite.platform));
        let now: Timestamp = NOW.parse().unwrap();
        let headers = Headers::from_iter(&self.headers);
        if let Some(topic) = &self.polled {
            return Ok(Delivery {
                platform: connection.platform,
                connection: connection.id,
                topic: topic.clone(),
                delivery_id: "polled-1".to_owned(),
                received_at: now,
                headers,
                backfill: false,
                body: self.body(),
            });
        }
        let method = if self.method.is_empty() { "POST" } else { &self.method };
        let mut request =
            Request { method: method.to_owned(), query: self.query.clone(), headers, ..Request::default() };
        let body = (suite.sign)(&mut request, self.body());
        match platform.verify(&request, Unverified::new(body), &connection, &(suite.secrets)(), now) {
            Verdict::Accept(verified) => Ok(verified.into_delivery(&connection, now)),
            Verdict::Ignore { reason, .. } => Err(json!({ "ignore": reason })),
            Verdict::Reject(rejection) => Err(json!({ "reject": rejection })),
            Verdict::Keys(addresses) => Err(json!({ "keys": addresses })),
        }
    }

    /// Through the mapper's part, with the answers as they are asked for.
    pub fn mapping(&self, suite: &Suite, delivery: &Delivery) -> Mapping {
        let connection = self.connection(suite.platform);
        let mut fetched = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let mapping = suite.platform.facts(delivery, &connection, &fetched);
            let Mapping::Fetch(requests) = &mapping else { return mapping };
            assert!(!requests.is_empty(), "the adapter asks for nothing");
            for request in requests {
                match self.answer(request) {
                    Some(answer) => fetched.push(answer),
                    None => return mapping,
                }
            }
        }
        panic!("the adapter asks without end");
    }

    /// What it becomes, in the shape of a fixture's `expect`.
    pub fn run(&self, suite: &Suite) -> Value {
        let delivery = match self.delivery(suite) {
            Ok(delivery) => delivery,
            Err(verdict) => return verdict,
        };
        match self.mapping(suite, &delivery) {
            Mapping::Facts { facts, dropped } if dropped.is_empty() => json!({ "facts": facts }),
            Mapping::Facts { facts, dropped } => json!({ "facts": facts, "dropped": dropped }),
            Mapping::Ignore(reason) => json!({ "ignore": reason }),
            Mapping::Malformed(reason) => json!({ "malformed": reason }),
            Mapping::Fetch(requests) => {
                let names: Vec<_> =
                    requests.iter().map(|request| format!("{} {}", request.method, request.url)).collect();
                json!({ "fetch": names })
            }
        }
    }
}
