//! Whom a text names, without knowing what it says.

use std::collections::BTreeSet;

use canonical::identity::{Identifier, normalize_email, normalize_phone};
use serde_json::Value;

/// Longer texts are no phone numbers.
const MAX_PHONE: usize = 40;
/// More people than one delivery names.
const MAX: usize = 1000;

/// E-mail addresses and international phone numbers of a body: JSON, or any text, also one that a form has encoded.
pub fn identifiers_in(body: &[u8]) -> Vec<Identifier> {
    let mut found = BTreeSet::new();
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => walk(&value, &mut found),
        Err(_) => look(&String::from_utf8_lossy(body), &mut found),
    }
    let identifier =
        |(is_phone, text)| if is_phone { Identifier::Phone(text) } else { Identifier::Email(text) };
    found.into_iter().map(identifier).collect()
}

/// By whether it is a number.
type Found = BTreeSet<(bool, String)>;

fn walk(value: &Value, found: &mut Found) {
    match value {
        Value::String(text) => look(text, found),
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                look(name, found);
                walk(field, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn look(text: &str, found: &mut Found) {
    if text.contains(['@', '%']) {
        let plain = text.replace("%40", "@").replace("%2B", "+").replace("%2b", "+");
        let is_of_an_address =
            |letter: char| letter.is_alphanumeric() || ".!#$%'*+-/?^_`{|}~@".contains(letter);
        for word in plain.split(|letter| !is_of_an_address(letter)).filter(|word| word.contains('@')) {
            add(found, (false, normalize_email(word.trim_end_matches(['.', '!', '?', '\'']))));
        }
    }
    let text = text.trim();
    if text.starts_with('+') && text.len() <= MAX_PHONE {
        add(found, (true, normalize_phone(text, None)));
    }
}

fn add(found: &mut Found, (is_phone, text): (bool, Option<String>)) {
    if let Some(text) = text.filter(|_| found.len() < MAX) {
        found.insert((is_phone, text));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(body: &str) -> Vec<String> {
        let text = |identifier| match identifier {
            Identifier::Email(text) | Identifier::Phone(text) => text,
            _ => unreachable!(),
        };
        identifiers_in(body.as_bytes()).into_iter().map(text).collect()
    }

    #[test]
    fn addresses_and_numbers_are_found_wherever_they_stand() {
        for (body, expected) in [
            (
                r#"{"a":{"email":"Ann\u0040Example.com"},"b":["bob@example.com"]}"#,
                &["ann@example.com", "bob@example.com"][..],
            ),
            (
                r#"{"note":"Write to Ann <ann@example.com>, or bob@example.com."}"#,
                &["ann@example.com", "bob@example.com"],
            ),
            (r#"{"phone":"+49 151 12345678","id":12}"#, &["+4915112345678"]),
            ("email=ann%40example.com&name=Ann", &["ann@example.com"]),
            ("<customer><email>ann@example.com</email></customer>", &["ann@example.com"]),
            (r#"{"data":"{\"email\":\"ann@example.com\"}"}"#, &["ann@example.com"]),
            (r#"{"email":"nobody","at":"@"}"#, &[]),
        ] {
            assert_eq!(found(body), expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_is_too_odd(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = identifiers_in(&body);
        }
    }
}
