//! Rate limits: who may go on, and who must wait. What is counted is in [`crate::meter`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use http::{HeaderMap, HeaderValue, Request};
use lambda_http::request::RequestContext;
use rust_decimal::Decimal;
use store::{Allowance, Store};
use tokio::sync;

use crate::error::{ApiError, ApiResult};
use crate::meter::{Limit, Meter, Share, Standing, Verdict};
use crate::operation::Operation;

/// Meters remembered before those of past minutes are forgotten, or else all: a bound, not a tuning.
const MAX_METERS: usize = 10_000;
/// How long the shared counter may take before a request goes on without it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who is counted: a key by its digest, or a caller without one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// Counted together with the other processes.
    Key(String),
    /// Counted by this process alone: the company and the address.
    Client(String, String),
}

impl Caller {
    /// Who sends without a key: whoever is at the address from which the gateway got the request, with this company. Of a
    /// long address only the network counts, in which everybody has very many.
    pub(crate) fn without_key<B>(request: &Request<B>, company: Option<&str>) -> Self {
        let address = match request.extensions().get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
            _ => None,
        };
        let network = match address.unwrap_or_default().parse() {
            Ok(IpAddr::V4(address)) => address.to_string(),
            Ok(IpAddr::V6(address)) => format!("{:x}", address.to_bits() >> 64),
            Err(_) => String::new(),
        };
        Self::Client(company.unwrap_or_default().to_owned(), network)
    }
}

/// Who calls what.
type Metered = (Caller, &'static str);

/// How often each caller has called each operation.
pub(crate) struct Limits {
    /// What everybody may who has no allowance of their own.
    allowance: Allowance,
    meters: Mutex<HashMap<Metered, Arc<sync::Mutex<Meter>>>>,
}

impl Limits {
    pub(crate) fn new(allowance: Allowance) -> Self {
        Self { allowance, meters: Mutex::default() }
    }

    /// Counts a call. `None` if it is not limited; 429 if it has to wait.
    pub(crate) async fn admit(
        &self,
        caller: Caller,
        operation: &Operation,
        own: Option<Allowance>,
        store: &Store,
        now_ms: i64,
    ) -> ApiResult<Option<Standing>> {
        let limit = match own.unwrap_or(self.allowance) {
            Allowance::Unlimited => return Ok(None),
            Allowance::Times(factor) => {
                let limit = Limit { burst: operation.limit.burst(), steady: operation.limit.steady() };
                limit.times(factor)
            }
        };
        let operation = operation.name;
        let meter = self.meter(caller.clone(), operation, now_ms);
        // Held while a share is taken: of this process's requests one asks the counter for all of them.
        let mut meter = meter.lock().await;
        loop {
            match meter.ask(limit, now_ms) {
                Verdict::Pass(standing) => return Ok(Some(standing)),
                Verdict::Wait(seconds) => return Err(ApiError::throttled(seconds)),
                Verdict::Take(share) => take(&mut meter, share, limit, &caller, operation, store).await,
            }
        }
    }

    fn meter(&self, caller: Caller, operation: &'static str, now_ms: i64) -> Arc<sync::Mutex<Meter>> {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        if meters.len() >= MAX_METERS {
            meters.retain(|_, meter| meter.try_lock().map_or(true, |meter| now_ms < meter.ends_ms()));
            if meters.len() >= MAX_METERS {
                meters.clear();
            }
        }
        Arc::clone(meters.entry((caller, operation)).or_default())
    }
}

async fn take(
    meter: &mut Meter,
    share: Share,
    limit: Limit,
    caller: &Caller,
    operation: &'static str,
    store: &Store,
) {
    let Caller::Key(digest) = caller else {
        // Nobody else counts it: the first share is all there is.
        let all = Share { count: limit.steady, ..share };
        let taken = u64::from(limit.steady) * if share.joins { 1 } else { 2 };
        meter.taken(all, limit, taken, 1);
        return;
    };
    let counter = format!("{digest}#{operation}");
    let asked = store.take_quota(&counter, share.minute, share.count, share.joins);
    let failure = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(quota)) => return meter.taken(share, limit, quota.taken, quota.takers),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(operation, requests = share.count, error = failure, "requests go through uncounted");
    meter.uncounted(share);
}

/// The allowance that a setting gives to everybody: `klaviyo` (also where nothing is set), `off`, or a factor.
pub(crate) fn setting(text: Option<&str>) -> anyhow::Result<Allowance> {
    match text.unwrap_or("klaviyo") {
        "klaviyo" => Ok(Allowance::Times(Decimal::ONE)),
        "off" => Ok(Allowance::Unlimited),
        factor => factor.parse().context("RATE_LIMITS is neither klaviyo nor off nor a factor"),
    }
}

impl Standing {
    /// Tells it to the caller.
    pub(crate) fn write_to(self, headers: &mut HeaderMap) {
        headers.insert("ratelimit-limit", HeaderValue::from(self.limit));
        headers.insert("ratelimit-remaining", HeaderValue::from(self.remaining));
        headers.insert("ratelimit-reset", HeaderValue::from(self.reset));
    }
}
