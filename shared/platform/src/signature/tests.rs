//! Every vector in `vectors/`, and properties that hold for all schemes.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde::Deserialize;

use super::hmac::Encoding;
use super::*;
use crate::adapter::Headers;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    #[serde(rename = "source")]
    _source: Option<String>,
    scheme: Scheme,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    keys: Keys,
    location: Option<Location>,
    body: Option<String>,
    body_base64: Option<String>,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    now: Timestamp,
    #[serde(default)]
    tolerance_s: i64,
    verdict: Wanted,
    reason: Option<Rejection>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scheme {
    HmacSha256Base64,
    HmacSha256Hex,
    TimestampedHex,
    StandardWebhooks,
    JwtRs256,
    RsaDetached,
    Token,
}

/// Public keys: a list, or by the address each is published at.
#[derive(Deserialize)]
#[serde(untagged)]
enum Keys {
    List(Vec<String>),
    Published(BTreeMap<String, String>),
}

impl Default for Keys {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[derive(Deserialize)]
struct Location {
    hosts: Vec<String>,
    path_prefix: String,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    Accept,
    Reject,
}

impl Vector {
    fn body(&self) -> Vec<u8> {
        match (&self.body, &self.body_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(encoded)) => STANDARD.decode(encoded).unwrap(),
            _ => panic!("{}: either body or body_base64", self.name),
        }
    }

    fn run(&self) -> Result<Proof, Rejection> {
        let window = Window::new(self.now, SignedDuration::from_secs(self.tolerance_s));
        let listed = match &self.keys {
            Keys::List(list) => list.clone(),
            Keys::Published(_) => Vec::new(),
        };
        let lookup = |url: &str| match &self.keys {
            Keys::Published(keys) => keys.get(url).cloned(),
            Keys::List(_) => None,
        };
        let hosts: Vec<&str> =
            self.location.iter().flat_map(|l| l.hosts.iter().map(String::as_str)).collect();
        let path_prefix = self.location.as_ref().map_or("/", |location| &location.path_prefix);
        verify(
            self.scheme,
            &Material { secrets: &self.secrets, keys: &listed, hosts: &hosts, path_prefix, lookup: &lookup },
            &self.body(),
            &self.headers,
            window,
        )
    }
}

struct Material<'a> {
    secrets: &'a [String],
    keys: &'a [String],
    hosts: &'a [&'a str],
    path_prefix: &'a str,
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

fn verify(
    scheme: Scheme,
    material: &Material<'_>,
    body: &[u8],
    headers: &Headers,
    window: Window,
) -> Result<Proof, Rejection> {
    let (secrets, signature) = (material.secrets, headers.get("signature"));
    match scheme {
        Scheme::HmacSha256Base64 => hmac::verify(Encoding::Base64, secrets, body, signature),
        Scheme::HmacSha256Hex => hmac::verify(Encoding::Hex, secrets, body, signature),
        Scheme::TimestampedHex => {
            let timestamp = headers.get("timestamp");
            hmac::verify_timestamped(Encoding::Hex, secrets, body, signature, timestamp, window)
        }
        Scheme::StandardWebhooks => standard_webhooks::verify(secrets, body, headers, window),
        Scheme::JwtRs256 => jwt::verify(material.keys, body, window),
        Scheme::RsaDetached => {
            let location = rsa::KeyLocation { hosts: material.hosts, path_prefix: material.path_prefix };
            rsa::verify_detached(location, headers.get("key-url"), material.lookup, body, signature)
        }
        Scheme::Token => token::verify(secrets, headers.get("token")),
    }
}

#[test]
fn every_vector_has_its_verdict_for_its_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        count += 1;
        let vector: Vector = serde_json::from_slice(&std::fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(vector.verdict == Wanted::Reject, vector.reason.is_some(), "{}: reason", path.display());
        let outcome = vector.run().err();
        if outcome != vector.reason {
            wrong.push(format!("{}: wanted {:?}, got {outcome:?}", vector.name, vector.reason));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 100, "the folder of vectors is not all there");
}

#[test]
fn the_claims_of_a_token_are_its_middle_part() {
    let token = format!("e30.{}.AAAA", URL_SAFE_NO_PAD.encode(r#"{"iat":1}"#));
    assert_eq!(jwt::claims(token.as_bytes()).unwrap(), br#"{"iat":1}"#);
    assert_eq!(jwt::claims(b"{}"), None);
}

#[test]
fn a_token_in_a_query_is_found_by_its_whole_name() {
    assert_eq!(token::query_parameter("atoken=1&token=2&token=3", "token"), Some("2"));
    assert_eq!(token::query_parameter("token", "token"), None);
}

const SCHEMES: [Scheme; 7] = [
    Scheme::HmacSha256Base64,
    Scheme::HmacSha256Hex,
    Scheme::TimestampedHex,
    Scheme::StandardWebhooks,
    Scheme::JwtRs256,
    Scheme::RsaDetached,
    Scheme::Token,
];

/// The public key of the RSA vectors.
fn public_key() -> String {
    let vector = include_str!("../../vectors/jwt_accepts.json");
    let vector: Vector = serde_json::from_str(vector).unwrap();
    let Keys::List(keys) = vector.keys else { panic!("a list") };
    keys.into_iter().next().unwrap()
}

fn attack(scheme: Scheme, body: &[u8], headers: &Headers) -> Result<Proof, Rejection> {
    let (secret, key) = (["a secret nobody guesses".to_owned()], [public_key()]);
    let lookup = |_: &str| Some(key[0].clone());
    let hosts = ["keys.example.com"];
    let material =
        Material { secrets: &secret, keys: &key, hosts: &hosts, path_prefix: "/", lookup: &lookup };
    let now = Timestamp::from_second(1_768_478_400).unwrap();
    verify(scheme, &material, body, headers, Window::new(now, SignedDuration::from_secs(300)))
}

fn header_names() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("signature"),
        Just("timestamp"),
        Just("key-url"),
        Just("token"),
        Just("webhook-id"),
        Just("webhook-timestamp"),
        Just("webhook-signature"),
    ]
    .prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn arbitrary_requests_are_refused_without_a_panic(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        headers in proptest::collection::vec((header_names(), ".*"), 0..7),
    ) {
        let headers: Headers = headers.into_iter().collect();
        for scheme in SCHEMES {
            prop_assert!(attack(scheme, &body, &headers).is_err());
        }
    }

    #[test]
    fn a_well_formed_random_signature_is_never_accepted(
        body in proptest::collection::vec(any::<u8>(), 0..100),
        digest in any::<[u8; 32]>(),
        rsa in proptest::collection::vec(any::<u8>(), 256),
        iat in 1_768_478_200_i64..1_768_478_600,
    ) {
        let base64 = STANDARD.encode(digest);
        let with = |signature: &str| -> Headers {
            [
                ("signature", signature), ("timestamp", "1768478400"), ("token", signature),
                ("key-url", "https://keys.example.com/key.pem"), ("webhook-id", "msg_1"),
                ("webhook-timestamp", "1768478400"), ("webhook-signature", &format!("v1,{base64}")),
            ].into_iter().collect()
        };
        let cases = [
            (Scheme::HmacSha256Base64, with(&base64)),
            (Scheme::HmacSha256Hex, with(&hex::encode(digest))),
            (Scheme::TimestampedHex, with(&hex::encode(digest))),
            (Scheme::StandardWebhooks, with(&base64)),
            (Scheme::RsaDetached, with(&STANDARD.encode(&rsa))),
            (Scheme::Token, with(&base64)),
        ];
        for (scheme, headers) in cases {
            prop_assert_eq!(attack(scheme, &body, &headers).unwrap_err(), Rejection::Mismatch);
        }
        let [header, claims] = [r#"{"alg":"RS256"}"#.to_owned(), format!(r#"{{"iat":{iat}}}"#)]
            .map(|json| URL_SAFE_NO_PAD.encode(json));
        let token = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(&rsa));
        let refused = attack(Scheme::JwtRs256, token.as_bytes(), &Headers::default());
        prop_assert_eq!(refused.unwrap_err(), Rejection::Mismatch);
    }

    #[test]
    fn what_the_helpers_sign_is_accepted_and_any_other_body_is_not(
        secret in proptest::collection::vec(any::<u8>(), 1..80),
        body in proptest::collection::vec(any::<u8>(), 0..200),
        place in any::<prop::sample::Index>(),
    ) {
        let (base64, hexadecimal) = (hmac_sha256_base64(&secret, &body), hmac_sha256_hex(&secret, &body));
        prop_assert!(hmac::verify(Encoding::Base64, [&secret], &body, Some(&base64)).is_ok());
        prop_assert!(hmac::verify(Encoding::Hex, [&secret], &body, Some(&hexadecimal)).is_ok());
        if !body.is_empty() {
            let mut other = body.clone();
            other[place.index(body.len())] ^= 1;
            let refused = hmac::verify(Encoding::Base64, [&secret], &other, Some(&base64));
            prop_assert_eq!(refused.unwrap_err(), Rejection::Mismatch);
        }
    }
}

/// Where a proof is made, and by which comparison: `any_secret` makes one where `verify_slice` or `ct_eq` says that a secret
/// fits, both in constant time, `rsa` where `verify_sig` says so of a public key, `unsigned` without any. Nothing else can make a
/// proof; a further comparison is a further number here. `cargo bench -p platform --bench timing` measures them.
#[test]
fn every_proof_comes_of_a_comparison_in_constant_time() {
    let words = ["Proof(())", "any_secret(", "verify_slice(", ".ct_eq(", "verify_sig("];
    for (name, source, expected) in [
        ("hmac", include_str!("hmac.rs"), [0, 2, 1, 0, 0]),
        ("jwt", include_str!("jwt.rs"), [0; 5]),
        // One of the two is its definition.
        ("mod", include_str!("mod.rs"), [2, 0, 0, 0, 0]),
        ("rsa", include_str!("rsa.rs"), [1, 0, 0, 0, 1]),
        ("standard_webhooks", include_str!("standard_webhooks.rs"), [0, 1, 0, 0, 0]),
        ("token", include_str!("token.rs"), [0, 1, 0, 1, 0]),
        ("unsigned", include_str!("unsigned.rs"), [1, 0, 0, 0, 0]),
    ] {
        assert_eq!(words.map(|word| source.matches(word).count()), expected, "{name}: {words:?}");
    }
}

/// An adapter that had a digest at hand could compare it.
#[test]
fn adapters_compute_no_digests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions");
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path().join("Cargo.toml");
        let manifest = std::fs::read_to_string(&path).unwrap();
        let of_product = manifest.split("[dev-dependencies]").next().unwrap();
        for name in ["hmac", "sha1", "sha2", "md-5", "subtle", "ring", "aws-lc-rs"] {
            let is_there = of_product.lines().any(|line| line.starts_with(&format!("{name}.")));
            assert!(!is_there, "{} depends on {name}", path.display());
        }
    }
}
