//! What a connection was granted.

use canonical::Instant;
use serde::{Deserialize, Serialize};

use crate::protocol::Answer;

/// The longest time before its end at which an access token is renewed, and the part of its life, if that is shorter.
const LONGEST_MARGIN_MS: i64 = 300_000;
const MARGIN_PART: i64 = 5;
/// A grant whose token is refused although it has not ended is renewed no sooner than so long after it was had: a
/// platform that refuses the new token, too, is not to be asked for one token after the other.
const FORCED_AFTER_MS: i64 = 600_000;

/// A grant as it is kept: a secret as a whole.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
    /// Absent if the access token does not end by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Instant>,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    pub(crate) obtained_at: Instant,
    /// Since when the platform knows the grant no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<Instant>,
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Grant").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What to do with a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Use it.
    Fresh,
    /// Renew it, and use it if that fails.
    Ageing,
    /// Renew it.
    Expired,
    /// It cannot be renewed, or is not known any more.
    Ended,
}

impl Grant {
    /// From a platform's answer at a time, and what is known from before.
    pub(crate) fn of(answer: &Answer, before: Option<&Self>, now: Instant) -> Self {
        let granted = answer.scopes();
        Self {
            access_token: answer.access_token.secret().clone(),
            // RFC 6749, section 6: what is not renewed stays in force.
            refresh_token: match &answer.refresh_token {
                Some(token) => Some(token.secret().clone()),
                None => before.and_then(|before| before.refresh_token.clone()),
            },
            expires_at: answer
                .lifetime_s()
                .and_then(|lifetime_s| Instant::from_millis(now.as_millis() + lifetime_s * 1000)),
            scopes: match before {
                Some(before) if granted.is_empty() => before.scopes.clone(),
                _ => granted,
            },
            obtained_at: now,
            ended_at: None,
        }
    }

    pub(crate) fn state(&self, now: Instant) -> State {
        if self.ended_at.is_some() {
            return State::Ended;
        }
        let Some(expires_at) = self.expires_at else { return State::Fresh };
        let left_ms = expires_at.as_millis() - now.as_millis();
        let life_ms = expires_at.as_millis() - self.obtained_at.as_millis();
        let margin_ms = (life_ms / MARGIN_PART).clamp(0, LONGEST_MARGIN_MS);
        match (left_ms > 0, self.refresh_token.is_some()) {
            (true, true) if left_ms <= margin_ms => State::Ageing,
            (true, _) => State::Fresh,
            (false, true) => State::Expired,
            (false, false) => State::Ended,
        }
    }

    /// Whether it may be renewed because its token was refused.
    pub(crate) fn is_forcible(&self, now: Instant) -> bool {
        let age_ms = now.as_millis() - self.obtained_at.as_millis();
        self.ended_at.is_none() && self.refresh_token.is_some() && age_ms >= FORCED_AFTER_MS
    }
}

/// What may be said about a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantStatus {
    /// Whether requests can be made with it, now or after it has been renewed.
    pub is_authorized: bool,
    /// When the access token ends; it is renewed before, if it can be.
    pub expires_at: Option<Instant>,
    /// What was granted, as far as the platform said so.
    pub scopes: Vec<String>,
}

impl GrantStatus {
    pub(crate) fn of(grant: &Grant, now: Instant) -> Self {
        Self {
            is_authorized: grant.state(now) != State::Ended,
            expires_at: grant.expires_at,
            scopes: grant.scopes.clone(),
        }
    }
}
