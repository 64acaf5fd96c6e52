//! The product's functions, as this process runs them: the same code that is deployed, given the emulated services.

use std::sync::Arc;

use evaluation::Evaluator;
use fetch::PublicKeys;
use futures::future::BoxFuture;
use platform::receiver::Receiver;
use runtime::{Clients, Clock, Config};
use segment_evaluator::SegmentEvaluator;
use store::{ApiKey, Store};

use crate::lambda::{Handler, http, typed};
use crate::{BoxError, Faults, FunctionContext, Handlers};

/// The key that every local stack knows.
pub const LOCAL_KEY: &str = "pk_local";
/// The public id of every local stack that is given no other.
pub const LOCAL_COMPANY: &str = "LOCAL0";

/// Makes the handler of each function by the folder of its code.
pub struct ProductFunctions {
    clock: Clock,
    faults: Option<Faults>,
}

impl ProductFunctions {
    /// With the clock the functions live by.
    pub fn new(clock: Clock) -> Self {
        Self { clock, faults: None }
    }

    /// With faults: each function's clock is off in its own way.
    #[must_use]
    pub fn with_faults(self, faults: Option<Faults>) -> Self {
        Self { faults, ..self }
    }

    fn clock_of(&self, code: &str) -> Clock {
        let clock = self.clock.clone();
        match self.faults.as_ref().map(|faults| faults.skew(code)) {
            Some(skew) => {
                Clock::from_fn(move || clock.now().saturating_add(skew).unwrap_or_else(|_| clock.now()))
            }
            None => clock,
        }
    }

    async fn make(&self, context: FunctionContext) -> Result<Option<Handler>, BoxError> {
        let mut variables = context.function.environment.clone();
        // The shops that one tries things with are on this machine, too.
        variables.insert("FETCH_PRIVATE_HOSTS".to_owned(), "true".to_owned());
        let company = variables.entry("COMPANY_ID".to_owned()).or_default();
        if company.is_empty() {
            LOCAL_COMPANY.clone_into(company);
        }
        let config = Config::from_map(variables);
        let clients = Clients::local(&runtime::Endpoints {
            dynamodb: context.endpoints.dynamodb.clone(),
            sqs: context.endpoints.sqs.clone(),
            ssm: context.endpoints.ssm.clone(),
        })
        .await;
        let archive = archive::Archive::local(&config, &context.endpoints.s3);
        let code = context.function.code.as_str();
        let clock = self.clock_of(code);
        if let Some(platform) = platforms::platform(code) {
            let receiver = Receiver::new(platform, &config, &clients, clock)?;
            let receiver = Arc::new(receiver.with_keys(Arc::new(PublicKeys::public())));
            return Ok(Some(typed(move |event| {
                let receiver = Arc::clone(&receiver);
                async move { receiver.handle(event).await }
            })));
        }
        Ok(Some(match code {
            "mapper" => {
                let mapper = mapper::Mapper::new(&config, &clients, clock)?.with_archive(archive);
                let mapper = Arc::new(mapper);
                typed(move |event| {
                    let mapper = Arc::clone(&mapper);
                    async move { mapper.handle(event).await }
                })
            }
            "segment-evaluator" => {
                let evaluator = Evaluator::new(&config, &clients, clock)?;
                let function = Arc::new(SegmentEvaluator::new(evaluator));
                typed(move |event| {
                    let function = Arc::clone(&function);
                    async move { function.handle(event).await }
                })
            }
            "clock" => {
                let function = Arc::new(::clock::ClockFunction::new(&config, &clients, clock)?);
                typed(move |event| {
                    let function = Arc::clone(&function);
                    async move { function.handle(event).await }
                })
            }
            "jobs" => {
                let jobs = Arc::new(jobs::Jobs::new(&config, &clients, clock)?.with_archive(archive));
                typed(move |event| {
                    let jobs = Arc::clone(&jobs);
                    async move { jobs.handle(event).await }
                })
            }
            "poller" => {
                let poller = Arc::new(poller::Poller::new(&config, &clients, clock, platforms::PLATFORMS)?);
                typed(move |event| {
                    let poller = Arc::clone(&poller);
                    async move { poller.handle(event).await }
                })
            }
            "files" => {
                let bucket = files::Bucket::local(&context.endpoints.s3, config.required("FILES_BUCKET")?);
                let files = Arc::new(files::Files::new(&config, &clients, clock, Arc::new(bucket))?);
                typed(move |event| {
                    let files = Arc::clone(&files);
                    async move { files.handle(event).await }
                })
            }
            "api" => {
                self.ensure_key(&config, &clients).await?;
                let api = api::Api::from_config(&config, &clients, clock, platforms::PLATFORMS)?;
                http(api::router(Arc::new(api.with_archive(archive))))
            }
            _ => return Ok(None),
        }))
    }

    async fn ensure_key(&self, config: &Config, clients: &Clients) -> Result<(), BoxError> {
        let registry = config.required("REGISTRY_TABLE")?;
        let store = Store::new(clients.dynamodb.clone(), String::new(), String::new(), registry);
        let key = ApiKey {
            name: "Local stack".to_owned(),
            scopes: vec!["*".to_owned()],
            limit: None,
            created_at: self.clock.now().into(),
        };
        Ok(store.put_api_key(&api::key_digest(LOCAL_KEY), &key).await?)
    }
}

impl Handlers for ProductFunctions {
    fn handler(&self, context: FunctionContext) -> BoxFuture<'_, Result<Option<Handler>, BoxError>> {
        Box::pin(self.make(context))
    }
}
