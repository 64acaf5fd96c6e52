//! What a shop is asked for: requests, pages, joins, and a whole shop in memory that is read to its end.

use std::collections::{BTreeMap, BTreeSet};

use platform::{
    ApiRequest, Authorization, Connection, Delivery, Feed, Fetched, Mapping, Page, Period, Platform, Record,
};
use prestashop::Prestashop;
use serde_json::{Map, Value, json};

const SINCE: &str = "2026-03-14T09:00:00Z";
const UNTIL: &str = "2026-03-14T10:00:00Z";
const PARIS: &str = r#"{"configurations": [
    {"id": 1, "name": "PS_TIMEZONE", "value": "Europe/Paris"},
    {"id": 2, "name": "PS_OS_CANCELED", "value": "6"},
    {"id": 3, "name": "PS_LANG_DEFAULT", "value": "2"}]}"#;

fn connection(settings: Value) -> Connection {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    Connection { id: "conn-1".to_owned(), platform: "prestashop".to_owned(), settings }
}

fn larch() -> Connection {
    connection(json!({ "shop_url": "https://larch.example/" }))
}

fn changes() -> Period {
    Period::changes(SINCE.parse().unwrap(), UNTIL.parse().unwrap())
}

fn history() -> Period {
    Period::history(SINCE.parse().unwrap(), UNTIL.parse().unwrap())
}

fn answer(body: impl AsRef<str>) -> Fetched {
    Fetched { status: 200, body: body.as_ref().as_bytes().to_vec(), ..Fetched::default() }
}

fn feed(connection: &Connection, period: &Period, name: &str) -> Feed {
    Prestashop.feeds(connection, period).into_iter().find(|feed| feed.name == name).unwrap()
}

/// The feed after the shop's configuration was read.
fn listed(connection: &Connection, period: &Period, name: &str, configuration: &str) -> Feed {
    let feed = feed(connection, period, name);
    let page = Prestashop.page(connection, &feed, &answer(configuration), &[]).unwrap();
    assert_eq!((&page.records, &page.joins, &page.mark), (&vec![], &vec![], &None));
    Feed { name: feed.name, request: page.next.unwrap() }
}

fn names(feeds: Vec<Feed>) -> Vec<&'static str> {
    feeds.into_iter().map(|feed| feed.name).collect()
}

#[test]
fn only_a_shop_with_an_address_is_asked_and_only_if_it_wants_to_be() {
    let all = ["products", "customers", "subscribers", "carts", "orders", "refunds"];
    assert_eq!(names(Prestashop.feeds(&larch(), &changes())), all);
    let off = connection(json!({ "shop_url": "https://larch.example", "poll": false }));
    assert_eq!(names(Prestashop.feeds(&off, &changes())), [""; 0]);
    let history_of = ["products", "customers", "carts", "orders"];
    assert_eq!(names(Prestashop.feeds(&off, &history())), history_of);
    let without_carts = connection(json!({ "shop_url": "https://larch.example", "poll_carts": false }));
    assert!(!names(Prestashop.feeds(&without_carts, &history())).contains(&"carts"));
    for bad in [
        json!({}),
        json!({ "shop_url": "" }),
        json!({ "shop_url": "http://larch.example" }),
        json!({ "shop_url": "https://user@larch.example" }),
        json!({ "shop_url": "https://larch.example/?x=" }),
        json!({ "shop_url": "https://larch.example/#x" }),
        json!({ "shop_url": "https://" }),
        json!({ "shop_url": "https://a/../b" }),
    ] {
        assert_eq!(Prestashop.feeds(&connection(bad.clone()), &changes()), [], "{bad}");
    }
}

#[test]
fn an_address_for_tests_and_proxies_stands_in_for_the_shop() {
    let asked = |api_url: &str| {
        let settings = json!({ "shop_url": "https://larch.example", "api_url": api_url });
        let feeds = Prestashop.feeds(&connection(settings), &history());
        feeds.into_iter().next().map(|feed| feed.request.url)
    };
    assert!(
        asked("http://127.0.0.1:8080/").unwrap().starts_with("http://127.0.0.1:8080/api/configurations?")
    );
    for bad in ["ftp://127.0.0.1", "127.0.0.1", "http://a@b", "http://b?c"] {
        assert_eq!(asked(bad), None, "{bad}");
    }
}

#[test]
fn every_feed_begins_with_the_configuration_which_is_kept() {
    for feed in Prestashop.feeds(&larch(), &changes()) {
        let (sent, _) = feed.request.url.split_once('#').unwrap();
        assert_eq!(
            sent,
            "https://larch.example/api/configurations?output_format=JSON&display=full\
             &filter[name]=[PS_OS_CANCELED%7CPS_OS_REFUND%7CPS_OS_ERROR%7CPS_TIMEZONE%7CPS_LANG_DEFAULT]"
        );
        assert!(feed.request.keep.is_some() && feed.request.pace.is_some());
        let basic =
            Authorization::Basic { user: "{secret:webservice_key}".to_owned(), password: String::new() };
        assert_eq!(feed.request.authorization, basic);
    }
}

#[test]
fn the_key_is_in_the_address_where_the_header_does_not_arrive() {
    let connection = connection(json!({ "shop_url": "https://larch.example", "key_in_address": true }));
    let feed = listed(&connection, &changes(), "orders", PARIS);
    let front =
        "https://larch.example/api/orders?output_format=JSON&ws_key={secret:webservice_key}&display=full";
    assert!(feed.request.url.starts_with(front), "{}", feed.request.url);
    assert_eq!(feed.request.authorization, Authorization::Headers);
}

#[test]
fn periods_are_asked_for_in_the_shops_local_time() {
    let feed = listed(&larch(), &changes(), "refunds", PARIS);
    assert_eq!(
        feed.request.url,
        "https://larch.example/api/order_slip?output_format=JSON&display=[id,id_order]&date=1\
         &filter[date_upd]=[2026-03-14%2010:00:00,2026-03-14%2011:00:00]&sort=[id_ASC]&limit=100&filter[id]=%3E[0]"
    );
    assert!(feed.request.keep.is_none());
    for (settings, configuration, expected) in [
        (json!({}), "[]", "[2026-03-14%2009:00:00,2026-03-14%2010:00:00]"),
        (json!({ "time_zone": "Asia/Tokyo" }), PARIS, "[2026-03-14%2018:00:00,2026-03-14%2019:00:00]"),
    ] {
        let mut connection = connection(settings);
        connection.settings.insert("shop_url".to_owned(), "https://larch.example".into());
        let feed = listed(&connection, &changes(), "orders", configuration);
        assert!(feed.request.url.contains(expected), "{}", feed.request.url);
    }
}

#[test]
fn the_night_clocks_are_turned_is_asked_for_as_a_whole() {
    // 02:50 in summer time until 02:10 in winter time.
    let period =
        Period::changes("2026-10-25T00:50:00Z".parse().unwrap(), "2026-10-25T01:10:00Z".parse().unwrap());
    let feed = listed(&larch(), &period, "orders", PARIS);
    assert!(
        feed.request.url.contains("[2026-10-25%2001:50:00,2026-10-25%2003:10:00]"),
        "{}",
        feed.request.url
    );
}

#[test]
fn each_list_is_asked_for_by_its_own_time() {
    for (name, changed, made) in [
        ("orders", "filter[date_upd]", Some("filter[date_add]")),
        ("carts", "filter[date_upd]", Some("filter[date_add]")),
        ("customers", "filter[date_upd]", Some("filter[date_add]")),
        ("products", "filter[date_upd]", Some("filter[date_add]")),
        ("subscribers", "filter[newsletter_date_add]", None),
        ("refunds", "filter[date_upd]", None),
    ] {
        assert!(listed(&larch(), &changes(), name, PARIS).request.url.contains(changed), "{name}");
        if let Some(made) = made {
            assert!(listed(&larch(), &history(), name, PARIS).request.url.contains(made), "{name}");
        }
    }
    let carts = listed(&larch(), &changes(), "carts", PARIS);
    assert!(carts.request.url.contains("filter[id_customer]=%3E[0]"), "carts of nobody are not asked for");
    let customers = listed(&larch(), &changes(), "customers", PARIS);
    for secret in ["passwd", "secure_key", "full", "ip_registration"] {
        assert!(!customers.request.url.contains(secret), "{secret}");
    }
}

#[test]
fn an_unknown_zone_is_an_error_until_the_setting_names_one() {
    let mars = r#"[{"id": 1, "name": "PS_TIMEZONE", "value": "Mars/Olympus"}]"#;
    let feed = feed(&larch(), &changes(), "orders");
    assert!(Prestashop.page(&larch(), &feed, &answer(mars), &[]).unwrap_err().contains("time_zone"));
}

#[test]
fn the_installations_configuration_counts_before_that_of_one_of_its_shops() {
    let shops = r#"{"configurations": [
        {"id": 9, "name": "PS_TIMEZONE", "value": "Asia/Tokyo", "id_shop": "2", "id_shop_group": "1"},
        {"id": 1, "name": "PS_TIMEZONE", "value": "Europe/Paris", "id_shop": "", "id_shop_group": ""}]}"#;
    assert!(listed(&larch(), &changes(), "orders", shops).request.url.contains("[2026-03-14%2010:00:00,"));
}

#[test]
fn answers_come_in_several_shapes() {
    let feed = listed(&larch(), &changes(), "customers", PARIS);
    let joined = [answer(PARIS)];
    let count =
        |body: &str| Prestashop.page(&larch(), &feed, &answer(body), &joined).map(|page| page.records.len());
    assert_eq!(count("[]"), Ok(0));
    assert_eq!(count("{}"), Ok(0));
    assert_eq!(count(r#"{"customers": []}"#), Ok(0));
    assert_eq!(count(r#"{"customers": null}"#), Ok(0));
    assert_eq!(count(r#"{"customers": [{"id": 1}, {"id": "2"}, "x", {"id": "0"}, {}]}"#), Ok(2));
    assert_eq!(count(r#"{"customer": {"id": 1}}"#), Ok(1));
    for bad in
        [r#"{"errors": [{"code": 32, "message": "x"}]}"#, "<prestashop/>", "3", r#"{"customers": 3}"#, ""]
    {
        assert!(count(bad).is_err(), "{bad}");
    }
    for status in [400, 404, 405, 500] {
        let refused = Fetched { status, ..answer("[]") };
        assert!(Prestashop.page(&larch(), &feed, &refused, &[]).is_err(), "{status}");
    }
}

#[test]
fn a_page_that_does_not_go_on_is_an_error() {
    let mut feed = listed(&larch(), &changes(), "customers", PARIS);
    feed.request.url = feed.request.url.replace("%3E[0]", "%3E[200]");
    let rows: Vec<Value> = (101..=200).map(|id| json!({ "id": id })).collect();
    let body = json!({ "customers": rows }).to_string();
    assert!(Prestashop.page(&larch(), &feed, &answer(body), &[answer(PARIS)]).is_err());
    let stranger = Feed { name: "invoices", ..feed.clone() };
    assert!(Prestashop.page(&larch(), &stranger, &answer("[]"), &[]).is_err());
    assert!(Prestashop.page(&connection(json!({})), &feed, &answer("[]"), &[]).is_err());
}

#[test]
fn a_join_that_is_refused_names_its_resource() {
    let feed = listed(&larch(), &changes(), "orders", PARIS);
    let orders = answer(r#"{"orders": [{"id": 1, "id_customer": "3"}]}"#);
    let joins = Prestashop.page(&larch(), &feed, &orders, &[]).unwrap().joins;
    let joined: Vec<Fetched> = joins
        .iter()
        .map(|join| Fetched {
            status: if join.url.contains("order_slip") { 405 } else { 200 },
            ..answer("[]")
        })
        .collect();
    let error = Prestashop.page(&larch(), &feed, &orders, &joined).unwrap_err();
    assert_eq!(error, "order_slip: answered with status 405");
}

/// A shop's database, and what it was asked.
struct Shop {
    tables: BTreeMap<&'static str, Vec<Map<String, Value>>>,
    asked: Vec<String>,
    /// Answers that the process keeps.
    kept: BTreeMap<String, Fetched>,
}

fn row(value: Value) -> Map<String, Value> {
    let Value::Object(row) = value else { panic!("a row is an object") };
    row
}

fn minute(number: usize) -> String {
    format!("2026-03-14 10:{:02}:{:02}", number / 60 % 60, number % 60)
}

impl Shop {
    /// A shop whose orders all were made within the hour, many in the same second.
    fn new(orders: usize) -> Self {
        let mut tables: BTreeMap<&'static str, Vec<_>> = BTreeMap::new();
        let mut add = |table, value| tables.entry(table).or_default().push(row(value));
        for (id, (name, value)) in [
            ("PS_TIMEZONE", "Europe/Paris"),
            ("PS_OS_CANCELED", "6"),
            ("PS_OS_REFUND", "7"),
            ("PS_OS_ERROR", "8"),
            ("PS_LANG_DEFAULT", "2"),
            ("PS_SHOP_EMAIL", "shop@example.com"),
        ]
        .into_iter()
        .enumerate()
        {
            add("configurations", json!({ "id": id + 1, "name": name, "value": value }));
        }
        add("currencies", json!({ "id": 1, "iso_code": "EUR" }));
        add("countries", json!({ "id": 8, "iso_code": "FR" }));
        add("states", json!({ "id": 9, "iso_code": "FL", "name": "Florida" }));
        add("carriers", json!({ "id": 4, "name": "Larch Express" }));
        let kitchen = json!([{ "id": "1", "value": "Cuisine" }, { "id": "2", "value": "Kitchen" }]);
        add("categories", json!({ "id": 5, "name": kitchen }));
        for (id, shipped) in [(2, "0"), (4, "1"), (6, "0")] {
            add("order_states", json!({ "id": id, "shipped": shipped }));
        }
        add("cart_rules", json!({ "id": 3, "code": "SPRING5" }));
        for id in 1..=orders {
            let at = minute(id / 3);
            let (customer, product) = (id % 40 + 1, id % 70 + 1);
            add(
                "orders",
                json!({
                    "id": id, "reference": format!("REF{id}"), "id_customer": customer.to_string(), "id_cart": id.to_string(),
                    "id_currency": "1", "id_address_invoice": customer.to_string(), "id_address_delivery": customer.to_string(),
                    "current_state": "4", "date_add": at, "date_upd": at, "total_paid_tax_incl": "20.000000",
                    "total_paid_real": "20.000000", "id_shop": "1", "secure_key": "0123456789abcdef", "gift_message": "hello",
                    "associations": { "order_rows": [{
                        "id": (id * 10).to_string(), "product_id": product.to_string(), "product_attribute_id": "0",
                        "product_quantity": "1", "product_name": "Mug", "unit_price_tax_incl": "20.000000"
                    }]}
                }),
            );
            add(
                "order_histories",
                json!({ "id": id * 2, "id_order": id.to_string(), "id_order_state": "2", "date_add": at }),
            );
            add(
                "order_histories",
                json!({ "id": id * 2 + 1, "id_order": id.to_string(), "id_order_state": "4", "date_add": at }),
            );
            add(
                "order_carriers",
                json!({ "id": id, "id_order": id.to_string(), "id_carrier": "4", "tracking_number": "T", "date_add": at }),
            );
            if id % 10 == 0 {
                add(
                    "order_slip",
                    json!({ "id": id, "id_order": id.to_string(), "amount": "5.000000", "date_add": at, "date_upd": at }),
                );
                add(
                    "order_cart_rules",
                    json!({ "id": id, "id_order": id.to_string(), "id_cart_rule": "3", "name": "Spring" }),
                );
            }
            let rows = json!({ "cart_rows": [{ "id_product": product.to_string(), "id_product_attribute": "0", "quantity": "1" }] });
            add(
                "carts",
                json!({ "id": id, "id_customer": customer.to_string(), "date_add": at, "date_upd": at,
                "secure_key": "0123456789abcdef", "associations": rows }),
            );
        }
        for id in 1..=40 {
            add(
                "customers",
                json!({ "id": id, "email": format!("buyer{id}@example.com"), "firstname": "Ann", "lastname": "Holm",
                "newsletter": "1", "newsletter_date_add": minute(id), "is_guest": "0", "deleted": "0",
                "date_add": minute(id), "date_upd": minute(id), "passwd": "$2y$10$secret", "secure_key": "0123456789abcdef" }),
            );
            add(
                "addresses",
                json!({ "id": id, "id_customer": id.to_string(), "id_country": "8", "id_state": "0", "firstname": "Ann",
                "lastname": "Holm", "address1": "4 Quai des Lins", "city": "Lyon", "dni": "1234567890" }),
            );
        }
        for id in 1..=70 {
            let name = json!([{ "id": "1", "value": "Tasse" }, { "id": "2", "value": "Mug" }]);
            add(
                "products",
                json!({ "id": id, "name": name, "reference": "MUG", "manufacturer_name": false, "price_with_tax": "20.000000",
                "id_category_default": "5", "id_default_image": "7", "active": "1", "date_add": minute(id), "date_upd": minute(id) }),
            );
        }
        add(
            "combinations",
            json!({ "id": 500, "id_product": "3", "reference": "MUG-B", "price_with_tax": "18.000000" }),
        );
        Self { tables, asked: Vec::new(), kept: BTreeMap::new() }
    }

    fn answer(&mut self, request: &ApiRequest) -> Fetched {
        let url = request.url.split('#').next().unwrap().to_owned();
        assert!(url.len() < 4_000, "an address of {} characters", url.len());
        if let Some(kept) = self.kept.get(&url).filter(|_| request.keep.is_some()) {
            return kept.clone();
        }
        self.asked.push(url.clone());
        let (resource, query) =
            url.strip_prefix("https://larch.example/api/").unwrap().split_once('?').unwrap();
        let mut rows = self.tables.get(resource).cloned().unwrap_or_default();
        let (mut limit, mut dates) = (usize::MAX, false);
        let mut display = BTreeSet::new();
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap();
            match name {
                "output_format" => assert_eq!(value, "JSON"),
                "display" if value == "full" => {}
                "display" => display.extend(value.trim_matches(['[', ']']).split(',')),
                "limit" => limit = value.parse().unwrap(),
                "sort" => assert_eq!(value, "[id_ASC]"),
                "date" => dates = value == "1",
                "price[price_with_tax][use_tax]" => assert_eq!(value, "1"),
                _ => {
                    let field = name.strip_prefix("filter[").unwrap().strip_suffix(']').unwrap();
                    assert!(dates || !field.starts_with("date_"), "dates need date=1");
                    let value = value.replace("%20", " ").replace("%7C", "|");
                    rows.retain(|row| fits(row.get(field).unwrap_or(&Value::Null), &value));
                }
            }
        }
        rows.sort_by_key(|row| row["id"].as_u64());
        rows.truncate(limit);
        if !display.is_empty() {
            for row in &mut rows {
                row.retain(|name, _| display.contains(name.as_str()));
            }
        }
        let body = if rows.is_empty() { json!([]) } else { json!({ resource: rows }) };
        let fetched = answer(body.to_string());
        if request.keep.is_some() {
            self.kept.insert(url, fetched.clone());
        }
        fetched
    }
}

fn fits(value: &Value, filter: &str) -> bool {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(than) = filter.strip_prefix("%3E[") {
        return text.parse::<u64>().unwrap() > than.trim_end_matches(']').parse().unwrap();
    }
    let inner = filter.strip_prefix('[').unwrap().strip_suffix(']').unwrap();
    match inner.split_once(',') {
        Some((from, to)) => *from <= *text && *text <= *to,
        None => inner.split('|').any(|one| one == text),
    }
}

/// Reads a feed to its end as the poller does; between two pages something may happen in the shop.
fn read(shop: &mut Shop, period: &Period, name: &str, mut meanwhile: impl FnMut(&mut Shop)) -> Vec<Record> {
    let (connection, mut feed) = (larch(), feed(&larch(), period, name));
    let mut records = Vec::new();
    loop {
        let fetched = shop.answer(&feed.request);
        let mut joined = Vec::new();
        let page: Page = loop {
            let page = Prestashop.page(&connection, &feed, &fetched, &joined).unwrap();
            if page.joins.is_empty() {
                break page;
            }
            assert!(page.records.is_empty() && page.next.is_none());
            joined.extend(page.joins.iter().map(|join| shop.answer(join)));
        };
        records.extend(page.records);
        match page.next {
            Some(next) => feed.request = next,
            None => return records,
        }
        meanwhile(shop);
    }
}

fn ids(records: &[Record]) -> Vec<u64> {
    let id = |record: &Record| record.delivery_id.split(':').nth(1).unwrap().parse().unwrap();
    records.iter().map(id).collect()
}

fn facts(record: &Record) -> Value {
    let delivery = Delivery {
        platform: "prestashop".to_owned(),
        connection: "conn-1".to_owned(),
        topic: record.topic.clone(),
        delivery_id: record.delivery_id.clone(),
        received_at: UNTIL.parse().unwrap(),
        headers: record.headers.clone(),
        backfill: false,
        body: record.body.clone(),
    };
    match Prestashop.facts(&delivery, &larch(), &[]) {
        Mapping::Facts { facts, dropped } => {
            assert!(dropped.is_empty(), "{dropped:?}");
            serde_json::to_value(facts).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_shop_of_hundreds_of_orders_is_read_to_the_end_each_order_once_in_few_requests() {
    for period in [changes(), history()] {
        let mut shop = Shop::new(350);
        let records = read(&mut shop, &period, "orders", |_| {});
        assert_eq!(ids(&records), (1..=350).collect::<Vec<_>>());
        // 1 configuration and 6 lists that are kept; per page of 100 the page, 7 joins by id and the codes.
        assert_eq!(shop.asked.len(), 7 + 4 * 9, "{:#?}", shop.asked);
    }
}

#[test]
fn an_order_that_changes_between_pages_moves_no_other_one_out_of_sight() {
    let mut shop = Shop::new(350);
    let mut turn = 0;
    let records = read(&mut shop, &changes(), "orders", |shop| {
        turn += 1;
        // One that was read and one that was not leave the period.
        for id in [turn * 10, 340 - turn * 10] {
            shop.tables.get_mut("orders").unwrap()[id - 1]["date_upd"] = "2026-03-14 11:30:00".into();
        }
    });
    let later = Period::changes(UNTIL.parse().unwrap(), "2026-03-14T11:00:00Z".parse().unwrap());
    let seen: BTreeSet<u64> =
        ids(&records).into_iter().chain(ids(&read(&mut shop, &later, "orders", |_| {}))).collect();
    assert_eq!(seen.len(), 350);
    assert_eq!(ids(&records).len(), ids(&records).into_iter().collect::<BTreeSet<_>>().len());
}

#[test]
fn a_polled_order_has_everything_and_no_secret() {
    let mut shop = Shop::new(12);
    let records = read(&mut shop, &changes(), "orders", |_| {});
    for record in &records {
        let body = std::str::from_utf8(&record.body).unwrap();
        for secret in ["secure_key", "passwd", "gift_message", "dni", "0123456789abcdef", "shop@example.com"]
        {
            assert!(!body.contains(secret), "{secret}");
        }
    }
    let order = &facts(&records[9])[0];
    assert_eq!(order["person"]["email"], "buyer11@example.com");
    assert_eq!(order["placed_at"], "2026-03-14T10:00:03+01:00");
    assert_eq!(order["detail"]["total"], json!({ "amount": "20", "currency": "EUR" }));
    assert_eq!(order["detail"]["discount_codes"], json!(["SPRING5"]));
    assert_eq!(order["detail"]["billing_address"]["CountryCode"], "FR");
    assert_eq!(order["detail"]["lines"][0]["categories"], json!(["Kitchen"]));
    assert_eq!(order["detail"]["lines"][0]["image_url"], "https://larch.example/img/p/7/7.jpg");
    assert_eq!(order["shipments"][0]["company"], "Larch Express");
    assert_eq!(order["refunds"][0]["refund_id"], "10");
}

#[test]
fn a_slip_brings_its_order() {
    let mut shop = Shop::new(30);
    for order in shop.tables.get_mut("orders").unwrap() {
        order["date_upd"] = "2026-03-01 10:00:00".into();
    }
    let records = read(&mut shop, &changes(), "refunds", |_| {});
    assert_eq!(ids(&records), [10, 20, 30]);
    assert!(records.iter().all(|record| record.topic == "order"));
    // The order that comes by both ways is one delivery.
    shop.tables.get_mut("orders").unwrap()[9]["date_upd"] = "2026-03-14 10:30:00".into();
    let both =
        [read(&mut shop, &changes(), "orders", |_| {}), read(&mut shop, &changes(), "refunds", |_| {})];
    assert_eq!(both[0][0].delivery_id, both[1][0].delivery_id);
    shop.tables.get_mut("orders").unwrap().clear();
    assert_eq!(read(&mut shop, &changes(), "refunds", |_| {}), []);
}

#[test]
fn carts_that_became_orders_are_left_out() {
    let mut shop = Shop::new(150);
    shop.tables.get_mut("orders").unwrap().retain(|order| order["id"].as_u64().unwrap() % 2 == 0);
    let records = read(&mut shop, &changes(), "carts", |_| {});
    assert_eq!(ids(&records), (1..=150).step_by(2).collect::<Vec<_>>());
    assert_eq!(shop.asked.len(), 2 + 2 * 4);
    let checkout = &facts(&records[0])[0];
    assert_eq!(checkout["fact"], "checkout");
    assert_eq!(checkout["person"]["email"], "buyer2@example.com");
    assert_eq!(checkout["lines"][0]["name"], "Mug");
    assert!(!std::str::from_utf8(&records[0].body).unwrap().contains("secure_key"));
}

#[test]
fn of_carts_that_became_orders_neither_buyers_nor_products_are_asked_for() {
    let mut shop = Shop::new(150);
    assert_eq!(read(&mut shop, &history(), "carts", |_| {}), []);
    // The configuration and the categories, which are kept; of each page the carts and their orders.
    assert_eq!(shop.asked.len(), 2 + 2 * 2);
}

#[test]
fn customers_and_subscribers_come_without_further_requests() {
    for name in ["customers", "subscribers"] {
        let mut shop = Shop::new(1);
        let records = read(&mut shop, &changes(), name, |_| {});
        assert_eq!((records.len(), shop.asked.len()), (40, 2));
        let facts = facts(&records[0]);
        assert_eq!(facts[0]["person"]["email"], "buyer1@example.com");
        assert_eq!(facts[1]["at"], "2026-03-14T10:00:01+01:00");
    }
}

#[test]
fn products_are_read_in_the_shops_own_language() {
    let mut shop = Shop::new(1);
    let records = read(&mut shop, &changes(), "products", |_| {});
    assert_eq!((records.len(), shop.asked.len()), (70, 4));
    let item = &facts(&records[2])[0];
    assert_eq!((&item["title"], &item["categories"]), (&json!("Mug"), &json!(["Kitchen"])));
    assert_eq!(item["price"], "18");
    assert_eq!(item["variants"][0]["variant_id"], "500");
}

#[test]
fn a_quiet_shop_costs_one_request_per_list() {
    let mut shop = Shop::new(0);
    for table in shop.tables.values_mut() {
        for row in table {
            for date in ["date_add", "date_upd", "newsletter_date_add"] {
                row.insert(date.to_owned(), "2020-01-01 00:00:00".into());
            }
        }
    }
    for name in ["products", "customers", "subscribers", "carts", "orders", "refunds"] {
        assert_eq!(read(&mut shop, &changes(), name, |_| {}), []);
    }
    assert_eq!(shop.asked.len(), 1 + 6);
}

#[test]
fn many_ids_are_asked_for_in_several_requests() {
    let feed = listed(&larch(), &changes(), "orders", PARIS);
    let rows: Vec<Value> =
        (1..=450).map(|id| json!({ "id": id.to_string(), "product_id": id.to_string() })).collect();
    let order = json!({ "orders": [{ "id": 1, "associations": { "order_rows": rows } }] });
    let page = Prestashop.page(&larch(), &feed, &answer(order.to_string()), &[]).unwrap();
    let of_products = page.joins.iter().filter(|join| join.url.contains("/api/products?")).count();
    assert_eq!(of_products, 3);
}
