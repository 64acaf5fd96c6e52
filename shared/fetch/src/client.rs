//! Requests whose answers are for the caller, whatever their status: of the protocols that Tillstream speaks itself.

use http::{Request, Response};
use platform::Headers;
use runtime::Config;

use crate::error::Error;
use crate::hosts::Hosts;
use crate::http::{Http, Limits, Trouble};

/// Makes requests within bounds. It remembers nothing.
#[derive(Clone, Debug)]
pub struct Client(Http);

impl Client {
    /// From the function's configuration.
    pub fn new(config: &Config) -> Self {
        Self::with_limits(Hosts::from_config(config), Limits { body_bytes: 64 * 1024, ..Limits::default() })
    }

    /// With limits of one's own.
    pub fn with_limits(hosts: Hosts, limits: Limits) -> Self {
        Self(Http::new(hosts, limits))
    }

    /// Makes a request. The error is [`Error::Later`] where there is no answer, and [`Error::Never`] otherwise.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Error> {
        let (_, host) = self.0.address(&request.uri().to_string())?;
        let request = request.try_into().map_err(|_| Error::never("the request is not valid"))?;
        let fetched = self.0.send(request).await.map_err(|trouble| match trouble {
            Trouble::Unanswered(what) => Error::Later { reason: format!("{host} {what}"), after: None },
            Trouble::PrivateHost => Error::never(format!("{host} is in a private network")),
            Trouble::TooLarge => Error::never(format!("{host} answered with more than is read")),
        })?;
        let headers: &Headers = &fetched.headers;
        let mut response = Response::builder().status(fetched.status);
        for name in ["content-type", "retry-after"] {
            if let Some(value) = headers.get(name) {
                response = response.header(name, value);
            }
        }
        response.body(fetched.body).map_err(|_| Error::never(format!("{host} answered with what is no HTTP")))
    }
}
