//! Predictions: the model of everybody's orders, and what it says of one customer.

use canonical::{Instant, Profile, money};
use futures::{StreamExt, TryStreamExt, stream};
use predictions::{Minimums, Prediction};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use store::{JobKind, PROFILE_SHARDS};

use crate::Api;
use crate::document::{Answer, Resource, single, time};
use crate::error::{ApiError, ApiResult};
use crate::operation::{Operation, Tier};
use crate::request::Asked;
use crate::shapes;

/// Histories that are read at the same time, where states do not say enough.
const CONCURRENCY: usize = 8;
const METHOD: &str = "MBG/NBD for orders, gamma-gamma for their values";

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_predictions", "/api/predictions", &["segments:read"])
        .limited(Tier::Medium)
        .gives_one::<shapes::Predictions>(200, "predictions")
        .by(|call| Box::pin(call.api.get_predictions(call.asked))),
    Operation::post("fit_predictions", "/api/predictions/fit", &["segments:write"])
        .limited(Tier::ExtraSmall)
        .gives_one::<shapes::Predictions>(202, "predictions")
        .by(|call| Box::pin(call.api.fit_predictions(call.asked))),
];

impl Api {
    /// `GET /api/predictions`.
    pub(crate) async fn get_predictions(&self, asked: &Asked) -> ApiResult<Answer> {
        Ok(Answer::ok(single(asked, self.predictions_resource(asked).await?, None)))
    }

    /// `POST /api/predictions/fit`: 202; 409 while one is under way.
    pub(crate) async fn fit_predictions(&self, asked: &Asked) -> ApiResult<Answer> {
        if self.is_fitting().await? {
            let detail = "The model is being fitted.";
            return Err(ApiError::conflict("fitting", detail));
        }
        let job = self.job(JobKind::FitPredictions, PROFILE_SHARDS, self.now());
        self.store.create_job(&job).await?;
        self.announce(&job).await;
        Ok(Answer::accepted(single(asked, self.predictions_resource(asked).await?, None)))
    }

    async fn is_fitting(&self) -> ApiResult<bool> {
        Ok(self.store.jobs().await?.iter().any(|job| job.kind == JobKind::FitPredictions))
    }

    async fn predictions_resource(&self, asked: &Asked) -> ApiResult<Value> {
        let record = self.store.predictions().await?;
        let model = evaluation::model_of(record.clone());
        let is_fitting = self.is_fitting().await?;
        let reason = match (&model, &record) {
            (Some(_), _) => None,
            (None, None) if is_fitting => Some("The first model is being fitted.".to_owned()),
            (None, None) => Some(
                "Nobody has asked for a model: create a segment that asks for predictions, or have one fitted."
                    .to_owned(),
            ),
            (None, Some(record)) => {
                let outdated = || "The model is of another version of the method and is fitted anew.".to_owned();
                Some(record.missed.clone().unwrap_or_else(outdated))
            }
        };
        let Minimums { customers, history_days, recent_days, loyal_customers } = Minimums::default();
        let resource = Resource::new(asked, "predictions", "predictions", "orders")
            .attribute("is_available", model.is_some())
            .attribute("is_fitting", is_fitting)
            .attribute("reason", reason)
            .attribute("method", METHOD)
            .attribute("fitted_day", record.as_ref().map(|record| record.fitted_day.clone()))
            .attribute("fitted_at", record.as_ref().map(|record| time(record.fitted_at)))
            .attribute("customers", record.as_ref().map(|record| record.customers))
            .attribute(
                "minimums",
                json!({
                    "customers": customers, "history_days": history_days, "recent_days": recent_days,
                    "customers_with_three_orders": loyal_customers,
                }),
            );
        Ok(resource.build())
    }

    /// `predictive_analytics` of some profiles, in their order and in Klaviyo's names; null without a model.
    pub(crate) async fn predictive_analytics(&self, profiles: &[&Profile]) -> ApiResult<Vec<Value>> {
        let Some(model) = evaluation::model_of(self.store.predictions().await?) else {
            return Ok(vec![Value::Null; profiles.len()]);
        };
        let ids: Vec<&str> = profiles.iter().map(|profile| profile.id.as_str()).collect();
        let (states, _) = self.store.states_and_profiles(&ids).await?;
        let reader = self.evaluator.orders_reader().await?;
        let today = reader.day_number(self.now());
        let work: Vec<_> =
            profiles.iter().map(|profile| reader.orders_of(profile, states.get(&profile.id))).collect();
        let orders: Vec<_> = stream::iter(work).buffered(CONCURRENCY).try_collect().await?;
        let predictions = orders
            .into_iter()
            .map(|orders| orders.map(|orders| model.predict(&orders, today)).unwrap_or_default());
        Ok(predictions.map(|prediction| analytics(&prediction, |day| reader.start_of_day(day))).collect())
    }
}

fn analytics(prediction: &Prediction, start_of_day: impl Fn(i64) -> Option<Instant>) -> Value {
    let number = |value: Option<Decimal>| value.map(money::decimal_to_json);
    json!({
        "historic_clv": number(prediction.historic_clv),
        "predicted_clv": number(prediction.predicted_clv),
        "total_clv": number(prediction.total_clv),
        "historic_number_of_orders": number(prediction.historic_number_of_orders),
        "predicted_number_of_orders": number(prediction.predicted_number_of_orders),
        "average_days_between_orders": number(prediction.average_days_between_orders),
        "average_order_value": number(prediction.average_order_value),
        "churn_probability": number(prediction.churn_probability),
        "expected_date_of_next_order": prediction.expected_day_of_next_order.and_then(start_of_day).map(time),
        "ranked_channel_affinity": null,
    })
}
