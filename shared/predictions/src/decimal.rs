//! From floating point, in which models are computed, to decimals, in which they are compared.

use rust_decimal::Decimal;

/// Decimals of every figure that is told. The noise of floating point is far behind them.
pub(crate) const TOLD: u32 = 4;
/// Decimals of what is multiplied before it is told.
pub(crate) const EXACT: u32 = 9;

/// The nearest decimal; `None` for what is no number or beyond 28 digits.
pub(crate) fn fixed(value: f64, decimals: u32) -> Option<Decimal> {
    let scaled = value * f64::from(10_u32.pow(decimals));
    if !scaled.is_finite() {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "saturates; the decimal has fewer bits anyway")]
    let mantissa = libm::round(scaled) as i128;
    Decimal::try_from_i128_with_scale(mantissa, decimals).ok()
}

/// What is told of a decimal.
pub(crate) fn told(value: Decimal) -> Decimal {
    value.round_dp(TOLD).normalize()
}
