//! Lambda function: `POST /webhooks/opencart/{connection_id}`, facts that an extension of the shop sends, signed by
//! the Standard Webhooks scheme.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&opencart::Opencart).await
}
