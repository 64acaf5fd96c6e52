//! Signature schemes: each takes the raw bytes and what came with them, and gives a [`Proof`] or the
//! [`Rejection`] that says why not. All are pure (time, secrets and keys are parameters) and compare in
//! constant time.
//!
//! Schemes take every secret that is valid now, the current and, while it is being rotated, the previous
//! one; any of them may have made the signature. The vectors in `vectors/` fix what each accepts and
//! refuses, and for which reason.

pub mod hmac;
pub mod jwt;
pub mod rsa;
pub mod standard_webhooks;
#[cfg(test)]
mod tests;
pub mod token;
pub mod unsigned;

use jiff::{SignedDuration, Timestamp};

pub use self::hmac::{hmac_sha256_base64, hmac_sha256_hex};
use crate::adapter::Rejection;

/// That a signature scheme was satisfied. Only this module can make one.
#[derive(Debug)]
pub struct Proof(());

/// How far from now a signed time may be, in both directions: sender's and receiver's clocks differ.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The receiver's clock.
    pub now: Timestamp,
    /// The greatest distance that is still accepted.
    pub tolerance: SignedDuration,
}

impl Window {
    /// A window around now.
    pub fn new(now: Timestamp, tolerance: SignedDuration) -> Self {
        Self { now, tolerance }
    }

    /// Whether a Unix time in seconds lies within the window, its edges included.
    fn admits(&self, seconds: i64) -> Result<(), Rejection> {
        let signed = Timestamp::from_second(seconds).map_err(|_| Rejection::Malformed)?;
        if self.now.duration_since(signed).abs() > self.tolerance { Err(Rejection::Stale) } else { Ok(()) }
    }
}

/// Tries each secret until one fits. Empty secrets do not count: anybody can sign with them.
fn any_secret<S: AsRef<[u8]>>(
    secrets: impl IntoIterator<Item = S>,
    mut fits: impl FnMut(&[u8]) -> bool,
) -> Result<Proof, Rejection> {
    let mut outcome = Err(Rejection::NoSecret);
    for secret in secrets {
        match secret.as_ref() {
            [] => {}
            secret if fits(secret) => return Ok(Proof(())),
            _ => outcome = Err(Rejection::Mismatch),
        }
    }
    outcome
}

/// The text of a header that has to be there; blank counts as missing.
fn required(header: Option<&str>) -> Result<&str, Rejection> {
    header.map(str::trim).filter(|text| !text.is_empty()).ok_or(Rejection::Missing)
}

/// A Unix time in seconds, as headers carry it.
fn unix_seconds(text: &str) -> Result<i64, Rejection> {
    // `parse` would take a sign, which no sender writes.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Rejection::Malformed);
    }
    text.parse().map_err(|_| Rejection::Malformed)
}
