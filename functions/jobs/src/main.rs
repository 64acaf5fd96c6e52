//! Lambda function: works off one chunk of a job and enqueues the next.

use jobs::Jobs;
use runtime::{Clients, Clock, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::init();
    let jobs = Jobs::new(&Config::from_env(), &Clients::from_env().await, Clock::system())?;
    runtime::run(|event| jobs.handle(event)).await
}
