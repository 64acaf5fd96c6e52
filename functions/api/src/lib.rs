#![doc = include_str!("../README.md")]

mod aggregate_query;
mod aggregation;
mod api_keys;
mod auth;
mod authorize;
mod back_in_stock;
mod body;
mod browser;
mod bulk_events;
mod bulk_profiles;
mod catalog;
mod client;
mod connections;
mod consent;
mod cors;
#[cfg(test)]
mod coverage;
mod custom_metric_definition;
mod custom_metrics;
mod dead_letters;
mod deletions;
mod deliveries;
mod document;
mod error;
mod event_body;
mod events;
pub mod filter;
mod flat_profile;
mod imports;
mod intervals;
mod klaviyo;
mod legacy;
mod limits;
mod lists;
mod mapped_metrics;
mod members;
mod meter;
mod metric_aggregates;
mod metric_properties;
mod metrics;
mod named;
mod openapi;
mod operation;
mod operations;
mod parity;
mod platforms;
mod ports;
mod predictions;
mod profile_merges;
mod profile_views;
mod profiles;
mod request;
mod schema;
mod segment_explain;
mod segment_history;
mod segment_jobs;
mod segment_preview;
mod segment_references;
mod segments;
mod shapes;
mod tagging;
mod tags;

use std::sync::Arc;

use archive::Archive;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use canonical::{Instant, hash};
use evaluation::Evaluator;
use extract::Extractor;
use fetch::{Client, Fetcher};
use http::{Method, Request, Response};
use jiff::tz::TimeZone;
use oauth::Grants;
use platform::{Platform, SecretStore};
use runtime::{Clients, Clock, Config};
use serde_json::json;
use store::{Allowance, OptIn, Store};

pub use auth::key_digest;
pub use authorize::Authorizing;
pub use openapi::openapi;
pub use ports::{DeadLetter, Outbox, Queue, SendError, Vault};

use crate::auth::Keys;
use crate::document::Answer;
use crate::error::{ApiError, ApiResult};
use crate::limits::{Caller, Limits};
use crate::meter::Standing;
use crate::operation::Call;
use crate::ports::Sqs;
use crate::request::Asked;

/// What the API works with.
pub struct Api {
    store: Store,
    outbox: Box<dyn Outbox>,
    vault: Box<dyn Vault>,
    platforms: &'static [&'static dyn Platform],
    clock: Clock,
    /// 128 random bits: ids of what has no natural one.
    random: Box<dyn Fn() -> u128 + Send + Sync>,
    public_url: Option<String>,
    /// By which browsers name the account.
    company_id: Option<String>,
    evaluator: Evaluator,
    zone: TimeZone,
    extractor: Option<Extractor>,
    authorizing: Option<Authorizing>,
    /// What somebody must do who subscribes without a list.
    opt_in: OptIn,
    keys: Keys,
    limits: Limits,
    archive: Option<Archive>,
}

/// What [`Api::new`] needs.
pub struct Parts {
    /// The tables.
    pub store: Store,
    /// The queues.
    pub outbox: Box<dyn Outbox>,
    /// Secrets of connections.
    pub vault: Box<dyn Vault>,
    /// The platforms that can be connected.
    pub platforms: &'static [&'static dyn Platform],
    /// The clock.
    pub clock: Clock,
    /// Gives 128 random bits.
    pub random: Box<dyn Fn() -> u128 + Send + Sync>,
    /// The API's address as the outside sees it; the request's own host if absent.
    pub public_url: Option<String>,
    /// The account's time zone.
    pub zone: TimeZone,
}

impl Api {
    /// From its parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, outbox, vault, platforms, clock, random, public_url, zone } = parts;
        let evaluator = Evaluator::over(store.clone(), clock.clone(), zone.clone());
        Self {
            store,
            outbox,
            vault,
            platforms,
            clock,
            random,
            public_url,
            company_id: None,
            evaluator,
            zone,
            extractor: None,
            authorizing: None,
            opt_in: OptIn::DoubleOptIn,
            keys: Keys::default(),
            limits: Limits::new(Allowance::Unlimited),
            archive: None,
        }
    }

    /// For Lambda and the local stack: over AWS clients, configured by environment variables.
    pub fn from_config(
        config: &Config,
        clients: &Clients,
        clock: Clock,
        platforms: &'static [&'static dyn Platform],
    ) -> anyhow::Result<Self> {
        let zone = evaluation::zone(config)?;
        let secrets = SecretStore::new(clients.ssm.clone(), &config.required("SECRETS_PATH")?);
        let store = Store::new(
            clients.dynamodb.clone(),
            config.required("PROFILES_TABLE")?,
            config.required("ORDERS_TABLE")?,
            config.required("REGISTRY_TABLE")?,
        );
        let grants = Grants::new(secrets.clone(), store.clone(), Client::new(config), clock.clone());
        let extractor = Extractor::new(Fetcher::new(config, clock.clone()), grants.clone(), clock.clone());
        let authorizing = Authorizing { grants, fetcher: Fetcher::new(config, clock.clone()) };
        let api = Self::new(Parts {
            store,
            outbox: Box::new(Sqs {
                client: clients.sqs.clone(),
                raw_deliveries_url: config.required("RAW_DELIVERIES_QUEUE_URL")?,
                jobs_url: config.required("JOBS_QUEUE_URL")?,
                polls_url: config.required("POLLS_QUEUE_URL")?,
                files_url: config.required("FILES_QUEUE_URL")?,
                raw_deliveries_dlq_url: config.required("RAW_DELIVERIES_DLQ_URL")?,
                jobs_dlq_url: config.required("JOBS_DLQ_URL")?,
                polls_dlq_url: config.required("POLLS_DLQ_URL")?,
                files_dlq_url: config.required("FILES_DLQ_URL")?,
            }),
            vault: Box::new(secrets),
            platforms,
            clock,
            random: Box::new(|| uuid::Uuid::new_v4().as_u128()),
            public_url: config.optional("PUBLIC_URL"),
            zone,
        });
        let opt_in = match config.optional("OPT_IN_PROCESS").as_deref() {
            None | Some("double_opt_in") => OptIn::DoubleOptIn,
            Some("single_opt_in") => OptIn::SingleOptIn,
            Some(_) => anyhow::bail!("OPT_IN_PROCESS is neither double_opt_in nor single_opt_in"),
        };
        let allowance = limits::setting(config.optional("RATE_LIMITS").as_deref())?;
        let api = api.asking(extractor).authorizing_with(authorizing);
        let api = api.opting_in(opt_in).limited_to(allowance);
        Ok(match config.optional("COMPANY_ID") {
            Some(company_id) => api.known_as(&company_id),
            None => api,
        })
    }

    /// With a public id, by which browsers may send.
    #[must_use]
    pub fn known_as(self, company_id: &str) -> Self {
        Self { company_id: Some(company_id.to_owned()), ..self }
    }

    /// With a way to ask platforms.
    #[must_use]
    pub fn asking(self, extractor: Extractor) -> Self {
        Self { extractor: Some(extractor), ..self }
    }

    /// With a way to authorise connections.
    #[must_use]
    pub fn authorizing_with(self, authorizing: Authorizing) -> Self {
        Self { authorizing: Some(authorizing), ..self }
    }

    /// With what somebody must do who subscribes without a list.
    #[must_use]
    pub fn opting_in(self, opt_in: OptIn) -> Self {
        Self { opt_in, ..self }
    }

    /// That looks deliveries up in an archive.
    #[must_use]
    pub fn with_archive(self, archive: Option<Archive>) -> Self {
        Self { archive, ..self }
    }

    /// With rate limits: so much of Klaviyo's for each key that has no limit of its own.
    #[must_use]
    pub fn limited_to(self, allowance: Allowance) -> Self {
        Self { limits: Limits::new(allowance), ..self }
    }

    fn extractor(&self) -> ApiResult<&Extractor> {
        self.extractor.as_ref().ok_or_else(|| ApiError::unavailable("this API does not ask platforms"))
    }

    fn now(&self) -> Instant {
        self.clock.now().into()
    }

    /// A new id of 26 characters.
    fn long_id(&self, kind: &str) -> String {
        hash::long_id(&[kind, &(self.random)().to_string()])
    }

    /// Also says how the caller stands, once that is known.
    async fn answer(&self, request: Request<Body>, standing: &mut Option<Standing>) -> ApiResult<Answer> {
        let mut asked = Asked::of(&request, self.public_url.as_deref());
        if request.method() == Method::GET && asked.path == ["healthz"] {
            return Ok(Answer::ok(json!({"status": "ok"})));
        }
        let (operation, id) = operation::find(request.method(), &asked.path)?;
        auth::check_revision(request.headers())?;
        let now_ms = self.clock.now_ms();
        let (caller, own, holder) = if operation.is_open {
            // Whoever makes companies up is counted for all of them together.
            let company = asked.parameter("company_id").filter(|company| self.is_company(company));
            (Caller::without_key(&request, company), None, None)
        } else {
            let holder =
                self.keys.authorize(request.headers(), operation.scopes, &self.store, now_ms).await?;
            (Caller::Key(holder.digest.clone()), holder.key.limit, Some(holder))
        };
        *standing = self.limits.admit(caller, operation, own, &self.store, now_ms).await?;
        if id.len() > body::MAX_ID_BYTES {
            return Err(ApiError::nothing_so_long());
        }
        let id = id.to_owned();
        asked.check(operation)?;
        let body = read_body(request).await?;
        (operation.run)(Call { api: self, asked: &asked, id: &id, body: &body, holder: holder.as_ref() })
            .await
    }
}

/// The API as a service. It normalises paths itself (clients send slashes doubled and at the end), so there is one
/// handler behind axum's fallback.
pub fn router(api: Arc<Api>) -> Router {
    async fn handle(State(api): State<Arc<Api>>, request: Request<Body>) -> Response<Body> {
        if browser::is_meant(request.uri().path()) {
            return Box::pin(api.browse(&request.map(drop))).await;
        }
        if consent::is_meant(request.uri().path()) {
            return Box::pin(api.confirm_in_browser(&request.map(drop))).await;
        }
        if let Some(response) = cors::preflight(&request) {
            return response;
        }
        let is_open = cors::is_open(request.uri().path());
        let mut standing = None;
        let outcome = Box::pin(api.answer(request, &mut standing)).await;
        let mut response = match outcome {
            Ok(answer) => answer.into_response(),
            Err(error) => error.into_response(&uuid::Uuid::from_u128((api.random)()).to_string()),
        };
        if let Some(standing) = standing {
            standing.write_to(response.headers_mut());
        }
        if is_open {
            cors::open(&mut response);
        }
        response
    }
    Router::new().fallback(handle).with_state(api)
}

async fn read_body(request: Request<Body>) -> ApiResult<Bytes> {
    to_bytes(request.into_body(), body::MAX_BODY_BYTES)
        .await
        .map_err(|_| ApiError::too_large("A request must not be larger than 5 MB."))
}
