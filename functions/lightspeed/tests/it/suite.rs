//! What the adapter is tested with.

use conformance::Suite;
use lightspeed::Lightspeed;
use platform::{Request, Secrets};

const NO_WEBHOOKS: &str = "R-Series sends no webhooks: whatever comes by that way is refused";

pub(crate) const SUITE: Suite = Suite {
    platform: &Lightspeed,
    folder: env!("CARGO_MANIFEST_DIR"),
    sign,
    secrets,
    without: &[
        ("accepts", NO_WEBHOOKS),
        ("wrong_secret", NO_WEBHOOKS),
        ("missing", NO_WEBHOOKS),
        ("truncated", NO_WEBHOOKS),
        ("upper_cased", NO_WEBHOOKS),
        ("re_encoded", NO_WEBHOOKS),
        ("tampered_body", NO_WEBHOOKS),
        ("previous_secret", NO_WEBHOOKS),
        ("forgotten_secret", NO_WEBHOOKS),
        ("expired", NO_WEBHOOKS),
        ("webhook_and_poll_of_one_order", NO_WEBHOOKS),
    ],
};

fn sign(_request: &mut Request, body: Vec<u8>) -> Vec<u8> {
    body
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.rotate("access_token", "token".to_owned());
    secrets
}
