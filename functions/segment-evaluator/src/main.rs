//! Lambda function: records of the profiles table's stream in, memberships out.

use evaluation::Evaluator;
use runtime::{Clients, Clock, Config};
use segment_evaluator::SegmentEvaluator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::init();
    let evaluator = Evaluator::new(&Config::from_env(), &Clients::from_env().await, Clock::system())?;
    let function = SegmentEvaluator::new(evaluator);
    runtime::run(|event| function.handle(event)).await
}
