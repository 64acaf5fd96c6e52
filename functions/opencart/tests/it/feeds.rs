//! What the extension is asked for, and an extension in memory that is read to its end.

use std::collections::BTreeMap;

use opencart::Opencart;
use platform::{Connection, Delivery, Feed, Fetched, Mapping, Page, Period, Platform, Record};
use serde_json::{Value, json};

const SINCE: &str = "2026-03-14T09:00:00.7Z";
const UNTIL: &str = "2026-03-14T10:00:00Z";

fn connection(settings: Value) -> Connection {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    Connection { id: "conn-1".to_owned(), platform: "opencart".to_owned(), settings }
}

fn larch() -> Connection {
    connection(json!({ "shop_url": "https://larch.example/" }))
}

fn changes(mark: Option<&str>) -> Period {
    let marks = mark.map(|mark| ("orders".to_owned(), mark.to_owned()));
    Period {
        marks: marks.into_iter().collect(),
        ..Period::changes(SINCE.parse().unwrap(), UNTIL.parse().unwrap())
    }
}

fn history() -> Period {
    Period::history(SINCE.parse().unwrap(), UNTIL.parse().unwrap())
}

fn answer(body: &Value) -> Fetched {
    Fetched { status: 200, body: body.to_string().into_bytes(), ..Fetched::default() }
}

fn feed(period: &Period, name: &str) -> Feed {
    Opencart.feeds(&larch(), period).into_iter().find(|feed| feed.name == name).unwrap()
}

fn page(feed: &Feed, body: &Value) -> Result<Page, String> {
    Opencart.page(&larch(), feed, &answer(body), &[])
}

#[test]
fn only_a_shop_with_an_address_is_asked_and_only_if_it_wants_to_be() {
    let names = |connection: &Connection, period: &Period| {
        Opencart.feeds(connection, period).into_iter().map(|feed| feed.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&larch(), &changes(None)), ["products", "customers", "checkouts", "orders"]);
    let off = connection(json!({ "shop_url": "https://larch.example", "poll": false }));
    assert_eq!(names(&off, &changes(None)), [""; 0]);
    assert_eq!(names(&off, &history()), ["products", "customers", "orders"]);
    for bad in [
        "",
        "http://larch.example",
        "https://a@b.example",
        "https://a.example/?x",
        "https://",
        "https://a/../b",
    ] {
        assert_eq!(names(&connection(json!({ "shop_url": bad })), &changes(None)), [""; 0], "{bad}");
    }
}

#[test]
fn an_address_for_tests_and_proxies_stands_in_for_the_shop() {
    let asked = |api_url: &str| {
        let settings = json!({ "shop_url": "https://larch.example", "api_url": api_url });
        let feeds = Opencart.feeds(&connection(settings), &history());
        feeds.into_iter().next().map(|feed| feed.request.url)
    };
    assert!(asked("http://127.0.0.1:8080/").unwrap().starts_with("http://127.0.0.1:8080/index.php?route="));
    for bad in ["ftp://127.0.0.1", "127.0.0.1", "http://a@b", "http://b?c"] {
        assert_eq!(asked(bad), None, "{bad}");
    }
}

#[test]
fn orders_are_asked_for_by_their_history_from_the_mark_on() {
    let first = feed(&changes(None), "orders").request;
    let front = "https://larch.example/index.php?route=extension/tillstream/feed";
    assert_eq!(
        first.url,
        format!("{front}&list=changes&span=changes&limit=100&since=1773478800&after_history_id=0")
    );
    let token = ("x-tillstream-token".to_owned(), "{secret:feed_token}".to_owned());
    assert!(first.headers.contains(&token));
    let marked = feed(&changes(Some("841")), "orders").request;
    assert_eq!(marked.url, format!("{front}&list=changes&span=changes&limit=100&after_history_id=841"));
    let checkouts = feed(&changes(Some("841")), "checkouts").request;
    let query = "&list=checkouts&span=changes&limit=100&since=1773478800&until=1773482400&after_order_id=0";
    assert_eq!(checkouts.url, format!("{front}{query}"));
    let nonsense = feed(&changes(Some("841&list=x")), "orders").request;
    assert_eq!(nonsense.url, first.url);
    let imported = feed(&history(), "orders").request;
    assert_eq!(
        imported.url,
        format!(
            "{front}&list=orders&span=history&limit=100&since=1773478800&until=1773482400&after_order_id=0"
        )
    );
}

#[test]
fn the_mark_is_how_far_the_history_was_read() {
    let feed = feed(&changes(Some("841")), "orders");
    let empty = json!({ "time_zone": "UTC", "records": [], "last": 841, "more": false });
    assert_eq!(page(&feed, &empty), Ok(Page { mark: Some("841".to_owned()), ..Page::default() }));
    let without = json!({ "time_zone": "UTC", "records": [] });
    assert_eq!(page(&feed, &without).unwrap().mark, Some("841".to_owned()));
    let first = self::feed(&changes(None), "orders");
    assert_eq!(page(&first, &without).unwrap().mark, None);
    let customers = self::feed(&changes(None), "customers");
    let one = json!({ "time_zone": "UTC", "records": [{ "customer": { "customer_id": "7" } }], "last": "7" });
    assert_eq!(page(&customers, &one).unwrap().mark, None);
}

#[test]
fn answers_that_cannot_be_read_or_do_not_go_on_are_errors() {
    let feed = feed(&changes(Some("841")), "orders");
    for bad in [
        json!([]),
        json!({ "time_zone": "UTC" }),
        json!({ "time_zone": "UTC", "records": {} }),
        json!({ "time_zone": "UTC", "records": [], "last": 840 }),
        json!({ "time_zone": "UTC", "records": [], "last": 841, "more": true }),
        json!({ "records": [] }),
        json!({ "time_zone": "Mars/Olympus", "records": [] }),
    ] {
        assert!(page(&feed, &bad).is_err(), "{bad}");
    }
    for (status, body) in [(404, "{}"), (200, "<html>"), (200, "")] {
        let fetched = Fetched { status, body: body.as_bytes().to_vec(), ..Fetched::default() };
        assert!(Opencart.page(&larch(), &feed, &fetched, &[]).is_err(), "{status} {body}");
    }
    let named = connection(json!({ "shop_url": "https://larch.example", "time_zone": "Europe/Paris" }));
    assert!(Opencart.page(&named, &feed, &answer(&json!({ "records": [] })), &[]).is_ok());
}

#[test]
fn what_must_not_be_kept_is_taken_out_and_what_has_no_id_is_left_out() {
    let feed = feed(&changes(None), "customers");
    let body = json!({ "time_zone": "Europe/Paris", "last": 9, "records": [
        { "customer": { "customer_id": "9", "email": "ann@example.com", "password": "p", "salt": "s", "token": "t",
                        "ip": "192.0.2.1", "custom_field": "x" } },
        { "customer": { "customer_id": "0" } }, { "customer": 3 }, {}, 7
    ]});
    let records = page(&feed, &body).unwrap().records;
    assert_eq!(records.len(), 1);
    let kept: Value = serde_json::from_slice(&records[0].body).unwrap();
    assert_eq!(
        kept,
        json!({ "time_zone": "Europe/Paris", "customer": { "customer_id": "9", "email": "ann@example.com" } })
    );
    assert!(records[0].delivery_id.starts_with("customer:9:"));
}

/// The extension: orders with their history.
struct Extension {
    /// Status and number of the history's row, by order.
    orders: BTreeMap<u64, Vec<(u64, u64)>>,
    histories: u64,
    asked: usize,
}

impl Extension {
    fn new(orders: u64) -> Self {
        let mut extension = Self { orders: BTreeMap::new(), histories: 0, asked: 0 };
        for order in 1..=orders {
            // Every tenth nobody confirmed.
            extension.orders.insert(order, Vec::new());
            if order % 10 != 0 {
                extension.change(order, 1);
            }
        }
        extension
    }

    fn change(&mut self, order: u64, status: u64) {
        self.histories += 1;
        self.orders.get_mut(&order).unwrap().push((status, self.histories));
    }

    fn answer(&mut self, url: &str) -> Value {
        self.asked += 1;
        let query: BTreeMap<&str, &str> =
            url.split_once('?').unwrap().1.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
        let limit: usize = query["limit"].parse().unwrap();
        let after = |name: &str| query[name].parse::<u64>().unwrap();
        let (ids, last, more): (Vec<u64>, u64, bool) = match query["list"] {
            "changes" => {
                let after = after("after_history_id");
                let mut rows: Vec<(u64, u64)> = self
                    .orders
                    .iter()
                    .flat_map(|(order, rows)| rows.iter().map(|(_, row)| (*row, *order)))
                    .filter(|(row, _)| *row > after)
                    .collect();
                rows.sort_unstable();
                let more = rows.len() > limit;
                rows.truncate(limit);
                let mut ids: Vec<u64> = rows.iter().map(|(_, order)| *order).collect();
                ids.sort_unstable();
                ids.dedup();
                (ids, rows.last().map_or(after, |(row, _)| *row), more)
            }
            list => {
                let after = after("after_order_id");
                let unconfirmed = list == "checkouts";
                let orders = self
                    .orders
                    .iter()
                    .filter(|(order, rows)| **order > after && (!unconfirmed || rows.is_empty()));
                let mut ids: Vec<u64> = orders.map(|(order, _)| *order).collect();
                let more = ids.len() > limit;
                ids.truncate(limit);
                let last = ids.last().copied().unwrap_or(after);
                (ids, last, more)
            }
        };
        let records: Vec<Value> = ids.iter().map(|id| self.record(*id)).collect();
        json!({ "time_zone": "Europe/Paris", "currency": "EUR", "complete": ["5", "3"], "records": records, "last": last, "more": more })
    }

    fn record(&self, id: u64) -> Value {
        let rows = &self.orders[&id];
        let status = rows.last().map_or(0, |(status, _)| *status);
        let histories: Vec<Value> = rows
            .iter()
            .map(|(status, row)| json!({
                "order_history_id": row.to_string(), "order_status_id": status.to_string(), "date_added": "2026-03-14 10:20:11",
                "comment": "private"
            }))
            .collect();
        json!({
            "order": { "order_id": id.to_string(), "email": "ann@example.com", "total": "10.0000", "currency_code": "EUR",
                       "currency_value": "1.0", "order_status_id": status.to_string(), "date_added": "2026-03-14 10:18:00",
                       "ip": "192.0.2.1", "user_agent": "x", "forwarded_ip": "192.0.2.2", "comment": "private" },
            "products": [{ "order_product_id": id.to_string(), "product_id": "88", "name": "Mug", "quantity": "1",
                           "price": "10.0000", "total": "10.0000" }],
            "totals": [], "histories": histories
        })
    }
}

/// Reads a feed to its end as the poller does; between two pages something may happen in the shop.
fn read(
    extension: &mut Extension,
    mut feed: Feed,
    mut meanwhile: impl FnMut(&mut Extension),
) -> (Vec<Record>, Option<String>) {
    let (mut records, mut mark) = (Vec::new(), None);
    loop {
        let body = extension.answer(&feed.request.url);
        let page = page(&feed, &body).unwrap();
        assert!(page.joins.is_empty());
        records.extend(page.records);
        mark = page.mark.or(mark);
        match page.next {
            Some(next) => feed.request = next,
            None => return (records, mark),
        }
        meanwhile(extension);
    }
}

fn ids(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.delivery_id.split(':').nth(1).unwrap().parse().unwrap()).collect()
}

fn fact(record: &Record) -> Value {
    let delivery = Delivery {
        platform: "opencart".to_owned(),
        connection: "conn-1".to_owned(),
        topic: record.topic.clone(),
        delivery_id: record.delivery_id.clone(),
        received_at: UNTIL.parse().unwrap(),
        headers: record.headers.clone(),
        backfill: false,
        body: record.body.clone(),
    };
    match Opencart.facts(&delivery, &larch(), &[]) {
        Mapping::Facts { facts, .. } => serde_json::to_value(&facts[0]).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn hundreds_of_orders_are_read_each_once_and_then_only_what_changed() {
    let mut extension = Extension::new(350);
    let (records, mark) = read(&mut extension, feed(&changes(None), "orders"), |_| {});
    let confirmed: Vec<u64> = (1..=350).filter(|order| order % 10 != 0).collect();
    assert_eq!(ids(&records), confirmed);
    assert_eq!((mark.as_deref(), extension.asked), (Some("315"), 4));
    assert_eq!(fact(&records[0])["placed_at"], "2026-03-14T10:20:11+01:00");
    let body = std::str::from_utf8(&records[0].body).unwrap();
    for secret in ["192.0.2", "user_agent", "private"] {
        assert!(!body.contains(secret), "{secret}");
    }

    for (order, status) in [(17, 2), (3, 3), (17, 3)] {
        extension.change(order, status);
    }
    let (records, mark) = read(&mut extension, feed(&changes(mark.as_deref()), "orders"), |_| {});
    assert_eq!((ids(&records), mark.as_deref()), (vec![3, 17], Some("318")));
    let (records, again) = read(&mut extension, feed(&changes(mark.as_deref()), "orders"), |_| {});
    assert_eq!((records, again), (vec![], mark));
    assert_eq!(extension.asked, 6);
}

#[test]
fn an_order_that_changes_between_pages_is_read_again_at_the_end_and_none_is_lost() {
    let mut extension = Extension::new(350);
    let (records, mark) =
        read(&mut extension, feed(&changes(None), "orders"), |extension| extension.change(5, 2));
    let mut seen = ids(&records);
    assert_eq!(seen.iter().filter(|id| **id == 5).count(), 2);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len(), mark.as_deref()), (315, Some("318")));
}

#[test]
fn checkouts_are_those_that_nobody_confirmed() {
    let mut extension = Extension::new(350);
    let (records, mark) = read(&mut extension, feed(&changes(None), "checkouts"), |_| {});
    assert_eq!(ids(&records), (10..=350).step_by(10).collect::<Vec<_>>());
    assert_eq!((mark, extension.asked), (None, 1));
    assert_eq!(fact(&records[0])["fact"], "checkout");
}

#[test]
fn an_import_reads_all_orders_by_their_ids() {
    let mut extension = Extension::new(350);
    let (records, mark) =
        read(&mut extension, feed(&history(), "orders"), |extension| extension.change(340, 7));
    assert_eq!(ids(&records), (1..=350).collect::<Vec<_>>());
    assert_eq!((mark, extension.asked), (None, 4));
}
