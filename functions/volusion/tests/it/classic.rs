//! A classic store in memory, asked by its export.

use std::collections::BTreeSet;

use conformance::{Walk, walk};
use platform::{ApiRequest, Connection, Feed, Fetched, Mapping, Period, Platform, Span};
use serde_json::{Value, json};
use volusion::Volusion;

fn connection(settings: Value) -> Connection {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    Connection { id: "conn-1".to_owned(), platform: "volusion".to_owned(), settings }
}

fn cedar(more: Value) -> Connection {
    let mut cedar = connection(json!({
        "edition": "v1", "store_url": "https://cedar.example/", "currency": "USD", "time_zone": "America/Chicago"
    }));
    let Value::Object(more) = more else { panic!("settings are an object") };
    cedar.settings.extend(more);
    cedar
}

fn with_schema() -> Connection {
    cedar(json!({ "changes_schema": "tillstream_changes", "history_schema": "tillstream_history" }))
}

fn period(span: Span) -> Period {
    let (since, until) = ("2026-07-04T12:00:00Z".parse().unwrap(), "2026-07-05T12:00:00Z".parse().unwrap());
    Period { span, ..Period::changes(since, until) }
}

fn feed(connection: &Connection, span: Span) -> Feed {
    let feeds = Volusion.feeds(connection, &period(span));
    assert_eq!(feeds.len(), 1);
    feeds.into_iter().next().unwrap()
}

fn export(rows: &str) -> Fetched {
    let body = format!("\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xmldata>{rows}</xmldata>");
    Fetched { status: 200, body: body.into_bytes(), ..Fetched::default() }
}

/// A row of the form with details below it.
fn row(id: usize, status: &str, modified: &str) -> String {
    format!(
        "<Orders><OrderID>{id}</OrderID><CustomerID>{}</CustomerID><OrderDate>7/4/2026 8:00:00 AM</OrderDate>\
         <LastModified>{modified}</LastModified><OrderStatus>{status}</OrderStatus><PaymentAmount>27.00</PaymentAmount>\
         <BankName>First</BankName><AccountNumber>123456789</AccountNumber><Customer_IPAddress>192.0.2.7</Customer_IPAddress>\
         <OrderDetails><OrderDetailID>{id}1</OrderDetailID><ProductCode>A &amp; B</ProductCode></OrderDetails>\
         <OrderDetails><OrderDetailID>{id}2</OrderDetailID><ProductCode>C</ProductCode></OrderDetails></Orders>",
        id % 7
    )
}

fn query(request: &ApiRequest) -> String {
    let (address, _) = request.url.split_once('#').unwrap_or((&request.url, ""));
    let login = "https://cedar.example/net/WebService.aspx?Login={secret:login}&EncryptedPassword={secret:encrypted_password}&";
    address.strip_prefix(login).unwrap().to_owned()
}

fn customer(request: &str) -> Fetched {
    let id = request.rsplit('=').next().unwrap();
    export(&format!(
        "<Customers><CustomerID>{id}</CustomerID><EmailAddress>c{id}@example.com</EmailAddress>\
         <EmailSubscriber>Y</EmailSubscriber><Password>x</Password></Customers>"
    ))
}

fn bodies(walk: &Walk) -> Vec<Value> {
    walk.records.iter().map(|record| serde_json::from_slice(&record.body).unwrap()).collect()
}

#[test]
fn an_address_for_tests_and_proxies_stands_in_for_the_store() {
    let asked = |api_url: &str| {
        let feeds = Volusion.feeds(&cedar(json!({ "api_url": api_url })), &period(Span::History));
        feeds.into_iter().next().map(|feed| feed.request.url)
    };
    assert!(
        asked("http://127.0.0.1:8080/").unwrap().starts_with("http://127.0.0.1:8080/net/WebService.aspx?")
    );
    for bad in ["ftp://127.0.0.1", "127.0.0.1", "http://a@b", "http://b?c"] {
        assert_eq!(asked(bad), None, "{bad}");
    }
}

const RECENT: &str = "7/4/2026 3:00:00 PM";

#[test]
fn only_a_store_with_an_address_is_asked() {
    let count = |connection: &Connection, span| Volusion.feeds(connection, &period(span)).len();
    assert_eq!(count(&connection(json!({ "edition": "v1" })), Span::Changes), 0);
    assert_eq!(count(&cedar(json!({ "poll": false })), Span::Changes), 0);
    assert_eq!(count(&cedar(json!({ "poll": false })), Span::History), 1);
    for bad in [
        "http://cedar.example",
        "https://a@cedar.example",
        "https://cedar.example/x",
        "https://",
        "https://a?b",
    ] {
        assert_eq!(count(&cedar(json!({ "store_url": bad })), Span::Changes), 0, "{bad}");
    }
    assert_eq!(count(&cedar(json!({ "changes_schema": "a&b" })), Span::Changes), 0);
}

#[test]
fn a_schema_is_asked_once_and_needs_no_customers_where_it_names_them() {
    let flat = |id: usize, line: usize| {
        format!(
            "<Orders><OrderID>{id}</OrderID><CustomerID>1</CustomerID><EmailAddress>ann@example.com</EmailAddress>\
             <LastModified>{RECENT}</LastModified><OrderStatus>New</OrderStatus>\
             <OrderDetailID>{line}</OrderDetailID><ProductCode>P{line}</ProductCode></Orders>"
        )
    };
    let rows = [flat(151, 2), flat(150, 1), flat(151, 3), flat(151, 3)].concat();
    for (span, name) in [(Span::Changes, "tillstream_changes"), (Span::History, "tillstream_history")] {
        let walked = walk(&Volusion, &with_schema(), &feed(&with_schema(), span), |request| {
            assert_eq!(query(request), format!("API_Name=Generic%5C{name}"));
            export(&rows)
        });
        assert_eq!(walked.requests.len(), 1);
        let bodies = bodies(&walked);
        let lines: Vec<_> = bodies.iter().map(|body| body["lines"].as_array().unwrap().len()).collect();
        assert_eq!(lines, [1, 2], "grouped by order, a repeated line once");
        assert_eq!(bodies[1]["customer"]["EmailAddress"], "ann@example.com");
    }
}

#[test]
fn without_a_schema_every_status_is_asked_for_and_always_with_a_condition() {
    let cedar = cedar(json!({}));
    let mut statuses = Vec::new();
    let walked = walk(&Volusion, &cedar, &feed(&cedar, Span::Changes), |request| {
        let query = query(request);
        if query.contains("Customers") {
            assert_eq!(
                query,
                "EDI_Name=Generic%5CCustomers&SELECT_Columns=*&WHERE_Column=CustomerID&WHERE_Value=1"
            );
            return customer(&query);
        }
        let status = query.rsplit('=').next().unwrap().replace("%20", " ");
        assert!(query.starts_with(
            "EDI_Name=Generic%5COrders&SELECT_Columns=*&WHERE_Column=o.OrderStatus&WHERE_Value="
        ));
        statuses.push(status.clone());
        let rows = if status == "Ready to Ship" { row(8, &status, RECENT) } else { String::new() };
        export(&rows)
    });
    assert_eq!(statuses.len(), 19);
    assert_eq!(statuses.iter().collect::<BTreeSet<_>>().len(), 19);
    assert_eq!(walked.requests.len(), 20);
    let record = &walked.records[0];
    let text = String::from_utf8_lossy(&record.body);
    for private in ["First", "123456789", "192.0.2.7", "Password"] {
        assert!(!text.contains(private), "{private}");
    }
    assert!(text.contains("c1@example.com") && text.contains("A & B"));
    let (mapping, more) = conformance::read(&Volusion, &cedar, record, |_| Fetched::default());
    assert!(matches!(mapping, Mapping::Facts { dropped, .. } if dropped.is_empty()));
    assert_eq!(more, 0);
}

#[test]
fn statuses_of_the_store_s_own_are_asked_for_where_the_setting_names_them() {
    let cedar = cedar(json!({ "status_map": { "Picked up & paid": "shipped", "pending": "not_placed" } }));
    let walked = walk(&Volusion, &cedar, &feed(&cedar, Span::Changes), |_| export(""));
    let last = query(walked.requests.last().unwrap());
    assert_eq!(walked.requests.len(), 20);
    assert!(last.ends_with("WHERE_Column=o.OrderStatus&WHERE_Value=Picked%20up%20%26%20paid"), "{last}");
}

#[test]
fn several_hundred_orders_come_once_each_in_parts_though_one_changes_meanwhile() {
    let connection = with_schema();
    let mut rows: Vec<String> = (1..=350).rev().map(|id| row(id, "New", RECENT)).collect();
    let mut asked = 0;
    let walked = walk(&Volusion, &connection, &feed(&connection, Span::Changes), |request| {
        let query = query(request);
        if query.contains("Customers") {
            return customer(&query);
        }
        asked += 1;
        if asked == 2 {
            // One that was read moves to the front, and a new one comes.
            rows.rotate_right(1);
            rows.push(row(351, "New", RECENT));
        }
        export(&rows.concat())
    });
    let numbers: Vec<Value> = bodies(&walked).iter().map(|body| body["order"]["OrderID"].clone()).collect();
    assert_eq!(numbers.len(), 351);
    assert_eq!(numbers.iter().map(Value::to_string).collect::<BTreeSet<_>>().len(), 351);
    // Four parts, each with its six customers and one that nobody is; answers are kept while they are read.
    assert_eq!(asked, 4);
    assert_eq!(walked.requests.len(), 4 + 4 * 6);
    assert!(walked.requests.iter().all(|request| request.keep.is_some()));
}

#[test]
fn only_orders_of_the_period_are_taken_by_the_store_s_clock() {
    let connection = with_schema();
    // Chicago is five hours behind: the period begins at 7 AM there.
    let rows =
        [row(1, "New", "7/4/2026 6:49:00 AM"), row(2, "New", "7/4/2026 6:51:00 AM"), row(3, "New", "")]
            .concat();
    let walked = walk(&Volusion, &connection, &feed(&connection, Span::Changes), |request| {
        let query = query(request);
        if query.contains("Customers") { customer(&query) } else { export(&rows) }
    });
    let numbers: Vec<_> = bodies(&walked).iter().map(|body| body["order"]["OrderID"].clone()).collect();
    assert_eq!(numbers, ["2", "3"]);
}

#[test]
fn an_empty_answer_is_a_wrong_login_and_no_rows_are_none() {
    let connection = with_schema();
    let feed = feed(&connection, Span::Changes);
    let page = |status: u16, body: &str| {
        let answer = Fetched { status, body: body.as_bytes().to_vec(), ..Fetched::default() };
        Volusion.page(&connection, &feed, &answer, &[])
    };
    assert!(page(200, "").unwrap_err().contains("login"));
    assert!(page(200, " \r\n").unwrap_err().contains("login"));
    assert_eq!(page(200, "\n<?xml version=\"1.0\"?>\n<xmldata />").unwrap().records, []);
    for (status, body) in
        [(404, ""), (200, "<html>ann@example.com</html>"), (200, "<xmldata><Orders>ann@example.com")]
    {
        let reason = page(status, body).unwrap_err();
        assert!(!reason.contains("ann"), "{reason}");
    }
    let rows = "<xmldata><Orders><OrderID>x</OrderID></Orders><Orders/><Other><OrderID>1</OrderID></Other></xmldata>";
    assert_eq!(page(200, rows).unwrap().records, []);
}

#[test]
fn a_request_without_a_state_is_an_error() {
    let connection = with_schema();
    for fragment in ["", "#", "#c.1.2.0", "#x.1.2.0.0", "#c.1.2.0.0.0", "#c.1.2.0.-1"] {
        let request =
            ApiRequest { url: format!("https://cedar.example/{fragment}"), ..ApiRequest::default() };
        let feed = Feed { name: "v1_orders", request };
        assert!(Volusion.page(&connection, &feed, &export(""), &[]).is_err(), "{fragment}");
    }
}

#[test]
fn the_samples_are_what_the_adapter_reads() {
    let schema = |name: &str| {
        std::fs::read_to_string(format!("{}/schema/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    for name in ["tillstream_changes", "tillstream_history"] {
        let (sql, xsd) = (schema(&format!("{name}.sql")), schema(&format!("{name}.xsd")));
        for column in [
            "OrderID",
            "CustomerID",
            "OrderDate",
            "LastModified",
            "OrderStatus",
            "PaymentAmount",
            "Total_Payment_Authorized",
            "EmailAddress",
            "OrderDetailID",
            "QtyShipped",
        ] {
            assert!(sql.contains(column) && xsd.contains(&format!("name=\"{column}\"")), "{name}: {column}");
        }
        for private in ["Bank", "Account", "Password", "IPAddress"] {
            assert!(!sql.contains(private), "{name}: {private}");
        }
    }
}

#[test]
fn a_history_in_several_schemas_is_read_one_after_the_other() {
    let connection = cedar(json!({ "history_schema": "until_2020,since_2020" }));
    let first = feed(&connection, Span::History);
    assert_eq!(query(&first.request), "API_Name=Generic%5Cuntil_2020");
    let page = |feed: &Feed, rows: &str| Volusion.page(&connection, feed, &export(rows), &[]).unwrap();
    let read = page(&first, "");
    let second = Feed { name: first.name, request: read.next.unwrap() };
    assert_eq!(query(&second.request), "API_Name=Generic%5Csince_2020");
    assert!(page(&second, "").next.is_none());
    let refused = cedar(json!({ "history_schema": "until_2020,../x" }));
    let first = feed(&refused, Span::History);
    assert!(Volusion.page(&refused, &first, &export(""), &[]).unwrap().next.is_none());
}
