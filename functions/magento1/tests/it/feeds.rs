//! What a shop is asked for, with a shop in memory.

use std::collections::BTreeSet;

use conformance::{Walk, walk};
use jiff::Timestamp;
use magento1::Magento1;
use platform::{ApiRequest, Connection, Feed, Fetched, Mapping, Page, Period, Platform, Span};
use serde_json::{Value, json};
use xml::{Element, escaped};

const SINCE: &str = "2026-03-14T00:00:00.700Z";
const UNTIL: &str = "2026-03-14T06:00:00.2Z";

fn connection(settings: Value) -> Connection {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    Connection { id: "conn-1".to_owned(), platform: "magento1".to_owned(), settings }
}

fn larch() -> Connection {
    connection(json!({ "shop_url": "https://larch.example/" }))
}

fn period(span: Span) -> Period {
    Period { span, ..Period::changes(SINCE.parse().unwrap(), UNTIL.parse().unwrap()) }
}

fn feed(name: &str, span: Span) -> Feed {
    let mut feeds = Magento1.feeds(&larch(), &period(span)).into_iter();
    feeds.find(|feed| feed.name == name).unwrap()
}

fn answer(body: String) -> Fetched {
    Fetched { status: 200, body: body.into_bytes(), ..Fetched::default() }
}

fn written(value: &Value) -> String {
    let inner = match value {
        Value::Null => "<nil/>".to_owned(),
        Value::Bool(truth) => format!("<boolean>{}</boolean>", u8::from(*truth)),
        Value::Number(number) => format!("<int>{number}</int>"),
        Value::String(text) => format!("<string>{}</string>", escaped(text)),
        Value::Array(elements) => {
            format!("<array><data>{}</data></array>", elements.iter().map(written).collect::<String>())
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("<member><name>{name}</name>{}</member>", written(value))
            };
            format!("<struct>{}</struct>", members.iter().map(member).collect::<Vec<_>>().concat())
        }
    };
    format!("<value>{inner}</value>")
}

fn said(value: &Value) -> Fetched {
    let head = "\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    answer(format!(
        "{head}<methodResponse><params><param>{}</param></params></methodResponse>",
        written(value)
    ))
}

fn fault(code: i64) -> Fetched {
    let fault = written(&json!({ "faultCode": code, "faultString": "ann@example.com may not" }));
    answer(format!("<methodResponse><fault>{fault}</fault></methodResponse>"))
}

fn read(value: &Element) -> Value {
    let typed = &value.children[0];
    match typed.name.as_str() {
        "array" => typed.children[0].children.iter().map(read).collect(),
        "struct" => Value::Object(
            typed
                .children
                .iter()
                .map(|member| (member.children[0].text.clone(), read(&member.children[1])))
                .collect(),
        ),
        _ => typed.text.clone().into(),
    }
}

/// The method and the parameters of a call.
fn call(request: &ApiRequest) -> (String, Vec<Value>) {
    assert_eq!(
        (request.method.as_str(), request.url.split('#').next()),
        ("POST", Some("https://larch.example/index.php/api/xmlrpc"))
    );
    assert_eq!(request.headers, [("content-type".to_owned(), "text/xml".to_owned())]);
    let call = Element::parse(request.body.as_ref().unwrap().as_bytes()).unwrap();
    let params = call.children[1].children.iter().map(|param| read(&param.children[0])).collect();
    (call.children[0].text.clone(), params)
}

/// A shop in memory.
#[derive(Default)]
struct Shop {
    orders: Vec<Value>,
    shipments: Vec<Value>,
    memos: Vec<Value>,
    customers: Vec<Value>,
    logins: usize,
    /// Sessions before this one are over.
    valid_from: usize,
    /// Calls that are refused.
    refused: Option<(&'static str, i64)>,
    /// Every call of every `multiCall`.
    calls: Vec<(String, Value)>,
}

impl Shop {
    fn answer(&mut self, request: &ApiRequest) -> Fetched {
        let (method, params) = call(request);
        match method.as_str() {
            "login" => {
                assert_eq!(params, [json!("{secret:api_user}"), json!("{secret:api_key}")]);
                self.logins += 1;
                said(&json!(format!("session-{}", self.logins)))
            }
            "multiCall" => {
                let session =
                    params[0].as_str().unwrap().trim_start_matches("session-").parse::<usize>().unwrap();
                if session < self.valid_from {
                    return fault(5);
                }
                let calls = params[1].as_array().unwrap().clone();
                said(&calls.iter().map(|call| self.one(&call[0], &call[1][0])).collect())
            }
            other => panic!("{other}"),
        }
    }

    fn one(&mut self, path: &Value, argument: &Value) -> Value {
        let path = path.as_str().unwrap();
        self.calls.push((path.to_owned(), argument.clone()));
        if let Some((_, code)) = self.refused.filter(|(refused, _)| *refused == path) {
            return json!({ "isFault": true, "faultCode": code, "faultMessage": "ann@example.com" });
        }
        let missing = |code: i64| json!({ "isFault": true, "faultCode": code, "faultMessage": "none" });
        let of = |list: &[Value], name: &str| list.iter().find(|row| row[name] == *argument).cloned();
        match path {
            "sales_order.list" => listed(&self.orders, argument),
            "customer.list" => listed(&self.customers, argument),
            "sales_order.info" => of(&self.orders, "increment_id").unwrap_or_else(|| missing(100)),
            "sales_order_shipment.list" => of_orders(&self.shipments, argument),
            "sales_order_creditmemo.list" => of_orders(&self.memos, argument),
            "sales_order_shipment.info" => {
                of(&self.shipments, "increment_id").unwrap_or_else(|| missing(100))
            }
            "sales_order_creditmemo.info" => of(&self.memos, "increment_id").unwrap_or_else(|| missing(100)),
            "customer_address.info" if argument == "92" => json!({
                "firstname": "Ann", "lastname": "Berg", "city": "Graz", "country_id": "AT", "company": null,
                "is_default_billing": true, "vat_id": "ATU1"
            }),
            "customer_address.info" => missing(102),
            other => panic!("{other}"),
        }
    }

    fn walk(&mut self, feed: &Feed) -> Walk {
        walk(&Magento1, &larch(), feed, |request| self.answer(request))
    }
}

/// What the filter lets through, newest first: no order is promised.
fn listed(rows: &[Value], filter: &Value) -> Value {
    let (column, range) = filter.as_object().unwrap().iter().next().unwrap();
    let within = |row: &&Value| {
        let time = row[column].as_str().unwrap();
        range["from"].as_str().unwrap() <= time && time <= range["to"].as_str().unwrap()
    };
    rows.iter().rev().filter(within).cloned().collect()
}

/// A shipment's row does not name its order's id.
fn of_orders(parts: &[Value], filter: &Value) -> Value {
    let ids = filter["order_id"]["in"].as_array().unwrap();
    let parts = parts.iter().filter(|part| ids.contains(&part["order_id"]));
    parts.map(|part| json!({ "increment_id": part["increment_id"] })).collect()
}

fn second(second: i64) -> String {
    let start: Timestamp = "2026-03-14T00:00:00Z".parse().unwrap();
    Timestamp::from_second(start.as_second() + second).unwrap().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn order(number: usize, at: i64) -> Value {
    json!({
        "order_id": (180 + number).to_string(),
        "increment_id": format!("{}", 100_000_000 + number),
        "state": "new", "status": "pending", "grand_total": "27.0000", "order_currency_code": "EUR",
        "customer_email": "ann@example.com", "customer_taxvat": "ATU1", "remote_ip": "192.0.2.7", "x_forwarded_for": null,
        "created_at": second(at), "updated_at": second(at),
        "billing_address": { "firstname": "Ann", "email": "ann@example.com", "city": "Graz" },
        // What a virtual order has.
        "shipping_address": [],
        "items": [{
            "item_id": "1", "product_id": "418", "product_type": "simple", "sku": "MUG", "qty_ordered": "2.0000",
            "product_options": "a:2:{s:15:\"info_buyRequest\";a:1:{s:8:\"form_key\";s:3:\"abc\";}s:15:\"attributes_info\";\
                                a:1:{i:0;a:2:{s:5:\"label\";s:5:\"Größe\";s:5:\"value\";s:2:\"XS\";}}}".replace("s:5:\"Gr", "s:7:\"Gr"),
        }],
        "payment": { "method": "checkmo", "cc_last4": "4242", "additional_information": [] },
        "status_history": [{ "status": "pending", "created_at": second(at), "comment": "ann called" }],
    })
}

fn numbers(walk: &Walk) -> Vec<String> {
    let body = |record: &platform::Record| serde_json::from_slice::<Value>(&record.body).unwrap();
    walk.records
        .iter()
        .map(|record| body(record)["order"]["increment_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn only_a_shop_with_an_address_is_asked_and_unless_it_is_told_not_to() {
    let changes = |settings| Magento1.feeds(&connection(settings), &period(Span::Changes)).len();
    assert_eq!(changes(json!({})), 0);
    assert_eq!(changes(json!({ "shop_url": "https://larch.example" })), 2);
    assert_eq!(changes(json!({ "shop_url": "https://larch.example", "poll": false })), 0);
    let settings = json!({ "shop_url": "https://larch.example/shop", "poll": false });
    let history = Magento1.feeds(&connection(settings), &period(Span::History));
    assert!(
        history[0].request.url.starts_with("https://larch.example/shop/index.php/api/xmlrpc#created_at.")
    );
    for bad in [
        "http://larch.example",
        "https://user@larch.example",
        "https://larch.example?x=",
        "https://",
        "https://a/../b",
    ] {
        assert_eq!(changes(json!({ "shop_url": bad })), 0, "{bad}");
    }
}

#[test]
fn an_address_for_tests_and_proxies_stands_in_for_the_shop() {
    let asked = |api_url: &str| {
        let settings = json!({ "shop_url": "https://larch.example", "api_url": api_url });
        let feeds = Magento1.feeds(&connection(settings), &period(Span::History));
        feeds.into_iter().next().map(|feed| feed.request.url)
    };
    assert!(
        asked("http://127.0.0.1:8080/").unwrap().starts_with("http://127.0.0.1:8080/index.php/api/xmlrpc#")
    );
    for bad in ["ftp://127.0.0.1", "127.0.0.1", "http://a@b", "http://b?c"] {
        assert_eq!(asked(bad), None, "{bad}");
    }
}

#[test]
fn the_first_request_is_the_login_and_it_is_kept() {
    for feed in Magento1.feeds(&larch(), &period(Span::Changes)) {
        assert_eq!(call(&feed.request).0, "login");
        assert!(feed.request.keep.is_some());
    }
}

#[test]
fn a_period_without_orders_costs_a_list_for_each_window_which_widen() {
    let mut shop = Shop::default();
    let walked = shop.walk(&feed("orders", Span::Changes));
    assert_eq!(walked.records, []);
    let filters: Vec<_> = shop.calls.iter().map(|(_, filter)| filter["updated_at"].clone()).collect();
    assert_eq!(
        filters,
        [
            json!({ "from": "2026-03-14 00:00:00", "to": "2026-03-14 01:00:00" }),
            json!({ "from": "2026-03-14 01:00:01", "to": "2026-03-14 05:00:01" }),
            json!({ "from": "2026-03-14 05:00:02", "to": "2026-03-14 06:00:00" }),
        ]
    );
}

#[test]
fn a_year_of_a_small_shop_takes_few_requests() {
    let mut shop = Shop {
        orders: (0..200).map(|day| order(day, i64::try_from(day).unwrap() * 86_400)).collect(),
        ..Shop::default()
    };
    let until = "2027-03-14T00:00:00Z".parse().unwrap();
    let year = Period { span: Span::History, ..Period::changes(SINCE.parse().unwrap(), until) };
    let feed = Magento1.feeds(&larch(), &year).remove(0);
    let walked = shop.walk(&feed);
    assert_eq!(numbers(&walked).len(), 200);
    assert!(walked.requests.len() < 60, "{}", walked.requests.len());
}

#[test]
fn no_list_grows_too_large_though_days_are_busier_than_nights() {
    // 600 a day: an hour of the night has 3, one of the evening 66.
    let by_hour = [3, 3, 3, 3, 3, 6, 10, 14, 20, 24, 26, 28, 30, 28, 26, 26, 30, 36, 48, 60, 66, 60, 36, 11];
    let hours = by_hour.iter().cycle().take(24 * 3).enumerate();
    let seconds = hours.flat_map(|(hour, count)| (0..*count).map(move |n| hour * 3600 + n * 3600 / count));
    let orders = seconds.enumerate().map(|(number, at)| order(number, i64::try_from(at).unwrap())).collect();
    let mut shop = Shop { orders, ..Shop::default() };
    let until = "2026-03-17T00:00:00Z".parse().unwrap();
    let days = Period { span: Span::History, ..Period::changes(SINCE.parse().unwrap(), until) };
    let walked = shop.walk(&Magento1.feeds(&larch(), &days).remove(0));
    assert_eq!(numbers(&walked).len(), shop.orders.len());
    let lists = shop.calls.iter().filter(|(path, _)| path == "sales_order.list");
    let held = lists.map(|(_, filter)| listed(&shop.orders, filter).as_array().unwrap().len());
    let most = held.max().unwrap();
    // An order in a list is some 20 kB, and 5 MB are read.
    assert!(most < 250, "{most}");
}

#[test]
fn orders_of_many_lines_are_asked_for_fewer_at_a_time() {
    let counts = [400, 60, 60, 38, 1, 1];
    let orders = counts.iter().enumerate().map(|(number, count)| {
        let mut order = order(number, i64::try_from(number).unwrap());
        order["total_item_count"] = count.to_string().into();
        order
    });
    let mut shop = Shop { orders: orders.collect(), ..Shop::default() };
    let mut asked = Vec::new();
    let walked = walk(&Magento1, &larch(), &feed("orders", Span::Changes), |request| {
        asked.push(request.body.as_ref().unwrap().matches("sales_order.info").count());
        shop.answer(request)
    });
    assert_eq!(numbers(&walked).len(), 6);
    asked.retain(|orders| *orders > 0);
    assert_eq!(asked, [1, 1, 2, 2]);
}

#[test]
fn times_that_the_list_writes_otherwise_than_it_filters_lose_nothing() {
    let orders: Vec<_> = (0..250).map(|number| order(number, i64::try_from(number).unwrap())).collect();
    for zone in ["+01:00", "-05:00", " and more"] {
        let mut shop = Shop { orders: orders.clone(), ..Shop::default() };
        let walked = walk(&Magento1, &larch(), &feed("orders", Span::Changes), |request| {
            let is_list = request.body.as_ref().unwrap().contains("sales_order.list");
            let answer = shop.answer(request);
            if !is_list {
                return answer;
            }
            let body = String::from_utf8(answer.body).unwrap();
            let at = "<member><name>updated_at</name><value><string>2026-03-14 00:";
            let body = body
                .replace(at, &at.replace(" 00:", &format!(" 0{}:", if zone == "+01:00" { 1 } else { 5 })));
            let body = body.replace(
                "</string></value></member></struct></value>",
                &format!("{zone}</string></value></member></struct></value>"),
            );
            Fetched { body: body.into_bytes(), ..answer }
        });
        assert_eq!(numbers(&walked).iter().collect::<BTreeSet<_>>().len(), 250, "{zone}");
    }
}

#[test]
fn what_the_shop_says_names_no_secret() {
    let session = said(&json!("{secret:webhook_secret}"));
    assert_eq!(page(&session, &[]).unwrap_err(), "the login was answered without a session");
    let mut odd = order(1, 10);
    odd["increment_id"] = "{secret:webhook_secret}".into();
    let mut shop = Shop { orders: vec![odd], ..Shop::default() };
    assert_eq!(shop.walk(&feed("orders", Span::Changes)).records, []);
}

#[test]
fn several_hundred_orders_come_once_each_though_lists_have_no_pages() {
    // Bursts of more than a page in a minute, and of more than a page in one second.
    let seconds = (0..150).chain(std::iter::repeat_n(4_000, 130)).chain((0..70).map(|n| 7_000 + n * 60));
    let orders = seconds.enumerate().map(|(number, at)| order(number, at)).collect();
    let mut shop = Shop { orders, ..Shop::default() };
    for span in [Span::Changes, Span::History] {
        shop.calls.clear();
        let walked = shop.walk(&feed("orders", span));
        let numbers = numbers(&walked);
        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 350);
        assert_eq!(numbers.len(), 350);
        let infos = shop.calls.iter().filter(|(path, _)| path == "sales_order.info").count();
        assert_eq!(infos, 350);
        // One login and one list a page, 20 orders a request.
        assert!(walked.requests.len() < 45, "{}", walked.requests.len());
    }
}

#[test]
fn an_order_that_changes_between_pages_is_not_lost() {
    let orders: Vec<_> = (0..150).map(|number| order(number, i64::try_from(number).unwrap())).collect();
    let mut shop = Shop { orders, ..Shop::default() };
    let mut lists = 0;
    let walked = walk(&Magento1, &larch(), &feed("orders", Span::Changes), |request| {
        if request.body.as_ref().unwrap().contains("sales_order.list") {
            lists += 1;
            if lists == 2 {
                // One that was read, and one that was not.
                shop.orders[3]["updated_at"] = second(5_000).into();
                shop.orders[140]["updated_at"] = second(5_001).into();
            }
        }
        shop.answer(request)
    });
    let numbers = numbers(&walked);
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 150);
    assert_eq!(numbers.len(), 151, "the one that was read comes in its new state too");
    let ids: BTreeSet<_> = walked.records.iter().map(|record| &record.delivery_id).collect();
    assert_eq!(ids.len(), 151, "states have names of their own");
}

#[test]
fn an_order_comes_with_its_parts_and_its_first_and_without_what_is_nobodys_business() {
    let mut replaced = order(0, 10);
    replaced["relation_child_real_id"] = "100000000-1".into();
    let mut replacement = order(1, 20);
    replacement["increment_id"] = "100000000-1".into();
    replacement["original_increment_id"] = "100000000".into();
    let mut shop = Shop {
        orders: vec![replaced, replacement, order(2, 30)],
        shipments: vec![json!({
            "shipment_id": "21", "increment_id": "S1", "order_id": "181", "created_at": second(50),
            "items": [{ "order_item_id": "1", "qty": "2.0000" }],
            "tracks": [{ "track_number": "JJD", "title": "Post" }], "comments": [{ "comment": "at the neighbour's" }]
        })],
        memos: vec![json!({
            "creditmemo_id": "4", "increment_id": "C1", "order_id": "182", "state": "2", "grand_total": "11.0000",
            "created_at": second(60), "items": [], "comments": [{ "comment": "broken" }]
        })],
        ..Shop::default()
    };
    let late = Period::changes("2026-03-14T00:00:15Z".parse().unwrap(), UNTIL.parse().unwrap());
    let walked = shop.walk(&Magento1.feeds(&larch(), &late).remove(0));
    // A login, a list, the orders, their parts; then a login and a list for each of two empty windows.
    assert_eq!(walked.requests.len(), 8);
    assert_eq!(numbers(&walked), ["100000000-1", "100000002"]);
    let bodies: Vec<Value> =
        walked.records.iter().map(|record| serde_json::from_slice(&record.body).unwrap()).collect();
    assert_eq!(bodies[0]["first"]["increment_id"], "100000000");
    assert_eq!(bodies[0]["shipments"][0]["tracks"], json!([{ "track_number": "JJD", "title": "Post" }]));
    assert_eq!(bodies[0]["creditmemos"], json!([]));
    assert_eq!(bodies[1]["creditmemos"][0]["comments"], json!([{ "comment": "broken" }]));
    assert_eq!(
        bodies[1]["order"]["items"][0]["attributes_info"],
        json!([{ "label": "Größe", "value": "XS" }])
    );
    assert_eq!(bodies[1]["order"]["shipping_address"], Value::Null);
    for record in &walked.records {
        let text = String::from_utf8_lossy(&record.body);
        for private in ["192.0.2.7", "4242", "ATU1", "form_key", "ann called", "neighbour"] {
            assert!(!text.contains(private), "{private}");
        }
        assert_eq!(record.topic, "order");
        let (mapping, more) = conformance::read(&Magento1, &larch(), record, |_| Fetched::default());
        assert!(matches!(mapping, Mapping::Facts { dropped, .. } if dropped.is_empty()));
        assert_eq!(more, 0);
    }
}

#[test]
fn customers_come_with_their_billing_address_and_without_the_hash_of_their_password() {
    let customer = |id: &str, billing: Value| {
        json!({
            "customer_id": id, "email": "ann@example.com", "default_billing": billing, "password_hash": "80f8:x",
            "rp_token": "t0ken", "created_at": second(5), "updated_at": second(5)
        })
    };
    let mut shop = Shop {
        customers: vec![customer("1", json!("92")), customer("2", json!(null)), customer("3", json!("93"))],
        ..Shop::default()
    };
    let walked = shop.walk(&feed("customers", Span::Changes));
    let bodies: Vec<Value> =
        walked.records.iter().map(|record| serde_json::from_slice(&record.body).unwrap()).collect();
    assert_eq!(
        bodies.iter().map(|body| &body["customer"]["customer_id"]).collect::<Vec<_>>(),
        ["3", "2", "1"]
    );
    assert_eq!(bodies[2]["address"]["city"], "Graz");
    assert_eq!((&bodies[0]["address"], &bodies[1]["address"]), (&Value::Null, &Value::Null));
    let text = bodies.iter().map(Value::to_string).collect::<String>();
    assert!(!text.contains("80f8") && !text.contains("t0ken") && !text.contains("ATU1"));
}

#[test]
fn a_session_that_is_over_is_renewed_within_the_page() {
    let mut shop = Shop { orders: vec![order(1, 10)], logins: 6, valid_from: 8, ..Shop::default() };
    // The login of the page is an old one.
    let walked = shop.walk(&feed("orders", Span::Changes));
    assert_eq!(numbers(&walked), ["100000001"]);
    // And between two rounds.
    let mut shop = Shop { orders: vec![order(1, 10)], ..Shop::default() };
    let mut asked = 0;
    let walked = walk(&Magento1, &larch(), &feed("orders", Span::Changes), |request| {
        asked += 1;
        shop.valid_from = if asked == 3 { 2 } else { shop.valid_from };
        shop.answer(request)
    });
    assert_eq!(numbers(&walked), ["100000001"]);
}

fn page(login: &Fetched, joined: &[Fetched]) -> Result<Page, String> {
    Magento1.page(&larch(), &feed("orders", Span::Changes), login, joined)
}

#[test]
fn what_the_shop_refuses_is_an_error_that_says_no_content() {
    let session = said(&json!("s"));
    let reasons = [
        page(&fault(2), &[fault(2)]),
        page(&session, &[fault(5), session.clone(), fault(5)]),
        page(&session, &[fault(1)]),
        page(&session, &[said(&json!([]))]),
        page(
            &session,
            &[said(&json!([{ "isFault": true, "faultCode": 2, "faultMessage": "ann@example.com" }]))],
        ),
        page(&session, &[said(&json!(["no list"]))]),
        page(&Fetched { status: 404, ..Fetched::default() }, &[]),
        page(&answer("<html>ann@example.com".to_owned()), &[]),
        page(&said(&json!([])), &[]),
        page(&session, &[answer(String::new())]),
    ]
    .map(Result::unwrap_err);
    assert_eq!(reasons[0], "the shop refuses the login (fault 2)");
    assert_eq!(reasons[4], "the shop refuses sales_order.list (fault 2)");
    for reason in reasons {
        assert!(!reason.contains("ann"), "{reason}");
    }
}

#[test]
fn an_order_that_is_gone_and_a_version_without_credit_memos_are_no_errors() {
    let mut shop = Shop {
        orders: vec![order(1, 10), order(2, 20)],
        refused: Some(("sales_order_creditmemo.list", 3)),
        ..Shop::default()
    };
    assert_eq!(numbers(&shop.walk(&feed("orders", Span::Changes))), ["100000001", "100000002"]);
    let mut shop = Shop { refused: Some(("sales_order.info", 100)), ..shop };
    assert_eq!(shop.walk(&feed("orders", Span::Changes)).records, []);
}

#[test]
fn a_request_without_a_window_is_an_error() {
    for fragment in
        ["", "#", "#updated_at.1.2", "#status.1.2.3600", "#updated_at.1.2.0", "#updated_at.1.2.3600.4"]
    {
        let request =
            ApiRequest { url: format!("https://larch.example/{fragment}"), ..ApiRequest::default() };
        let feed = Feed { name: "orders", request };
        assert!(Magento1.page(&larch(), &feed, &said(&json!("s")), &[]).is_err(), "{fragment}");
    }
    let other = Feed { name: "carts", request: feed("orders", Span::Changes).request };
    assert!(Magento1.page(&larch(), &other, &said(&json!("s")), &[]).is_err());
}
