//! What is accepted, and what is refused and where.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use segments::{CompileError, Definition, Program, Segment};
use serde_json::{Value, json};

fn alone(condition: &Value) -> Value {
    json!({"condition_groups": [{"conditions": [condition]}]})
}

fn metric(timeframe: Value, filters: Value) -> Value {
    json!({
        "type": "profile-metric", "metric_id": "Y6nRLr", "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "greater-than-or-equal", "value": 1},
        "timeframe_filter": timeframe, "metric_filters": filters,
    })
}

fn property(name: &str, filter: Value) -> Value {
    json!({"type": "profile-property", "property": name, "filter": filter})
}

fn alltime() -> Value {
    json!({"type": "date", "operator": "alltime"})
}

fn filtered(filter: Value) -> Value {
    metric(alltime(), json!([{"property": "Collections", "filter": filter}]))
}

/// Conditions in the shapes of Klaviyo's reference, revision 2026-07-15.
fn accepted() -> Vec<Value> {
    let mut all = vec![
        json!({
            "type": "profile-metric", "metric_id": "Y6nRLr", "measurement": "sum",
            "measurement_filter": {"type": "numeric", "operator": "less-than", "value": 99.95},
            "timeframe_filter": {"type": "date", "operator": "alltime"},
        }),
        metric(alltime(), json!(null)),
        json!({"type": "profile-marketing-consent", "consent": {
        "channel": "email", "can_receive_marketing": true,
        "consent_status": {"subscription": "subscribed", "filters": [
            {"field": "is_double_opt_in", "filter": {"type": "boolean", "operator": "equals", "value": true}},
            {"field": "custom_source", "filter": {"type": "string", "operator": "equals", "value": "Booth"}},
            {"field": "method", "method": "integration",
             "filter": {"type": "string", "operator": "in", "value": ["shopify"]}},
        ]}}}),
        json!({"type": "profile-marketing-consent", "consent": {
        "channel": "email", "can_receive_marketing": false,
        "consent_status": {"subscription": "unsubscribed", "filters": [
            {"field": "method", "method": "one_click_unsubscribe"},
            {"field": "manual_suppression_date", "filter": {"type": "date", "operator": "calendar-month", "value": 2}},
            {"field": "invalid_email_date", "filter": {"type": "existence", "operator": "is-set"}},
        ]}}}),
        json!({"type": "profile-marketing-consent", "consent": {
        "channel": "sms", "can_receive_marketing": true,
        "consent_status": {"subscription": "subscribed", "filters": [
            {"field": "is_rcs_capable", "filter": {"type": "boolean", "operator": "equals", "value": true}},
            {"field": "status_date", "filter": {"type": "date", "operator": "anniversary"}},
        ]}}}),
        json!({"type": "profile-marketing-consent", "consent": {
            "channel": "push", "can_receive_marketing": false, "consent_status": {"subscription": "any"}}}),
    ];
    let text = [
        "equals",
        "not-equals",
        "contains",
        "not-contains",
        "starts-with",
        "not-starts-with",
        "ends-with",
        "not-ends-with",
        "regex",
        "nregex",
    ];
    let mut anywhere: Vec<Value> = text
        .iter()
        .map(|operator| json!({"type": "string", "operator": operator, "value": "Shoes"}))
        .collect();
    for operator in ["in", "not-in"] {
        anywhere.push(json!({"type": "string", "operator": operator, "value": ["a", "b"]}));
    }
    for operator in
        ["equals", "not-equals", "greater-than", "greater-than-or-equal", "less-than", "less-than-or-equal"]
    {
        anywhere.push(json!({"type": "numeric", "operator": operator, "value": 12.5}));
    }
    for operator in ["equals", "greater-than", "greater-than-or-equal", "less-than", "less-than-or-equal"] {
        anywhere.push(json!({"type": "list", "operator": format!("length-{operator}"), "value": 2}));
    }
    anywhere.push(json!({"type": "boolean", "operator": "equals", "value": false}));
    anywhere.push(json!({"type": "existence", "operator": "is-set"}));
    anywhere.push(json!({"type": "existence", "operator": "not-set"}));
    for filter in anywhere {
        all.push(filtered(filter.clone()));
        all.push(property("properties['Interests']", filter));
    }
    for operator in ["contains-all", "contains-any", "not-contains-all", "not-contains-any"] {
        all.push(filtered(json!({"type": "list", "operator": operator, "value": ["Shoes"]})));
    }
    for operator in ["contains-substring", "not-contains-substring"] {
        all.push(filtered(json!({"type": "list", "operator": operator, "value": "hoe"})));
    }
    for operator in ["contains", "not-contains"] {
        all.push(property(
            "properties['Interests']",
            json!({"type": "list", "operator": operator, "value": "Shoes"}),
        ));
    }
    for operator in ["phone-country-code-in", "phone-country-code-not-in"] {
        all.push(property(
            "phone_number",
            json!({"type": "string", "operator": operator, "value": ["US", "GB"]}),
        ));
    }
    let mut dates = vec![
        json!({"type": "date", "operator": "between-static", "start": "2023-01-01T00:00:00Z", "end": "2023-02-01T00:00:00Z"}),
        json!({"type": "date", "operator": "between", "start": 10, "end": 20, "unit": "week"}),
    ];
    for operator in ["after", "before"] {
        dates.push(json!({"type": "date", "operator": operator, "date": "2023-01-01T00:00:00+00:00"}));
    }
    for operator in ["at-least", "in-the-last", "in-the-next", "anniversary-last", "anniversary-next"] {
        for unit in ["hour", "day", "week"] {
            dates.push(json!({"type": "date", "operator": operator, "unit": unit, "quantity": 10}));
        }
    }
    for filter in dates {
        all.push(metric(filter.clone(), json!(null)));
        all.push(property("created", filter));
    }
    for filter in [
        json!({"type": "date", "operator": "calendar-month", "value": 12}),
        json!({"type": "date", "operator": "anniversary"}),
        json!({"type": "date", "operator": "anniversary-month"}),
    ] {
        all.push(property("properties['Birthday']", filter));
    }
    all
}

#[test]
fn every_condition_of_the_three_types_is_accepted_and_compiles() {
    let conditions = accepted();
    assert!(conditions.len() > 90);
    for condition in &conditions {
        let definition =
            Definition::parse(&alone(condition)).unwrap_or_else(|error| panic!("{error}: {condition}"));
        let is_metric = condition["type"] == "profile-metric";
        assert_eq!(
            definition.metric_ids().map(|(_, id)| id).collect::<Vec<_>>(),
            vec!["Y6nRLr"; usize::from(is_metric)]
        );
        let segment = Segment { id: "SEG001".to_owned(), version: 1, definition };
        Program::compile(1, vec![segment], TimeZone::UTC).unwrap();
    }
}

#[test]
fn what_is_not_evaluated_is_refused_with_its_place() {
    let first = "/condition_groups/0/conditions/0";
    let relative = |unit: &str, quantity: Value| json!({"type": "date", "operator": "in-the-last", "unit": unit, "quantity": quantity});
    let with = |mut condition: Value, key: &str, value: Value| {
        condition[key] = value;
        condition
    };
    let text = |value: Value| json!({"type": "string", "operator": "equals", "value": value});
    let distance = |country: &str, code: &str, unit: &str, operator: &str, value: Value| {
        json!({"type": "profile-postal-code-distance", "country_code": country, "postal_code": code, "unit": unit,
               "filter": {"type": "numeric", "operator": operator, "value": value}})
    };
    let predicted = |dimension: &str| {
        json!({"type": "profile-predictive-analytics", "dimension": dimension,
               "filter": {"type": "numeric", "operator": "equals", "value": 1}})
    };
    let funnel = |steps: Value| json!({"type": "profile-metric-funnel", "timeframe_filter": relative("day", json!(1)), "steps": steps});
    for (condition, pointer, detail) in [
        (json!({"type": "profile-has-custom-object", "object_type_id": "a"}), "/type", "are not supported"),
        (json!({"type": "profile-mood"}), "/type", "unknown type of condition `profile-mood`"),
        (
            json!({"type": "profile-region", "in_region": true, "region": "asia"}),
            "/region",
            "unknown region `asia`",
        ),
        (
            json!({"type": "profile-group-membership", "is_member": true, "group_ids": []}),
            "/group_ids",
            "at least one",
        ),
        (
            json!({"type": "profile-group-membership", "is_member": true, "group_ids": vec!["a"; 101]}),
            "/group_ids",
            "at most 100",
        ),
        (
            json!({"type": "profile-group-membership", "is_member": false, "group_ids": ["LIST01"],
                   "timeframe_filter": relative("day", json!(1))}),
            "/timeframe_filter",
            "joined none",
        ),
        (
            json!({"type": "profile-group-membership", "is_member": true, "group_ids": ["LIST01"],
                   "timeframe_filter": {"type": "date", "operator": "anniversary-last", "unit": "day", "quantity": 1}}),
            "/timeframe_filter/operator",
            "unknown operator",
        ),
        (distance("US", "10001", "inches", "less-than", json!(5)), "/unit", "unknown unit `inches`"),
        (distance("US", "1", "miles", "less-than", json!(5)), "/postal_code", "no such postal code"),
        (distance("JP", "100-0001", "miles", "less-than", json!(5)), "/country_code", "not known here"),
        (distance("Atlantis", "10001", "miles", "less-than", json!(5)), "/country_code", "code of a country"),
        (distance("US", "10001", "miles", "equals", json!(5)), "/filter/operator", "only `less-than`"),
        (distance("US", "10001", "miles", "less-than", json!(-5)), "/filter", "a positive distance"),
        (predicted("predicted_gender"), "/dimension", "gender"),
        (predicted("channel_affinity"), "/dimension", "was sent"),
        (predicted("shoe_size"), "/dimension", "unknown dimension `shoe_size`"),
        (predicted("expected_date_of_next_purchase"), "/filter/type", "`numeric` is not possible here"),
        (json!({"type": "profile-sample", "percentage": 100.5}), "/percentage", "from 0 to 100"),
        (json!({"type": "profile-sample", "percentage": 0.001}), "/percentage", "two decimals"),
        (json!({"type": "profile-sample", "percentage": "5"}), "/percentage", "a percentage"),
        (funnel(json!([])), "/steps", "at least one step"),
        (
            funnel(json!([{"metric_exists": false, "metric_id": "Y6nRLr"}])),
            "/steps/0/metric_exists",
            "one that happened",
        ),
        (
            funnel(json!(vec![json!({"metric_exists": true, "metric_id": "Y6nRLr"}); 11])),
            "/steps/10",
            "at most 10 steps",
        ),
        (
            funnel(json!([{"metric_exists": true, "metric_id": "Y6nRLr", "metric_filters": [
                {"property": "Begins", "filter": relative("day", json!(1))}]}])),
            "/steps/0/metric_filters/0",
            "not possible in a funnel",
        ),
        (
            with(
                funnel(json!([{"metric_exists": true, "metric_id": "Y6nRLr"}])),
                "completion_window_seconds",
                json!("DAYS_2"),
            ),
            "/completion_window_seconds",
            "unknown completion window `DAYS_2`",
        ),
        (
            json!({"type": "profile-permissions", "channel": "whatsapp_marketing",
                   "permission": {"reachable_status": "implicitly_reachable", "filters": []}}),
            "/permission/filters",
            "unknown field `filters`",
        ),
        (
            json!({"type": "profile-permissions", "channel": "email",
                   "permission": {"reachable_status": "implicitly_reachable"}}),
            "/channel",
            "unknown channel `email`",
        ),
        (
            json!({"type": "profile-permissions", "channel": "whatsapp_marketing",
                   "permission": {"reachable_status": "reachable"}}),
            "/permission/reachable_status",
            "unknown status `reachable`",
        ),
        (
            with(metric(alltime(), json!(null)), "metric_name", json!("Placed Order")),
            "/metric_name",
            "only one of",
        ),
        (
            metric(
                relative("day", json!(1)),
                json!([{"property": "Begins", "filter": relative("day", json!(1))}]),
            ),
            "/metric_filters/0",
            "must be `alltime`",
        ),
        (
            metric(
                alltime(),
                json!(vec![json!({"property": "Begins", "filter": relative("day", json!(1))}); 2]),
            ),
            "/metric_filters/1",
            "only one date",
        ),
        (
            metric(alltime(), json!([{"property": "Items[].Begins", "filter": relative("day", json!(1))}])),
            "/metric_filters/0",
            "one value",
        ),
        (
            metric(alltime(), json!([{"property": (["a"; 17].join(".")), "filter": text(json!("b"))}])),
            "/metric_filters/0/property",
            "at most 16 steps",
        ),
        (json!({"typ": "x"}), "/type", "required"),
        (json!("profile-metric"), "", "an object is expected"),
        (
            with(metric(alltime(), json!(null)), "metric_id", json!("")),
            "/metric_id",
            "an id or a name is expected",
        ),
        (
            with(metric(alltime(), json!(null)), "measurement", json!("max")),
            "/measurement",
            "known here: count, sum",
        ),
        (with(metric(alltime(), json!(null)), "extra~/", json!(1)), "/extra~0~1", "unknown field"),
        (
            with(
                metric(alltime(), json!(null)),
                "measurement_filter",
                json!({"type": "numeric", "operator": "equals", "value": "1"}),
            ),
            "/measurement_filter/value",
            "a number is expected",
        ),
        (
            with(
                metric(alltime(), json!(null)),
                "measurement_filter",
                json!({"type": "numeric", "operator": "between", "value": 1}),
            ),
            "/measurement_filter/operator",
            "unknown operator `between`",
        ),
        (
            metric(json!({"type": "date", "operator": "anniversary"}), json!(null)),
            "/timeframe_filter/operator",
            "unknown operator",
        ),
        (
            metric(json!({"type": "date", "operator": "flow-start"}), json!(null)),
            "/timeframe_filter/operator",
            "unknown operator",
        ),
        (metric(relative("year", json!(1)), json!(null)), "/timeframe_filter/unit", "hour, day, week, month"),
        (metric(relative("month", json!(1179)), json!(null)), "/timeframe_filter/quantity", "from 0 to 1178"),
        (metric(relative("day", json!(-1)), json!(null)), "/timeframe_filter/quantity", "from 0 to"),
        (metric(relative("day", json!(1.5)), json!(null)), "/timeframe_filter/quantity", "an integer"),
        (metric(relative("week", json!(1_000_000)), json!(null)), "/timeframe_filter/quantity", "from 0 to"),
        (
            metric(json!({"type": "date", "operator": "before", "date": "soon"}), json!(null)),
            "/timeframe_filter/date",
            "a date is expected",
        ),
        (
            filtered(json!({"type": "string", "operator": "like", "value": "x"})),
            "/metric_filters/0/filter/operator",
            "unknown operator `like`",
        ),
        (
            filtered(json!({"type": "string", "operator": "regex", "value": "("})),
            "/metric_filters/0/filter/value",
            "regular expression",
        ),
        (
            filtered(json!({"type": "string", "operator": "regex", "value": "(\\w{100}){100}{100}"})),
            "/metric_filters/0/filter/value",
            "regular expression",
        ),
        (filtered(text(json!(null))), "/metric_filters/0/filter/value", "not-set"),
        (
            filtered(json!({"type": "list", "operator": "contains", "value": "x"})),
            "/metric_filters/0/filter/operator",
            "unknown operator",
        ),
        (
            filtered(json!({"type": "string", "operator": "in", "value": []})),
            "/metric_filters/0/filter/value",
            "at least one",
        ),
        (metric(alltime(), json!([{"property": "Name"}])), "/metric_filters/0", "`filter` is required"),
        (
            metric(alltime(), json!(vec![json!({"property": "a", "filter": text(json!("b"))}); 11])),
            "/metric_filters/10",
            "at most 10",
        ),
        (property("Tier", text(json!("x"))), "/property", "unknown profile property"),
        (property("location['planet']", text(json!("x"))), "/property", "unknown part of a location"),
        (property("properties['a", text(json!("x"))), "/property", "unknown profile property"),
        (property("email", alltime()), "/filter/operator", "unknown operator `alltime`"),
        (
            property("email", json!({"type": "boolean", "operator": "equals", "value": "true"})),
            "/filter/value",
            "true or false",
        ),
        (
            json!({"type": "profile-marketing-consent", "consent": {"channel": "fax", "can_receive_marketing": true,
                "consent_status": {"subscription": "any"}}}),
            "/consent/channel",
            "unknown channel `fax`",
        ),
        (
            json!({"type": "profile-marketing-consent", "consent": {"channel": "email", "can_receive_marketing": true,
                "consent_status": {"subscription": "any", "filters": [{"field": "method", "method": "pigeon"}]}}}),
            "/consent/consent_status/filters/0/method",
            "unknown method `pigeon`",
        ),
        (
            json!({"type": "profile-marketing-consent", "consent": {"channel": "email", "can_receive_marketing": true,
                "consent_status": {"subscription": "any", "filters": [{"field": "mood", "filter": {}}]}}}),
            "/consent/consent_status/filters/0/field",
            "unknown field `mood`",
        ),
    ] {
        let error = Definition::parse(&alone(&condition)).expect_err(&condition.to_string());
        assert_eq!(error.pointer, format!("{first}{pointer}"), "{error}");
        assert!(error.detail.contains(detail), "{error}");
    }
    for (json, pointer) in [
        (json!([]), ""),
        (json!({}), "/condition_groups"),
        (json!({"condition_groups": []}), "/condition_groups"),
        (json!({"condition_groups": [{"conditions": []}]}), "/condition_groups/0/conditions"),
        (json!({"condition_groups": [{"conditions": {}}]}), "/condition_groups/0/conditions"),
        (json!({"condition_groups": [], "name": "x"}), "/name"),
    ] {
        assert_eq!(Definition::parse(&json).unwrap_err().pointer, pointer, "{json}");
    }
    let condition = metric(alltime(), json!(null));
    let many = |count| json!({"condition_groups": [{"conditions": vec![condition.clone(); count]}]});
    assert!(Definition::parse(&many(100)).is_ok());
    assert_eq!(Definition::parse(&many(101)).unwrap_err().pointer, "/condition_groups/0/conditions/100");
}

#[test]
fn segments_that_make_no_program_are_refused() {
    let definition = Definition::parse(&alone(&metric(alltime(), json!(null)))).unwrap();
    let segment = |id: &str, version| Segment { id: id.to_owned(), version, definition: definition.clone() };
    let compile = |segments| Program::compile(3, segments, TimeZone::UTC).map(|program| program.version());
    assert_eq!(compile(vec![segment("A", 1), segment("B", 3)]), Ok(3));
    assert_eq!(
        compile(vec![segment("A", 1), segment("A", 2)]),
        Err(CompileError::DuplicateSegment("A".to_owned()))
    );
    assert_eq!(compile(vec![segment("A", 4)]), Err(CompileError::Version("A".to_owned())));
    assert_eq!(compile(vec![segment("A", 0)]), Err(CompileError::Version("A".to_owned())));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zé0-9:/ +\\-'\\[\\]]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Replaces the part of a value that is met after so many others.
fn replace(value: &mut Value, place: &mut usize, new: &Value) {
    if *place == 0 {
        *value = new.clone();
    }
    *place = place.wrapping_sub(1);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, place, new)),
        Value::Object(map) => map.values_mut().for_each(|item| replace(item, place, new)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn arbitrary_json_is_parsed_or_refused(json in any_json()) {
        let _ = Definition::parse(&json);
    }

    #[test]
    fn a_refusal_points_into_the_definition(
        which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), new in any_json(),
    ) {
        let conditions = accepted();
        let mut json = alone(&conditions[which.index(conditions.len())]);
        replace(&mut json, &mut place.index(24), &new);
        if let Err(error) = Definition::parse(&json) {
            // A required field that is missing is named where it should stand.
            let parent = error.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
            prop_assert!(json.pointer(parent).is_some(), "{}", error);
        } else {
            let definition = Definition::parse(&json).unwrap();
            let segment = Segment { id: "A".to_owned(), version: 1, definition };
            prop_assert!(Program::compile(1, vec![segment], TimeZone::UTC).is_ok());
        }
    }
}
