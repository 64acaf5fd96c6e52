//! Asking Smile, with a source in memory.

use std::collections::BTreeSet;

use conformance::{read, walk};
use jiff::Timestamp;

use platform::{ApiRequest, ClientProof, Connection, Feed, Fetched, Mapping, Page, Period, Platform};
use serde_json::{Value, json};
use smile::Smile;

const SINCE: &str = "2026-03-14T09:00:00Z";
const UNTIL: &str = "2026-03-14T09:30:00Z";
const HOST: &str = "https://api.smile.io/v1";

fn connection(settings: Value) -> Connection {
    Connection {
        id: "conn-1".to_owned(),
        platform: "smile".to_owned(),
        settings: serde_json::from_value(settings).unwrap(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn changes() -> Period {
    Period::changes(at(SINCE), at(UNTIL))
}

/// A poll with a midnight in it.
fn night() -> Period {
    Period::changes(at("2026-03-13T23:50:00Z"), at("2026-03-14T00:10:00Z"))
}

fn feed(connection: &Connection, period: &Period, name: &str) -> Feed {
    Smile.feeds(connection, period).into_iter().find(|feed| feed.name == name).unwrap()
}

fn names(connection: &Connection, period: &Period) -> Vec<&'static str> {
    Smile.feeds(connection, period).into_iter().map(|feed| feed.name).collect()
}

fn answer(body: &Value) -> Fetched {
    Fetched { status: 200, body: serde_json::to_vec(body).unwrap(), ..Fetched::default() }
}

#[test]
fn what_changed_is_asked_for_and_once_a_day_what_will_expire() {
    let one = connection(json!({}));
    let daily = ["customers", "points_transactions", "reward_fulfillments"];
    assert_eq!(names(&one, &changes()), daily);
    assert_eq!(names(&one, &Period::history(at(SINCE), at("2026-03-20T00:00:00Z"))), daily);
    assert_eq!(
        names(&one, &night()),
        ["customers", "points_transactions", "reward_fulfillments", "expiring_rewards"]
    );
    assert_eq!(names(&connection(json!({"reward_expiring_days": 0})), &night()), daily);
    let url = |name| feed(&one, &changes(), name).request.url;
    let since = "updated_at_min=2026-03-14T08:59:59.000Z";
    assert_eq!(url("customers"), format!("{HOST}/customers?{since}&include=vip_status&limit=250"));
    assert_eq!(url("points_transactions"), format!("{HOST}/points_transactions?{since}&limit=250"));
    assert_eq!(
        url("reward_fulfillments"),
        format!("{HOST}/reward_fulfillments?{since}&fulfillment_status=issued&limit=250")
    );
    assert_eq!(
        feed(&one, &night(), "expiring_rewards").request.url,
        format!(
            "{HOST}/reward_fulfillments?fulfillment_status=issued&usage_status=unused&limit=250\
             #since=2026-03-13T00:00:00Z&until=2026-03-14T00:00:00Z&days=7"
        )
    );
}

#[test]
fn who_is_asked_and_with_what_is_a_setting() {
    let silent = connection(json!({"poll": false}));
    assert_eq!(names(&silent, &changes()), [] as [&str; 0]);
    assert_eq!(names(&silent, &Period::history(at(SINCE), at(UNTIL))).len(), 3);
    assert_eq!(names(&connection(json!({"api_url": "smile.example"})), &changes()), [] as [&str; 0]);
    let request = |settings| feed(&connection(settings), &changes(), "customers").request;
    let bearer =
        |settings| request(settings).headers.into_iter().find(|(name, _)| name == "authorization").unwrap().1;
    assert_eq!(bearer(json!({})), "Bearer {secret:access_token}");
    assert_eq!(bearer(json!({"credentials": "api_key"})), "Bearer {secret:api_key}");
    let proxied = request(json!({"api_url": "https://smile-proxy.example/v1/"}));
    assert!(proxied.url.starts_with("https://smile-proxy.example/v1/customers?"));
    let pace = proxied.pace.unwrap();
    assert_eq!((pace.requests, pace.per.as_secs()), (10, 1));
}

#[test]
fn an_app_is_authorised_in_a_browser_and_a_merchants_key_is_not() {
    let oauth = Smile.oauth(&connection(json!({}))).unwrap();
    assert_eq!(oauth.authorize_url, "https://connect.smile.io/oauth2/authorize");
    assert_eq!(oauth.token_url, "https://connect.smile.io/oauth2/token");
    assert_eq!((oauth.scope_separator, oauth.is_pkce, oauth.client_proof), (" ", false, ClientProof::Basic));
    assert!(oauth.scopes.contains(&"customer:read"));
    let fake = Smile.oauth(&connection(json!({"auth_url": "https://auth.example/o/"}))).unwrap();
    assert_eq!(fake.token_url, "https://auth.example/o/token");
    assert!(Smile.oauth(&connection(json!({"credentials": "api_key"}))).is_none());
    assert!(Smile.oauth(&connection(json!({"auth_url": "auth.example"}))).is_none());
}

#[test]
fn nothing_changed_is_an_empty_page() {
    let one = connection(json!({}));
    for name in ["customers", "points_transactions", "reward_fulfillments", "expiring_rewards"] {
        let list = if name == "expiring_rewards" { "reward_fulfillments" } else { name };
        let empty = answer(&json!({list: [], "metadata": {"next_cursor": null}}));
        assert_eq!(Smile.page(&one, &feed(&one, &night(), name), &empty, &[]).unwrap(), Page::default());
    }
}

#[test]
fn what_cannot_be_read_is_asked_for_again() {
    let one = connection(json!({}));
    let feed = feed(&one, &changes(), "customers");
    let error = |status, body: &[u8]| {
        let answer = Fetched { status, body: body.to_vec(), ..Fetched::default() };
        Smile.page(&one, &feed, &answer, &[]).unwrap_err()
    };
    assert_eq!(error(404, b"{}"), "the API answered 404");
    assert_eq!(error(200, b"<html>"), "the answer is not JSON");
    assert_eq!(error(200, b"{}"), "the answer has no customers");
    assert_eq!(error(200, b"[]"), "the answer has no customers");
    let page = answer(&json!({"customers": [{"id": 1}]}));
    let broken = Fetched { status: 422, ..Fetched::default() };
    assert_eq!(Smile.page(&one, &feed, &page, &[broken]).unwrap_err(), "the API answered 422");
    let unknown = Feed { name: "referrals", request: ApiRequest::get("https://x.example/") };
    let rows = answer(&json!({"referrals": [{"id": 1}]}));
    assert_eq!(Smile.page(&one, &unknown, &rows, &[]).unwrap_err(), "a feed that there is not");
}

#[test]
fn customers_come_with_the_name_of_their_tier_and_without_their_birthday() {
    let one = connection(json!({}));
    let feed = feed(&one, &changes(), "customers");
    let rows = answer(&json!({"customers": [
        {"id": 1, "email": "ada@example.com", "date_of_birth": "1004-05-27", "vip_status": {"vip_tier_id": 9}},
        {"id": 2, "vip_tier_id": 8}, {"id": 3, "vip_tier_id": null}, "?",
    ]}));
    let page = Smile.page(&one, &feed, &rows, &[]).unwrap();
    let [join] = page.joins.as_slice() else { panic!("{page:?}") };
    assert_eq!(join.url, format!("{HOST}/vip_tiers"));
    assert!(join.keep.is_some());
    let tiers = answer(&json!({"vip_tiers": [
        {"id": 8, "name": "Silver", "milestone": 100, "perks": []}, {"id": 9, "name": "Gold", "milestone": 500},
    ]}));
    let page = Smile.page(&one, &feed, &rows, &[tiers]).unwrap();
    let bodies: Vec<Value> =
        page.records.iter().map(|record| serde_json::from_slice(&record.body).unwrap()).collect();
    assert_eq!(bodies[0]["vip_tier"], json!({"id": 9, "name": "Gold", "milestone": 500}));
    assert_eq!(bodies[1]["vip_tier"], json!({"id": 8, "name": "Silver", "milestone": 100}));
    assert_eq!(bodies[2]["vip_tier"], Value::Null);
    assert!(!bodies[0].to_string().contains("1004"));
    let none = Fetched { status: 404, ..Fetched::default() };
    assert_eq!(Smile.page(&one, &feed, &rows, &[none]).unwrap().records.len(), 3, "no VIP programme");
}

#[test]
fn only_what_is_told_needs_its_customer_and_each_only_once() {
    let one = connection(json!({}));
    let feed = feed(&one, &changes(), "points_transactions");
    let row = |id: u64, customer: Value, text: &str, change: i64| json!({"id": id, "customer_id": customer, "description": text, "points_change": change});
    let rows = answer(&json!({"points_transactions": [
        row(1, json!(7), "Placed an order", 10), row(2, json!(7), "Spent points on reward", -10),
        row(3, json!(8), "Signed up", 10), row(4, json!("9/../vip_tiers"), "Placed an order", 10),
        row(5, json!("10"), "Placed an order", 10),
    ]}));
    let page = Smile.page(&one, &feed, &rows, &[]).unwrap();
    let urls: Vec<&str> = page.joins.iter().map(|join| join.url.as_str()).collect();
    let customer = |id: u64| format!("{HOST}/customers/{id}?include=vip_status");
    assert_eq!(urls, [customer(10), customer(7)]);
    let joined = [
        Fetched { status: 404, ..Fetched::default() },
        answer(&json!({"customer": {"id": 7, "email": "ada@example.com", "date_of_birth": "1990-01-01"}})),
    ];
    let page = Smile.page(&one, &feed, &rows, &joined).unwrap();
    let customers: Vec<Value> = page
        .records
        .iter()
        .map(|record| serde_json::from_slice::<Value>(&record.body).unwrap()["customer"].take())
        .collect();
    let ada = json!({"id": "7", "email": "ada@example.com"});
    assert_eq!(customers[..2], [ada.clone(), ada]);
    assert_eq!(customers[4], json!({"id": "10", "email": null}));
}

#[test]
fn rewards_are_told_of_on_the_day_that_their_warning_falls_into() {
    let one = connection(json!({}));
    let feed = feed(&one, &night(), "expiring_rewards");
    let row = |id: u64, expires: Value, created: &str| json!({"id": id, "customer_id": 7, "name": "$5 off", "expires_at": expires, "created_at": created});
    let old = "2026-01-01T00:00:00Z";
    let rows = answer(&json!({"reward_fulfillments": [
        row(1, json!("2026-03-20T12:00:00Z"), old),
        row(2, json!("2026-03-21T00:00:00Z"), old),
        row(3, json!("2026-03-21T00:00:01Z"), old),
        row(4, json!("2026-03-20T00:00:00Z"), old),
        row(5, json!("2026-03-20T12:00:00Z"), "2026-03-13T13:00:00Z"),
        row(6, json!(null), old),
        row(7, json!("soon"), old),
    ]}));
    let joined = [answer(&json!({"customer": {"id": 7, "email": "ada@example.com"}}))];
    assert_eq!(Smile.page(&one, &feed, &rows, &[]).unwrap().joins.len(), 1);
    let page = Smile.page(&one, &feed, &rows, &joined).unwrap();
    let told: Vec<String> = page
        .records
        .iter()
        .map(|record| {
            let (Mapping::Facts { facts, .. }, 0) = read(&Smile, &one, record, |_| panic!("asked")) else {
                panic!("no facts")
            };
            let fact = serde_json::to_value(&facts[0]).unwrap();
            format!("{} {} {}", fact["activity_id"], fact["metric"], fact["at"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        told,
        [
            "1:2026-03-20T12:00:00Z Reward Expiring 2026-03-13T12:00:00Z",
            "2:2026-03-21T00:00:00Z Reward Expiring 2026-03-14T00:00:00Z",
        ]
    );
}

#[test]
fn a_poll_after_days_of_silence_tells_of_all_their_warnings_but_of_no_reward_that_ended() {
    let settings = json!({"reward_expiring_days": 1});
    let one = connection(settings);
    let silence = Period::changes(at("2026-03-10T12:00:00Z"), at("2026-03-13T00:05:00Z"));
    let feed = feed(&one, &silence, "expiring_rewards");
    let row = |id: u64, expires: &str| json!({"id": id, "customer_id": 7, "expires_at": expires, "created_at": "2026-01-01T00:00:00Z"});
    let rows = answer(&json!({"reward_fulfillments": [
        row(1, "2026-03-11T00:00:00Z"),
        row(2, "2026-03-12T10:00:00Z"),
        row(3, "2026-03-13T10:00:00Z"),
        row(4, "2026-03-14T00:00:00Z"),
        row(5, "2026-03-14T10:00:00Z"),
    ]}));
    let told = |feed: &Feed| {
        let joined = [answer(&json!({"customer": {"id": 7, "email": "ada@example.com"}}))];
        let page = Smile.page(&one, feed, &rows, &joined).unwrap();
        let id = |record: &platform::Record| record.delivery_id.split('-').nth(1).unwrap().to_owned();
        page.records.iter().map(id).collect::<Vec<_>>()
    };
    assert_eq!(
        told(&feed),
        ["3", "4"],
        "two days' warnings: what ended at or before the midnight needs none"
    );
    let weekly = connection(json!({}));
    let feed = Smile.feeds(&weekly, &silence).pop().unwrap();
    assert!(feed.request.url.ends_with("#since=2026-03-10T00:00:00Z&until=2026-03-13T00:00:00Z&days=7"));
}

/// An account with so many customers, each with a points transaction; lists go on behind an id.
fn account(request: &ApiRequest, customers: u64, newcomers: u64) -> Fetched {
    let address = request.url.split('#').next().unwrap();
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let parameter = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    let limit: u64 = parameter("limit").map_or(50, |limit| limit.parse().unwrap());
    let after: u64 =
        parameter("cursor").map_or(0, |cursor| cursor.strip_prefix("id%3A").unwrap().parse().unwrap());
    let end = customers + newcomers;
    let ids: Vec<u64> = (after + 1..=end.min(after + limit)).collect();
    let next = ids.last().filter(|last| **last < end).map(|last| format!("id:{last}"));
    let list = path.rsplit('/').next().unwrap();
    let rows: Vec<Value> = match list {
        "customers" => {
            assert_eq!(parameter("include"), Some("vip_status"));
            ids.iter().map(|id| json!({"id": id, "email": format!("c{id}@example.com")})).collect()
        }
        "points_transactions" => ids
            .iter()
            .map(|id| json!({"id": id, "customer_id": 1 + id % 60, "points_change": 5, "description": "Order"}))
            .collect(),
        "vip_tiers" => Vec::new(),
        id => return answer(&json!({"customer": {"id": id, "email": format!("c{id}@example.com")}})),
    };
    answer(&json!({list: rows, "metadata": {"next_cursor": next, "previous_cursor": null}}))
}

#[test]
fn all_records_come_once_and_newcomers_too() {
    let one = connection(json!({}));
    let mut asked = 0;
    let customers = walk(&Smile, &one, &feed(&one, &changes(), "customers"), |request| {
        asked += 1;
        account(request, 600, if asked > 2 { 7 } else { 0 })
    });
    let ids: BTreeSet<&str> = customers.records.iter().map(|record| record.delivery_id.as_str()).collect();
    assert_eq!((customers.records.len(), ids.len()), (607, 607));
    assert_eq!(customers.requests.len(), 6, "three pages, and the tiers for each: they are kept");

    let points = walk(&Smile, &one, &feed(&one, &changes(), "points_transactions"), |request| {
        account(request, 350, 0)
    });
    assert_eq!(points.records.len(), 350);
    assert_eq!(points.requests.len(), 2 + 60 + 60, "two pages and their customers, who are kept");
    for record in &points.records {
        let (Mapping::Facts { facts, .. }, 0) = read(&Smile, &one, record, |_| panic!("asked")) else {
            panic!("no facts")
        };
        assert!(serde_json::to_value(&facts[0]).unwrap()["person"]["email"].is_string());
    }
}

#[test]
fn an_import_takes_what_was_made_in_its_period_and_joins_nothing_else() {
    let one = connection(json!({"poll": false}));
    let period = Period::history(at("2026-03-01T00:00:00Z"), at("2026-03-08T00:00:00Z"));
    let feed = feed(&one, &period, "points_transactions");
    let row = |id: u64, made: &str| json!({"id": id, "customer_id": id, "points_change": 5, "description": "Order", "created_at": made});
    let rows = [
        row(5, "2026-03-09T00:00:00Z"),
        row(4, "2026-03-08T00:00:00Z"),
        row(3, "2026-03-04T00:00:00Z"),
        row(2, "2026-03-01T00:00:00Z"),
        row(1, "2026-02-28T23:59:59Z"),
    ];
    let walked = walk(&Smile, &one, &feed, |request| {
        if request.url.contains("/customers/") {
            return answer(&json!({"customer": {"id": 1, "email": "ada@example.com"}}));
        }
        assert!(request.url.contains("updated_at_min=2026-02-28T23:59:59.000Z"), "{}", request.url);
        let second = request.url.contains("cursor=c%2F2");
        let page = if second { &rows[2..] } else { &rows[..2] };
        answer(
            &json!({"points_transactions": page, "metadata": {"next_cursor": if second { None } else { Some("c/2") }}}),
        )
    });
    let made: Vec<&str> =
        walked.records.iter().map(|record| record.delivery_id.split('-').nth(1).unwrap()).collect();
    assert_eq!(made, ["4", "3", "2"]);
    assert_eq!(walked.requests.len(), 2 + 3);
}
