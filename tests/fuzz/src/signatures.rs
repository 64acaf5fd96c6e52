//! The signature schemes themselves.

use jiff::SignedDuration;
use platform::Rejection;
use platform::signature::hmac::{self, Encoding};
use platform::signature::rsa::{self, KeyLocation};
use platform::signature::{Window, jwt, standard_webhooks, token};

use crate::sheet::{headers, now};

const PUBLIC_KEY: &str = include_str!("public_key.pem");
const SECRETS: [&str; 2] =
    ["whsec_a1ozdlE5eFQwY0xyN1dtQjJzWWhONXBKOGFEZkcxZVU=", "kZ3vQ9xT0cLr7WmB2sYhN5pJ8aDfG1eU"];

/// Lines of headers, a blank line and a body: no scheme accepts what nobody has signed, and each accepts what it has signed
/// itself.
pub(crate) fn signature(input: &[u8]) {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(0);
    let head = String::from_utf8_lossy(&input[..end]);
    let (headers, body) = (headers(head.lines()), input.get(end + 2..).unwrap_or_default());
    let (presented, timestamp) = (headers.get("signature"), headers.get("timestamp"));
    let window = Window::new(now(), SignedDuration::from_secs(300));
    let location = KeyLocation { hosts: &["keys.example.com"], path_prefix: "/prod/" };
    let named = headers.get("key-url");

    for encoding in [Encoding::Base64, Encoding::Hex] {
        refused(&hmac::verify(encoding, SECRETS, body, presented));
        refused(&hmac::verify_timestamped(encoding, SECRETS, body, presented, timestamp, window));
    }
    refused(&standard_webhooks::verify(SECRETS, body, &headers, window));
    refused(&token::verify(SECRETS, presented));
    refused(&jwt::verify([PUBLIC_KEY], body, window));
    refused(&rsa::verify_detached(location, named, |_| Some(PUBLIC_KEY), body, presented));
    // Whatever is read as a key.
    let _ = rsa::verify_pem([&*head, &*String::from_utf8_lossy(body)], body, body);
    let _ = jwt::claims(body);
    let _ = token::query_parameter(&head, "token");
    if let Some(Ok(address)) = named.map(|named| location.url(named)) {
        assert!(address.starts_with("https://keys.example.com/prod/"), "{address}");
        assert!(!address.contains("..") && !address.contains(['?', '#', '@', '\\', '%']), "{address}");
    }

    let signed = hmac::hmac_sha256_base64(SECRETS[0], body);
    assert!(hmac::verify(Encoding::Base64, SECRETS, body, Some(&signed)).is_ok());
    let signed = hmac::hmac_sha256_hex(SECRETS[1], body);
    assert!(hmac::verify(Encoding::Hex, SECRETS, body, Some(&signed)).is_ok());
}

fn refused<T: std::fmt::Debug>(outcome: &Result<T, Rejection>) {
    assert!(outcome.is_err(), "accepted without a signature");
}
