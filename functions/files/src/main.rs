//! Lambda function: reads the files that are put into the bucket.

use std::sync::Arc;

use files::{Bucket, Files};
use runtime::{Clients, Clock, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::init();
    let (config, clients) = (Config::from_env(), Clients::from_env().await);
    let bucket = Bucket::from_env(config.required("FILES_BUCKET")?).await;
    let files = Files::new(&config, &clients, Clock::system(), Arc::new(bucket))?;
    runtime::run(|event| files.handle(event)).await
}
