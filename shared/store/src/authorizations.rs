//! Authorisations of connections: who renews a grant, and what a browser that asks for one carries. Grants themselves are
//! elsewhere; of what a browser carries only digests are known.

use canonical::Instant;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::table::{self, from_json, item_text, number, text, to_json};
use crate::{Error, Result, Store};

const GRANT: &str = "grant";
const TICKET: &str = "ticket";
const AUTHORIZATION: &str = "authorization";

/// The answer to [`Store::claim_grant`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantLease {
    /// The caller's, until then.
    Mine(i64),
    /// Somebody else's, until then; or nobody's for a while, for this reason.
    Held {
        /// In milliseconds since 1970.
        until_ms: i64,
        /// Why the platform is left alone.
        reason: Option<String>,
    },
}

/// A link that begins an authorisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The connection.
    pub connection: String,
    /// When it ends.
    pub expires_at: Instant,
}

/// An authorisation that is under way in a browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// The connection.
    pub connection: String,
    /// The digest of the ticket that began it.
    pub ticket: String,
    /// The digest of what the browser's cookie holds.
    pub browser: String,
    /// Where the platform sends the browser.
    pub redirect_uri: String,
    /// When it ends.
    pub expires_at: Instant,
}

impl Store {
    /// Takes the lease on a connection's grant, if nobody has it, or if it is `over`, which is taken from whoever has it.
    pub async fn claim_grant(
        &self,
        connection: &str,
        now_ms: i64,
        until_ms: i64,
        over: Option<i64>,
    ) -> Result<GrantLease> {
        let request = self
            .client
            .update_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(GRANT, connection)))
            .update_expression("SET lease = :until REMOVE reason")
            .condition_expression("attribute_not_exists(lease) OR lease <= :now OR lease = :over")
            .expression_attribute_values(":until", number(until_ms))
            .expression_attribute_values(":now", number(now_ms))
            .expression_attribute_values(":over", number(over.unwrap_or(now_ms)));
        match request.send().await.map_err(|error| Error::of(&error)) {
            Ok(_) => Ok(GrantLease::Mine(until_ms)),
            Err(Error::Conflict) => {
                let item = self.get(&self.registry, GRANT, connection).await?.unwrap_or_default();
                let until_ms = item.get("lease").and_then(|lease| lease.as_n().ok()?.parse().ok());
                let reason = item_text(&item, "reason").map(str::to_owned);
                Ok(GrantLease::Held { until_ms: until_ms.unwrap_or(now_ms), reason })
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a lease longer. [`Error::Conflict`] if somebody else has it.
    pub async fn renew_grant(&self, connection: &str, lease_ms: i64, until_ms: i64) -> Result<()> {
        self.update_lease(connection, lease_ms, Some((until_ms, None))).await
    }

    /// Gives a lease back, but lets nobody have it before an instant. [`Error::Conflict`] if somebody else has it.
    pub async fn hold_grant(
        &self,
        connection: &str,
        lease_ms: i64,
        until_ms: i64,
        reason: &str,
    ) -> Result<()> {
        self.update_lease(connection, lease_ms, Some((until_ms, Some(reason)))).await
    }

    /// Gives a lease back. [`Error::Conflict`] if somebody else has it.
    pub async fn release_grant(&self, connection: &str, lease_ms: i64) -> Result<()> {
        self.update_lease(connection, lease_ms, None).await
    }

    async fn update_lease(
        &self,
        connection: &str,
        lease_ms: i64,
        next: Option<(i64, Option<&str>)>,
    ) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(GRANT, connection)))
            .condition_expression("lease = :lease")
            .expression_attribute_values(":lease", number(lease_ms));
        let request = match next {
            None => request.update_expression("REMOVE lease, reason"),
            Some((until_ms, None)) => request
                .update_expression("SET lease = :until")
                .expression_attribute_values(":until", number(until_ms)),
            Some((until_ms, Some(reason))) => request
                .update_expression("SET lease = :until, reason = :reason")
                .expression_attribute_values(":until", number(until_ms))
                .expression_attribute_values(":reason", text(reason)),
        };
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    pub(crate) async fn delete_grant(&self, connection: &str) -> Result<()> {
        self.delete(&self.registry, GRANT, connection).await
    }

    /// Writes a ticket down.
    pub async fn put_ticket(&self, digest: &str, ticket: &Ticket) -> Result<()> {
        self.put_passing(TICKET, digest, ticket, ticket.expires_at).await
    }

    /// A ticket that is still good.
    pub async fn ticket(&self, digest: &str, now: Instant) -> Result<Option<Ticket>> {
        let ticket: Option<Ticket> = self.passing(TICKET, digest).await?;
        Ok(ticket.filter(|ticket| now < ticket.expires_at))
    }

    /// Uses a ticket up; `false` if it was before.
    pub async fn take_ticket(&self, digest: &str) -> Result<bool> {
        self.take(TICKET, digest).await
    }

    /// Writes an authorisation down.
    pub async fn put_authorization(&self, digest: &str, authorization: &Authorization) -> Result<()> {
        self.put_passing(AUTHORIZATION, digest, authorization, authorization.expires_at).await
    }

    /// An authorisation that is still good.
    pub async fn authorization(&self, digest: &str, now: Instant) -> Result<Option<Authorization>> {
        let authorization: Option<Authorization> = self.passing(AUTHORIZATION, digest).await?;
        Ok(authorization.filter(|authorization| now < authorization.expires_at))
    }

    /// Uses an authorisation up; `false` if it was before.
    pub async fn take_authorization(&self, digest: &str) -> Result<bool> {
        self.take(AUTHORIZATION, digest).await
    }

    /// Writes what DynamoDB removes by itself some time after it has ended.
    async fn put_passing(
        &self,
        kind: &str,
        digest: &str,
        document: &impl Serialize,
        expires_at: Instant,
    ) -> Result<()> {
        let mut item = table::key(kind, digest);
        item.insert("doc".to_owned(), text(to_json(document)?));
        item.insert("expires".to_owned(), number(expires_at.as_millis() / 1000));
        self.put(&self.registry, item, None).await
    }

    async fn passing<T: DeserializeOwned>(&self, kind: &'static str, digest: &str) -> Result<Option<T>> {
        let item = self.get(&self.registry, kind, digest).await?;
        item.as_ref().and_then(|item| item_text(item, "doc")).map(|doc| from_json(kind, doc)).transpose()
    }

    async fn take(&self, kind: &str, digest: &str) -> Result<bool> {
        let request = self
            .client
            .delete_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(kind, digest)))
            .condition_expression("attribute_exists(pk)");
        match request.send().await.map_err(|error| Error::of(&error)) {
            Ok(_) => Ok(true),
            Err(Error::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
