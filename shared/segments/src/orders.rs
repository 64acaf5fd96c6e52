//! What is kept of somebody's orders for predictions: how many, how much, the first and the last.

use std::cmp::Ordering;

use canonical::Metric;
use predictions::{Dimension, Model, Orders};
use rust_decimal::Decimal;

use crate::amount;
use crate::calendar::{Calendar, Present};
use crate::definition::PredictionTest;
use crate::window::{Frame, NEVER};

/// The name of the events that are orders, whichever platform tells them.
pub(crate) fn metric() -> &'static str {
    Metric::PlacedOrder.name()
}

/// Somebody's orders, as a state keeps them.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) sum: i128,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// By instant: what is yet to happen.
    pub(crate) pending: Vec<(i64, i128)>,
    /// Not later than the next instant at which time alone changes a truth. Derived.
    pub(crate) due: i64,
}

impl Default for Summary {
    fn default() -> Self {
        Self { count: 0, sum: 0, first_ms: 0, last_ms: 0, pending: Vec::new(), due: NEVER }
    }
}

impl PartialEq for Summary {
    fn eq(&self, other: &Self) -> bool {
        (self.count, self.sum, self.first_ms, self.last_ms, &self.pending)
            == (other.count, other.sum, other.first_ms, other.last_ms, &other.pending)
    }
}

impl Summary {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0 && self.pending.is_empty()
    }

    pub(crate) fn add(&mut self, at: i64, amount: i128, now: i64) {
        if at > now {
            let place = self.pending.partition_point(|other| *other <= (at, amount));
            self.pending.insert(place, (at, amount));
            return;
        }
        (self.first_ms, self.last_ms) = match self.count {
            0 => (at, at),
            _ => (self.first_ms.min(at), self.last_ms.max(at)),
        };
        self.count += 1;
        self.sum = self.sum.wrapping_add(amount);
    }

    /// Lets happen what is due.
    pub(crate) fn settle(&mut self, now: i64) {
        let due = self.pending.partition_point(|(at, _)| *at <= now);
        for (at, amount) in self.pending.drain(..due).collect::<Vec<_>>() {
            self.add(at, amount, now);
        }
    }

    pub(crate) fn next_pending(&self) -> i64 {
        self.pending.first().map_or(NEVER, |(at, _)| *at)
    }

    pub(crate) fn orders(&self, calendar: &Calendar) -> Option<Orders> {
        if self.count == 0 {
            return None;
        }
        Some(Orders {
            count: self.count,
            sum: amount::to_decimal(self.sum)?,
            first_day: calendar.day_of(self.first_ms),
            last_day: calendar.day_of(self.last_ms),
        })
    }
}

/// A condition on a prediction, as a program asks it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The program version since which every program has had it.
    pub(crate) since: u64,
    pub(crate) condition: u32,
    pub(crate) test: PredictionTest,
    /// For the date of the next order.
    frame: Option<Frame>,
}

impl Plan {
    pub(crate) fn new(test: PredictionTest, since: u64, condition: u32, calendar: &Calendar) -> Self {
        let frame = match test {
            PredictionTest::NextOrder(test) => Some(Frame::new(test, calendar)),
            PredictionTest::Number(..) => None,
        };
        Self { since, condition, test, frame }
    }

    /// Whether it holds, and not later than when time alone changes that.
    pub(crate) fn look(&self, summary: &Summary, model: Option<&Model>, present: Present<'_>) -> (bool, i64) {
        let Present { now, today, calendar } = present;
        let Some(orders) = summary.orders(calendar) else { return (false, NEVER) };
        match self.test {
            PredictionTest::Number(dimension, test) => {
                let value = value(model, &orders, dimension, today);
                let holds = |side: Ordering| test.comparison.holds(&side, &Ordering::Equal);
                let next = model
                    .filter(|_| dimension.changes_with_time())
                    .and_then(|model| model.next_change(&orders, dimension, test.value, holds, today));
                let next = next.map_or(NEVER, |day| calendar.start_of(day));
                (value.is_some_and(|value| holds(value.cmp(&test.value))), next)
            }
            PredictionTest::NextOrder(_) => {
                let day = model.and_then(|model| model.next_order(&orders));
                let (Some(day), Some(frame)) = (day, self.frame) else { return (false, NEVER) };
                let instant = crate::calendar::clamp(calendar.start_of(day));
                (frame.holds(instant, now, calendar), frame.next_change(instant, now, calendar))
            }
        }
    }

    /// The number it compares.
    pub(crate) fn measure(
        &self,
        summary: &Summary,
        model: Option<&Model>,
        present: Present<'_>,
    ) -> Option<Decimal> {
        match self.test {
            PredictionTest::Number(dimension, _) => {
                value(model, &summary.orders(present.calendar)?, dimension, present.today)
            }
            PredictionTest::NextOrder(_) => None,
        }
    }
}

/// What has been needs no model.
pub(crate) fn value(
    model: Option<&Model>,
    orders: &Orders,
    dimension: Dimension,
    today: i64,
) -> Option<Decimal> {
    match dimension {
        Dimension::AverageDaysBetweenOrders => orders.average_days_between(),
        Dimension::AverageOrderValue => orders.average_value(),
        Dimension::HistoricClv => Some(orders.sum.normalize()),
        Dimension::HistoricNumberOfOrders => Some(orders.count.into()),
        _ => model?.value(orders, dimension, today),
    }
}

/// Klaviyo's name of a number.
pub(crate) fn dimension(name: &str) -> Option<Dimension> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}
