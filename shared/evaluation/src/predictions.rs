//! What predictions look at: everybody's orders, and the model that was fitted to them.

use std::sync::Arc;

use canonical::{Instant, Profile};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use predictions::{Model, Orders};
use segments::{Cause, Definition, Needs, Program, Segment, State};
use serde_json::json;
use store::{PredictionsRecord, StateRecord};

use crate::{Definitions, Error, Evaluator, as_engine_event};

/// The model in force; `None` if there is none, or if it is of another version of the method.
pub fn model_of(record: Option<PredictionsRecord>) -> Option<Model> {
    let model = record?.model?;
    serde_json::from_value(model)
        .inspect_err(|error| tracing::error!(error = %error, "the model is not used until the next fit"))
        .ok()
}

/// Histories that are read at the same time.
const CONCURRENCY: usize = 8;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// Reads the orders of many profiles.
pub struct OrdersReader<'a> {
    evaluator: &'a Evaluator,
    zone: TimeZone,
    /// Asks for nothing but predictions.
    program: Program,
    /// The program in force, if it keeps everybody's orders.
    in_force: Option<Arc<Definitions>>,
}

impl Evaluator {
    /// Prepares the reading of orders.
    pub async fn orders_reader(&self) -> Result<OrdersReader<'_>, Error> {
        let in_force = self.program().await?;
        let zone = self.zone_of(&self.store.program().await?);
        let definition = Definition::parse(&json!({"condition_groups": [{"conditions": [{
            "type": "profile-predictive-analytics", "dimension": "historic_number_of_orders",
            "filter": {"type": "numeric", "operator": "greater-than", "value": 0},
        }]}]}));
        let definition = definition.map_err(|error| Error::Compile(error.to_string()))?;
        let segment = Segment { id: "orders".to_owned(), version: 1, definition };
        let program = Program::compile(1, vec![segment], zone.clone())
            .map_err(|error| Error::Compile(error.to_string()))?;
        Ok(OrdersReader {
            evaluator: self,
            zone,
            program,
            in_force: in_force.keeps_orders().then_some(in_force),
        })
    }
}

impl OrdersReader<'_> {
    /// The day of the account's zone that an instant belongs to.
    pub fn day(&self, at: Instant) -> Date {
        at.timestamp().to_zoned(self.zone.clone()).date()
    }

    /// The number of that day, as the model counts: from 1970-01-01.
    pub fn day_number(&self, at: Instant) -> i64 {
        EPOCH.until(self.day(at)).map(|span| span.get_days()).unwrap_or_default().into()
    }

    /// When a day begins.
    pub fn start_of_day(&self, number: i64) -> Option<Instant> {
        let day = EPOCH.checked_add(Span::new().try_days(number).ok()?).ok()?;
        let start = day.to_zoned(self.zone.clone()).ok()?.start_of_day().ok()?;
        Some(start.timestamp().into())
    }

    /// The orders of profiles; of those who have none, nothing.
    pub async fn orders(&self, profile_ids: &[&str]) -> Result<Vec<Orders>, Error> {
        let loaded = self.evaluator.load(profile_ids).await?;
        let work: Vec<_> = loaded
            .profiles
            .iter()
            .map(|(id, profile)| self.orders_of(profile, loaded.states.get(id)))
            .collect();
        let orders: Vec<Option<Orders>> =
            stream::iter(work).buffer_unordered(CONCURRENCY).try_collect().await?;
        Ok(orders.into_iter().flatten().collect())
    }

    /// The orders of one profile: from its state if that keeps them, else counted in its history.
    pub async fn orders_of(
        &self,
        profile: &Profile,
        state: Option<&StateRecord>,
    ) -> Result<Option<Orders>, Error> {
        let now_ms = self.evaluator.clock.now_ms();
        if let Some(in_force) = &self.in_force
            && let Some(mut state) = state.and_then(|record| State::decode(&record.bytes).ok())
            && in_force.needs(&state) < Needs::History
        {
            in_force.tick(&mut state, profile, now_ms);
            return Ok(state.orders(in_force));
        }
        let history = self.evaluator.store.history(&profile.id).await?;
        let events: Vec<segments::Event<'_>> = history.iter().map(as_engine_event).collect();
        let mut state = State::new();
        self.program.rebuild(&mut state, profile, Some(&events), Cause::Definition, now_ms);
        Ok(state.orders(&self.program))
    }
}
