//! HTTP with bounds: where a request may go, how long it may take, how much it may bring.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use platform::{Fetched, Headers};
use reqwest::redirect::Policy;
use reqwest::{Client, Request, Response, Url};

use crate::Error;
use crate::hosts::{Hosts, PrivateHost};

const USER_AGENT: &str = concat!("tillstream/", env!("CARGO_PKG_VERSION"));

/// How much a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until it is connected.
    pub connect: Duration,
    /// Until the answer has been read.
    pub total: Duration,
    /// Bytes of the answer's body.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), total: Duration::from_secs(10), body_bytes: 5 * 1024 * 1024 }
    }
}

/// A client that keeps to its limits.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    /// Made for the first request: reading the machine's certificates takes time, and most starts ask nobody.
    client: Arc<OnceLock<Client>>,
    hosts: Hosts,
    limits: Limits,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// None came, or not all of it.
    Unanswered(&'static str),
    /// It has no address that may be connected to.
    PrivateHost,
    /// It is larger than allowed.
    TooLarge,
}

impl Http {
    pub(crate) fn new(hosts: Hosts, limits: Limits) -> Self {
        Self { client: Arc::default(), hosts, limits }
    }

    fn client(&self) -> Result<&Client, Trouble> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .https_only(self.hosts == Hosts::Public)
            // Where a redirect leads has not been checked, and credentials must not follow it.
            .redirect(Policy::none())
            // A proxy would resolve names by itself.
            .no_proxy()
            .dns_resolver(Arc::new(self.hosts))
            .connect_timeout(self.limits.connect)
            // A function sleeps between invocations: what was open long before is closed by now.
            .pool_idle_timeout(Duration::from_secs(15))
            .timeout(self.limits.total)
            .build()
            .map_err(|_| Trouble::Unanswered("cannot be asked: there is no HTTP client"))?;
        Ok(self.client.get_or_init(|| client))
    }

    /// An address that may be asked, and its host.
    pub(crate) fn address(&self, text: &str) -> Result<(Url, String), Error> {
        let url: Url = text.parse().map_err(|_| Error::never("the request's address is not valid"))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let is_allowed = url.scheme() == "https" || (url.scheme() == "http" && self.hosts == Hosts::Any);
        if host.is_empty() || !is_allowed {
            return Err(Error::never("the request's address is not one of HTTPS"));
        }
        // The resolver is not asked about these.
        let literal: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        if literal.is_some_and(|address| !self.hosts.admit(address)) {
            return Err(Error::never(format!("{host} is in a private network")));
        }
        Ok((url, host))
    }

    /// Makes a request and reads the answer, whatever its status.
    pub(crate) async fn send(&self, request: Request) -> Result<Fetched, Trouble> {
        let response = self.client()?.execute(request).await.map_err(|error| trouble(&error))?;
        let status = response.status().as_u16();
        let headers: Headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        Ok(Fetched { status, headers, body: self.body(response).await? })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Trouble> {
        let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > self.limits.body_bytes) {
            return Err(Trouble::TooLarge);
        }
        let mut body = Vec::with_capacity(announced.unwrap_or_default());
        while let Some(chunk) = response.chunk().await.map_err(|error| trouble(&error))? {
            if body.len() + chunk.len() > self.limits.body_bytes {
                return Err(Trouble::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// What kind of trouble; the error's own text holds the whole address.
fn trouble(error: &reqwest::Error) -> Trouble {
    let mut cause = error.source();
    while let Some(deeper) = cause {
        if deeper.is::<PrivateHost>() {
            return Trouble::PrivateHost;
        }
        cause = deeper.source();
    }
    Trouble::Unanswered(if error.is_timeout() {
        "did not answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "broke off"
    })
}
