//! What is known of a customer.

use rust_decimal::Decimal;

use crate::decimal::told;

/// The orders of one customer: all that the predictions look at.
///
/// Days are numbered by the caller, in the zone of the account. They may be in any order and in the future;
/// nothing here fails on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orders {
    /// How many.
    pub count: u64,
    /// What they were worth together, less what was given back.
    pub sum: Decimal,
    /// The day of the first.
    pub first_day: i64,
    /// The day of the last.
    pub last_day: i64,
}

impl Orders {
    /// Days between two orders, on average; `None` with less than two.
    pub fn average_days_between(&self) -> Option<Decimal> {
        let gaps = self.count.checked_sub(1)?;
        Decimal::from(self.span()).checked_div(gaps.into()).map(told)
    }

    /// What an order was worth, on average; `None` without one.
    pub fn average_value(&self) -> Option<Decimal> {
        self.sum.checked_div(self.count.into()).map(told)
    }

    /// Days from the first order to the last.
    pub(crate) fn span(&self) -> u64 {
        if self.count < 2 { 0 } else { self.first_day.abs_diff(self.last_day) }
    }

    /// The day of the last one.
    pub(crate) fn last(&self) -> i64 {
        self.first_day.max(self.last_day)
    }

    /// Days since the last one.
    pub(crate) fn gap(&self, today: i64) -> u64 {
        if today > self.last() { today.abs_diff(self.last()) } else { 0 }
    }
}
