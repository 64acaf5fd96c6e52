//! What a shop is asked for regularly.

use magento2::Magento2;
use platform::{ApiRequest, Authorization, Connection, Feed, Fetched, Page, Platform};
use serde_json::{Value, json};

const SINCE: &str = "2026-03-14T09:00:00.700Z";
const UNTIL: &str = "2026-03-14T09:15:00.2Z";

fn connection(settings: Value) -> Connection {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    Connection { id: "conn-1".to_owned(), platform: "magento2".to_owned(), settings }
}

fn feeds(settings: Value) -> Vec<Feed> {
    Magento2.feeds(
        &connection(settings),
        &platform::Period::changes(SINCE.parse().unwrap(), UNTIL.parse().unwrap()),
    )
}

fn polled() -> Vec<Feed> {
    feeds(json!({ "poll": true, "base_url": "https://larch.example/" }))
}

fn page(feed: &Feed, status: u16, body: &Value) -> Result<Page, String> {
    let body = body.to_string().into_bytes();
    let answer = Fetched { status, body, ..Fetched::default() };
    Magento2.page(&connection(json!({})), feed, &answer, &[])
}

#[test]
fn only_a_shop_with_an_address_and_the_setting_is_asked() {
    assert_eq!(feeds(json!({})), []);
    assert_eq!(feeds(json!({ "poll": true })), []);
    assert_eq!(feeds(json!({ "base_url": "https://larch.example" })), []);
    for bad in [
        "http://larch.example",
        "https://user@larch.example",
        "https://larch.example?x=",
        "https://",
        "https://a/../b",
    ] {
        assert_eq!(feeds(json!({ "poll": true, "base_url": bad })), [], "{bad}");
    }
    assert_eq!(feeds(json!({ "poll": true, "base_url": "https://larch.example", "store_code": "a/b" })), []);
}

#[test]
fn carts_are_asked_for_on_request() {
    let names = |feeds: Vec<Feed>| feeds.into_iter().map(|feed| feed.name).collect::<Vec<_>>();
    assert_eq!(names(polled()), ["orders", "creditmemos", "shipments", "customers", "products"]);
    let all = feeds(json!({ "poll": true, "poll_carts": true, "base_url": "https://larch.example" }));
    assert_eq!(names(all).last(), Some(&"carts"));
}

#[test]
fn the_window_includes_both_its_seconds_and_is_read_by_id() {
    let feeds = polled();
    assert_eq!(
        feeds[3].request.url,
        "https://larch.example/rest/all/V1/customers/search?searchCriteria[sortOrders][0][field]=entity_id\
         &searchCriteria[sortOrders][0][direction]=ASC&searchCriteria[pageSize]=100\
         &searchCriteria[currentPage]=1\
         &searchCriteria[filter_groups][0][filters][0][field]=updated_at\
         &searchCriteria[filter_groups][0][filters][0][condition_type]=gteq\
         &searchCriteria[filter_groups][0][filters][0][value]=2026-03-14%2009:00:00\
         &searchCriteria[filter_groups][1][filters][0][field]=updated_at\
         &searchCriteria[filter_groups][1][filters][0][condition_type]=lteq\
         &searchCriteria[filter_groups][1][filters][0][value]=2026-03-14%2009:15:00\
         &searchCriteria[filter_groups][2][filters][0][field]=entity_id\
         &searchCriteria[filter_groups][2][filters][0][condition_type]=gt\
         &searchCriteria[filter_groups][2][filters][0][value]=0"
    );
}

#[test]
fn requests_are_signed_or_carry_the_token() {
    let Authorization::OAuth1 { consumer_key, token_secret, .. } = &polled()[0].request.authorization else {
        panic!("not signed")
    };
    assert_eq!(
        (consumer_key.as_str(), token_secret.as_str()),
        ("{secret:consumer_key}", "{secret:access_token_secret}")
    );
    let settings =
        json!({ "poll": true, "bearer": true, "base_url": "https://larch.example/shop", "store_code": "en" });
    let request: ApiRequest = feeds(settings).remove(0).request;
    assert!(request.url.starts_with("https://larch.example/shop/rest/en/V1/orders?"));
    assert_eq!(request.authorization, Authorization::Headers);
    let bearer = ("authorization".to_owned(), "Bearer {secret:access_token}".to_owned());
    assert!(request.headers.contains(&bearer));
}

#[test]
fn a_page_goes_on_after_its_last_id_until_nothing_is_left() {
    let feed = &polled()[0];
    let body = json!({
        "items": [
            { "entity_id": 41, "updated_at": "2026-03-14 09:01:00" },
            { "entity_id": "43", "updated_at": "2026-03-14 09:02:00", "state": "new" },
        ],
        "total_count": 3
    });
    let first = page(feed, 200, &body).unwrap();
    let seen: Vec<_> =
        first.records.iter().map(|record| (record.topic.as_str(), record.delivery_id.as_str())).collect();
    assert_eq!(seen, [("order", "order:41:2026-03-14 09:01:00"), ("order", "order:43:2026-03-14 09:02:00")]);
    assert_eq!(first.records[0].body, br#"{"entity_id":41,"updated_at":"2026-03-14 09:01:00"}"#);
    let next = first.next.unwrap();
    assert!(next.url.ends_with("[field]=entity_id&searchCriteria[filter_groups][2][filters][0][condition_type]=gt&searchCriteria[filter_groups][2][filters][0][value]=43"));
    assert_eq!(next.authorization, feed.request.authorization);

    let feed = Feed { name: feed.name, request: next };
    let body = json!({ "items": [{ "entity_id": 44 }], "total_count": 1 });
    let last = page(&feed, 200, &body).unwrap();
    assert_eq!((last.records.len(), last.next), (1, None));
    // Without a time there is no name for this state of it but its content.
    assert!(!last.records[0].delivery_id.contains(':'));
}

#[test]
fn an_empty_window_is_one_empty_page() {
    for (feed, body) in
        polled().iter().zip([json!({ "items": [], "total_count": 0 }), json!({ "items": [] })])
    {
        assert_eq!(page(feed, 200, &body), Ok(Page::default()));
    }
}

#[test]
fn customers_and_products_have_their_id_under_another_name() {
    for (feed, topic) in polled().iter().skip(3).zip(["customer", "product"]) {
        let body = json!({ "items": [{ "id": 7, "updated_at": "2026-03-14 09:01:00" }], "total_count": 2 });
        let page = page(feed, 200, &body).unwrap();
        assert_eq!(page.records[0].delivery_id, format!("{topic}:7:2026-03-14 09:01:00"));
        assert!(page.next.unwrap().url.ends_with("=7"));
    }
}

#[test]
fn a_page_that_repeats_itself_or_cannot_be_read_is_an_error() {
    let feed = &polled()[0];
    let twice = Feed {
        name: feed.name,
        request: ApiRequest {
            url: feed.request.url.replace("[value]=0", "[value]=41"),
            ..feed.request.clone()
        },
    };
    let body = json!({ "items": [{ "entity_id": 41 }], "total_count": 9 });
    assert!(page(&twice, 200, &body).is_err());
    assert!(page(feed, 404, &body).is_err());
    assert!(page(feed, 200, &json!([])).is_err());
    assert!(page(feed, 200, &json!({ "message": "no" })).is_err());
    assert!(page(feed, 200, &json!({ "items": [], "total_count": "many" })).is_err());
}

#[test]
fn what_is_no_object_is_left_out() {
    let body = json!({ "items": ["x", { "entity_id": 1 }, null], "total_count": 3 });
    assert_eq!(page(&polled()[0], 200, &body).unwrap().records.len(), 1);
}
