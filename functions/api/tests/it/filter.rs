use api::filter::{Operator, Value, parse};
use proptest::prelude::*;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn bare(text: &str) -> Value {
    Value::Bare(text.to_owned())
}

#[test]
fn every_form_that_clients_write_is_read() {
    for (written, operator, field, value) in [
        (r#"equals(email,"a+b@example.com")"#, Operator::Equals, "email", text("a+b@example.com")),
        ("equals(email,'x@y.example.com')", Operator::Equals, "email", text("x@y.example.com")),
        (r#" equals( email , "a" ) "#, Operator::Equals, "email", text("a")),
        (r#"equals(name,"it's, (really)")"#, Operator::Equals, "name", text("it's, (really)")),
        (r#"equals(name,"a \"b\" \\")"#, Operator::Equals, "name", text(r#"a "b" \"#)),
        ("any(email,['a','b'])", Operator::Any, "email", Value::List(vec![text("a"), text("b")])),
        ("any(id,[ \"a\" , \"b\" ])", Operator::Any, "id", Value::List(vec![text("a"), text("b")])),
        ("any(id,[])", Operator::Any, "id", Value::List(vec![])),
        (
            "any(is_active,[true,false])",
            Operator::Any,
            "is_active",
            Value::List(vec![bare("true"), bare("false")]),
        ),
        (
            "greater-than(updated,2023-04-19T00:00:00+02:00)",
            Operator::GreaterThan,
            "updated",
            bare("2023-04-19T00:00:00+02:00"),
        ),
        ("less-or-equal(timestamp, 1700000000)", Operator::LessOrEqual, "timestamp", bare("1700000000")),
        ("has(profile)", Operator::Has, "profile", Value::Nothing),
        ("equals(integration.name,\"API\")", Operator::Equals, "integration.name", text("API")),
    ] {
        let filters = parse(written).unwrap();
        assert_eq!(filters.len(), 1, "{written}");
        let filter = &filters[0];
        assert_eq!(
            (filter.operator, filter.field.as_str(), &filter.value),
            (operator, field, &value),
            "{written}"
        );
    }
}

#[test]
fn conditions_are_joined_by_commas_or_by_and() {
    for written in [
        "less-than(updated,2),greater-than(updated,1)",
        "less-than(updated,2) , greater-than(updated,1)",
        "and(less-than(updated,2),greater-than(updated,1))",
        "and(less-than(updated,2),and(greater-than(updated,1)))",
    ] {
        let filters = parse(written).unwrap();
        let fields: Vec<_> = filters.iter().map(|filter| (filter.operator, filter.value.clone())).collect();
        assert_eq!(
            fields,
            [(Operator::LessThan, bare("2")), (Operator::GreaterThan, bare("1"))],
            "{written}"
        );
    }
    assert_eq!(parse("  ").unwrap(), []);
}

#[test]
fn what_is_no_filter_is_refused_with_its_place() {
    for (written, position) in [
        ("bad", 3),
        ("like(a,1)", 0),
        ("equals(a)", 9),
        ("equals(,1)", 7),
        ("equals(a,)", 9),
        ("equals(a,1", 10),
        ("equals(a,\"x)", 12),
        ("equals(a,1))", 11),
        ("equals(a,1),", 12),
        ("any(a,[1", 8),
        ("any(a,[[1]])", 7),
        ("has(a,1)", 8),
        ("and()", 4),
    ] {
        assert_eq!(parse(written).unwrap_err().position, position, "{written}: {:?}", parse(written));
    }
    let deep = format!("{}equals(a,1){}", "and(".repeat(100), ")".repeat(100));
    assert!(parse(&deep).is_err());
    assert!(parse(&vec!["equals(a,1)"; 101].join(",")).is_err());
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_text_of_the_grammar_s_own_letters_panics(text in "[a-z(),\\[\\]\"'\\\\ -]{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn a_quoted_text_comes_back_as_it_was(value in "\\PC{0,60}", double in any::<bool>()) {
        let quote = if double { '"' } else { '\'' };
        let escaped: String = value
            .chars()
            .flat_map(|letter| (letter == quote || letter == '\\').then_some('\\').into_iter().chain([letter]))
            .collect();
        let filters = parse(&format!("equals(email,{quote}{escaped}{quote})")).unwrap();
        prop_assert_eq!(&filters[0].value, &Value::Text(value));
    }
}
