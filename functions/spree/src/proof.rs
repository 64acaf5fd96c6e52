//! Proofs, by release.

use jiff::{SignedDuration, Timestamp};
use platform::signature::hmac::{self, Encoding};
use platform::signature::{Window, unsigned};
use platform::{Connection, Headers, Proof, Rejection, Secrets};

/// 5.3 and later: hexadecimal. Since 5.4 it covers the time as well.
const SIGNATURE: &str = "x-spree-webhook-signature";
/// 5.4 and later: Unix seconds.
const TIMESTAMP: &str = "x-spree-webhook-timestamp";
/// 4.6 to 5.2, and the gem `spree_legacy_webhooks`: base64 over the body.
const LEGACY_SIGNATURE: &str = "x-spree-hmac-sha256";
/// The tolerance of Spree's own SDK.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

/// How a delivery was proved.
pub(crate) enum Proved {
    /// By its signature.
    Signed(Proof),
    /// Not at all, as the connection's owner wants it: 4.4 and 4.5 cannot sign.
    Unsigned(Proof),
}

/// Finds the scheme a delivery was signed by and verifies it.
pub(crate) fn prove(
    headers: &Headers,
    body: &[u8],
    connection: &Connection,
    secrets: &Secrets,
    now: Timestamp,
) -> Result<Proved, Rejection> {
    let secret = || secrets.valid("webhook_secret");
    let (signature, timestamp) = (header(headers, SIGNATURE), header(headers, TIMESTAMP));
    if signature.is_some() {
        // A signature without a time could be replayed for ever; only a release that has none may send it.
        let proof = if timestamp.is_none() && connection.flag("accept_without_timestamp", false) {
            hmac::verify(Encoding::Hex, secret(), body, signature)
        } else {
            let window = Window::new(now, TOLERANCE);
            hmac::verify_timestamped(Encoding::Hex, secret(), body, signature, timestamp, window)
        };
        return proof.map(Proved::Signed);
    }
    let legacy = header(headers, LEGACY_SIGNATURE);
    // Where there is a secret, leaving the signature out proves nothing.
    let unsigned = legacy.is_none() && secret().next().is_none();
    if unsigned && connection.flag("accept_unsigned", false) {
        return Ok(Proved::Unsigned(unsigned::accept_by_owners_choice()));
    }
    hmac::verify(Encoding::Base64, secret(), body, legacy).map(Proved::Signed)
}

/// A header's value, trimmed; blank counts as missing.
fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.get(name).map(str::trim).filter(|value| !value.is_empty())
}
