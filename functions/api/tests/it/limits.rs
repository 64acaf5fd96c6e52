use std::sync::Arc;

use api::router;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use lambda_http::request::RequestContext;
use store::Allowance;
use testing::Answer;

use crate::{COMPANY, NOW_MS, Reply, World, ask};

/// Klaviyo admits 75 requests a second and 750 a minute.
const LISTS: &str = "/api/lists";

/// A key with a limit of its own, at the beginning of a minute.
async fn limited(limit: &str) -> (testing::World, World) {
    assert_eq!(NOW_MS % 60_000, 0);
    let around = testing::World::start().await;
    let world = World::over(around.function_store()).await;
    world.add_limited_key("pk_limited", &["*"], Some(limit.parse().unwrap())).await;
    (around, world)
}

/// What was taken from each counter.
fn quotas(around: &testing::World) -> Vec<u32> {
    let items = around.items("registry").into_iter().filter(|((kind, _), _)| kind.starts_with("quota#"));
    items.map(|(_, item)| item["taken"]["N"].as_str().unwrap().parse().unwrap()).collect()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).header("authorization", "Bearer pk_limited").body(Body::empty()).unwrap()
}

fn header(reply: &Reply, name: &str) -> Option<u32> {
    reply.headers.get(name).map(|value| value.to_str().unwrap().parse().unwrap())
}

fn standing(reply: &Reply) -> [Option<u32>; 3] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"].map(|name| header(reply, name))
}

#[tokio::test]
async fn an_answer_says_how_the_key_stands_and_429_when_it_may_ask_again() {
    let (_around, world) = limited("0.04").await;
    // 3 a second, 30 a minute.
    for remaining in [29, 28, 27] {
        let reply = world.request(get(LISTS)).await;
        assert_eq!((reply.status, standing(&reply)), (StatusCode::OK, [Some(30), Some(remaining), Some(60)]));
    }
    let reply = world.request(get(LISTS)).await;
    assert_eq!(reply.error().0, 429);
    assert_eq!(reply.body["errors"][0]["code"], "throttled");
    assert_eq!(header(&reply, "retry-after"), Some(1));
    assert_eq!(standing(&reply), [None; 3]);
    for _ in 0..9 {
        world.pass(1000);
        for _ in 0..3 {
            assert_eq!(world.request(get(LISTS)).await.status, StatusCode::OK);
        }
    }
    world.pass(1500);
    let reply = world.request(get(LISTS)).await;
    assert_eq!((reply.error().0, header(&reply, "retry-after")), (429, Some(50)));
    world.pass(49_500);
    assert_eq!(standing(&world.request(get(LISTS)).await), [Some(30), Some(29), Some(60)]);
}

#[tokio::test]
async fn errors_tell_the_standing_too_and_each_operation_and_key_is_counted_for_itself() {
    let (_around, world) = limited("0.1").await;
    let unknown = world.request(get("/api/lists/NOLIST")).await;
    assert_eq!((unknown.error().0, standing(&unknown)[1]), (404, Some(74)));
    assert_eq!(standing(&world.request(get(LISTS)).await)[1], Some(74));
    world.add_limited_key("pk_other", &["*"], Some("0.1".parse().unwrap())).await;
    let other = Request::get(LISTS).header("authorization", "Bearer pk_other").body(Body::empty()).unwrap();
    assert_eq!(standing(&world.request(other).await)[1], Some(74));
    assert_eq!(standing(&world.request(get(LISTS)).await)[1], Some(73));
}

#[tokio::test]
async fn who_is_refused_for_another_reason_is_not_counted() {
    let (around, world) = limited("0.1").await;
    world.add_limited_key("pk_limited", &["lists:write"], Some("0.1".parse().unwrap())).await;
    let refused = world.request(get(LISTS)).await;
    assert_eq!((refused.status, standing(&refused)), (StatusCode::FORBIDDEN, [None; 3]));
    assert!(quotas(&around).is_empty());
}

#[tokio::test]
async fn the_local_stack_and_keys_without_limit_are_told_no_limits() {
    let (around, world) = limited("unlimited").await;
    for _ in 0..100 {
        let reply = world.request(get(LISTS)).await;
        assert_eq!((reply.status, standing(&reply)), (StatusCode::OK, [None; 3]));
        assert_eq!(standing(&world.get(LISTS).await), [None; 3]);
    }
    assert!(quotas(&around).is_empty(), "nothing is written, either");
}

#[tokio::test]
async fn the_settings_hold_for_keys_that_have_no_limit_of_their_own() {
    let world = World::new().await;
    world.add_limited_key("pk_limited", &["*"], None).await;
    world.add_limited_key("pk_free", &["*"], Some(Allowance::Unlimited)).await;
    let twice = Allowance::Times("2".parse().unwrap());
    let router = router(Arc::new(world.api().limited_to(twice)));
    let reply = ask(&router, get(LISTS)).await;
    assert_eq!(standing(&reply), [Some(1500), Some(1499), Some(60)]);
    let free = Request::get(LISTS).header("authorization", "Bearer pk_free").body(Body::empty()).unwrap();
    assert_eq!(standing(&ask(&router, free).await), [None; 3]);
}

#[tokio::test]
async fn processes_share_the_minute() {
    let (around, world) = limited("1").await;
    let routers: Vec<Router> = (0..3).map(|_| world.instance()).collect();
    let mut admitted = 0;
    loop {
        // No process is asked more often than the second admits.
        if admitted % 60 == 59 {
            world.pass(1000);
        }
        let reply = ask(&routers[admitted % routers.len()], get(LISTS)).await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        assert_eq!(reply.status, StatusCode::OK);
        admitted += 1;
    }
    // Each further process admits up to a hundredth less one more.
    assert!((750..=750 + 2 * 6).contains(&admitted), "{admitted}");
    assert!(matches!(quotas(&around)[..], [taken] if taken <= 110 * 7), "few writes to one counter");
}

#[tokio::test]
async fn requests_at_the_same_time_are_counted_one_by_one() {
    let (_around, world) = limited("0.1").await;
    let requests = (0..40).map(|_| ask(&world.router, get(LISTS)));
    let replies = futures::future::join_all(requests).await;
    let passed = replies.iter().filter(|reply| reply.status == StatusCode::OK).count();
    assert_eq!(passed, 7, "7 a second");
}

#[tokio::test]
async fn while_the_counter_cannot_be_asked_requests_go_through() {
    let (around, world) = limited("0.2").await;
    let is_counter = |call: &testing::Call| call.is("UpdateItem", "quota#");
    around.intercept(move |call| {
        std::future::ready(if is_counter(&call) { Answer::Throttle } else { Answer::Pass })
    });
    for second in 0..20 {
        for _ in 0..15 {
            let reply = world.request(get(LISTS)).await;
            assert_eq!(reply.status, StatusCode::OK, "in second {second}");
        }
        // The second is counted by the process alone.
        assert_eq!(world.request(get(LISTS)).await.error().0, 429);
        world.pass(1000);
    }
    around.let_pass();
    assert_eq!(standing(&world.request(get(LISTS)).await)[1], Some(149), "counted again");
}

#[tokio::test]
async fn who_sends_without_a_key_is_counted_by_company_and_source_address() {
    let (around, world) = limited("1").await;
    let router = router(Arc::new(world.api().limited_to("0.006".parse().unwrap())));
    let send = async |address: &str, company: &str| {
        let mut context = ApiGatewayV2httpRequestContext::default();
        context.http.source_ip = Some(address.to_owned());
        let request = Request::post(format!("/client/events?company_id={company}"));
        // Whatever a client claims does not matter.
        let request = request.header("x-forwarded-for", "203.0.113.9").body(Body::from("{}")).unwrap();
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(RequestContext::ApiGatewayV2(context));
        ask(&router, Request::from_parts(parts, body)).await.error().0
    };
    // 2 a second of 350.
    for (address, same_network) in [
        ("198.51.100.1", "198.51.100.1"),
        ("2001:db8::1", "2001:db8::ffff:1"),
        ("198.51.100.2", "198.51.100.2"),
    ] {
        assert_eq!(send(address, COMPANY).await, 400, "{address}");
        assert_eq!(send(same_network, COMPANY).await, 400, "{address}");
        assert_eq!(send(address, COMPANY).await, 429, "{address}");
    }
    let made_up = [send("198.51.100.1", "AAAAAA").await, send("198.51.100.1", "").await];
    assert_eq!((made_up, send("198.51.100.1", "BBBBBB").await), ([400, 400], 429));
    world.pass(1000);
    assert_eq!(send("198.51.100.1", COMPANY).await, 400);
    assert!(quotas(&around).is_empty(), "nobody is written down");
}
