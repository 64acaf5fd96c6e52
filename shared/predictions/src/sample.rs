//! The customers a model is fitted to, in bounded memory.

mod bytes;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

pub use bytes::Damaged;

use crate::model::{Model, VERSION};
use crate::orders::Orders;
use crate::purchases::{History, Purchases};
use crate::value::{OrderValue, Spending};

/// Values are grouped in parts of the currency's unit.
const PARTS: u32 = 10_000;

/// How much must be known before anything is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minimums {
    /// Customers with an order.
    pub customers: u64,
    /// Days since the oldest order.
    pub history_days: u64,
    /// Days within which there was an order.
    pub recent_days: u64,
    /// Customers with three orders or more.
    pub loyal_customers: u64,
}

impl Default for Minimums {
    /// Those Klaviyo states; for its "some" customers with three orders, ten.
    fn default() -> Self {
        Self { customers: 500, history_days: 180, recent_days: 30, loyal_customers: 10 }
    }
}

/// Which minimum is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum NotEnough {
    #[error("{have} customers have placed an order that was not given back; predictions need {needed}")]
    Customers { have: u64, needed: u64 },
    #[error("the oldest order is {have} days old; predictions need {needed} days of orders")]
    History { have: u64, needed: u64 },
    #[error("the newest order is {have} days old; predictions need one of the last {needed} days")]
    Recent { have: u64, needed: u64 },
    #[error("{have} customers have placed three orders or more; predictions need {needed}")]
    LoyalCustomers { have: u64, needed: u64 },
}

/// Customers on one day, put together where they hardly differ.
///
/// However many there are, a few thousand groups of them remain, each of which stands with its means. All sums are
/// whole numbers: the order in which customers are added does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    today: i64,
    customers: u64,
    loyal: u64,
    oldest: u64,
    newest: u64,
    histories: BTreeMap<[u8; 3], Group<3>>,
    spending: BTreeMap<[u8; 2], Group<2>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group<const N: usize> {
    customers: u64,
    sums: [u128; N],
}

impl Sample {
    /// Of the customers as they are on a day.
    pub fn new(today: i64) -> Self {
        Self {
            today,
            customers: 0,
            loyal: 0,
            oldest: 0,
            newest: u64::MAX,
            histories: BTreeMap::new(),
            spending: BTreeMap::new(),
        }
    }

    /// Adds a customer. Who has no order, or was given back everything, is none.
    pub fn add(&mut self, orders: &Orders) {
        let Some(value) = average_parts(orders) else { return };
        let (span, gap) = (orders.span(), orders.gap(self.today));
        self.customers += 1;
        self.loyal += u64::from(orders.count >= 3);
        self.oldest = self.oldest.max(span.saturating_add(gap));
        self.newest = self.newest.min(gap);
        put(&mut self.histories, [orders.count - 1, span, gap]);
        put(&mut self.spending, [orders.count, value]);
    }

    /// Adds the customers of another sample, which must be of the same day.
    pub fn merge(&mut self, other: &Self) {
        self.customers += other.customers;
        self.loyal += other.loyal;
        self.oldest = self.oldest.max(other.oldest);
        self.newest = self.newest.min(other.newest);
        merge_groups(&mut self.histories, &other.histories);
        merge_groups(&mut self.spending, &other.spending);
    }

    /// How many customers have been added.
    pub fn customers(&self) -> u64 {
        self.customers
    }

    /// The model under which these customers are most likely.
    pub fn fit(&self, minimums: &Minimums) -> Result<Model, NotEnough> {
        self.check(minimums)?;
        let histories = groups(&self.histories, |[repeats, span, gap]| History {
            repeats,
            // Any order can be the last one, the first too.
            exits: repeats + 1.0,
            span,
            gap,
        });
        let spending = groups(&self.spending, |[orders, value]| Spending { orders, value });
        Ok(Model {
            version: VERSION,
            fitted_day: self.today,
            customers: self.customers,
            purchases: Purchases::fit(&histories),
            value: OrderValue::fit(&spending, 1.0 / f64::from(PARTS)),
        })
    }

    fn check(&self, minimums: &Minimums) -> Result<(), NotEnough> {
        if self.customers < minimums.customers.max(1) {
            return Err(NotEnough::Customers { have: self.customers, needed: minimums.customers.max(1) });
        }
        if self.oldest < minimums.history_days {
            return Err(NotEnough::History { have: self.oldest, needed: minimums.history_days });
        }
        if self.newest > minimums.recent_days {
            return Err(NotEnough::Recent { have: self.newest, needed: minimums.recent_days });
        }
        if self.loyal < minimums.loyal_customers {
            return Err(NotEnough::LoyalCustomers { have: self.loyal, needed: minimums.loyal_customers });
        }
        Ok(())
    }
}

/// The average value of an order, in parts and at least one; `None` if nothing was paid.
fn average_parts(orders: &Orders) -> Option<u64> {
    let average = orders.sum.checked_div(orders.count.into())?;
    (average > Decimal::ZERO).then(|| {
        let scaled = average.checked_mul(Decimal::from(PARTS));
        scaled.and_then(|scaled| scaled.to_u64()).unwrap_or(u64::MAX).max(1)
    })
}

fn put<const N: usize>(groups: &mut BTreeMap<[u8; N], Group<N>>, figures: [u64; N]) {
    let group = groups.entry(figures.map(class)).or_insert(Group { customers: 0, sums: [0; N] });
    group.customers += 1;
    for (sum, figure) in group.sums.iter_mut().zip(figures) {
        *sum += u128::from(figure);
    }
}

fn merge_groups<const N: usize>(
    groups: &mut BTreeMap<[u8; N], Group<N>>,
    others: &BTreeMap<[u8; N], Group<N>>,
) {
    for (classes, other) in others {
        let group = groups.entry(*classes).or_insert(Group { customers: 0, sums: [0; N] });
        group.customers += other.customers;
        for (sum, more) in group.sums.iter_mut().zip(other.sums) {
            *sum += more;
        }
    }
}

/// The means of each group, with the number of its customers.
fn groups<const N: usize, T>(
    groups: &BTreeMap<[u8; N], Group<N>>,
    of: impl Fn([f64; N]) -> T,
) -> Vec<(T, f64)> {
    let group = |group: &Group<N>| {
        let customers = group.customers as f64;
        (of(group.sums.map(|sum| sum as f64 / customers)), customers)
    };
    groups.values().map(group).collect()
}

/// Numbers below eight are each of a class of their own; from there on every doubling has four classes.
fn class(number: u64) -> u8 {
    let Some(doublings) = number.checked_ilog2().filter(|doublings| *doublings >= 3) else {
        return u8::try_from(number).unwrap_or(u8::MAX);
    };
    let quarter = (number >> (doublings - 2)) & 3;
    u8::try_from(8 + u64::from(doublings - 3) * 4 + quarter).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn classes_are_in_order_and_without_gaps() {
        let mut last = 0;
        for number in 0..100_000 {
            let class = class(number);
            assert!(class == last || class == last + 1, "{number}");
            last = class;
        }
        assert_eq!([7, 8, 9, 10, 15, 16, 19, 20].map(class), [7, 8, 8, 9, 11, 12, 12, 13]);
        assert_eq!(class(u64::MAX), 251);
    }
}
