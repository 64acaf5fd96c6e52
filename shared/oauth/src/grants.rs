//! Grants in use: kept, renewed by one at a time, given back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use canonical::Instant;
use fetch::{Client, Error};
use http::{Method, Request};
use platform::{Connection, OAuth, Platform, SecretError, SecretStore, Secrets};
use runtime::Clock;
use store::{GrantLease, Health, Store};

use crate::grant::{Grant, GrantStatus, State};
use crate::protocol::{self, Answer, Refusal};

/// How long what was read is used before it is read again; and after a refusal.
const FRESH_MS: i64 = 30_000;
const REREAD_MS: i64 = 5_000;
/// Connections remembered before all are forgotten: a bound, not a tuning.
const MAX_REMEMBERED: usize = 10_000;
/// How long a lease lasts: longer than what is done under it without renewing it.
const LEASE_MS: i64 = 45_000;
/// How often, and after which pauses, somebody else's lease is waited for: five seconds in all.
const WAITS: u32 = 25;
const PAUSE: Duration = Duration::from_millis(200);
/// How long nobody renews a grant after a failure that may pass, and after the application was refused.
const PASSING_MS: i64 = 60_000;
const REFUSED_MS: i64 = 300_000;
/// Pauses between tries of what it takes to keep a new pair: losing it can mean losing the grant.
const KEEPING: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];
/// The secret that a grant becomes.
const ACCESS_TOKEN: &str = "access_token";
/// What helps when a grant is over.
const HINT: &str = "authorise the connection again (POST /api/connections/{id}/authorize)";

/// The secrets of connections, the tokens that were granted to them among these. One per process.
#[derive(Clone, Debug)]
pub struct Grants(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    secrets: SecretStore,
    store: Store,
    client: Client,
    clock: Clock,
    remembered: Mutex<HashMap<String, Arc<Entry>>>,
}

/// What is remembered of a connection, and the lock on its renewal within the process.
#[derive(Debug, Default)]
struct Entry {
    known: Mutex<Option<Arc<Known>>>,
    renewal: tokio::sync::Mutex<()>,
}

/// A connection's secrets.
#[derive(Debug)]
struct Known {
    own: Secrets,
    grant: Option<Grant>,
    /// Whether the grant was looked for.
    is_whole: bool,
    read_at_ms: i64,
}

impl Known {
    fn secrets(&self) -> Secrets {
        let mut secrets = self.own.clone();
        if let Some(grant) = &self.grant {
            secrets.rotate(ACCESS_TOKEN, grant.access_token.clone());
        }
        secrets
    }

    fn holds(&self, grant: &Grant) -> bool {
        self.grant.as_ref().is_some_and(|held| held.access_token == grant.access_token)
    }
}

/// What became of a grant that was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// There was none.
    Nothing,
    /// It is forgotten here; the platform has no place where it is given back, or could not be reached.
    Here,
    /// The platform knows it no longer, either.
    Everywhere,
}

impl Grants {
    /// From its parts.
    pub fn new(secrets: SecretStore, store: Store, client: Client, clock: Clock) -> Self {
        Self(Arc::new(Inner { secrets, store, client, clock, remembered: Mutex::default() }))
    }

    /// As [`Self::get`], for a connection of a platform.
    pub async fn secrets(&self, connection: &Connection, platform: &dyn Platform) -> Result<Secrets, Error> {
        self.get(&connection.id, platform.oauth(connection)).await
    }

    /// A connection's secrets; with a grant, its `access_token` is among them, renewed if it was about to end.
    /// [`Error::Denied`] if the grant is over.
    pub async fn get(&self, connection: &str, oauth: Option<OAuth>) -> Result<Secrets, Error> {
        let known = self.known(connection, oauth.is_some(), FRESH_MS).await?;
        let (Some(oauth), Some(grant)) = (oauth, &known.grant) else { return Ok(known.own.clone()) };
        match grant.state(self.now()) {
            State::Fresh => Ok(known.secrets()),
            State::Ageing => match self.renew(connection, oauth, grant).await {
                Ok(known) => usable(&known),
                // It still is good.
                Err(Error::Later { .. }) => Ok(known.secrets()),
                Err(error) => Err(error),
            },
            State::Expired => usable(&*self.renew(connection, oauth, grant).await?),
            State::Ended => Err(over()),
        }
    }

    /// The secrets to try a request with again that was refused with `used` (401, 403): those that were entered or
    /// granted meanwhile, or a grant that is renewed for this. [`Error::Denied`] if there are no others.
    pub async fn denied(
        &self,
        connection: &str,
        oauth: Option<OAuth>,
        used: &Secrets,
    ) -> Result<Secrets, Error> {
        let known = self.known(connection, oauth.is_some(), REREAD_MS).await?;
        if known.grant.as_ref().is_some_and(|grant| grant.state(self.now()) == State::Ended) {
            return Err(over());
        }
        let secrets = known.secrets();
        if !is_same(&secrets, used) {
            return Ok(secrets);
        }
        if let (Some(oauth), Some(grant)) = (oauth, &known.grant)
            && grant.is_forcible(self.now())
        {
            return usable(&*self.renew(connection, oauth, grant).await?);
        }
        let reason = match known.grant {
            Some(_) => format!("the granted token is refused: if this lasts, {HINT}"),
            None => "the credentials are refused".to_owned(),
        };
        Err(Error::Denied { reason })
    }

    /// What may be said about a connection's grant; `None` if it has none.
    pub async fn status(&self, connection: &str) -> Result<Option<GrantStatus>, SecretError> {
        let grant: Option<Grant> = self.0.secrets.grant(connection).await?;
        Ok(grant.map(|grant| GrantStatus::of(&grant, self.now())))
    }

    /// Gives a grant back: to the platform, as far as it takes it, and forgets it here.
    pub async fn give_back(&self, connection: &str, oauth: Option<&OAuth>) -> Result<Returned, Error> {
        let lease_ms = self.0.seize(connection).await?;
        let grant: Option<Grant> = self.0.secrets.grant(connection).await.map_err(unavailable)?;
        let mut returned = Returned::Nothing;
        if let Some(grant) = grant {
            returned = Returned::Here;
            let own = self.0.secrets.get(connection).await.map_err(unavailable)?;
            if let Some(oauth) = oauth
                && self.0.revoke(oauth, &own, &grant).await
            {
                returned = Returned::Everywhere;
            }
            self.0.secrets.delete_grant(connection).await.map_err(unavailable)?;
        }
        self.0.forget(connection);
        self.0.release(connection, lease_ms).await;
        Ok(returned)
    }

    /// Keeps a grant that was just made, in place of any before.
    pub(crate) async fn keep(&self, connection: &str, grant: &Grant) -> Result<(), Error> {
        let lease_ms = self.0.seize(connection).await?;
        let kept = self.0.put(connection, grant).await;
        self.0.forget(connection);
        self.0.release(connection, lease_ms).await;
        kept
    }

    /// Gives back a grant that is not to be kept, as far as the platform takes it.
    pub(crate) async fn revoke_at_platform(&self, oauth: &OAuth, own: &Secrets, grant: &Grant) {
        self.0.revoke(oauth, own, grant).await;
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// A connection's own secrets, as they are now.
    pub(crate) async fn own(&self, connection: &str) -> Result<Secrets, SecretError> {
        self.0.secrets.get(connection).await
    }

    pub(crate) fn now(&self) -> Instant {
        self.0.now()
    }

    /// A connection's secrets as they were read not longer ago than that.
    async fn known(&self, connection: &str, is_whole: bool, max_age_ms: i64) -> Result<Arc<Known>, Error> {
        let now_ms = self.0.clock.now_ms();
        let known = self.0.entry(connection).known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_good =
            |known: &Arc<Known>| now_ms - known.read_at_ms < max_age_ms && (known.is_whole || !is_whole);
        match known.filter(is_good) {
            Some(known) => Ok(known),
            None => self.0.read(connection, is_whole).await,
        }
    }

    /// Renews a grant, if it still is the one in force; otherwise what is in force. It goes on if the caller gives up
    /// waiting: a pair that was issued must be kept.
    async fn renew(&self, connection: &str, oauth: OAuth, stale: &Grant) -> Result<Arc<Known>, Error> {
        let (inner, connection, stale) = (Arc::clone(&self.0), connection.to_owned(), stale.clone());
        let renewal = tokio::spawn(async move { inner.renew(&connection, &oauth, &stale).await });
        renewal.await.unwrap_or_else(|_| Err(later("renewing the grant broke off".to_owned())))
    }
}

impl Inner {
    fn now(&self) -> Instant {
        self.clock.now().into()
    }

    fn entry(&self, connection: &str) -> Arc<Entry> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED && !remembered.contains_key(connection) {
            remembered.clear();
        }
        Arc::clone(remembered.entry(connection.to_owned()).or_default())
    }

    fn forget(&self, connection: &str) {
        *self.entry(connection).known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn remember(&self, connection: &str, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        let entry = self.entry(connection);
        *entry.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
        known
    }

    async fn read(&self, connection: &str, is_whole: bool) -> Result<Arc<Known>, Error> {
        let read_at_ms = self.clock.now_ms();
        let grant = async { if is_whole { self.secrets.grant(connection).await } else { Ok(None) } };
        let (own, grant) = tokio::try_join!(self.secrets.get(connection), grant).map_err(unavailable)?;
        Ok(self.remember(connection, Known { own, grant, is_whole, read_at_ms }))
    }

    async fn renew(&self, connection: &str, oauth: &OAuth, stale: &Grant) -> Result<Arc<Known>, Error> {
        let entry = self.entry(connection);
        let _one = entry.renewal.lock().await;
        for _ in 0..WAITS {
            let now_ms = self.clock.now_ms();
            let claimed = self.store.claim_grant(connection, now_ms, now_ms + LEASE_MS, None).await;
            let lease_ms = match claimed.map_err(unavailable)? {
                GrantLease::Mine(lease_ms) => lease_ms,
                GrantLease::Held { until_ms, reason: Some(reason) } => {
                    let after = u64::try_from(until_ms - now_ms).ok().map(Duration::from_millis);
                    return Err(Error::Later { reason, after });
                }
                GrantLease::Held { .. } => {
                    tokio::time::sleep(PAUSE).await;
                    let known = self.read(connection, true).await?;
                    if known.holds(stale) {
                        continue;
                    }
                    return Ok(known);
                }
            };
            return self.renew_under(connection, oauth, stale, lease_ms).await;
        }
        Err(later("the grant is being renewed".to_owned()))
    }

    /// What somebody who has the lease does: everything is looked at again.
    async fn renew_under(
        &self,
        connection: &str,
        oauth: &OAuth,
        stale: &Grant,
        lease_ms: i64,
    ) -> Result<Arc<Known>, Error> {
        let known = self.read(connection, true).await?;
        let current = known.grant.as_ref().filter(|_| known.holds(stale));
        let token =
            current.filter(|grant| grant.ended_at.is_none()).and_then(|grant| grant.refresh_token.as_ref());
        let Some(token) = token else {
            self.release(connection, lease_ms).await;
            return Ok(known);
        };
        // A process that was frozen since must not ask: the token may have been used by another.
        let asked_at = self.now();
        let until_ms = asked_at.as_millis() + LEASE_MS;
        self.store.renew_grant(connection, lease_ms, until_ms).await.map_err(unavailable)?;
        match protocol::refresh(&self.client, oauth, &known.own, token).await {
            Ok(answer) => self.keep_renewed(connection, &known, &answer, asked_at, until_ms).await,
            Err(Refusal::Ended(reason)) => self.end(connection, &known, &reason, until_ms).await,
            Err(Refusal::Application(reason)) => {
                let reason =
                    format!("the grant cannot be renewed: {reason}; check the application's secrets");
                self.note(connection, &reason).await;
                Err(self.hold(connection, until_ms, REFUSED_MS, reason).await)
            }
            Err(Refusal::Later(reason)) => {
                let reason = format!("the grant cannot be renewed: {reason}");
                Err(self.hold(connection, until_ms, PASSING_MS, reason).await)
            }
        }
    }

    /// Keeps a new pair before anybody uses it, unless a newer one was kept meanwhile.
    async fn keep_renewed(
        &self,
        connection: &str,
        known: &Known,
        answer: &Answer,
        asked_at: Instant,
        lease_ms: i64,
    ) -> Result<Arc<Known>, Error> {
        let before = known.grant.as_ref();
        let lease_ms = persistently(|| self.hold_on(connection, lease_ms)).await?;
        let current = persistently(|| self.read(connection, true)).await?;
        let is_current = before.is_some_and(|before| current.holds(before));
        let outcome = if is_current {
            let grant = Grant::of(answer, before, asked_at);
            let kept = self.put(connection, &grant).await;
            kept.map(|()| {
                let read_at_ms = self.clock.now_ms();
                let own = current.own.clone();
                self.remember(connection, Known { own, grant: Some(grant), is_whole: true, read_at_ms })
            })
        } else {
            Ok(current)
        };
        self.release(connection, lease_ms).await;
        outcome
    }

    /// The platform knows the grant no longer, unless somebody renewed it meanwhile.
    async fn end(
        &self,
        connection: &str,
        known: &Known,
        reason: &str,
        lease_ms: i64,
    ) -> Result<Arc<Known>, Error> {
        let lease_ms = self.hold_on(connection, lease_ms).await?;
        let current = self.read(connection, true).await?;
        let grant = known.grant.as_ref().filter(|before| current.holds(before));
        let outcome = match grant {
            Some(grant) => {
                let ended = Grant { ended_at: Some(self.now()), ..grant.clone() };
                let kept = self.put(connection, &ended).await;
                self.forget(connection);
                self.note(connection, &format!("the authorisation is over ({reason}): {HINT}")).await;
                kept.and(Err(over()))
            }
            None => Ok(current),
        };
        self.release(connection, lease_ms).await;
        outcome
    }

    /// The lease, made longer; taken anew if it was lost.
    async fn hold_on(&self, connection: &str, lease_ms: i64) -> Result<i64, Error> {
        let until_ms = self.clock.now_ms() + LEASE_MS;
        // Another instant than before: the lease's end is its name.
        let until_ms = until_ms.max(lease_ms + 1);
        match self.store.renew_grant(connection, lease_ms, until_ms).await {
            Ok(()) => Ok(until_ms),
            Err(store::Error::Conflict) => self.seize(connection).await,
            Err(error) => Err(unavailable(error)),
        }
    }

    /// The lease, whoever has it: they are waited for, but not for ever, and whoever loses it sees that before keeping
    /// anything.
    async fn seize(&self, connection: &str) -> Result<i64, Error> {
        let mut over = None;
        for round in 0..=WAITS {
            let now_ms = self.clock.now_ms();
            let until_ms = now_ms + LEASE_MS;
            let claimed = self.store.claim_grant(connection, now_ms, until_ms, over).await;
            match claimed.map_err(unavailable)? {
                GrantLease::Mine(lease_ms) => return Ok(lease_ms),
                // Nobody is at work.
                GrantLease::Held { until_ms, reason: Some(_) } => over = Some(until_ms),
                GrantLease::Held { until_ms, .. } => {
                    over = (round + 1 >= WAITS).then_some(until_ms);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Err(later("the grant is being renewed".to_owned()))
    }

    async fn put(&self, connection: &str, grant: &Grant) -> Result<(), Error> {
        persistently(|| async { self.secrets.put_grant(connection, grant).await.map_err(unavailable) }).await
    }

    /// Lets nobody renew the grant for a while.
    async fn hold(&self, connection: &str, lease_ms: i64, time_ms: i64, reason: String) -> Error {
        let until_ms = self.clock.now_ms() + time_ms;
        if let Err(error) = self.store.hold_grant(connection, lease_ms, until_ms, &reason).await {
            tracing::warn!(connection, %error, "lease not kept");
        }
        Error::Later { reason, after: u64::try_from(time_ms).ok().map(Duration::from_millis) }
    }

    /// A lease that is not given back ends by itself.
    async fn release(&self, connection: &str, lease_ms: i64) {
        if let Err(error) = self.store.release_grant(connection, lease_ms).await {
            tracing::warn!(connection, %error, "lease not given back");
        }
    }

    async fn note(&self, connection: &str, reason: &str) {
        let mut health = Health::default();
        health.fail(self.now(), reason);
        if let Err(error) = self.store.note_health(connection, &health).await {
            tracing::warn!(connection, %error, "health not noted");
        }
        tracing::warn!(connection, reason, "grant not renewed");
    }

    /// Gives a grant back to the platform (RFC 7009); whether it took it. The refresh token stands for the whole grant.
    async fn revoke(&self, oauth: &OAuth, own: &Secrets, grant: &Grant) -> bool {
        let Some(address) = &oauth.revoke_url else { return false };
        let (token, kind) = match &grant.refresh_token {
            Some(token) => (token, "refresh_token"),
            None => (&grant.access_token, ACCESS_TOKEN),
        };
        let Some((body, authorization)) = protocol::revocation(oauth, own, token, kind) else { return false };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(address)
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let Ok(request) = request.body(body.into_bytes()) else { return false };
        matches!(self.client.send(request).await, Ok(response) if response.status().is_success())
    }
}

/// The secrets, unless what was found in place of a grant that had to be renewed is no use either.
fn usable(known: &Known) -> Result<Secrets, Error> {
    match &known.grant {
        Some(grant) if grant.ended_at.is_some() => Err(over()),
        _ => Ok(known.secrets()),
    }
}

/// Tries something again that failed.
async fn persistently<T, F>(attempt: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for pause in KEEPING {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(_) => tokio::time::sleep(pause).await,
        }
    }
    attempt().await
}

fn over() -> Error {
    Error::Denied { reason: format!("the authorisation is over: {HINT}") }
}

fn later(reason: String) -> Error {
    Error::Later { reason, after: None }
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    later(error.to_string())
}

fn is_same(one: &Secrets, other: &Secrets) -> bool {
    one.names().eq(other.names()) && one.names().all(|name| one.valid(name).eq(other.valid(name)))
}
