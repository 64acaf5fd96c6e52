//! An authorisation in a browser: link, start, callback. What travels through the browser is random; only its digests
//! are kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use canonical::Instant;
use fetch::{Error, Fetcher};
use platform::{OAuth, Secrets};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use store::{Authorization, Ticket};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::Grants;
use crate::grant::Grant;
use crate::protocol::{self, Refusal};

/// How long a link, and a browser under way, have.
const LINK_MS: i64 = 3_600_000;
const BROWSER_MS: i64 = 600_000;
/// What a platform's callback may bring: longer codes and parameters are nobody's.
const MAX_PARAMETER: usize = 4096;

/// A link that begins an authorisation, for whoever may grant it.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// What the link carries: a secret.
    pub ticket: String,
    /// When it ends.
    pub expires_at: Instant,
}

/// Where a browser goes from the link.
#[derive(Clone, PartialEq, Eq)]
pub struct Begun {
    /// The platform's page.
    pub location: String,
    /// The name of the cookie that binds the browser.
    pub cookie_name: String,
    /// What it holds.
    pub cookie: String,
    /// For how many seconds.
    pub cookie_age_s: i64,
}

/// A callback that was asked for, and comes from the browser that asked.
#[derive(Clone)]
pub struct Callback {
    /// The connection that was authorised.
    pub connection: String,
    state: String,
    ticket: String,
    redirect_uri: String,
    verifier: String,
}

/// What was granted, before it is kept.
pub struct Outcome {
    /// Settings that the grant decides.
    pub settings: Map<String, Value>,
    connection: String,
    grant: Grant,
    own: Secrets,
}

/// Why an authorisation does not go on. The texts hold no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The link is unknown, too old, or was used.
    Link,
    /// Nobody asked for this callback, or it is too old, or it was used.
    Callback,
    /// Another browser asked for it.
    Browser,
    /// The owner said no.
    Declined,
    /// The platform does not go along.
    Platform(String),
    /// Something that is needed failed; trying again may help.
    Unavailable(String),
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// What is kept of what a browser carries.
pub fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

impl Grants {
    /// A new link to the authorisation of a connection.
    pub async fn link(&self, connection: &str) -> Result<Link, store::Error> {
        let (ticket, expires_at) = (random(), after(self.now(), LINK_MS));
        let record = Ticket { connection: connection.to_owned(), expires_at };
        self.store().put_ticket(&digest(&ticket), &record).await?;
        Ok(Link { ticket, expires_at })
    }

    /// The connection that a link is for.
    pub async fn linked(&self, ticket: &str) -> Result<String, Problem> {
        let ticket = self.store().ticket(&digest(ticket), self.now()).await?;
        Ok(ticket.ok_or(Problem::Link)?.connection)
    }

    /// Sends a browser that has the link to the platform.
    pub async fn begin(
        &self,
        ticket: &str,
        connection: &str,
        oauth: &OAuth,
        redirect_uri: &str,
    ) -> Result<Begun, Problem> {
        let (state, cookie) = (random(), random());
        let own = self.own(connection).await.map_err(|error| Problem::Unavailable(error.to_string()))?;
        let location = protocol::authorize_address(oauth, &own, redirect_uri, &state, &verifier(&cookie));
        let location = location.map_err(problem)?;
        let record = Authorization {
            connection: connection.to_owned(),
            ticket: digest(ticket),
            browser: digest(&cookie),
            redirect_uri: redirect_uri.to_owned(),
            expires_at: after(self.now(), BROWSER_MS),
        };
        self.store().put_authorization(&digest(&state), &record).await?;
        Ok(Begun { location, cookie_name: cookie_name(&state), cookie, cookie_age_s: BROWSER_MS / 1000 })
    }

    /// Whose callback this is, by what the cookie of [`cookie_name`] holds. Nothing is used up, so that nobody who only knows the state can spoil it.
    pub async fn recall(&self, state: &str, cookie: Option<&str>) -> Result<Callback, Problem> {
        let record = self.store().authorization(&digest(state), self.now()).await?;
        let record = record.ok_or(Problem::Callback)?;
        let cookie = cookie.ok_or(Problem::Browser)?;
        if !bool::from(digest(cookie).as_bytes().ct_eq(record.browser.as_bytes())) {
            return Err(Problem::Browser);
        }
        Ok(Callback {
            connection: record.connection,
            state: digest(state),
            ticket: record.ticket,
            redirect_uri: record.redirect_uri,
            verifier: verifier(cookie),
        })
    }

    /// Ends a callback that brings no code.
    pub async fn decline(&self, callback: &Callback, error: &str) -> Result<Problem, Problem> {
        if !self.store().take_authorization(&callback.state).await? {
            return Err(Problem::Callback);
        }
        Ok(if error == "access_denied" {
            Problem::Declined
        } else {
            Problem::Platform("the platform answered with an error instead of a grant".to_owned())
        })
    }

    /// Makes a grant of a callback's code, and of the parameters that the platform wants back, once: the link is used up with it.
    pub async fn exchange(
        &self,
        callback: &Callback,
        oauth: &OAuth,
        code: &str,
        handed_back: &[(&'static str, String)],
        fetcher: &Fetcher,
    ) -> Result<Outcome, Problem> {
        let is_new = self.store().take_authorization(&callback.state).await?;
        if !is_new || !self.store().take_ticket(&callback.ticket).await? {
            return Err(Problem::Callback);
        }
        let is_sound = |text: &str| !text.is_empty() && text.len() <= MAX_PARAMETER;
        let is_whole = oauth
            .handed_back
            .iter()
            .all(|name| handed_back.iter().any(|(given, value)| given == name && is_sound(value)));
        if !is_sound(code) || !is_whole {
            return Err(Problem::Platform("the platform's callback is not complete".to_owned()));
        }
        let connection = &callback.connection;
        let own = self.own(connection).await.map_err(|error| Problem::Unavailable(error.to_string()))?;
        let asked_at = self.now();
        let answer = protocol::exchange(
            self.client(),
            oauth,
            &own,
            &callback.redirect_uri,
            code,
            &callback.verifier,
            handed_back,
        )
        .await
        .map_err(problem)?;
        let grant = Grant::of(&answer, None, asked_at);
        let learned = async {
            let account = match &oauth.account {
                Some(request) => {
                    let mut secrets = own.clone();
                    secrets.rotate("access_token", grant.access_token.clone());
                    Some(fetcher.fetch(connection, request, &secrets).await.map_err(unasked)?)
                }
                None => None,
            };
            (oauth.learn)(&answer.told(), account.as_ref())
                .map_err(|error| Problem::Platform(format!("the platform does not say whose it is: {error}")))
        };
        match learned.await {
            Ok(settings) => Ok(Outcome { settings, connection: connection.clone(), grant, own }),
            Err(problem) => {
                self.revoke_at_platform(oauth, &own, &grant).await;
                Err(problem)
            }
        }
    }

    /// Keeps what was granted: from now on requests are made with it.
    pub async fn accept(&self, outcome: Outcome) -> Result<(), Problem> {
        self.keep(&outcome.connection, &outcome.grant)
            .await
            .map_err(|error| Problem::Unavailable(error.to_string()))?;
        Ok(self.store().forget_error(&outcome.connection).await?)
    }

    /// Gives back what was granted, because it is not to be kept.
    pub async fn reject(&self, outcome: Outcome, oauth: &OAuth) {
        self.revoke_at_platform(oauth, &outcome.own, &outcome.grant).await;
    }
}

/// 244 random bits, as text.
fn random() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// The code verifier (PKCE) that goes with a cookie: so it is known to nobody but the browser before it is needed.
fn verifier(cookie: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("verifier {cookie}")))
}

/// One cookie for each authorisation, so that two can be under way in one browser. The prefix makes browsers take it from
/// this host alone, and by HTTPS.
pub fn cookie_name(state: &str) -> String {
    format!("__Host-authorization-{:.16}", digest(state))
}

fn after(now: Instant, time_ms: i64) -> Instant {
    Instant::from_millis(now.as_millis() + time_ms).unwrap_or(now)
}

fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Ended(reason) | Refusal::Application(reason) => Problem::Platform(reason),
        Refusal::Later(reason) => Problem::Unavailable(reason),
    }
}

fn unasked(error: Error) -> Problem {
    match error {
        Error::Later { reason, .. } => Problem::Unavailable(reason),
        Error::Denied { reason } | Error::Never { reason } => Problem::Platform(reason),
    }
}
