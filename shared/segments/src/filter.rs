//! Whether a value is as a filter wants it. Values are case-sensitive; a value of another type than the
//! filter's matches nothing, and neither does an unset one, whatever the filter denies.

use canonical::money::decimal_from_json;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::definition::{Comparison, Element, Filter, NumericTest, TextTest};
use crate::property::Operand;

impl Comparison {
    pub(crate) fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equals => left == right,
            Self::NotEquals => left != right,
            Self::GreaterThan => left > right,
            Self::GreaterThanOrEqual => left >= right,
            Self::LessThan => left < right,
            Self::LessThanOrEqual => left <= right,
        }
    }
}

impl NumericTest {
    pub(crate) fn holds(&self, value: Decimal) -> bool {
        self.comparison.holds(&value, &self.value)
    }
}

impl Filter {
    /// Whether the value matches. Dates depend on the present and are asked elsewhere; here they match nothing.
    pub(crate) fn matches(&self, operand: Operand<'_>) -> bool {
        match self {
            Self::Exists(set) => (operand != Operand::Unset) == *set,
            Self::Text { test, negated, value } => text(operand).is_some_and(|text| {
                let found = match test {
                    TextTest::Equals => text == value,
                    TextTest::Contains => text.contains(value.as_str()),
                    TextTest::StartsWith => text.starts_with(value.as_str()),
                    TextTest::EndsWith => text.ends_with(value.as_str()),
                };
                found != *negated
            }),
            Self::Regex { pattern, negated } => {
                text(operand).is_some_and(|text| pattern.0.is_match(text) != *negated)
            }
            Self::TextIn { values, negated } => {
                text(operand).is_some_and(|text| contains(values, text) != *negated)
            }
            Self::PhoneCountryIn { values, negated } => text(operand)
                .and_then(country_of)
                .is_some_and(|country| values.contains(&country) != *negated),
            Self::Number(test) => number(operand).is_some_and(|value| test.holds(value)),
            Self::Boolean(expected) => {
                matches!(operand, Operand::Json(Value::Bool(value)) if value == expected)
            }
            Self::ListContains { element, negated } => {
                list(operand).is_some_and(|items| items.iter().any(|item| element.is(item)) != *negated)
            }
            Self::ListContainsAny { values, negated } => list(operand).is_some_and(|items| {
                items.iter().filter_map(Value::as_str).any(|item| contains(values, item)) != *negated
            }),
            Self::ListContainsAll { values, negated } => list(operand).is_some_and(|items| {
                let has = |value: &String| items.iter().any(|item| item.as_str() == Some(value));
                values.iter().all(has) != *negated
            }),
            Self::ListContainsSubstring { value, negated } => list(operand).is_some_and(|items| {
                items.iter().filter_map(Value::as_str).any(|item| item.contains(value.as_str())) != *negated
            }),
            Self::ListLength(test) => {
                list(operand).is_some_and(|items| test.holds(Decimal::from(items.len())))
            }
            Self::Date(_) => false,
        }
    }
}

impl Element {
    fn is(&self, item: &Value) -> bool {
        match self {
            Self::Text(text) => item.as_str() == Some(text),
            Self::Integer(integer) => {
                item.is_number() && decimal_from_json(item) == Some(Decimal::from(*integer))
            }
        }
    }
}

/// The values of a filter are sorted.
fn contains(values: &[String], text: &str) -> bool {
    values.binary_search_by(|value| value.as_str().cmp(text)).is_ok()
}

fn text(operand: Operand<'_>) -> Option<&str> {
    match operand {
        Operand::Text(text) => Some(text),
        Operand::Json(value) => value.as_str(),
        Operand::Unset | Operand::Number(_) | Operand::Instant(_) => None,
    }
}

fn number(operand: Operand<'_>) -> Option<Decimal> {
    match operand {
        Operand::Number(number) => Some(number),
        Operand::Json(number @ Value::Number(_)) => decimal_from_json(number),
        Operand::Unset | Operand::Text(_) | Operand::Json(_) | Operand::Instant(_) => None,
    }
}

fn list(operand: Operand<'_>) -> Option<&[Value]> {
    match operand {
        Operand::Json(Value::Array(items)) => Some(items),
        _ => None,
    }
}

/// The ISO 3166-1 alpha-2 code of the country a number in international notation belongs to.
fn country_of(phone: &str) -> Option<String> {
    let number = phonenumber::parse(None, phone).ok()?;
    number.country().id().map(|country| country.as_ref().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definition::Pattern;

    fn on(filter: &Filter, value: &Value) -> bool {
        filter.matches(if value.is_null() { Operand::Unset } else { Operand::Json(value) })
    }

    #[test]
    fn texts_are_case_sensitive_and_unset_or_other_types_match_nothing() {
        use TextTest::{Contains, EndsWith, Equals, StartsWith};
        for (test, needle, hay, expected) in [
            (Equals, "Gold", "Gold", true),
            (Equals, "Gold", "gold", false),
            (Contains, "ol", "Gold", true),
            (Contains, "OL", "Gold", false),
            (StartsWith, "Go", "Gold", true),
            (EndsWith, "ld", "Gold", true),
            (EndsWith, "Go", "Gold", false),
        ] {
            for negated in [false, true] {
                let filter = Filter::Text { test, negated, value: needle.to_owned() };
                assert_eq!(on(&filter, &json!(hay)), expected != negated, "{filter:?} {hay}");
                for other in [json!(null), json!(5), json!(true), json!([hay]), json!({"a": hay})] {
                    assert!(!on(&filter, &other), "{filter:?} {other}");
                }
            }
        }
    }

    #[test]
    fn the_other_filters_match_their_type_alone() {
        let values = || vec!["a".to_owned(), "b".to_owned()];
        let number = |comparison, value: i64| NumericTest { comparison, value: value.into() };
        let regex =
            |negated| Filter::Regex { pattern: Pattern(regex::Regex::new("^G.*d$").unwrap()), negated };
        for (filter, matching, failing) in [
            (regex(false), vec![json!("Gold")], vec![json!("gold"), json!(null)]),
            (regex(true), vec![json!("gold")], vec![json!("Gold"), json!(null), json!(3)]),
            (
                Filter::TextIn { values: values(), negated: false },
                vec![json!("a")],
                vec![json!("c"), json!(["a"])],
            ),
            (
                Filter::TextIn { values: values(), negated: true },
                vec![json!("c")],
                vec![json!("a"), json!(null)],
            ),
            (
                Filter::Number(number(Comparison::GreaterThan, 10)),
                vec![json!(11), json!(10.01)],
                vec![json!(10), json!("11"), json!(null)],
            ),
            (
                Filter::Number(number(Comparison::NotEquals, 10)),
                vec![json!(11)],
                vec![json!(10), json!(10.0), json!("11"), json!(null)],
            ),
            (
                Filter::Boolean(false),
                vec![json!(false)],
                vec![json!(true), json!("false"), json!(null), json!(0)],
            ),
            (Filter::Exists(true), vec![json!(""), json!([]), json!(0)], vec![json!(null)]),
            (Filter::Exists(false), vec![json!(null)], vec![json!(""), json!(false)]),
            (
                Filter::ListContains { element: Element::Text("a".to_owned()), negated: false },
                vec![json!(["a", 1])],
                vec![json!(["A"]), json!("a"), json!([]), json!(null)],
            ),
            (
                Filter::ListContains { element: Element::Integer(1), negated: true },
                vec![json!(["1"]), json!([])],
                vec![json!([1]), json!([1.0]), json!("x"), json!(null)],
            ),
            (
                Filter::ListContainsAny { values: values(), negated: false },
                vec![json!(["b", "z"])],
                vec![json!(["z"]), json!([]), json!("b")],
            ),
            (
                Filter::ListContainsAny { values: values(), negated: true },
                vec![json!(["z"]), json!([])],
                vec![json!(["a"]), json!(null)],
            ),
            (
                Filter::ListContainsAll { values: values(), negated: false },
                vec![json!(["b", "a", "c"])],
                vec![json!(["a"]), json!([])],
            ),
            (
                Filter::ListContainsAll { values: values(), negated: true },
                vec![json!(["a"]), json!([])],
                vec![json!(["a", "b"]), json!("a"), json!(null)],
            ),
            (
                Filter::ListContainsSubstring { value: "hir".to_owned(), negated: false },
                vec![json!(["Shirt"])],
                vec![json!(["SHIRT"]), json!("Shirt")],
            ),
            (
                Filter::ListContainsSubstring { value: "hir".to_owned(), negated: true },
                vec![json!(["Hat"])],
                vec![json!(["Shirt"]), json!(null)],
            ),
            (
                Filter::ListLength(number(Comparison::GreaterThanOrEqual, 2)),
                vec![json!([1, 2])],
                vec![json!([1]), json!("ab"), json!(null)],
            ),
            (
                Filter::PhoneCountryIn { values: vec!["FR".to_owned(), "GB".to_owned()], negated: false },
                vec![json!("+33612345678"), json!("+447400123456")],
                vec![json!("+12125550123"), json!("0612345678"), json!(null)],
            ),
            (
                Filter::PhoneCountryIn { values: vec!["FR".to_owned()], negated: true },
                vec![json!("+12125550123")],
                vec![json!("+33612345678"), json!("nobody"), json!(null)],
            ),
        ] {
            for value in &matching {
                assert!(on(&filter, value), "{filter:?} should match {value}");
            }
            for value in &failing {
                assert!(!on(&filter, value), "{filter:?} should not match {value}");
            }
        }
    }
}
