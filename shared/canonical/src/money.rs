//! Exact amounts of money.

use std::fmt;
use std::str::FromStr;

pub use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An ISO 4217 currency code: three capital letters. The code is kept as it is; no list is consulted,
/// so that a currency that is younger than this crate is not lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// The text is not three letters.
#[derive(Debug, thiserror::Error)]
#[error("not an ISO 4217 currency code")]
pub struct ParseCurrencyError;

impl Currency {
    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = ParseCurrencyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|byte| byte.is_ascii_alphabetic()) => {
                Ok(Self([a, b, c].map(u8::to_ascii_uppercase)))
            }
            _ => Err(ParseCurrencyError),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = ParseCurrencyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// An exact decimal amount, and its currency where the source says one (Klaviyo's API allows a value
/// without).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Money {
    /// The amount in the currency's major unit: 12.50 is twelve euros and fifty cents.
    pub amount: Decimal,
    /// ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
}

impl Money {
    /// An amount in a known currency.
    pub fn new(amount: Decimal, currency: Currency) -> Self {
        Self { amount, currency: Some(currency) }
    }
}

/// Reads an amount from a JSON string or number; platforms mix both. `None` for anything else, and for
/// what a decimal of 28 digits cannot hold.
pub fn decimal_from_json(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => decimal_from_str(text),
        // The number's own shortest text, never its binary value: 41.94 stays 41.94.
        Value::Number(number) => decimal_from_str(&number.to_string()),
        _ => None,
    }
}

/// Reads an amount such as `12.50`, `-3` or `1e3`.
pub fn decimal_from_str(text: &str) -> Option<Decimal> {
    let text = text.trim();
    Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()
}

/// Writes an amount as JSON: a number where that number's shortest text says exactly the same, a string
/// where it would not (more digits than a double holds).
pub fn decimal_to_json(amount: Decimal) -> Value {
    let amount = amount.normalize();
    if let (Ok(integer), 0) = (i64::try_from(amount.mantissa()), amount.scale()) {
        return integer.into();
    }
    let number = exact_f64(amount).and_then(serde_json::Number::from_f64).map(Value::Number);
    number.or_else(|| through_text(amount)).unwrap_or_else(|| Value::String(amount.to_string()))
}

/// The long way, for what is large: the number whose own text says the same, if there is one.
fn through_text(amount: Decimal) -> Option<Value> {
    let number = Value::Number(serde_json::Number::from_f64(amount.to_string().parse().ok()?)?);
    (decimal_from_json(&number) == Some(amount)).then_some(number)
}

/// The double that is written like the decimal: there is one up to 15 significant digits.
#[allow(clippy::float_arithmetic, reason = "both operands are exact, so the quotient is the nearest double")]
fn exact_f64(amount: Decimal) -> Option<f64> {
    const MAX_MANTISSA: i64 = 999_999_999_999_999;
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let mantissa = i64::try_from(amount.mantissa()).ok().filter(|mantissa| mantissa.abs() <= MAX_MANTISSA)?;
    let power = POWERS.get(usize::try_from(amount.scale()).ok()?)?;
    #[allow(clippy::cast_precision_loss, reason = "15 digits fit a double")]
    Some(mantissa as f64 / power)
}
