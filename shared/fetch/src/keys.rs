//! Public keys that platforms sign with and publish.

use std::time::Duration;

use anyhow::{Context, bail};
use futures::future::BoxFuture;
use platform::receiver::KeySource;
use reqwest::{Method, Request};

use crate::hosts::Hosts;
use crate::http::{Http, Limits, Trouble};

/// A receiver must answer its platform within seconds.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(1), total: Duration::from_secs(3), body_bytes: 16 * 1024 };

/// Fetches public keys by HTTPS. It remembers nothing: the receiver does.
#[derive(Debug)]
pub struct PublicKeys(Http);

impl PublicKeys {
    /// From hosts of the internet.
    pub fn public() -> Self {
        Self::of(Hosts::Public)
    }

    /// From these hosts.
    pub fn of(hosts: Hosts) -> Self {
        Self(Http::new(hosts, LIMITS))
    }
}

impl KeySource for PublicKeys {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, anyhow::Result<String>> {
        Box::pin(async move {
            let (url, host) = self.0.address(url)?;
            let answer = match self.0.send(Request::new(Method::GET, url)).await {
                Ok(answer) => answer,
                Err(Trouble::Unanswered(what)) => bail!("{host} {what}"),
                Err(Trouble::PrivateHost) => bail!("{host} is in a private network"),
                Err(Trouble::TooLarge) => bail!("{host} answered with more than a key"),
            };
            if answer.status != 200 {
                bail!("{host} answered {}", answer.status);
            }
            String::from_utf8(answer.body).with_context(|| format!("{host} answered with what is no text"))
        })
    }
}
