//! Reading filters: what a value, a number, a list or a date must be like.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::date;
use crate::definition::{
    Comparison, DateTest, DefinitionError, Element, Filter, MAX_VALUES, NumericTest, Pattern, Span,
    StaticDate, TextTest, Unit, Window,
};
use crate::json::{Node, Object};

/// The most bytes a compiled regular expression may take.
const REGEX_SIZE_LIMIT: usize = 1 << 18;
/// The longest window: a hundred years.
const MAX_DAYS: i64 = 36_525;
/// The longest window around an anniversary: they come every year.
const MAX_ANNIVERSARY_DAYS: i64 = 366;
/// Thresholds beyond this are a mistake, and would not fit beside sums.
const MAX_THRESHOLD: i64 = 1_000_000_000_000_000_000;

/// Which date operators a place allows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DatesOf {
    Events,
    Profiles,
    /// When a group was joined.
    Groups,
}

pub(crate) fn filter_kind<'a>(node: &Node<'a>) -> Result<&'a str, DefinitionError> {
    node.object()?.field("type")?.text()
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

pub(crate) fn unknown(node: &Node<'_>, what: &str, found: &str, known: &str) -> DefinitionError {
    node.error(format!("unknown {what} `{}`; known here: {known}", excerpt(found)))
}

pub(crate) fn unknown_kind(node: &Node<'_>, found: &str, known: &str) -> DefinitionError {
    let detail = format!("a filter of type `{}` is not possible here; possible: {known}", excerpt(found));
    match node.object().and_then(|object| object.field("type")) {
        Ok(kind) => kind.error(detail),
        Err(error) => error,
    }
}

pub(super) fn texts(node: &Node<'_>) -> Result<Vec<String>, DefinitionError> {
    texts_of(node, MAX_VALUES)
}

pub(super) fn texts_of(node: &Node<'_>, most: usize) -> Result<Vec<String>, DefinitionError> {
    let items = node.items()?;
    if items.is_empty() {
        return Err(node.error("at least one value is needed"));
    }
    if items.len() > most {
        return Err(node.error(format!("at most {most} values are possible")));
    }
    let mut values =
        items.iter().map(|item| item.text().map(ToOwned::to_owned)).collect::<Result<Vec<_>, _>>()?;
    // Sorted, so that lists that differ in order alone share one measure.
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

/// The one text of a filter. Klaviyo's schema lets it be null; what null should match is not said.
fn single_text(object: &Object<'_>) -> Result<String, DefinitionError> {
    let node = object.field("value")?;
    if node.value().is_null() {
        return Err(node.error("a string is expected; for unset values use `existence` with `not-set`"));
    }
    node.text().map(ToOwned::to_owned)
}

pub(super) fn text_filter(node: &Node<'_>, phone: bool) -> Result<Filter, DefinitionError> {
    let object = node.object_of(&["type", "operator", "value"])?;
    let operator_node = object.field("operator")?;
    let operator = operator_node.text()?;
    let plain = operator.strip_prefix("not-");
    let (test, negated) = (plain.unwrap_or(operator), plain.is_some());
    let text = |test| Ok(Filter::Text { test, negated, value: single_text(&object)? });
    match (test, operator) {
        ("equals", _) => text(TextTest::Equals),
        ("contains", _) => text(TextTest::Contains),
        ("starts-with", _) => text(TextTest::StartsWith),
        ("ends-with", _) => text(TextTest::EndsWith),
        ("in", _) => Ok(Filter::TextIn { values: texts(&object.field("value")?)?, negated }),
        (_, "regex" | "nregex") => {
            let value = single_text(&object)?;
            let pattern =
                regex::RegexBuilder::new(&value).size_limit(REGEX_SIZE_LIMIT).build().map_err(|error| {
                    object_error(&object, "value", &format!("not a usable regular expression: {error}"))
                })?;
            Ok(Filter::Regex { pattern: Pattern(pattern), negated: operator == "nregex" })
        }
        (_, "phone-country-code-in" | "phone-country-code-not-in") if phone => {
            let values =
                texts(&object.field("value")?)?.into_iter().map(|code| code.to_uppercase()).collect();
            Ok(Filter::PhoneCountryIn { values, negated: operator == "phone-country-code-not-in" })
        }
        _ => Err(unknown(
            &operator_node,
            "operator",
            operator,
            "equals, not-equals, contains, not-contains, starts-with, not-starts-with, ends-with, \
             not-ends-with, regex, nregex, in, not-in; on profile properties also phone-country-code-in, \
             phone-country-code-not-in",
        )),
    }
}

fn object_error(object: &Object<'_>, key: &str, detail: &str) -> DefinitionError {
    match object.field(key) {
        Ok(node) => node.error(detail),
        Err(error) => error,
    }
}

pub(super) fn boolean_filter(node: &Node<'_>) -> Result<Filter, DefinitionError> {
    let object = node.object_of(&["type", "operator", "value"])?;
    let operator = object.field("operator")?;
    match operator.text()? {
        "equals" => Ok(Filter::Boolean(object.field("value")?.boolean()?)),
        other => Err(unknown(&operator, "operator", other, "equals")),
    }
}

pub(super) fn existence_filter(node: &Node<'_>) -> Result<Filter, DefinitionError> {
    let object = node.object_of(&["type", "operator"])?;
    let operator = object.field("operator")?;
    match operator.text()? {
        "is-set" => Ok(Filter::Exists(true)),
        "not-set" => Ok(Filter::Exists(false)),
        other => Err(unknown(&operator, "operator", other, "is-set, not-set")),
    }
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        "equals" => Comparison::Equals,
        "not-equals" => Comparison::NotEquals,
        "greater-than" => Comparison::GreaterThan,
        "greater-than-or-equal" => Comparison::GreaterThanOrEqual,
        "less-than" => Comparison::LessThan,
        "less-than-or-equal" => Comparison::LessThanOrEqual,
        _ => return None,
    })
}

pub(crate) fn numeric_test(node: &Node<'_>) -> Result<NumericTest, DefinitionError> {
    let object = node.object_of(&["type", "operator", "value"])?;
    let operator = object.field("operator")?;
    let name = operator.text()?;
    let comparison = comparison(name).ok_or_else(|| {
        unknown(
            &operator,
            "operator",
            name,
            "equals, not-equals, greater-than, greater-than-or-equal, less-than, less-than-or-equal",
        )
    })?;
    let node = object.field("value")?;
    let value = match node.value() {
        number @ Value::Number(_) => canonical::money::decimal_from_json(number),
        _ => None,
    };
    let value = value
        .filter(|value| value.abs() <= Decimal::from(MAX_THRESHOLD))
        .ok_or_else(|| node.error("a number is expected, of at most 18 digits before the point"))?;
    Ok(NumericTest { comparison, value: value.normalize() })
}

pub(super) fn list_filter(node: &Node<'_>, of_profile: bool) -> Result<Filter, DefinitionError> {
    let object = node.object_of(&["type", "operator", "value"])?;
    let operator_node = object.field("operator")?;
    let operator = operator_node.text()?;
    let plain = operator.strip_prefix("not-");
    let (test, negated) = (plain.unwrap_or(operator), plain.is_some());
    let value = object.field("value")?;
    match test {
        "contains" if of_profile => {
            let element = match value.value() {
                Value::String(text) => Element::Text(text.clone()),
                _ => Element::Integer(
                    value
                        .value()
                        .as_i64()
                        .ok_or_else(|| value.error("a string or an integer is expected"))?,
                ),
            };
            return Ok(Filter::ListContains { element, negated });
        }
        "contains-any" if !of_profile => {
            return Ok(Filter::ListContainsAny { values: texts(&value)?, negated });
        }
        "contains-all" if !of_profile => {
            return Ok(Filter::ListContainsAll { values: texts(&value)?, negated });
        }
        "contains-substring" if !of_profile => {
            return Ok(Filter::ListContainsSubstring { value: single_text(&object)?, negated });
        }
        _ => {}
    }
    let length = operator.strip_prefix("length-").and_then(comparison);
    match length {
        Some(comparison) if comparison != Comparison::NotEquals => Ok(Filter::ListLength(NumericTest {
            comparison,
            value: Decimal::from(value.integer(0, 1_000_000)?),
        })),
        _ => Err(unknown(
            &operator_node,
            "operator",
            operator,
            if of_profile {
                "contains, not-contains, length-equals, length-greater-than, length-greater-than-or-equal, \
                 length-less-than, length-less-than-or-equal"
            } else {
                "contains-any, contains-all, not-contains-any, not-contains-all, contains-substring, \
                 not-contains-substring, length-equals, length-greater-than, length-greater-than-or-equal, \
                 length-less-than, length-less-than-or-equal"
            },
        )),
    }
}

fn unit(object: &Object<'_>) -> Result<(Unit, i64), DefinitionError> {
    let node = object.field("unit")?;
    match node.text()? {
        "hour" => Ok((Unit::Hour, 1)),
        "day" => Ok((Unit::Day, 1)),
        "week" => Ok((Unit::Day, 7)),
        "month" => Ok((Unit::Month, 1)),
        other => Err(unknown(&node, "unit", other, "hour, day, week, month")),
    }
}

/// An amount of a unit, as hours, days or months.
fn quantity(object: &Object<'_>, key: &str, max_days: i64) -> Result<Span, DefinitionError> {
    let (unit, factor) = unit(object)?;
    let most = match unit {
        Unit::Hour => max_days * 24,
        Unit::Day => max_days / factor,
        // As many as surely fit.
        Unit::Month => max_days / 31,
    };
    Ok(Span { unit, quantity: object.field(key)?.integer(0, most)? * factor })
}

fn static_date(object: &Object<'_>, key: &str) -> Result<StaticDate, DefinitionError> {
    let node = object.field(key)?;
    date::parse_static(node.text()?)
        .ok_or_else(|| node.error("a date is expected, such as 2023-06-10 or 2023-06-10T00:00:00Z"))
}

pub(super) fn date_test(node: &Node<'_>, of: DatesOf) -> Result<DateTest, DefinitionError> {
    let object = node.object()?;
    let operator = object.field("operator")?;
    let fields = |keys: &[&str]| {
        let mut all = vec!["type", "operator"];
        all.extend_from_slice(keys);
        object.only(&all)
    };
    let span = |max_days| {
        fields(&["unit", "quantity"])?;
        quantity(&object, "quantity", max_days)
    };
    let window = |make: fn(Span) -> Window| span(MAX_DAYS).map(|span| DateTest::Window(make(span)));
    match (operator.text()?, of) {
        ("alltime", DatesOf::Events) => fields(&[]).map(|()| DateTest::Alltime),
        ("before", _) => {
            fields(&["date"])?;
            static_date(&object, "date").map(DateTest::Before)
        }
        ("after", _) => {
            fields(&["date"])?;
            static_date(&object, "date").map(DateTest::After)
        }
        ("between-static", _) => {
            fields(&["start", "end"])?;
            Ok(DateTest::BetweenStatic(static_date(&object, "start")?, static_date(&object, "end")?))
        }
        ("in-the-last", _) => window(Window::InTheLast),
        ("at-least", _) => window(Window::AtLeast),
        ("in-the-next", _) => window(Window::InTheNext),
        ("between", _) => {
            fields(&["start", "end", "unit"])?;
            let start = quantity(&object, "start", MAX_DAYS)?;
            let end = quantity(&object, "end", MAX_DAYS)?;
            let (from, to) = (start.quantity.min(end.quantity), start.quantity.max(end.quantity));
            Ok(DateTest::Window(Window::Between { unit: start.unit, from, to }))
        }
        ("anniversary-last", DatesOf::Events | DatesOf::Profiles) => {
            span(MAX_ANNIVERSARY_DAYS).map(DateTest::AnniversaryLast)
        }
        ("anniversary-next", DatesOf::Events | DatesOf::Profiles) => {
            span(MAX_ANNIVERSARY_DAYS).map(DateTest::AnniversaryNext)
        }
        ("anniversary", DatesOf::Profiles) => fields(&[]).map(|()| DateTest::Anniversary),
        ("anniversary-month", DatesOf::Profiles) => fields(&[]).map(|()| DateTest::AnniversaryMonth),
        ("calendar-month", DatesOf::Profiles) => {
            fields(&["value"])?;
            let month = object.field("value")?.integer(1, 12)?;
            Ok(DateTest::CalendarMonth(i8::try_from(month).unwrap_or(1)))
        }
        (other, _) => Err(unknown(
            &operator,
            "operator",
            other,
            match of {
                DatesOf::Events => {
                    "alltime, before, after, between-static, in-the-last, at-least, in-the-next, between, \
                     anniversary-last, anniversary-next"
                }
                DatesOf::Groups => {
                    "before, after, between-static, in-the-last, at-least, in-the-next, between"
                }
                DatesOf::Profiles => {
                    "before, after, between-static, in-the-last, at-least, in-the-next, between, \
                     anniversary-last, anniversary-next, anniversary, anniversary-month, calendar-month"
                }
            },
        )),
    }
}
