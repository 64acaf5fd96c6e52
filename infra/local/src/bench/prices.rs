//! List prices, from the file beside this one.

use std::collections::BTreeMap;

use anyhow::Context as _;
use canonical::money::Decimal;
use serde::Deserialize;

use super::usage::{Unit, Usage};

/// List prices of one region.
#[derive(Deserialize)]
pub(super) struct Prices {
    pub(super) region: String,
    /// The day on which they were read.
    pub(super) read: String,
    #[serde(rename = "prices")]
    by_unit: BTreeMap<Unit, Price>,
}

/// So many dollars for so many units.
#[derive(Deserialize)]
struct Price {
    dollars: Decimal,
    per: Decimal,
    #[serde(rename = "seen")]
    confirmed: Option<String>,
}

impl Prices {
    pub(super) fn list() -> anyhow::Result<Self> {
        serde_json::from_str(include_str!("prices.json")).context("the prices cannot be read")
    }

    /// What so much of one unit costs; what has no price costs nothing.
    pub(super) fn dollars(&self, unit: Unit, amount: Decimal) -> Decimal {
        self.by_unit.get(&unit).map_or(Decimal::ZERO, |price| amount * price.dollars / price.per)
    }

    /// What all of it costs.
    pub(super) fn total(&self, usage: &Usage) -> Decimal {
        usage.lines().map(|(line, amount)| self.dollars(line.unit, amount)).sum()
    }

    /// Units whose price is not confirmed by a page that was read.
    pub(super) fn unconfirmed(&self) -> impl Iterator<Item = Unit> {
        self.by_unit.iter().filter(|(_, price)| price.confirmed.is_none()).map(|(unit, _)| *unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dollars(unit: Unit, amount: &str) -> String {
        let prices = Prices::list().unwrap();
        prices.dollars(unit, amount.parse().unwrap()).round_dp(6).normalize().to_string()
    }

    #[test]
    fn a_million_units_cost_what_the_list_says() {
        assert_eq!(dollars(Unit::ApiRequests, "1000000"), "1");
        assert_eq!(dollars(Unit::LambdaRequests, "1000000"), "0.2");
        assert_eq!(dollars(Unit::SqsRequests, "1000000"), "0.4");
        assert_eq!(dollars(Unit::DynamoDbWriteUnits, "1000000"), "0.625");
        assert_eq!(dollars(Unit::DynamoDbReadUnits, "1000000"), "0.125");
        assert_eq!(dollars(Unit::StreamRecords, "1000000"), "0");
        assert_eq!(dollars(Unit::SecretsRead, "1000000"), "3");
        assert_eq!(dollars(Unit::LogBytes, "1000000000"), "0.5");
    }

    #[test]
    fn a_million_invocations_of_half_a_gigabyte_for_20_ms_are_10_000_gb_seconds() {
        assert_eq!(dollars(Unit::LambdaMbMs, &(512_u64 * 20 * 1_000_000).to_string()), "0.133334");
    }

    #[test]
    fn a_bill_is_the_sum_of_its_lines() {
        let mut usage = Usage::default();
        usage.add(Unit::ApiRequests, "shopify", "", Decimal::from(3_000_000));
        usage.add(Unit::DynamoDbWriteUnits, "mapper", "orders", Decimal::from(2_000_000));
        let total = Prices::list().unwrap().total(&usage);
        assert_eq!(total, "4.25".parse().unwrap());
    }

    #[test]
    fn every_unit_has_a_price() {
        let prices = Prices::list().unwrap();
        assert_eq!(prices.by_unit.len(), 9);
        assert!(prices.by_unit.values().all(|price| price.per > Decimal::ZERO));
    }
}
