//! What the adapter is tested with.

use bigcommerce::Bigcommerce;
use conformance::{NOW, Suite};
use platform::signature::hmac_sha256_base64;
use platform::{Request, Secrets};

const SECRET: &str = "larch-and-linen-client-secret";

pub(crate) const SUITE: Suite =
    Suite { platform: &Bigcommerce, folder: env!("CARGO_MANIFEST_DIR"), sign, secrets, without: &[] };

fn sign(request: &mut Request, body: Vec<u8>) -> Vec<u8> {
    let timestamp = NOW.parse::<jiff::Timestamp>().unwrap().as_second().to_string();
    let signed = [b"msg_1.", timestamp.as_bytes(), b".", &body].concat();
    let mut headers = serde_json::to_value(&request.headers).unwrap();
    headers["webhook-id"] = "msg_1".into();
    headers["webhook-timestamp"] = timestamp.into();
    headers["webhook-signature"] = format!("v1,{}", hmac_sha256_base64(SECRET, signed)).into();
    request.headers = serde_json::from_value(headers).unwrap();
    body
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.rotate("client_secret", SECRET.to_owned());
    secrets
}
