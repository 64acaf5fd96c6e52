//! The scheduler that calls a function at a rate.

use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use uuid::Uuid;

use super::{Shutdown, stopped};
use crate::clock::Clock;
use crate::lambda::Functions;
use crate::template::Schedule;
use crate::{ACCOUNT_ID, REGION};

/// Calls one function at one rate.
#[derive(Clone)]
pub(crate) struct Scheduler {
    pub(crate) schedule: Schedule,
    pub(crate) functions: Functions,
    pub(crate) clock: Clock,
}

impl Scheduler {
    /// Calls until the stack shuts down; first after one period, as EventBridge does. A call that
    /// fails is logged, the next one comes in time.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let every = self.schedule.every;
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let event = event(&self.schedule, &self.clock);
                    // The function's failure is logged and counted where it is invoked.
                    let _ = self.functions.invoke(&self.schedule.function, event).await;
                }
                () = stopped(&shutdown) => return,
            }
        }
    }
}

fn event(schedule: &Schedule, clock: &Clock) -> Value {
    if let Some(input) = &schedule.input {
        return input.clone();
    }
    let time = clock().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let id = &schedule.id;
    let (source, resource, detail) = if schedule.scheduler {
        (
            "aws.scheduler",
            format!("arn:aws:scheduler:{REGION}:{ACCOUNT_ID}:schedule/default/{id}"),
            json!("{}"),
        )
    } else {
        ("aws.events", format!("arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/{id}"), json!({}))
    };
    json!({
        "version": "0",
        "id": Uuid::new_v4().to_string(),
        "detail-type": "Scheduled Event",
        "source": source,
        "account": ACCOUNT_ID,
        "time": time,
        "region": REGION,
        "resources": [resource],
        "detail": detail,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rule_sends_the_event_of_eventbridge() {
        let clock: Clock = Arc::new(|| "2026-03-01T12:34:56.789Z".parse().unwrap());
        let mut schedule = Schedule {
            id: "TickerFunctionEveryMinute".to_owned(),
            function: "TickerFunction".to_owned(),
            every: Duration::from_mins(1),
            input: None,
            scheduler: false,
        };
        let rule = event(&schedule, &clock);
        assert_eq!(rule["time"], "2026-03-01T12:34:56Z");
        assert_eq!((&rule["source"], &rule["detail"]), (&json!("aws.events"), &json!({})));
        assert_eq!(
            rule["resources"][0],
            "arn:aws:events:us-east-1:000000000000:rule/TickerFunctionEveryMinute"
        );
        schedule.scheduler = true;
        assert_eq!(event(&schedule, &clock)["source"], "aws.scheduler");
        schedule.input = Some(json!({"job": "sweep"}));
        assert_eq!(event(&schedule, &clock), json!({"job": "sweep"}));
    }
}
