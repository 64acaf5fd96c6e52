//! Signatures that another program computed.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use platform::{Connection, Headers, Request, Secrets, Unverified, Verdict};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{Suite, files};

/// What every platform must be tried with.
const REQUIRED: &[&str] = &[
    "accepts",
    "wrong_secret",
    "missing",
    "truncated",
    "upper_cased",
    "re_encoded",
    "tampered_body",
    "previous_secret",
    "forgotten_secret",
    "no_secret",
    "expired",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[serde(rename = "description")]
    _description: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    secrets: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    keys: BTreeMap<String, String>,
    now: Timestamp,
    #[serde(default)]
    body: String,
    #[serde(default)]
    body_base64: Option<String>,
    expect: Value,
}

fn post() -> String {
    "POST".to_owned()
}

impl Vector {
    fn run(&self, suite: &Suite) -> Value {
        let mut secrets = Secrets::default();
        for (name, values) in &self.secrets {
            for value in values {
                secrets.rotate(name, value.clone());
            }
        }
        let request = Request {
            method: self.method.clone(),
            query: self.query.clone(),
            headers: Headers::from_iter(&self.headers),
            keys: self.keys.clone(),
        };
        let connection = Connection {
            id: "conn-1".to_owned(),
            platform: suite.platform.name().to_owned(),
            settings: self.settings.clone(),
        };
        let body = match &self.body_base64 {
            Some(body) => STANDARD.decode(body).unwrap(),
            None => self.body.clone().into_bytes(),
        };
        match suite.platform.verify(&request, Unverified::new(body), &connection, &secrets, self.now) {
            Verdict::Accept(verified) => {
                let (topic, delivery_id, answer) = verified.summary();
                let accepted = json!({ "accept": { "topic": topic, "delivery_id": delivery_id } });
                answered(accepted, answer)
            }
            Verdict::Ignore { reason, body, .. } => answered(json!({ "ignore": reason }), &body),
            Verdict::Reject(rejection) => json!({ "reject": rejection }),
            Verdict::Keys(addresses) => json!({ "keys": addresses }),
        }
    }
}

fn answered(mut verdict: Value, answer: &str) -> Value {
    if !answer.is_empty() && answer != "ignored" {
        verdict["answer"] = answer.into();
    }
    verdict
}

impl Suite {
    /// Every vector has its verdict, for its reason.
    pub fn vectors(&self) {
        let paths = files::below(&Path::new(self.folder).join("vectors"));
        let mut wrong = Vec::new();
        for path in &paths {
            let vector: Vector = files::read(path);
            let got = vector.run(self);
            if got != vector.expect {
                wrong.push(format!("{}: wanted {}, got {got}", path.display(), vector.expect));
            }
        }
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), paths.len(), wrong.join("\n"));
        let names: Vec<_> = paths.iter().map(|path| files::stem(path)).collect();
        self.requires("vectors", REQUIRED, &names);
    }
}
