//! Lambda function: `POST /webhooks/shift4shop/{connection_id}?token=…`, every event of Shift4Shop, a token in the
//! address; `GET` answers the probe that Shift4Shop makes before it saves a webhook.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&shift4shop::Shift4shop).await
}
