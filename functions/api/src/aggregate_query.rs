//! What `POST /api/metric-aggregates` is asked, read strictly.

use canonical::hash;
use jiff::ToSpan;
use jiff::tz::TimeZone;

use crate::body::{Fields, Node};
use crate::error::{ApiError, ApiResult};
use crate::filter::{self, Filter};
use crate::intervals::Interval;
use crate::request::{Bounds, cursor_of};

/// Klaviyo's default size of a page of rows; the greatest is ours.
const PAGE: usize = 500;
const MAX_PAGE: usize = 1000;
/// The most dimensions of a query, and the most filters.
const MAX_DIMENSIONS: usize = 10;
const MAX_FILTERS: usize = 100;
/// The longest name of a dimension.
const MAX_NAME: usize = 255;
const ATTRIBUTES: [&str; 10] = [
    "metric_id",
    "measurements",
    "interval",
    "by",
    "filter",
    "timezone",
    "page_size",
    "page_cursor",
    "sort",
    "return_fields",
];
/// What can be left out of the answer.
pub(crate) const RETURNED: [&str; 4] = ["dates", "data", "dimensions", "measurements"];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Count,
    SumValue,
    /// How many different profiles.
    Unique,
}

impl Measure {
    const ALL: [Self; 3] = [Self::Count, Self::SumValue, Self::Unique];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::SumValue => "sum_value",
            Self::Unique => "unique",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }
}

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortKey {
    /// All dimensions, the first first.
    Dimensions,
    /// The place of one of them.
    Dimension(usize),
    /// What is measured over the whole range.
    Measure(Measure),
}

/// A query.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) metric_id: String,
    pub(crate) measures: Vec<Measure>,
    /// The beginnings of the intervals, in milliseconds.
    pub(crate) starts: Vec<i64>,
    /// The range, inclusive, in milliseconds.
    pub(crate) range: (i64, i64),
    pub(crate) by: Vec<String>,
    /// Conditions on properties.
    pub(crate) conditions: Vec<Filter>,
    pub(crate) sort: SortKey,
    pub(crate) descending: bool,
    pub(crate) page_size: usize,
    /// What was given out with the page before.
    pub(crate) cursor: Option<String>,
    pub(crate) returned: Option<Vec<String>>,
    /// Equal for all pages of a query.
    pub(crate) digest: String,
}

impl Query {
    /// From the attributes of the body; `cursor` is that of the address, if there is one.
    pub(crate) fn read(attributes: &Fields<'_>, cursor: Option<String>) -> ApiResult<Self> {
        attributes.only(&ATTRIBUTES)?;
        let metric_id = attributes.required("metric_id")?.text_of(MAX_NAME)?.to_owned();
        let measures = read_measures(&attributes.required("measurements")?)?;
        let zone = read_zone(attributes)?;
        let by = match attributes.optional("by") {
            Some(node) => read_names(&node, MAX_DIMENSIONS)?,
            None => Vec::new(),
        };
        let (range, conditions) = read_filters(&attributes.required("filter")?, &zone)?;
        let (sort, descending) = read_sort(attributes, &by, &measures)?;
        let cursor = match attributes.optional("page_cursor") {
            Some(node) => {
                let cursor = cursor_of(node.text()?);
                Some(cursor.ok_or_else(|| node.invalid("Invalid cursor provided."))?)
            }
            None => cursor,
        };
        let starts = read_interval(attributes)?.starts(range.0, range.1, &zone);
        Ok(Self {
            metric_id,
            measures,
            starts: starts.ok_or_else(|| attributes.invalid("There are no such dates."))?,
            range,
            by,
            conditions,
            sort,
            descending,
            page_size: read_page_size(attributes)?,
            cursor,
            returned: read_returned(attributes)?,
            digest: digest(attributes),
        })
    }

    pub(crate) fn asks_for(&self, measure: Measure) -> bool {
        self.measures.contains(&measure)
    }

    /// Whether the events themselves are not needed: what the index says is enough.
    pub(crate) fn needs_only_keys(&self) -> bool {
        self.by.is_empty() && self.conditions.is_empty() && !self.asks_for(Measure::SumValue)
    }

    pub(crate) fn returns(&self, field: &str) -> bool {
        self.returned.as_ref().is_none_or(|fields| fields.iter().any(|wanted| wanted == field))
    }
}

fn read_measures(node: &Node<'_>) -> ApiResult<Vec<Measure>> {
    let mut measures = Vec::new();
    for item in node.items()? {
        let measure = Measure::named(item.text()?)
            .ok_or_else(|| item.invalid("A measurement is 'count', 'sum_value' or 'unique'."))?;
        if !measures.contains(&measure) {
            measures.push(measure);
        }
    }
    if measures.is_empty() {
        Err(node.invalid("At least one measurement is required."))
    } else {
        Ok(measures)
    }
}

fn read_interval(attributes: &Fields<'_>) -> ApiResult<Interval> {
    let Some(node) = attributes.optional("interval") else { return Ok(Interval::Day) };
    let name = node.text()?;
    let known = Interval::NAMES.iter().find(|(known, _)| *known == name);
    known
        .map(|(_, interval)| *interval)
        .ok_or_else(|| node.invalid("The interval must be 'hour', 'day', 'week' or 'month'."))
}

/// The names are told apart by case.
fn read_zone(attributes: &Fields<'_>) -> ApiResult<TimeZone> {
    let Some(node) = attributes.optional("timezone") else { return Ok(TimeZone::UTC) };
    let name = node.text()?;
    let zone = TimeZone::get(name).ok().filter(|zone| zone.iana_name() == Some(name));
    zone.ok_or_else(|| node.invalid("The time zone must be one of the IANA time zone database."))
}

/// Different names, each once.
fn read_names(node: &Node<'_>, max: usize) -> ApiResult<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for item in node.items()? {
        let name = item.text_of(MAX_NAME)?;
        if names.iter().any(|known| known == name) {
            return Err(item.invalid("This is there already."));
        }
        if names.len() >= max {
            return Err(node.invalid(format!("There must not be more than {max} of them.")));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn read_filters(node: &Node<'_>, zone: &TimeZone) -> ApiResult<((i64, i64), Vec<Filter>)> {
    let mut bounds = Bounds::default();
    let mut conditions = Vec::new();
    for item in node.items()? {
        let parsed = filter::parse(item.text()?);
        for condition in parsed.map_err(|error| item.invalid(format!("Invalid filter provided: {error}.")))? {
            if condition.field == "datetime" {
                bounds
                    .narrow_by_instant_in(&condition, zone)
                    .map_err(|error| ApiError::invalid(item.pointer.as_str(), error.detail))?;
            } else {
                conditions.push(condition);
            }
            if conditions.len() > MAX_FILTERS {
                return Err(node.invalid(format!("There must not be more than {MAX_FILTERS} filters.")));
            }
        }
    }
    let (Some(from), Some(to)) = bounds.pair() else {
        let detail = "A time range is required: greater-or-equal(datetime,…) and less-than(datetime,…).";
        return Err(node.invalid(detail));
    };
    if to < from {
        return Err(node.invalid("The time range ends before it begins."));
    }
    let end = canonical::Instant::from_millis(from)
        .and_then(|from| from.timestamp().to_zoned(zone.clone()).checked_add(1.year()).ok());
    if end.is_none_or(|end| end.timestamp().as_millisecond() <= to) {
        return Err(node.invalid("The time range must not be longer than a year."));
    }
    Ok(((from, to), conditions))
}

fn read_sort(attributes: &Fields<'_>, by: &[String], measures: &[Measure]) -> ApiResult<(SortKey, bool)> {
    let Some(node) = attributes.optional("sort") else { return Ok((SortKey::Dimensions, false)) };
    let text = node.text()?;
    let (name, descending) = match text.strip_prefix('-') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let measure = Measure::named(name).filter(|measure| measures.contains(measure));
    let dimension = || by.iter().position(|dimension| dimension == name);
    match (measure, dimension()) {
        (Some(measure), _) => Ok((SortKey::Measure(measure), descending)),
        (None, Some(place)) => Ok((SortKey::Dimension(place), descending)),
        (None, None) => Err(node.invalid("Rows are sorted by one of 'measurements' or of 'by'.")),
    }
}

fn read_page_size(attributes: &Fields<'_>) -> ApiResult<usize> {
    let Some(node) = attributes.optional("page_size") else { return Ok(PAGE) };
    let size = node.value.as_u64().and_then(|size| usize::try_from(size).ok());
    size.filter(|size| (1..=MAX_PAGE).contains(size))
        .ok_or_else(|| node.invalid(format!("The page size must be an integer between 1 and {MAX_PAGE}.")))
}

fn read_returned(attributes: &Fields<'_>) -> ApiResult<Option<Vec<String>>> {
    let Some(node) = attributes.optional("return_fields") else { return Ok(None) };
    for item in node.items()? {
        if !RETURNED.contains(&item.text()?) {
            return Err(item.invalid(format!("Returned are {}.", RETURNED.join(", "))));
        }
    }
    read_names(&node, RETURNED.len()).map(Some)
}

/// Of all that does not differ between the pages of a query, in whatever order it is written.
fn digest(attributes: &Fields<'_>) -> String {
    let differing = ["page_cursor", "page_size", "return_fields"];
    let same = attributes.map.iter().filter(|(name, _)| !differing.contains(&name.as_str()));
    let mut same: Vec<String> = same.map(|(name, value)| format!("{name}={value}")).collect();
    same.sort();
    hash::long_id(&["metric aggregate", &same.join("\n")])
}
