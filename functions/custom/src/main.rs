//! Lambda function: `POST /webhooks/custom/{connection_id}`, facts that somebody's own system sends, signed by the
//! Standard Webhooks scheme.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&custom::Custom).await
}
