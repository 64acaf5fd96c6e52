//! Whether a connection may be asked at all now: its circuit, and what it said that it will still take.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
}

/// The state of every connection that was asked lately. Each process has its own.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<HashMap<String, State>>);

#[derive(Debug, Default)]
struct State {
    circuit: Circuit,
    not_before_ms: i64,
}

impl Gate {
    /// Lets a request of a connection through, or not.
    pub(crate) fn admit(&self, connection: &str, now_ms: i64) -> Result<(), Shut> {
        let mut states = self.lock();
        let Some(state) = states.get_mut(connection) else { return Ok(()) };
        if now_ms < state.not_before_ms {
            return Err(Shut::Spent(state.not_before_ms - now_ms));
        }
        state.circuit.admit(now_ms).map_err(Shut::Failing)
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

/// The state of a connection, which is made if there is none. Only connections that have trouble have one.
fn state<'a>(states: &'a mut HashMap<String, State>, connection: &str, now_ms: i64) -> &'a mut State {
    if states.len() >= MAX_REMEMBERED && !states.contains_key(connection) {
        states.retain(|_, state| state.circuit != Circuit::Closed || now_ms < state.not_before_ms);
        if states.len() >= MAX_REMEMBERED {
            states.clear();
        }
    }
    states.entry(connection.to_owned()).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_asks_for_a_pause_gets_it_and_others_are_not_affected() {
        let gate = Gate::default();
        gate.answered("a", Some(5_000), 0);
        gate.answered("a", Some(2_000), 0);
        assert_eq!(gate.admit("a", 1_000), Err(Shut::Spent(4_000)));
        assert_eq!(gate.admit("b", 1_000), Ok(()));
        assert_eq!(gate.admit("a", 5_000), Ok(()));
    }

    #[test]
    fn failures_of_one_connection_shut_only_its_gate() {
        let gate = Gate::default();
        for _ in 0..5 {
            gate.failed("a", None, 0);
            gate.failed("b", None, 0);
            gate.answered("b", None, 0);
        }
        assert_eq!(gate.admit("a", 0), Err(Shut::Failing(30_000)));
        assert_eq!(gate.admit("b", 0), Ok(()));
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
