//! Whether the time of a check tells how much of a signature is right: the same check of signatures that are wrong in their last
//! byte only, and of signatures that are wrong throughout, in random order, and Welch's t of the two, as dudect has it
//! (<https://eprint.iacr.org/2016/1123>). Beyond 4.5 either way, the two differ. It prints and asserts nothing: a busy machine
//! may say anything once, and repeating it says whether it means it.
//!
//! `cargo bench -p platform --bench timing`, or with the number of measurements: `-- 1000000`.

#![allow(missing_docs, reason = "benchmarks have no callers")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should say so")]
#![allow(clippy::print_stdout, reason = "what it is for")]
#![allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "statistics")]

use std::collections::HashSet;
use std::hint::black_box;
use std::time::Instant;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use canonical::hash;
use jiff::{SignedDuration, Timestamp};
use platform::Headers;
use platform::signature::hmac::{self, Encoding, hmac_sha256_base64, hmac_sha256_hex};
use platform::signature::rsa::{self, KeyLocation};
use platform::signature::{Window, jwt, standard_webhooks, token};

const SECRET: &str = "kZ3vQ9xT0cLr7WmB2sYhN5pJ8aDfG1eU";
const NOW: &str = "1773480420";
/// RSA takes a thousand times as long to sign as the rest.
const RSA_SIGNATURES: usize = 200;
const RSA_SHARE: usize = 10;
/// A part of the slowest measurements is left out: what else the machine did. The greatest t of these counts.
const KEPT_OF_100: [usize; 4] = [100, 99, 90, 50];

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

fn main() {
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let count = asked.unwrap_or(300_000);
    println!("{count} measurements; of RSA, 1 in {RSA_SHARE}");
    println!("{:<52} {:>8} {:>8} {:>7}", "", "ns, last", "ns, all", "max t");
    let mut random = Random(1);

    hmac_checks(count, &mut random);
    let token = |nearly: bool, random: &mut Random| {
        let secret = secret(random);
        let presented = other(&secret, nearly, random);
        (secret, presented)
    };
    measure("token", count, &mut random, token, |(secret, presented)| {
        token::verify([secret], Some(presented)).is_ok()
    });
    let key = |nearly: bool, random: &mut Random| {
        let (secret, presented) = token(nearly, random);
        (HashSet::from([key_digest(&secret)]), presented)
    };
    measure("key of the API, by its digest", count, &mut random, key, |(keys, presented)| {
        keys.contains(&key_digest(presented))
    });
    rsa_checks(count / RSA_SHARE, &mut random);
    measure(
        "for comparison: HMAC that stops at a difference",
        count,
        &mut random,
        |nearly, random| {
            let body = body(random);
            let signature = decoded(&hmac_sha256_base64(SECRET, &body));
            (body, wrong(signature, nearly, random))
        },
        |(body, signature)| {
            let right = decoded(&hmac_sha256_base64(SECRET, body));
            right.iter().zip(signature).all(|(right, given)| black_box(right) == black_box(given))
        },
    );
}

fn hmac_checks(count: usize, random: &mut Random) {
    let window = window();
    let base64 = |nearly: bool, random: &mut Random| {
        let body = body(random);
        let signature = wrong(decoded(&hmac_sha256_base64(SECRET, &body)), nearly, random);
        (body, STANDARD.encode(signature))
    };
    measure("HMAC-SHA256, base64", count, random, base64, |(body, signature)| {
        hmac::verify(Encoding::Base64, [SECRET], body, Some(signature)).is_ok()
    });
    let hexadecimal = |prefix: &'static str| {
        move |nearly: bool, random: &mut Random| {
            let body = body(random);
            let signed = [prefix.as_bytes(), &body].concat();
            let signature = hex::decode(hmac_sha256_hex(SECRET, signed)).unwrap();
            (body, hex::encode(wrong(signature, nearly, random)))
        }
    };
    measure("HMAC-SHA256, hexadecimal", count, random, hexadecimal(""), |(body, signature)| {
        hmac::verify(Encoding::Hex, [SECRET], body, Some(signature)).is_ok()
    });
    measure("HMAC-SHA256 with a time", count, random, hexadecimal("1773480420."), |(body, signature)| {
        let signature = Some(signature.as_str());
        hmac::verify_timestamped(Encoding::Hex, [SECRET], body, signature, Some(NOW), window).is_ok()
    });
    let standard = |nearly: bool, random: &mut Random| {
        let body = body(random);
        let signed = [b"msg_1.", NOW.as_bytes(), b".", &body].concat();
        let signature = wrong(decoded(&hmac_sha256_base64(SECRET, signed)), nearly, random);
        let signature = format!("v1,{}", STANDARD.encode(signature));
        let headers: Headers =
            [("webhook-id", "msg_1"), ("webhook-timestamp", NOW), ("webhook-signature", &signature)]
                .into_iter()
                .collect();
        (body, headers)
    };
    measure("Standard Webhooks", count, random, standard, |(body, headers)| {
        standard_webhooks::verify([SECRET], body, headers, window).is_ok()
    });
}

/// No secret is at stake here: what signatures are checked with is public.
fn rsa_checks(count: usize, random: &mut Random) {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(der.as_ref()));
    let signed = |bytes: &[u8]| {
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature).unwrap();
        signature
    };
    // Whatever follows a first byte of less than 128, such a signature is less than the modulus, as it has to be.
    let pool = |text: &dyn Fn(usize) -> Vec<u8>| -> Vec<(Vec<u8>, Vec<u8>)> {
        let signed = (0..).map(|place| (text(place), signed(&text(place))));
        signed.filter(|(_, signature)| signature[0] < 128).take(RSA_SIGNATURES).collect()
    };
    let bodies = pool(&|place| format!("{place:064}").into_bytes());
    let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"iat":{NOW}}}"#));
    let tokens = pool(&|place| {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"RS256","kid":"{place:06}"}}"#));
        format!("{header}.{claims}").into_bytes()
    });
    let pick = |from: &[(Vec<u8>, Vec<u8>)], nearly: bool, random: &mut Random| {
        let place = usize::try_from(random.below(RSA_SIGNATURES as u64)).unwrap();
        let (body, mut signature) = from[place].clone();
        let rest = wrong(signature.split_off(1), nearly, random);
        (body, [signature, rest].concat())
    };
    let detached = |nearly: bool, random: &mut Random| {
        let (body, signature) = pick(&bodies, nearly, random);
        (body, STANDARD.encode(signature))
    };
    let location = KeyLocation { hosts: &["keys.example.com"], path_prefix: "/" };
    measure("RSA, by a public key", count, random, detached, |(body, signature)| {
        rsa::verify_detached(location, Some("/key.pem"), |_| Some(&pem), body, Some(signature)).is_ok()
    });
    let jwt = |nearly: bool, random: &mut Random| {
        let (token, signature) = pick(&tokens, nearly, random);
        [&token, b".".as_slice(), URL_SAFE_NO_PAD.encode(signature).as_bytes()].concat()
    };
    measure("JWT, RS256", count, random, jwt, |token| jwt::verify([&pem], token, window()).is_ok());
}

/// As the API computes it.
fn key_digest(key: &str) -> String {
    hash::hex_digest(&["api-key", key])
}

fn window() -> Window {
    Window::new(Timestamp::from_second(NOW.parse().unwrap()).unwrap(), SignedDuration::from_secs(300))
}

fn body(random: &mut Random) -> Vec<u8> {
    (0..64).map(|_| u8::try_from(random.below(256)).unwrap()).collect()
}

fn decoded(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

/// Wrong in the last byte, or in all.
fn wrong(mut right: Vec<u8>, nearly: bool, random: &mut Random) -> Vec<u8> {
    let from = if nearly { right.len() - 1 } else { 0 };
    for byte in &mut right[from..] {
        *byte ^= 1 + u8::try_from(random.below(255)).unwrap();
    }
    right
}

/// A secret of letters, always another: what comes again and again is quicker by itself.
fn secret(random: &mut Random) -> String {
    (0..32).map(|_| char::from(b'a' + u8::try_from(random.below(26)).unwrap())).collect()
}

/// The same text with other letters: the last one, or all.
fn other(right: &str, nearly: bool, random: &mut Random) -> String {
    let from = if nearly { right.len() - 1 } else { 0 };
    let mut letters = right.as_bytes().to_vec();
    for letter in &mut letters[from..] {
        *letter = b'a' + (*letter - b'a' + 1 + u8::try_from(random.below(25)).unwrap()) % 26;
    }
    String::from_utf8(letters).unwrap()
}

fn measure<I>(
    name: &str,
    count: usize,
    random: &mut Random,
    mut input: impl FnMut(bool, &mut Random) -> I,
    check: impl Fn(&I) -> bool,
) {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..count.div_ceil(1000) {
        let inputs: Vec<_> = (0..1000)
            .map(|_| {
                let nearly = random.below(2) == 1;
                (nearly, input(nearly, random))
            })
            .collect();
        for (nearly, input) in &inputs {
            let start = Instant::now();
            let accepted = black_box(check(black_box(input)));
            let took = start.elapsed();
            assert!(!accepted, "{name} accepted what is wrong");
            // The first round warms up.
            if round > 0 {
                times[usize::from(*nearly)].push(u32::try_from(took.as_nanos()).unwrap_or(u32::MAX));
            }
        }
    }
    let [all, last] = &times;
    let mut sorted = [all.as_slice(), last].concat();
    sorted.sort_unstable();
    let t = KEPT_OF_100
        .map(|kept| {
            let bound = sorted[(sorted.len() * kept / 100).clamp(1, sorted.len()) - 1];
            welch(last, all, bound)
        })
        .into_iter()
        .max_by(|one, other| one.abs().total_cmp(&other.abs()))
        .unwrap_or_default();
    println!("{name:<52} {:>8} {:>8} {t:>7.2}", median(last), median(all));
}

fn median(times: &[u32]) -> u32 {
    let mut times = times.to_vec();
    let middle = times.len() / 2;
    *times.select_nth_unstable(middle).1
}

/// Welch's t of what took no longer than a bound.
fn welch(one: &[u32], other: &[u32], bound: u32) -> f64 {
    let [one, other] = [one, other].map(|times| {
        let kept: Vec<f64> =
            times.iter().filter(|time| **time <= bound).map(|time| f64::from(*time)).collect();
        let count = kept.len() as f64;
        let mean = kept.iter().sum::<f64>() / count;
        let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    (one.0 - other.0) / (one.1 + other.1).sqrt()
}
