//! Lambda function: asks platforms what changed.

use poller::Poller;
use runtime::{Clients, Clock, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::init();
    let (config, clients) = (Config::from_env(), Clients::from_env().await);
    let poller = Poller::new(&config, &clients, Clock::system(), platforms::PLATFORMS)?;
    runtime::run(|event| poller.handle(event)).await
}
