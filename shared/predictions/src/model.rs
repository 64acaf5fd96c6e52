//! The fitted model, and what it says of a customer.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::decimal::{EXACT, TOLD, fixed, told};
use crate::orders::Orders;
use crate::purchases::{History, Purchases};
use crate::sample::{Minimums, NotEnough, Sample};
use crate::value::OrderValue;

/// The version of the method. A model of another one is not read: it must be fitted again.
pub const VERSION: u32 = 1;
/// How far the predictions look ahead.
pub const PREDICTED_DAYS: u16 = 365;
/// How far [`Model::next_change`] looks ahead: a hundred years.
pub const HORIZON_DAYS: u16 = 36_525;

/// The numbers that segments ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Days between two orders, on average.
    AverageDaysBetweenOrders,
    /// What an order was worth, on average.
    AverageOrderValue,
    /// The probability that no order will ever come again.
    ChurnProbability,
    /// What all orders were worth.
    HistoricClv,
    /// How many orders there were.
    HistoricNumberOfOrders,
    /// What the orders of the next 365 days will be worth.
    PredictedClv,
    /// How many orders the next 365 days will bring.
    PredictedNumberOfOrders,
    /// What all orders were worth, and those of the next 365 days will be.
    TotalClv,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::AverageDaysBetweenOrders,
        Self::AverageOrderValue,
        Self::ChurnProbability,
        Self::HistoricClv,
        Self::HistoricNumberOfOrders,
        Self::PredictedClv,
        Self::PredictedNumberOfOrders,
        Self::TotalClv,
    ];

    /// Whether the number changes while nothing is ordered.
    pub fn changes_with_time(self) -> bool {
        match self {
            Self::ChurnProbability | Self::PredictedClv | Self::PredictedNumberOfOrders | Self::TotalClv => {
                true
            }
            Self::AverageDaysBetweenOrders
            | Self::AverageOrderValue
            | Self::HistoricClv
            | Self::HistoricNumberOfOrders => false,
        }
    }
}

/// Everything that is said of a customer. Absent is what cannot be said: everything without an order, days
/// between orders with one, and amounts that do not fit into 28 digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Prediction {
    /// See [`Dimension::AverageDaysBetweenOrders`].
    pub average_days_between_orders: Option<Decimal>,
    /// See [`Dimension::AverageOrderValue`].
    pub average_order_value: Option<Decimal>,
    /// See [`Dimension::ChurnProbability`].
    pub churn_probability: Option<Decimal>,
    /// See [`Dimension::HistoricClv`].
    pub historic_clv: Option<Decimal>,
    /// See [`Dimension::HistoricNumberOfOrders`].
    pub historic_number_of_orders: Option<Decimal>,
    /// See [`Dimension::PredictedClv`].
    pub predicted_clv: Option<Decimal>,
    /// See [`Dimension::PredictedNumberOfOrders`].
    pub predicted_number_of_orders: Option<Decimal>,
    /// See [`Dimension::TotalClv`].
    pub total_clv: Option<Decimal>,
    /// The day of the next order, as it was to be expected at the last one; it can be past.
    pub expected_day_of_next_order: Option<i64>,
}

/// What was learned from all customers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Model {
    pub(crate) version: u32,
    pub(crate) fitted_day: i64,
    pub(crate) customers: u64,
    pub(crate) purchases: Purchases,
    pub(crate) value: OrderValue,
}

/// A model as it was written, before it is believed.
#[derive(Deserialize)]
struct Stored {
    version: u32,
    fitted_day: i64,
    customers: u64,
    purchases: Purchases,
    value: OrderValue,
}

impl TryFrom<Stored> for Model {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { version, fitted_day, customers, purchases, value } = stored;
        if version != VERSION {
            return Err("the model is of another version of the method and must be fitted again");
        }
        if !purchases.is_sound() || !value.is_sound() {
            return Err("the model has parameters that no fit leads to");
        }
        Ok(Self { version, fitted_day, customers, purchases, value })
    }
}

impl Model {
    /// Fits a model to customers as they are on a day, with the usual minimums. See [`Sample`] for customers that
    /// come in pieces.
    pub fn fit(customers: impl IntoIterator<Item = Orders>, today: i64) -> Result<Self, NotEnough> {
        let mut sample = Sample::new(today);
        for orders in customers {
            sample.add(&orders);
        }
        sample.fit(&Minimums::default())
    }

    /// The day as of which it was fitted.
    pub fn fitted_day(&self) -> i64 {
        self.fitted_day
    }

    /// To how many customers it was fitted.
    pub fn customers(&self) -> u64 {
        self.customers
    }

    /// Everything that is said of a customer on a day.
    pub fn predict(&self, orders: &Orders, today: i64) -> Prediction {
        let value = |dimension| self.value(orders, dimension, today);
        Prediction {
            average_days_between_orders: value(Dimension::AverageDaysBetweenOrders),
            average_order_value: value(Dimension::AverageOrderValue),
            churn_probability: value(Dimension::ChurnProbability),
            historic_clv: value(Dimension::HistoricClv),
            historic_number_of_orders: value(Dimension::HistoricNumberOfOrders),
            predicted_clv: value(Dimension::PredictedClv),
            predicted_number_of_orders: value(Dimension::PredictedNumberOfOrders),
            total_clv: value(Dimension::TotalClv),
            expected_day_of_next_order: self.next_order(orders),
        }
    }

    /// One number of a customer on a day.
    pub fn value(&self, orders: &Orders, dimension: Dimension, today: i64) -> Option<Decimal> {
        let history = history(orders, today)?;
        match dimension {
            Dimension::AverageDaysBetweenOrders => orders.average_days_between(),
            Dimension::AverageOrderValue => orders.average_value(),
            Dimension::ChurnProbability => fixed(self.purchases.left(&history), TOLD).map(told),
            Dimension::HistoricClv => Some(orders.sum.normalize()),
            Dimension::HistoricNumberOfOrders => Some(orders.count.into()),
            Dimension::PredictedClv => self.predicted_value(orders, &history),
            Dimension::PredictedNumberOfOrders => self.predicted_orders(&history).map(told),
            Dimension::TotalClv => {
                let predicted = self.predicted_value(orders, &history)?;
                orders.sum.checked_add(predicted).map(|total| total.normalize())
            }
        }
    }

    /// The day of the next order, as it was to be expected at the last one; `None` without an order, and for a day
    /// further away than a hundred years.
    pub fn next_order(&self, orders: &Orders) -> Option<i64> {
        let wait = self.purchases.median_wait(&history(orders, orders.last())?);
        let within = wait <= f64::from(HORIZON_DAYS);
        #[allow(clippy::cast_possible_truncation, reason = "at most a hundred years of days")]
        let days = within.then(|| libm::round(wait).max(1.0) as i64)?;
        orders.last().checked_add(days)
    }

    /// The first day after `today` on which the answer to "`holds` for the number, compared with `threshold`" is
    /// another one, if nothing is ordered until then. `None` if it stays the same for a hundred years.
    ///
    /// The number only ever rises, or only ever falls, while nothing is ordered. So does its comparison, and the day
    /// is found by halving, which takes some twenty predictions.
    pub fn next_change(
        &self,
        orders: &Orders,
        dimension: Dimension,
        threshold: Decimal,
        holds: impl Fn(Ordering) -> bool,
        today: i64,
    ) -> Option<i64> {
        if !dimension.changes_with_time() {
            return None;
        }
        let side = |day| self.value(orders, dimension, day).map(|value| value.cmp(&threshold));
        let answer = |side: Option<Ordering>| side.is_some_and(&holds);
        let end = today.saturating_add(HORIZON_DAYS.into());
        let (mut from, last) = (today, side(end));
        let mut current = side(today);
        let before = answer(current);
        // Above, on and below the threshold, or too large for a decimal: at most three changes of sides.
        for _ in 0..3 {
            if current == last {
                return None;
            }
            let (mut same, mut other) = (from, end);
            while other - same > 1 {
                let middle = same + (other - same) / 2;
                if side(middle) == current { same = middle } else { other = middle }
            }
            current = side(other);
            if answer(current) != before {
                return Some(other);
            }
            from = other;
        }
        None
    }

    fn predicted_orders(&self, history: &History) -> Option<Decimal> {
        fixed(self.purchases.expected(history, PREDICTED_DAYS.into()), EXACT)
    }

    fn predicted_value(&self, orders: &Orders, history: &History) -> Option<Decimal> {
        let value = self.value.expected(orders.count, orders.sum)?;
        self.predicted_orders(history)?.checked_mul(value).map(told)
    }
}

/// In days; `None` without an order.
fn history(orders: &Orders, today: i64) -> Option<History> {
    let repeats = orders.count.checked_sub(1)? as f64;
    Some(History { repeats, exits: repeats + 1.0, span: orders.span() as f64, gap: orders.gap(today) as f64 })
}
