//! Lambda function: `POST` and `GET /webhooks/magento2/{connection_id}`: Adobe I/O Events, Adobe Commerce Webhooks,
//! and modules of Magento Open Source.

use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run_with_keys(&magento2::Magento2, Arc::new(fetch::PublicKeys::public())).await
}
