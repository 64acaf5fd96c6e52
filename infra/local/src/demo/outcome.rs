//! What comes out: as it must be by the shop's records, and where something else was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use canonical::Metric;
use canonical::money::Decimal;
use jiff::Timestamp;

use super::segments::DemoSegment;
use super::shop::{Fate, Order, Shop};

/// The events of one metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) value: Decimal,
}

impl Tally {
    pub(super) fn add(&mut self, value: Option<Decimal>) {
        self.count += 1;
        self.value += value.unwrap_or_default();
    }
}

impl Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} worth {:.2}", self.count, self.value)
    }
}

/// Everything that is compared.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// By the metric's name.
    pub(super) metrics: BTreeMap<String, Tally>,
    /// Each profile's city, by e-mail address.
    pub(super) profiles: BTreeMap<String, Option<String>>,
    /// Members' e-mail addresses, by the segment's name.
    pub(super) members: BTreeMap<String, BTreeSet<String>>,
    /// Messages in dead-letter and failure queues.
    pub(super) set_aside: u64,
}

impl Outcome {
    /// By the records of the shop alone: no delivery, no order of arrival, no code of the product but the names
    /// of its metrics.
    pub(super) fn expected(shop: &Shop, segments: &[DemoSegment], now: Timestamp) -> Self {
        let mut outcome = Self::default();
        let mut told = |metric: Metric, cents: Option<i64>| {
            let tally = outcome.metrics.entry(metric.name().to_owned()).or_default();
            tally.add(cents.map(|cents| Decimal::new(cents, 2)));
        };
        for order in &shop.orders {
            let total = Some(order.total_cents());
            told(Metric::PlacedOrder, total);
            for line in &order.lines {
                told(Metric::OrderedProduct, Some(line.cents()));
            }
            match order.fate {
                Fate::Open => {}
                Fate::Sent { .. } => {
                    told(Metric::FulfilledOrder, total);
                    told(Metric::ShippedOrder, Some(order.lines_cents()));
                }
                Fate::Cancelled { .. } => told(Metric::CancelledOrder, total),
                Fate::Refunded { cents, .. } => told(Metric::RefundedOrder, Some(cents)),
            }
        }
        for checkout in &shop.checkouts {
            told(Metric::StartedCheckout, Some(checkout.line.cents()));
        }
        for (_, yes) in shop.customers.iter().flat_map(|customer| &customer.consents) {
            told(if *yes { Metric::SubscribedToEmail } else { Metric::UnsubscribedFromEmail }, None);
        }
        for (place, customer) in shop.customers.iter().enumerate() {
            let city = customer.cities.iter().max_by_key(|(at, _)| *at).map(|(_, city)| (*city).to_owned());
            outcome.profiles.insert(customer.email.clone(), city);
            let orders: Vec<&Order> = shop.orders.iter().filter(|order| order.customer == place).collect();
            for segment in segments {
                let members = outcome.members.entry(segment.name.to_owned()).or_default();
                if (segment.rule)(customer, &orders, now) {
                    members.insert(customer.email.clone());
                }
            }
        }
        outcome
    }

    /// What differs in `seen`, one line each. Empty if all is as it must be.
    pub(super) fn differences(&self, seen: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        compare("metric", &self.metrics, &seen.metrics, Tally::to_string, &mut lines);
        let city = |city: &Option<String>| format!("somebody in {}", city.as_deref().unwrap_or("no city"));
        compare("profile", &self.profiles, &seen.profiles, city, &mut lines);
        let nobody = BTreeSet::new();
        for name in self.members.keys().chain(seen.members.keys()).collect::<BTreeSet<_>>() {
            let expected = self.members.get(name).unwrap_or(&nobody);
            let seen = seen.members.get(name).unwrap_or(&nobody);
            let missing = expected.difference(seen).map(|email| ("lacks", email));
            let surplus = seen.difference(expected).map(|email| ("should not have", email));
            lines.extend(
                missing.chain(surplus).map(|(what, email)| format!("segment {name:?} {what} {email}")),
            );
        }
        if self.set_aside != seen.set_aside {
            lines.push(format!("set aside: expected {}, saw {}", self.set_aside, seen.set_aside));
        }
        lines
    }
}

fn compare<V: PartialEq>(
    what: &str,
    expected: &BTreeMap<String, V>,
    seen: &BTreeMap<String, V>,
    describe: impl Fn(&V) -> String,
    lines: &mut Vec<String>,
) {
    for key in expected.keys().chain(seen.keys()).collect::<BTreeSet<_>>() {
        let (expected, seen) = (expected.get(key), seen.get(key));
        if expected != seen {
            let describe = |value: Option<&V>| value.map_or_else(|| "none".to_owned(), &describe);
            lines.push(format!("{what} {key}: expected {}, saw {}", describe(expected), describe(seen)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::segments;
    use super::*;
    use crate::random::Random;

    fn expected() -> Outcome {
        let now: Timestamp = "2026-06-17T12:00:00Z".parse().unwrap();
        let shop = Shop::deal(&mut Random::new(1), now);
        Outcome::expected(&shop, &segments::segments("METRIC"), now)
    }

    #[test]
    fn the_dealt_shop_has_something_of_everything() {
        let expected = expected();
        assert_eq!(expected.metrics.len(), 9);
        for (name, members) in &expected.members {
            assert!(!members.is_empty() && members.len() < expected.profiles.len(), "{name}");
        }
    }

    #[test]
    fn every_deviation_is_told() {
        let seen = |change: fn(&mut Outcome)| {
            let mut seen = expected();
            change(&mut seen);
            expected().differences(&seen)
        };
        assert_eq!(seen(|_| {}), Vec::<String>::new());
        let one_more = seen(|seen| seen.metrics.entry("Placed Order".to_owned()).or_default().add(None));
        assert!(matches!(&*one_more, [line] if line.starts_with("metric Placed Order: expected")));
        let other_city = seen(|seen| {
            seen.profiles.insert("ada.dorn@example.com".to_owned(), Some("Nowhere".to_owned()));
        });
        assert!(matches!(&*other_city, [line] if line.starts_with("profile ada.dorn@example.com:")));
        let other_members = seen(|seen| {
            let members = seen.members.entry("Big spenders".to_owned()).or_default();
            members.pop_first();
            members.insert("somebody@example.com".to_owned());
        });
        assert!(other_members[0].starts_with("segment \"Big spenders\" lacks "));
        assert_eq!(other_members[1], "segment \"Big spenders\" should not have somebody@example.com");
        assert_eq!(seen(|seen| seen.set_aside = 1), ["set aside: expected 0, saw 1"]);
    }
}
