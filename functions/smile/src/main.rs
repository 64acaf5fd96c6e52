//! Lambda function: `POST /webhooks/smile/{connection_id}`, what Smile or a partner pushes, HMAC-SHA256 in a header over
//! the raw body or a token in the address.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&smile::Smile).await
}
