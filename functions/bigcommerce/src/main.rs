//! Lambda function: `POST /webhooks/bigcommerce/{connection_id}`, every scope of BigCommerce, Standard Webhooks
//! (HMAC-SHA256 over `id.timestamp.body`) or an own secret in a header.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&bigcommerce::Bigcommerce).await
}
