//! What the adapter is tested with.

use conformance::Suite;
use platform::signature::hmac_sha256_hex;
use platform::{Request, Secrets};
use smile::Smile;

const SECRET: &str = "puffin-and-plum-secret";
const NO_ORDERS: &str = "Smile tells of no orders";

pub(crate) const SUITE: Suite = Suite {
    platform: &Smile,
    folder: env!("CARGO_MANIFEST_DIR"),
    sign,
    secrets,
    without: &[
        ("expired", "nothing but the body is signed: there is no time to be too old"),
        ("two_states_of_one_order", NO_ORDERS),
        ("webhook_and_poll_of_one_order", NO_ORDERS),
        ("guest_without_email_later_identified", NO_ORDERS),
        ("refund_before_order", NO_ORDERS),
        ("currency_without_decimals", "points are no money"),
        ("currency_with_three_decimals", "points are no money"),
    ],
};

fn sign(request: &mut Request, body: Vec<u8>) -> Vec<u8> {
    let mut headers = serde_json::to_value(&request.headers).unwrap();
    headers["x-smile-hmac-sha256"] = hmac_sha256_hex(SECRET, &body).into();
    request.headers = serde_json::from_value(headers).unwrap();
    body
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.rotate("webhook_secret", SECRET.to_owned());
    secrets
}
