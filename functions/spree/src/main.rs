//! Lambda function: `POST /webhooks/spree/{connection_id}`, every event of Spree, HMAC-SHA256 in
//! `X-Spree-Webhook-Signature` or, before 5.3, `X-Spree-Hmac-SHA256`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&spree::Spree).await
}
