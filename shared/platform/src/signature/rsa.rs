//! RSA signatures (RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 bits and more) over the raw body, by
//! keys that the platform publishes at addresses it names in headers, as Adobe I/O Events does.

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Proof, required};
use crate::adapter::Rejection;

/// Where a platform's keys may come from. A header that names any other place is refused before
/// anything is fetched: otherwise whoever writes the header chooses the key.
#[derive(Clone, Copy, Debug)]
pub struct KeyLocation<'a> {
    /// Hosts, in lower case; a key named by its path alone is on the first.
    pub hosts: &'a [&'a str],
    /// What every path starts with; it should end in `/`.
    pub path_prefix: &'a str,
}

impl KeyLocation<'_> {
    /// The whole address of the key that a header names by `https` address or by absolute path;
    /// [`Rejection::KeyHost`] if it is elsewhere or is not spelt plainly.
    pub fn url(&self, named: &str) -> Result<String, Rejection> {
        let (host, path) = match named.strip_prefix("https://") {
            Some(rest) => rest.split_at(rest.find('/').ok_or(Rejection::KeyHost)?),
            None => (*self.hosts.first().ok_or(Rejection::KeyHost)?, named),
        };
        let host = self.hosts.iter().find(|allowed| allowed.eq_ignore_ascii_case(host));
        // Neither dots that climb, nor escapes that hide them, nor a query: keys need none of it.
        let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-.".contains(&byte))
            && !path.contains("..")
            && !path.contains("//");
        match host {
            Some(host) if plain && path.starts_with(self.path_prefix) => Ok(format!("https://{host}{path}")),
            _ => Err(Rejection::KeyHost),
        }
    }
}

/// Verifies a base64 signature over the body by the key that a header names.
///
/// Nothing is fetched here: `fetched` gives the PEM that was fetched before from an address, or `None`,
/// which ends in [`Rejection::NoSecret`]; [`KeyLocation::url`] says what has to be fetched then.
pub fn verify_detached<P: AsRef<str>>(
    location: KeyLocation<'_>,
    key_url: Option<&str>,
    fetched: impl FnOnce(&str) -> Option<P>,
    body: &[u8],
    signature: Option<&str>,
) -> Result<Proof, Rejection> {
    let signature = STANDARD.decode(required(signature)?).map_err(|_| Rejection::Malformed)?;
    let url = location.url(required(key_url)?)?;
    let pem = fetched(&url).ok_or(Rejection::NoSecret)?;
    verify_pem(std::iter::once(pem), body, &signature)
}

/// Verifies a signature by any of some public keys, each as PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`).
/// Without a readable key: [`Rejection::NoSecret`].
pub fn verify_pem<P: AsRef<str>>(
    keys: impl IntoIterator<Item = P>,
    body: &[u8],
    signature: &[u8],
) -> Result<Proof, Rejection> {
    let mut outcome = Err(Rejection::NoSecret);
    for key in keys.into_iter().filter_map(|pem| public_key(pem.as_ref())) {
        if key.verify_sig(body, signature).is_ok() {
            return Ok(Proof(()));
        }
        outcome = Err(Rejection::Mismatch);
    }
    outcome
}

fn public_key(pem: &str) -> Option<ParsedPublicKey> {
    let body = pem.trim().strip_prefix("-----BEGIN ")?;
    let (label, body) = body.split_once("-----")?;
    if !matches!(label, "PUBLIC KEY" | "RSA PUBLIC KEY") {
        return None;
    }
    let (encoded, _) = body.split_once("-----END ")?;
    let encoded: String = encoded.split_ascii_whitespace().collect();
    let der = STANDARD.decode(encoded).ok()?;
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).ok()
}
