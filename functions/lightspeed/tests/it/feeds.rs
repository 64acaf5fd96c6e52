//! What is asked for, how pages are read, and what is joined.

use std::collections::BTreeSet;
use std::time::Duration;

use lightspeed::Lightspeed;
use platform::{ApiRequest, Connection, Delivery, Feed, Mapping, Period, Platform, Record};
use serde_json::{Value, json};

use crate::source::{ACCOUNT, HOST, Source, answer, connection, decoded, parts};

fn changes() -> Period {
    Period::changes("2026-03-14T08:00:00.250Z".parse().unwrap(), "2026-03-14T09:00:00.250Z".parse().unwrap())
}

fn history() -> Period {
    Period::history("2026-01-01T00:00:00Z".parse().unwrap(), "2026-12-31T00:00:00Z".parse().unwrap())
}

fn sale(id: u64, minute: u64) -> Value {
    let at = format!("2026-03-14T08:{:02}:{:02}+00:00", minute / 60, minute % 60);
    json!({
        "saleID": id.to_string(), "completed": "true", "voided": "false", "completeTime": at, "timeStamp": at, "updatetime": at,
        "total": "67.8", "displayableTotal": "67.8", "customerID": "731", "shopID": "2",
        "Customer": {
            "customerID": "731", "firstName": "Ann", "dob": "1990-01-01T00:00:00+00:00", "vatNumber": "V1",
            "timeStamp": at, "archived": "false",
            "Contact": {
                "noEmail": "false", "timeStamp": at, "Addresses": "",
                "Phones": { "ContactPhone": { "number": "519-555-0148", "useType": "Mobile" } },
                "Emails": { "ContactEmail": { "address": "ann@example.com", "useType": "Primary" } },
            },
        },
        "SaleLines": { "SaleLine": line(id * 10, "1", "0") },
        "SalePayments": { "SalePayment": { "amount": "67.8", "remoteReference": "auth-1" } },
    })
}

fn line(id: u64, quantity: &str, parent: &str) -> Value {
    let sign = quantity.trim_end_matches('1');
    json!({
        "saleLineID": id.to_string(), "saleID": (id / 10).to_string(), "unitQuantity": quantity, "unitPrice": "60",
        "displayableSubtotal": format!("{sign}60"), "calcTotal": format!("{sign}67.8"), "itemID": "402",
        "parentSaleLineID": parent, "Item": { "description": "Linen scarf", "categoryID": "14", "defaultCost": "11" },
    })
}

fn refund(id: u64, minute: u64, parent: &str) -> Value {
    let mut refund = sale(id, minute);
    refund["total"] = "-67.8".into();
    refund["displayableTotal"] = "-67.8".into();
    refund["SaleLines"] = json!({ "SaleLine": line(id * 10, "-1", parent) });
    refund
}

fn source(sales: Vec<Value>) -> Source {
    let mut source = Source::default();
    let shops = [("1", "US/Pacific"), ("2", "US/Eastern")];
    let shops =
        shops.map(|(id, zone)| json!({ "shopID": id, "name": format!("Shop {id}"), "timeZone": zone }));
    source.lists.insert("Shop", shops.to_vec());
    let category =
        |id: u32| json!({ "categoryID": id.to_string(), "fullPathName": format!("Textiles/{id}") });
    source.lists.insert("Category", (1..=120).map(category).collect());
    let lines = sales.iter().map(|sale| sale["SaleLines"]["SaleLine"].clone()).collect();
    source.lists.insert("SaleLine", lines);
    source.lists.insert("Sale", sales);
    source
}

fn body(record: &Record) -> Value {
    serde_json::from_slice(&record.body).unwrap()
}

fn ids(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| body(record)["sale"]["saleID"].as_str().unwrap().to_owned()).collect()
}

/// How often each list was asked.
fn asked(source: &Source, entity: &str) -> usize {
    source.asked.iter().filter(|url| parts(url).0 == entity).count()
}

fn facts(record: &Record, connection: &Connection) -> Value {
    let delivery = Delivery {
        platform: connection.platform.clone(),
        connection: connection.id.clone(),
        topic: record.topic.clone(),
        delivery_id: record.delivery_id.clone(),
        received_at: "2026-03-14T09:27:00Z".parse().unwrap(),
        headers: record.headers.clone(),
        backfill: false,
        body: record.body.clone(),
    };
    match Lightspeed.facts(&delivery, connection, &[]) {
        Mapping::Facts { facts, dropped } if dropped.is_empty() => serde_json::to_value(facts).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_asked_for_without_an_account_or_against_the_wish() {
    let nowhere = Connection::default();
    assert!(Lightspeed.feeds(&nowhere, &changes()).is_empty());
    assert!(Lightspeed.feeds(&nowhere, &history()).is_empty());
    for account in ["", "0", "12/../13", "12?x=", "-1"] {
        assert!(Lightspeed.feeds(&connection(&json!({ "account_id": account })), &changes()).is_empty());
    }
    let quiet = connection(&json!({ "poll": false }));
    assert!(Lightspeed.feeds(&quiet, &changes()).is_empty());
    assert_eq!(Lightspeed.feeds(&quiet, &history()).len(), 2);
    assert_eq!(Lightspeed.interval(&quiet), Duration::from_hours(1));
}

#[test]
fn changes_are_asked_for_by_the_time_of_change_in_whole_seconds_around_the_period() {
    let feeds = Lightspeed.feeds(&connection(&json!({})), &changes());
    let names: Vec<_> = feeds.iter().map(|feed| feed.name).collect();
    assert_eq!(names, ["customers", "sales", "ship_tos"]);
    let within = "><,2026-03-14T08:00:00-00:00,2026-03-14T09:00:01-00:00";
    for (feed, entity, by) in [
        (&feeds[0], "Customer", "timeStamp"),
        (&feeds[1], "Sale", "updatetime"),
        (&feeds[2], "ShipTo", "timeStamp"),
    ] {
        let (asked, parameters) = parts(&feed.request.url);
        assert_eq!(asked, entity);
        let has = |name: &str, value: &str| parameters.contains(&(name.to_owned(), value.to_owned()));
        assert!(has(by, within) && has("sort", by) && has("limit", "100"), "{parameters:?}");
        assert_eq!(has("archived", "true"), entity != "ShipTo");
    }
    assert!(
        feeds[2].request.url.starts_with(
            "https://api.lightspeedapp.com/API/V3/Account/120650/ShipTo.json?limit=100&sort=timeStamp\
             &timeStamp=%3E%3C%2C2026-03-14T08%3A00%3A00-00%3A00%2C"
        ),
        "{}",
        feeds[2].request.url
    );
    let relations = decoded(feeds[1].request.url.split_once("load_relations=").unwrap().1);
    let relations: Vec<String> = serde_json::from_str(&relations).unwrap();
    assert!(relations.contains(&"Customer.Contact".to_owned()));
}

#[test]
fn history_is_asked_for_by_the_time_of_creation_and_completion() {
    let feeds = Lightspeed.feeds(&connection(&json!({})), &history());
    let names: Vec<_> = feeds.iter().map(|feed| feed.name).collect();
    assert_eq!(names, ["customers", "sales"], "shipments come with their sales");
    for (feed, by, sort) in [(&feeds[0], "createTime", "customerID"), (&feeds[1], "timeStamp", "timeStamp")] {
        let (_, parameters) = parts(&feed.request.url);
        let within = "><,2026-01-01T00:00:00-00:00,2026-12-31T00:00:00-00:00";
        assert!(parameters.contains(&(by.to_owned(), within.to_owned())), "{parameters:?}");
        assert!(parameters.contains(&("sort".to_owned(), sort.to_owned())));
    }
}

#[test]
fn the_field_of_change_and_the_host_are_settings() {
    let settings = json!({ "sale_change_field": "timeStamp", "api_url": "https://proxy.example/ls/" });
    let feeds = Lightspeed.feeds(&connection(&settings), &changes());
    let url = &feeds[1].request.url;
    assert!(url.starts_with("https://proxy.example/ls/API/V3/Account/120650/Sale.json?"), "{url}");
    assert!(url.contains("sort=timeStamp&timeStamp="));
    let strange = connection(&json!({ "sale_change_field": "a&b" }));
    assert!(Lightspeed.feeds(&strange, &changes())[1].request.url.contains("sort=updatetime&"));
}

#[test]
fn every_sale_comes_once_in_as_few_requests_as_possible() {
    let mut source = source((1..=350).map(|id| sale(id, id)).collect());
    let records = source.feed(&connection(&json!({})), &changes(), "sales");
    let distinct: BTreeSet<_> = ids(&records).into_iter().collect();
    assert_eq!((records.len(), distinct.len()), (350, 350));
    // Four pages; the shops, two pages of categories and the account, once each.
    assert_eq!(source.asked.len(), 4 + 1 + 2 + 1);
    assert!(records.iter().all(|record| record.topic == "sale"));
}

#[test]
fn a_sale_that_changes_between_pages_is_not_missed_and_moves_no_other() {
    let mut source = source((1..=350).map(|id| sale(id, id)).collect());
    let connection = connection(&json!({ "currency": "CAD" }));
    let feed = Lightspeed.feeds(&connection, &changes()).remove(1);
    let mut changed = 1;
    let records = source.read(&connection, feed, |source| {
        // One that was read already, and one that was not yet, change and go to the end.
        for id in [changed, 340 + changed].map(|id| id.to_string()) {
            let sales = source.lists.get_mut("Sale").unwrap();
            let sale = sales.iter_mut().find(|sale| sale["saleID"] == id).unwrap();
            sale["updatetime"] = format!("2026-03-14T08:50:0{changed}+00:00").into();
        }
        changed += 1;
    });
    let ids = ids(&records);
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), 350);
    assert!(ids.len() <= 350 + 4, "only what was read before it changed comes again: {}", ids.len());
    let deliveries: BTreeSet<_> = records.iter().map(|record| &record.delivery_id).collect();
    assert_eq!(deliveries.len(), records.len(), "another state is another delivery");
}

#[test]
fn an_import_reads_every_sale_once_too() {
    let mut source = source((1..=250).map(|id| sale(id, id)).collect());
    let records = source.feed(&connection(&json!({ "poll": false })), &history(), "sales");
    let distinct: BTreeSet<_> = ids(&records).into_iter().collect();
    assert_eq!((records.len(), distinct.len(), asked(&source, "Sale")), (250, 250, 3));
}

#[test]
fn one_sale_or_none_are_read_too_and_none_needs_no_joins() {
    let mut one = source(vec![sale(1, 1)]);
    assert_eq!(one.feed(&connection(&json!({})), &changes(), "sales").len(), 1);
    let mut none = source(Vec::new());
    assert!(none.feed(&connection(&json!({})), &changes(), "sales").is_empty());
    assert_eq!(none.asked.len(), 1);
}

#[test]
fn categories_beyond_the_pages_that_are_listed_are_asked_for_by_their_ids() {
    let connection = connection(&json!({ "currency": "CAD" }));
    let mut sales = vec![sale(1, 1), sale(2, 2)];
    sales[1]["SaleLines"]["SaleLine"]["Item"]["categoryID"] = "1733".into();
    let mut source = source(sales);
    let category = |id: u32| json!({ "categoryID": id.to_string(), "fullPathName": format!("Books/{id}") });
    source.lists.insert("Category", (1..=2_000).map(category).collect());
    let ship_to = json!({
        "shipToID": "1", "saleID": "2", "shipped": "true", "customerID": "731", "timeStamp": "2026-03-14T08:30:00+00:00",
    });
    source.lists.insert("ShipTo", vec![ship_to]);
    for feed in ["sales", "ship_tos"] {
        let records = source.feed(&connection, &changes(), feed);
        let last = facts(records.last().unwrap(), &connection);
        assert_eq!(last[0]["detail"]["lines"][0]["categories"], json!(["Books/1733"]), "{feed}");
    }
    assert!(asked(&source, "Category") <= 8 + 2, "{:?}", source.asked);
}

#[test]
fn customers_made_since_the_first_poll_are_new() {
    let connection = connection(&json!({ "list": "Till customers" }));
    let mut source = Source::default();
    let made = |id: u32, at: &str| json!({ "customerID": id.to_string(), "createTime": at, "timeStamp": "2026-03-14T08:30:00+00:00" });
    source
        .lists
        .insert("Customer", vec![made(1, "2026-03-14T07:59:00+00:00"), made(2, "2026-03-14T08:20:00+00:00")]);
    let mut listed = |period: &Period| {
        let records = source.feed(&connection, period, "customers");
        let facts = records.iter().map(|record| facts(record, &connection));
        facts.map(|facts| facts[0]["person"]["attributes"]["properties"]["Lightspeed List"].clone()).collect()
    };
    let (old, new) = (Value::Null, json!("Till customers"));
    let found: Vec<Value> = listed(&changes());
    assert_eq!(found, [old.clone(), new.clone()]);
    // A later poll knows when the first one began.
    let mut later = changes();
    later.marks.insert("customers".to_owned(), "2026-03-14T08:20:01Z".to_owned());
    let found: Vec<Value> = listed(&later);
    assert_eq!(found, [old.clone(), old.clone()]);
    later.marks.insert("customers".to_owned(), "2026-03-14T07:59:00Z".to_owned());
    let found: Vec<Value> = listed(&later);
    assert_eq!(found, [new.clone(), new]);
    // An import cannot know.
    let found: Vec<Value> = listed(&history());
    assert_eq!(found, [old.clone(), old]);

    let feed = Lightspeed.feeds(&connection, &changes()).remove(0);
    let page = Lightspeed.page(&connection, &feed, &answer(200, &json!({})), &[]).unwrap();
    assert_eq!(page.mark.as_deref(), Some("2026-03-14T08:00:00.25Z"));
}

#[test]
fn the_same_state_is_the_same_delivery() {
    let connection = connection(&json!({}));
    let first = source(vec![sale(1, 1)]).feed(&connection, &changes(), "sales");
    let again = source(vec![sale(1, 1)]).feed(&connection, &changes(), "sales");
    let later = source(vec![sale(1, 2)]).feed(&connection, &changes(), "sales");
    assert_eq!(first[0].delivery_id, again[0].delivery_id);
    assert_ne!(first[0].delivery_id, later[0].delivery_id);
}

#[test]
fn shop_category_and_currency_are_joined() {
    let connection = connection(&json!({}));
    let records = source(vec![sale(1, 1)]).feed(&connection, &changes(), "sales");
    let facts = facts(&records[0], &connection);
    let order = &facts[0];
    assert_eq!(order["placed_at"], "2026-03-14T04:00:01-04:00");
    assert_eq!(order["detail"]["shop"], "Shop 2");
    assert_eq!(order["detail"]["total"]["currency"], "CAD");
    assert_eq!(order["detail"]["lines"][0]["categories"], json!(["Textiles/14"]));
}

#[test]
fn refunded_lines_are_looked_up_in_one_request_unless_they_are_on_the_page() {
    let connection = connection(&json!({ "currency": "CAD" }));
    let mut sales: Vec<Value> = (1..=50).map(|id| sale(id, id)).collect();
    // Parents that are on the page, elsewhere, and nowhere.
    sales.extend([
        refund(60, 100, "10"),
        refund(61, 101, "7770"),
        refund(62, 102, "8880"),
        refund(63, 103, "7770"),
    ]);
    let mut source = source(sales);
    source.lists.get_mut("SaleLine").unwrap().push(line(7770, "1", "0"));
    let records = source.feed(&connection, &changes(), "sales");
    assert_eq!(asked(&source, "SaleLine"), 1);
    let lookup = source.asked.iter().find(|url| url.contains("SaleLine.json")).unwrap();
    assert!(decoded(lookup).contains("saleLineID=IN,[7770,8880]"), "{lookup}");
    let original = |id: &str| {
        let record = records.iter().find(|record| body(record)["sale"]["saleID"] == id).unwrap();
        facts(record, &connection)[0]["order_id"].as_str().unwrap().to_owned()
    };
    assert_eq!([original("60"), original("61"), original("62"), original("63")], ["1", "777", "62", "777"]);
}

#[test]
fn a_hundred_lines_are_looked_up_at_once() {
    let connection = connection(&json!({ "currency": "CAD" }));
    let mut one = refund(1, 1, "5000");
    let lines = (0..130).map(|n| line(10 + n, "-1", &(5000 + n).to_string()));
    one["SaleLines"] = json!({ "SaleLine": lines.collect::<Vec<_>>() });
    let mut source = source(vec![one]);
    source.lists.insert("SaleLine", Vec::new());
    source.feed(&connection, &changes(), "sales");
    assert_eq!(asked(&source, "SaleLine"), 2);
}

#[test]
fn shipments_come_with_their_sales() {
    let connection = connection(&json!({}));
    let ship_to = |id: u32, sale: &str, shipped: &str, customer: &str| {
        json!({
            "shipToID": id.to_string(), "saleID": sale, "shipped": shipped, "customerID": customer,
            "timeStamp": "2026-03-14T08:30:00+00:00", "shipNote": "ring twice", "firstName": "Bo",
        })
    };
    let mut source = source(vec![sale(1, 1), sale(2, 2), refund(3, 3, "10")]);
    let ship_tos = vec![
        ship_to(1, "1", "true", "731"),
        ship_to(2, "2", "false", "731"),
        ship_to(3, "2", "true", "0"),
        ship_to(4, "99", "true", "731"),
    ];
    source.lists.insert("ShipTo", ship_tos);
    let records = source.feed(&connection, &changes(), "ship_tos");
    assert_eq!(ids(&records), ["1", "99"]);
    // The page, its sales, and then their joins: nobody asks for sales of what has not left.
    assert_eq!([asked(&source, "ShipTo"), asked(&source, "Sale"), asked(&source, "Shop")], [1, 1, 1]);
    assert!(
        decoded(source.asked.iter().find(|url| url.contains("/Sale.json")).unwrap())
            .contains("saleID=IN,[1,99]")
    );
    let facts = facts(&records[0], &connection);
    assert_eq!(facts[0]["shipments"][0]["at"], "2026-03-14T04:30:00-04:00");
    assert_eq!(facts[0]["detail"]["lines"][0]["name"], "Linen scarf");
    assert!(!String::from_utf8(records[0].body.clone()).unwrap().contains("ring twice"));

    let mut nothing = Source::default();
    nothing.lists.insert("ShipTo", vec![ship_to(2, "2", "false", "731")]);
    assert!(nothing.feed(&connection, &changes(), "ship_tos").is_empty());
    assert_eq!(nothing.asked.len(), 1);
}

#[test]
fn customers_without_orders_come_by_their_own_feed() {
    let customer = |id: u32| {
        json!({
            "customerID": id.to_string(), "firstName": "Ann", "createTime": "2026-03-14T08:00:00+00:00",
            "timeStamp": "2026-03-14T08:30:00+00:00", "dob": "1990-01-01T00:00:00+00:00",
            "Contact": {
                "Phones": { "ContactPhone": { "number": "519-555-0148" } },
                "Emails": { "ContactEmail": { "address": format!("c{id}@example.com") } },
            },
        })
    };
    let mut source = Source::default();
    source.lists.insert("Customer", (1..=230).map(customer).collect());
    let connection = connection(&json!({}));
    for period in [changes(), history()] {
        source.asked.clear();
        let records = source.feed(&connection, &period, "customers");
        let distinct: BTreeSet<_> =
            records.iter().map(|record| body(record)["customer"]["customerID"].to_string()).collect();
        assert_eq!((records.len(), distinct.len(), source.asked.len()), (230, 230, 3));
        let text = String::from_utf8(records[0].body.clone()).unwrap();
        assert!(!text.contains("1990") && !text.contains("555"), "{text}");
        assert_eq!(facts(&records[0], &connection)[0]["person"]["email"], "c1@example.com");
    }
}

#[test]
fn only_what_is_read_travels() {
    let mut with_gift_card = sale(1, 1);
    with_gift_card["total"] = "0".into();
    with_gift_card["displayableTotal"] = "100".into();
    with_gift_card["SaleLines"] = json!({ "SaleLine": {
        "saleLineID": "10", "unitQuantity": "1", "unitPrice": "0", "calcTotal": "0", "itemID": "0",
        "Note": { "note": "Gift Card Purchase 231234000000" },
    } });
    with_gift_card["SalePayments"] = json!({ "SalePayment": [
        { "amount": "-100", "SaleAccounts": { "SaleAccount": { "saleLineID": "10" } } },
        { "amount": "100", "SaleAccounts": "", "remoteReference": "auth-1" },
    ] });
    let connection = connection(&json!({}));
    let records = source(vec![with_gift_card, sale(2, 2)]).feed(&connection, &changes(), "sales");
    for record in &records {
        let text = String::from_utf8(record.body.clone()).unwrap();
        for secret in ["231234000000", "auth-1", "519-555", "1990", "V1", "defaultCost"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let line = &facts(&records[0], &connection)[0]["detail"]["lines"][0];
    assert_eq!(
        [&line["name"], &line["gift_card"], &line["total"]],
        [&json!("Gift Card"), &json!(true), &json!("100")]
    );
}

fn next(settings: &Value, link: &str) -> Result<Option<String>, String> {
    let connection = connection(settings);
    let feed = Lightspeed.feeds(&connection, &changes()).remove(0);
    let body = json!({ "@attributes": { "next": link, "previous": "" } });
    Ok(Lightspeed.page(&connection, &feed, &answer(200, &body), &[])?.next.map(|next| {
        let (address, since) = next.url.split_once('#').unwrap();
        assert_eq!(since, "new_since=2026-03-14T08:00:00.25Z", "no page forgets it");
        address.to_owned()
    }))
}

#[test]
fn the_next_page_is_followed_as_it_is_but_nowhere_else() {
    let link = format!("{HOST}{ACCOUNT}/Customer.json?sort=timeStamp&limit=100&after=WzEwMF0%3D");
    assert_eq!(next(&json!({}), &link), Ok(Some(link.clone())));
    assert_eq!(next(&json!({}), ""), Ok(None));
    for strange in [
        "https://elsewhere.example/API/V3/Account/120650/Customer.json?after=x",
        "https://api.lightspeedapp.com.elsewhere.example/API/V3/Account/120650/Customer.json?after=x",
        "https://api.lightspeedapp.com@elsewhere.example/API/V3/Account/120650/Customer.json?after=x",
        "http://api.lightspeedapp.com/API/V3/Account/120650/Customer.json?after=x",
        "//elsewhere.example/API/V3/Account/120650/Customer.json?after=x",
        "https://api.lightspeedapp.com/API/V3/Account/1/Customer.json?after=x",
        "https://api.lightspeedapp.com/API/V3/Account/120650/Sale.json?after=x",
        "https://api.lightspeedapp.com/API/V3/Account/120650/../1/Customer.json?after=x",
        "https://api.lightspeedapp.com/API/V3/Account/120650/Customer.json",
        "https://api.lightspeedapp.com/API/V3/Account/120650/Customer.json?after=x#y",
        "https://api.lightspeedapp.com/API/V3/Account/120650/Customer.json?after=x y",
        "after",
    ] {
        next(&json!({}), strange).unwrap_err();
    }
}

#[test]
fn links_of_the_api_are_followed_through_the_proxy() {
    let proxy = json!({ "api_url": "https://proxy.example/ls" });
    let path = format!("{ACCOUNT}/Customer.json?after=x");
    for link in [format!("{HOST}{path}"), format!("https://proxy.example/ls{path}"), path.clone()] {
        assert_eq!(next(&proxy, &link), Ok(Some(format!("https://proxy.example/ls{path}"))), "{link}");
    }
    next(&proxy, &format!("https://proxy.example{path}")).unwrap_err();
}

#[test]
fn a_page_that_follows_itself_is_an_error() {
    let connection = connection(&json!({}));
    let feed = Lightspeed.feeds(&connection, &changes()).remove(0);
    let body = json!({ "@attributes": { "next": feed.request.url.split('#').next() } });
    Lightspeed.page(&connection, &feed, &answer(200, &body), &[]).unwrap_err();
}

#[test]
fn what_is_no_page_is_an_error_without_content() {
    let connection = connection(&json!({}));
    let feed = Lightspeed.feeds(&connection, &changes()).remove(1);
    let refusal = json!({ "httpCode": "400", "message": "ann@example.com" });
    let page = |answer| Lightspeed.page(&connection, &feed, &answer, &[]).unwrap_err();
    assert_eq!(page(answer(400, &refusal)), "the API answered 400");
    assert_eq!(page(answer(404, &refusal)), "the API answered 404");
    assert_eq!(page(answer(200, &json!("x"))), "the answer is not an object");
    let not_json =
        platform::Fetched { status: 200, body: b"<html>".to_vec(), ..platform::Fetched::default() };
    assert_eq!(page(not_json), "the answer is not JSON");
    // A refused join is one too: without the shop a time would be told in another zone.
    let sales = answer(200, &json!({ "Sale": sale(1, 1) }));
    let joins = Lightspeed.page(&connection, &feed, &sales, &[]).unwrap().joins;
    let refused: Vec<_> = joins.iter().map(|_| answer(404, &refusal)).collect();
    Lightspeed.page(&connection, &feed, &sales, &refused).unwrap_err();
    let stranger = Feed { name: "registers", request: ApiRequest::get(HOST) };
    Lightspeed.page(&connection, &stranger, &sales, &[]).unwrap_err();
    Lightspeed.page(&Connection::default(), &feed, &sales, &[]).unwrap_err();
}

#[test]
fn kept_lists_may_be_kept_and_others_not() {
    let connection = connection(&json!({}));
    let feed = Lightspeed.feeds(&connection, &changes()).remove(1);
    let sales = answer(200, &json!({ "Sale": [sale(1, 1), refund(2, 2, "7770")] }));
    let joins = Lightspeed.page(&connection, &feed, &sales, &[]).unwrap().joins;
    let kept: Vec<_> = joins.iter().map(|join| (parts(&join.url).0, join.keep.is_some())).collect();
    let expected = [("Shop", true), ("Category", true), ("", true), ("SaleLine", false)];
    assert_eq!(kept, expected.map(|(entity, is_kept)| (entity.to_owned(), is_kept)));
}
