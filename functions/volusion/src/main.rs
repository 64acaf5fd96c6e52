//! The receiver of Volusion's webhooks: `GET` and `POST /webhooks/volusion/{connection_id}?token=…`, orders of Volt.
//! Nothing is signed: the token in the address is the proof.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&volusion::Volusion).await
}
