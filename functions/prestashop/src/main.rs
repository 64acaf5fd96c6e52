//! Lambda function: `POST /webhooks/prestashop/{connection_id}`, facts that a module of the shop's owner sends, signed by
//! the Standard Webhooks scheme.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&prestashop::Prestashop).await
}
