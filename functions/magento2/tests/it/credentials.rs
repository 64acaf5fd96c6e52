//! What does not get into the queue.

use magento2::Magento2;
use platform::{Connection, Headers, Platform, Request, Secrets, Unverified, Verdict};
use serde_json::{Value, json};

fn queued(body: &str) -> Vec<u8> {
    let mut secrets = Secrets::default();
    secrets.rotate("token", "larchAndLinenToken".to_owned());
    let headers = [("x-tillstream-token", "larchAndLinenToken"), ("x-tillstream-topic", "customer")];
    let request = Request {
        method: "POST".to_owned(),
        headers: headers.into_iter().collect::<Headers>(),
        ..Request::default()
    };
    let (connection, now) = (Connection::default(), conformance::NOW.parse().unwrap());
    let body = Unverified::new(body.as_bytes().to_vec());
    match Magento2.verify(&request, body, &connection, &secrets, now) {
        Verdict::Accept(verified) => verified.into_delivery(&connection, now).body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn password_hashes_reset_tokens_and_card_numbers_stay_at_the_door() {
    let body = json!({
        "id": 7, "email": "ann@example.com", "password_hash": "x:y:3", "rp_token": "r",
        "payment": [{ "cc_number_enc": "0:3:z", "amount_authorized": "34.0000" }],
    });
    let expected =
        json!({ "id": 7, "email": "ann@example.com", "payment": [{ "amount_authorized": "34.0000" }] });
    assert_eq!(serde_json::from_slice::<Value>(&queued(&body.to_string())).unwrap(), expected);
}

#[test]
fn all_other_bodies_travel_byte_by_byte() {
    for body in ["{ \"id\": 7 }", "no JSON with rp_token", ""] {
        assert_eq!(queued(body), body.as_bytes(), "{body}");
    }
}
