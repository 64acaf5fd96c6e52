//! Proof of what is pushed. How Smile signs is not documented, so the connection says it; nothing goes without a proof.

use platform::signature::Proof;
use platform::signature::hmac::{self, Encoding};
use platform::signature::token;
use platform::{Connection, Rejection, Request, Secrets};

/// The header of the signature, unless the connection names another one.
pub(crate) const SIGNATURE_HEADER: &str = "X-Smile-Hmac-SHA256";
/// Characters of a digest in hexadecimal.
const HEX_LENGTH: usize = 64;

pub(crate) fn verify(
    request: &Request,
    body: &[u8],
    connection: &Connection,
    secrets: &Secrets,
) -> Result<Proof, Rejection> {
    if connection.text("proof") == Some("token") {
        return token::verify(
            secrets.valid("webhook_token"),
            token::query_parameter(&request.query, "token"),
        );
    }
    let name = connection.text("signature_header").unwrap_or(SIGNATURE_HEADER);
    let signature = request.headers.get(name).map(str::trim);
    let digest = signature.map(|text| text.strip_prefix("sha256=").unwrap_or(text));
    // The same 32 bytes are 44 characters of base64.
    let is_hex = digest.is_some_and(|text| text.len() == HEX_LENGTH);
    let encoding = if is_hex { Encoding::Hex } else { Encoding::Base64 };
    hmac::verify(encoding, secrets.valid("webhook_secret"), body, digest)
}
