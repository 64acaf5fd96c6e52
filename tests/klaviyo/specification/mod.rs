//! Klaviyo's OpenAPI specification: each operation that is covered, asked as its own examples say, answers as it declares.

mod compared;
mod document;
mod world;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::specification::document::Specification;
use crate::specification::world::World;
use crate::start;

/// What must have been done for an answer to have something in it: by another operation, with the same ids.
const BEFORE: &[(&str, &str)] = &[
    ("get_categories_for_catalog_item", "add_categories_to_catalog_item"),
    ("get_category_ids_for_catalog_item", "add_categories_to_catalog_item"),
    ("get_item_ids_for_catalog_category", "add_items_to_catalog_category"),
    ("get_items_for_catalog_category", "add_items_to_catalog_category"),
    ("get_list_ids_for_profile", "add_profiles_to_list"),
    ("get_list_ids_for_tag", "tag_lists"),
    ("get_lists_for_profile", "add_profiles_to_list"),
    ("get_profile_ids_for_list", "add_profiles_to_list"),
    ("get_profiles_for_list", "add_profiles_to_list"),
    ("get_segment_ids_for_tag", "tag_segments"),
    ("get_tag_ids_for_list", "tag_lists"),
    ("get_tag_ids_for_segment", "tag_segments"),
    ("get_tag_ids_for_tag_group", "create_tag"),
    ("get_tags_for_list", "tag_lists"),
    ("get_tags_for_segment", "tag_segments"),
    ("get_tags_for_tag_group", "create_tag"),
    ("get_variant_ids_for_catalog_item", "create_catalog_variant"),
    ("get_variants_for_catalog_item", "create_catalog_variant"),
];

/// Collections that may be empty here: nobody is in a segment at once, good rows leave no errors, and there
/// are no flows.
const EMPTY: &[&str] = &[
    "get_flows_triggered_by_metric",
    "get_ids_for_flows_triggered_by_metric",
    "get_errors_for_bulk_import_profiles_job",
    "get_profile_ids_for_bulk_import_profiles_job",
    "get_profile_ids_for_segment",
    "get_profiles_for_bulk_import_profiles_job",
    "get_profiles_for_segment",
    "get_segment_ids_for_profile",
    "get_segments_for_profile",
];

/// Where the examples do not lead: a mapped metric is either a metric or a custom one, and they make it a metric. The tests
/// of the API ask these.
const ELSEWHERE: &[&str] = &["get_custom_metric_for_mapped_metric", "get_custom_metric_id_for_mapped_metric"];

#[tokio::test]
async fn every_covered_operation_answers_its_own_example_as_it_is_declared() {
    let stack = start().await;
    let specification = Specification::read();
    let ours = ours();
    let mut complaints = BTreeMap::new();
    let mut asked = 0;
    for operation in specification.operations() {
        if !ours.contains(&operation.id) || ELSEWHERE.contains(&operation.id.as_str()) {
            continue;
        }
        asked += 1;
        let mut world = World::new(stack.api(), &specification);
        if let Some((_, before)) = BEFORE.iter().find(|(after, _)| *after == operation.id) {
            let done = world.ask(specification.operation(before)).await;
            assert!((200..300).contains(&done.status), "{before}: {} {}", done.status, done.body);
        }
        if operation.is_collection() {
            world.fill(operation).await;
        }
        let reply = world.ask(operation).await;
        let mut wrong = specification.complaints(operation, &reply);
        let empty = reply.body["data"].as_array().is_some_and(Vec::is_empty);
        if empty && !EMPTY.contains(&operation.id.as_str()) {
            wrong.push("there is nothing in it".to_owned());
        }
        if !wrong.is_empty() {
            complaints.insert(&operation.id, wrong.join("\n    "));
        }
    }
    let told: Vec<String> = complaints.iter().map(|(id, wrong)| format!("{id}:\n    {wrong}")).collect();
    assert!(told.is_empty(), "{} of {asked} operations:\n{}", told.len(), told.join("\n"));
    assert!(asked > 40, "only {asked} are named as Klaviyo names them");
}

/// What `cut.py` left.
fn whole() -> Value {
    serde_json::from_str(include_str!("openapi.min.json")).unwrap()
}

fn our_document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../functions/api/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The operations that our own document declares.
fn ours() -> Vec<String> {
    let document = our_document();
    let methods = document["paths"].as_object().unwrap().values().filter_map(Value::as_object).flatten();
    methods.filter_map(|(_, operation)| Some(operation["operationId"].as_str()?.to_owned())).collect()
}
