//! Who asks, and whether they may.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use canonical::hash;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use jiff::civil::Date;
use store::{ApiKey, Store};

use crate::error::{ApiError, ApiResult};

/// How long a key is trusted without asking again.
const FRESH_MS: i64 = 60_000;
/// Keys remembered before all are forgotten: a bound, not a tuning.
const MAX_REMEMBERED: usize = 1000;

/// The digest under which a key is stored.
pub fn key_digest(key: &str) -> String {
    hash::hex_digest(&["api-key", key])
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) digest: String,
    pub(crate) key: ApiKey,
}

/// Whether a key may do what takes this scope. Writing does not imply reading: what only sends events should see nobody.
/// `full` is both, as Klaviyo's settings call it, and `*` everything.
pub(crate) fn allows(key: &ApiKey, scope: &str) -> bool {
    let (name, _) = scope.split_once(':').unwrap_or((scope, ""));
    let is_full = |owned: &str| owned.strip_suffix(":full") == Some(name);
    let has = |wanted: &str| key.scopes.iter().any(|owned| owned == "*" || owned == wanted || is_full(owned));
    match scope.strip_suffix(":full") {
        Some(name) if !has(scope) => has(&format!("{name}:read")) && has(&format!("{name}:write")),
        _ => has(scope),
    }
}

/// Keys that were good a moment ago.
#[derive(Default)]
pub(crate) struct Keys(Mutex<HashMap<String, (ApiKey, i64)>>);

impl Keys {
    /// Lets a request pass if its key has all these scopes.
    pub(crate) async fn authorize(
        &self,
        headers: &HeaderMap,
        scopes: &[&str],
        store: &Store,
        now_ms: i64,
    ) -> ApiResult<Holder> {
        let key = key_of(headers).ok_or_else(|| {
            let detail = "Missing or invalid authorization: 'Klaviyo-API-Key <key>' is expected.";
            ApiError::new(StatusCode::UNAUTHORIZED, "not_authenticated", "Authentication failed.", detail)
        })?;
        let digest = key_digest(key);
        let known = if let Some(known) = self.remembered(&digest, now_ms) {
            known
        } else {
            let found = store.api_key(&digest).await?.ok_or_else(|| {
                ApiError::new(
                    StatusCode::UNAUTHORIZED,
                    "authentication_failed",
                    "Incorrect authentication credentials.",
                    "The API key specified is invalid.",
                )
            })?;
            self.remember(digest.clone(), found.clone(), now_ms);
            found
        };
        match scopes.iter().find(|scope| !allows(&known, scope)) {
            None => Ok(Holder { digest, key: known }),
            Some(missing) => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "permission_denied",
                "You do not have permission to perform this action.",
                format!("The API key lacks the scope {missing}."),
            )),
        }
    }

    fn remembered(&self, digest: &str, now_ms: i64) -> Option<ApiKey> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, read_at_ms) = keys.get(digest)?;
        (now_ms - read_at_ms < FRESH_MS).then(|| key.clone())
    }

    /// Asks for a key again when it is used next.
    pub(crate) fn forget(&self, digest: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(digest);
    }

    fn remember(&self, digest: String, key: ApiKey, now_ms: i64) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_REMEMBERED {
            keys.clear();
        }
        keys.insert(digest, (key, now_ms));
    }
}

fn key_of(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let known = ["Klaviyo-API-Key", "Bearer"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
    Some(key.trim()).filter(|key| known && !key.is_empty())
}

/// The header `revision` may be absent, which means the newest; what is there must be a date.
pub(crate) fn check_revision(headers: &HeaderMap) -> ApiResult<()> {
    let Some(revision) = headers.get("revision") else { return Ok(()) };
    let sound = revision.to_str().is_ok_and(|revision| {
        let (date, suffix) = revision.trim().split_once('.').unwrap_or((revision.trim(), "pre"));
        date.len() == 10 && date.parse::<Date>().is_ok() && !suffix.is_empty()
    });
    if sound {
        return Ok(());
    }
    let detail = "The revision header must be a date such as 2026-07-15.";
    Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid", "Invalid input.", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_does_not_imply_reading_and_full_is_both() {
        for (scopes, allowed, refused) in [
            (
                &["events:write"][..],
                &["events:write"][..],
                &["events:read", "events:full", "*", "profiles:write"][..],
            ),
            (
                &["events:full"],
                &["events:write", "events:read", "events:full"],
                &["*", "profiles:read", "event:read"],
            ),
            (&["events:write", "events:read"], &["events:write", "events:read", "events:full"], &["*"]),
            (&["*"], &["*", "events:full", "events:read", "lists:write"], &[]),
            (&[], &[], &["*", "events:read"]),
        ] {
            let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            let created_at = "2026-01-01T00:00:00Z".parse().unwrap();
            let key = ApiKey { name: String::new(), scopes, limit: None, created_at };
            assert!(allowed.iter().all(|scope| allows(&key, scope)), "{key:?}");
            assert!(!refused.iter().any(|scope| allows(&key, scope)), "{key:?}");
        }
    }
}
