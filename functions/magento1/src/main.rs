//! The receiver of Magento 1's modules: `POST /webhooks/magento1/{connection_id}`, facts by the contract, signed by the Standard
//! Webhooks scheme.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&magento1::Magento1).await
}
