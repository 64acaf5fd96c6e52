//! What the adapter is tested with.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use conformance::{NOW, Suite};
use mi9::Mi9;
use platform::signature::hmac_sha256_base64;
use platform::{Request, Secrets};

const SECRET: &str = "whsec_bGFyY2gtYW5kLWxpbmVuLXNlY3JldC1vZi10ZXN0cw==";

pub(crate) const SUITE: Suite = Suite {
    platform: &Mi9,
    folder: env!("CARGO_MANIFEST_DIR"),
    sign,
    secrets,
    without: &[("webhook_and_poll_of_one_order", "Mi9 has no public API to poll")],
};

fn sign(request: &mut Request, body: Vec<u8>) -> Vec<u8> {
    let id = request.headers.get("webhook-id").unwrap_or("msg_1").to_owned();
    let seconds = NOW.parse::<jiff::Timestamp>().unwrap().as_second().to_string();
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body.as_slice()].concat();
    let signature = format!("v1,{}", hmac_sha256_base64(key, signed));
    request.headers = [("webhook-id", id), ("webhook-timestamp", seconds), ("webhook-signature", signature)]
        .into_iter()
        .collect();
    body
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.rotate("webhook_secret", SECRET.to_owned());
    secrets
}
