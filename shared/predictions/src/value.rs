//! What an order will be worth: the gamma-gamma model.
//!
//! The values of a customer's orders vary around a mean of their own, gamma distributed (`p`); the means of
//! customers vary too, inversely so (`q`, `gamma`). What such a model expects of a customer is an average: of the
//! customer's orders and of some imagined ones that are worth what everybody's are.

use libm::{exp, lgamma, log};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::decimal::{EXACT, fixed};
use crate::minimum;

/// Some customers with about the same number of orders of about the same value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spending {
    pub(crate) orders: f64,
    /// Of one order, on average.
    pub(crate) value: f64,
}

/// What is expected of a customer's next orders: the average of the customer's own and of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderValue {
    /// How many orders are imagined, at least a millionth of one.
    pub(crate) orders: Decimal,
    /// What they are worth together.
    pub(crate) sum: Decimal,
}

#[derive(Clone, Copy)]
struct GammaGamma {
    p: f64,
    q: f64,
    gamma: f64,
}

impl OrderValue {
    /// The model under which the spending is most likely; each comes with the number of customers it stands for, and
    /// `unit` is what its values are counted in.
    pub(crate) fn fit(spending: &[(Spending, f64)], unit: f64) -> Self {
        let sum = |of: fn(&Spending) -> f64| -> f64 {
            spending.iter().map(|(spending, customers)| customers * of(spending)).sum()
        };
        let customers = sum(|_| 1.0);
        let mean = sum(|spending| spending.value) / customers;
        // In units of the mean, so that one start suits every currency.
        let best = minimum::of([2.0_f64, 2.0, 1.0].map(log), |logarithms| {
            let model = GammaGamma::of_logarithms(logarithms);
            if !model.is_sound() {
                return f64::INFINITY;
            }
            let likelihood: f64 = spending
                .iter()
                .map(|(spending, customers)| {
                    customers * model.ln_likelihood(spending.orders, spending.value / mean)
                })
                .sum();
            -likelihood / customers
        });
        GammaGamma::of_logarithms(&best).order_value(mean * unit)
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.orders > Decimal::ZERO && self.sum >= Decimal::ZERO
    }

    /// What one more order of a customer will be worth; `None` beyond 28 digits.
    pub(crate) fn expected(&self, orders: u64, sum: Decimal) -> Option<Decimal> {
        // Who was given back more than was paid will not be paid for ordering.
        let sum = self.sum.checked_add(sum.max(Decimal::ZERO))?;
        sum.checked_div(self.orders.checked_add(orders.into())?)
    }
}

impl GammaGamma {
    /// `q` is above 1: otherwise there is no mean.
    fn of_logarithms(logarithms: &[f64; 3]) -> Self {
        let [p, above_one, gamma] = logarithms.map(exp);
        Self { p, q: 1.0 + above_one, gamma }
    }

    fn is_sound(&self) -> bool {
        let within = |value: f64| (1e-3..=1e4).contains(&value);
        within(self.p) && within(self.q - 1.0) && (1e-6..=1e9).contains(&self.gamma)
    }

    /// The logarithm of the density of an average value of some orders.
    fn ln_likelihood(&self, orders: f64, value: f64) -> f64 {
        let Self { p, q, gamma } = *self;
        let (shape, sum) = (p * orders, orders * value);
        lgamma(shape + q) - lgamma(shape) - lgamma(q) + q * log(gamma) + shape * log(sum)
            - log(value)
            - (shape + q) * log(gamma + sum)
    }

    /// `unit` is what the model's values are counted in.
    fn order_value(&self, unit: f64) -> OrderValue {
        OrderValue {
            orders: fixed(((self.q - 1.0) / self.p).max(1e-6), EXACT).unwrap_or(Decimal::ONE),
            sum: fixed(self.gamma * unit, EXACT).unwrap_or(Decimal::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_values_of_cdnow() {
        let model = GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 }.order_value(1.0);
        // Repeats of some of the first customers of the data, their average, and what is expected of the next one.
        for (orders, average, published) in
            [(2, "22.35", "24.65"), (1, "11.77", "18.91"), (0, "0", "35.17"), (7, "73.74", "71.46")]
        {
            let [average, published] = [average, published].map(|text| text.parse::<Decimal>().unwrap());
            let expected = model.expected(orders, average * Decimal::from(orders)).unwrap();
            assert!(
                (expected - published).abs() < "0.1".parse().unwrap(),
                "{expected} instead of {published}"
            );
        }
    }

    #[test]
    fn amounts_that_do_not_fit_are_not_expected() {
        let model = OrderValue { orders: Decimal::ONE, sum: Decimal::MAX };
        assert_eq!(model.expected(1, Decimal::ONE), None);
        let model = OrderValue { orders: Decimal::ONE, sum: Decimal::ONE };
        assert_eq!(model.expected(1, Decimal::MAX), None);
        assert_eq!(model.expected(1, Decimal::MIN), Some(Decimal::ONE / Decimal::TWO));
    }
}
