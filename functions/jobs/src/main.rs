//! Lambda function: works off one chunk of a job and enqueues the next.

use archive::Archive;
use jobs::Jobs;
use runtime::{Clients, Clock, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::init();
    let config = Config::from_env();
    let jobs = Jobs::new(&config, &Clients::from_env().await, Clock::system())?;
    let jobs = jobs.with_archive(Archive::from_env(&config).await);
    runtime::run(|event| jobs.handle(event)).await
}
