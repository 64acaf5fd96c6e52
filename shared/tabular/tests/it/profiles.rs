//! Customers.

use proptest::prelude::*;
use serde_json::{Value, json};
use tabular::{ProfileRow, RowError, profiles};

fn rows(csv: &str) -> Vec<Result<ProfileRow, RowError>> {
    profiles(csv.as_bytes()).collect()
}

fn one(csv: &str) -> ProfileRow {
    let mut rows = rows(csv);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0).unwrap()
}

fn errors(csv: &str) -> Vec<(u64, String)> {
    rows(csv).into_iter().filter_map(Result::err).map(|error| (error.line, error.reason)).collect()
}

#[test]
fn every_column_of_klaviyo_s_goes_where_it_belongs() {
    let row =
        one("Email,Phone Number,External ID,First Name,Last Name,Organization,Title,Address,Address 2,City,\
                   State / Region,Zip Code,Country,Timezone,Latitude,Longitude,Locale,Tier\n\
                   ann@example.com,607 555 0148,c-7,Ann,Holm,Larch,Owner,1 Elm St,Unit 2,Ithaca,NY,01485,us,\
                   America/New_York,42.44,-76.5,en-US,gold\n");
    assert_eq!(row.line, 2);
    let person = row.person;
    assert_eq!(person.email.as_deref(), Some("ann@example.com"));
    assert_eq!(person.phone.as_deref(), Some("607 555 0148"));
    assert_eq!(person.phone_country.as_deref(), Some("US"));
    assert_eq!(person.external_id.as_deref(), Some("c-7"));
    let expected = json!({
        "first_name": "Ann", "last_name": "Holm", "organization": "Larch", "title": "Owner", "locale": "en-US",
        "location": {"address1": "1 Elm St", "address2": "Unit 2", "city": "Ithaca", "region": "NY",
            "zip": "01485", "country": "us", "timezone": "America/New_York", "latitude": 42.44, "longitude": -76.5},
        "properties": {"Tier": "gold"},
    });
    assert_eq!(Value::Object(person.attributes), expected);
}

#[test]
fn names_count_without_case_spaces_and_punctuation() {
    for header in [
        "EMAIL,First Name",
        "e-mail,first_name",
        "$email,$first_name",
        " Email , FIRST-NAME ",
        "\u{feff}Email,First Name",
    ] {
        let row = one(&format!("{header}\nann@example.com,Ann"));
        assert_eq!(row.person.email.as_deref(), Some("ann@example.com"), "{header}");
        assert_eq!(row.person.attributes["first_name"], "Ann", "{header}");
    }
}

#[test]
fn consent_is_never_taken_from_a_column() {
    let row = one(
        "Email,Email Marketing Consent,SMS Marketing Consent Timestamp,$consent,Accepts Marketing,Email Marketing\n\
                   ann@example.com,SUBSCRIBED,2026-03-14T00:00:00Z,email,yes,true",
    );
    assert!(row.person.attributes.is_empty(), "{:?}", row.person.attributes);
}

#[test]
fn custom_columns_are_what_they_exactly_say() {
    let header = "Email,Value\nann@example.com,";
    for (cell, value) in [
        ("12", json!(12)),
        ("12.5", json!(12.5)),
        ("-3", json!(-3)),
        ("true", json!(true)),
        ("\"[\"\"a\"\",\"\"b\"\"]\"", json!(["a", "b"])),
        ("007", json!("007")),
        ("12.50", json!("12.50")),
        ("+1", json!("+1")),
        ("1e3", json!("1e3")),
        ("123456789012345678901234567890", json!("123456789012345678901234567890")),
        ("True", json!("True")),
        ("null", json!("null")),
        ("\"{\"\"a\"\":1}\"", json!("{\"a\":1}")),
        ("2026-03-14", json!("2026-03-14")),
    ] {
        assert_eq!(one(&format!("{header}{cell}")).person.attributes["properties"]["Value"], value, "{cell}");
    }
}

#[test]
fn blank_cells_say_nothing() {
    let row = one("Email,First Name,Tier,City\nann@example.com, ,,\n");
    assert!(row.person.attributes.is_empty());
}

#[test]
fn quoted_cells_may_hold_commas_quotes_and_lines_and_the_lines_are_still_counted() {
    let csv = "Email,Note\nann@example.com,\"one,\ntwo \"\"three\"\"\"\nbo@example.com,x,y\n";
    let rows = rows(csv);
    let note = &rows[0].as_ref().unwrap().person.attributes["properties"]["Note"];
    assert_eq!(note, "one,\ntwo \"three\"");
    assert_eq!(errors(csv), [(4, "3 cells, but the header has 2".to_owned())]);
}

#[test]
fn a_bad_row_costs_only_itself_and_is_told_without_its_content() {
    let csv = "Email,Phone,Latitude\n,,1\nann@example.com,,north\nbo@example.com,,\n";
    let nobody = "nobody is named: no e-mail address, phone number or id";
    assert_eq!(errors(csv), [(2, nobody.to_owned()), (3, "latitude is not a number".to_owned())]);
    assert_eq!(rows(csv).into_iter().filter_map(Result::ok).count(), 1);
    let mut latin = b"Email,Name\nann@example.com,Ren\xe9\nbo@example.com,Bo\n".as_slice();
    let rows: Vec<_> = profiles(&mut latin).collect();
    assert_eq!(rows[0], Err(RowError { line: 2, reason: "not UTF-8".to_owned() }));
    assert!(rows[1].is_ok());
}

#[test]
fn a_misplaced_quotation_mark_costs_its_line_and_not_those_behind_it() {
    let people = |csv: &str| -> Vec<String> {
        rows(csv).into_iter().filter_map(Result::ok).map(|row| row.person.email.unwrap()).collect()
    };
    // Read leniently, the first row's note would hold the second row, and nobody would know.
    let swallowing = "Email,Note\nann@example.com,\"Mug\nbo@example.com,\"Cup\ncy@example.com,Jar\n";
    let reason = "a quotation mark is out of place".to_owned();
    assert_eq!(errors(swallowing), [(2, reason.clone()), (3, "a quotation mark is missing".to_owned())]);
    assert_eq!(people(swallowing), ["cy@example.com"]);
    let behind = "Email,Note\nann@example.com,\"Mug\"s\nbo@example.com,\"Cup\" \ncy@example.com,5\" pipe\n";
    assert_eq!(errors(behind), [(2, reason)]);
    assert_eq!(people(behind), ["bo@example.com", "cy@example.com"]);
    let pipe = rows(behind).pop().unwrap().unwrap().person;
    assert_eq!(pipe.attributes["properties"]["Note"], "5\" pipe");
    let long =
        format!("Email,Note\nann@example.com,\"Mug\n{}bo@example.com,x\n", "c@example.com,\n".repeat(90_000));
    let errors = errors(&long);
    assert_eq!(errors, [(2, "longer than 1 MiB, or a quotation mark is missing".to_owned())]);
    assert_eq!(people(&long).len(), 90_001);
}

#[test]
fn a_file_full_of_misplaced_quotation_marks_is_read_in_one_go() {
    for line in ["a\"b,\"c\n", "x,\"\n", ",\"\"\"\n", "\"\n", "a,\"\"\"\"b\n"] {
        let file = format!("Email,Note\n{}", line.repeat(200_000));
        assert!(rows(&file).len() >= 100_000, "{line:?}");
    }
}

#[test]
fn lines_end_as_any_system_ends_them() {
    for end in ["\n", "\r\n", "\r"] {
        let csv = ["Email,Note", "", "ann@example.com,\"a\"", ",b", "bo@example.com,c"].join(end);
        let read: Vec<_> =
            rows(&csv).into_iter().map(|row| row.map_or_else(|e| e.line, |row| row.line)).collect();
        assert_eq!(read, [3, 4, 5], "{end:?}");
    }
}

#[test]
fn cells_that_look_like_formulas_are_text() {
    for cell in ["=1+1", "+1", "@SUM(A1)", "=\"007\"", "-"] {
        let row = one(&format!("Email,Value\nann@example.com,{cell}\n"));
        assert_eq!(row.person.attributes["properties"]["Value"], cell);
    }
}

#[test]
fn a_header_that_cannot_be_read_ends_the_file() {
    for (csv, reason) in [
        ("", "the file is empty"),
        ("Name,City\nAnn,Ithaca", "no column Email, Phone Number, External ID or Anonymous ID"),
        ("Email,,Name\na@example.com,b,c", "column 2 has no name"),
        ("Email,Tier,Tier\na@example.com,b,c", "column 3 has the name of another"),
        ("Email,State,Region\na@example.com,b,c", "column 3 means what another does"),
    ] {
        assert_eq!(errors(csv), [(1, reason.to_owned())]);
        assert_eq!(rows(csv).len(), 1);
    }
    let wide = format!("Email{}", ",x".repeat(500));
    assert_eq!(errors(&wide)[0].1, "more than 500 columns");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_run_on(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut file = b"Email,Note\n".to_vec();
        file.extend(&bytes);
        prop_assert!(profiles(file.as_slice()).count() <= bytes.len() + 1);
        prop_assert!(profiles(bytes.as_slice()).count() <= bytes.len() + 1);
    }

    #[test]
    fn what_a_csv_writer_wrote_is_read_as_it_was(notes in proptest::collection::vec("[^\\s\\d].{0,20}\\S", 1..8)) {
        let mut file = csv_of("Email", "Note");
        for (index, note) in notes.iter().enumerate() {
            file.push_str(&csv_of(&format!("a{index}@example.com"), note));
        }
        let read: Vec<_> = profiles(file.as_bytes()).map(|row| row.unwrap().person).collect();
        prop_assert_eq!(read.len(), notes.len());
        for (person, note) in read.iter().zip(&notes) {
            prop_assume!(serde_json::from_str::<Value>(note).is_err());
            prop_assert_eq!(&person.attributes["properties"]["Note"], note.trim());
        }
    }
}

fn csv_of(first: &str, second: &str) -> String {
    format!("{first},\"{}\"\n", second.replace('"', "\"\""))
}
