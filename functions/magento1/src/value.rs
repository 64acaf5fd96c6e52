//! Times, amounts and words as Magento writes them.

use canonical::Instant;
use canonical::money::Decimal;
use platform::lenient::{Dropped, Field, Moment};

/// A time; Magento writes UTC without saying so. `0000-00-00 00:00:00` is none.
pub(crate) fn time(dropped: &mut Dropped, name: &'static str, field: Field<Moment>) -> Option<Instant> {
    dropped.take(name, field)?.in_utc()
}

/// An amount without the zeros that the database pads it with.
pub(crate) fn amount(dropped: &mut Dropped, name: &'static str, field: Field<Decimal>) -> Option<Decimal> {
    dropped.take(name, field).map(|amount| amount.normalize())
}

/// A state or a status.
pub(crate) fn word(dropped: &mut Dropped, name: &'static str, field: Field<String>) -> Option<String> {
    dropped.take(name, field).map(|word| word.to_ascii_lowercase())
}
