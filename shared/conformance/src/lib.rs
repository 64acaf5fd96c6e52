#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

mod case;
mod events;
mod files;
mod fixtures;
mod properties;
mod scenarios;
mod vectors;
mod walk;

use platform::{Platform, Request, Secrets};

pub use case::{Case, NOW};
pub use events::{summary, without_currency};
pub use scenarios::Scenario;
pub use walk::{Walk, read, walk};

/// What is tested, and with what.
#[derive(Clone, Copy)]
pub struct Suite {
    /// The adapter.
    pub platform: &'static dyn Platform,
    /// Its crate's folder: `env!("CARGO_MANIFEST_DIR")`.
    pub folder: &'static str,
    /// Makes a fixture's request genuine, and returns the body as it travels.
    pub sign: fn(&mut Request, Vec<u8>) -> Vec<u8>,
    /// The secrets it is signed with.
    pub secrets: fn() -> Secrets,
    /// Vectors and scenarios that this platform cannot have, each with its reason.
    pub without: &'static [(&'static str, &'static str)],
}

impl Suite {
    fn requires(&self, folder: &str, names: &[&str], present: &[String]) {
        let missing: Vec<_> = names
            .iter()
            .filter(|name| !present.iter().any(|file| file == *name))
            .filter(|name| {
                !self.without.iter().any(|(without, reason)| without == *name && !reason.is_empty())
            })
            .collect();
        assert!(missing.is_empty(), "{folder} lacks {missing:?}");
    }

    /// The description is one that forms and people can be made of and spoken to with.
    pub fn description(&self) {
        let description = self.platform.description();
        for schema in [&description.settings, &description.secrets] {
            assert_eq!(schema["type"], "object");
            assert_eq!(schema["additionalProperties"], false, "unknown names must be refused");
            for (name, property) in schema["properties"].as_object().unwrap() {
                for key in ["title", "description", "type"] {
                    assert!(
                        property[key].as_str().is_some_and(|text| !text.is_empty()),
                        "{name} has no {key}"
                    );
                }
            }
            for name in schema["required"].as_array().unwrap() {
                assert!(
                    schema["properties"].get(name.as_str().unwrap()).is_some(),
                    "{name} is not described"
                );
            }
        }
        for (name, property) in description.secrets["properties"].as_object().unwrap() {
            assert_eq!(property["writeOnly"], true, "{name}");
        }
    }
}

/// The tests that every adapter has.
#[macro_export]
macro_rules! tests {
    ($suite:expr) => {
        #[test]
        fn every_fixture_reads_as_it_says() {
            $suite.fixtures();
        }

        #[test]
        fn every_vector_has_its_verdict_for_its_reason() {
            $suite.vectors();
        }

        #[test]
        fn every_scenario_tells_the_same_in_every_order_and_twice() {
            $suite.scenarios();
        }

        #[test]
        fn nothing_that_arrives_does_harm() {
            $suite.properties();
        }

        #[test]
        fn the_description_explains_every_setting_and_secret() {
            $suite.description();
        }
    };
}
