//! The circuit breaker of one connection: whoever fails again and again is left alone for a while. Pure: the clock
//! is a parameter.

/// Failures in a row that open the circuit.
const THRESHOLD: u32 = 5;
/// How long it stays open first, and at most, as each failed probe doubles it.
const FIRST_MS: i64 = 30_000;
const LONGEST_MS: i64 = 600_000;
/// How long a probe may go without a result before the next is let through; its request has ended by then.
const PROBE_MS: i64 = 15_000;

/// Closed (requests pass), open (none does), or half open (one does, the probe, and decides).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Circuit {
    #[default]
    Closed,
    /// Closed, after so many failures in a row.
    Failing(u32),
    Open {
        until_ms: i64,
        length_ms: i64,
    },
    /// `until_ms` is when a probe without a result is given up.
    HalfOpen {
        until_ms: i64,
        length_ms: i64,
    },
}

impl Circuit {
    /// Lets a request through, or says for how many milliseconds none will be.
    pub(crate) fn admit(&mut self, now_ms: i64) -> Result<(), i64> {
        match *self {
            Self::Closed | Self::Failing(_) => Ok(()),
            Self::Open { until_ms, .. } | Self::HalfOpen { until_ms, .. } if now_ms < until_ms => {
                Err(until_ms - now_ms)
            }
            Self::Open { length_ms, .. } | Self::HalfOpen { length_ms, .. } => {
                *self = Self::HalfOpen { until_ms: now_ms + PROBE_MS, length_ms };
                Ok(())
            }
        }
    }

    /// A request was answered.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::Closed;
    }

    /// A request was not answered, or with a server's error.
    pub(crate) fn failed(&mut self, now_ms: i64) {
        let open = |length_ms| Self::Open { until_ms: now_ms + length_ms, length_ms };
        *self = match *self {
            Self::Closed => Self::Failing(1),
            Self::Failing(before) if before + 1 < THRESHOLD => Self::Failing(before + 1),
            Self::Failing(_) => open(FIRST_MS),
            // Sent before it opened: says nothing new.
            Self::Open { until_ms, length_ms } => Self::Open { until_ms, length_ms },
            Self::HalfOpen { length_ms, .. } => open((length_ms * 2).min(LONGEST_MS)),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opened() -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..THRESHOLD {
            assert_eq!(circuit.admit(0), Ok(()));
            circuit.failed(0);
        }
        circuit
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut circuit = Circuit::default();
        for _ in 0..THRESHOLD - 1 {
            circuit.failed(0);
        }
        circuit.succeeded();
        for _ in 0..THRESHOLD - 1 {
            circuit.failed(0);
        }
        assert_eq!(circuit.admit(0), Ok(()));
        circuit.failed(0);
        assert_eq!(circuit.admit(0), Err(30_000));
        assert_eq!(circuit.admit(29_999), Err(1));
    }

    #[test]
    fn one_probe_is_let_through_and_its_success_closes() {
        let mut circuit = opened();
        assert_eq!(circuit.admit(30_000), Ok(()));
        assert_eq!(circuit.admit(30_000), Err(PROBE_MS));
        circuit.succeeded();
        assert_eq!(circuit, Circuit::Closed);
    }

    #[test]
    fn each_failed_probe_doubles_the_time_up_to_ten_minutes() {
        let mut circuit = opened();
        let mut now_ms = 30_000;
        for expected in [60_000, 120_000, 240_000, 480_000, 600_000, 600_000] {
            assert_eq!(circuit.admit(now_ms), Ok(()));
            circuit.failed(now_ms);
            assert_eq!(circuit.admit(now_ms), Err(expected));
            now_ms += expected;
        }
    }

    #[test]
    fn requests_that_were_under_way_when_it_opened_do_not_prolong_it() {
        let mut circuit = opened();
        circuit.failed(10_000);
        assert_eq!(circuit.admit(10_000), Err(20_000));
    }

    #[test]
    fn a_probe_that_never_reports_is_given_up() {
        let mut circuit = opened();
        assert_eq!(circuit.admit(30_000), Ok(()));
        assert_eq!(circuit.admit(30_000 + PROBE_MS), Ok(()));
    }

    proptest! {
        /// Whatever happens: a refusal names a time after which a request does pass, of ten minutes at most; while
        /// it is open at most one request per probe time passes; a success closes it.
        #[test]
        fn laws(steps in proptest::collection::vec((0..4_u8, 0..40_000_i64), 0..200)) {
            let mut circuit = Circuit::default();
            let mut now_ms = 0;
            let mut last_probe = None;
            for (step, pause_ms) in steps {
                now_ms += pause_ms;
                match step {
                    0 => {
                        circuit.succeeded();
                        prop_assert_eq!(circuit.admit(now_ms), Ok(()));
                        last_probe = None;
                    }
                    1 => circuit.failed(now_ms),
                    _ => {
                        let was_open = !matches!(circuit, Circuit::Closed | Circuit::Failing(_));
                        match circuit.admit(now_ms) {
                            Err(wait_ms) => {
                                prop_assert!(was_open && wait_ms > 0 && wait_ms <= LONGEST_MS);
                                prop_assert_eq!(circuit.clone().admit(now_ms + wait_ms), Ok(()));
                            }
                            Ok(()) if was_open => {
                                prop_assert!(last_probe.is_none_or(|last| now_ms - last >= PROBE_MS));
                                last_probe = Some(now_ms);
                            }
                            Ok(()) => {}
                        }
                    }
                }
            }
        }
    }
}
