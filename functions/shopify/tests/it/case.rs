//! One fixture, and how it is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use platform::signature::hmac_sha256_base64;
use platform::{Connection, Delivery, Headers, Mapping, Platform, Request, Secrets, Unverified, Verdict};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use shopify::Shopify;

pub(crate) const SECRET: &str = "larch-and-linen-secret";
pub(crate) const NOW: &str = "2026-03-14T09:27:00Z";

/// A file below `fixtures/`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// What it shows.
    #[serde(rename = "description")]
    pub(crate) _description: String,
    /// The headers of the request; it is signed when it is run.
    #[serde(deserialize_with = "headers")]
    pub(crate) headers: Headers,
    #[serde(default)]
    pub(crate) settings: Map<String, Value>,
    /// A JSON value, or a text for a body that is not JSON.
    pub(crate) body: Value,
    /// `facts` and perhaps `dropped`, or `ignore`, or `malformed`.
    pub(crate) expect: Value,
}

impl Case {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap();
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        match &self.body {
            Value::String(text) => text.clone().into_bytes(),
            value => serde_json::to_vec(value).unwrap(),
        }
    }

    pub(crate) fn connection(&self) -> Connection {
        let settings = self.settings.clone();
        Connection { id: "conn-1".to_owned(), platform: "shopify".to_owned(), settings }
    }

    pub(crate) fn topic(&self) -> &str {
        self.headers.get("x-shopify-topic").or_else(|| self.headers.get("shopify-topic")).unwrap_or_default()
    }

    /// Through the door and through the mapper's part.
    pub(crate) fn run(&self) -> Value {
        let body = self.body();
        match Shopify.verify(
            &signed(&self.headers, SECRET, &body),
            Unverified::new(body.clone()),
            &self.connection(),
            &secrets([SECRET]),
            NOW.parse().unwrap(),
        ) {
            Verdict::Accept(_) => {}
            Verdict::Ignore { reason, .. } => return json!({ "ignore": reason }),
            Verdict::Reject(rejection) => return json!({ "reject": rejection }),
        }
        match Shopify.facts(&delivery(self.topic(), &self.headers, body), &self.connection(), &[]) {
            Mapping::Facts { facts, dropped } if dropped.is_empty() => json!({ "facts": facts }),
            Mapping::Facts { facts, dropped } => json!({ "facts": facts, "dropped": dropped }),
            Mapping::Ignore(reason) => json!({ "ignore": reason }),
            Mapping::Malformed(reason) => json!({ "malformed": reason }),
            Mapping::Fetch(requests) => json!({ "fetch": requests }),
        }
    }
}

/// As a request's headers: in any case.
fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Headers, D::Error> {
    BTreeMap::<String, String>::deserialize(deserializer).map(Headers::from_iter)
}

/// All fixtures, in the order of their paths.
pub(crate) fn paths() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

pub(crate) fn secrets<const N: usize>(oldest_first: [&str; N]) -> Secrets {
    let mut secrets = Secrets::default();
    for secret in oldest_first {
        secrets.rotate("webhook_secret", secret.to_owned());
    }
    secrets
}

/// A request with these headers and a signature.
pub(crate) fn signed(headers: &Headers, secret: &str, body: &[u8]) -> Request {
    let mut all = serde_json::to_value(headers).unwrap();
    all["x-shopify-hmac-sha256"] = hmac_sha256_base64(secret, body).into();
    let headers = serde_json::from_value(all).unwrap();
    Request { method: "POST".to_owned(), query: String::new(), headers }
}

pub(crate) fn delivery(topic: &str, headers: &Headers, body: Vec<u8>) -> Delivery {
    Delivery {
        platform: "shopify".to_owned(),
        connection: "conn-1".to_owned(),
        topic: topic.to_owned(),
        delivery_id: "delivery-1".to_owned(),
        received_at: NOW.parse::<Timestamp>().unwrap(),
        headers: headers.clone(),
        body,
    }
}
