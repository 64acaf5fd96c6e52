//! Whether a connection may be asked at all now: its circuit, and what it said that it will still take.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use platform::Pace;

use crate::circuit::Circuit;

/// Connections remembered: a bound, not a tuning.
const MAX_REMEMBERED: usize = 10_000;

/// Why no request is made now, and for how many milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    /// It failed too often.
    Failing(i64),
    /// It asked to be left alone.
    Spent(i64),
    /// It was asked as often as it may be.
    Paced(i64),
}

/// The state of every connection that was asked lately. Each process has its own.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<HashMap<String, State>>);

#[derive(Debug, Default)]
struct State {
    circuit: Circuit,
    not_before_ms: i64,
    /// When the bucket of its pace will be full again, in microseconds.
    full_at_us: i64,
}

impl Gate {
    /// Lets a request of a connection through, or not.
    pub(crate) fn admit(&self, connection: &str, pace: Option<Pace>, now_ms: i64) -> Result<(), Shut> {
        let mut states = self.lock();
        // Only who has trouble, or a pace, has a state.
        if pace.is_none() && !states.contains_key(connection) {
            return Ok(());
        }
        let state = state(&mut states, connection, now_ms);
        if now_ms < state.not_before_ms {
            return Err(Shut::Spent(state.not_before_ms - now_ms));
        }
        let full_at_us = match pace {
            Some(pace) => after_one_more(state.full_at_us, pace, now_ms).map_err(Shut::Paced)?,
            None => state.full_at_us,
        };
        state.circuit.admit(now_ms).map_err(Shut::Failing)?;
        state.full_at_us = full_at_us;
        Ok(())
    }

    /// A request was answered; `wait_ms` is how long the connection asks to be left alone.
    pub(crate) fn answered(&self, connection: &str, wait_ms: Option<i64>, now_ms: i64) {
        let mut states = self.lock();
        if let Some(state) = states.get_mut(connection) {
            state.circuit.succeeded();
        }
        hold(&mut states, connection, wait_ms, now_ms);
    }

    /// A request was not answered, or with a server's error.
    pub(crate) fn failed(&self, connection: &str, wait_ms: Option<i64>, now_ms: i64) {
        let mut states = self.lock();
        state(&mut states, connection, now_ms).circuit.failed(now_ms);
        hold(&mut states, connection, wait_ms, now_ms);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hold(states: &mut HashMap<String, State>, connection: &str, wait_ms: Option<i64>, now_ms: i64) {
    if let Some(wait_ms) = wait_ms {
        let state = state(states, connection, now_ms);
        state.not_before_ms = state.not_before_ms.max(now_ms + wait_ms);
    }
}

/// When a bucket that holds a pace's requests, and fills up again in its time, is full after one more is taken out; or how
/// many milliseconds it takes until there is one.
fn after_one_more(full_at_us: i64, pace: Pace, now_ms: i64) -> Result<i64, i64> {
    let now_us = now_ms.saturating_mul(1000);
    let whole_us = i64::try_from(pace.per.as_micros()).unwrap_or(i64::MAX);
    let one_us = whole_us / i64::from(pace.requests.max(1));
    let full_at_us = full_at_us.max(now_us).saturating_add(one_us);
    let missing_us = full_at_us.saturating_sub(now_us.saturating_add(whole_us));
    if missing_us > 0 { Err(missing_us.saturating_add(999) / 1000) } else { Ok(full_at_us) }
}

/// The state of a connection, which is made if there is none.
fn state<'a>(states: &'a mut HashMap<String, State>, connection: &str, now_ms: i64) -> &'a mut State {
    if states.len() >= MAX_REMEMBERED && !states.contains_key(connection) {
        states.retain(|_, state| {
            let is_waiting = now_ms < state.not_before_ms || now_ms.saturating_mul(1000) < state.full_at_us;
            state.circuit != Circuit::Closed || is_waiting
        });
        if states.len() >= MAX_REMEMBERED {
            states.clear();
        }
    }
    states.entry(connection.to_owned()).or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_connection_that_asks_for_a_pause_gets_it_and_others_are_not_affected() {
        let gate = Gate::default();
        gate.answered("a", Some(5_000), 0);
        gate.answered("a", Some(2_000), 0);
        assert_eq!(gate.admit("a", None, 1_000), Err(Shut::Spent(4_000)));
        assert_eq!(gate.admit("b", None, 1_000), Ok(()));
        assert_eq!(gate.admit("a", None, 5_000), Ok(()));
    }

    #[test]
    fn failures_of_one_connection_shut_only_its_gate() {
        let gate = Gate::default();
        for _ in 0..5 {
            gate.failed("a", None, 0);
            gate.failed("b", None, 0);
            gate.answered("b", None, 0);
        }
        assert_eq!(gate.admit("a", None, 0), Err(Shut::Failing(30_000)));
        assert_eq!(gate.admit("b", None, 0), Ok(()));
    }

    #[test]
    fn a_pace_is_a_bucket_that_fills_up_in_its_time() {
        let pace = |requests, millis| Some(Pace { requests, per: Duration::from_millis(millis) });
        let gate = Gate::default();
        // Four at once, then one each quarter of a second.
        for (now_ms, expected) in [
            (0, Ok(())),
            (0, Ok(())),
            (0, Ok(())),
            (0, Ok(())),
            (0, Err(Shut::Paced(250))),
            (200, Err(Shut::Paced(50))),
            (250, Ok(())),
            (250, Err(Shut::Paced(250))),
            (1_000, Ok(())),
            (1_000, Ok(())),
            (1_000, Ok(())),
            (1_000, Err(Shut::Paced(250))),
            (9_000, Ok(())),
        ] {
            assert_eq!(gate.admit("a", pace(4, 1_000), now_ms), expected, "{now_ms}");
        }
        // Others have their own, and who names none is not held up.
        assert_eq!(gate.admit("b", pace(1, 3_000), 0), Ok(()));
        assert_eq!(gate.admit("b", pace(1, 3_000), 0), Err(Shut::Paced(3_000)));
        assert_eq!(gate.admit("b", None, 0), Ok(()));
        // Three in a second are one in 333 milliseconds and a third; none is one.
        let odd = Gate::default();
        for expected in [Ok(()), Ok(()), Ok(()), Err(Shut::Paced(334))] {
            assert_eq!(odd.admit("a", pace(3, 1_000), 0), expected);
        }
        assert_eq!(odd.admit("b", pace(0, 1_000), 0), Ok(()));
        assert_eq!(odd.admit("b", pace(0, 1_000), 0), Err(Shut::Paced(1_000)));
    }

    #[test]
    fn what_an_open_circuit_or_a_spent_limit_refuses_takes_nothing_from_the_pace() {
        let pace = Some(Pace { requests: 1, per: Duration::from_mins(1) });
        let gate = Gate::default();
        for _ in 0..5 {
            gate.failed("a", Some(1_000), 0);
        }
        assert_eq!(gate.admit("a", pace, 0), Err(Shut::Spent(1_000)));
        assert_eq!(gate.admit("a", pace, 1_000), Err(Shut::Failing(29_000)));
        assert_eq!(gate.admit("a", pace, 30_000), Ok(()));
        // And what the pace refuses is no probe.
        gate.failed("a", None, 30_000);
        let wait_ms = match gate.admit("a", pace, 60_000) {
            Err(Shut::Paced(wait_ms)) => wait_ms,
            other => panic!("{other:?}"),
        };
        assert_eq!(gate.admit("a", pace, 60_000 + wait_ms), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let gate = Gate::default();
        for number in 0..3 * MAX_REMEMBERED {
            gate.failed(&number.to_string(), None, 0);
        }
        assert!(gate.lock().len() <= MAX_REMEMBERED);
        let healthy = Gate::default();
        healthy.failed("broken", None, 0);
        for number in 0..2 * MAX_REMEMBERED {
            healthy.answered(&number.to_string(), Some(1), i64::try_from(number).unwrap());
        }
        assert!(healthy.lock().len() <= MAX_REMEMBERED);
        assert!(healthy.lock().contains_key("broken"), "the healthy are forgotten first");
    }
}
