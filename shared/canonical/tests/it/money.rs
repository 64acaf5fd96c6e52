use canonical::Currency;
use canonical::money::{Decimal, decimal_from_json, decimal_from_str, decimal_to_json};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::decimal;

#[test]
fn a_json_number_is_read_by_its_text() {
    let value: Value = serde_json::from_str("41.94").unwrap();
    assert_eq!(decimal_from_json(&value).unwrap().to_string(), "41.94");
}

#[test]
fn amounts_are_read_from_strings_and_numbers() {
    for (value, amount) in [
        (json!("41.94"), Some("41.94")),
        (json!(" 12.50 "), Some("12.50")),
        (json!(-3), Some("-3")),
        (json!("1e3"), Some("1000")),
        (json!("1.5E-2"), Some("0.015")),
        (json!(1e21), Some("1000000000000000000000")),
        (json!("1e400"), None),
        (json!("-1e400"), None),
        (json!("1e-400"), None),
        (json!("1e99999999999999999999"), None),
        (json!(1e300), None),
        (json!(""), None),
        (json!("NaN"), None),
        (json!("12,50"), None),
        (json!(null), None),
        (json!(true), None),
        (json!([1]), None),
    ] {
        assert_eq!(decimal_from_json(&value), amount.map(decimal), "{value}");
    }
}

#[test]
fn amounts_are_written_as_numbers_where_a_number_is_exact() {
    for (text, json) in [
        ("41.94", "41.94"),
        ("12.50", "12.5"),
        ("3.00", "3"),
        ("-0", "0"),
        ("-7.25", "-7.25"),
        ("0.1", "0.1"),
        ("1000000000000000000000", "1e+21"),
        ("9007199254740993", "9007199254740993"),
        ("0.1234567890123456789", "\"0.1234567890123456789\""),
        ("79228162514264337593543950335", "\"79228162514264337593543950335\""),
    ] {
        assert_eq!(decimal_to_json(decimal(text)).to_string(), json, "{text}");
    }
}

#[test]
fn currencies_are_three_letters() {
    assert_eq!(" eur ".parse::<Currency>().unwrap().as_str(), "EUR");
    for text in ["", "EU", "EURO", "E1R", "€"] {
        assert!(text.parse::<Currency>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn an_amount_written_as_json_reads_as_the_same_amount(mantissa in any::<i128>(), scale in 0_u32..=28) {
        let mantissa = mantissa % (1 << 95);
        let amount = Decimal::from_i128_with_scale(mantissa, scale);
        let text = decimal_to_json(amount).to_string();
        let parsed: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(decimal_from_json(&parsed), Some(amount));
    }

    #[test]
    fn a_price_is_always_a_number(cents in -1_000_000_000_000_i64..1_000_000_000_000) {
        prop_assert!(decimal_to_json(Decimal::new(cents, 2)).is_number());
    }

    #[test]
    fn no_text_makes_reading_an_amount_panic(text in "\\PC*|[-+]?[0-9]{0,40}[.]?[0-9]{0,40}([eE][-+]?[0-9]{0,20})?") {
        let _ = decimal_from_str(&text);
    }
}
