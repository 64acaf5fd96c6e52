//! Lambda function: `POST /webhooks/shopify/{connection_id}`, every topic of Shopify, HMAC-SHA256 in
//! `X-Shopify-Hmac-SHA256` over the raw body.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&shopify::Shopify).await
}
