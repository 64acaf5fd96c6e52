//! Platforms that do not sign: a secret that travels with the request, in its address or in a header.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Proof, any_secret, required};
use crate::adapter::Rejection;

/// Compares a token with the secrets.
pub fn verify<S: AsRef<[u8]>>(
    secrets: impl IntoIterator<Item = S>,
    presented: Option<&str>,
) -> Result<Proof, Rejection> {
    // Digests are of one length, so that not even the secret's length shows in the time it takes.
    let presented = Sha256::digest(required(presented)?);
    any_secret(secrets, |secret| presented.ct_eq(&Sha256::digest(secret)).into())
}

/// The value of a parameter of a query string, as it was written. Tokens should be letters and digits:
/// nothing is percent-decoded.
pub fn query_parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
