//! Lambda function: `POST /webhooks/wix/{connection_id}`, every event of an app, whose body is an RS256 JWT.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&wix::Wix).await
}
