//! What the adapter is tested with.

use conformance::Suite;
use platform::{Request, Secrets};
use shift4shop::Shift4shop;

const TOKEN: &str = "qY7fLw2nB8vKx4RtZc6mHd9P";

pub(crate) const SUITE: Suite = Suite {
    platform: &Shift4shop,
    folder: env!("CARGO_MANIFEST_DIR"),
    sign,
    secrets,
    without: &[
        ("tampered_body", "nothing is signed: the body is not believed, whatever it says"),
        ("expired", "nothing is signed: there is no time to be too old"),
        ("refund_before_order", "every delivery is answered with the whole order"),
    ],
};

fn sign(request: &mut Request, body: Vec<u8>) -> Vec<u8> {
    request.query = format!("token={TOKEN}");
    body
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    for (name, value) in [("webhook_token", TOKEN), ("private_key", "key"), ("api_token", "token")] {
        secrets.rotate(name, value.to_owned());
    }
    secrets
}
