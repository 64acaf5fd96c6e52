//! What the adapter is tested with.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use conformance::Suite;
use magento2::Magento2;
use platform::signature::hmac_sha256_hex;
use platform::{Headers, Request, Secrets};

const TOKEN: &str = "larchAndLinenToken";
const WEBHOOK_SECRET: &str = "larch-and-linen-secret";
const KEY_PATH: &str = "/prod/keys/pub-key-00000000-1111-4222-8333-444444444444.pem";

pub(crate) const SUITE: Suite = Suite {
    platform: &Magento2,
    folder: env!("CARGO_MANIFEST_DIR"),
    sign,
    secrets,
    without: &[("expired", "none of the four proofs covers a time that could be too old")],
};

/// A key pair of its own in every run: none needs to be kept.
static KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

fn public_key() -> String {
    let der: PublicKeyX509Der<'_> = KEY.public_key().as_der().unwrap();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()))
}

fn rsa(message: &[u8]) -> String {
    let mut signature = vec![0; KEY.public_modulus_len()];
    KEY.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
    STANDARD.encode(signature)
}

/// Proves a request in the way that its headers are those of.
fn sign(request: &mut Request, body: Vec<u8>) -> Vec<u8> {
    let proofs: Vec<(&str, String)> = if request.method == "GET" {
        Vec::new()
    } else if request.headers.get("x-adobe-provider").is_some() {
        let address = format!("https://static.adobeioevents.com{KEY_PATH}");
        request.keys.insert(address, public_key());
        vec![("x-adobe-digital-signature-1", rsa(&body)), ("x-adobe-public-key1-path", KEY_PATH.to_owned())]
    } else if request.headers.get("x-adobe-commerce-request-id").is_some() {
        vec![("x-adobe-commerce-webhook-signature", rsa(STANDARD.encode(&body).as_bytes()))]
    } else if request.headers.get("topic").is_some() {
        vec![("magento-two-signature", hmac_sha256_hex(WEBHOOK_SECRET, &body))]
    } else {
        vec![("x-tillstream-token", TOKEN.to_owned())]
    };
    let mut headers = serde_json::to_value(&request.headers).unwrap();
    for (name, value) in proofs {
        headers[name] = value.into();
    }
    request.headers = serde_json::from_value::<Headers>(headers).unwrap();
    body
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.rotate("token", TOKEN.to_owned());
    secrets.rotate("webhook_secret", WEBHOOK_SECRET.to_owned());
    secrets.rotate("webhook_public_key", public_key());
    secrets
}
