//! The published schema and the adapter mean the same.

use conformance::Case;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::suite::SUITE;

fn validator() -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(&contract::schemas()).unwrap()
}

/// A body that is JSON.
fn bodies() -> impl Iterator<Item = (Case, Value)> {
    let cases = SUITE.cases().into_iter().filter(|case| case.polled.is_none());
    cases.map(|case| (case.clone(), case.body))
}

#[test]
fn what_the_adapter_takes_fits_the_schema() {
    let validator = validator();
    let mut count = 0;
    for (case, body) in bodies() {
        if case.expect.get("facts").is_some() || case.expect.get("ignore").is_some() {
            let error = validator.validate(&body).err().map(|error| error.to_string());
            assert_eq!(error, None, "{}", case.description);
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

/// What only the adapter sees: repeated ids, persons without a name, nesting, what a connection allows.
const ADAPTER_ALONE: [&str; 10] = [
    "A text beyond the bound where keys are free; the schema cannot say it",
    "Two lines of one id: the second would be lost",
    "Two refunds of one id",
    "Nested beyond the bound; keys that are not the contract's are not repeated",
    "Somebody must have looked",
    "A customer without any identifier",
    "Somebody must have decided",
    "Who is to be forgotten must be said",
    "Everything is only erased if the connection allows it",
    "Who asked must be said",
];

#[test]
fn what_the_schema_refuses_the_adapter_refuses_and_the_reverse_but_for_what_is_named() {
    let validator = validator();
    for (case, body) in bodies() {
        let refused = case.expect.get("malformed").is_some();
        let alone = ADAPTER_ALONE.contains(&case.description.as_str());
        assert_eq!(validator.is_valid(&body), !refused || alone, "{}", case.description);
    }
}

#[test]
fn every_definition_is_explained_and_every_reference_leads_somewhere() {
    let schemas = contract::schemas();
    let text = schemas.to_string();
    let definitions = schemas["$defs"].as_object().unwrap();
    for (name, definition) in definitions {
        assert!(definition["description"].is_string(), "{name}");
        assert!(text.contains(&format!("\"#/$defs/{name}\"")), "{name} is not used");
    }
    assert_eq!(schemas["$schema"], json!("https://json-schema.org/draft/2020-12/schema"));
    assert!(!text.contains("disconnected"), "not for custom sources");
}
