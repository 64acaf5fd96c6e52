//! What the adapter is tested with.

use conformance::Suite;
use platform::{Request, Secrets};
use volusion::Volusion;

const TOKEN: &str = "larchAndLinenToken0123456789";

pub(crate) const SUITE: Suite = Suite {
    platform: &Volusion,
    folder: env!("CARGO_MANIFEST_DIR"),
    sign,
    secrets,
    without: &[
        ("re_encoded", "the token in the address says nothing about the body's bytes"),
        ("tampered_body", "the token in the address says nothing about the body's bytes"),
        ("expired", "the token in the address has no time"),
    ],
};

pub(crate) fn sign(request: &mut Request, body: Vec<u8>) -> Vec<u8> {
    let separator = if request.query.is_empty() { "" } else { "&" };
    request.query = format!("{}{separator}token={TOKEN}", request.query);
    body
}

pub(crate) fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.rotate("webhook_token", TOKEN.to_owned());
    secrets
}
