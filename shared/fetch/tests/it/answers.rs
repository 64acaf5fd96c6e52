//! What becomes of answers, and when nobody is asked.

use std::time::Duration;

use fetch::Error;
use platform::ApiRequest;

use crate::{Shop, answer, hang, in_turn, later};

#[tokio::test]
async fn what_says_something_about_the_thing_reaches_the_adapter() {
    let shop = Shop::open(|request| {
        let status = request.uri().path().trim_start_matches('/').parse().unwrap();
        answer(status, &[("x-kind", "order")], if status == 204 { "" } else { "{}" })
    })
    .await;
    for status in [200, 201, 204, 400, 404, 409, 410, 422] {
        let fetched = shop.get(&format!("/{status}")).await.unwrap();
        assert_eq!(fetched.status, status);
        assert_eq!(fetched.headers.get("X-Kind"), Some("order"));
        assert_eq!(fetched.body, if status == 204 { &b""[..] } else { b"{}" });
    }
    for status in [401, 403] {
        let reason = format!("127.0.0.1 answered {status}");
        let denied = shop.get(&format!("/{status}?email=ada@example.com")).await;
        assert_eq!(denied, Err(Error::Denied { reason }));
    }
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let expected = later(&format!("127.0.0.1 answered {status}"), None);
        assert_eq!(shop.get(&format!("/{status}?email=ada@example.com")).await, Err(expected));
    }
}

#[tokio::test]
async fn after_429_nobody_asks_before_the_time_that_was_named() {
    let shop = Shop::open(in_turn(vec![
        || answer(429, &[("retry-after", "30")], ""),
        || answer(429, &[("retry-after", "Wed, 17 Jun 2026 12:01:00 GMT")], ""),
        || answer(429, &[("retry-after", "86400")], ""),
        || answer(200, &[], ""),
    ]))
    .await;
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(shop.get("/").await, Err(later("127.0.0.1 answered 429", seconds(30))));
    shop.pass(10_000);
    assert_eq!(shop.get("/").await, Err(later("127.0.0.1 takes no more requests for now", seconds(20))));
    assert_eq!(shop.requests(), 1);

    shop.pass(20_000);
    assert_eq!(shop.get("/").await, Err(later("127.0.0.1 answered 429", seconds(30))));
    // Another connection is not held up: its turn is the third answer, whose day becomes a quarter of an hour.
    let other = shop.ask("C2", &ApiRequest::get(shop.url("/"))).await;
    assert_eq!(other, Err(later("127.0.0.1 answered 429", seconds(900))));

    shop.pass(30_000);
    assert_eq!(shop.get("/").await.unwrap().status, 200);
    assert_eq!(shop.requests(), 4);
}

#[tokio::test]
async fn a_spent_limit_holds_requests_back_before_the_platform_must_refuse_them() {
    let shop = Shop::open(in_turn(vec![
        || answer(200, &[("x-rate-limit-requests-left", "0"), ("x-rate-limit-time-reset-ms", "4500")], ""),
        || answer(200, &[("x-sb-shop-api-call-limit", "40/40")], ""),
        || answer(200, &[("ratelimit", "\"default\";r=9;t=60")], ""),
    ]))
    .await;
    for wait_ms in [4_500, 1_500] {
        assert_eq!(shop.get("/").await.unwrap().status, 200);
        let asked = shop.requests();
        let expected = later(
            "127.0.0.1 takes no more requests for now",
            Some(Duration::from_millis(wait_ms.try_into().unwrap())),
        );
        assert_eq!(shop.get("/").await, Err(expected));
        assert_eq!(shop.requests(), asked);
        shop.pass(wait_ms);
    }
    for _ in 0..3 {
        assert_eq!(shop.get("/").await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_shop_that_fails_again_and_again_is_left_alone_and_then_probed() {
    let mut answers: Vec<fn() -> axum::response::Response> = vec![|| answer(500, &[], ""); 4];
    answers.extend([hang, || answer(503, &[], ""), || answer(200, &[], "")] as [fn() -> _; 3]);
    let shop = Shop::open(in_turn(answers)).await;
    for _ in 0..4 {
        assert_eq!(shop.get("/").await, Err(later("127.0.0.1 answered 500", None)));
    }
    assert_eq!(shop.get("/").await, Err(later("127.0.0.1 did not answer in time", None)));

    let alone = |seconds| {
        later("127.0.0.1 is left alone after repeated failures", Some(Duration::from_secs(seconds)))
    };
    assert_eq!(shop.get("/").await, Err(alone(30)));
    assert_eq!(shop.requests(), 5);
    shop.pass(30_000);
    assert_eq!(shop.get("/").await, Err(later("127.0.0.1 answered 503", None)));
    assert_eq!(shop.get("/").await, Err(alone(60)));
    assert_eq!(shop.requests(), 6);
    shop.pass(60_000);
    for _ in 0..3 {
        assert_eq!(shop.get("/").await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn an_answer_that_may_be_kept_is_asked_for_once() {
    let shop = Shop::open(in_turn(vec![
        || answer(503, &[], ""),
        || answer(200, &[("x-page", "1")], "[\"EUR\"]"),
        || answer(200, &[], "[\"EUR\",\"USD\"]"),
    ]))
    .await;
    let list = ApiRequest::get(shop.url("/currencies")).kept_for(Duration::from_mins(1));
    assert_eq!(shop.ask("C1", &list).await, Err(later("127.0.0.1 answered 503", None)));
    for _ in 0..3 {
        let fetched = shop.ask("C1", &list).await.unwrap();
        assert_eq!(fetched.body, b"[\"EUR\"]");
        assert_eq!(fetched.headers.get("x-page"), Some("1"));
    }
    assert_eq!(shop.requests(), 2);
    assert_eq!(shop.ask("C2", &list).await.unwrap().body, b"[\"EUR\",\"USD\"]");
    shop.pass(60_000);
    assert_eq!(shop.ask("C1", &list).await.unwrap().body, b"[\"EUR\",\"USD\"]");
    assert_eq!(shop.requests(), 4);
}

#[tokio::test]
async fn a_connection_with_a_pace_is_asked_no_more_often() {
    let shop = Shop::open(|_| answer(200, &[], "")).await;
    let request = ApiRequest::get(shop.url("/")).paced(2, Duration::from_mins(1));
    let kept = ApiRequest::get(shop.url("/kept")).paced(2, Duration::from_mins(1)).kept_for(Duration::MAX);
    assert_eq!(shop.ask("C1", &kept).await.unwrap().status, 200);
    assert_eq!(shop.ask("C1", &request).await.unwrap().status, 200);
    let expected = later("127.0.0.1 was asked as often as it may be", Some(Duration::from_secs(30)));
    assert_eq!(shop.ask("C1", &request).await, Err(expected));
    // What is kept costs nothing.
    assert_eq!(shop.ask("C1", &kept).await.unwrap().status, 200);
    assert_eq!(shop.ask("C2", &request).await.unwrap().status, 200);
    shop.pass(30_000);
    assert_eq!(shop.ask("C1", &request).await.unwrap().status, 200);
    assert_eq!(shop.requests(), 4);
}

#[tokio::test]
async fn a_bucket_whose_level_is_broken_is_waited_for() {
    let shop = Shop::open(in_turn(vec![
        || answer(200, &[("x-ls-api-bucket-level", "92.57/90"), ("x-ls-api-drip-rate", "1")], ""),
        || answer(400, &[("x-ls-api-bucket-level", "1/90")], "{\"message\":\"Please try again later.\"}"),
    ]))
    .await;
    assert_eq!(shop.get("/").await.unwrap().status, 200);
    let wait = Some(Duration::from_millis(5_570));
    assert_eq!(shop.get("/").await, Err(later("127.0.0.1 takes no more requests for now", wait)));
    shop.pass(5_570);
    assert_eq!(shop.get("/").await, Err(later("127.0.0.1 answered 400", None)));
}
