//! Our own document against the specification: whatever Klaviyo declares of an operation that is covered, ours declares too.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::specification::{our_document, whole};

/// Where ours says less, on purpose: an operation, or `*` for any, how the place ends (or begins, if the part of the operation is
/// named), and why. Each must be met.
const LESS: &[(&str, &str, &str)] = &[
    (
        "*",
        ".definition",
        "the grammar of segments is wider than Klaviyo's; the engine says what is wrong, and where",
    ),
    ("*", ".metric_filters[].filter", "likewise"),
    ("*", "response .meta", "there are no hints for agents"),
    ("*", ".relationships.campaigns", "there are no campaigns"),
    ("*", ".relationships.flows", "there are no flows"),
    ("get_flows_triggered_by_metric", ".relationships", "there are no flows"),
    ("get_lists", ".included[].relationships.tags", "of a flow, and there are none"),
    ("get_list", ".included[].relationships.tags", "likewise"),
    ("get_segments", ".included[].relationships.tags", "likewise"),
    ("get_segment", ".included[].relationships.tags", "likewise"),
    ("*", ".included[].relationships.flow-actions", "likewise"),
    ("get_metrics", ".included[].relationships", "likewise"),
    ("get_metric", ".included[].relationships", "likewise"),
    ("get_events", "response .included[]", "nothing is attributed: there are no campaigns and no flows"),
    ("get_event", "response .included[]", "likewise"),
    ("get_profile", "response .included[]", "there are no push tokens and no conversations"),
    ("get_profiles", "response .included[]", "likewise"),
    ("*", ".subscriptions.push.tokens", "nothing is sent to apps, so tokens are not kept"),
];

/// Where ours asks for more, on purpose: as above.
const MORE: &[(&str, &str, &str)] = &[
    ("*", ".data", "whoever names a relationship says to what"),
    ("create_back_in_stock_subscription", ".profile", "somebody has to be told"),
];

#[test]
fn what_klaviyo_declares_of_a_covered_operation_is_declared_here() {
    let theirs = Document::of(whole());
    let ours = Document::of(our_document());
    let mut differences = Vec::new();
    let mut compared = 0;
    for (name, operation) in &ours.operations {
        let Some(specified) = theirs.operations.get(name) else { continue };
        compared += 1;
        let mut found = parameters(specified, operation);
        found.extend(statuses(specified, operation));
        for (part, specified, operation) in bodies(specified, operation) {
            found.extend(shapes((&theirs, specified), (&ours, operation), part));
        }
        differences.extend(found.into_iter().map(|difference| (name.clone(), difference)));
    }
    let mut met: BTreeSet<&(&str, &str, &str)> = BTreeSet::new();
    differences.retain(|(name, difference)| {
        let (table, text) = match difference.strip_prefix("more: ") {
            Some(text) => (MORE, text),
            None => (LESS, difference.as_str()),
        };
        let reason = table.iter().find(|(of, place, _)| {
            (*of == "*" || of == name)
                && (text.ends_with(place) || (place.starts_with("response") && text.starts_with(place)))
        });
        met.extend(reason);
        reason.is_none()
    });
    let told: Vec<String> =
        differences.iter().map(|(name, difference)| format!("{name}: {difference}")).collect();
    assert!(told.is_empty(), "{} differences:\n{}", told.len(), told.join("\n"));
    let idle: Vec<_> = LESS.iter().chain(MORE).filter(|reason| !met.contains(reason)).collect();
    assert!(idle.is_empty(), "reasons for nothing: {idle:?}");
    assert!(compared > 140, "only {compared} are named as Klaviyo names them");
}

/// What an OpenAPI document says.
struct Document {
    whole: Value,
    operations: BTreeMap<String, Value>,
}

impl Document {
    fn of(whole: Value) -> Self {
        let methods = whole["paths"].as_object().unwrap().values().filter_map(Value::as_object).flatten();
        let named = methods.filter_map(|(_, operation)| {
            Some((operation["operationId"].as_str()?.to_owned(), operation.clone()))
        });
        let operations = named.collect();
        Self { whole, operations }
    }

    fn referred(&self, reference: &str) -> &Value {
        self.whole.pointer(reference.trim_start_matches('#')).unwrap()
    }
}

/// Parameters of the query that are not there, or admit less.
fn parameters(theirs: &Value, ours: &Value) -> Vec<String> {
    let of = |operation: &Value| -> BTreeMap<String, Value> {
        let all = operation["parameters"].as_array().into_iter().flatten();
        let queried = all.filter(|parameter| parameter["in"] == "query");
        queried.map(|parameter| (parameter["name"].as_str().unwrap().to_owned(), parameter.clone())).collect()
    };
    let ours = of(ours);
    let mut found = Vec::new();
    for (name, parameter) in of(theirs) {
        let Some(known) = ours.get(&name) else {
            found.push(format!("no parameter {name}"));
            continue;
        };
        let values = |parameter: &Value| -> BTreeSet<String> {
            let schema = &parameter["schema"];
            [&schema["enum"], &schema["items"]["enum"]].into_iter().flat_map(texts).collect()
        };
        let (wanted, known_values) = (values(&parameter), values(known));
        if !known_values.is_empty() && !wanted.is_subset(&known_values) {
            found.push(format!("{name} lacks {:?}", wanted.difference(&known_values).collect::<Vec<_>>()));
        }
        for (field, operators) in parameter["filters"].as_object().into_iter().flatten() {
            let described = known["description"].as_str().unwrap_or_default();
            // As the description has it: `field`: operator, operator; …
            let clause = format!("`{field}`: ");
            let known: BTreeSet<&str> = described
                .split_once(&clause)
                .map(|(_, rest)| rest.split(';').next().unwrap_or_default())
                .unwrap_or_default()
                .split(", ")
                .collect();
            let missing: Vec<String> =
                texts(operators).filter(|operator| !known.contains(operator.as_str())).collect();
            if !missing.is_empty() {
                found.push(format!("{name} of {field} lacks {missing:?}"));
            }
        }
        let (theirs, ours) = (&parameter["schema"], &known["schema"]);
        if theirs["maximum"].as_u64() > ours["maximum"].as_u64()
            || (!theirs["default"].is_null() && theirs["default"] != ours["default"])
        {
            found.push(format!("{name} is {ours} and not {theirs}"));
        }
    }
    found
}

fn texts(values: &Value) -> impl Iterator<Item = String> {
    values.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}

/// Statuses of success that are not declared.
fn statuses(theirs: &Value, ours: &Value) -> Vec<String> {
    let declared = theirs["responses"].as_object().unwrap().keys().filter(|status| status.starts_with('2'));
    let missing = declared.filter(|status| ours["responses"][status].is_null());
    missing.map(|status| format!("no status {status}")).collect()
}

/// The schemas of both for what is sent and what is answered, where Klaviyo has one.
fn bodies<'a>(theirs: &'a Value, ours: &'a Value) -> Vec<(&'static str, &'a Value, &'a Value)> {
    fn schema(content: &Value) -> Option<&Value> {
        Some(&content.as_object()?.values().next()?["schema"])
    }
    let mut found = Vec::new();
    if let Some(specified) = schema(&theirs["requestBody"]) {
        let own = schema(&ours["requestBody"]["content"]).unwrap_or(&Value::Null);
        found.push(("request", specified, own));
    }
    for (status, content) in theirs["responses"].as_object().unwrap() {
        if let Some(specified) = schema(content) {
            let own = schema(&ours["responses"][status]["content"]).unwrap_or(&Value::Null);
            found.push(("response", specified, own));
        }
    }
    found
}

/// What may be at a place of a body, whichever alternative of the schema says so.
#[derive(Default)]
struct Place {
    types: BTreeSet<String>,
    values: BTreeSet<String>,
    required: BTreeSet<String>,
    /// Anything may be below it.
    is_open: bool,
}

fn shapes(theirs: (&Document, &Value), ours: (&Document, &Value), part: &str) -> Vec<String> {
    let places = |(document, schema): (&Document, &Value)| {
        let mut places = BTreeMap::new();
        walk(document, schema, String::new(), &mut Vec::new(), &mut places);
        places
    };
    let (theirs, ours) = (places(theirs), places(ours));
    let mut found = Vec::new();
    for (place, specified) in &theirs {
        let Some(own) = ours.get(place) else {
            // What is below something that is missing is not told again.
            let above = above(place);
            if ours.get(above).is_some_and(|above| above.is_open) {
                found.push(format!("{part} {above}"));
            } else if ours.contains_key(above) {
                found.push(format!("{part} {place}"));
            }
            continue;
        };
        if !own.values.is_empty() && !specified.values.is_subset(&own.values) {
            let missing: Vec<_> = specified.values.difference(&own.values).collect();
            // A kind of resource is what it is included as.
            let place = place.strip_suffix(".type").unwrap_or(place);
            found.push(format!("{part} {place} lacks {missing:?}"));
        }
        if !specified.types.is_empty() && !own.types.is_empty() && specified.types.is_disjoint(&own.types) {
            found.push(format!("{part} {place} is {:?} and not {:?}", own.types, specified.types));
        }
        if part == "request" {
            let more = own.required.difference(&specified.required);
            found.extend(more.map(|name| format!("more: {place}.{name}")));
        }
    }
    found.dedup();
    found
}

fn above(place: &str) -> &str {
    match place.strip_suffix("[]") {
        Some(above) => above,
        None => place.rsplit_once('.').map_or("", |(above, _)| above),
    }
}

fn walk(
    document: &Document,
    schema: &Value,
    place: String,
    within: &mut Vec<String>,
    places: &mut BTreeMap<String, Place>,
) {
    if let Some(reference) = schema["$ref"].as_str() {
        if !within.iter().any(|known| known == reference) {
            within.push(reference.to_owned());
            walk(document, document.referred(reference), place, within, places);
            within.pop();
        }
        return;
    }
    let alternatives: Vec<&Value> = ["oneOf", "anyOf", "allOf"]
        .iter()
        .filter_map(|name| schema[*name].as_array())
        .flatten()
        .filter(|alternative| alternative["type"] != "null")
        .collect();
    let types: BTreeSet<String> =
        schema["type"].as_str().map(str::to_owned).into_iter().chain(texts(&schema["type"])).collect();
    let properties = schema["properties"].as_object();
    let here = places.entry(place.clone()).or_default();
    here.is_open |= alternatives.is_empty()
        && properties.is_none()
        && (types.is_empty() || types.contains("object"))
        && schema["enum"].is_null();
    here.types.extend(types.into_iter().filter(|name| name != "null"));
    here.values.extend(texts(&schema["enum"]));
    here.required.extend(texts(&schema["required"]));
    for (name, property) in properties.into_iter().flatten() {
        walk(document, property, format!("{place}.{name}"), within, places);
    }
    if !schema["items"].is_null() {
        walk(document, &schema["items"], format!("{place}[]"), within, places);
    }
    for alternative in alternatives {
        walk(document, alternative, place.clone(), within, places);
    }
}
