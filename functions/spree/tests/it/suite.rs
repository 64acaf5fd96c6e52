//! What the adapter is tested with.

use conformance::{NOW, Suite};
use jiff::Timestamp;
use platform::signature::{hmac_sha256_base64, hmac_sha256_hex};
use platform::{Headers, Request, Secrets};
use spree::Spree;

const SECRET: &str = "larch-and-linen-secret";

pub(crate) const SUITE: Suite =
    Suite { platform: &Spree, folder: env!("CARGO_MANIFEST_DIR"), sign, secrets, without: &[] };

/// As the release does whose body it is: before 5.3 base64 of the body, since 5.4 hexadecimal of time and body.
fn sign(request: &mut Request, body: Vec<u8>) -> Vec<u8> {
    let mut headers = serde_json::to_value(&request.headers).unwrap();
    let document = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();
    if document.get("event_type").is_some() {
        headers["x-spree-hmac-sha256"] = hmac_sha256_base64(SECRET, &body).into();
    } else {
        let timestamp = NOW.parse::<Timestamp>().unwrap().as_second().to_string();
        let signed = [timestamp.as_bytes(), b".", &body].concat();
        headers["x-spree-webhook-signature"] = hmac_sha256_hex(SECRET, signed).into();
        headers["x-spree-webhook-timestamp"] = timestamp.into();
    }
    request.headers = serde_json::from_value::<Headers>(headers).unwrap();
    body
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.rotate("webhook_secret", SECRET.to_owned());
    secrets
}
