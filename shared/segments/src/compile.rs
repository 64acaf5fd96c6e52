//! Many definitions made into one program.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::amount::Threshold;
use crate::atom::{self, Question};
use crate::bits::Bits;
use crate::calendar::{Calendar, HOUR};
use crate::definition::{
    Condition, ConsentCondition, ConsentFilter, DateTest, Filter, Measurement, MetricCondition,
    PropertyCondition, Unit, Window,
};
use crate::program::{
    CompileError, CompiledCondition, CompiledSegment, ConditionKind, Program, Segment, Selector,
};
use crate::series::{self, Detail, Measure, MeasureWindow};
use crate::window::Frame;

/// The least 48 bits of a digest: the same on every machine, for ever.
fn fingerprint(kind: &str, key: &impl Serialize) -> u64 {
    let json = serde_json::to_string(key).unwrap_or_default();
    digest(&[kind, &json]) >> 16
}

fn digest(parts: &[&str]) -> u64 {
    let hex = canonical::hash::hex_digest(parts);
    u64::from_str_radix(&hex[..16], 16).unwrap_or_default()
}

fn zone_fingerprint(zone: &TimeZone) -> u32 {
    if *zone == TimeZone::UTC {
        return 0;
    }
    let name = zone.iana_name().map_or_else(|| format!("{zone:?}"), ToOwned::to_owned);
    // Its upper half: fits, and is not zero but once in four billion zones.
    u32::try_from(digest(&["zone", &name]) >> 32).unwrap_or(1).max(1)
}

/// What distinguishes one series from another.
#[derive(Serialize)]
struct SeriesKey<'a> {
    metric: &'a str,
    filters: &'a [String],
    measurement: Measurement,
    range: Option<DateTest>,
    detail: &'static str,
}

/// Collects what the definitions share.
struct Compiler<'a> {
    calendar: &'a Calendar,
    series: BTreeMap<u64, (String, SeriesDraft)>,
    questions: BTreeMap<u64, (String, atom::Plan)>,
    conditions: Vec<ConditionDraft>,
    by_condition: HashMap<String, u32>,
}

struct SeriesDraft {
    metric: String,
    filters: BTreeMap<String, PropertyCondition>,
    plan: series::Plan,
}

struct ConditionDraft {
    kind: DraftKind,
    segments: Vec<u32>,
}

enum DraftKind {
    Metric(u64, usize, Threshold),
    Profile(Vec<u64>),
}

impl Compiler<'_> {
    fn condition(&mut self, condition: &Condition, version: u64, segment: u32) -> Result<u32, CompileError> {
        let json = serde_json::to_string(condition).unwrap_or_default();
        // Found or made: either way the measures must learn of a version that may be older.
        let index = self.by_condition.get(&json).copied();
        let next = u32::try_from(self.conditions.len()).map_err(|_| CompileError::Collision)?;
        let index = index.unwrap_or(next);
        let kind = match condition {
            Condition::Metric(metric) => self.metric(metric, version, index, index == next)?,
            Condition::Property(property) => {
                let question = match &property.filter {
                    Filter::Date(test) => self.question(
                        Question::PropertyDate(property.property.clone()),
                        Some(*test),
                        version,
                        index,
                    ),
                    _ => self.question(Question::Property(property.clone()), None, version, index),
                };
                DraftKind::Profile(vec![question?])
            }
            Condition::Consent(consent) => self.consent(consent, version, index)?,
        };
        if index == next {
            self.by_condition.insert(json, index);
            self.conditions.push(ConditionDraft { kind, segments: Vec::new() });
        }
        let segments = &mut self.conditions[index as usize].segments;
        if segments.last() != Some(&segment) {
            segments.push(segment);
        }
        Ok(index)
    }

    fn metric(
        &mut self,
        metric: &MetricCondition,
        version: u64,
        index: u32,
        is_new: bool,
    ) -> Result<DraftKind, CompileError> {
        let filters: BTreeMap<String, PropertyCondition> = metric
            .filters
            .iter()
            .map(|filter| (serde_json::to_string(filter).unwrap_or_default(), filter.clone()))
            .collect();
        let names: Vec<String> = filters.keys().cloned().collect();
        let everything = Frame::Range(i64::MIN, i64::MAX);
        let (range, window, detail) = match Frame::new(metric.timeframe, self.calendar) {
            frame if frame == everything => {
                ((i64::MIN, i64::MAX), MeasureWindow::Alltime, Detail::Days(None))
            }
            Frame::Range(from, until) => ((from, until), MeasureWindow::Alltime, Detail::Days(None)),
            Frame::Window(window) => ((i64::MIN, i64::MAX), MeasureWindow::Window(window), detail_of(window)),
            Frame::Yearly(yearly) => ((i64::MIN, i64::MAX), MeasureWindow::Yearly(yearly), Detail::Yearly),
            // Not possible for events.
            Frame::Month(_) => ((0, 0), MeasureWindow::Alltime, Detail::Days(None)),
        };
        let is_range = window == MeasureWindow::Alltime && metric.timeframe != DateTest::Alltime;
        let key = SeriesKey {
            metric: &metric.metric_id,
            filters: &names,
            measurement: metric.measurement,
            range: is_range.then_some(metric.timeframe),
            detail: match detail {
                Detail::Days(_) => "days",
                Detail::Hours(_) => "hours",
                Detail::Future => "future",
                Detail::Yearly => "yearly",
            },
        };
        let fingerprint = fingerprint("series", &key);
        let json = serde_json::to_string(&key).unwrap_or_default();
        let is_sum = metric.measurement == Measurement::Sum;
        let (found, draft) = self.series.entry(fingerprint).or_insert_with(|| {
            let plan =
                series::Plan { fingerprint, is_sum, range, detail, needs_base: false, measures: Vec::new() };
            (json.clone(), SeriesDraft { metric: metric.metric_id.clone(), filters, plan })
        });
        if *found != json {
            return Err(CompileError::Collision);
        }
        let plan = &mut draft.plan;
        plan.detail = match (plan.detail, detail) {
            (Detail::Days(one), Detail::Days(other)) => Detail::Days(one.max(other)),
            (Detail::Hours(one), Detail::Hours(other)) => Detail::Hours(one.max(other)),
            (detail, _) => detail,
        };
        plan.needs_base |=
            matches!(window, MeasureWindow::Alltime | MeasureWindow::Window(Window::AtLeast(_)));
        let place = plan.measures.iter().position(|measure| measure.window == window).unwrap_or_else(|| {
            plan.measures.push(Measure { window, since: version, conditions: Vec::new() });
            plan.measures.len() - 1
        });
        let measure = &mut plan.measures[place];
        measure.since = measure.since.min(version);
        let threshold = Threshold::new(metric.test, is_sum);
        if is_new {
            measure.conditions.push((index, threshold));
        }
        Ok(DraftKind::Metric(fingerprint, place, threshold))
    }

    fn consent(
        &mut self,
        consent: &ConsentCondition,
        version: u64,
        index: u32,
    ) -> Result<DraftKind, CompileError> {
        let mut questions = Vec::new();
        let mut timeless = consent.clone();
        timeless
            .filters
            .retain(|filter| !matches!(filter, ConsentFilter::Date { filter: Filter::Date(_), .. }));
        questions.push(self.question(Question::Consent(timeless), None, version, index)?);
        for filter in &consent.filters {
            if let ConsentFilter::Date { field, filter: Filter::Date(test) } = filter {
                let question = Question::ConsentDate(consent.channel, *field);
                questions.push(self.question(question, Some(*test), version, index)?);
            }
        }
        Ok(DraftKind::Profile(questions))
    }

    fn question(
        &mut self,
        question: Question,
        test: Option<DateTest>,
        version: u64,
        index: u32,
    ) -> Result<u64, CompileError> {
        let key = (&question, test);
        let fingerprint = fingerprint("question", &key);
        let json = serde_json::to_string(&key).unwrap_or_default();
        let frame = test.map(|test| Frame::new(test, self.calendar));
        let (found, plan) = self.questions.entry(fingerprint).or_insert_with(|| {
            (
                json.clone(),
                atom::Plan { fingerprint, since: version, question, frame, conditions: Vec::new() },
            )
        });
        if *found != json {
            return Err(CompileError::Collision);
        }
        plan.since = plan.since.min(version);
        if !plan.conditions.contains(&index) {
            plan.conditions.push(index);
        }
        Ok(fingerprint)
    }
}

fn detail_of(window: Window) -> Detail {
    match window {
        Window::InTheNext(_) => Detail::Future,
        Window::InTheLast(span) | Window::AtLeast(span) => match span.unit {
            Unit::Day => Detail::Days(Some(span.quantity)),
            Unit::Hour => Detail::Hours(span.quantity * HOUR),
        },
        Window::Between { unit: Unit::Day, to, .. } => Detail::Days(Some(to)),
        Window::Between { unit: Unit::Hour, to, .. } => Detail::Hours(to * HOUR),
    }
}

impl Program {
    /// Compiles the segments of an account into the program of a version. `zone` is the account's time
    /// zone: windows of days snap to its midnights.
    pub fn compile(version: u64, mut segments: Vec<Segment>, zone: TimeZone) -> Result<Self, CompileError> {
        segments.sort_by(|one, other| one.id.cmp(&other.id));
        if let Some(pair) = segments.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(CompileError::DuplicateSegment(pair[0].id.clone()));
        }
        let zone_fingerprint = zone_fingerprint(&zone);
        let calendar = Calendar::new(zone);
        let mut compiler = Compiler {
            calendar: &calendar,
            series: BTreeMap::new(),
            questions: BTreeMap::new(),
            conditions: Vec::new(),
            by_condition: HashMap::new(),
        };
        let mut compiled = Vec::with_capacity(segments.len());
        let mut content = format!("{version} {zone_fingerprint}");
        for (place, segment) in (0_u32..).zip(segments) {
            if segment.version == 0 || segment.version > version {
                return Err(CompileError::Version(segment.id));
            }
            let mut groups = Vec::with_capacity(segment.definition.groups.len());
            for group in &segment.definition.groups {
                let mut conditions = Vec::with_capacity(group.len());
                for condition in group {
                    conditions.push(compiler.condition(condition, segment.version, place)?);
                }
                groups.push(conditions);
            }
            let _ = write!(content, " {:?} {} {groups:?}", segment.id, segment.version);
            compiled.push(CompiledSegment { id: segment.id, version: segment.version, groups });
        }
        let Compiler { series, questions, conditions, by_condition, .. } = compiler;
        let mut by_text: Vec<_> = by_condition.into_iter().collect();
        by_text.sort_unstable();
        let _ = write!(content, "{by_text:?}");

        let mut selectors: HashMap<String, BTreeMap<String, Selector>> = HashMap::new();
        let mut plans = Vec::with_capacity(series.len());
        for (place, (_, (_, draft))) in series.into_iter().enumerate() {
            let names: Vec<&str> = draft.filters.keys().map(String::as_str).collect();
            let key = names.join("\n");
            let filters = draft.filters.into_values().collect();
            let of_metric = selectors.entry(draft.metric).or_default();
            let selector = of_metric.entry(key).or_insert_with(|| Selector { filters, series: Vec::new() });
            selector.series.push(place);
            plans.push(draft.plan);
        }
        let questions: Vec<atom::Plan> = questions.into_values().map(|(_, plan)| plan).collect();
        let mut initially = Bits::new(conditions.len());
        let mut compiled_conditions = Vec::with_capacity(conditions.len());
        for (index, draft) in (0_u32..).zip(conditions) {
            let kind = match draft.kind {
                DraftKind::Metric(fingerprint, measure, threshold) => {
                    initially.set(index, threshold.holds(0));
                    let series = place_of(&plans, fingerprint, |plan| plan.fingerprint);
                    ConditionKind::Metric(series, measure, threshold)
                }
                DraftKind::Profile(fingerprints) => ConditionKind::Profile(
                    fingerprints
                        .into_iter()
                        .map(|fingerprint| place_of(&questions, fingerprint, |plan| plan.fingerprint))
                        .collect(),
                ),
            };
            compiled_conditions.push(CompiledCondition { kind, segments: draft.segments });
        }
        let measures = plans.iter().flat_map(|plan| &plan.measures);
        Ok(Self {
            version,
            zone: zone_fingerprint,
            identity: digest(&["program", &content]).max(1),
            series_since: measures.map(|measure| measure.since).max().unwrap_or(0),
            questions_since: questions.iter().map(|plan| plan.since).max().unwrap_or(0),
            segments: compiled,
            conditions: compiled_conditions,
            series: plans,
            questions,
            selectors: selectors
                .into_iter()
                .map(|(metric, selectors)| (metric, selectors.into_values().collect()))
                .collect(),
            initially,
            calendar,
        })
    }
}

/// Where a thing that is there stands in a sorted list.
fn place_of<T>(items: &[T], fingerprint: u64, key: impl Fn(&T) -> u64) -> usize {
    items.partition_point(|item| key(item) < fingerprint)
}
