//! The operations that are declared, against those of Klaviyo's API; and the table of what is covered, which these tests write.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::Method;

use crate::klaviyo::{self, Known};
use crate::operation::{self, Operation, Query};
use crate::operations;

/// With names of places left out, which differ.
fn place(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{id}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn declared(known: &Known) -> Option<&'static Operation> {
    let here = |operation: &&Operation| {
        operation.method.as_str() == known.method && place(operation.path) == place(known.path)
    };
    operations::all().find(here)
}

#[test]
fn what_has_klaviyos_address_has_its_name_and_scopes_and_at_least_its_limits() {
    for known in klaviyo::operations() {
        let Some(operation) = declared(&known) else { continue };
        assert_eq!(operation.name, known.name, "{} {}", known.method, known.path);
        let mut scopes = operation.scopes.to_vec();
        scopes.sort_unstable();
        assert_eq!(scopes, known.scopes().collect::<Vec<_>>(), "{}", known.name);
        let (burst, steady) = (operation.limit.burst(), operation.limit.steady());
        assert!(burst >= known.burst && steady >= known.steady, "{}: {burst}, {steady}", known.name);
    }
}

#[test]
fn no_operation_of_ours_has_a_name_of_klaviyos_at_another_address_and_none_is_there_twice() {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for operation in operations::all() {
        assert_eq!(names.insert(operation.name, operation.path), None, "{}", operation.name);
        if let Some(known) = klaviyo::operations().find(|known| known.name == operation.name) {
            assert_eq!(place(operation.path), place(known.path), "{}", operation.name);
        }
    }
}

#[test]
fn what_is_not_covered_is_said_to_be_klaviyos() {
    for known in klaviyo::operations() {
        let path: Vec<String> = known
            .path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| part.replace("{id}", "A1"))
            .collect();
        let method: Method = known.method.parse().unwrap();
        let found = operation::find(&method, &path);
        if let Some(operation) = declared(&known) {
            assert_eq!(found.map(|(found, _)| found.name), Ok(operation.name));
            continue;
        }
        let error = found.map(|(found, _)| found.name).unwrap_err();
        assert!(error.detail.contains(known.name), "{}: {}", known.name, error.detail);
        assert!(error.detail.contains("not covered"), "{}", error.detail);
        let is_partly = error.header.is_some();
        assert_eq!(error.status.as_u16(), if is_partly { 405 } else { 404 }, "{}", known.name);
    }
}

/// `BLESS=1 cargo test -p api` writes it.
#[test]
#[allow(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
fn the_table_of_operations_is_true() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/OPERATIONS.md");
    let table = table();
    if std::env::var("BLESS").is_ok() {
        std::fs::write(path, &table).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == table, "OPERATIONS.md is not what is declared: BLESS=1 cargo test -p api writes it");
}

fn table() -> String {
    let (covered, missing): (Vec<Known>, Vec<Known>) =
        klaviyo::operations().partition(|known| declared(known).is_some());
    let all = covered.len() + missing.len();
    let mut text = format!(
        "# Operations\n\n\
         Written by a test from what the API declares and from the [list of Klaviyo's operations](klaviyo/README.md), revision\n\
         2026-07-15: {} of {all} are covered. Limits are requests a second and a minute, of one key, with one operation.\n\n\
         ## Covered\n\n\
         | operation | method and path | scopes | limits | query |\n|---|---|---|---|---|\n",
        covered.len(),
    );
    for operation in covered.iter().filter_map(declared) {
        row(&mut text, operation);
    }
    text.push_str(
        "\n## Tillstream's own\n\n| operation | method and path | scopes | limits | query |\n|---|---|---|---|---|\n",
    );
    let is_own = |operation: &&Operation| !covered.iter().any(|known| known.name == operation.name);
    let mut own: Vec<&Operation> = operations::all().filter(is_own).collect();
    own.sort_by_key(|operation| operation.path);
    for operation in own {
        row(&mut text, operation);
    }
    text.push_str(
        "\n## Not covered\n\n404, or 405 where another method is covered; the error names the operation.\n\n",
    );
    text.push_str("| resource | operations |\n|---|---|\n");
    let mut by_resource: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for known in &missing {
        let end = known.path.match_indices('/').nth(2).map_or(known.path.len(), |(end, _)| end);
        by_resource.entry(&known.path[..end]).or_default().push(known.name);
    }
    for (resource, names) in by_resource {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "| `{resource}` | {} |", names.join(", "));
    }
    text
}

fn row(text: &mut String, operation: &Operation) {
    let scopes: Vec<String> = operation.scopes.iter().map(|scope| format!("`{scope}`")).collect();
    let scopes = if operation.is_open { "no key".to_owned() } else { scopes.join(", ") };
    let _ = writeln!(
        text,
        "| `{}` | `{} {}` | {scopes} | {}, {} | {} |",
        operation.name,
        operation.method,
        operation.path,
        operation.limit.burst(),
        operation.limit.steady(),
        query(&operation.query),
    );
}

/// What may stand in a query.
fn query(query: &Query) -> String {
    let quoted = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut parts: Vec<String> = Vec::new();
    let fields: Vec<String> = query
        .filters
        .iter()
        .map(|(field, known)| {
            let names: Vec<&str> = known.iter().map(|operator| operator.name()).collect();
            format!("`{field}` ({})", names.join(", "))
        })
        .collect();
    if !fields.is_empty() {
        parts.push(format!("filters {}", fields.join(", ")));
    }
    if !query.sorts.is_empty() {
        parts.push(format!("sorts {}", quoted(query.sorts)));
    }
    if !query.includes.is_empty() {
        parts.push(format!("includes {}", quoted(query.includes)));
    }
    for (kind, known) in query.additional {
        parts.push(format!("additional fields of `{kind}` {}", quoted(known)));
    }
    if let Some((default, greatest)) = query.pages {
        parts.push(format!("pages of {default}, at most {greatest}"));
    }
    if query.has_cursor {
        parts.push("pages of a fixed size".to_owned());
    }
    if !query.others.is_empty() {
        parts.push(quoted(query.others));
    }
    parts.join("; ")
}
