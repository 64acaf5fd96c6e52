//! Bytes in, facts and problems out: whole, and cut anywhere.

use files::{Format, Item, Parser, Place};
use platform::Connection;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn connection() -> Connection {
    Connection { id: "C1".to_owned(), platform: "mi9".to_owned(), settings: Map::new() }
}

/// Reads a file in blocks of these sizes, and what is left as the last one.
fn read(format: Format, file: &[u8], sizes: &[usize]) -> Result<Vec<Item>, String> {
    let mut parser = Parser::new(connection(), format);
    let (mut items, mut buffer, mut rest) = (Vec::new(), Vec::new(), file);
    let mut sizes = sizes.iter().copied();
    loop {
        let size = sizes.next().unwrap_or(rest.len()).min(rest.len());
        let (block, after) = rest.split_at(size);
        (rest, buffer) = (after, [buffer, block.to_vec()].concat());
        let is_last = rest.is_empty();
        let mut consumed = 0;
        if !parser.has_header() {
            consumed = parser.take_header(&buffer, is_last)?;
        }
        if parser.has_header() {
            let taken = parser.take(&buffer[consumed..], is_last);
            consumed += taken.bytes;
            items.extend(taken.items);
        }
        buffer.drain(..consumed);
        if is_last {
            assert_eq!(buffer, b"");
            return Ok(items);
        }
    }
}

fn whole(format: Format, file: &str) -> Vec<(u64, Result<Vec<Value>, String>)> {
    let items = read(format, file.as_bytes(), &[]).unwrap();
    items
        .into_iter()
        .map(|item| {
            let facts = item.facts.map(|facts| {
                facts.iter().map(|fact| serde_json::from_str(fact).unwrap()).collect::<Vec<Value>>()
            });
            (item.line, facts)
        })
        .collect()
}

const NDJSON: &str = concat!(
    r#"{"fact":"order","order_id":"742","placed_at":"2026-03-14T09:00:00Z","detail":{"lines":[]}}"#,
    "\n\n",
    r#"{"fact":"customer","person":{"email":"ann@example.com"}}"#,
    "\r\n",
    r#"{"fact":"customer","person":{}}"#,
    "\nnot json\n",
    r#"{"facts":[{"fact":"customer","person":{"email":"bo@example.com"}},{"fact":"order","order_id":"7"}]}"#,
);

const CUSTOMERS: &str = "Email,First Name,City,Tier,Email Marketing Consent\n\
    ann@example.com,Ann,Ithaca,gold,SUBSCRIBED\n\
    ,Nobody,,,\n\
    bo@example.com,\"Bo\nB.\",,,\n\
    cy@example.com,Cy\n";

const ORDERS: &str = "Order ID,Placed At,Email,Currency,Total,Discount Codes,Line ID,SKU,Product Name,Quantity,Unit Price,Line Total,Gift Note\n\
    742,2026-03-14T10:20:11+01:00,ann@example.com,EUR,49.00,SPRING5|VIP,1,MUG,Stoneware Mug,2,18.50,37.00,For Bo\n\
    742,,,,,,2,TOWEL,Linen Towel,1,12.00,12.00,\n\
    743,2026-03-14 10:20:11,bo@example.com,EUR,1,,1,MUG,Mug,1,1,1,\n\
    ,2026-03-14T10:20:11Z,cy@example.com,EUR,1,,1,MUG,Mug,1,1,1,\n\
    744,2026-03-14T10:20:11Z,cy@example.com,EUR,1,,1,MUG,Mug,1,1,1,\n\
    744,2026-03-14T10:20:11Z,cy@example.com,EUR\n\
    744,2026-03-14T10:20:11Z,cy@example.com,EUR,1,,3,MUG,Mug,1,1,1,\n\
    745,2026-03-14T10:20:11Z,di@example.com,EUR,1,,1,MUG,Mug,much,1,1,\n\
    746,2026-03-14T10:20:11Z,di@example.com,EUR,1,,,MUG,Mug,1,1,,\n\
    746,,,,,,,CUP,Cup,3,1,,\n";

#[test]
fn each_line_is_a_fact_of_the_contract_or_a_problem_without_its_content() {
    let items = whole(Format::Ndjson, NDJSON);
    let lines: Vec<u64> = items.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 3, 4, 5, 6]);
    assert_eq!(items[0].1.as_ref().unwrap()[0]["order_id"], "742");
    assert_eq!(items[1].1.as_ref().unwrap()[0]["person"], json!({"email": "ann@example.com"}));
    assert!(items[2].1.as_ref().unwrap_err().starts_with("person: nobody is named"));
    assert_eq!(items[3].1, Err("the body is not JSON (line 1, column 2)".to_owned()));
    assert_eq!(items[4].1.as_ref().unwrap().len(), 2);
}

#[test]
fn rows_of_customers_are_customers() {
    let items = whole(Format::Csv, CUSTOMERS);
    let ann = &items[0].1.as_ref().unwrap()[0];
    assert_eq!(ann["fact"], "customer");
    let attributes =
        json!({"first_name": "Ann", "location": {"city": "Ithaca"}, "properties": {"Tier": "gold"}});
    assert_eq!(ann["person"], json!({"email": "ann@example.com", "attributes": attributes}));
    let nobody = "nobody is named: no e-mail address, phone number or id".to_owned();
    assert_eq!(items[1], (3, Err(nobody)));
    assert_eq!(items[2].1.as_ref().unwrap()[0]["person"]["attributes"]["first_name"], "Bo\nB.");
    assert_eq!(items[3], (6, Err("2 cells, but the header has 5".to_owned())));
}

#[test]
fn rows_of_one_order_are_its_lines() {
    let items = whole(Format::Csv, ORDERS);
    let order = &items[0].1.as_ref().unwrap()[0];
    assert_eq!(order["placed_at"], "2026-03-14T10:20:11+01:00");
    assert_eq!(order["person"]["email"], "ann@example.com");
    let detail = &order["detail"];
    assert_eq!(detail["total"], json!({"amount": "49.00", "currency": "EUR"}));
    assert_eq!(detail["discount_codes"], json!(["SPRING5", "VIP"]));
    assert_eq!(detail["extra"], json!({"Gift Note": "For Bo"}));
    let line = |index: usize, field: &str| detail["lines"][index][field].clone();
    assert_eq!(
        (line(0, "line_id"), line(0, "total"), line(1, "name")),
        (json!("1"), json!("37.00"), json!("Linen Towel"))
    );

    let problems: Vec<_> =
        items.iter().filter_map(|(line, facts)| Some((*line, facts.as_ref().err()?.as_str()))).collect();
    assert_eq!(
        problems,
        [
            (4, "beside a row that may be of this order (line 5)"),
            (5, "no order_id"),
            (6, "beside a row that may be of this order (line 5)"),
            (9, "quantity is not an amount"),
        ]
    );
    let last = &items.last().unwrap().1.as_ref().unwrap()[0]["detail"]["lines"];
    assert_eq!((last[0]["line_id"].clone(), last[1]["line_id"].clone()), (json!("1"), json!("2")));
}

/// By line, what is wrong with it.
type Problems = Vec<(u64, String)>;
/// By number, how many lines an order has.
type Orders = Vec<(String, usize)>;

/// The line and the reason of every problem, and the orders that are told, with how many lines.
fn told(file: &str) -> (Problems, Orders) {
    let items = whole(Format::Csv, file);
    let problems =
        items.iter().filter_map(|(line, facts)| Some((*line, facts.as_ref().err()?.clone()))).collect();
    let orders = items.iter().filter_map(|(_, facts)| facts.as_ref().ok()).flatten();
    let shown = |order: &Value| {
        (order["order_id"].as_str().unwrap().to_owned(), order["detail"]["lines"].as_array().unwrap().len())
    };
    (problems, orders.map(shown).collect())
}

const ROWS: &str = "order_id,placed_at,product_name,quantity,refund_amount,refunded_at,email\n";

#[test]
fn a_row_of_any_order_costs_those_it_stands_between_and_no_others() {
    let beside = |line: u64| format!("beside a row that may be of this order (line {line})");
    let one = |id: &str| format!("{id},2026-03-14T10:00:00Z,Mug,1,,,\n");
    let file = |stray: &str| [ROWS, &one("1"), &one("2"), stray, &one("2"), &one("2"), &one("3")].concat();
    let (problems, orders) = told(&file(&one("")));
    assert_eq!(problems, [(3, beside(4)), (4, "no order_id".to_owned()), (5, beside(4))]);
    assert_eq!(orders, [("1".to_owned(), 1), ("3".to_owned(), 1)]);
    let (problems, orders) = told(&file("2,2026-03-14T10:00:00Z,\"Mug\" large,1,,,\n"));
    assert_eq!(problems[1], (4, "a quotation mark is out of place".to_owned()));
    assert_eq!((problems.len(), orders.len()), (3, 2));
    // At the end, at the beginning, and several at once.
    let (problems, orders) =
        told(&[ROWS, &one(""), &one("1"), &one("2"), &one("3"), &one(""), &one("")].concat());
    assert_eq!(problems.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 5, 6, 7]);
    assert_eq!(orders, [("2".to_owned(), 1)]);
}

#[test]
fn a_quotation_mark_that_is_not_closed_costs_its_order_and_not_the_file() {
    let good = |id: usize| format!("{id},2026-03-14T10:00:00Z,Mug,1,,,\n");
    let goods = |ids: std::ops::Range<usize>| ids.map(good).collect::<String>();
    let file = [ROWS, &goods(0..50), "50,2026-03-14T10:00:00Z,\"Mug,1,,,\n", &goods(51..100)].concat();
    let (problems, orders) = told(&file);
    assert_eq!(problems[1], (52, "a quotation mark is missing".to_owned()));
    assert_eq!(
        (problems.len(), orders.len()),
        (3, 97),
        "the orders beside it too: whose it was cannot be told"
    );
}

#[test]
fn money_without_a_time_and_addresses_that_are_none_are_told_of() {
    let (problems, orders) = told(&format!(
        "{ROWS}1,2026-03-14T10:00:00Z,Mug,1,5.50,,\n2,2026-03-14T10:00:00Z,Mug,1,0.00,,\n\
         3,2026-03-14T10:00:00Z,Mug,1,,,ann.example.com\n"
    ));
    let none = "nobody is named: email cannot be one".to_owned();
    assert_eq!(problems, [(2, "refund_amount without refunded_at".to_owned()), (4, none.clone())]);
    assert_eq!(orders, [("2".to_owned(), 1)]);
    let customers = whole(Format::Csv, "Email,Phone,Name\nann.example.com,,Ann\nbo@example.com,x,Bo\n");
    assert_eq!(customers[0], (2, Err(none)));
    assert!(customers[1].1.is_ok());
}

#[test]
fn where_a_file_is_silent_the_connection_s_settings_say_zone_and_currency() {
    let file = "order_id,placed_at,total,currency,product_name,quantity\n\
                1,2026-07-14 10:00:00,5.00,,Mug,1\n2,2026-07-14T10:00:00+02:00,5.00,EUR,Mug,1\n";
    let mut connection = connection();
    let read = |connection: &Connection| -> Vec<_> {
        let mut parser = Parser::new(connection.clone(), Format::Csv);
        let header = parser.take_header(file.as_bytes(), true).unwrap();
        let items = parser.take(&file.as_bytes()[header..], true).items;
        items.into_iter().map(|item| item.facts.map(|facts| facts.concat())).collect()
    };
    let silent = read(&connection);
    assert_eq!(silent[0], Err("placed_at has no offset, and the connection no time_zone".to_owned()));
    assert!(silent[1].is_ok());
    let Value::Object(settings) = json!({"time_zone": "America/New_York", "currency": "USD"}) else {
        panic!()
    };
    connection.settings = settings;
    let orders: Vec<Value> =
        read(&connection).into_iter().map(|order| serde_json::from_str(&order.unwrap()).unwrap()).collect();
    assert_eq!(orders[0]["placed_at"], "2026-07-14T10:00:00-04:00");
    assert_eq!(orders[0]["detail"]["total"], json!({"amount": "5.00", "currency": "USD"}));
    assert_eq!(orders[1]["placed_at"], "2026-07-14T10:00:00+02:00");
    assert_eq!(orders[1]["detail"]["total"]["currency"], "EUR");
}

#[test]
fn a_byte_order_mark_is_no_content() {
    for (format, file) in [
        (Format::Ndjson, r#"{"fact":"customer","person":{"email":"ann@example.com"}}"#),
        (Format::Csv, "\"Email\"\r\nann@example.com\r\n"),
    ] {
        let items = whole(format, &format!("\u{feff}{file}"));
        assert_eq!(items.len(), 1);
        assert!(items[0].1.is_ok(), "{items:?}");
    }
}

#[test]
fn what_happened_to_an_order_stands_in_its_first_row() {
    let file = "order_id,placed_at,shipped_at,tracking_numbers,fulfilled_at,cancelled_at,cancel_reason,refunded_at,\
                refund_amount,currency,product_name,quantity\n\
                1,2026-03-14T10:00:00Z,2026-03-15T10:00:00Z,1Z9|1Z8,2026-03-15T11:00:00Z,2026-03-16T10:00:00Z,late,\
                2026-03-17T10:00:00Z,5.50,EUR,Mug,1\n";
    let order = &whole(Format::Csv, file)[0].1.as_ref().unwrap()[0].clone();
    let shipments =
        json!([{"shipment_id": "1", "at": "2026-03-15T10:00:00Z", "tracking_numbers": ["1Z9", "1Z8"]}]);
    assert_eq!(order["shipments"], shipments);
    let refund = json!({"refund_id": "1", "at": "2026-03-17T10:00:00Z", "amount": {"amount": "5.50", "currency": "EUR"}});
    assert_eq!(order["refunds"], json!([refund]));
    assert_eq!(order["cancelled"], json!({"at": "2026-03-16T10:00:00Z", "reason": "late"}));
    assert_eq!(order["fulfilled_at"], "2026-03-15T11:00:00Z");
}

#[test]
fn a_header_that_cannot_be_read_ends_the_file() {
    for (file, reason) in [
        ("", "the file is empty"),
        ("Name\nAnn\n", "no column Email, Phone Number, External ID or Anonymous ID"),
        ("order_id,sku\n1,2\n", "no column quantity"),
        ("order_id,quantity\n1,2\n", "no column product_name"),
        ("order_id,quantity,product_name,Order ID\n1,2,Mug,3\n", "column 4 has the name of another"),
    ] {
        assert_eq!(read(Format::Csv, file.as_bytes(), &[]), Err(reason.to_owned()), "{file}");
    }
}

#[test]
fn keys_say_whose_file_it_is() {
    let place = |key| Place::of(key);
    let expected = Place { connection: "01HX".to_owned(), is_history: false, format: Format::Ndjson };
    assert_eq!(place("drop/01HX/orders.ndjson"), Ok(expected.clone()));
    assert_eq!(place("drop/01HX/2026/03/orders.JSONL"), Ok(expected));
    let past = Place { connection: "01HX".to_owned(), is_history: true, format: Format::Csv };
    assert_eq!(place("drop/01HX/history/all of it.csv"), Ok(past));
    for key in [
        "reports/01HX/a.csv",
        "drop/a.csv",
        "drop//a.csv",
        "drop/a b/c.csv",
        "drop/01HX/a.xlsx",
        "drop/01HX/csv",
        "drop/01HX/../C2/a.csv",
        "drop/../01HX/a.csv",
        "drop/01HX/./a.csv",
        "",
    ] {
        assert!(place(key).is_err(), "{key}");
    }
}

proptest! {
    #[test]
    fn a_file_that_is_cut_anywhere_says_the_same(sizes in proptest::collection::vec(1..120_usize, 0..30)) {
        let windows = format!("\u{feff}{ORDERS}").replace('\n', "\r\n");
        let broken = ORDERS.replace("Linen Towel", "\"Linen\" Towel").replace("Gift Note\n", "Gift Note\n\n\n");
        let files = [NDJSON, CUSTOMERS, ORDERS, &windows, &broken];
        for (index, file) in files.into_iter().enumerate() {
            let format = if index == 0 { Format::Ndjson } else { Format::Csv };
            prop_assert_eq!(read(format, file.as_bytes(), &sizes), read(format, file.as_bytes(), &[]));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        sizes in proptest::collection::vec(1..60_usize, 0..8),
        header in prop_oneof![Just(""), Just("Email,A\n"), Just("order_id,quantity,product_name\n")],
    ) {
        let file = [header.as_bytes(), &bytes].concat();
        for format in [Format::Ndjson, Format::Csv] {
            let items = read(format, &file, &sizes);
            prop_assert!(items.is_ok_and(|items| items.len() <= file.len() + 1) || format == Format::Csv);
        }
    }
}
