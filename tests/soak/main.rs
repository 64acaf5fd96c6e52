//! What the process takes in memory under steady load. `cargo bench -p tillstream --bench soak -- [minutes] [deliveries a second]`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command whose output is its result")]

use std::time::Duration;

use tests::five::Five;
use tests::{Stack, now};
use tokio::time::MissedTickBehavior;

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::main]
#[allow(clippy::disallowed_methods, reason = "a command's arguments")]
async fn main() {
    let mut given = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let minutes = given.next().unwrap_or(30);
    let rate = given.next().unwrap_or(20);
    let stack = Stack::start(env!("CARGO_BIN_EXE_tillstream")).await;
    let five = Five::connect(stack.api()).await;
    let all = five.history(usize::try_from(rate * 60 * minutes).unwrap(), 1, now());
    println!("{rate} deliveries a second for {minutes} minutes");
    println!("{:>6} {:>10} {:>8} {:>8}", "minute", "deliveries", "waiting", "VmRSS MB");
    let mut ticks = tokio::time::interval(MINUTE / (60 * rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut resident = Vec::new();
    for (number, said) in (1..).zip(&all) {
        ticks.tick().await;
        assert_eq!(five.try_deliver(stack.api(), said).await.unwrap(), 200);
        if number % (60 * rate) == 0 {
            resident.push(stack.resident_kb() / 1024);
            let waiting = stack.depth("RawDeliveriesQueue").await;
            println!("{:>6} {number:>10} {waiting:>8} {:>8}", resident.len(), resident[resident.len() - 1]);
        }
    }
    stack.settled().await;
    // The first third warms up.
    let warm = resident.len() / 3;
    if let [early, .., late] = resident[warm..] {
        println!("from minute {} to {}: {early} MB to {late} MB", warm + 1, resident.len());
    }
}
