//! Values as ShopBase writes them: 0 for what is not there, amounts in three shapes.

use canonical::money::Decimal;
use canonical::{Currency, Instant, Money};
use platform::lenient::{Dropped, Field, Id, Lenient, Moment, Object};
use platform::reading::{Reader, Silence};
use serde::Deserialize;
use serde::de::MapAccess;

/// Unix times from here on are milliseconds; in seconds this is the year 5138.
const FIRST_MILLISECONDS: i128 = 100_000_000_000;

/// A text, an id or an object, for whose absence ShopBase also writes 0.
pub(crate) struct Given<T>(Option<T>);

impl<'de, T: Lenient<'de>> Lenient<'de> for Given<T> {
    fn from_text(text: &str) -> Option<Self> {
        if text == "0" { Some(Self(None)) } else { T::from_text(text).map(Some).map(Self) }
    }

    fn from_integer(number: i128) -> Option<Self> {
        if number == 0 { Some(Self(None)) } else { T::from_integer(number).map(Some).map(Self) }
    }

    fn from_float(number: f64) -> Option<Self> {
        T::from_float(number).map(Some).map(Self)
    }

    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        Ok(T::from_object(object)?.map(Some).map(Self))
    }
}

impl<T> Given<T> {
    /// The value, if it is there.
    pub(crate) fn into_option(self) -> Option<T> {
        self.0
    }
}

/// Takes a value out.
pub(crate) fn given<T>(dropped: &mut Dropped, name: &'static str, field: Field<Given<T>>) -> Option<T> {
    dropped.take(name, field)?.into_option()
}

/// Takes an id out.
pub(crate) fn id(dropped: &mut Dropped, name: &'static str, field: Field<Given<Id>>) -> Option<String> {
    given(dropped, name, field).map(|Id(id)| id)
}

/// Takes an id that the delivery makes no sense without; `what` names it in the reason.
pub(crate) fn identity(
    reader: &mut Reader<'_>,
    what: &'static str,
    field: Field<Given<Id>>,
) -> Result<String, Silence> {
    id(&mut reader.dropped, what, field).ok_or_else(|| Silence::Malformed(format!("no usable {what}")))
}

/// A time: with an offset (+00:00), without one (then UTC), or in Unix seconds or milliseconds. 0 and all before
/// 1970, such as the year 1 of an empty time, are none.
#[derive(PartialEq)]
pub(crate) struct Time(Option<Instant>);

impl Time {
    fn new(instant: Instant) -> Self {
        Self(Some(instant).filter(|instant| instant.as_millis() > 0))
    }
}

impl Lenient<'_> for Time {
    fn from_text(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self(None));
        }
        Moment::from_text(text)?.in_utc().map(Self::new)
    }

    fn from_integer(number: i128) -> Option<Self> {
        let millis = if number < FIRST_MILLISECONDS { number.checked_mul(1000)? } else { number };
        Instant::from_millis(millis.try_into().ok()?).map(Self::new)
    }
}

/// Takes a time out.
pub(crate) fn time(dropped: &mut Dropped, name: &'static str, field: Field<Time>) -> Option<Instant> {
    dropped.take(name, field)?.0
}

/// An amount: a text, a number, or an object with the amounts in the shop's currency and the buyer's, of which the
/// shop's counts.
#[derive(Clone, Copy)]
pub(crate) struct Price(pub(crate) Money);

#[derive(Default, Deserialize)]
#[serde(default)]
struct MoneySet {
    shop_money: Field<Object<Amount>>,
    #[serde(flatten)]
    itself: Amount,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Amount {
    amount: Field<Decimal>,
    #[serde(alias = "currency")]
    currency_code: Field<Currency>,
}

impl<'de> Lenient<'de> for Price {
    fn from_text(text: &str) -> Option<Self> {
        Decimal::from_text(text).map(Self::plain)
    }

    fn from_integer(number: i128) -> Option<Self> {
        Decimal::from_integer(number).map(Self::plain)
    }

    fn from_float(number: f64) -> Option<Self> {
        Decimal::from_float(number).map(Self::plain)
    }

    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let Some(Object(set)) = Object::<MoneySet>::from_object(object)? else { return Ok(None) };
        let Amount { amount, currency_code } = set.shop_money.ok().map_or(set.itself, |Object(half)| half);
        Ok(amount.ok().map(|amount| Self(Money { amount, currency: currency_code.ok() })))
    }
}

impl Price {
    fn plain(amount: Decimal) -> Self {
        Self(Money { amount, currency: None })
    }
}

/// A code that was used: a text, or an object that has it in `code`.
pub(crate) struct DiscountCode(pub(crate) Option<String>);

#[derive(Default, Deserialize)]
#[serde(default)]
struct NamedCode {
    code: Field<String>,
}

impl<'de> Lenient<'de> for DiscountCode {
    fn from_text(text: &str) -> Option<Self> {
        Some(Self(Some(text.to_owned()).filter(|text| text != "0")))
    }

    fn from_integer(number: i128) -> Option<Self> {
        Self::from_text(&number.to_string())
    }

    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let Some(Object(named)) = Object::<NamedCode>::from_object(object)? else { return Ok(None) };
        Ok(Some(Self(named.code.ok())))
    }
}
