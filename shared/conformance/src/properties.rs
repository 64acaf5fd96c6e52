//! Nothing that arrives makes an adapter panic, nothing unsigned gets in, and what is unknown changes nothing.

use platform::{Connection, Delivery, Fetched, Headers, Mapping, Request, Unverified, Verdict};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;

use crate::Suite;
use crate::case::{Case, NOW};

/// Fixtures that are tried with a megabyte more.
const LARGE: usize = 16;

/// A fixture that got through the door.
#[derive(Clone, Debug)]
struct Accepted {
    case: Case,
    delivery: Delivery,
    connection: Connection,
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        select(vec![
            "79228162514264337593543950335",
            "-0.0000000000000000000000000001",
            "1e28",
            "gid:///?",
            "2026-03-14T10:26:51+01:00",
            "2026-03-29 02:30:00",
            "+999999-01-01T00:00:00Z",
            "-009999-01-01T00:00:00Z",
            "Sat, 14 Mar 2026 09:26:53 +0000",
            "0000-00-00 00:00:00",
            "true",
            "{\"a\":[",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-z_]{0,12}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Replaces the value at the `place`th place of a tree, counted modulo all places; the root stays.
fn mutate(tree: &mut Value, place: Index, with: &Value) {
    fn places(tree: &Value) -> usize {
        1 + match tree {
            Value::Array(items) => items.iter().map(places).sum(),
            Value::Object(fields) => fields.values().map(places).sum(),
            _ => 0,
        }
    }
    fn replace(tree: &mut Value, left: &mut usize, with: &Value) {
        if *left == 0 {
            *tree = with.clone();
        }
        *left = left.wrapping_sub(1);
        match tree {
            _ if *left == usize::MAX => {}
            Value::Array(items) => items.iter_mut().for_each(|item| replace(item, left, with)),
            Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, left, with)),
            _ => {}
        }
    }
    let count = places(tree) - 1;
    if count > 0 {
        let mut left = place.index(count) + 1;
        replace(tree, &mut left, with);
    }
}

impl Suite {
    /// Runs all properties. `PROPTEST_CASES` says how often.
    pub fn properties(&self) {
        let accepted: Vec<Accepted> =
            self.cases().into_iter().filter_map(|case| self.accepted(case)).collect();
        assert!(!accepted.is_empty(), "no fixture gets through the door");
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
        let run = |outcome: Result<(), String>| outcome.unwrap_or_else(|error| panic!("{error}"));
        run(self.bytes_and_json(&mut runner, &accepted));
        run(self.mutations(&mut runner, &accepted));
        run(self.unsigned(&mut runner));
        for accepted in accepted.iter().step_by(accepted.len().div_ceil(LARGE)) {
            self.megabyte(accepted);
        }
    }

    fn accepted(&self, case: Case) -> Option<Accepted> {
        let (delivery, connection) = (case.delivery(self).ok()?, case.connection(self.platform));
        Some(Accepted { case, delivery, connection })
    }

    fn bytes_and_json(&self, runner: &mut TestRunner, accepted: &[Accepted]) -> Result<(), String> {
        let body = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            any_json().prop_map(|json| serde_json::to_vec(&json).unwrap_or_default()),
        ];
        let strategy = (select(accepted.to_vec()), body, any::<bool>());
        let outcome = runner.run(&strategy, |(accepted, body, as_answer)| {
            if as_answer {
                let answer = Fetched { status: 200, headers: Headers::default(), body };
                let fetched = vec![answer; 3];
                self.platform.facts(&accepted.delivery, &accepted.connection, &fetched);
            } else {
                let delivery = Delivery { body, ..accepted.delivery };
                self.platform.facts(&delivery, &accepted.connection, &[]);
            }
            Ok(())
        });
        outcome.map_err(|error| error.to_string())
    }

    fn mutations(&self, runner: &mut TestRunner, accepted: &[Accepted]) -> Result<(), String> {
        let changes = proptest::collection::vec((any::<Index>(), any_json(), any::<Index>()), 1..6);
        let strategy = (select(accepted.to_vec()), changes);
        let outcome = runner.run(&strategy, |(accepted, changes)| {
            let mut case = accepted.case;
            for (place, with, whose) in changes {
                // The body, or one of the answers.
                match whose.index(case.fetched.len() + 1) {
                    0 => mutate(&mut case.body, place, &with),
                    answer => mutate(&mut case.fetched[answer - 1].body, place, &with),
                }
            }
            let Ok(delivery) = case.delivery(self) else { return Ok(()) };
            let once = case.mapping(self, &delivery);
            if once == case.mapping(self, &delivery) {
                Ok(())
            } else {
                Err(TestCaseError::fail("the same bytes give other facts"))
            }
        });
        outcome.map_err(|error| error.to_string())
    }

    fn unsigned(&self, runner: &mut TestRunner) -> Result<(), String> {
        let mut names: Vec<String> =
            self.cases().iter().flat_map(|case| case.headers.keys().cloned()).collect();
        let mut signed = Request::default();
        (self.sign)(&mut signed, b"{}".to_vec());
        let signed: std::collections::BTreeMap<String, String> =
            serde_json::from_value(serde_json::to_value(&signed.headers).unwrap_or_default())
                .unwrap_or_default();
        names.extend(signed.into_keys());
        names.push("authorization".to_owned());
        let headers = proptest::collection::vec((select(names), ".*"), 0..6);
        let strategy = (headers, ".*", proptest::collection::vec(any::<u8>(), 0..300));
        let outcome = runner.run(&strategy, |(headers, query, body)| {
            let request = Request {
                method: "POST".to_owned(),
                query,
                headers: headers.into_iter().collect(),
                ..Request::default()
            };
            let now = NOW.parse().map_err(|_| TestCaseError::fail("now"))?;
            let (connection, secrets) = (Connection::default(), (self.secrets)());
            match self.platform.verify(&request, Unverified::new(body), &connection, &secrets, now) {
                Verdict::Accept(_) => Err(TestCaseError::fail("accepted without a signature")),
                Verdict::Ignore { .. } | Verdict::Keys(_) | Verdict::Reject(_) => Ok(()),
            }
        });
        outcome.map_err(|error| error.to_string())
    }

    /// A megabyte that nobody asked for changes nothing.
    fn megabyte(&self, accepted: &Accepted) {
        let mut case = accepted.case.clone();
        let Value::Object(body) = &mut case.body else { return };
        body.insert("something_new".to_owned(), Value::from("ä".repeat(512 * 1024)));
        let before = accepted.case.mapping(self, &accepted.delivery);
        let Ok(delivery) = case.delivery(self) else {
            panic!("{}: refused with a field more", accepted.case.description)
        };
        let after = case.mapping(self, &delivery);
        let alike = match (&before, &after) {
            // What a place in the text is counted by.
            (Mapping::Malformed(_), Mapping::Malformed(_)) => true,
            (before, after) => before == after,
        };
        assert!(alike, "{}: {before:?}, with a megabyte more {after:?}", accepted.case.description);
    }
}
