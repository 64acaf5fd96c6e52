//! Lambda function: SQS batches of raw deliveries in, canonical events out.

use mapper::Mapper;
use runtime::{Clients, Clock, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::init();
    let mapper = Mapper::new(&Config::from_env(), &Clients::from_env().await, Clock::system())?;
    runtime::run(|event| mapper.handle(event)).await
}
