//! Is a delivery genuine? Four kinds of senders prove it in four ways; which way is meant is told by the header that
//! carries the proof.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use canonical::hash;
use platform::lenient::{Field, Object};
use platform::signature::hmac::{self, Encoding};
use platform::signature::rsa::{self, KeyLocation};
use platform::signature::token;
use platform::{Connection, Proof, Rejection, Request, Secrets, Unverified, Verdict};
use serde_json::{Map, Value};

use crate::record::{self, EVENT_CODE, Events};
use crate::topic::{COMMERCE, Topic};

/// Signatures of Adobe I/O Events and the paths of the keys they were made with.
/// Source: <https://developer.adobe.com/events/docs/guides/sdk/sdk-signature-verification>.
const IO_EVENTS: [(&str, &str); 2] = [
    ("x-adobe-digital-signature-1", "x-adobe-public-key1-path"),
    ("x-adobe-digital-signature-2", "x-adobe-public-key2-path"),
];
const WEBHOOK: &str = "x-adobe-commerce-webhook-signature";
const KLAVIYO: &str = "magento-two-signature";
/// Where Klaviyo's module names its topic.
const KLAVIYO_TOPIC: &str = "topic";
/// Where a module or a webhook that can set headers names its topic.
const TOPIC: &str = "x-tillstream-topic";
/// The header of the token, unless a setting names another.
const TOKEN: &str = "x-tillstream-token";

const KEYS: KeyLocation<'_> =
    KeyLocation { hosts: &["static.adobeioevents.com"], path_prefix: "/prod/keys/pub-key-" };
/// What a synchronous webhook has to be answered with: go on.
/// Source: <https://developer.adobe.com/commerce/extensibility/webhooks/responses>.
const GO_ON: &str = "{\"op\":\"success\"}";
/// Columns that are taken out of every record.
const CREDENTIALS: [&str; 3] = ["password_hash", "rp_token", "cc_number_enc"];
/// Longer challenges are not Adobe's.
const MAX_CHALLENGE: usize = 128;

/// Judges a request.
pub(crate) fn verify(
    request: &Request,
    body: Unverified,
    connection: &Connection,
    secrets: &Secrets,
) -> Verdict {
    let headers = &request.headers;
    if request.method.eq_ignore_ascii_case("GET") {
        return challenge(&request.query);
    }
    if IO_EVENTS.iter().any(|(signature, _)| headers.get(signature).is_some()) {
        io_events(request, body, connection)
    } else if let Some(signature) = headers.get(WEBHOOK) {
        webhook(request, body, signature, secrets)
    } else if headers.get(KLAVIYO).is_some() {
        let valid = secrets.valid("webhook_secret");
        let proof = hmac::verify(Encoding::Hex, valid, body.signed_bytes(), headers.get(KLAVIYO));
        module(request, body, proof, headers.get(KLAVIYO_TOPIC))
    } else {
        let presented = headers.get(connection.text("token_header").unwrap_or(TOKEN));
        let proof = token::verify(secrets.valid("token"), presented);
        module(request, body, proof, None)
    }
}

/// Adobe asks once whether the address is wanted; the answer repeats what it asked with.
fn challenge(query: &str) -> Verdict {
    let plain = |challenge: &&str| {
        !challenge.is_empty()
            && challenge.len() <= MAX_CHALLENGE
            && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    };
    match token::query_parameter(query, "challenge") {
        None => Verdict::Reject(Rejection::Missing),
        Some(challenge) if plain(&challenge) => {
            Verdict::Ignore { reason: "challenge", topic: None, body: challenge.to_owned() }
        }
        Some(_) => Verdict::Reject(Rejection::Malformed),
    }
}

fn io_events(request: &Request, body: Unverified, connection: &Connection) -> Verdict {
    // Adobe signs for all its customers with the same keys: whom an event was sent to is what makes it ours.
    let Some(own) = connection.text("client_id") else { return Verdict::Reject(Rejection::NoSecret) };
    let proof = match signed_by_adobe(request, &body) {
        Ok(proof) => proof,
        Err(verdict) => return verdict,
    };
    let Ok(events) = Events::read(body.signed_bytes()) else { return Verdict::Reject(Rejection::Malformed) };
    let each: Vec<_> = match &events {
        Events::One(event) => vec![&**event],
        Events::Batch(events) => events
            .iter()
            .filter_map(|event| if let Field::Is(Object(event)) = event { Some(event) } else { None })
            .collect(),
    };
    for event in &each {
        match event.recipient() {
            Some(recipient) if recipient == own => {}
            Some(_) => return Verdict::Reject(Rejection::Mismatch),
            None => return Verdict::Reject(Rejection::Missing),
        }
    }
    if each.is_empty() {
        return Verdict::ignore("empty_batch", None);
    }
    let Some(topic) = record::delivery_topic(&events, &request.headers) else {
        return Verdict::ignore("topic_missing", None);
    };
    let codes = || each.iter().filter_map(|event| event.code(&request.headers).and_then(wanted));
    if !topic.starts_with(COMMERCE) || !codes().any(|code| code.is_ok()) {
        let reason = codes().find_map(Result::err).unwrap_or("unknown_topic");
        return Verdict::ignore(reason, Some(&topic));
    }
    let ids: Option<Vec<_>> = each.iter().map(|event| event.id()).collect();
    let delivery_id = match (ids.as_deref(), &events) {
        (Some([id]), Events::One(_)) => (*id).to_owned(),
        (Some(ids), Events::Batch(_)) => hash::long_id(ids),
        _ => digest(&topic, &body),
    };
    let headers = request.headers.keep(&[EVENT_CODE]);
    Verdict::Accept(without_credentials(body).accept(proof, topic, delivery_id, headers))
}

/// Either of two signatures is enough: while keys are changed, one of them is by the new key.
fn signed_by_adobe(request: &Request, body: &Unverified) -> Result<Proof, Verdict> {
    let mut lacking = Vec::new();
    let mut refusal = None;
    for (signature, path) in IO_EVENTS {
        let signature = request.headers.get(signature);
        if signature.is_none() {
            continue;
        }
        let outcome = match request.headers.get(path).map(key_address) {
            None => Err(Rejection::Missing),
            Some(Err(rejection)) => Err(rejection),
            Some(Ok(address)) => {
                let fetched = |address: &str| request.keys.get(address);
                let outcome =
                    rsa::verify_detached(KEYS, Some(&address), fetched, body.signed_bytes(), signature);
                if matches!(outcome, Err(Rejection::NoSecret)) {
                    lacking.push(address);
                    continue;
                }
                outcome
            }
        };
        match outcome {
            Ok(proof) => return Ok(proof),
            Err(rejection) => refusal = refusal.or(Some(rejection)),
        }
    }
    if lacking.is_empty() {
        Err(Verdict::Reject(refusal.unwrap_or(Rejection::Missing)))
    } else {
        Err(Verdict::Keys(lacking))
    }
}

/// The address of a key: on Adobe's host, and there nothing but `pub-key-<UUID>.pem`.
fn key_address(named: &str) -> Result<String, Rejection> {
    let address = KEYS.url(named.trim())?;
    let uuid = address.rsplit_once("/pub-key-").and_then(|(_, name)| name.strip_suffix(".pem"));
    if uuid.is_some_and(is_uuid) { Ok(address) } else { Err(Rejection::KeyHost) }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// Adobe Commerce signs the base64 text of the body, not the body.
/// Source: <https://developer.adobe.com/commerce/extensibility/webhooks/signature-verification>.
fn webhook(request: &Request, body: Unverified, signature: &str, secrets: &Secrets) -> Verdict {
    let signature = signature.trim();
    if signature.is_empty() {
        return Verdict::Reject(Rejection::Missing);
    }
    let Ok(signature) = STANDARD.decode(signature) else { return Verdict::Reject(Rejection::Malformed) };
    let signed = STANDARD.encode(body.signed_bytes());
    let proof = match rsa::verify_pem(secrets.valid("webhook_public_key"), signed.as_bytes(), &signature) {
        Ok(proof) => proof,
        Err(rejection) => return Verdict::Reject(rejection),
    };
    // Commerce waits for the answer, a checkout perhaps: whatever we make of it, it may go on.
    match named_topic(request, &body, None) {
        Ok(topic) => {
            let delivery_id = digest(&topic, &body);
            let verified =
                without_credentials(body).accept(proof, topic, delivery_id, request.headers.keep(&[]));
            Verdict::Accept(verified.answering(GO_ON))
        }
        Err((reason, topic)) => Verdict::Ignore { reason, topic, body: GO_ON.to_owned() },
    }
}

fn module(
    request: &Request,
    body: Unverified,
    proof: Result<Proof, Rejection>,
    topic: Option<&str>,
) -> Verdict {
    let proof = match proof {
        Ok(proof) => proof,
        Err(rejection) => return Verdict::Reject(rejection),
    };
    match named_topic(request, &body, topic) {
        Ok(topic) => {
            let delivery_id = digest(&topic, &body);
            let body = without_credentials(body);
            Verdict::Accept(body.accept(proof, topic, delivery_id, request.headers.keep(&[])))
        }
        Err((reason, topic)) => Verdict::ignore(reason, topic.as_deref()),
    }
}

/// What a delivery is about: its own word, a header, the address it was sent to, or the `eventName` of a webhook's body.
fn named_topic(
    request: &Request,
    body: &Unverified,
    own: Option<&str>,
) -> Result<String, (&'static str, Option<String>)> {
    let named = [own, request.headers.get(TOPIC), token::query_parameter(&request.query, "topic")];
    let named = named.into_iter().flatten().map(str::trim).find(|name| !name.is_empty()).map(str::to_owned);
    let topic = named.or_else(|| event_name(body)).ok_or(("topic_missing", None))?;
    // Only an event of Adobe I/O is read as one.
    let understood = if topic.starts_with(COMMERCE) { None } else { wanted(&topic) };
    match understood {
        Some(Ok(())) => Ok(topic),
        Some(Err(reason)) => Err((reason, Some(topic))),
        None => Err(("unknown_topic", Some(topic))),
    }
}

fn event_name(body: &Unverified) -> Option<String> {
    let fields: Map<String, Value> = serde_json::from_slice(body.signed_bytes()).ok()?;
    fields.get("eventName")?.as_str().map(str::to_owned)
}

/// Whether something is kept of a topic; if it is known and nothing is, why. `None` for a topic nobody knows.
fn wanted(name: &str) -> Option<Result<(), &'static str>> {
    Topic::parse(name).map(|topic| match topic {
        Topic::Nothing(reason) => Err(reason),
        _ => Ok(()),
    })
}

/// Rows of customers and payments hold what nobody needs and what must not lie in a queue.
fn without_credentials(body: Unverified) -> Unverified {
    let bytes = body.signed_bytes();
    let named = |name: &&str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
    if !CREDENTIALS.iter().any(named) {
        return body;
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut value) => {
            forget_credentials(&mut value);
            Unverified::new(value.to_string().into_bytes())
        }
        Err(_) => body,
    }
}

fn forget_credentials(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !CREDENTIALS.contains(&name.as_str()));
            fields.values_mut().for_each(forget_credentials);
        }
        Value::Array(elements) => elements.iter_mut().for_each(forget_credentials),
        _ => {}
    }
}

fn digest(topic: &str, body: &Unverified) -> String {
    hash::long_id(&[topic, &String::from_utf8_lossy(body.signed_bytes())])
}
