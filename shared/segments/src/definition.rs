//! What a segment asks: Klaviyo's `definition`, parsed.
//!
//! The field names, operators and units are those of Klaviyo's public API, revision 2026-07-15
//! (<https://developers.klaviyo.com/en/reference/segments_api_overview>).

use jiff::civil::{Date, DateTime};
use regex::Regex;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::json::Node;
use crate::{parse, property};

/// The most conditions in one segment.
pub const MAX_CONDITIONS: usize = 100;
/// The most `metric_filters` of one condition.
pub const MAX_METRIC_FILTERS: usize = 10;
/// The most values of one `in`, `not-in` or list filter.
pub const MAX_VALUES: usize = 500;
/// The most metrics of one condition.
pub const MAX_METRICS: usize = 100;
/// The most lists and segments of one condition.
pub const MAX_GROUPS: usize = 100;
/// The most steps of a funnel.
pub const MAX_STEPS: usize = 10;

/// A parsed definition: groups of which all must hold, of conditions of which one must hold.
#[derive(Clone, Debug)]
pub struct Definition {
    pub(crate) groups: Vec<Vec<Condition>>,
}

/// Why a definition is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail} (at {pointer})")]
pub struct DefinitionError {
    /// JSON pointer relative to the definition, such as `/condition_groups/0/conditions/1/type`.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Condition {
    Metric(MetricCondition),
    Funnel(FunnelCondition),
    Prediction(PredictionCondition),
    Property(PropertyCondition),
    Group(GroupCondition),
    Consent(ConsentCondition),
    Permission(PermissionCondition),
    Region(RegionCondition),
    Distance(DistanceCondition),
    Sample(SampleCondition),
}

/// Which events are meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Metrics {
    /// Those of these metrics; sorted.
    Ids(Vec<String>),
    /// Those of all metrics with this name, whichever platform tells them.
    Named(String),
}

/// Somebody is on a list or in a segment, or in none of them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct GroupCondition {
    pub(crate) is_member: bool,
    /// Ids of lists and segments; sorted.
    pub(crate) ids: Vec<String>,
    /// When the list was joined.
    pub(crate) joined: Option<DateTest>,
}

/// Whether somebody may be reached by `WhatsApp`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PermissionCondition {
    pub(crate) channel: Channel,
    pub(crate) status: Reachable,
    pub(crate) filters: Vec<ConsentFilter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reachable {
    Explicitly,
    Implicitly,
    Either,
    NotExplicitly,
    NotImplicitly,
    Neither,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct RegionCondition {
    pub(crate) is_inside: bool,
    pub(crate) region: places::Region,
}

/// How far somebody is from a postal code.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct DistanceCondition {
    pub(crate) from: places::Point,
    pub(crate) is_nearer: bool,
    pub(crate) meters: u64,
}

/// A part of all profiles, always the same.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SampleCondition {
    pub(crate) seed: String,
    /// Of 10 000.
    pub(crate) parts: u64,
}

/// Things that happened one after the other.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FunnelCondition {
    /// When the first step was.
    pub(crate) timeframe: DateTest,
    /// Within how many milliseconds after the first step the others were.
    pub(crate) within: Option<i64>,
    pub(crate) steps: Vec<FunnelStep>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FunnelStep {
    /// It happened, or it did not.
    pub(crate) exists: bool,
    pub(crate) metrics: Metrics,
    pub(crate) filters: Vec<PropertyCondition>,
}

/// What the orders of somebody so far let expect.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PredictionCondition {
    pub(crate) test: PredictionTest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PredictionTest {
    Number(predictions::Dimension, NumericTest),
    /// When the next order is expected.
    NextOrder(DateTest),
}

/// How much of something happened.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MetricCondition {
    pub(crate) metrics: Metrics,
    pub(crate) measurement: Measurement,
    pub(crate) test: NumericTest,
    pub(crate) timeframe: DateTest,
    pub(crate) filters: Vec<PropertyCondition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measurement {
    Count,
    Sum,
}

/// What a property must be: of a profile, or of an event.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PropertyCondition {
    pub(crate) property: property::Path,
    pub(crate) filter: Filter,
}

impl PropertyCondition {
    /// Whether time alone can change what it says.
    pub(crate) fn is_moving(&self) -> bool {
        matches!(self.filter, Filter::Date(test) if test.is_moving())
    }
}

/// What somebody agreed to on one channel.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ConsentCondition {
    pub(crate) channel: Channel,
    pub(crate) can_receive: bool,
    pub(crate) subscription: Subscription,
    pub(crate) filters: Vec<ConsentFilter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Channel {
    Email,
    Sms,
    Push,
    WhatsappMarketing,
    WhatsappTransactional,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subscription {
    Any,
    Subscribed,
    Unsubscribed,
    NeverSubscribed,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ConsentFilter {
    /// How, and through what: the list, form or integration.
    Method {
        method: String,
        filter: Option<Filter>,
    },
    CustomSource(Filter),
    DoubleOptIn(Filter),
    RcsCapable(Filter),
    Date {
        field: ConsentDate,
        filter: Filter,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ConsentDate {
    Status,
    Recorded,
    Bounce,
    ManualSuppression,
    InvalidEmail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Comparison {
    Equals,
    NotEquals,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NumericTest {
    pub(crate) comparison: Comparison,
    pub(crate) value: Decimal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TextTest {
    Equals,
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub(crate) Regex);

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Element {
    Integer(i64),
    Text(String),
}

/// What a value must be like. `negated` never matches an unset value or one of another type.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Filter {
    Text { test: TextTest, negated: bool, value: String },
    Regex { pattern: Pattern, negated: bool },
    TextIn { values: Vec<String>, negated: bool },
    PhoneCountryIn { values: Vec<String>, negated: bool },
    Number(NumericTest),
    Boolean(bool),
    Exists(bool),
    ListContains { element: Element, negated: bool },
    ListContainsAny { values: Vec<String>, negated: bool },
    ListContainsAll { values: Vec<String>, negated: bool },
    ListContainsSubstring { value: String, negated: bool },
    ListLength(NumericTest),
    Date(DateTest),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    Hour,
    Day,
    Month,
}

/// A stretch of time; weeks are seven days, months are those of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Span {
    pub(crate) unit: Unit,
    pub(crate) quantity: i64,
}

/// A date in a definition. One whose time of day is midnight means the whole day, in the account's
/// zone; any other means the instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StaticDate {
    Day(Date),
    Instant(i64),
    Local(DateTime),
}

/// A window that moves with the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Window {
    InTheLast(Span),
    AtLeast(Span),
    InTheNext(Span),
    /// Between `from` and `to` ago; `from` is the shorter.
    Between {
        unit: Unit,
        from: i64,
        to: i64,
    },
}

/// When something must have been, or be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DateTest {
    Alltime,
    Before(StaticDate),
    After(StaticDate),
    BetweenStatic(StaticDate, StaticDate),
    Window(Window),
    AnniversaryLast(Span),
    AnniversaryNext(Span),
    Anniversary,
    AnniversaryMonth,
    CalendarMonth(i8),
}

impl DateTest {
    /// Whether time changes whether it holds of an instant.
    pub(crate) fn is_moving(self) -> bool {
        match self {
            Self::Alltime
            | Self::Before(_)
            | Self::After(_)
            | Self::BetweenStatic(..)
            | Self::CalendarMonth(_) => false,
            Self::Window(_)
            | Self::AnniversaryLast(_)
            | Self::AnniversaryNext(_)
            | Self::Anniversary
            | Self::AnniversaryMonth => true,
        }
    }
}

impl Definition {
    /// Parses Klaviyo's `definition`. What is not evaluated is refused, never ignored: other condition
    /// types, unknown operators and unknown fields.
    pub fn parse(json: &Value) -> Result<Self, DefinitionError> {
        let root = Node::root(json);
        let groups_node = root.object_of(&["condition_groups"])?.field("condition_groups")?;
        let mut groups = Vec::new();
        let mut count = 0;
        for group in groups_node.items()? {
            let conditions_node = group.object_of(&["conditions"])?.field("conditions")?;
            let mut conditions = Vec::new();
            for node in conditions_node.items()? {
                count += 1;
                if count > MAX_CONDITIONS {
                    return Err(node.error(format!("a segment has at most {MAX_CONDITIONS} conditions")));
                }
                conditions.push(parse::condition(&node)?);
            }
            if conditions.is_empty() {
                return Err(conditions_node.error("a group needs at least one condition"));
            }
            groups.push(conditions);
        }
        if groups.is_empty() {
            return Err(groups_node.error("at least one group of conditions is needed"));
        }
        Ok(Self { groups })
    }

    /// The ids of the metrics it asks about, each as often as it is asked, with the place of the condition.
    pub fn metric_ids(&self) -> impl Iterator<Item = (String, &str)> {
        self.placed().flat_map(|(pointer, condition)| {
            let metrics: Vec<&Metrics> = match condition {
                Condition::Metric(metric) => vec![&metric.metrics],
                Condition::Funnel(funnel) => funnel.steps.iter().map(|step| &step.metrics).collect(),
                _ => Vec::new(),
            };
            let ids = metrics.into_iter().flat_map(|metrics| match metrics {
                Metrics::Ids(ids) => ids.as_slice(),
                Metrics::Named(_) => &[],
            });
            ids.map(move |id| (pointer.clone(), id.as_str()))
        })
    }

    /// The ids of the lists and segments it asks about, with the place of the condition and whether it asks when
    /// they were joined.
    pub fn group_ids(&self) -> impl Iterator<Item = (String, &str, bool)> {
        self.placed().flat_map(|(pointer, condition)| {
            let (ids, dated) = match condition {
                Condition::Group(group) => (group.ids.as_slice(), group.joined.is_some()),
                _ => (&[][..], false),
            };
            ids.iter().map(move |id| (format!("{pointer}/group_ids"), id.as_str(), dated))
        })
    }

    /// Whether a condition asks for predictions.
    pub fn asks_for_predictions(&self) -> bool {
        self.placed().any(|(_, condition)| matches!(condition, Condition::Prediction(_)))
    }

    fn placed(&self) -> impl Iterator<Item = (String, &Condition)> {
        self.groups.iter().enumerate().flat_map(|(group, conditions)| {
            let placed = move |(index, condition)| {
                (format!("/condition_groups/{group}/conditions/{index}"), condition)
            };
            conditions.iter().enumerate().map(placed)
        })
    }
}
