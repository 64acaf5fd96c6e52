//! What a connection needs, and how deliveries prove themselves.

use platform::{Connection, Headers, Platform, Rejection, Request, Unverified, Verdict};
use shopify::Shopify;

use crate::case::{NOW, SECRET, secrets, signed};

const BODY: &[u8] = br#"{"id":1}"#;

fn headers() -> Headers {
    [("X-Shopify-Topic", "orders/create"), ("X-Shopify-Webhook-Id", "w-1")].into_iter().collect()
}

fn verify(request: &Request, secrets: &platform::Secrets) -> Verdict {
    let body = Unverified::new(BODY.to_owned());
    Shopify.verify(request, body, &Connection::default(), secrets, NOW.parse().unwrap())
}

fn rejection(verdict: &Verdict) -> Rejection {
    match verdict {
        Verdict::Reject(rejection) => *rejection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_current_and_the_previous_secret_are_accepted_and_no_other() {
    let rotated = secrets(["first", "second", "third"]);
    for secret in ["third", "second"] {
        assert!(matches!(verify(&signed(&headers(), secret, BODY), &rotated), Verdict::Accept(_)));
    }
    let request = signed(&headers(), "first", BODY);
    assert_eq!(rejection(&verify(&request, &rotated)), Rejection::Mismatch);
}

#[test]
fn a_bad_signature_is_refused_before_the_topic_is_looked_at() {
    let unknown: Headers = [("X-Shopify-Topic", "themes/publish")].into_iter().collect();
    for headers in [headers(), unknown, Headers::default()] {
        let request = signed(&headers, "somebody-else", BODY);
        assert_eq!(rejection(&verify(&request, &secrets([SECRET]))), Rejection::Mismatch);
        let request = Request { headers, ..Request::default() };
        assert_eq!(rejection(&verify(&request, &secrets([SECRET]))), Rejection::Missing);
    }
}

#[test]
fn without_a_secret_nothing_is_accepted() {
    let request = signed(&headers(), SECRET, BODY);
    assert_eq!(rejection(&verify(&request, &secrets([]))), Rejection::NoSecret);
}

#[test]
fn the_description_names_every_setting_and_secret() {
    let description = Shopify.description();
    let names = |schema: &serde_json::Value| {
        schema["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names(&description.settings), ["shop_domain", "include_test_orders", "refund_policy"]);
    assert_eq!(names(&description.secrets), ["webhook_secret"]);
    assert_eq!(description.secrets["required"], serde_json::json!(["webhook_secret"]));
}
