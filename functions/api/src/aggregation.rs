//! Counting events by interval and dimensions. Pure, and exact: sums are decimal, profiles are told apart by their ids.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};

use canonical::money::{Decimal, decimal_from_json, decimal_to_json};
use serde_json::Value;
use store::StoredEvent;

use crate::aggregate_query::{Measure, Query, SortKey};
use crate::filter::{self, Filter, Operator};

/// The most cells, rows and members of sets that are kept: what fits into memory.
const MAX_KEPT: usize = 500_000;

/// There is more to keep than there is room, or a sum has more digits than a decimal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMuch;

/// What has been counted so far.
pub(crate) struct Aggregation<'a> {
    query: &'a Query,
    rows: HashMap<Vec<String>, Row>,
    /// Numbers of profiles, so that sets are small.
    profiles: HashMap<String, u32>,
    kept: usize,
    max_kept: usize,
}

/// One combination of dimensions.
#[derive(Default)]
pub(crate) struct Row {
    /// By the place of the interval.
    cells: BTreeMap<usize, Cell>,
    total: Cell,
}

#[derive(Default)]
struct Cell {
    count: u64,
    sum: Decimal,
    profiles: HashSet<u32>,
}

impl Cell {
    /// Returns by how much there is more to keep.
    fn add(&mut self, value: Decimal, profile: Option<u32>) -> Result<usize, TooMuch> {
        self.count += 1;
        self.sum = self.sum.checked_add(value).ok_or(TooMuch)?;
        Ok(profile.map_or(0, |profile| usize::from(self.profiles.insert(profile))))
    }

    fn measured(&self, measure: Measure) -> Decimal {
        match measure {
            Measure::Count => self.count.into(),
            Measure::SumValue => self.sum,
            Measure::Unique => self.profiles.len().into(),
        }
    }
}

impl Row {
    /// One number for each interval.
    pub(crate) fn values(&self, measure: Measure, intervals: usize) -> Vec<Value> {
        let of = |place| self.cells.get(&place).map_or(Decimal::ZERO, |cell: &Cell| cell.measured(measure));
        (0..intervals).map(|place| decimal_to_json(of(place))).collect()
    }
}

impl<'a> Aggregation<'a> {
    pub(crate) fn new(query: &'a Query) -> Self {
        let mut rows = HashMap::new();
        if query.by.is_empty() {
            // The one row is there even if nothing happened.
            rows.insert(Vec::new(), Row::default());
        }
        Self { query, rows, profiles: HashMap::new(), kept: 0, max_kept: MAX_KEPT }
    }

    /// An event, as far as the index tells of it.
    pub(crate) fn add_key(&mut self, profile_id: &str, at_ms: i64) -> Result<(), TooMuch> {
        self.add(Vec::new(), profile_id, at_ms, Decimal::ZERO)
    }

    /// An event. One whose dimension is a list counts for each of its different elements.
    pub(crate) fn add_event(&mut self, stored: &StoredEvent) -> Result<(), TooMuch> {
        if !self.query.conditions.iter().all(|condition| holds(condition, &texts(stored, &condition.field))) {
            return Ok(());
        }
        let combinations = self.combinations(stored)?;
        let value = stored.event.value.map_or(Decimal::ZERO, |value| value.amount);
        let at_ms = stored.event.occurred_at.as_millis();
        combinations
            .into_iter()
            .try_for_each(|dimensions| self.add(dimensions, &stored.profile_id, at_ms, value))
    }

    /// All combinations of an event's dimensions: one, if none of them is a list.
    fn combinations(&self, stored: &StoredEvent) -> Result<Vec<Vec<String>>, TooMuch> {
        let mut combinations = vec![Vec::new()];
        for name in &self.query.by {
            let mut texts = texts(stored, name);
            if texts.is_empty() {
                texts.push(String::new());
            }
            if combinations.len() * texts.len() > self.max_kept {
                return Err(TooMuch);
            }
            let mut longer = Vec::with_capacity(combinations.len() * texts.len());
            for before in &combinations {
                longer.extend(
                    texts.iter().map(|text| [before.as_slice(), std::slice::from_ref(text)].concat()),
                );
            }
            combinations = longer;
        }
        Ok(combinations)
    }

    fn add(
        &mut self,
        dimensions: Vec<String>,
        profile_id: &str,
        at_ms: i64,
        value: Decimal,
    ) -> Result<(), TooMuch> {
        let Some(place) = self.query.starts.partition_point(|start| *start <= at_ms).checked_sub(1) else {
            return Ok(());
        };
        let profile = self.query.asks_for(Measure::Unique).then(|| self.number_of(profile_id));
        let rows = self.rows.len();
        let row = self.rows.entry(dimensions).or_default();
        let cells = row.cells.len();
        let members =
            row.total.add(value, profile)? + row.cells.entry(place).or_default().add(value, profile)?;
        self.kept += members + row.cells.len() - cells;
        self.kept += self.rows.len() - rows;
        if self.kept > self.max_kept { Err(TooMuch) } else { Ok(()) }
    }

    fn number_of(&mut self, profile_id: &str) -> u32 {
        if let Some(number) = self.profiles.get(profile_id) {
            return *number;
        }
        let number = u32::try_from(self.profiles.len()).unwrap_or(u32::MAX);
        self.profiles.insert(profile_id.to_owned(), number);
        number
    }

    /// All rows in their order.
    pub(crate) fn into_rows(self) -> Vec<(Position, Row)> {
        let query = self.query;
        let mut rows: Vec<(Position, Row)> = self
            .rows
            .into_iter()
            .map(|(dimensions, row)| {
                let measured = match query.sort {
                    SortKey::Measure(measure) => row.total.measured(measure),
                    _ => Decimal::ZERO,
                };
                (Position { measured, dimensions }, row)
            })
            .collect();
        rows.sort_by(|(a, _), (b, _)| a.compare(b, query));
        rows
    }
}

/// Where a row is in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// What it is sorted by, if that is a measure.
    pub(crate) measured: Decimal,
    pub(crate) dimensions: Vec<String>,
}

impl Position {
    /// By what is asked, and then by the dimensions.
    pub(crate) fn compare(&self, other: &Self, query: &Query) -> Ordering {
        let asked = match query.sort {
            SortKey::Dimensions => Ordering::Equal,
            SortKey::Dimension(place) => self.dimensions.get(place).cmp(&other.dimensions.get(place)),
            SortKey::Measure(_) => self.measured.cmp(&other.measured),
        };
        let asked = if query.descending { asked.reverse() } else { asked };
        asked.then_with(|| self.dimensions.cmp(&other.dimensions))
    }
}

/// The value of a dimension as texts: none if it is not set or an object, several if it is a list. Nothing is sent from
/// here that something could be attributed to, so `$attributed_…` are set only where somebody sends them.
fn texts(stored: &StoredEvent, name: &str) -> Vec<String> {
    let event = &stored.event;
    match event.properties.get(name) {
        None if name == "$value_currency" => {
            let currency = event.value.and_then(|value| value.currency);
            currency.map(|currency| currency.as_str().to_owned()).into_iter().collect()
        }
        None => Vec::new(),
        Some(Value::Array(items)) => {
            let mut texts: Vec<String> = items.iter().filter_map(text_of).collect();
            texts.sort();
            texts.dedup();
            texts
        }
        Some(value) => text_of(value).into_iter().collect(),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number_text(&number.to_string())),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// 1.0 and 1 are one number.
fn number_text(text: &str) -> String {
    let number = canonical::money::decimal_from_str(text);
    number.map_or_else(|| text.to_owned(), |number| number.normalize().to_string())
}

fn holds(condition: &Filter, texts: &[String]) -> bool {
    let wanted = |value: &filter::Value| match value {
        filter::Value::Bare(text) if decimal_from_json(&Value::from(text.as_str())).is_some() => {
            number_text(text)
        }
        value => value.text().unwrap_or_default().to_owned(),
    };
    let all: Vec<String> = match &condition.value {
        filter::Value::List(values) => values.iter().map(wanted).collect(),
        value => vec![wanted(value)],
    };
    // Without a value is as with an empty one, as in the rows.
    let is = |text: &String| texts.contains(text) || (text.is_empty() && texts.is_empty());
    let any_text = |test: &dyn Fn(&str, &str) -> bool| {
        texts.iter().any(|text| all.iter().any(|wanted| test(text, wanted)))
    };
    let compares = |test: &dyn Fn(Decimal, Decimal) -> bool| {
        let number = |text: &str| canonical::money::decimal_from_str(text);
        any_text(&|text, wanted| {
            number(text).zip(number(wanted)).is_some_and(|(text, wanted)| test(text, wanted))
        })
    };
    match condition.operator {
        Operator::Equals | Operator::Any | Operator::ContainsAny => all.iter().any(is),
        Operator::ContainsAll => all.iter().all(is),
        Operator::Contains => any_text(&|text, wanted| text.contains(wanted)),
        Operator::StartsWith => any_text(&|text, wanted| text.starts_with(wanted)),
        Operator::EndsWith => any_text(&|text, wanted| text.ends_with(wanted)),
        Operator::Has => !texts.is_empty(),
        Operator::LessThan => compares(&|text, wanted| text < wanted),
        Operator::LessOrEqual => compares(&|text, wanted| text <= wanted),
        Operator::GreaterThan => compares(&|text, wanted| text > wanted),
        Operator::GreaterOrEqual => compares(&|text, wanted| text >= wanted),
    }
}

#[cfg(test)]
mod tests {
    use canonical::{Event, Instant, Money, Source};
    use jiff::tz::TimeZone;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::body::Fields;

    fn query(attributes: &Value) -> Query {
        let map = attributes.as_object().unwrap();
        Query::read(&Fields { map, pointer: String::new() }, None).unwrap()
    }

    fn event(profile: u8, at_ms: i64, cents: Option<i64>, brand: &Value) -> StoredEvent {
        let source = Source {
            platform: "api".to_owned(),
            connection: String::new(),
            topic: "events".to_owned(),
            delivery_id: "d".to_owned(),
        };
        let occurred_at = Instant::from_millis(at_ms).unwrap();
        let mut event = Event::new(&source, canonical::Metric::PlacedOrder, &["1"], occurred_at);
        let euros = |cents| Money::new(Decimal::new(cents, 2), "EUR".parse().unwrap());
        event.value = cents.map(euros);
        event.properties.insert("Brand".to_owned(), brand.clone());
        let profile_id = format!("p{profile}");
        StoredEvent { profile_id, metric_id: "MMMMMM".to_owned(), ingested_at: occurred_at, event }
    }

    #[test]
    fn conditions_see_texts_numbers_and_elements_of_lists() {
        for (brand, filter, expected) in [
            (json!("Acme"), "equals(Brand,'Acme')", true),
            (json!("Acme"), "equals(Brand,\"Other\")", false),
            (json!("Acme"), "any(Brand,['Other','Acme'])", true),
            (json!("Acme"), "contains(Brand,'cm')", true),
            (json!("Acme"), "starts-with(Brand,'Ac')", true),
            (json!("Acme"), "ends-with(Brand,'Ac')", false),
            (json!("Acme"), "has(Brand)", true),
            (json!(null), "has(Brand)", false),
            (json!(null), "equals(Brand,'')", true),
            (json!({"a": 1}), "equals(Brand,'')", true),
            (json!(7.0), "equals(Brand,7)", true),
            (json!(7), "greater-or-equal(Brand,7.0)", true),
            (json!(7), "greater-than(Brand,7)", false),
            (json!(6.9), "less-than(Brand,7)", true),
            (json!(7), "less-or-equal(Brand,6.99)", false),
            (json!(true), "equals(Brand,true)", true),
            (json!(["a", "b"]), "equals(Brand,'b')", true),
            (json!(["a", "b"]), "contains-any(Brand,['c','b'])", true),
            (json!(["a", "b"]), "contains-all(Brand,['a','b'])", true),
            (json!(["a", "b"]), "contains-all(Brand,['a','c'])", false),
        ] {
            let stored = event(1, 0, None, &brand);
            let condition = &filter::parse(filter).unwrap()[0];
            assert_eq!(holds(condition, &texts(&stored, "Brand")), expected, "{filter} of {brand}");
        }
    }

    #[test]
    fn what_does_not_fit_into_memory_is_refused() {
        let query = query(&json!({
            "metric_id": "MMMMMM", "measurements": ["unique"], "by": ["Brand"],
            "filter": ["greater-or-equal(datetime,2026-01-01),less-than(datetime,2026-02-01)"],
        }));
        let mut counted = Aggregation { max_kept: 10, ..Aggregation::new(&query) };
        let at_ms = query.starts[3];
        for profile in 0..4 {
            // A row and a cell once, and then two places in sets.
            counted.add_event(&event(profile, at_ms, None, &json!("Acme"))).unwrap();
        }
        assert_eq!(counted.add_event(&event(4, at_ms, None, &json!("Acme"))), Err(TooMuch));
        let many: Vec<String> = (0..11).map(|place| place.to_string()).collect();
        let mut counted = Aggregation { max_kept: 10, ..Aggregation::new(&query) };
        assert_eq!(counted.add_event(&event(0, at_ms, None, &json!(many))), Err(TooMuch));
        let huge = Money { amount: Decimal::MAX, currency: None };
        let mut stored = event(0, at_ms, None, &json!("Acme"));
        stored.event.value = Some(huge);
        let mut counted = Aggregation::new(&query);
        counted.add_event(&stored).unwrap();
        assert_eq!(counted.add_event(&stored), Err(TooMuch));
    }

    /// What a clock on the wall shows, without any list of intervals.
    fn label(interval: &str, at_ms: i64, zone: &TimeZone) -> String {
        let shown = Instant::from_millis(at_ms).unwrap().timestamp().to_zoned(zone.clone());
        let format = match interval {
            "hour" => "%F %H %z",
            "day" => "%F",
            "week" => "%G-%V",
            _ => "%Y-%m",
        };
        shown.strftime(format).to_string()
    }

    proptest! {
        #[test]
        fn counts_sums_and_profiles_are_those_of_a_naive_computation(
            events in prop::collection::vec(
                (0_u8..6, 0_i64..40 * 86_400_000, prop::option::of(-5_000_i64..5_000), 0_usize..5),
                0..60,
            ),
            begin in prop::sample::select(vec!["2026-03-10T00:00:00", "2026-10-10T05:30:00", "2026-06-01"]),
            zone_name in prop::sample::select(vec!["Europe/Paris", "America/New_York", "Asia/Kolkata", "UTC"]),
            interval in prop::sample::select(vec!["hour", "day", "week", "month"]),
            grouped in any::<bool>(),
        ) {
            let zone = TimeZone::get(zone_name).unwrap();
            let brands = [json!("Acme"), json!(null), json!(["Acme", "Blue", "Acme"]), json!(7), json!([])];
            let query = query(&json!({
                "metric_id": "MMMMMM", "measurements": ["count", "sum_value", "unique"], "interval": interval,
                "by": if grouped { json!(["Brand"]) } else { json!(null) }, "timezone": zone_name,
                "filter": [format!("greater-or-equal(datetime,{begin})"), "less-than(datetime,2026-12-01)"],
            }));
            let events: Vec<StoredEvent> = events
                .iter()
                .map(|(profile, offset, cents, brand)| {
                    event(*profile, query.range.0 + offset, *cents, &brands[*brand])
                })
                .collect();
            let mut counted = Aggregation::new(&query);
            for event in &events {
                counted.add_event(event).unwrap();
            }
            let mut found: BTreeMap<(Vec<String>, String), (Value, Value, Value)> = BTreeMap::new();
            for (position, row) in counted.into_rows() {
                let [count, sum, unique] = [Measure::Count, Measure::SumValue, Measure::Unique]
                    .map(|measure| row.values(measure, query.starts.len()));
                for (place, start) in query.starts.iter().enumerate() {
                    if count[place] != json!(0) {
                        let key = (position.dimensions.clone(), label(interval, *start, &zone));
                        let cell = (count[place].clone(), sum[place].clone(), unique[place].clone());
                        prop_assert!(found.insert(key, cell).is_none());
                    }
                }
            }
            let mut naive: BTreeMap<(Vec<String>, String), Vec<&StoredEvent>> = BTreeMap::new();
            for event in &events {
                let groups: &[&str] = match &event.event.properties["Brand"] {
                    _ if !grouped => &["-"],
                    Value::Array(list) if !list.is_empty() => &["Acme", "Blue"],
                    Value::String(_) => &["Acme"],
                    Value::Number(_) => &["7"],
                    _ => &[""],
                };
                for group in groups {
                    let dimensions = if grouped { vec![(*group).to_owned()] } else { Vec::new() };
                    let label = label(interval, event.event.occurred_at.as_millis(), &zone);
                    naive.entry((dimensions, label)).or_default().push(event);
                }
            }
            let naive: BTreeMap<_, _> = naive
                .into_iter()
                .map(|(key, events)| {
                    let profiles: std::collections::BTreeSet<&String> =
                        events.iter().map(|event| &event.profile_id).collect();
                    let sum: Decimal = events.iter().filter_map(|event| Some(event.event.value?.amount)).sum();
                    (key, (json!(events.len()), decimal_to_json(sum), json!(profiles.len())))
                })
                .collect();
            prop_assert_eq!(found, naive);
        }
    }
}
