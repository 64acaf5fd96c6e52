//! What gets through the door.

use conformance::NOW;
use platform::{Connection, Delivery, Platform, Request, Unverified, Verdict};
use serde_json::{Value, json};
use volusion::Volusion;

fn through(body: &[u8]) -> Delivery {
    let mut request = Request { method: "POST".to_owned(), ..Request::default() };
    let body = Unverified::new(crate::suite::sign(&mut request, body.to_vec()));
    let now = NOW.parse().unwrap();
    match Volusion.verify(&request, body, &Connection::default(), &crate::suite::secrets(), now) {
        Verdict::Accept(verified) => verified.into_delivery(&Connection::default(), now),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_of_cards_and_payment_providers_travels_on_but_refunds() {
    let body = json!({"value": {
        "id": "5e783a3aea5e5d5d1f13aa58", "revision": 2, "grandTotal": 66.36,
        "creditCardType": "Visa", "creditCardLastFour": "4242", "CardNumber": "4242424242424242",
        "stripeChargeId": "ch_1", "stripeEvents": [{"type": "x"}], "payPalEvents": [],
        "verification": {"gatewayCardVerification": {}},
        "paymentLifecycle": [{"id": "p1", "eventType": "refund", "refundAmount": 5.5, "stripeRefundId": "re_1",
            "stripeChargeId": "ch_1", "stripeCreditCardToken": "tok_1", "authorizeNetOpaqueDataValue": "x"}],
        "stripeRefunds": [{"id": "re_1", "refundAmount": 5.5, "cardBrand": "visa"}]
    }});
    let delivery = through(body.to_string().as_bytes());
    let reduced: Value = serde_json::from_slice(&delivery.body).unwrap();
    let expected = json!({"value": {
        "id": "5e783a3aea5e5d5d1f13aa58", "revision": 2, "grandTotal": 66.36,
        "paymentLifecycle": [{"id": "p1", "eventType": "refund", "refundAmount": 5.5, "stripeRefundId": "re_1"}],
        "stripeRefunds": [{"id": "re_1", "refundAmount": 5.5}]
    }});
    assert_eq!(reduced, expected);
}

#[test]
fn a_state_of_an_order_is_named_by_its_id_and_revision() {
    let name = |body: Value| through(body.to_string().as_bytes()).delivery_id;
    assert_eq!(name(json!({"value": {"id": "5e78", "revision": 3, "status": "New"}})), "5e78:3");
    assert_eq!(name(json!({"value": {"revision": 3, "id": "5e78", "status": "Complete"}})), "5e78:3");
}

#[test]
fn a_delivery_without_them_is_named_by_its_bytes() {
    for body in [
        json!({"value": {"id": "5e78"}}),
        json!({"value": {"id": "5e78", "revision": -1}}),
        json!({"value": {"id": "", "revision": 1}}),
        json!({"value": {"id": "a:b", "revision": 1}}),
        json!({"value": {"id": "5".repeat(65), "revision": 1}}),
        json!({"value": {"id": 7, "revision": 1}}),
        json!({"value": "5e78"}),
        json!(["value"]),
    ] {
        let bytes = body.to_string();
        let name = through(bytes.as_bytes()).delivery_id;
        assert_eq!(name.len(), 26, "{body}");
        assert_eq!(name, through(bytes.as_bytes()).delivery_id);
        assert_ne!(name, through(format!("{bytes} ").as_bytes()).delivery_id);
    }
}

#[test]
fn what_is_not_json_goes_on_as_it_is() {
    assert_eq!(through(b"{\"value\": ").body, b"{\"value\": ");
    assert_eq!(through(b"\xff").body, b"\xff");
}
