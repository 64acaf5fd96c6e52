//! Lambda function: `POST /webhooks/mi9/{connection_id}`, facts that whatever exports orders from Mi9 sends, signed by the
//! Standard Webhooks scheme.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&mi9::Mi9).await
}
