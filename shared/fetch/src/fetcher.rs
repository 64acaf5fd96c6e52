//! Requests of adapters, made on behalf of connections.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::{ApiRequest, Authorization, Fetched, Secrets};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Request, Url};
use runtime::{Clock, Config};
use uuid::Uuid;

use crate::error::Error;
use crate::gate::{Gate, Shut};
use crate::hosts::Hosts;
use crate::http::{Http, Limits, Trouble};
use crate::kept::Kept;
use crate::oauth1::{self, Credentials, Stamp};
use crate::quota;
use crate::secrets::{Writing, fill, fill_address};

/// Makes the requests that adapters ask for. One per process: it remembers who is broken or has had enough.
#[derive(Debug)]
pub struct Fetcher {
    http: Http,
    gate: Gate,
    kept: Kept,
    clock: Clock,
}

impl Fetcher {
    /// From the function's configuration.
    pub fn new(config: &Config, clock: Clock) -> Self {
        Self::with_limits(Hosts::from_config(config), Limits::default(), clock)
    }

    /// With limits of one's own.
    pub fn with_limits(hosts: Hosts, limits: Limits, clock: Clock) -> Self {
        Self { http: Http::new(hosts, limits), gate: Gate::default(), kept: Kept::default(), clock }
    }

    /// Makes a request of a connection with its secrets. Answers are 2xx, redirects (which are not followed), and
    /// those refusals that say something about the thing asked for, such as 404.
    pub async fn fetch(
        &self,
        connection: &str,
        request: &ApiRequest,
        secrets: &Secrets,
    ) -> Result<Fetched, Error> {
        self.fetch_counting(connection, request, secrets, &mut 0).await
    }

    /// As [`Self::fetch`]; adds one to `sent` if the request goes to the platform, whatever comes of it, and is not
    /// answered from what is kept or held back.
    pub async fn fetch_counting(
        &self,
        connection: &str,
        request: &ApiRequest,
        secrets: &Secrets,
        sent: &mut u64,
    ) -> Result<Fetched, Error> {
        if let Some(fetched) = self.kept.get(connection, request, self.clock.now_ms()) {
            return Ok(fetched);
        }
        let fetched = self.ask(connection, request, secrets, sent).await?;
        self.kept.put(connection, request, &fetched, self.clock.now_ms());
        Ok(fetched)
    }

    async fn ask(
        &self,
        connection: &str,
        request: &ApiRequest,
        secrets: &Secrets,
        sent: &mut u64,
    ) -> Result<Fetched, Error> {
        let (url, host) = self.http.address(&fill_address(&request.url, secrets)?)?;
        let prepared = self.prepare(url, request, secrets)?;
        self.gate.admit(connection, request.pace, self.clock.now_ms()).map_err(|shut| {
            let (reason, wait_ms) = match shut {
                Shut::Failing(wait_ms) => ("is left alone after repeated failures", wait_ms),
                Shut::Spent(wait_ms) => ("takes no more requests for now", wait_ms),
                Shut::Paced(wait_ms) => ("was asked as often as it may be", wait_ms),
            };
            Error::Later { reason: format!("{host} {reason}"), after: Some(millis(wait_ms)) }
        })?;
        *sent += 1;
        let answer = self.http.send(prepared).await;
        let now_ms = self.clock.now_ms();
        let fetched = match answer {
            Ok(fetched) => fetched,
            Err(Trouble::Unanswered(what)) => {
                self.gate.failed(connection, None, now_ms);
                return Err(Error::Later { reason: format!("{host} {what}"), after: None });
            }
            Err(Trouble::PrivateHost) => {
                return Err(Error::never(format!("{host} is in a private network")));
            }
            Err(Trouble::TooLarge) => {
                self.gate.answered(connection, None, now_ms);
                return Err(Error::never(format!("{host} answered with more than is read")));
            }
        };
        self.judge(connection, &host, fetched, now_ms)
    }

    /// Tells answers for adapters from all others, and remembers what they say about the connection.
    fn judge(&self, connection: &str, host: &str, fetched: Fetched, now_ms: i64) -> Result<Fetched, Error> {
        let status = fetched.status;
        let is_broken = (500..600).contains(&status);
        let is_later =
            is_broken || matches!(status, 408 | 425 | 429) || quota::is_later_in_disguise(&fetched);
        let asked_ms = quota::retry_after_ms(&fetched.headers, now_ms).filter(|_| is_later);
        let wait_ms = asked_ms.max(quota::wait_ms(&fetched.headers, now_ms));
        if is_broken {
            self.gate.failed(connection, wait_ms, now_ms);
        } else {
            self.gate.answered(connection, wait_ms, now_ms);
        }
        let reason = format!("{host} answered {status}");
        match status {
            401 | 403 => Err(Error::Denied { reason }),
            _ if is_later => Err(Error::Later { reason, after: wait_ms.map(millis) }),
            _ => Ok(fetched),
        }
    }

    fn prepare(&self, url: Url, request: &ApiRequest, secrets: &Secrets) -> Result<Request, Error> {
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| Error::never("the request's method is not valid"))?;
        let mut prepared = Request::new(method, url);
        for (name, value) in &request.headers {
            let invalid = || Error::never(format!("the request's header {name:?} is not valid"));
            let header: HeaderName = name.parse().map_err(|_| invalid())?;
            let filled = fill(value, secrets, Writing::Plain)?;
            let mut value = HeaderValue::from_bytes(filled.as_bytes()).map_err(|_| invalid())?;
            value.set_sensitive(true);
            prepared.headers_mut().append(header, value);
        }
        let content_type = prepared.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let writing = Writing::of(content_type.unwrap_or_default());
        let body = request.body.as_ref().map(|body| fill(body, secrets, writing)).transpose()?;
        let form = body.as_deref().filter(|_| writing == Writing::Form);
        if let Some(header) = self.authorization(&request.authorization, &prepared, form, secrets)? {
            let mut value = HeaderValue::from_str(&header)
                .map_err(|_| Error::never("the request's authorization is not valid"))?;
            value.set_sensitive(true);
            prepared.headers_mut().insert(AUTHORIZATION, value);
        }
        *prepared.body_mut() = body.map(Into::into);
        Ok(prepared)
    }

    fn authorization(
        &self,
        authorization: &Authorization,
        request: &Request,
        form: Option<&str>,
        secrets: &Secrets,
    ) -> Result<Option<String>, Error> {
        let fill = |text: &str| fill(text, secrets, Writing::Plain);
        Ok(match authorization {
            Authorization::Headers => None,
            Authorization::Basic { user, password } => {
                let pair = format!("{}:{}", fill(user)?, fill(password)?);
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
            Authorization::OAuth1 { consumer_key, consumer_secret, token, token_secret } => {
                let credentials = Credentials {
                    consumer_key: fill(consumer_key)?,
                    consumer_secret: fill(consumer_secret)?,
                    token: fill(token)?,
                    token_secret: fill(token_secret)?,
                };
                let stamp = Stamp {
                    nonce: Uuid::new_v4().simple().to_string(),
                    timestamp: self.clock.now().as_second(),
                };
                let method = request.method().as_str();
                Some(oauth1::authorization(method, request.url(), form, &credentials, &stamp)?)
            }
        })
    }
}

fn millis(wait_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(wait_ms).unwrap_or_default())
}
