//! What the adapter is tested with.

use conformance::Suite;
use dutchie::Dutchie;
use platform::Secrets;

const NO_WEBHOOKS: &str = "Dutchie sends no webhooks: there is nothing that could be proved";
const DOLLARS: &str = "Dutchie's amounts are dollars, which have cents";

pub(crate) const SUITE: Suite = Suite {
    platform: &Dutchie,
    folder: env!("CARGO_MANIFEST_DIR"),
    sign: |_, body| body,
    secrets: Secrets::default,
    without: &[
        ("accepts", NO_WEBHOOKS),
        ("truncated", NO_WEBHOOKS),
        ("upper_cased", NO_WEBHOOKS),
        ("re_encoded", NO_WEBHOOKS),
        ("tampered_body", NO_WEBHOOKS),
        ("previous_secret", NO_WEBHOOKS),
        ("forgotten_secret", NO_WEBHOOKS),
        ("no_secret", NO_WEBHOOKS),
        ("expired", NO_WEBHOOKS),
        ("webhook_and_poll_of_one_order", NO_WEBHOOKS),
        ("currency_without_decimals", DOLLARS),
        ("currency_with_three_decimals", DOLLARS),
    ],
};
