//! HMAC-SHA256 over the raw body, alone or with a time in front, as base64 or hexadecimal.

use ::hmac::{Hmac, KeyInit, Mac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Sha256;

use super::{Proof, Window, any_secret, required, unix_seconds};
use crate::adapter::Rejection;

/// How a digest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 4648 base64 with padding.
    Base64,
    /// Two hexadecimal digits a byte, in either case.
    Hex,
}

impl Encoding {
    fn decode(self, text: &str) -> Result<[u8; 32], Rejection> {
        let bytes = match self {
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Hex => hex::decode(text).ok(),
        };
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(Rejection::Malformed)
    }
}

/// Signs a body: base64 of its HMAC-SHA256, as Shopify writes it.
pub fn hmac_sha256_base64(secret: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> String {
    STANDARD.encode(digest(secret.as_ref(), &[body.as_ref()]))
}

/// Signs a body: hexadecimal of its HMAC-SHA256.
pub fn hmac_sha256_hex(secret: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> String {
    hex::encode(digest(secret.as_ref(), &[body.as_ref()]))
}

/// Verifies a signature over the body alone.
pub fn verify<S: AsRef<[u8]>>(
    encoding: Encoding,
    secrets: impl IntoIterator<Item = S>,
    body: &[u8],
    signature: Option<&str>,
) -> Result<Proof, Rejection> {
    let expected = encoding.decode(required(signature)?)?;
    any_secret(secrets, |secret| fits(secret, &[body], &expected))
}

/// Verifies a signature over `timestamp.body`, the time being Unix seconds in a header of its own.
pub fn verify_timestamped<S: AsRef<[u8]>>(
    encoding: Encoding,
    secrets: impl IntoIterator<Item = S>,
    body: &[u8],
    signature: Option<&str>,
    timestamp: Option<&str>,
    window: Window,
) -> Result<Proof, Rejection> {
    let (expected, timestamp) = (encoding.decode(required(signature)?)?, required(timestamp)?);
    window.admits(unix_seconds(timestamp)?)?;
    any_secret(secrets, |secret| fits(secret, &[timestamp.as_bytes(), b".", body], &expected))
}

/// Whether `expected` is the digest of the parts in a row; in constant time.
pub(super) fn fits(secret: &[u8], parts: &[&[u8]], expected: &[u8]) -> bool {
    keyed(secret, parts).is_some_and(|mac| mac.verify_slice(expected).is_ok())
}

fn digest(secret: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    keyed(secret, parts).map(|mac| mac.finalize().into_bytes().into()).unwrap_or_default()
}

/// Always `Some`: HMAC takes keys of any length.
fn keyed(secret: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}
