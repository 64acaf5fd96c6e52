//! When customers order and when they stop: the BG/NBD model.
//!
//! While somebody is a customer, orders come at random at a rate of their own; after an order they may leave for
//! good, with a probability of their own. The rates are gamma distributed among customers (`r`, `alpha`), the
//! probabilities beta distributed (`a`, `b`).

use std::f64::consts::LN_2;

use libm::{exp, expm1, lgamma, log, log1p};
use serde::{Deserialize, Serialize};

use crate::minimum;

/// Logarithm of the highest number that is still far from overflow.
const MAX_LOG: f64 = 700.0;
/// The most orders that are predicted of one customer.
const MAX_ORDERS: u32 = 10_000;
/// The rest of the sum that is neglected.
const NEGLIGIBLE: f64 = 1e-13;

/// The past of one customer, or the means of several that hardly differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    /// Orders after the first.
    pub(crate) repeats: f64,
    /// Orders after which the customer may have left.
    pub(crate) exits: f64,
    /// Time from the first order to the last.
    pub(crate) span: f64,
    /// Time since the last order.
    pub(crate) gap: f64,
}

/// The parameters of the model. The unit of time is that of the histories.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Purchases {
    pub(crate) r: f64,
    pub(crate) alpha: f64,
    pub(crate) a: f64,
    pub(crate) b: f64,
}

impl Purchases {
    /// The parameters under which the histories are most likely; each comes with the number of customers it
    /// stands for.
    pub(crate) fn fit(histories: &[(History, f64)]) -> Self {
        let sum = |of: fn(&History) -> f64| -> f64 {
            histories.iter().map(|(history, customers)| customers * of(history)).sum()
        };
        let customers = sum(|_| 1.0);
        // Begins with customers whose rate is the average one; one more order a day, lest there is none.
        let alpha =
            (1.0 + sum(|history| history.span + history.gap)) / (1.0 + sum(|history| history.repeats));
        let start = Self { r: 1.0, alpha, a: 1.0, b: 3.0 }.bounded();
        let best = minimum::of(start.logarithms(), |logarithms| {
            let model = Self::of_logarithms(logarithms);
            if !model.is_sound() {
                return f64::INFINITY;
            }
            let likelihood: f64 =
                histories.iter().map(|(history, customers)| customers * model.ln_likelihood(history)).sum();
            -likelihood / customers
        });
        Self::of_logarithms(&best).bounded()
    }

    /// Whether every parameter is within what the computations below can bear.
    pub(crate) fn is_sound(&self) -> bool {
        let within = |value: f64, most: f64| (1e-3..=most).contains(&value);
        within(self.r, 1e4) && within(self.alpha, 1e6) && within(self.a, 1e4) && within(self.b, 1e4)
    }

    /// Moved into the sound range and rounded to nine decimals: 15 digits, which survive being written as JSON.
    fn bounded(self) -> Self {
        let bounded = |value: f64, most: f64| libm::round(value.clamp(1e-3, most) * 1e9) / 1e9;
        Self {
            r: bounded(self.r, 1e4),
            alpha: bounded(self.alpha, 1e6),
            a: bounded(self.a, 1e4),
            b: bounded(self.b, 1e4),
        }
    }

    fn logarithms(self) -> [f64; 4] {
        [self.r, self.alpha, self.a, self.b].map(log)
    }

    fn of_logarithms(logarithms: &[f64; 4]) -> Self {
        let [r, alpha, a, b] = logarithms.map(exp);
        Self { r, alpha, a, b }
    }

    /// The logarithm of the likelihood of one customer's history.
    fn ln_likelihood(&self, history: &History) -> f64 {
        let Self { r, alpha, a, b } = *self;
        let History { repeats, exits, span, gap } = *history;
        let rate = lgamma(r + repeats) - lgamma(r) + r * log(alpha) - (r + repeats) * log(alpha + span + gap);
        let stayed = lgamma(b + exits) - lgamma(b) - lgamma(a + b + exits) + lgamma(a + b);
        // ln(1 + odds), without overflow.
        let odds = self.ln_odds(history);
        rate + stayed + odds.max(0.0) + log1p(exp(-odds.abs()))
    }

    /// The logarithm of the odds that the customer has left after the last order.
    fn ln_odds(&self, history: &History) -> f64 {
        if history.exits < 1.0 {
            return f64::NEG_INFINITY;
        }
        let silence = log1p(history.gap / (self.alpha + history.span));
        log(self.a / (self.b + history.exits - 1.0)) + (self.r + history.repeats) * silence
    }

    /// The probability that the customer has left.
    pub(crate) fn left(&self, history: &History) -> f64 {
        // Of the odds and of their inverse, the one that does not overflow.
        let odds = self.ln_odds(history);
        let small = exp(-odds.abs());
        if odds > 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) }
    }

    /// How many orders are expected within a time from now on.
    pub(crate) fn expected(&self, history: &History, time: f64) -> f64 {
        (1.0 - self.left(history)) * self.expected_of_customer(history, time)
    }

    /// The same for somebody who has not left.
    ///
    /// The published formula has a singularity at a = 1 and a hypergeometric function. This is the same sum, term
    /// by term: one more order comes after `n` further ones if somebody who never leaves would place more than `n`
    /// (a negative binomial distribution), and the customer stayed after each of the `n`. No term is negative,
    /// and each becomes smaller the longer nothing was ordered; so does their sum.
    fn expected_of_customer(&self, history: &History, time: f64) -> f64 {
        let exposure = time / (self.alpha + history.span + history.gap);
        // Who orders many times a day is no customer but a till; the bound keeps the first term above zero.
        let shape = (self.r + history.repeats).min(MAX_LOG / log1p(exposure));
        let ratio = exposure / (1.0 + exposure);
        let mut exactly = exp(-shape * log1p(exposure));
        let mut more = 1.0 - exactly;
        let mut stays = 1.0;
        let mut expected = 0.0;
        for order in (0..MAX_ORDERS).map(f64::from) {
            if more * stays < NEGLIGIBLE {
                break;
            }
            expected += more * stays;
            stays *= (self.b + history.exits + order) / (self.a + self.b + history.exits + order);
            exactly *= ratio * (shape + order) / (order + 1.0);
            more = (more - exactly).max(0.0);
        }
        expected
    }

    /// The time after the last order within which half of those who order again have done so.
    pub(crate) fn median_wait(&self, history: &History) -> f64 {
        (self.alpha + history.span) * expm1(LN_2 / (self.r + history.repeats))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The CDNOW data of the paper, in weeks.
    const CDNOW: Purchases = Purchases { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };

    /// As in the paper: nobody leaves after the first order.
    fn history(repeats: f64, span: f64, age: f64) -> History {
        History { repeats, exits: repeats, span, gap: age - span }
    }

    fn close(actual: f64, expected: f64, tolerance: f64) {
        assert!((actual - expected).abs() < tolerance, "{actual} instead of {expected}");
    }

    #[test]
    fn the_published_expectation_of_a_customer_with_two_repeats() {
        close(CDNOW.expected(&history(2.0, 30.43, 38.86), 39.0), 1.226, 1e-3);
    }

    #[test]
    fn the_published_expectations_of_a_new_customer() {
        let published = [
            (0.1429, 0.0078),
            (1.0, 0.0532),
            (3.0, 0.1506),
            (31.8571, 1.0405),
            (32.0, 1.0437),
            (78.0, 1.8576),
        ];
        for (weeks, expected) in published {
            // The published ones are of parameters that are not rounded.
            close(CDNOW.expected(&history(0.0, 0.0, 0.0), weeks), expected, 3e-3);
        }
    }

    /// The published formulas, with the hypergeometric function, computed with 40 digits by mpmath.
    #[test]
    fn the_sum_is_the_published_formula() {
        let model = |[r, alpha, a, b]: [f64; 4]| Purchases { r, alpha, a, b };
        let weeks = [0.525, 6.183, 0.891, 1.614];
        let days = [0.525, 43.281, 0.891, 1.614];
        // Parameters; repeats, exits, span, gap, time; expected orders, probability to have left.
        let computed = [
            (CDNOW, [2.0, 2.0, 30.43, 8.43, 39.0], 1.226_028_174_767_14, 0.273_421_429_919_327),
            (model(weeks), [0.0, 1.0, 0.0, 38.86, 39.0], 0.154_012_746_675_147, 0.610_264_919_081_237),
            (model(weeks), [7.0, 8.0, 29.43, 9.43, 39.0], 3.167_572_432_298_69, 0.377_276_185_830_888),
            (model(days), [0.0, 1.0, 0.0, 0.0, 365.0], 1.422_125_725_815_47, 0.355_688_622_754_491),
            (model(days), [300.0, 301.0, 700.0, 20.0, 365.0], 12.475_304_594_918_9, 0.896_135_456_052_115),
            // Next to the singularity of the formula.
            (
                model([2.5, 30.5, 1.000_000_001, 3.2]),
                [4.0, 5.0, 100.0, 60.0, 365.0],
                2.869_639_695_055_56,
                0.618_864_706_005_464,
            ),
            (
                model([0.05, 900.0, 0.02, 9.0]),
                [1.0, 2.0, 3.0, 3997.0, 365.0],
                0.077_290_684_333_242_6,
                0.011_672_519_628_774_2,
            ),
            (
                model([12.0, 400.0, 5.0, 0.3]),
                [25.0, 26.0, 500.0, 10.0, 365.0],
                4.660_931_073_967_77,
                0.229_255_020_145_619,
            ),
        ];
        for (model, [repeats, exits, span, gap, time], expected, left) in computed {
            let history = History { repeats, exits, span, gap };
            close(model.expected(&history, time), expected, 1e-9);
            close(model.left(&history), left, 1e-12);
        }
    }

    #[test]
    fn half_of_those_who_order_again_have_done_so_after_the_median_wait() {
        for (repeats, span) in [(0.0, 0.0), (1.0, 5.0), (20.0, 70.0)] {
            let wait = CDNOW.median_wait(&history(repeats, span, span));
            let nothing = ((4.414 + span) / (4.414 + span + wait)).powf(0.243 + repeats);
            close(nothing, 0.5, 1e-9);
        }
    }

    #[test]
    fn nothing_overflows() {
        let extremes = [0.0, 1.0, 1e3, 1e10, 2e19];
        for [r, alpha, a, b] in
            [[1e-3; 4], [1e4, 1e6, 1e4, 1e4], [1e4, 1e-3, 1e-3, 1e4], [1e-3, 1e6, 1e4, 1e-3]]
        {
            let model = Purchases { r, alpha, a, b };
            for repeats in extremes {
                for span in extremes {
                    for gap in extremes {
                        let history = History { repeats, exits: repeats + 1.0, span, gap };
                        let (left, expected) = (model.left(&history), model.expected(&history, 365.0));
                        assert!((0.0..=1.0).contains(&left), "{model:?} {history:?} {left}");
                        assert!((0.0..=1e4).contains(&expected), "{model:?} {history:?} {expected}");
                        assert!(model.ln_likelihood(&history).is_finite(), "{model:?} {history:?}");
                    }
                }
            }
        }
    }
}
