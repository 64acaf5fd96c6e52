//! How often one key has called one operation, as one process sees it. Pure: the time is passed in.
//!
//! There are two fixed windows, as Klaviyo has them. The second is counted here alone. The minute is counted in a counter that all
//! processes share; of it each takes a share at a time, so that most requests cost nothing. Shares that others have not used up
//! yet must not keep anybody from asking: each further process that takes part raises what may be taken by as much as it can
//! hold unused. So nobody is refused before as many requests as the limit says were admitted, one process alone admits exactly
//! those, and each further one at most a share less one more.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// Of a limit this part is taken at a time.
const SHARES: u32 = 100;
const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;

/// Requests that are admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// In a second.
    pub(crate) burst: u32,
    /// In a minute.
    pub(crate) steady: u32,
}

impl Limit {
    /// So many times the limit, and at least one request.
    pub(crate) fn times(self, factor: Decimal) -> Self {
        let scale = |limit: u32| {
            let scaled = Decimal::from(limit).checked_mul(factor).unwrap_or(Decimal::MAX);
            scaled.trunc().to_u32().unwrap_or(u32::MAX).max(1)
        };
        Self { burst: scale(self.burst), steady: scale(self.steady) }
    }

    /// How many requests of a minute are taken at a time.
    pub(crate) fn share(self) -> u32 {
        (self.steady / SHARES).max(1)
    }
}

/// What is to be done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is admitted, and counted.
    Pass(Standing),
    /// It is not; it may be in so many seconds.
    Wait(u32),
    /// A share of this minute must be taken first.
    Take(Share),
}

/// A share to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// Minutes since 1970.
    pub(crate) minute: i64,
    pub(crate) count: u32,
    /// Whether it is the first one that this process takes in this minute.
    pub(crate) joins: bool,
}

/// How a key stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Requests of a minute.
    pub(crate) limit: u32,
    /// How many are left of them, as far as is known here.
    pub(crate) remaining: u32,
    /// Seconds until the next minute.
    pub(crate) reset: u32,
}

/// Counts the calls of one operation with one key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    second: i64,
    asked_in_second: u32,
    minute: i64,
    /// Taken and not used.
    held: u32,
    /// What all together had not taken when this process last did.
    free: u32,
    joined: bool,
    exhausted: bool,
}

impl Meter {
    /// Whether a request may be done. One that may is counted. A clock that is set back is taken to stand still.
    pub(crate) fn ask(&mut self, limit: Limit, now_ms: i64) -> Verdict {
        let second = now_ms.div_euclid(SECOND_MS).max(self.second);
        if second > self.second {
            (self.second, self.asked_in_second) = (second, 0);
        }
        let minute = now_ms.div_euclid(MINUTE_MS).max(self.minute);
        if minute > self.minute {
            let (second, asked_in_second) = (self.second, self.asked_in_second);
            *self = Self { second, asked_in_second, minute, ..Self::default() };
        }
        let reset = seconds_until((minute + 1) * MINUTE_MS, now_ms);
        if self.asked_in_second >= limit.burst {
            return Verdict::Wait(seconds_until((second + 1) * SECOND_MS, now_ms));
        }
        if self.held == 0 && self.exhausted {
            return Verdict::Wait(reset);
        }
        if self.held == 0 {
            return Verdict::Take(Share { minute, count: limit.share(), joins: !self.joined });
        }
        self.held -= 1;
        self.asked_in_second += 1;
        let remaining = self.free.saturating_add(self.held).min(limit.steady);
        Verdict::Pass(Standing { limit: limit.steady, remaining, reset })
    }

    /// Notes what the shared counter said when a share was taken: what all have taken, it included, and how many they
    /// are.
    pub(crate) fn taken(&mut self, share: Share, limit: Limit, taken: u64, takers: u64) {
        if share.minute != self.minute {
            // What was taken of a minute that has passed is of no use.
            return;
        }
        let held_by_others = takers.saturating_sub(1).saturating_mul(u64::from(limit.share() - 1));
        let bound = u64::from(limit.steady).saturating_add(held_by_others);
        let before = taken.saturating_sub(u64::from(share.count));
        let granted = bound.saturating_sub(before).min(u64::from(share.count));
        self.held = self.held.saturating_add(narrow(granted));
        self.free = narrow(u64::from(limit.steady).saturating_sub(taken));
        self.exhausted = granted < u64::from(share.count);
        self.joined = true;
    }

    /// Goes on without the shared counter, which could not be asked.
    pub(crate) fn uncounted(&mut self, share: Share) {
        if share.minute == self.minute {
            self.held = self.held.saturating_add(share.count);
        }
    }

    /// When nothing of it is of use any more: the end of its minute, in milliseconds since 1970.
    pub(crate) fn ends_ms(&self) -> i64 {
        (self.minute + 1).saturating_mul(MINUTE_MS)
    }
}

/// At least one: who waits no time asks in the same window again.
fn seconds_until(end_ms: i64, now_ms: i64) -> u32 {
    let millis = end_ms.saturating_sub(now_ms).max(1);
    u32::try_from((millis + SECOND_MS - 1) / SECOND_MS).unwrap_or(u32::MAX)
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const SMALL: Limit = Limit { burst: 3, steady: 60 };
    const LARGE: Limit = Limit { burst: 75, steady: 750 };
    /// The beginning of a minute.
    const START_MS: i64 = 29_000_000 * MINUTE_MS;

    /// The counter that all share, by minute: taken, takers.
    type Counter = BTreeMap<i64, (u64, u64)>;

    fn take(counter: &mut Counter, share: Share) -> (u64, u64) {
        let (taken, takers) = counter.entry(share.minute).or_default();
        *taken += u64::from(share.count);
        *takers += u64::from(share.joins);
        (*taken, *takers)
    }

    /// Asks, and takes shares as long as they are wanted.
    fn ask(meter: &mut Meter, counter: &mut Counter, limit: Limit, now_ms: i64) -> Verdict {
        loop {
            match meter.ask(limit, now_ms) {
                Verdict::Take(share) => {
                    let (taken, takers) = take(counter, share);
                    meter.taken(share, limit, taken, takers);
                }
                verdict => return verdict,
            }
        }
    }

    #[test]
    fn one_process_admits_exactly_the_limit_of_each_minute() {
        for limit in [SMALL, LARGE, Limit { burst: 350, steady: 3500 }, Limit { burst: 1, steady: 1 }] {
            let (mut meter, mut counter) = (Meter::default(), Counter::new());
            for minute in 0..2 {
                let passed = (0..60_000).step_by(10).filter(|millis| {
                    let now_ms = START_MS + minute * MINUTE_MS + millis;
                    matches!(ask(&mut meter, &mut counter, limit, now_ms), Verdict::Pass(_))
                });
                assert_eq!(passed.count(), limit.steady as usize, "{limit:?}");
            }
            let writes = counter.values().map(|(taken, _)| taken / u64::from(limit.share()));
            assert!(writes.max() <= Some(u64::from(limit.steady / limit.share()) + 1), "{counter:?}");
        }
    }

    #[test]
    fn a_second_is_over_at_the_next_full_one_and_a_minute_at_the_next_full_one() {
        let (mut meter, mut counter) = (Meter::default(), Counter::new());
        let mut ask = |millis| ask(&mut meter, &mut counter, SMALL, START_MS + millis);
        for remaining in [59, 58, 57] {
            assert_eq!(ask(200), Verdict::Pass(Standing { limit: 60, remaining, reset: 60 }));
        }
        assert_eq!(ask(200), Verdict::Wait(1));
        assert_eq!(ask(999), Verdict::Wait(1));
        assert_eq!(ask(1000), Verdict::Pass(Standing { limit: 60, remaining: 56, reset: 59 }));
        for second in 2..=19 {
            for _ in 0..3 {
                assert!(matches!(ask(second * 1000), Verdict::Pass(_)));
            }
        }
        assert!(matches!(ask(20_000), Verdict::Pass(_)));
        assert_eq!(ask(20_100), Verdict::Pass(Standing { limit: 60, remaining: 0, reset: 40 }));
        assert_eq!(ask(20_200), Verdict::Wait(40));
        assert_eq!(ask(59_001), Verdict::Wait(1));
        assert_eq!(ask(60_000), Verdict::Pass(Standing { limit: 60, remaining: 59, reset: 60 }));
    }

    #[test]
    fn who_is_refused_for_the_second_uses_nothing_of_the_minute() {
        let (mut meter, mut counter) = (Meter::default(), Counter::new());
        for _ in 0..1000 {
            ask(&mut meter, &mut counter, SMALL, START_MS);
        }
        assert_eq!(counter.values().next(), Some(&(3, 1)));
    }

    #[test]
    fn without_the_counter_requests_go_through_and_it_is_asked_again_for_the_next_share() {
        let mut meter = Meter::default();
        for _ in 0..3 {
            let Verdict::Take(share) = meter.ask(LARGE, START_MS) else { panic!() };
            assert_eq!(share, Share { minute: START_MS / MINUTE_MS, count: 7, joins: true });
            meter.uncounted(share);
            for _ in 0..7 {
                assert!(matches!(meter.ask(LARGE, START_MS), Verdict::Pass(_)));
            }
        }
        let Verdict::Take(share) = meter.ask(LARGE, START_MS) else { panic!() };
        meter.taken(share, LARGE, 7, 1);
        let standing = Standing { limit: 750, remaining: 749, reset: 60 };
        assert_eq!(meter.ask(LARGE, START_MS), Verdict::Pass(standing));
    }

    #[test]
    fn a_share_of_a_minute_that_has_passed_meanwhile_is_of_no_use() {
        let mut meter = Meter::default();
        let Verdict::Take(share) = meter.ask(LARGE, START_MS) else { panic!() };
        assert!(matches!(meter.ask(LARGE, START_MS + MINUTE_MS), Verdict::Take(_)));
        meter.taken(share, LARGE, 7, 1);
        let Verdict::Take(next) = meter.ask(LARGE, START_MS + MINUTE_MS) else { panic!() };
        assert_eq!((next.minute, next.joins), (share.minute + 1, true));
    }

    #[test]
    fn a_factor_scales_both_windows_and_never_to_nothing() {
        let times = |limit: Limit, factor: &str| limit.times(factor.parse().unwrap());
        assert_eq!(times(SMALL, "2.5"), Limit { burst: 7, steady: 150 });
        assert_eq!(times(SMALL, "0.001"), Limit { burst: 1, steady: 1 });
        assert_eq!(times(LARGE, "1"), LARGE);
        let most = Limit { burst: u32::MAX, steady: u32::MAX };
        assert_eq!(times(most, "1000"), most);
    }

    proptest! {
        /// Requests at any processes and times. Between asking and taking, others may do the same.
        #[test]
        fn no_minute_admits_less_than_its_limit_or_much_more(
            (burst, steady) in (1_u32..=200, 1_u32..=800),
            processes in 1_usize..=6,
            steps in prop::collection::vec((0_usize..6, 0_i64..=40, any::<bool>()), 1..3000),
        ) {
            let limit = Limit { burst, steady };
            let mut meters = vec![Meter::default(); processes];
            let mut counter = Counter::new();
            // Shares that were taken, of which the answers are still under way.
            let mut under_way = vec![None; processes];
            let mut admitted: BTreeMap<i64, u64> = BTreeMap::new();
            let mut by_second: BTreeMap<(usize, i64), u32> = BTreeMap::new();
            let mut now_ms = START_MS;
            for (process, pause, arrives) in steps {
                let process = process % processes;
                now_ms += pause;
                if let Some((share, taken, takers)) = under_way[process].filter(|_| arrives) {
                    meters[process].taken(share, limit, taken, takers);
                    under_way[process] = None;
                }
                if under_way[process].is_some() {
                    continue;
                }
                match meters[process].ask(limit, now_ms) {
                    Verdict::Take(share) => {
                        let (taken, takers) = take(&mut counter, share);
                        under_way[process] = Some((share, taken, takers));
                    }
                    Verdict::Pass(standing) => {
                        prop_assert!(standing.remaining <= steady && (1..=60).contains(&standing.reset));
                        *admitted.entry(now_ms.div_euclid(MINUTE_MS)).or_default() += 1;
                        *by_second.entry((process, now_ms.div_euclid(SECOND_MS))).or_default() += 1;
                    }
                    Verdict::Wait(seconds) => {
                        prop_assert!((1..=60).contains(&seconds));
                        let minute = now_ms.div_euclid(MINUTE_MS);
                        let in_second = by_second.get(&(process, now_ms.div_euclid(SECOND_MS)));
                        // What others have just taken for a request that is being done counts as admitted.
                        let coming = under_way.iter().flatten().filter(|(share, ..)| share.minute == minute).count();
                        let all = admitted.get(&minute).copied().unwrap_or_default() + coming as u64;
                        prop_assert!(in_second == Some(&burst) || all >= u64::from(steady), "refused after {all}");
                    }
                }
            }
            for (minute, count) in admitted {
                let further = (processes as u64 - 1) * u64::from(limit.share() - 1);
                prop_assert!(count <= u64::from(steady) + further, "{count} in {minute}");
            }
            prop_assert!(by_second.values().all(|count| *count <= burst));
        }

        /// Wherever the clock jumps to.
        #[test]
        fn any_clock_will_do(times in prop::collection::vec(any::<i64>(), 0..50)) {
            let (mut meter, mut counter) = (Meter::default(), Counter::new());
            for now_ms in times {
                let now_ms = now_ms / 4;
                let verdict = ask(&mut meter, &mut counter, SMALL, now_ms);
                prop_assert!(!matches!(verdict, Verdict::Wait(0)));
            }
        }
    }
}
