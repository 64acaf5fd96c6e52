//! The whole product, from outside: a process that is spoken to over HTTP.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod archive;
mod asking;
mod attacks;
mod commands;
mod deliveries;
mod http_api;
mod killed;
mod people;
mod privacy;
mod refusals;
mod segments;
mod time;
mod written;

use tests::{Api, Shop, Stack};

async fn start() -> Stack {
    Stack::start(env!("CARGO_BIN_EXE_tillstream")).await
}

/// A stack with a connected shop.
async fn start_with_shop() -> (Stack, Shop) {
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
