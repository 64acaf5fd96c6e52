//! All that two stacks have stored, item by item.
//!
//! Left out is what tells how it came about and not what is so: when something was written and how often, which of
//! several deliveries told it first, and which of a person's identifiers arrived first. A profile's id follows from that
//! one, so profiles are named by their address; those that merged into another are that other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value, json};
use tests::Stack;

type Item = HashMap<String, AttributeValue>;

/// The items by table and key.
pub(crate) type Storage = BTreeMap<String, Value>;

pub(crate) async fn storage(stack: &Stack) -> Storage {
    let (profiles, orders) = (stack.items("ProfilesTable").await, stack.items("OrdersTable").await);
    let names = Names::of(&profiles);
    let told = profiles.iter().filter_map(profiles_item).chain(orders.iter().filter_map(orders_item));
    let mut storage = Storage::new();
    for (key, item) in told {
        let (key, item) =
            (names.in_text(&key), serde_json::from_str(&names.in_text(&item.to_string())).unwrap());
        if let Some(other) = storage.insert(key.clone(), item) {
            // Twice under one name: a profile that is there twice, say.
            storage.insert(format!("{key} again"), other);
        }
    }
    storage
}

/// What is missing, what is too much, and what is different.
pub(crate) fn differences(expected: &Storage, found: &Storage) -> Vec<String> {
    let keys: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let differ = keys.into_iter().filter(|key| expected.get(*key) != found.get(*key));
    let show = |item: Option<&Value>| item.map_or_else(|| "nothing".to_owned(), Value::to_string);
    differ
        .map(|key| {
            format!("{key}\n  expected {}\n  found    {}", show(expected.get(key)), show(found.get(key)))
        })
        .collect()
}

/// How many items there are of each kind.
pub(crate) fn counts(storage: &Storage) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for key in storage.keys() {
        *counts.entry(key.split(' ').next().unwrap()).or_default() += 1;
    }
    counts
}

/// What profiles are called, by their ids.
struct Names(HashMap<String, String>);

impl Names {
    fn of(profiles: &[Item]) -> Self {
        let (mut names, mut merged) = (HashMap::new(), HashMap::new());
        for item in profiles.iter().filter(|item| text(item, "sk") == "profile") {
            let id = text(item, "pk").trim_start_matches("p#").to_owned();
            let document = document(item);
            match document["email"].as_str().or(document["phone_number"].as_str()) {
                Some(name) => drop(names.insert(id, name.to_owned())),
                None => drop(merged.insert(id, text(item, "merged_into").to_owned())),
            }
        }
        for id in merged.keys() {
            let mut last = id;
            while let Some(next) = merged.get(last) {
                last = next;
            }
            if let Some(name) = names.get(last).cloned() {
                names.insert(id.clone(), name);
            }
        }
        Self(names)
    }

    fn in_text(&self, text: &str) -> String {
        let is_word = |letter: char| letter.is_ascii_alphanumeric();
        let mut named = String::with_capacity(text.len());
        for part in text.split_inclusive(|letter| !is_word(letter)) {
            let word = part.trim_end_matches(|letter| !is_word(letter));
            named.push_str(self.0.get(word).map_or(word, String::as_str));
            named.push_str(&part[word.len()..]);
        }
        named
    }
}

fn profiles_item(item: &Item) -> Option<(String, Value)> {
    let (partition, sort) = (text(item, "pk"), text(item, "sk"));
    let (kind, told) = match sort.split('#').next()? {
        "profile" if item.contains_key("merged_into") => return None,
        "profile" => ("profile", person(document(item))),
        "e" => ("event", json!({"metric": text(item, "m"), "event": event(document(item))})),
        "s" => ("member", json!(sort == format!("s#{}", text(item, "seg")) && !item.contains_key("until"))),
        // The bytes say what time it was; memberships and the next instant say what came of them.
        "state" => ("due", json!(text(item, "due_at"))),
        // How it came about.
        "h" | "tick" => return None,
        _ if partition.starts_with("i#") => ("identifier", json!(text(item, "profile"))),
        _ => panic!("an item of no known kind: {item:?}"),
    };
    // A membership that ended, or that was passed through on the way, is none.
    (told != json!(false)).then(|| (format!("{kind} {partition} {sort}"), told))
}

fn orders_item(item: &Item) -> Option<(String, Value)> {
    let (partition, sort) = (text(item, "pk"), text(item, "sk"));
    if sort != "ledger" {
        // Who waits for whom, and large bodies: nobody waits in the end.
        return None;
    }
    let mut ledger = document(item);
    if let Some(parked) = ledger["parked"].as_array_mut() {
        for waiting in parked {
            *waiting = event(waiting.take());
        }
    }
    Some((format!("ledger {partition}"), ledger))
}

fn person(mut profile: Value) -> Value {
    // A value that is only repeated keeps its older stamp: which of them came first shows there.
    without(&mut profile, &["created_at", "updated_at", "stamps"]);
    for consent in profile["consent"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        without(consent, &["recorded_at"]);
    }
    profile
}

fn event(mut event: Value) -> Value {
    without(&mut event["source"], &["topic", "delivery_id"]);
    event
}

fn document(item: &Item) -> Value {
    serde_json::from_str(text(item, "doc")).unwrap_or_default()
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

fn without(value: &mut Value, names: &[&str]) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !names.contains(&name.as_str()));
    }
}
