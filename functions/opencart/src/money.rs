//! Amounts. They are stored in the shop's default currency; the buyer saw and paid them in the order's.

use canonical::money::Decimal;
use canonical::{Currency, Money};
use platform::lenient::{Dropped, Field};
use rust_decimal::RoundingStrategy;

/// Digits of a currency whose row is not known.
const DECIMALS: u32 = 2;
/// More digits than any currency has.
const MAX_DECIMALS: u32 = 8;

/// The rate of an order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) currency: Option<Currency>,
    value: Decimal,
    decimals: u32,
}

impl Rate {
    /// Of an order without a currency of its own, amounts are in the shop's.
    pub(crate) fn read(
        dropped: &mut Dropped,
        default: Field<Currency>,
        code: Field<Currency>,
        value: Field<Decimal>,
        decimals: Field<Decimal>,
    ) -> Self {
        let default = dropped.take("currency", default);
        let code = dropped.take("currency_code", code);
        let value = dropped.take("currency_value", value).filter(|value| *value > Decimal::ZERO);
        let decimals =
            dropped.take("decimal_place", decimals).and_then(|decimals| u32::try_from(decimals).ok());
        // Without a rate an amount is still what it was in the shop's currency.
        let converted = code.zip(value);
        let currency = converted.map(|(code, _)| code).or(default).or(code);
        // The digits are those of the order's currency.
        let decimals = decimals.filter(|decimals| *decimals <= MAX_DECIMALS && currency == code);
        Self {
            currency,
            value: converted.map_or(Decimal::ONE, |(_, value)| value),
            decimals: decimals.unwrap_or(DECIMALS),
        }
    }

    /// An amount in the order's currency, rounded as the shop shows it.
    pub(crate) fn convert(
        &self,
        dropped: &mut Dropped,
        name: &'static str,
        field: Field<Decimal>,
    ) -> Option<Decimal> {
        let amount = dropped.take(name, field)?.checked_mul(self.value)?;
        Some(amount.round_dp_with_strategy(self.decimals, RoundingStrategy::MidpointAwayFromZero).normalize())
    }

    pub(crate) fn money(&self, amount: Decimal) -> Money {
        Money { amount, currency: self.currency }
    }
}
