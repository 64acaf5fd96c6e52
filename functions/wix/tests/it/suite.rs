//! What the adapter is tested with.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use conformance::{NOW, Suite};
use jiff::Timestamp;
use platform::{Request, Secrets};
use serde_json::{Map, Value, json};
use wix::Wix;

const PUBLIC_KEY: &str = include_str!("keys/test_key.pub.pem");

static KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    let pem = include_str!("keys/test_key.pem");
    let encoded: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(encoded).unwrap()).unwrap()
});

pub(crate) const SUITE: Suite =
    Suite { platform: &Wix, folder: env!("CARGO_MANIFEST_DIR"), sign, secrets, without: &[] };

/// Wraps a fixture's body as Wix does. It is the envelope, with `data` and `identity` written as objects; one with
/// `claims` is the claims themselves; one that is no object is signed as it is.
fn sign(_: &mut Request, body: Vec<u8>) -> Vec<u8> {
    let claims = match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(mut envelope)) => {
            envelope.remove("claims").unwrap_or_else(|| claims(envelope)).to_string().into_bytes()
        }
        _ => body,
    };
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let mut signature = vec![0; KEY.public_modulus_len()];
    KEY.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into_bytes()
}

fn claims(mut envelope: Map<String, Value>) -> Value {
    for layer in ["data", "identity"] {
        if let Some(object @ Value::Object(_)) = envelope.get_mut(layer) {
            *object = Value::String(object.to_string());
        }
    }
    let issued_at = NOW.parse::<Timestamp>().unwrap().as_second() - 7;
    json!({ "data": Value::Object(envelope).to_string(), "iat": issued_at, "exp": issued_at + 3600 })
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.rotate("public_key", PUBLIC_KEY.to_owned());
    secrets
}
