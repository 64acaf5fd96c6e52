//! Lambda function: `POST /webhooks/salesforce-commerce-cloud/{connection_id}`, facts that the merchant's own cartridge
//! sends, signed by the Standard Webhooks scheme.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&salesforce_commerce_cloud::SalesforceCommerceCloud).await
}
