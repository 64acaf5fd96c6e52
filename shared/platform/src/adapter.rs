//! The one interface between Tillstream and a platform. An adapter is asked and answers with data: it reads
//! no clock, no network, no environment.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::fact::RefundPolicy;
use canonical::{Currency, Fact};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::envelope::{Delivery, Unverified, Verified};
use crate::oauth::OAuth;

/// A platform's adapter.
pub trait Platform: Send + Sync + 'static {
    /// The name in addresses and items, such as `shopify`.
    fn name(&self) -> &'static str;

    /// What a connection to this platform needs, for people and forms.
    fn description(&self) -> Description;

    /// Decides whether a delivery is genuine. Compares in constant time, over the raw bytes, against the
    /// current and the previous secret; where the scheme carries a time, within its replay window.
    fn verify(
        &self,
        request: &Request,
        body: Unverified,
        connection: &Connection,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Verdict;

    /// Reads a genuine delivery. A thin one asks for what it lacks with [`Mapping::Fetch`] and is asked again
    /// with the answers, in the order of its requests; if it then asks for more, all answers so far come first.
    fn facts(&self, delivery: &Delivery, connection: &Connection, fetched: &[Fetched]) -> Mapping;

    /// What to ask the platform for: everything that changed in a period, or that was made in it. Empty for a platform
    /// that has no API, and for a connection that lacks the settings; empty for [`Span::Changes`] also where a connection
    /// does not want to be polled.
    fn feeds(&self, _connection: &Connection, _period: &Period) -> Vec<Feed> {
        Vec::new()
    }

    /// Reads one page of a feed. `joined` are the answers to [`Page::joins`], of all rounds so far and in order; empty
    /// at first. An error is a text without content; the page will be asked for again.
    fn page(
        &self,
        _connection: &Connection,
        _feed: &Feed,
        _answer: &Fetched,
        _joined: &[Fetched],
    ) -> Result<Page, String> {
        Err("this platform has no feeds".to_owned())
    }

    /// How long after a poll the next one begins.
    fn interval(&self, _connection: &Connection) -> Duration {
        Duration::from_mins(15)
    }

    /// How a connection is authorised in a browser; `None` where keys are entered instead.
    fn oauth(&self, _connection: &Connection) -> Option<OAuth> {
        None
    }
}

/// A connection as adapters see it: without its secrets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id, the last part of its webhook address.
    pub id: String,
    /// The platform's name.
    pub platform: String,
    /// Settings by name; the adapter's [`Description`] says which there are.
    #[serde(default)]
    pub settings: Map<String, Value>,
}

impl Connection {
    /// A boolean setting, or its default when it is absent or of another type.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.settings.get(name).and_then(Value::as_bool).unwrap_or(default)
    }

    /// A text setting; empty counts as absent. It is trimmed.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.settings.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    }

    /// Which refunds become events, by the setting `refund_policy` (`each` or `full_only`).
    pub fn refund_policy(&self, default: RefundPolicy) -> RefundPolicy {
        match self.text("refund_policy") {
            Some("each") => RefundPolicy::Each,
            Some("full_only") => RefundPolicy::FullOnly,
            _ => default,
        }
    }

    /// The time zone that a setting names (IANA), for a platform that writes local times without saying whose.
    pub fn time_zone(&self, name: &str) -> Option<TimeZone> {
        TimeZone::get(self.text(name)?).ok()
    }

    /// The currency that a setting names, for a platform that writes amounts without saying which.
    pub fn currency(&self, name: &str) -> Option<Currency> {
        self.text(name)?.parse().ok()
    }
}

/// What is needed to connect, as two JSON Schemas (objects with `properties` and `required`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// The name for people, such as `Shopify`.
    pub title: &'static str,
    /// JSON Schema of the settings.
    pub settings: Value,
    /// JSON Schema of the secrets.
    pub secrets: Value,
}

/// Secrets by name, each with the value in force and, while it is being rotated, the one before it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secrets(BTreeMap<String, Versions>);

#[derive(Clone, Default, Serialize, Deserialize)]
struct Versions {
    current: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    /// Sets a secret; a different value that was there before stays valid as the previous one.
    pub fn rotate(&mut self, name: &str, value: String) {
        let versions = self.0.entry(name.to_owned()).or_default();
        if versions.current == value {
            return;
        }
        let replaced = std::mem::replace(&mut versions.current, value);
        versions.previous = Some(replaced).filter(|old| !old.is_empty());
    }

    /// Ends the validity of all previous values.
    pub fn forget_previous(&mut self) {
        for versions in self.0.values_mut() {
            versions.previous = None;
        }
    }

    /// The values that are valid for a name, the current one first; empty if there is none.
    pub fn valid(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flat_map(|versions| {
            std::iter::once(versions.current.as_str())
                .chain(versions.previous.as_deref())
                .filter(|secret| !secret.is_empty())
        })
    }

    /// Names of the secrets that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// HTTP headers with lower-case names; of a repeated one, the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The value of a header, whatever the case of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// Keeps only the named ones (lower-case): what travels with the delivery.
    #[must_use]
    pub fn keep(&self, names: &[&str]) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| names.contains(&name.as_str()))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect(),
        )
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.into()))
                .collect(),
        )
    }
}

/// A delivery's request without its body.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `POST`, `GET`, …
    pub method: String,
    /// The query, as it came.
    pub query: String,
    /// The headers.
    pub headers: Headers,
    /// Public keys (PEM) that were fetched before, by address: see [`Verdict::Keys`].
    pub keys: BTreeMap<String, String>,
}

/// The answer of [`Platform::verify`].
#[derive(Debug)]
pub enum Verdict {
    /// Genuine: goes into the queue.
    Accept(Verified),
    /// Nothing to do (a ping, a topic nobody asked for): answered with 200 and this body, and counted.
    Ignore {
        /// Why, for the counter: a short constant.
        reason: &'static str,
        /// The topic, if the delivery has one.
        topic: Option<String>,
        /// The answer's body.
        body: String,
    },
    /// Public keys at these addresses are needed first; the adapter has made sure that they are the platform's own.
    /// It is asked again with [`Request::keys`].
    Keys(Vec<String>),
    /// Not genuine: answered with 401.
    Reject(Rejection),
}

impl Verdict {
    /// Genuine but not wanted.
    pub fn ignore(reason: &'static str, topic: Option<&str>) -> Self {
        Self::Ignore { reason, topic: topic.map(str::to_owned), body: "ignored".to_owned() }
    }
}

/// Why a delivery was refused. The text names no secret and no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// The header, token or JWT that should prove the sender is not there.
    #[error("signature missing")]
    Missing,
    /// It is there, but not of the form the scheme asks for.
    #[error("signature malformed")]
    Malformed,
    /// It was made with another secret or over other bytes.
    #[error("signature mismatch")]
    Mismatch,
    /// Its time is outside the replay window.
    #[error("timestamp outside the replay window")]
    Stale,
    /// It names another algorithm than the pinned one.
    #[error("algorithm not allowed")]
    Algorithm,
    /// It names a key on a host that is not the platform's.
    #[error("key host not allowed")]
    KeyHost,
    /// The connection has no secret to compare with.
    #[error("no secret configured")]
    NoSecret,
}

/// The answer of [`Platform::facts`].
#[derive(Clone, Debug, PartialEq)]
pub enum Mapping {
    /// What the delivery says.
    Facts {
        /// The facts.
        facts: Vec<Fact>,
        /// Fields that were bad and dropped, by name (never by value): counted.
        dropped: Vec<&'static str>,
    },
    /// The delivery is thin: these requests must be made first.
    Fetch(Vec<ApiRequest>),
    /// It says nothing that is kept (counted with the reason).
    Ignore(&'static str),
    /// It can never be read: goes to the dead-letter queue with the reason.
    Malformed(String),
}

impl Mapping {
    /// Facts without a dropped field.
    pub fn facts(facts: Vec<Fact>) -> Self {
        Self::Facts { facts, dropped: Vec::new() }
    }
}

/// A request to the platform's API, to be made with the connection's credentials. `{secret:NAME}` in a header, in
/// the body or in the authorization is replaced by that secret when the request is made. The host must come from
/// the platform's documentation or from the connection's settings, never from a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ApiRequest {
    /// `GET`, mostly.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body, for methods that have one.
    pub body: Option<String>,
    /// How the request says who asks, where a header's text is not enough.
    pub authorization: Authorization,
    /// For how long the answer may be used again by the same process: for what hardly changes, such as a shop's
    /// currencies.
    pub keep: Option<Duration>,
    /// How often the connection's platform may be asked, where its answers do not say.
    pub pace: Option<Pace>,
}

/// At most so many requests in so long a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pace {
    /// Requests that may be made at once, and in all.
    pub requests: u32,
    /// In this time.
    pub per: Duration,
}

impl ApiRequest {
    /// A request without a body, for JSON.
    pub fn get(url: impl Into<String>) -> Self {
        let accept = ("accept".to_owned(), "application/json".to_owned());
        Self { method: "GET".to_owned(), url: url.into(), headers: vec![accept], ..Self::default() }
    }

    /// A request with a JSON body.
    pub fn post(url: impl Into<String>, body: &Value) -> Self {
        let mut request = Self::get(url).header("content-type", "application/json");
        "POST".clone_into(&mut request.method);
        request.body = Some(body.to_string());
        request
    }

    /// With an answer that may be used again for so long.
    #[must_use]
    pub fn kept_for(self, time: Duration) -> Self {
        Self { keep: Some(time), ..self }
    }

    /// At most so many requests in so long a time.
    #[must_use]
    pub fn paced(self, requests: u32, per: Duration) -> Self {
        Self { pace: Some(Pace { requests, per }), ..self }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With HTTP Basic authentication.
    #[must_use]
    pub fn basic(self, user: &str, password: &str) -> Self {
        let (user, password) = (user.to_owned(), password.to_owned());
        Self { authorization: Authorization::Basic { user, password }, ..self }
    }
}

/// How a request says who asks. Every text may hold `{secret:NAME}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Authorization {
    /// By its headers, if at all.
    #[default]
    Headers,
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// OAuth 1.0a with HMAC-SHA256 (RFC 5849, but for the digest), as Adobe Commerce's integrations use it.
    OAuth1 {
        /// Names the application.
        consumer_key: String,
        /// Proves it.
        consumer_secret: String,
        /// Names the grant.
        token: String,
        /// Proves it.
        token_secret: String,
    },
}

/// An answer of the platform's API. Adapters see what says something about the thing asked for: success, and
/// refusals such as 404. Time-outs, 401, 403, 408, 429 and 5xx never reach them: the request is made again later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// What a feed is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// From here on.
    pub since: Timestamp,
    /// Up to here.
    pub until: Timestamp,
    /// By which of a record's times.
    pub span: Span,
    /// How far each feed has come that counts its records instead of dating them: [`Page::mark`] of its last page, by
    /// the feed's name. Always empty for [`Span::History`].
    pub marks: BTreeMap<String, String>,
}

impl Period {
    /// What changed between two instants.
    pub fn changes(since: Timestamp, until: Timestamp) -> Self {
        Self { since, until, span: Span::Changes, marks: BTreeMap::new() }
    }

    /// What was made between two instants.
    pub fn history(since: Timestamp, until: Timestamp) -> Self {
        Self { since, until, span: Span::History, marks: BTreeMap::new() }
    }
}

/// Which records belong to a [`Period`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Those that changed in it: a poll.
    Changes,
    /// Those that were made in it: a historical import, or a count. A record that changed since is asked for as it is
    /// now. Where the platform can only be asked by change, `until` is not a bound: older records may come as well.
    History,
}

/// One thing that a platform is asked for, such as its orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Its name within the platform, such as `orders`.
    pub name: &'static str,
    /// The request of the first page; of a later one, while it is read.
    pub request: ApiRequest,
}

/// One page of a feed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// What must be asked before this page can be read, such as the customers of its orders; nothing else is taken from
    /// the page then.
    pub joins: Vec<ApiRequest>,
    /// What it holds: each goes into the queue as a delivery.
    pub records: Vec<Record>,
    /// The request of the next page; `None` after the last.
    pub next: Option<ApiRequest>,
    /// How far the feed has come with this page, where it counts its records: handed back in [`Period::marks`].
    pub mark: Option<String>,
}

/// One record of a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The topic that its body is read as.
    pub topic: String,
    /// Names this state of the record.
    pub delivery_id: String,
    /// Headers that the reading needs.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}
