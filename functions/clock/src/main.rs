//! Lambda function: once a minute, touches the profiles for which time alone changes something.

use clock::ClockFunction;
use runtime::{Clients, Clock, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::init();
    let function = ClockFunction::new(&Config::from_env(), &Clients::from_env().await, Clock::system())?;
    runtime::run(|event| function.handle(event)).await
}
