//! Asking Dutchie, with a source in memory.

use std::collections::BTreeSet;
use std::time::Duration;

use conformance::{read, walk};
use dutchie::Dutchie;
use jiff::Timestamp;
use platform::{ApiRequest, Authorization, Connection, Feed, Fetched, Mapping, Page, Period, Platform};
use serde_json::{Value, json};

const SINCE: &str = "2026-03-14T09:00:00Z";
const UNTIL: &str = "2026-03-14T09:30:00Z";

fn connection(settings: Value) -> Connection {
    Connection {
        id: "conn-1".to_owned(),
        platform: "dutchie".to_owned(),
        settings: serde_json::from_value(settings).unwrap(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn changes() -> Period {
    Period::changes(at(SINCE), at(UNTIL))
}

fn feed(connection: &Connection, period: &Period, name: &str) -> Feed {
    Dutchie.feeds(connection, period).into_iter().find(|feed| feed.name == name).unwrap()
}

fn answer(body: &Value) -> Fetched {
    Fetched { status: 200, body: serde_json::to_vec(body).unwrap(), ..Fetched::default() }
}

fn names(connection: &Connection, period: &Period) -> Vec<&'static str> {
    Dutchie.feeds(connection, period).into_iter().map(|feed| feed.name).collect()
}

#[test]
fn every_location_has_its_feeds_and_its_key() {
    let one = connection(json!({}));
    assert_eq!(names(&one, &changes()), ["customers", "transactions", "products"]);
    let two = connection(json!({"locations": 2, "products": "none"}));
    assert_eq!(names(&two, &changes()), ["customers", "transactions", "customers_2", "transactions_2"]);
    let many = connection(json!({"locations": 99}));
    assert_eq!(Dutchie.feeds(&many, &changes()).len(), 30);
    let request = |name| feed(&two, &changes(), name).request;
    for (name, key) in [("transactions", "{secret:api_key}"), ("transactions_2", "{secret:api_key_2}")] {
        let Authorization::Basic { user, password } = request(name).authorization else { panic!("no key") };
        assert_eq!((user.as_str(), password.as_str()), (key, ""));
    }
    let pace = request("customers").pace.unwrap();
    assert_eq!((pace.requests, pace.per), (60, Duration::from_mins(1)));
    let integrated = connection(json!({"integrator_key": true, "requests_per_minute": 600}));
    let request = feed(&integrated, &changes(), "transactions").request;
    let Authorization::Basic { password, .. } = request.authorization else { panic!("no key") };
    assert_eq!(password, "{secret:integrator_key}");
    assert_eq!(request.pace.unwrap().requests, 600);
}

#[test]
fn polling_can_be_left_to_imports_and_needs_an_address() {
    let silent = connection(json!({"poll": false}));
    assert_eq!(names(&silent, &changes()), [] as [&str; 0]);
    assert_eq!(names(&silent, &Period::history(at(SINCE), at(UNTIL))).len(), 3);
    assert_eq!(names(&connection(json!({"api_url": "ftp://x.example"})), &changes()), [] as [&str; 0]);
}

#[test]
fn polls_ask_by_change_and_imports_by_date() {
    let one = connection(json!({}));
    let url = |period: &Period, name| feed(&one, period, name).request.url;
    assert_eq!(
        url(&changes(), "transactions"),
        "https://api.pos.dutchie.com/reporting/transactions?FromLastModifiedDateUTC=2026-03-14T09:00:00.000Z\
         &ToLastModifiedDateUTC=2026-03-14T09:30:00.000Z&IncludeDetail=true&IncludeTaxes=true\
         #since=2026-03-14T09:00:00.000Z&until=2026-03-14T09:30:00.000Z&hours=6&after=0&begin=2026-03-14T09:00:00.000Z"
    );
    assert_eq!(
        url(&changes(), "customers"),
        "https://api.pos.dutchie.com/customer/customers-paginated?fromLastModifiedDateUTC=2026-03-14T09:00:00.000Z\
         &includeAnonymous=false&PageNumber=0&PageSize=500"
    );
    assert_eq!(
        url(&changes(), "products"),
        "https://api.pos.dutchie.com/products?fromLastModifiedDateUTC=2026-03-14T09:00:00.000Z"
    );
    let history = Period::history(at(SINCE), at("2026-03-20T00:00:00Z"));
    assert_eq!(
        url(&history, "transactions"),
        "https://api.pos.dutchie.com/reporting/transactions?FromDateUTC=2026-03-14T09:00:00.000Z\
         &ToDateUTC=2026-03-14T15:00:00.000Z&IncludeDetail=true&IncludeTaxes=true\
         #since=2026-03-14T09:00:00.000Z&until=2026-03-20T00:00:00.000Z&hours=6&after=0"
    );
    assert_eq!(
        url(&history, "customers"),
        "https://api.pos.dutchie.com/customer/customers-paginated?fromLastModifiedDateUTC=2026-03-14T09:00:00.000Z\
         &toLastModifiedDateUTC=2026-03-20T00:00:00.000Z&includeAnonymous=false&PageNumber=0&PageSize=500"
    );
    let all = connection(json!({"products": "all", "api_url": "https://dutchie-proxy.example/"}));
    assert_eq!(
        feed(&all, &history, "products").request.url,
        "https://dutchie-proxy.example/reporting/products?fromLastModifiedDateUTC=2026-03-14T09:00:00.000Z"
    );
}

#[test]
fn an_empty_window_asks_for_nothing_else() {
    let one = connection(json!({}));
    for body in [json!([]), json!({"transactions": []}), json!(null)] {
        let page = Dutchie.page(&one, &feed(&one, &changes(), "transactions"), &answer(&body), &[]).unwrap();
        assert_eq!(page, Page { mark: Some("2026-03-14T09:00:00.000Z".to_owned()), ..Page::default() });
    }
    let none = Fetched { status: 204, ..Fetched::default() };
    assert_eq!(
        Dutchie.page(&one, &feed(&one, &changes(), "customers"), &none, &[]).unwrap(),
        Page::default()
    );
}

#[test]
fn what_cannot_be_read_is_asked_for_again() {
    let one = connection(json!({}));
    for name in ["transactions", "customers", "products"] {
        let feed = feed(&one, &changes(), name);
        let error = |status, body: &[u8]| {
            let answer = Fetched { status, body: body.to_vec(), ..Fetched::default() };
            Dutchie.page(&one, &feed, &answer, &[]).unwrap_err()
        };
        assert_eq!(error(400, b"[]"), "the API answered 400");
        assert_eq!(error(404, b""), "the API answered 404");
        assert_eq!(error(200, b"<html>"), "the answer is not JSON");
        assert_eq!(error(200, b"{\"a\":1}"), "the answer is not a list");
    }
    let feed = feed(&one, &changes(), "transactions");
    let rows = answer(&json!([{"transactionId": 1}]));
    let nowhere = [answer(&json!({"locationName": "?"})), answer(&json!([])), answer(&json!([]))];
    let error = Dutchie.page(&one, &feed, &rows, &nowhere).unwrap_err();
    assert_eq!(error, "whoami names no location");
    let other = Feed { name: "transactions", request: ApiRequest::get("https://x.example/") };
    assert_eq!(Dutchie.page(&one, &other, &rows, &[]).unwrap_err(), "a request that was not made here");
    let unknown = Feed { name: "receipts", ..other };
    assert_eq!(Dutchie.page(&one, &unknown, &rows, &[]).unwrap_err(), "a feed that there is not");
}

#[test]
fn records_hold_no_health_and_no_payment_data_and_pascal_case_is_read_alike() {
    let one = connection(json!({}));
    let rows = json!({"Transactions": [{
        "TransactionId": 5, "CustomerId": 7, "IsVoid": false, "Total": 12.5, "TransactionType": "Retail",
        "TransactionDate": "2026-03-14T09:10:00", "AuthCode": "SECRET-1", "IsMedical": true,
        "IntegratedPayments": [{"card": "SECRET-2"}], "CompletedByUser": "SECRET-3",
        "Items": [{"TransactionItemId": 1, "ProductId": 3, "Quantity": 1, "UnitPrice": 12.5,
                   "Discounts": [{"DiscountName": "Ten", "DiscountReason": "SECRET-4", "Amount": 1}]}],
    }]});
    let joined = [
        answer(
            &json!({"LocationName": "Main Street", "LocationId": 530_271, "CompanyName": "C", "CompanyId": 530_264}),
        ),
        answer(&json!([])),
        answer(&json!([{"ProductId": 3, "ProductName": "Papers"}])),
        answer(&json!([{"CustomerId": 7, "EmailAddress": "ada@example.com", "MmjidNumber": "SECRET-5",
                        "PrimaryQualifyingCondition": "SECRET-6", "Notes": "SECRET-7",
                        "DriversLicenseHash": "SECRET-8"}])),
    ];
    let page = Dutchie.page(&one, &feed(&one, &changes(), "transactions"), &answer(&rows), &joined).unwrap();
    let [record] = page.records.as_slice() else { panic!("{page:?}") };
    let body = String::from_utf8(record.body.clone()).unwrap();
    assert!(!body.contains("SECRET") && !body.contains("edical"), "{body}");
    let (Mapping::Facts { facts, dropped }, 0) = read(&Dutchie, &one, record, |_| panic!("asked")) else {
        panic!("no facts")
    };
    assert_eq!(dropped, [] as [&str; 0]);
    let facts = serde_json::to_value(facts).unwrap();
    assert_eq!(facts[0]["order_id"], "530271:5");
    assert_eq!(facts[0]["person"]["customer_id"], "530264:7");
    assert_eq!(facts[0]["person"]["email"], "ada@example.com");
    assert_eq!(facts[0]["detail"]["location"], "Main Street");
    assert_eq!(facts[0]["detail"]["lines"][0]["name"], "Papers");
    assert_eq!(facts[0]["detail"]["discount_codes"], json!(["Ten"]));
}

#[test]
fn a_buyer_who_was_merged_is_asked_for_in_a_second_round() {
    let one = connection(json!({"products": "none"}));
    let rows = answer(&json!([{"transactionId": 5, "customerId": 7}, {"transactionId": 6, "customerId": 8}]));
    let feed = feed(&one, &changes(), "transactions");
    let urls = |page: &Page| page.joins.iter().map(|join| join.url.clone()).collect::<Vec<_>>();
    let host = "https://api.pos.dutchie.com";
    let customer = |id: u64| format!("{host}/customer/customers?customerID={id}");
    let first = Dutchie.page(&one, &feed, &rows, &[]).unwrap();
    let list = self::feed(&one, &changes(), "customers").request;
    let listed = list.url.replace("includeAnonymous=false", "includeAnonymous=true");
    assert_eq!((urls(&first), list.keep), (vec![format!("{host}/whoami"), listed], None));
    let mut joined = vec![answer(&json!({"locationId": 1, "lspId": 2})), answer(&json!([]))];
    let page = Dutchie.page(&one, &feed, &rows, &joined).unwrap();
    assert_eq!(urls(&page), [customer(7), customer(8)]);
    assert!(first.joins.iter().chain(&page.joins).all(|join| join.keep.is_some()));
    joined.push(answer(&json!([{"customerId": 7, "mergedIntoCustomerId": 70}])));
    joined.push(Fetched { status: 404, ..Fetched::default() });
    let second = Dutchie.page(&one, &feed, &rows, &joined).unwrap();
    assert_eq!(urls(&second), [customer(70)]);
    joined.push(answer(
        &json!([{"customerId": 70, "emailAddress": "ada@example.com", "mergedIntoCustomerId": 700}]),
    ));
    let page = Dutchie.page(&one, &feed, &rows, &joined).unwrap();
    let body = |place: usize| serde_json::from_slice::<Value>(&page.records[place].body).unwrap();
    assert_eq!(body(0)["customer"]["customerId"], 70);
    assert_eq!(body(1)["customer"], Value::Null);
}

#[test]
fn buyers_who_are_listed_are_not_asked_for() {
    let one = connection(json!({"products": "none"}));
    let rows = answer(&json!([{"transactionId": 5, "customerId": 7}, {"transactionId": 6, "customerId": 8}]));
    let feed = feed(&one, &changes(), "transactions");
    let list = json!([
        {"customerId": 7, "mergedIntoCustomerId": 9}, {"customerId": 8, "emailAddress": "bo@example.com"},
        {"customerId": 9, "emailAddress": "cy@example.com"}, {"customerId": 10, "mergedIntoCustomerId": 11},
    ]);
    let joined = [answer(&json!({"locationId": 1, "lspId": 2})), answer(&list)];
    let page = Dutchie.page(&one, &feed, &rows, &joined).unwrap();
    assert_eq!(page.joins, []);
    let body = |place: usize| serde_json::from_slice::<Value>(&page.records[place].body).unwrap();
    assert_eq!(body(0)["customer"]["customerId"], 9);
    assert_eq!(body(1)["customer"]["customerId"], 8);
}

#[test]
fn what_was_sold_before_the_first_poll_is_told_by_none() {
    let one = connection(json!({"products": "none"}));
    let told = |period: &Period| {
        let feed = feed(&one, period, "transactions");
        let rows = answer(&json!([{
            "transactionId": 5, "customerId": 7, "total": 9.5, "transactionDate": "2026-03-14T08:59:59",
        }]));
        let joined = [
            answer(&json!({"locationId": 1, "lspId": 2})),
            answer(&json!([{"customerId": 7, "emailAddress": "bo@example.com"}])),
        ];
        let page = Dutchie.page(&one, &feed, &rows, &joined).unwrap();
        let mapping = read(&Dutchie, &one, &page.records[0], |_| panic!("asked")).0;
        (page.mark, matches!(mapping, Mapping::Facts { .. }))
    };
    let first = Some("2026-03-14T09:00:00.000Z".to_owned());
    assert_eq!(told(&changes()), (first.clone(), false));
    assert_eq!(told(&Period::history(at(SINCE), at(UNTIL))), (None, true), "an import is asked for the past");
    // A later poll knows when the first one began; of a location that was added since, its own first one counts.
    let mut later = Period::changes(at("2026-06-01T00:00:00Z"), at("2026-06-01T00:15:00Z"));
    later.marks.insert("transactions_2".to_owned(), "2026-01-01T00:00:00.000Z".to_owned());
    assert_eq!(told(&later), (Some("2026-06-01T00:00:00.000Z".to_owned()), false));
    later.marks.insert("transactions".to_owned(), first.clone().unwrap());
    assert_eq!(told(&later), (first, false));
    later.marks.insert("transactions".to_owned(), "2026-03-14T08:59:59.000Z".to_owned());
    assert!(told(&later).1);
}

#[test]
fn many_buyers_are_looked_up_in_as_many_pages_of_customers_as_save_requests() {
    let one = connection(json!({"products": "none"}));
    let asked = |buyers: u64, customers: u64| {
        let mut store = Store::open(buyers, buyers);
        store.listed = customers;
        let period = Period::history(at(SINCE), at("2026-03-15T09:00:00Z"));
        let walked =
            walk(&Dutchie, &one, &feed(&one, &period, "transactions"), |request| store.answer(request));
        let bodies =
            walked.records.iter().map(|record| serde_json::from_slice::<Value>(&record.body).unwrap());
        assert!(bodies.into_iter().all(|body| body["customer"]["emailAddress"].is_string()));
        let count = |path: &str| {
            let urls: BTreeSet<_> = walked.requests.iter().map(|request| &request.url).collect();
            urls.into_iter().filter(|url| url.contains(path)).count()
        };
        [count("customers-paginated"), count("customerID=")]
    };
    // All buyers are listed, on pages of 100: one page, then two, four and eight more.
    assert_eq!(asked(80, 80), [1, 0]);
    assert_eq!(asked(250, 250), [3, 0]);
    assert_eq!(asked(300, 1200), [3, 0]);
    // None is listed.
    assert_eq!(asked(100, 0), [1, 100]);
    // Not worth another page.
    assert_eq!(asked(102, 100), [1, 2]);
    // Too many to list.
    assert_eq!(asked(1_420, 1_400), [15, 20]);
}

/// A location with transactions every minute, whose customers are known one by one.
struct Store {
    transactions: Vec<(Timestamp, u64)>,
    customers: u64,
    /// How many of them have changed lately.
    listed: u64,
    asked: usize,
}

impl Store {
    fn open(transactions: u64, customers: u64) -> Self {
        let begin = at(SINCE);
        let transactions = (0..transactions)
            .map(|number| (begin.checked_add(Duration::from_mins(number)).unwrap(), number + 1))
            .collect();
        Self { transactions, customers, listed: customers, asked: 0 }
    }

    fn answer(&mut self, request: &ApiRequest) -> Fetched {
        self.asked += 1;
        let address = request.url.split('#').next().unwrap();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let parameter = |name: &str| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let customer = |id: u64| json!({"customerId": id, "emailAddress": format!("c{id}@example.com")});
        answer(&match path.rsplit('/').next().unwrap() {
            "whoami" => json!({"locationId": 530_271, "lspId": 530_264, "locationName": "Main Street"}),
            "products" => json!([]),
            "customers" => json!([customer(parameter("customerID").unwrap().parse().unwrap())]),
            "customers-paginated" => {
                let page: u64 = parameter("PageNumber").unwrap().parse().unwrap();
                // Never more than 100, whatever is asked for.
                (page * 100..self.listed.min((page + 1) * 100)).map(|id| customer(id + 1)).collect()
            }
            "transactions" => {
                let either = |names: [&str; 2]| at(names.into_iter().find_map(parameter).unwrap());
                let from = either(["FromLastModifiedDateUTC", "FromDateUTC"]);
                let to = either(["ToLastModifiedDateUTC", "ToDateUTC"]);
                let inside = self.transactions.iter().filter(|(at, _)| (from..=to).contains(at));
                inside
                    .rev()
                    .map(|(_, id)| json!({"transactionId": id, "customerId": 1 + id % self.customers}))
                    .collect()
            }
            other => panic!("{other}"),
        })
    }
}

#[test]
fn all_transactions_of_a_period_come_whatever_changes_between_its_pages() {
    let one = connection(json!({"products": "none"}));
    let mut store = Store::open(700, 120);
    store.listed = 0;
    let period = Period::changes(at(SINCE), at("2026-03-14T21:00:00Z"));
    let feed = feed(&one, &period, "transactions");
    let walked = walk(&Dutchie, &one, &feed, |request| {
        if store.asked == 60 {
            // Changed now: it leaves its window for the next poll's.
            store.transactions[3].0 = at("2026-03-15T00:00:00Z");
        }
        store.answer(request)
    });
    let ids: BTreeSet<&str> = walked.records.iter().map(|record| record.delivery_id.as_str()).collect();
    assert_eq!(ids.len(), 700);
    assert_eq!(walked.records.len(), 701, "the edge of two windows comes twice");
    let told = read(&Dutchie, &one, &walked.records[0], |_| panic!("asked")).0;
    assert!(matches!(told, Mapping::Malformed(_)), "no date: {told:?}");
    // Each window again for each 50 customers, and those once a slice: they are kept.
    let windows = walked.requests.iter().filter(|request| request.url.contains("transactions?")).count();
    assert!(windows <= 17, "{windows}");
}

#[test]
fn an_import_goes_the_same_way_by_date() {
    let one = connection(json!({"products": "none"}));
    let mut store = Store::open(700, 250);
    let period = Period::history(at(SINCE), at("2026-03-14T21:00:00Z"));
    let walked = walk(&Dutchie, &one, &feed(&one, &period, "transactions"), |request| store.answer(request));
    assert_eq!(walked.records.len(), 701);
    let windows = walked.requests.iter().filter(|request| request.url.contains("transactions?FromDateUTC="));
    assert!(windows.count() <= 17);
    let customers = feed(&one, &period, "customers");
    let walked = walk(&Dutchie, &one, &customers, |request| store.answer(request));
    assert_eq!(walked.records.len(), 250);
    assert_eq!(walked.requests.len(), 6, "three pages, and whoami for each");
    let pages: Vec<_> = walked.requests.iter().filter(|request| request.url.contains("Page")).collect();
    assert!(pages.iter().all(|page| page.url.contains("&toLastModifiedDateUTC=2026-03-14T21:00:00.000Z&")));
}

#[test]
fn windows_grow_where_little_is_sold_and_shrink_where_much_is() {
    let one = connection(json!({"products": "none"}));
    let hours = |minutes: u64, until: &str| {
        let mut store = Store::open(700, 10);
        for (number, (at, _)) in (0..).zip(&mut store.transactions) {
            *at = self::at(SINCE).checked_add(Duration::from_mins(number * minutes)).unwrap();
        }
        let feed = feed(&one, &Period::history(at(SINCE), at(until)), "transactions");
        let walked = walk(&Dutchie, &one, &feed, |request| store.answer(request));
        let ids: BTreeSet<&str> = walked.records.iter().map(|record| record.delivery_id.as_str()).collect();
        assert_eq!(ids.len(), 700);
        let windows = walked.requests.iter().filter_map(|request| request.url.split_once("&hours="));
        windows.map(|(_, rest)| rest.split('&').next().unwrap().parse().unwrap()).collect::<Vec<u32>>()
    };
    // One in three hours, for 88 days, and then none.
    let slow = hours(180, "2027-03-14T00:00:00Z");
    assert_eq!(slow[..8], [6, 12, 24, 48, 96, 192, 192, 192]);
    assert_eq!((slow.len(), slow.last()), (26, Some(&720)));
    // One a minute, for half a day.
    assert_eq!(hours(1, "2026-03-14T23:00:00Z"), [6, 3, 3, 3]);
}

#[test]
fn one_customer_and_one_product_are_a_page() {
    let one = connection(json!({}));
    let mut store = Store::open(0, 1);
    let walked = walk(&Dutchie, &one, &feed(&one, &changes(), "customers"), |request| store.answer(request));
    assert_eq!(walked.records.len(), 1);
    let products = answer(&json!([{"productId": 7, "productName": "Papers"}]));
    let page = Dutchie.page(&one, &feed(&one, &changes(), "products"), &products, &[]).unwrap();
    assert_eq!((page.records.len(), page.next), (1, None));
}

#[test]
fn a_merged_customer_comes_with_the_one_that_remains() {
    let one = connection(json!({}));
    let rows = answer(&json!([
        {"customerId": 1, "mergedIntoCustomerId": 2}, {"customerId": 2, "emailAddress": "bo@example.com"},
        {"customerId": 3, "mergedIntoCustomerId": 9},
    ]));
    let feed = feed(&one, &changes(), "customers");
    let page = Dutchie.page(&one, &feed, &rows, &[]).unwrap();
    assert_eq!(page.joins.len(), 2, "whoami and the one that is not on the page");
    let joined = [
        answer(&json!({"locationId": 1, "lspId": 2})),
        answer(&json!([{"customerId": 9, "emailAddress": "cy@example.com"}])),
    ];
    let page = Dutchie.page(&one, &feed, &rows, &joined).unwrap();
    let into = |place: usize| {
        let body: Value = serde_json::from_slice(&page.records[place].body).unwrap();
        body["into"]["customerId"].clone()
    };
    assert_eq!([into(0), into(1), into(2)], [json!(2), json!(null), json!(9)]);
}
