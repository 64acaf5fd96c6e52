//! Lambda: the HTTP API behind an API Gateway HTTP API (`/api/{proxy+}`, `/healthz`).

use std::sync::Arc;

use runtime::{Clients, Clock, Config};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    runtime::init();
    let clients = Clients::from_env().await;
    let config = Config::from_env();
    let api = api::Api::from_config(&config, &clients, Clock::system(), platforms::PLATFORMS)
        .map_err(|error| lambda_http::Error::from(format!("{error:#}")))?;
    let api = api.with_archive(archive::Archive::from_env(&config).await);
    lambda_http::run(api::router(Arc::new(api))).await
}
