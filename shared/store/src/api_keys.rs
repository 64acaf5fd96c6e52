//! Keys to the API. Only digests of them are known.

use std::fmt;
use std::str::FromStr;

use canonical::Instant;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::table::{Unless, item_text};
use crate::{Error, Result, Store};

const KEY: &str = "key";
/// The greatest factor of an [`Allowance`]; the least is a thousandth.
const MAX_FACTOR: Decimal = Decimal::ONE_THOUSAND;
const MIN_FACTOR: Decimal = Decimal::from_parts(1, 0, 0, false, 3);

/// A key to the API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// For people.
    pub name: String,
    /// Such as `events:write`; `events:full` for reading and writing, `*` for all.
    pub scopes: Vec<String>,
    /// How often it may ask; as everybody may if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Allowance>,
    /// When it was made.
    pub created_at: Instant,
}

/// How much of each operation's limit may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Allowance {
    /// So many times the limit.
    Times(Decimal),
    /// As much as one likes.
    Unlimited,
}

/// A text is no [`Allowance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither 'unlimited' nor a number between 0.001 and 1000")]
pub struct NoAllowance;

impl FromStr for Allowance {
    type Err = NoAllowance;

    fn from_str(text: &str) -> std::result::Result<Self, NoAllowance> {
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        let factor =
            Decimal::from_str_exact(text).ok().filter(|factor| (MIN_FACTOR..=MAX_FACTOR).contains(factor));
        factor.map(|factor| Self::Times(factor.normalize())).ok_or(NoAllowance)
    }
}

impl TryFrom<String> for Allowance {
    type Error = NoAllowance;

    fn try_from(text: String) -> std::result::Result<Self, NoAllowance> {
        text.parse()
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(factor) => factor.fmt(f),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

impl From<Allowance> for String {
    fn from(allowance: Allowance) -> Self {
        allowance.to_string()
    }
}

impl Store {
    /// Stores a key under the digest of its secret.
    pub async fn put_api_key(&self, digest: &str, key: &ApiKey) -> Result<()> {
        self.put_document(KEY, digest, key, None).await
    }

    /// Stores a new key; [`Error::Conflict`] if there is one with this digest.
    pub async fn create_api_key(&self, digest: &str, key: &ApiKey) -> Result<()> {
        self.put_document(KEY, digest, key, Some(Unless::Exists)).await
    }

    /// The key with this digest.
    pub async fn api_key(&self, digest: &str) -> Result<Option<ApiKey>> {
        self.document(KEY, digest).await
    }

    /// All keys with their digests.
    pub async fn api_keys(&self) -> Result<Vec<(String, ApiKey)>> {
        let items = self.partition(&self.registry, KEY, "").await?;
        let read = |item| {
            let digest = item_text(item, "sk").ok_or_else(|| Error::corrupt(KEY, "it has no digest"))?;
            Ok((digest.to_owned(), crate::registry::read_document(KEY, item)?))
        };
        items.iter().map(read).collect()
    }

    /// Removes a key.
    pub async fn delete_api_key(&self, digest: &str) -> Result<()> {
        self.delete(&self.registry, KEY, digest).await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_allowance_is_a_factor_or_unlimited() {
        for (text, written) in [("unlimited", "unlimited"), ("2", "2"), ("0.50", "0.5"), ("1000", "1000")] {
            assert_eq!(text.parse::<Allowance>().unwrap().to_string(), written);
        }
        for text in ["", "0", "-1", "0.0001", "1001", "1e3", "NaN", "Unlimited", " 2", "two"] {
            assert_eq!(text.parse::<Allowance>(), Err(NoAllowance), "{text}");
        }
    }

    #[test]
    fn keys_from_before_there_were_allowances_are_read() {
        let text = r#"{"name":"first","scopes":["*"],"created_at":"2026-01-01T00:00:00Z"}"#;
        let key: ApiKey = serde_json::from_str(text).unwrap();
        assert_eq!(key.limit, None);
        assert_eq!(serde_json::to_string(&key).unwrap(), text);
        let limited = ApiKey { limit: Some(Allowance::Times(Decimal::TWO)), ..key };
        let written = serde_json::to_string(&limited).unwrap();
        assert!(written.contains(r#""limit":"2""#), "{written}");
        assert_eq!(serde_json::from_str::<ApiKey>(&written).unwrap(), limited);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(thousandths in 1_i64..=1_000_000) {
            let allowance = Allowance::Times(Decimal::new(thousandths, 3).normalize());
            prop_assert_eq!(allowance.to_string().parse(), Ok(allowance));
        }
    }
}
