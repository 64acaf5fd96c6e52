//! Where somebody lives: conditions on regions, and on the distance from a postal code.

use canonical::Profile;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

use crate::definition::{Comparison, DefinitionError, DistanceCondition, RegionCondition};
use crate::json::Object;
use crate::parse;

/// Metres of a mile.
const MILE: Decimal = Decimal::from_parts(1_609_344, 0, 0, false, 3);
/// No two places are farther apart, in metres.
const FARTHEST: u64 = 20_100_000;

pub(crate) fn region(object: &Object<'_>) -> Result<RegionCondition, DefinitionError> {
    object.only(&["type", "in_region", "region"])?;
    let node = object.field("region")?;
    let region = match node.text()? {
        "european_union" => places::Region::EuropeanUnion,
        "united_states" => places::Region::UnitedStates,
        other => return Err(parse::unknown(&node, "region", other, "european_union, united_states")),
    };
    Ok(RegionCondition { is_inside: object.field("in_region")?.boolean()?, region })
}

pub(crate) fn distance(object: &Object<'_>) -> Result<DistanceCondition, DefinitionError> {
    object.only(&["type", "country_code", "postal_code", "unit", "filter"])?;
    let (country_node, code_node) = (object.field("country_code")?, object.field("postal_code")?);
    let country = places::country(country_node.text()?)
        .ok_or_else(|| country_node.error("the code of a country is expected, such as US"))?;
    let from = match places::locate(country, code_node.text()?) {
        Ok(Some(point)) => point,
        Ok(None) => return Err(code_node.error("no such postal code is known")),
        Err(places::NoData) => {
            return Err(country_node.error("the places of this country's postal codes are not known here"));
        }
    };
    let unit_node = object.field("unit")?;
    let meters_of_unit = match unit_node.text()? {
        "kilometers" => Decimal::ONE_THOUSAND,
        "miles" => MILE,
        other => return Err(parse::unknown(&unit_node, "unit", other, "kilometers, miles")),
    };
    let filter = object.field("filter")?;
    let test = match parse::filter_kind(&filter)? {
        "numeric" => parse::numeric_test(&filter)?,
        other => return Err(parse::unknown_kind(&filter, other, "numeric")),
    };
    let is_nearer = match test.comparison {
        Comparison::LessThan => true,
        Comparison::GreaterThan => false,
        _ => {
            let operator = filter.object()?.field("operator")?;
            return Err(operator.error("only `less-than` and `greater-than` are possible here"));
        }
    };
    let meters = test.value.checked_mul(meters_of_unit).and_then(|meters| meters.round().to_u64());
    let meters =
        meters.filter(|meters| *meters > 0).ok_or_else(|| filter.error("a positive distance is expected"))?;
    Ok(DistanceCondition { from, is_nearer, meters: meters.min(FARTHEST) })
}

/// Who has no country, or one that is not known, is neither inside nor outside.
pub(crate) fn is_in_region(condition: RegionCondition, profile: &Profile) -> bool {
    let country = location(profile, "country").and_then(places::country);
    country.is_some_and(|country| condition.region.contains(country) == condition.is_inside)
}

/// Who has no postal code, or one that is not known, is neither near nor far.
pub(crate) fn is_at_distance(condition: DistanceCondition, profile: &Profile) -> bool {
    let point = || {
        let country = location(profile, "country").and_then(places::country)?;
        places::locate(country, location(profile, "zip")?).ok().flatten()
    };
    point().is_some_and(|point| {
        let meters = places::distance_m(condition.from, point);
        if condition.is_nearer { meters < condition.meters } else { meters > condition.meters }
    })
}

fn location<'a>(profile: &'a Profile, key: &str) -> Option<&'a str> {
    profile.attributes.get("location").and_then(|location| location.get(key)).and_then(Value::as_str)
}
