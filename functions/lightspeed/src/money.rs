//! Sums and rounding: lines have more digits than money.

use canonical::Currency;
use canonical::money::Decimal;
use rust_decimal::RoundingStrategy;

/// ISO 4217 currencies without a minor unit, and those with a thousandth.
const WHOLE: [&str; 17] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
    "XOF", "XPF",
];
const THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// Rounds to what can be paid: half a cent goes up.
pub(crate) fn round(amount: Decimal, currency: Option<Currency>) -> Decimal {
    let digits = match currency.as_ref().map(Currency::as_str) {
        Some(code) if WHOLE.contains(&code) => 0,
        Some(code) if THOUSANDTHS.contains(&code) => 3,
        _ => 2,
    };
    amount.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero).normalize()
}

/// `None` for what a decimal cannot hold.
pub(crate) fn sum(amounts: impl IntoIterator<Item = Decimal>) -> Option<Decimal> {
    amounts.into_iter().try_fold(Decimal::ZERO, Decimal::checked_add)
}
