//! Deterministic ids: the same parts give the same id on every machine, for ever.

use sha2::{Digest, Sha256};

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ALPHANUMERIC: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        // The length goes in front, so that ["ab", "c"] and ["a", "bc"] differ.
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

fn leading_bits(parts: &[&str]) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest(parts)[..16]);
    u128::from_be_bytes(bytes)
}

/// 26 characters of Crockford base 32 (128 bits), the shape of a ULID: ids of profiles and events.
pub fn long_id(parts: &[&str]) -> String {
    let bits = leading_bits(parts);
    (0..26).rev().map(|place| char::from(CROCKFORD[(bits >> (place * 5)) as usize & 31])).collect()
}

/// Six letters and digits, the shape of Klaviyo's ids of metrics, lists and segments.
pub fn short_id(parts: &[&str]) -> String {
    let mut bits = leading_bits(parts);
    (0..6)
        .map(|_| {
            let digit = (bits % 36) as usize;
            bits /= 36;
            char::from(ALPHANUMERIC[digit])
        })
        .collect()
}

/// The digest as lower-case hexadecimal: for secrets that are stored hashed.
pub fn hex_digest(parts: &[&str]) -> String {
    use std::fmt::Write;
    digest(parts).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
