//! The template as `sam deploy` deploys it, with the functions as `infra/build` builds them, in an emulator of AWS.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

// What the local stack is tested by, but for `killed`: what becomes of functions that end is their emulator's doing here, and
// its data do not outlive it.
#[path = "../end_to_end/asking.rs"]
mod asking;
#[path = "../end_to_end/deliveries.rs"]
mod deliveries;
#[path = "../end_to_end/http_api.rs"]
mod http_api;
#[path = "../end_to_end/people.rs"]
mod people;
#[path = "../end_to_end/privacy.rs"]
mod privacy;
#[path = "../end_to_end/refusals.rs"]
mod refusals;
#[path = "../end_to_end/segments.rs"]
mod segments;
#[path = "../end_to_end/time.rs"]
mod time;

mod by_sam;
mod functions;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tests::{Api, Deployed, Emulator, Shop};

static EMULATOR: LazyLock<Emulator> =
    LazyLock::new(|| Emulator::start(Path::new(env!("CARGO_TARGET_TMPDIR")), &build()));

/// Where `infra/build` has put the functions.
#[allow(clippy::disallowed_methods, reason = "the one setting of a test")]
fn build() -> PathBuf {
    std::env::var("TILLSTREAM_BUILD")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/.aws-sam/build"), PathBuf::from)
}

async fn start() -> Deployed {
    Deployed::start(&EMULATOR, Some(&["Shopify", "BigCommerce"])).await
}

/// A stack with a connected shop.
async fn start_with_shop() -> (Deployed, Shop) {
    let stack = start().await;
    let shop = Shop::connect(stack.api()).await;
    (stack, shop)
}

/// The id of a metric of Shopify's. It is known before anything happened, for it follows from the names.
fn shopify(metric: &str) -> String {
    store::metric_id("shopify", metric)
}

/// Creates a segment and waits until everybody is evaluated.
async fn whole_segment(api: &Api, name: &str, definition: &serde_json::Value) -> String {
    let id = api.create_segment(name, definition).await;
    api.segment_is_whole(&id).await;
    id
}
