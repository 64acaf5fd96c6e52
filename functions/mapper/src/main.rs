//! Lambda function: SQS batches of raw deliveries in, canonical events out.

use archive::Archive;
use mapper::Mapper;
use runtime::{Clients, Clock, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::init();
    let config = Config::from_env();
    let mapper = Mapper::new(&config, &Clients::from_env().await, Clock::system())?;
    let mapper = mapper.with_archive(Archive::from_env(&config).await);
    runtime::run(|event| mapper.handle(event)).await
}
