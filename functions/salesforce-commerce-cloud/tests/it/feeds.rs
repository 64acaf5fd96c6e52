//! Asking for orders by time.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use platform::{ApiRequest, Authorization, Connection, Feed, Fetched, Headers, Page, Period, Platform as _};
use salesforce_commerce_cloud::SalesforceCommerceCloud;
use serde_json::{Map, Value, json};

const ORDERS: &str = "https://kv7kzm78.api.commercecloud.salesforce.com/checkout/orders/v1/organizations/\
                      f_ecom_zzte_053/orders?siteId=RefArch";

fn connection(settings: &Value) -> Connection {
    let settings: Map<String, Value> = settings.as_object().unwrap().clone();
    Connection { id: "conn-1".to_owned(), platform: "salesforce-commerce-cloud".to_owned(), settings }
}

fn scapi() -> Connection {
    connection(
        &json!({ "site_id": "RefArch", "short_code": "kv7kzm78", "organization_id": "f_ecom_zzte_053" }),
    )
}

fn ocapi() -> Connection {
    connection(
        &json!({ "api": "ocapi", "site_id": "RefArch", "instance_host": "zzte-053.dx.commercecloud.salesforce.com" }),
    )
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn changes() -> Period {
    Period::changes(time("2026-03-14T08:00:00Z"), time("2026-03-14T09:00:00Z"))
}

fn answer(status: u16, body: &Value) -> Fetched {
    Fetched { status, headers: Headers::default(), body: body.to_string().into_bytes() }
}

fn token() -> Fetched {
    answer(200, &json!({ "access_token": "eyJ.token", "token_type": "Bearer", "expires_in": 1799 }))
}

fn header<'a>(request: &'a ApiRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
}

fn feed(connection: &Connection, period: &Period) -> Feed {
    let [feed] = SalesforceCommerceCloud.feeds(connection, period).try_into().unwrap();
    feed
}

/// The page of the orders that were answered.
fn page(connection: &Connection, orders: &Fetched) -> Result<Page, String> {
    let joined = std::slice::from_ref(orders);
    SalesforceCommerceCloud.page(connection, &feed(connection, &changes()), &token(), joined)
}

/// The request that follows the token's.
fn first(connection: &Connection, period: &Period) -> ApiRequest {
    let page = SalesforceCommerceCloud.page(connection, &feed(connection, period), &token(), &[]).unwrap();
    assert_eq!((page.records.len(), page.next), (0, None));
    let [request] = page.joins.try_into().unwrap();
    request
}

#[test]
fn nothing_is_asked_for_without_the_settings() {
    for settings in [
        json!({}),
        json!({ "site_id": "RefArch" }),
        json!({ "site_id": "RefArch", "short_code": "kv7kzm78" }),
        json!({ "short_code": "kv7kzm78", "organization_id": "f_ecom_zzte_053" }),
        json!({ "site_id": "RefArch", "short_code": "evil.example/", "organization_id": "f_ecom_zzte_053" }),
        json!({ "site_id": "a/b", "short_code": "kv7kzm78", "organization_id": "f_ecom_zzte_053" }),
        json!({ "site_id": "a&b", "short_code": "kv7kzm78", "organization_id": "f_ecom_zzte_053" }),
        json!({ "site_id": "RefArch", "api": "ocapi" }),
        json!({ "site_id": "RefArch", "api": "ocapi", "instance_host": "host/path" }),
        json!({ "site_id": "RefArch", "api": "ocapi", "instance_host": "a.example", "ocapi_version": "../x" }),
    ] {
        assert_eq!(SalesforceCommerceCloud.feeds(&connection(&settings), &changes()), [], "{settings}");
    }
}

#[test]
fn a_connection_may_do_without_polls_but_not_without_history() {
    let mut connection = scapi();
    connection.settings.insert("poll".to_owned(), false.into());
    assert_eq!(SalesforceCommerceCloud.feeds(&connection, &changes()), []);
    let history = Period::history(time("2020-01-01T00:00:00Z"), time("2026-03-14T09:00:00Z"));
    assert_eq!(SalesforceCommerceCloud.feeds(&connection, &history).len(), 1);
}

#[test]
fn a_token_is_asked_for_first_with_the_client_s_id_and_password() {
    let feed = feed(&scapi(), &changes());
    let (url, _) = feed.request.url.split_once('#').unwrap();
    assert_eq!(url, "https://account.demandware.com/dwsso/oauth2/access_token");
    assert_eq!(feed.request.method, "POST");
    assert_eq!(
        feed.request.body.as_deref(),
        Some("grant_type=client_credentials&scope=SALESFORCE_COMMERCE_API%3Azzte_053%20sfcc.orders")
    );
    assert_eq!(header(&feed.request, "content-type"), Some("application/x-www-form-urlencoded"));
    let basic = Authorization::Basic {
        user: "{secret:client_id}".to_owned(),
        password: "{secret:client_secret}".to_owned(),
    };
    assert_eq!(feed.request.authorization, basic);
    // Good for half an hour.
    assert_eq!(feed.request.keep, Some(Duration::from_mins(20)));
    let feed = self::feed(&ocapi(), &changes());
    assert_eq!(feed.request.body.as_deref(), Some("grant_type=client_credentials"));
}

#[test]
fn changes_are_asked_for_by_change_and_history_by_creation() {
    let request = first(&scapi(), &changes());
    assert_eq!(
        request.url,
        format!(
            "{ORDERS}&lastModifiedDateFrom=2026-03-14T08:00:00Z&lastModifiedDateTo=2026-03-14T09:00:00Z\
             &sortBy=last_modified_date&sortOrder=asc&limit=200&offset=0"
        )
    );
    assert_eq!(header(&request, "authorization"), Some("Bearer eyJ.token"));
    assert_eq!(request.method, "GET");

    let history = Period::history(time("2020-01-01T00:00:00Z"), time("2026-03-14T09:00:00Z"));
    let request = first(&scapi(), &history);
    let window =
        "&creationDateFrom=2020-01-01T00:00:00Z&creationDateTo=2026-03-14T09:00:00Z&sortBy=creation_date";
    assert!(request.url.contains(window), "{}", request.url);
}

#[test]
fn ocapi_is_searched() {
    let request = first(&ocapi(), &changes());
    assert_eq!(
        request.url,
        "https://zzte-053.dx.commercecloud.salesforce.com/s/RefArch/dw/shop/v23_2/order_search"
    );
    assert_eq!(
        (request.method.as_str(), header(&request, "x-dw-client-id")),
        ("POST", Some("{secret:client_id}"))
    );
    let body: Value = serde_json::from_str(request.body.as_deref().unwrap()).unwrap();
    let range =
        json!({ "field": "last_modified", "from": "2026-03-14T08:00:00Z", "to": "2026-03-14T09:00:00Z" });
    assert_eq!(body["query"]["filtered_query"]["filter"]["range_filter"], range);
    assert_eq!((&body["start"], &body["count"]), (&json!(0), &json!(200)));
    assert_eq!(body["sorts"], json!([{ "field": "last_modified", "sort_order": "asc" }]));

    let order = json!({ "order_no": "1", "last_modified": "2026-03-14T08:10:00.000Z" });
    let hits = json!({ "count": 1, "hits": [{ "_type": "order_search_hit", "data": order }], "start": 0, "total": 1 });
    let page = page(&ocapi(), &answer(200, &hits)).unwrap();
    assert_eq!((page.records.len(), page.next), (1, None));
    assert_eq!(serde_json::from_slice::<Value>(&page.records[0].body).unwrap(), order);
}

#[test]
fn proxies_take_the_place_of_both_addresses() {
    let mut connection = scapi();
    connection.settings.insert("api_url".to_owned(), "https://proxy.example/api/".into());
    connection.settings.insert("token_url".to_owned(), "https://proxy.example/token".into());
    let feed = feed(&connection, &changes());
    assert!(feed.request.url.starts_with("https://proxy.example/token#"));
    let request = first(&connection, &changes());
    assert!(request.url.starts_with("https://proxy.example/api/checkout/orders/v1/"), "{}", request.url);
}

#[test]
fn one_order_many_and_none() {
    for (body, count) in [
        (json!({ "limit": 200, "offset": 0, "total": 0, "data": [] }), 0),
        (json!({ "limit": 200, "offset": 0, "total": 0 }), 0),
        (json!({ "data": [] }), 0),
        (json!({ "data": [{ "orderNo": "1" }] }), 1),
        (json!({ "total": 1, "data": [{ "orderNo": "1" }] }), 1),
        (json!({ "total": 3, "data": [{ "orderNo": "1" }, "no order", { "orderNo": "2" }] }), 2),
    ] {
        let page = page(&scapi(), &answer(200, &body)).unwrap();
        assert_eq!((page.records.len(), page.next), (count, None), "{body}");
    }
}

#[test]
fn what_must_not_be_kept_is_taken_out_in_both_spellings() {
    let order = json!({
        "orderNo": "1", "remoteHost": "192.0.2.7", "orderToken": "t",
        "paymentInstruments": [{ "paymentCard": { "holder": "Ann Holm" } }],
        "remote_host": "192.0.2.7", "payment_instruments": [], "order_token": "t",
        "shipments": [{ "payment_card": { "holder": "Ann Holm" }, "shipmentId": "me", "giftMessage": "Dear Bo" }],
        "giftCertificateItems": [{ "recipientEmail": "bo@example.com", "senderName": "Ann", "message": "Dear Bo" }],
        "gift_certificate_items": [{ "recipient_name": "Bo", "amount": 25 }], "notes": {}, "globalPartyId": "g",
        "c_remoteHost": "kept: the merchant's own",
    });
    let body = json!({ "total": 1, "data": [order] });
    let page = page(&scapi(), &answer(200, &body)).unwrap();
    let kept = json!({
        "orderNo": "1", "shipments": [{ "shipmentId": "me" }], "c_remoteHost": "kept: the merchant's own",
        "giftCertificateItems": [{}], "gift_certificate_items": [{ "amount": 25 }],
    });
    assert_eq!(serde_json::from_slice::<Value>(&page.records[0].body).unwrap(), kept);
    assert_eq!(page.records[0].topic, "order");
}

#[test]
fn one_state_of_an_order_has_one_delivery_id_and_another_state_another() {
    let id = |order: Value| {
        let body = json!({ "total": 1, "data": [order] });
        let page = page(&scapi(), &answer(200, &body)).unwrap();
        page.records[0].delivery_id.clone()
    };
    let before = json!({ "orderNo": "1", "status": "new", "remoteHost": "192.0.2.7" });
    assert_eq!(id(before.clone()), id(json!({ "orderNo": "1", "status": "new", "remoteHost": "192.0.2.8" })));
    assert_ne!(id(before), id(json!({ "orderNo": "1", "status": "completed" })));
}

#[test]
fn what_is_no_answer_is_an_error_without_its_content() {
    let no_token = "the Account Manager gave no token";
    for (status, body, error) in [
        (400, json!({ "error": "ann@example.com" }), "answered with status 400"),
        (200, json!({}), no_token),
        (200, json!({ "access_token": "two\r\nlines" }), no_token),
        (200, json!({ "access_token": "{secret:webhook_secret}" }), no_token),
    ] {
        let page =
            SalesforceCommerceCloud.page(&scapi(), &feed(&scapi(), &changes()), &answer(status, &body), &[]);
        assert_eq!(page, Err(error.to_owned()));
    }
    for (status, body, error) in [
        (404, json!({ "detail": "RefArch" }), "answered with status 404"),
        (200, json!({ "total": 3 }), "the answer has no orders"),
        (200, json!({ "data": "ann@example.com" }), "the answer has no orders"),
        (200, json!([]), "the body is not a JSON object"),
    ] {
        assert_eq!(page(&scapi(), &answer(status, &body)), Err(error.to_owned()));
    }
}

/// An instance in memory that answers as SCAPI documents it.
struct Instance {
    orders: BTreeMap<String, Timestamp>,
    requests: u32,
}

impl Instance {
    fn answer(&mut self, request: &ApiRequest) -> Fetched {
        let (_, query) = request.url.split_once('?').unwrap();
        assert_eq!(header(request, "authorization"), Some("Bearer eyJ.token"));
        self.requests += 1;
        let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let (from, until) = (time(query["lastModifiedDateFrom"]), time(query["lastModifiedDateTo"]));
        let offset: usize = query["offset"].parse().unwrap();
        assert!(offset + 200 <= 10_000);
        let mut found: Vec<_> = self.orders.iter().filter(|(_, at)| (from..until).contains(at)).collect();
        found.sort_by_key(|(_, at)| **at);
        let order = |(no, at): &(&String, &Timestamp)| json!({ "orderNo": no, "lastModified": at });
        let data: Vec<Value> = found.iter().skip(offset).take(200).map(order).collect();
        // Nothing but the orders is documented.
        answer(200, &json!({ "data": data }))
    }

    /// Reads everything; `between` is called after each page.
    fn read(&mut self, mut between: impl FnMut(&mut Self)) -> Result<BTreeMap<String, usize>, String> {
        let mut feed = feed(&scapi(), &changes());
        let of_token = feed.request.clone();
        let mut seen = BTreeMap::new();
        loop {
            // What is sent is always the same, so a token that is kept is asked for once.
            let sent = |request: &ApiRequest| request.url.split_once('#').unwrap().0.to_owned();
            assert_eq!((sent(&feed.request), &feed.request.body), (sent(&of_token), &of_token.body));
            assert_eq!(feed.request.keep, of_token.keep);
            let [orders] =
                SalesforceCommerceCloud.page(&scapi(), &feed, &token(), &[])?.joins.try_into().unwrap();
            let page = SalesforceCommerceCloud.page(&scapi(), &feed, &token(), &[self.answer(&orders)])?;
            for record in page.records {
                let order: Value = serde_json::from_slice(&record.body).unwrap();
                *seen.entry(order["orderNo"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            let Some(next) = page.next else { return Ok(seen) };
            feed.request = next;
            between(self);
        }
    }
}

fn instance(count: u32, spacing_ms: i64) -> Instance {
    let at = |index: u32| {
        time("2026-03-14T08:00:00Z") + SignedDuration::from_millis(i64::from(index) * spacing_ms)
    };
    let orders = (0..count).map(|index| (format!("{index:08}"), at(index))).collect();
    Instance { orders, requests: 0 }
}

#[test]
fn every_order_is_read_and_only_those_at_the_borders_of_pages_come_twice() {
    let mut instance = instance(900, 1000);
    let seen = instance.read(|_| ()).unwrap();
    assert_eq!(seen.len(), 900);
    assert_eq!(seen.values().filter(|times| **times > 1).count(), 4);
    assert_eq!(instance.requests, 5);
}

#[test]
fn orders_of_one_instant_are_paged_by_offset() {
    let mut instance = instance(700, 0);
    let seen = instance.read(|_| ()).unwrap();
    assert_eq!(seen.len(), 700);
    assert!(seen.values().all(|times| *times == 1));
    assert_eq!(instance.requests, 4);
}

#[test]
fn more_orders_of_one_instant_than_can_be_shown_are_an_error() {
    let error = instance(10_500, 0).read(|_| ()).unwrap_err();
    assert_eq!(error, "more orders of one instant than the API shows");
}

#[test]
fn more_than_ten_thousand_orders_are_read() {
    let mut instance = instance(10_500, 300);
    let seen = instance.read(|_| ()).unwrap();
    assert_eq!(seen.len(), 10_500);
    assert_eq!(instance.requests, 53);
}

#[test]
fn an_order_that_changes_between_pages_hides_no_other() {
    let mut instance = instance(900, 1000);
    let mut number = 0;
    let seen = instance.read(|instance| {
        // An order of the first page moves to the end of the window, one behind it out of the window.
        let later = time("2026-03-14T08:59:00Z") + SignedDuration::from_millis(number);
        instance.orders.insert(format!("{number:08}"), later);
        instance.orders.insert(format!("{:08}", 899 - number), time("2026-03-14T09:00:01Z"));
        number += 1;
    });
    let seen = seen.unwrap();
    let gone = (0..900).filter(|index| !seen.contains_key(&format!("{index:08}"))).count();
    // What left the window belongs to the next one.
    assert!(gone <= usize::try_from(number).unwrap(), "{gone}");
    assert!((0..800).all(|index| seen.contains_key(&format!("{index:08}"))));
}
