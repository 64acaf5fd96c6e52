//! Memberships that are carried on incrementally equal those of a fresh look at everything, at every
//! instant, whatever happens in whatever order.

use std::collections::BTreeSet;

use canonical::fact::{Channel, ConsentStatus};
use canonical::profile::{Consent, Suppression};
use canonical::{Instant, Profile};
use jiff::tz::TimeZone;
use predictions::Model;
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;
use segments::{Account, Cause, Definition, Event, Needs, Program, Segment, State, Transition, naive};
use serde_json::{Map, Value, json};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn millis(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn comparison() -> impl Strategy<Value = &'static str> {
    select(vec![
        "equals",
        "not-equals",
        "greater-than",
        "greater-than-or-equal",
        "less-than",
        "less-than-or-equal",
    ])
}

fn static_date() -> impl Strategy<Value = String> {
    select(vec![
        "2024-02-28",
        "2024-02-29T00:00:00Z",
        "2024-03-10",
        "2024-03-31T00:00:00",
        "2023-10-29",
        "2024-03-01T12:30:00Z",
        "2024-03-10T02:30:00",
        "2024-11-03",
        "2024-03-30T23:00:00Z",
        "2023-03-01",
    ])
    .prop_map(ToOwned::to_owned)
}

fn amount_of_time() -> impl Strategy<Value = (&'static str, i64)> {
    prop_oneof![
        4 => (Just("day"), 0..5_i64),
        2 => (Just("hour"), 0..50_i64),
        1 => (Just("week"), 0..3_i64),
        1 => (Just("day"), 360..366_i64),
        1 => (Just("month"), 0..4_i64),
    ]
}

/// The date filters that both events and profiles have.
fn date_filter() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => (select(vec!["before", "after"]), static_date())
            .prop_map(|(operator, date)| json!({"type": "date", "operator": operator, "date": date})),
        1 => (static_date(), static_date())
            .prop_map(|(start, end)| json!({"type": "date", "operator": "between-static", "start": start, "end": end})),
        6 => (select(vec!["in-the-last", "at-least", "in-the-next"]), amount_of_time()).prop_map(
            |(operator, (unit, quantity))| json!({"type": "date", "operator": operator, "unit": unit, "quantity": quantity})),
        3 => (amount_of_time(), 0..5_i64).prop_map(|((unit, start), more)| {
            json!({"type": "date", "operator": "between", "unit": unit, "start": start, "end": start + more})
        }),
        2 => (select(vec!["anniversary-last", "anniversary-next"]), amount_of_time()).prop_map(
            |(operator, (unit, quantity))| json!({"type": "date", "operator": operator, "unit": unit, "quantity": quantity})),
    ]
}

fn profile_date_filter() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => date_filter(),
        1 => select(vec!["anniversary", "anniversary-month"])
            .prop_map(|operator| json!({"type": "date", "operator": operator})),
        1 => (1..=12).prop_map(|month| json!({"type": "date", "operator": "calendar-month", "value": month})),
    ]
}

fn metric_filters() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!([]),
        json!([{"property": "Color", "filter": {"type": "string", "operator": "equals", "value": "red"}}]),
        json!([{"property": "Color", "filter": {"type": "string", "operator": "not-equals", "value": "red"}}]),
        json!([{"property": "$value", "filter": {"type": "numeric", "operator": "greater-than", "value": 1.5}}]),
        json!([
            {"property": "Color", "filter": {"type": "existence", "operator": "is-set"}},
            {"property": "$value", "filter": {"type": "existence", "operator": "is-set"}},
        ]),
        json!([{"property": "Items[].Color", "filter": {"type": "string", "operator": "equals", "value": "red"}}]),
        json!([{"property": "Items[].Color", "filter": {"type": "existence", "operator": "not-set"}}]),
        json!([{"property": "Trip.Begins", "filter": {"type": "date", "operator": "after", "date": "2024-02-29"}}]),
    ])
}

/// One metric, several, or those of all platforms.
fn metric() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        6 => select(vec!["Orders", "Views"]).prop_map(|id| ("metric_id", json!(id))),
        1 => Just(("metric_ids", json!(["Views", "Orders"]))),
        1 => select(vec!["Placed Order", "Viewed Product"]).prop_map(|name| ("metric_name", json!(name))),
    ]
}

fn metric_condition() -> impl Strategy<Value = Value> {
    let timeframe = prop_oneof![
        1 => Just(json!({"type": "date", "operator": "alltime"})),
        5 => date_filter(),
    ];
    (
        metric(),
        select(vec!["count", "count", "sum"]),
        comparison(),
        select(vec![json!(0), json!(1), json!(2), json!(3), json!(1.5), json!(-1)]),
        prop_oneof![
            9 => (timeframe, metric_filters()),
            // A date of the event that moves with the present.
            2 => profile_date_filter().prop_map(|filter| {
                (json!({"type": "date", "operator": "alltime"}), json!([{"property": "Trip.Begins", "filter": filter}]))
            }),
        ],
    )
        .prop_map(|((key, metric), measurement, operator, value, (timeframe, filters))| {
            json!({
                "type": "profile-metric", key: metric, "measurement": measurement,
                "measurement_filter": {"type": "numeric", "operator": operator, "value": value},
                "timeframe_filter": timeframe, "metric_filters": filters,
            })
        })
}

fn funnel_condition() -> impl Strategy<Value = Value> {
    let step = (prop::bool::weighted(0.7), metric(), metric_filters()).prop_map(|(exists, (key, metric), filters)| {
        json!({"metric_exists": exists, key: metric, "metric_filters": filters})
    });
    let window =
        select(vec![json!(null), json!("HOURS_1"), json!("DAYS_1"), json!("DAYS_3"), json!("YEARS_1")]);
    (date_filter(), window, prop::collection::vec(step, 1..4)).prop_map(|(timeframe, window, mut steps)| {
        steps[0]["metric_exists"] = json!(true);
        json!({
            "type": "profile-metric-funnel", "timeframe_filter": timeframe,
            "completion_window_seconds": window, "steps": steps,
        })
    })
}

fn prediction_condition() -> impl Strategy<Value = Value> {
    let number = (
        select(vec![
            ("churn_probability", json!(0.3)),
            ("churn_probability", json!(0.9)),
            ("predicted_number_of_orders", json!(0.5)),
            ("predicted_clv", json!(2)),
            ("total_clv", json!(5)),
            ("historic_clv", json!(3)),
            ("historic_number_of_orders", json!(2)),
            ("average_order_value", json!(1.5)),
            ("average_days_between_orders", json!(1)),
        ]),
        comparison(),
    )
        .prop_map(|((dimension, value), operator)| {
            json!({
                "type": "profile-predictive-analytics", "dimension": dimension,
                "filter": {"type": "numeric", "operator": operator, "value": value},
            })
        });
    let date = profile_date_filter().prop_map(|filter| {
        json!({
            "type": "profile-predictive-analytics", "dimension": "expected_date_of_next_purchase", "filter": filter,
        })
    });
    prop_oneof![3 => number, 1 => date]
}

/// Lists, and segments, which may ask about others in turn.
fn group_condition() -> impl Strategy<Value = Value> {
    let groups = select(vec![
        json!(["NEWS"]),
        json!(["NEWS", "SEG000"]),
        json!(["SEG000"]),
        json!(["SEG001"]),
        json!(["SEG000", "SEG002"]),
    ]);
    let joined = prop_oneof![
        (select(vec!["in-the-last", "at-least", "in-the-next"]), amount_of_time()).prop_map(
            |(operator, (unit, quantity))| json!({"type": "date", "operator": operator, "unit": unit, "quantity": quantity})),
        static_date().prop_map(|date| json!({"type": "date", "operator": "before", "date": date})),
    ];
    prop_oneof![
        3 => (groups, any::<bool>()).prop_map(
            |(ids, is_member)| json!({"type": "profile-group-membership", "is_member": is_member, "group_ids": ids})),
        1 => joined.prop_map(|joined| json!({
            "type": "profile-group-membership", "is_member": true, "group_ids": ["NEWS", "VIP"],
            "timeframe_filter": joined,
        })),
    ]
}

fn permission_condition() -> impl Strategy<Value = Value> {
    let channel = select(vec!["whatsapp_marketing", "whatsapp_transactional"]);
    let filter = prop_oneof![
        (select(vec!["effective_date", "recorded_date"]), profile_date_filter())
            .prop_map(|(field, filter)| json!({"field": field, "filter": filter})),
        Just(json!({"field": "subscribe_method", "method": "checkout"})),
    ];
    let filtered =
        (select(vec!["explicitly_reachable", "explicitly_unreachable"]), prop::collection::vec(filter, 0..3))
            .prop_map(|(status, filters)| json!({"reachable_status": status, "filters": filters}));
    let plain = select(vec![
        "implicitly_reachable",
        "implicitly_or_explicitly_reachable",
        "implicitly_unreachable",
        "implicitly_or_explicitly_unreachable",
    ])
    .prop_map(|status| json!({"reachable_status": status}));
    (channel, prop_oneof![3 => filtered, 1 => plain]).prop_map(|(channel, permission)| {
        json!({"type": "profile-permissions", "channel": channel, "permission": permission})
    })
}

fn place_condition() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"type": "profile-region", "in_region": true, "region": "united_states"}),
        json!({"type": "profile-region", "in_region": false, "region": "european_union"}),
        json!({"type": "profile-postal-code-distance", "country_code": "US", "postal_code": "10001",
               "unit": "miles", "filter": {"type": "numeric", "operator": "less-than", "value": 100}}),
        json!({"type": "profile-postal-code-distance", "country_code": "US", "postal_code": "94103",
               "unit": "kilometers", "filter": {"type": "numeric", "operator": "greater-than", "value": 20.5}}),
        json!({"type": "profile-sample", "percentage": 50}),
        json!({"type": "profile-sample", "percentage": 99.99, "seed": "winter"}),
    ])
}

fn property_condition() -> impl Strategy<Value = Value> {
    let plain = select(vec![
        json!({"type": "profile-property", "property": "properties['Tier']",
               "filter": {"type": "string", "operator": "not-equals", "value": "Gold"}}),
        json!({"type": "profile-property", "property": "properties['Tier']",
               "filter": {"type": "existence", "operator": "not-set"}}),
        json!({"type": "profile-property", "property": "properties['Tier']",
               "filter": {"type": "string", "operator": "in", "value": ["Silver", "Gold"]}}),
    ]);
    let dated = (
        select(vec!["properties['Birthday']", "created", "updated", "properties['Tier']"]),
        profile_date_filter(),
    )
        .prop_map(
            |(property, filter)| json!({"type": "profile-property", "property": property, "filter": filter}),
        );
    prop_oneof![1 => plain, 3 => dated]
}

fn consent_condition() -> impl Strategy<Value = Value> {
    let filter = prop_oneof![
        3 => profile_date_filter().prop_map(|filter| json!({"field": "status_date", "filter": filter})),
        2 => profile_date_filter().prop_map(|filter| json!({"field": "bounce_date", "filter": filter})),
        1 => Just(json!({"field": "method", "method": "checkout"})),
        1 => Just(json!({"field": "bounce_date", "filter": {"type": "existence", "operator": "is-set"}})),
        1 => Just(json!({"field": "is_double_opt_in",
                         "filter": {"type": "boolean", "operator": "equals", "value": true}})),
    ];
    (
        select(vec!["email", "sms"]),
        any::<bool>(),
        select(vec!["any", "any", "subscribed", "unsubscribed", "never_subscribed"]),
        prop::collection::vec(filter, 0..3),
    )
        .prop_map(|(channel, can_receive, subscription, filters)| {
            json!({
                "type": "profile-marketing-consent",
                "consent": {
                    "channel": channel, "can_receive_marketing": can_receive,
                    "consent_status": {"subscription": subscription, "filters": filters},
                },
            })
        })
}

fn definition() -> impl Strategy<Value = Value> {
    let condition = prop_oneof![
        12 => metric_condition(),
        6 => property_condition(),
        3 => consent_condition(),
        4 => group_condition(),
        3 => funnel_condition(),
        3 => prediction_condition(),
        1 => permission_condition(),
        1 => place_condition(),
    ];
    let group =
        prop::collection::vec(condition, 1..3).prop_map(|conditions| json!({"conditions": conditions}));
    prop::collection::vec(group, 1..3).prop_map(|groups| json!({"condition_groups": groups}))
}

/// An instant near the present, most often at an edge.
fn distance() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => -6 * DAY..=DAY,
        2 => (-6..=3_i64, -1..=1_i64).prop_map(|(days, edge)| days * DAY + edge),
        2 => (-60..=60_i64, -1..=1_i64).prop_map(|(hours, edge)| hours * HOUR + edge),
        1 => 1..DAY,
        1 => -800 * DAY..=800 * DAY,
        1 => (0..3_i64).prop_map(|years| -years * 365 * DAY),
    ]
}

#[derive(Clone, Debug)]
struct MadeEvent {
    metric: &'static str,
    distance: i64,
    /// Round to the midnight (UTC) before.
    snap: bool,
    value: Option<i64>,
    color: Option<&'static str>,
    begins: Option<i64>,
}

fn event() -> impl Strategy<Value = MadeEvent> {
    (
        select(vec!["Orders", "Orders", "Views", "Other"]),
        distance(),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.8, -200..500_i64),
        select(vec![None, Some("red"), Some("blue")]),
        prop::option::of(distance()),
    )
        .prop_map(|(metric, distance, snap, value, color, begins)| MadeEvent {
            metric,
            distance,
            snap,
            value,
            color,
            begins,
        })
}

#[derive(Clone, Debug)]
struct MadeProfile {
    tier: Option<Value>,
    birthday: Option<i64>,
    email: bool,
    status: Option<ConsentStatus>,
    consented: i64,
    bounced: Option<i64>,
    joined: Option<i64>,
    place: Option<(&'static str, &'static str)>,
}

fn profile() -> impl Strategy<Value = MadeProfile> {
    (
        select(vec![
            None,
            Some(json!("Gold")),
            Some(json!("Silver")),
            Some(json!(5)),
            Some(json!("2024-03-10")),
        ]),
        prop::option::weighted(0.8, distance()),
        any::<bool>(),
        select(vec![None, Some(ConsentStatus::Subscribed), Some(ConsentStatus::Unsubscribed)]),
        distance(),
        prop::option::weighted(0.3, distance()),
        prop::option::weighted(0.6, distance()),
        select(vec![None, Some(("US", "10001")), Some(("United States", "94103")), Some(("DE", "10115"))]),
    )
        .prop_map(|(tier, birthday, email, status, consented, bounced, joined, place)| MadeProfile {
            tier,
            birthday,
            email,
            status,
            consented,
            bounced,
            joined,
            place,
        })
}

#[derive(Clone, Debug)]
enum Step {
    /// An event is stored; the stream will deliver it later.
    Store(MadeEvent),
    /// The stream delivers everything that was stored.
    Deliver,
    /// Both at once.
    Event(MadeEvent),
    Profile(MadeProfile),
    Pass(i64),
    /// To an instant so many milliseconds from the next due one.
    PassToDue(i64),
    Tick,
    /// Adds, edits or removes a segment.
    Edit(usize, Option<Value>),
    Account(AccountChange),
    /// Counts everything anew.
    Recount,
    EncodeDecode,
}

/// The account moves, or its orders taught something else.
#[derive(Clone, Debug)]
enum AccountChange {
    Zone(&'static str),
    Model(Option<Model>),
}

fn account_change() -> impl Strategy<Value = AccountChange> {
    prop_oneof![
        select(vec!["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu"])
            .prop_map(AccountChange::Zone),
        select(vec![None, Some(0.793), Some(1.4)]).prop_map(|a| AccountChange::Model(a.map(model))),
    ]
}

fn model(a: f64) -> Model {
    let purchases = json!({"r": 0.243, "alpha": 31.0, "a": a, "b": 2.426});
    let value = json!({"orders": "1.5", "sum": "4"});
    serde_json::from_value(json!({
        "version": predictions::VERSION, "fitted_day": 19_000, "customers": 1000, "purchases": purchases, "value": value,
    }))
    .unwrap()
}

/// A segment asks only about those before it.
fn acyclic(place: usize, mut definition: Value) -> Value {
    for group in definition["condition_groups"].as_array_mut().unwrap() {
        for condition in group["conditions"].as_array_mut().unwrap() {
            for id in condition.get_mut("group_ids").and_then(Value::as_array_mut).into_iter().flatten() {
                let asked = id.as_str().and_then(|id| id.strip_prefix("SEG")?.parse::<usize>().ok());
                if asked.is_some_and(|asked| asked >= place) {
                    *id = json!("NEWS");
                }
            }
        }
    }
    definition
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => event().prop_map(Step::Event),
        3 => event().prop_map(Step::Store),
        2 => Just(Step::Deliver),
        3 => profile().prop_map(Step::Profile),
        3 => prop_oneof![0..3 * DAY, 0..2 * HOUR, 0..400 * DAY, Just(0), -HOUR / 2..0].prop_map(Step::Pass),
        6 => (-1..=1_i64).prop_map(Step::PassToDue),
        1 => Just(Step::Tick),
        2 => (0..4_usize, prop::option::weighted(0.8, definition())).prop_map(|(place, edit)| Step::Edit(place, edit)),
        1 => account_change().prop_map(Step::Account),
        1 => Just(Step::Recount),
        3 => Just(Step::EncodeDecode),
    ]
}

/// An event that owns its parts.
#[derive(Clone, Debug)]
struct Stored {
    id: String,
    metric: &'static str,
    occurred: i64,
    ingested: i64,
    value: Option<Decimal>,
    properties: Map<String, Value>,
}

impl Stored {
    fn event(&self) -> Event<'_> {
        Event {
            id: &self.id,
            metric_id: self.metric,
            metric: if self.metric == "Views" { "Viewed Product" } else { "Placed Order" },
            occurred_ms: self.occurred,
            ingested_ms: self.ingested,
            value: self.value,
            properties: &self.properties,
        }
    }
}

struct World {
    account: Account,
    version: u64,
    definitions: Vec<(String, u64, Value)>,
    program: Program,
    state: State,
    profile: Profile,
    /// What the state has been told of.
    told: Vec<Stored>,
    /// What is stored, but not delivered yet; and what was delivered by a rebuild already.
    queue: Vec<(Stored, bool)>,
    /// As the machine's clock shows it: may go back.
    clock: i64,
    /// As the state knows it.
    now: i64,
    members: BTreeSet<String>,
}

fn segments_of(definitions: &[(String, u64, Value)]) -> Vec<Segment> {
    definitions
        .iter()
        .map(|(id, version, json)| Segment {
            id: id.clone(),
            version: *version,
            definition: Definition::parse(json).unwrap(),
        })
        .collect()
}

fn instant(millis: i64) -> Instant {
    Instant::from_millis(millis).unwrap()
}

impl World {
    fn new(zone: &str, start: i64, definitions: Vec<Value>) -> Self {
        let account = Account { zone: TimeZone::get(zone).unwrap(), model: Some(model(0.793)) };
        let definitions: Vec<_> = (0..)
            .zip(definitions)
            .map(|(place, json)| (format!("SEG{place:03}"), 1, acyclic(place, json)))
            .collect();
        let program = Program::compile(1, segments_of(&definitions), account.clone()).unwrap();
        let mut world = Self {
            account,
            version: 1,
            definitions,
            program,
            state: State::new(),
            profile: Profile::new("01J00000000000000000000000".to_owned(), instant(start - 3 * DAY)),
            told: Vec::new(),
            queue: Vec::new(),
            clock: start,
            now: start,
            members: BTreeSet::new(),
        };
        world.recount();
        world
    }

    fn naive(&self, now: i64) -> BTreeSet<String> {
        let events: Vec<Event<'_>> = self.told.iter().map(Stored::event).collect();
        naive::members(&segments_of(&self.definitions), &self.account, &self.profile, &events, now)
    }

    /// Time passes in the world; the state is told with the next call.
    fn passed(&mut self) -> i64 {
        let before = self.now;
        self.now = self.now.max(self.clock);
        before
    }

    /// Follows transitions, of which those by time must be exact; before anything else they must also be complete.
    fn follow(&mut self, transitions: Vec<Transition>, before: i64) {
        let by_time: Vec<_> = transitions.iter().filter(|one| one.cause == Cause::Time).cloned().collect();
        assert!(by_time.is_sorted_by_key(|one| one.at_ms));
        for one in &by_time {
            assert!(one.at_ms > before && one.at_ms <= self.now, "{one:?} not in {before}..={}", self.now);
            assert_eq!(self.naive(one.at_ms).contains(&one.segment_id), one.entered, "at {one:?}");
            assert_eq!(self.naive(one.at_ms - 1).contains(&one.segment_id), !one.entered, "before {one:?}");
        }
        for probe in 0..4 {
            let at = before + (self.now - before) / 4 * probe;
            let mut expected = self.members.clone();
            for one in by_time.iter().filter(|one| one.at_ms <= at) {
                if one.entered {
                    expected.insert(one.segment_id.clone())
                } else {
                    expected.remove(&one.segment_id)
                };
            }
            assert_eq!(self.naive(at), expected, "probe at {at}");
        }
        self.apply(transitions);
    }

    fn apply(&mut self, transitions: Vec<Transition>) {
        for one in transitions {
            let changed = if one.entered {
                self.members.insert(one.segment_id.clone())
            } else {
                self.members.remove(&one.segment_id)
            };
            assert!(changed, "{one:?} changes nothing");
        }
        let found: BTreeSet<String> = self.state.members().map(ToOwned::to_owned).collect();
        assert_eq!(found, self.members, "the transitions tell all changes");
    }

    fn tick(&mut self) {
        let before = self.passed();
        let transitions = self.program.tick(&mut self.state, &self.profile, self.clock);
        self.follow(transitions, before);
    }

    fn recount(&mut self) {
        self.passed();
        for (event, is_told) in &mut self.queue {
            if !*is_told {
                self.told.push(event.clone());
                *is_told = true;
            }
        }
        let mut events: Vec<Event<'_>> = self.told.iter().map(Stored::event).collect();
        events.extend_from_within(..events.len() / 2);
        events.reverse();
        let now = self.clock;
        let transitions =
            self.program.rebuild(&mut self.state, &self.profile, Some(&events), Cause::Definition, now);
        self.apply(transitions);
    }

    fn deliver(&mut self) {
        // The queue is older than the present: everything that is due happens first.
        self.tick();
        for (event, is_told) in std::mem::take(&mut self.queue) {
            let before = self.passed();
            let transitions = self.program.apply_event(&mut self.state, &event.event(), self.clock);
            if is_told {
                assert_eq!(transitions, [], "counted by the rebuild already");
            } else {
                let (by_time, others): (Vec<_>, Vec<_>) =
                    transitions.into_iter().partition(|one| one.cause == Cause::Time);
                assert!(by_time.is_empty() || before < self.now);
                let at = if event.occurred > self.now {
                    event.ingested
                } else {
                    event.ingested.max(event.occurred)
                };
                for one in &others {
                    assert_eq!(one.cause, Cause::Event(event.id.clone()));
                    assert_eq!(one.at_ms, at);
                }
                self.told.push(event);
                self.apply(others);
            }
        }
    }

    fn bring_up(&mut self) {
        match self.program.needs(&self.state) {
            Needs::History | Needs::NewerProgram => {
                let mut untouched = self.state.clone();
                assert_eq!(self.program.tick(&mut untouched, &self.profile, self.clock), []);
                assert_eq!(untouched, self.state);
                self.recount();
            }
            Needs::Profile | Needs::Nothing => {
                self.passed();
                let transitions =
                    self.program.rebuild(&mut self.state, &self.profile, None, Cause::Definition, self.clock);
                self.apply(transitions);
            }
        }
        assert_eq!(self.program.needs(&self.state), Needs::Nothing);
        assert_eq!(self.state.program_version(), self.version);
    }

    fn store(&mut self, event: MadeEvent, number: usize) {
        let mut properties = Map::new();
        if let Some(color) = event.color {
            properties.insert("Color".to_owned(), json!(color));
            properties.insert("Items".to_owned(), json!([{"Color": "green"}, {"Color": color}, {"Size": 4}]));
        }
        if let Some(begins) = event.begins {
            let at = jiff::Timestamp::from_millisecond(self.clock + begins).unwrap().to_string();
            let text = if begins % 3 == 0 { &at[..10] } else { &at };
            properties.insert("Trip".to_owned(), json!({"Begins": text}));
        }
        let mut occurred = self.clock + event.distance;
        if event.snap {
            occurred -= occurred.rem_euclid(DAY);
        }
        let value = event.value.map(|value| Decimal::new(value, 2));
        let id = format!("event-{number}");
        let ingested = self.clock;
        let stored = Stored { id, metric: event.metric, occurred, ingested, value, properties };
        self.queue.push((stored, false));
    }

    fn change(&mut self, change: MadeProfile) {
        let now = self.clock;
        let mut properties = Map::new();
        if let Some(tier) = change.tier {
            properties.insert("Tier".to_owned(), tier);
        }
        if let Some(birthday) = change.birthday {
            let at = jiff::Timestamp::from_millisecond(now + birthday).unwrap();
            let text = if birthday % 2 == 0 { at.to_string()[..10].to_owned() } else { at.to_string() };
            properties.insert("Birthday".to_owned(), json!(text));
        }
        self.profile.attributes.insert("properties".to_owned(), Value::Object(properties));
        if let Some((country, zip)) = change.place {
            self.profile.attributes.insert("location".to_owned(), json!({"country": country, "zip": zip}));
        }
        self.profile.lists =
            change.joined.map(|joined| ("NEWS".to_owned(), instant(now + joined))).into_iter().collect();
        self.profile.phone_number = change.email.then(|| "+15005550006".to_owned());
        self.profile.email = change.email.then(|| "ada@example.com".to_owned());
        self.profile.consent.clear();
        if let Some(status) = change.status {
            let consent = Consent {
                status,
                at: Some(instant(now + change.consented)),
                recorded_at: change.bounced.is_none().then(|| instant(now)),
                method: Some("checkout".to_owned()),
                double_opt_in: change.consented % 2 == 0,
                suppressions: change
                    .bounced
                    .map(|at| Suppression { reason: "HARD_BOUNCE".to_owned(), at: instant(now + at) })
                    .into_iter()
                    .collect(),
                ..Consent::default()
            };
            if change.consented % 3 == 0 {
                self.profile.consent.insert(Channel::WhatsappMarketing, consent.clone());
            }
            self.profile.consent.insert(Channel::Email, consent);
        }
        self.profile.updated_at = instant(now);
    }

    fn compile(&mut self) {
        let segments = segments_of(&self.definitions);
        self.program = Program::compile(self.version, segments, self.account.clone()).unwrap();
        self.bring_up();
    }

    fn step(&mut self, step: Step, number: usize) {
        // The stream keeps a record for a day.
        if self.queue.first().is_some_and(|(event, _)| event.ingested < self.clock - 23 * HOUR) {
            self.deliver();
        }
        match step {
            Step::Store(event) => self.store(event, number),
            Step::Deliver => self.deliver(),
            Step::Event(event) => {
                self.store(event, number);
                self.deliver();
            }
            Step::Profile(change) => {
                self.tick();
                self.change(change);
                let transitions = self.program.apply_profile(&mut self.state, &self.profile, self.clock);
                for one in &transitions {
                    assert_eq!(one.cause, Cause::Profile);
                    assert_eq!(one.at_ms, self.profile.updated_at.as_millis());
                }
                self.apply(transitions);
            }
            Step::Pass(millis) => {
                if millis > 22 * HOUR {
                    self.deliver();
                }
                self.clock += millis;
            }
            Step::PassToDue(offset) => {
                self.deliver();
                if let Some(due) = self.state.next_due_ms() {
                    self.clock = self.clock.max(due + offset);
                }
            }
            Step::Tick => self.tick(),
            Step::Edit(place, edit) => {
                self.tick();
                self.version += 1;
                let id = format!("SEG{place:03}");
                self.definitions.retain(|(other, ..)| *other != id);
                if let Some(json) = edit {
                    self.definitions.push((id, self.version, acyclic(place, json)));
                }
                self.compile();
            }
            Step::Account(change) => {
                self.tick();
                self.version += 1;
                match change {
                    AccountChange::Zone(zone) => self.account.zone = TimeZone::get(zone).unwrap(),
                    AccountChange::Model(model) => self.account.model = model,
                }
                self.compile();
            }
            Step::Recount => self.recount(),
            Step::EncodeDecode => {
                let decoded = State::decode(&self.state.encode()).unwrap();
                assert_eq!(decoded, self.state);
                self.state = decoded;
            }
        }
        // Nothing is due: nothing may have changed. Something is: a tick brings it.
        let now = self.now.max(self.clock);
        if self.state.next_due_ms().is_none_or(|due| due > now) {
            assert_eq!(self.naive(now), self.members, "at {now} without a tick");
        } else {
            self.tick();
            assert_eq!(self.naive(now), self.members, "at {now} after a tick");
            assert!(self.state.next_due_ms().is_none_or(|due| due > now), "a tick makes progress");
        }
        // A state that was carried on equals one that was read again.
        assert_eq!(self.program.needs(&self.state), Needs::Nothing);
    }
}

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    // Its own default is too few for this; PROPTEST_CASES sets another number.
    let cases = if config.cases == 256 { 3000 } else { config.cases };
    ProptestConfig { cases, max_shrink_iters: 20_000, failure_persistence: None, ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn memberships_carried_on_equal_those_read_afresh(
        zone in select(vec!["UTC", "Europe/Paris", "America/New_York", "America/Havana"]),
        start in select(vec![
            "2024-02-28T12:00:00Z", "2023-02-27T23:00:00Z", "2024-03-09T15:00:00Z", "2024-03-30T22:30:00Z",
            "2023-10-28T20:00:00Z", "2024-11-02T12:00:00Z", "2024-12-31T18:00:00Z", "2024-03-01T00:00:00Z",
        ]),
        definitions in prop::collection::vec(definition(), 1..4),
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let mut world = World::new(zone, millis(start), definitions);
        for (number, step) in steps.into_iter().enumerate() {
            world.step(step, number);
        }
    }

    /// The same with one window over one metric, so that every event and every edge matters.
    #[test]
    fn one_window_over_one_metric_flips_exactly_when_it_should(
        zone in select(vec!["UTC", "America/New_York"]),
        measurement in select(vec!["count", "sum"]),
        operator in comparison(),
        value in 0..4_i64,
        timeframe in prop_oneof![
            3 => (select(vec!["in-the-last", "at-least"]), 0..4_i64).prop_map(|(operator, quantity)| {
                json!({"type": "date", "operator": operator, "unit": "day", "quantity": quantity})
            }),
            1 => date_filter(),
        ],
        steps in prop::collection::vec(
            prop_oneof![
                4 => (-5 * DAY..HOUR, 1..3_i64, prop::bool::weighted(0.2)).prop_map(|(distance, value, negative)| {
                    let value = Some(if negative { -100 * value } else { 100 * value });
                    Step::Event(MadeEvent { metric: "Orders", distance, snap: false, value, color: None, begins: None })
                }),
                2 => (-1..=1_i64).prop_map(Step::PassToDue),
                2 => (0..3 * DAY).prop_map(Step::Pass),
            ],
            1..20,
        ),
    ) {
        let definition = json!({"condition_groups": [{"conditions": [{
            "type": "profile-metric", "metric_id": "Orders", "measurement": measurement,
            "measurement_filter": {"type": "numeric", "operator": operator, "value": value},
            "timeframe_filter": timeframe,
        }]}]});
        let mut world = World::new(zone, millis("2024-03-09T15:00:00Z"), vec![definition]);
        for (number, step) in steps.into_iter().enumerate() {
            world.step(step, number);
        }
    }
}
