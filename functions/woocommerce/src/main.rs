//! Lambda function: `POST /webhooks/woocommerce/{connection_id}`, every topic of WooCommerce, HMAC-SHA256 in
//! `X-WC-Webhook-Signature` over the raw body; the unsigned ping of a webhook that is being saved.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&woocommerce::Woocommerce).await
}
