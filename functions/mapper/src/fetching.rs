//! What thin deliveries lack is asked of the platform's API. While it cannot be had, the delivery waits in the queue
//! as a new message: SQS hands each out only so often, and a shop may be away for longer than that.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::error::{BuildError, DisplayErrorContext};
use aws_sdk_sqs::types::MessageAttributeValue;
use fetch::{Client, Fetcher};
use futures::{StreamExt, TryStreamExt, stream};
use oauth::Grants;
use platform::{ApiRequest, Connection, Delivery, Fetched, Mapping, Platform, SecretStore};
use runtime::metrics::count;
use runtime::{Clients, Clock, Config};
use store::Store;

use crate::{Failure, Mapper};

/// Rounds of requests that one delivery may ask for.
const MAX_ROUNDS: usize = 6;
/// Requests that one delivery may ask for, in all rounds.
const MAX_REQUESTS: usize = 60;
/// Requests of one delivery that are made at the same time.
const CONCURRENCY: usize = 4;
/// What all requests of a delivery may take: the batch must be written within the function's minute, too.
const PATIENCE: Duration = Duration::from_secs(35);
/// How long a delivery waits at first; each time it waits twice as long as before.
const FIRST_DELAY_S: u64 = 15;
/// The longest delay that SQS knows.
const MAX_DELAY_S: u64 = 900;
/// A delivery that is older is set aside instead of waiting once more.
const GIVEN_UP_AFTER_MS: i64 = 24 * 3_600_000;
/// The message attribute that says how often a delivery has waited.
const DEFERRALS: &str = "deferrals";

/// Makes requests on behalf of connections.
pub(crate) struct Fetching {
    pub(crate) fetcher: Fetcher,
    queue_url: String,
    grants: Grants,
}

/// A message that waits.
pub(crate) struct Waiting {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) platform: String,
    pub(crate) connection: String,
    /// How often it has waited before.
    pub(crate) deferrals: u32,
}

/// How often a message has waited.
pub(crate) fn deferrals(message: &SqsMessage) -> u32 {
    let attribute = message.message_attributes.get(DEFERRALS);
    attribute.and_then(|attribute| attribute.string_value.as_ref()?.parse().ok()).unwrap_or(0)
}

impl Fetching {
    pub(crate) fn new(
        config: &Config,
        clients: &Clients,
        store: Store,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let secrets = SecretStore::new(clients.ssm.clone(), &config.required("SECRETS_PATH")?);
        Ok(Self {
            fetcher: Fetcher::new(config, clock.clone()),
            queue_url: config.required("RAW_DELIVERIES_QUEUE_URL")?,
            grants: Grants::new(secrets, store, Client::new(config), clock),
        })
    }

    /// Makes the requests of one round. The answers are in the order of the requests.
    async fn round(
        &self,
        adapter: &dyn Platform,
        connection: &Connection,
        requests: &[ApiRequest],
    ) -> Result<Vec<Fetched>, Failure> {
        let work: Vec<_> =
            requests.iter().map(|request| self.request(adapter, connection, request)).collect();
        stream::iter(work).buffered(CONCURRENCY).try_collect().await
    }

    async fn request(
        &self,
        adapter: &dyn Platform,
        connection: &Connection,
        request: &ApiRequest,
    ) -> Result<Fetched, Failure> {
        let (id, oauth) = (connection.id.as_str(), adapter.oauth(connection));
        let secrets = self.grants.get(id, oauth.clone()).await.map_err(unready)?;
        let outcome = self.fetcher.fetch(id, request, &secrets).await;
        if !matches!(outcome, Err(fetch::Error::Denied { .. })) {
            return Ok(outcome?);
        }
        // Perhaps they were exchanged just now, or the grant must be renewed.
        match self.grants.denied(id, oauth, &secrets).await {
            Ok(newer) => Ok(self.fetcher.fetch(id, request, &newer).await?),
            Err(fetch::Error::Denied { .. }) => Ok(outcome?),
            Err(error) => Err(unready(error)),
        }
    }
}

/// Why there are no secrets: what says no time is nearer than the platform, and left to the queue.
fn unready(error: fetch::Error) -> Failure {
    match error {
        fetch::Error::Later { reason, after: None } => Failure::Retry(reason),
        error => error.into(),
    }
}

impl From<fetch::Error> for Failure {
    fn from(error: fetch::Error) -> Self {
        match error {
            fetch::Error::Later { reason, after } => Self::Later { reason, after },
            fetch::Error::Denied { reason } => {
                Self::Later { reason: format!("credentials refused: {reason}"), after: None }
            }
            fetch::Error::Never { reason } => Self::Dead(reason),
        }
    }
}

impl Mapper {
    /// Asks the adapter what a delivery says, and the platform for what the adapter lacks. If it still lacks something
    /// after all rounds, that is the answer.
    pub(crate) async fn read(
        &self,
        adapter: &dyn Platform,
        delivery: &Delivery,
        connection: &Connection,
    ) -> Result<Mapping, Failure> {
        let rounds = self.rounds(adapter, delivery, connection);
        let outcome = match tokio::time::timeout(PATIENCE, rounds).await {
            Ok(outcome) => outcome,
            Err(_) => {
                Err(Failure::Later { reason: "the platform answers too slowly".to_owned(), after: None })
            }
        };
        let age_ms = self.clock.now_ms() - delivery.received_at.as_millisecond();
        match outcome {
            Err(Failure::Later { reason, .. }) if age_ms > GIVEN_UP_AFTER_MS => {
                Err(Failure::Dead(format!("given up after a day: {reason}")))
            }
            outcome => outcome,
        }
    }

    async fn rounds(
        &self,
        adapter: &dyn Platform,
        delivery: &Delivery,
        connection: &Connection,
    ) -> Result<Mapping, Failure> {
        // Files of facts are taken for every connection, also of platforms that have words of their own.
        if delivery.topic == contract::TOPIC {
            return Ok(contract::facts(delivery, connection));
        }
        let mut fetched = Vec::new();
        let mut mapping = adapter.facts(delivery, connection, &fetched);
        for _ in 0..MAX_ROUNDS {
            let Mapping::Fetch(requests) = &mapping else { break };
            if requests.is_empty() || fetched.len() + requests.len() > MAX_REQUESTS {
                break;
            }
            fetched.extend(self.fetching.round(adapter, connection, requests).await?);
            mapping = adapter.facts(delivery, connection, &fetched);
        }
        Ok(mapping)
    }

    /// Sends a message to the queue again, to come later. Returns its id if that fails.
    pub(crate) async fn defer(
        &self,
        waiting: Waiting,
        reason: &str,
        after: Option<Duration>,
    ) -> Option<String> {
        let delay_s = delay_s(&waiting.id, waiting.deferrals, after);
        let id = waiting.id.clone();
        match self.send_again(&waiting, delay_s).await {
            Ok(()) => {
                count("mapped", &waiting.platform, "deferred", 1);
                let Waiting { platform, connection, .. } = waiting;
                tracing::warn!(platform, connection, message_id = id, reason, delay_s, "delivery waits");
                None
            }
            Err(error) => {
                count("mapped", &waiting.platform, "retry", 1);
                tracing::warn!(
                    message_id = id,
                    reason,
                    error,
                    "delivery cannot wait and will be tried again"
                );
                Some(id)
            }
        }
    }

    async fn send_again(&self, waiting: &Waiting, delay_s: u64) -> Result<(), String> {
        let deferrals = MessageAttributeValue::builder()
            .data_type("Number")
            .string_value((waiting.deferrals.saturating_add(1)).to_string())
            .build()
            .map_err(|error: BuildError| error.to_string())?;
        let request = self
            .sqs
            .send_message()
            .queue_url(&self.fetching.queue_url)
            .message_body(&waiting.body)
            // As the receivers do: one shop's flood gets no precedence over the others (fair queues).
            .message_group_id(&waiting.connection)
            .message_attributes(DEFERRALS, deferrals)
            .delay_seconds(i32::try_from(delay_s).unwrap_or(i32::MAX));
        request.send().await.map(drop).map_err(|error| DisplayErrorContext(error).to_string())
    }
}

/// How long a message waits: twice as long each time, never shorter than the platform asks, and spread by up to a fifth,
/// so that what failed together does not come back together.
fn delay_s(id: &str, deferrals: u32, after: Option<Duration>) -> u64 {
    let doubled = FIRST_DELAY_S.saturating_mul(1 << deferrals.min(16)).min(MAX_DELAY_S / 6 * 5);
    // A second more: the platform's clock is not ours.
    let asked = after.map_or(0, |after| after.as_secs() + 1);
    let delay_s = doubled.max(asked);
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    (delay_s + hasher.finish() % (delay_s / 5 + 1)).min(MAX_DELAY_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_waits_twice_as_long_each_time_and_never_shorter_than_asked() {
        for (deferrals, after_s, least, most) in [
            (0, None, 15, 18),
            (0, Some(3), 15, 18),
            (0, Some(60), 61, 73),
            (0, Some(900), 900, 900),
            (1, None, 30, 36),
            (3, Some(60), 120, 144),
            (5, None, 480, 576),
            (6, None, 750, 900),
            (1_000_000, None, 750, 900),
        ] {
            for id in ["a", "b", "c", "3f1c"] {
                let delay_s = delay_s(id, deferrals, after_s.map(Duration::from_secs));
                assert!((least..=most).contains(&delay_s), "{deferrals} {after_s:?}: {delay_s}");
            }
        }
    }

    #[test]
    fn what_failed_together_does_not_come_back_together() {
        let delays: std::collections::BTreeSet<u64> =
            (0..100).map(|number| delay_s(&format!("message-{number}"), 4, None)).collect();
        assert!(delays.len() > 20, "{delays:?}");
        assert_eq!(delay_s("message-1", 4, None), delay_s("message-1", 4, None));
    }
}
