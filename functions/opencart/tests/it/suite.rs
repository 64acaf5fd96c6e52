//! What the adapter is tested with.

use conformance::{NOW, Suite};
use opencart::Opencart;
use platform::signature::hmac_sha256_base64;
use platform::{Request, Secrets};

const SECRET: &str = "larch-and-linen-secret-of-tests";

pub(crate) const SUITE: Suite =
    Suite { platform: &Opencart, folder: env!("CARGO_MANIFEST_DIR"), sign, secrets, without: &[] };

fn sign(request: &mut Request, body: Vec<u8>) -> Vec<u8> {
    let id = request.headers.get("webhook-id").unwrap_or("msg_1").to_owned();
    let seconds = NOW.parse::<jiff::Timestamp>().unwrap().as_second().to_string();
    let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body.as_slice()].concat();
    let signature = format!("v1,{}", hmac_sha256_base64(SECRET, signed));
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
