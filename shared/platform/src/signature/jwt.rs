//! Bodies that are themselves a compact JWT signed with RS256, as Wix sends them.
//! Sources: RFC 7515 (JWS), RFC 7519 (JWT), RFC 8725 (the algorithm is the receiver's choice).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::{Proof, Window, rsa};
use crate::adapter::Rejection;

#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Times {
    exp: Option<i64>,
    iat: Option<i64>,
    nbf: Option<i64>,
}

/// Verifies a body that is a compact JWT, by any of the connection's public keys (PEM).
///
/// The algorithm is RS256, whatever the token says; another one in its header is refused, as is a
/// critical extension. `exp` must not be past and `iat` and `nbf` not ahead, each by more than the
/// window's tolerance; a token must have `exp` or `iat`, and one without `exp` may be as old as the
/// tolerance.
pub fn verify<P: AsRef<str>>(
    keys: impl IntoIterator<Item = P>,
    body: &[u8],
    window: Window,
) -> Result<Proof, Rejection> {
    if body.trim_ascii().is_empty() {
        return Err(Rejection::Missing);
    }
    let (signed, signature) = rsplit(body).ok_or(Rejection::Malformed)?;
    let (header, claims) = rsplit(signed).ok_or(Rejection::Malformed)?;
    let header: Header = decoded(header)?;
    if header.alg != "RS256" || header.crit.is_some() {
        return Err(Rejection::Algorithm);
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Rejection::Malformed)?;
    let proof = rsa::verify_pem(keys, signed, &signature)?;
    current(&decoded(claims)?, window)?;
    Ok(proof)
}

/// The claims of a token that was verified before, as JSON text; `None` if it is not a JWT.
pub fn claims(token: &[u8]) -> Option<Vec<u8>> {
    let (signed, _) = rsplit(token)?;
    let (_, claims) = rsplit(signed)?;
    URL_SAFE_NO_PAD.decode(claims).ok()
}

fn current(times: &Times, window: Window) -> Result<(), Rejection> {
    let tolerance = window.tolerance.as_secs();
    let now = window.now.as_second();
    let ahead = |time: i64| time > now.saturating_add(tolerance);
    let behind = |time: i64| time < now.saturating_sub(tolerance);
    match (times.exp, times.iat) {
        (None, None) => return Err(Rejection::Malformed),
        (Some(end), _) if behind(end) => return Err(Rejection::Stale),
        (None, Some(issued)) if behind(issued) => return Err(Rejection::Stale),
        _ => {}
    }
    if [times.iat, times.nbf].into_iter().flatten().any(ahead) { Err(Rejection::Stale) } else { Ok(()) }
}

/// Splits at the last dot. A compact JWT has two dots, and base64url has none.
fn rsplit(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii();
    let dot = text.iter().rposition(|byte| *byte == b'.')?;
    Some((&text[..dot], &text[dot + 1..]))
}

fn decoded<T: serde::de::DeserializeOwned>(part: &[u8]) -> Result<T, Rejection> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejection::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| Rejection::Malformed)
}
