//! Lambda function: `POST` and `GET /webhooks/magento2/{connection_id}`: Adobe I/O Events, Adobe Commerce Webhooks,
//! and modules of Magento Open Source.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&magento2::Magento2).await
}
