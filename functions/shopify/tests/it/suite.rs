//! What the adapter is tested with.

use conformance::Suite;
use platform::signature::hmac_sha256_base64;
use platform::{Request, Secrets};
use shopify::Shopify;

const SECRET: &str = "larch-and-linen-secret";

pub(crate) const SUITE: Suite = Suite {
    platform: &Shopify,
    folder: env!("CARGO_MANIFEST_DIR"),
    sign,
    secrets,
    without: &[("expired", "nothing but the body is signed: there is no time to be too old")],
};

fn sign(request: &mut Request, body: Vec<u8>) -> Vec<u8> {
    let mut headers = serde_json::to_value(&request.headers).unwrap();
    headers["x-shopify-hmac-sha256"] = hmac_sha256_base64(SECRET, &body).into();
    request.headers = serde_json::from_value(headers).unwrap();
    body
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.rotate("webhook_secret", SECRET.to_owned());
    secrets
}
