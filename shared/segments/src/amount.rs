//! Sums without rounding: fixed-point numbers whose addition does not depend on its order.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use crate::definition::{Comparison, NumericTest};

/// Decimals after the point.
const SCALE: u32 = 10;
const ONE: i128 = 10_i128.pow(SCALE);
/// Values beyond are no amounts of money.
const MAX_VALUE: i64 = 1_000_000_000_000_000_000;

/// What an event's value adds to a sum.
pub(crate) fn of_value(value: Option<Decimal>) -> i128 {
    let Some(value) = value.filter(|value| value.abs() <= Decimal::from(MAX_VALUE)) else { return 0 };
    let value = value.round_dp(SCALE);
    value.mantissa() * 10_i128.pow(SCALE.saturating_sub(value.scale()))
}

/// The decimal a sum stands for; `None` beyond 28 digits.
pub(crate) fn to_decimal(sum: i128) -> Option<Decimal> {
    Decimal::try_from_i128_with_scale(sum, SCALE).ok().map(|sum| sum.normalize())
}

/// A comparison with a number, made ready for integers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Threshold {
    comparison: Comparison,
    /// The number, rounded down.
    floor: i128,
    /// Whether nothing was lost by that.
    is_exact: bool,
}

impl Threshold {
    /// For counts: `unit` is 1; for sums, a fixed-point one.
    pub(crate) fn new(test: NumericTest, is_sum: bool) -> Self {
        let unit = if is_sum { ONE } else { 1 };
        let divisor = 10_i128.pow(test.value.scale());
        // At most 28 digits before the point of the quotient and 10 behind: fits in 128 bits.
        let (whole, rest) =
            (test.value.mantissa().div_euclid(divisor), test.value.mantissa().rem_euclid(divisor));
        let rest = rest * unit;
        Self {
            comparison: test.comparison,
            floor: whole * unit + rest.div_euclid(divisor),
            is_exact: rest.rem_euclid(divisor) == 0,
        }
    }

    pub(crate) fn holds(&self, amount: i128) -> bool {
        self.comparison.holds(&self.side(amount), &Ordering::Equal)
    }

    /// On which side of the number the amount lies.
    pub(crate) fn side(&self, amount: i128) -> Ordering {
        match amount.cmp(&self.floor) {
            Ordering::Equal if !self.is_exact => Ordering::Less,
            side => side,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn thresholds_compare_as_decimals_do(
            amount in -1_000_000_i64..1_000_000, scale in 0_u32..12, value in -1_000_000_i64..1_000_000,
            value_scale in 0_u32..14,
        ) {
            let value = Decimal::new(value, value_scale);
            let amount = Decimal::new(amount, scale).round_dp(SCALE);
            for comparison in [
                Comparison::Equals, Comparison::NotEquals, Comparison::GreaterThan,
                Comparison::GreaterThanOrEqual, Comparison::LessThan, Comparison::LessThanOrEqual,
            ] {
                let test = NumericTest { comparison, value };
                prop_assert_eq!(Threshold::new(test, true).holds(of_value(Some(amount))), test.holds(amount));
                let count = amount.trunc();
                prop_assert_eq!(Threshold::new(test, false).holds(count.mantissa() / 10_i128.pow(count.scale())), test.holds(count));
            }
            prop_assert_eq!(to_decimal(of_value(Some(amount))), Some(amount.normalize()));
        }
    }
}
