//! The Standard Webhooks specification's symmetric scheme (`v1`), as BigCommerce uses it:
//! HMAC-SHA256 over `id.timestamp.body`, base64, several signatures in one header.
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Proof, Window, any_secret, hmac, required, unix_seconds};
use crate::adapter::{Headers, Rejection};

/// The tolerance of the specification's libraries, in seconds.
pub const TOLERANCE_S: i64 = 300;

/// Verifies the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`.
///
/// A secret `whsec_…` is the base64 of the key; any other text is the key's bytes themselves, as the
/// client secrets of BigCommerce's apps are.
pub fn verify<S: AsRef<str>>(
    secrets: impl IntoIterator<Item = S>,
    body: &[u8],
    headers: &Headers,
    window: Window,
) -> Result<Proof, Rejection> {
    let id = required(headers.get("webhook-id"))?;
    let timestamp = required(headers.get("webhook-timestamp"))?;
    let candidates = candidates(required(headers.get("webhook-signature"))?)?;
    window.admits(unix_seconds(timestamp)?)?;

    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    any_secret(secrets.into_iter().filter_map(|secret| key(secret.as_ref())), |secret| {
        candidates.iter().any(|candidate| hmac::fits(secret, &signed, candidate))
    })
}

fn key(secret: &str) -> Option<Vec<u8>> {
    match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).ok(),
        None => Some(secret.as_bytes().to_owned()),
    }
}

/// The digests of version `v1` among space-separated `version,signature` pairs. During a rotation a
/// sender writes several; those of other versions (such as `v1a`, asymmetric) are skipped.
fn candidates(header: &str) -> Result<Vec<[u8; 32]>, Rejection> {
    let mut digests = Vec::new();
    let mut failure = Rejection::Malformed;
    for entry in header.split_ascii_whitespace() {
        match entry.split_once(',') {
            Some(("v1", encoded)) => {
                digests
                    .extend(STANDARD.decode(encoded).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()));
            }
            Some(_) => failure = Rejection::Algorithm,
            None => {}
        }
    }
    if digests.is_empty() { Err(failure) } else { Ok(digests) }
}
