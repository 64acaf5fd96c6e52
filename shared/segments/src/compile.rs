//! Many definitions made into one program.

use std::collections::{BTreeMap, HashMap};

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::amount::Threshold;
use crate::atom::{self, Question};
use crate::bits::Bits;
use crate::calendar::{Calendar, HOUR};
use crate::definition::{
    Channel, Condition, ConsentCondition, ConsentFilter, DateTest, Filter, FunnelCondition, GroupCondition,
    Measurement, MetricCondition, Metrics, PermissionCondition, PredictionTest, PropertyCondition, Span,
    Unit, Window,
};
use crate::members::Id;
use crate::program::{
    Account, CompileError, CompiledCondition, CompiledSegment, ConditionKind, Program, Segment,
};
use crate::property::Path;
use crate::selector::{Known, Selectors};
use crate::series::{self, Detail, Measure, MeasureWindow};
use crate::window::Frame;
use crate::{funnel, orders};

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
    metrics: &'a Metrics,
    filters: &'a [String],
    measurement: Measurement,
    /// The property that says when.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'a Path>,
    range: Option<DateTest>,
    detail: &'static str,
    /// Whether no more is kept than is needed to compare with small numbers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    capped: bool,
}

/// How many events in a window are told apart where conditions compare with less.
const CAP: i128 = 8;

/// Collects what the definitions share.
struct Compiler<'a> {
    calendar: &'a Calendar,
    /// Where each segment stands.
    places: &'a HashMap<String, u32>,
    series: BTreeMap<u64, (String, SeriesDraft)>,
    questions: BTreeMap<u64, (String, atom::Plan)>,
    funnels: BTreeMap<u64, FunnelDraft>,
    predictions: Vec<orders::Plan>,
    conditions: Vec<ConditionDraft>,
    by_condition: HashMap<String, u32>,
}

struct SeriesDraft {
    metrics: Metrics,
    filters: Filters,
    plan: series::Plan,
}

struct FunnelDraft {
    json: String,
    steps: Vec<(Metrics, Filters)>,
    plan: funnel::Plan,
}

struct ConditionDraft {
    kind: DraftKind,
    segments: Vec<u32>,
}

enum DraftKind {
    Metric(u64, usize, Threshold),
    Profile(Vec<u64>),
    Group { questions: Vec<u64>, segments: Vec<u32>, is_member: bool },
    Funnel(u64),
    Prediction(usize),
}

/// By their text, so that their order does not matter.
type Filters = BTreeMap<String, PropertyCondition>;

fn by_text(filters: impl IntoIterator<Item = PropertyCondition>) -> Filters {
    let named = |filter: PropertyCondition| (serde_json::to_string(&filter).unwrap_or_default(), filter);
    filters.into_iter().map(named).collect()
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
            Condition::Consent(consent) => {
                let timeless =
                    ConsentCondition { filters: without_dates(&consent.filters), ..consent.clone() };
                let question = Question::Consent(timeless);
                self.dated(question, consent.channel, &consent.filters, version, index)?
            }
            Condition::Permission(permission) => {
                let timeless =
                    PermissionCondition { filters: without_dates(&permission.filters), ..permission.clone() };
                let question = Question::Permission(timeless);
                self.dated(question, permission.channel, &permission.filters, version, index)?
            }
            Condition::Group(group) => self.group(group, version, index)?,
            Condition::Region(region) => self.plain(Question::Region(*region), version, index)?,
            Condition::Distance(distance) => self.plain(Question::Distance(*distance), version, index)?,
            Condition::Sample(sample) => self.plain(Question::Sample(sample.clone()), version, index)?,
            Condition::Funnel(funnel) => self.funnel(funnel, &json, version, index)?,
            Condition::Prediction(prediction) => self.prediction(prediction.test, version, index),
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
        // A filter on a date that moves is a window on that date instead of on when the event occurred.
        let moving = metric.filters.iter().find(|filter| filter.is_moving());
        let (clock, timeframe) = match moving {
            Some(PropertyCondition { property, filter: Filter::Date(test) }) => (Some(property), *test),
            _ => (None, metric.timeframe),
        };
        let filters = by_text(metric.filters.iter().filter(|filter| !filter.is_moving()).cloned());
        let names: Vec<String> = filters.keys().cloned().collect();
        let everything = Frame::Range(i64::MIN, i64::MAX);
        let (range, window, detail) = match Frame::new(timeframe, self.calendar) {
            frame if frame == everything => {
                ((i64::MIN, i64::MAX), MeasureWindow::Alltime, Detail::Days(None))
            }
            Frame::Range(from, until) => ((from, until), MeasureWindow::Alltime, Detail::Days(None)),
            Frame::Window(window) => ((i64::MIN, i64::MAX), MeasureWindow::Window(window), detail_of(window)),
            Frame::Yearly(yearly) => ((i64::MIN, i64::MAX), MeasureWindow::Yearly(yearly), Detail::Yearly),
            // Not possible for events.
            Frame::Month(_) => ((0, 0), MeasureWindow::Alltime, Detail::Days(None)),
        };
        let is_sum = metric.measurement == Measurement::Sum;
        let threshold = Threshold::new(metric.test, is_sum);
        let capped = !is_sum
            && matches!(window, MeasureWindow::Window(Window::InTheLast(_)))
            && metric.test.value < Decimal::from(CAP - 1);
        let is_range = window == MeasureWindow::Alltime && timeframe != DateTest::Alltime;
        let key = SeriesKey {
            metrics: &metric.metrics,
            filters: &names,
            measurement: metric.measurement,
            clock,
            range: is_range.then_some(timeframe),
            detail: match detail {
                Detail::Days(_) => "days",
                Detail::Hours(_) => "hours",
                Detail::Future => "future",
                Detail::Yearly => "yearly",
            },
            capped,
        };
        let fingerprint = fingerprint("series", &key);
        let json = serde_json::to_string(&key).unwrap_or_default();
        let (found, draft) = self.series.entry(fingerprint).or_insert_with(|| {
            let plan = series::Plan {
                fingerprint,
                is_sum,
                clock: clock.cloned(),
                range,
                detail,
                needs_base: false,
                cap: capped.then_some(CAP),
                measures: Vec::new(),
            };
            (json.clone(), SeriesDraft { metrics: metric.metrics.clone(), filters, plan })
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
        if is_new {
            measure.conditions.push((index, threshold));
        }
        Ok(DraftKind::Metric(fingerprint, place, threshold))
    }

    /// One question that does not depend on the present.
    fn plain(&mut self, question: Question, version: u64, index: u32) -> Result<DraftKind, CompileError> {
        Ok(DraftKind::Profile(vec![self.question(question, None, version, index)?]))
    }

    /// A question about consent, and those about its dates.
    fn dated(
        &mut self,
        question: Question,
        channel: Channel,
        filters: &[ConsentFilter],
        version: u64,
        index: u32,
    ) -> Result<DraftKind, CompileError> {
        let mut questions = vec![self.question(question, None, version, index)?];
        for filter in filters {
            if let ConsentFilter::Date { field, filter: Filter::Date(test) } = filter {
                let question = Question::ConsentDate(channel, *field);
                questions.push(self.question(question, Some(*test), version, index)?);
            }
        }
        Ok(DraftKind::Profile(questions))
    }

    /// What is no segment of the program is a list.
    fn group(&mut self, group: &GroupCondition, version: u64, index: u32) -> Result<DraftKind, CompileError> {
        let (mut questions, mut segments) = (Vec::new(), Vec::new());
        for id in &group.ids {
            if let Some(place) = self.places.get(id) {
                if group.joined.is_some() {
                    return Err(CompileError::Joined(id.clone()));
                }
                segments.push(*place);
                continue;
            }
            let question = match group.joined {
                Some(_) => Question::ListJoined(id.clone()),
                None => Question::List(id.clone()),
            };
            questions.push(self.question(question, group.joined, version, index)?);
        }
        Ok(DraftKind::Group { questions, segments, is_member: group.is_member })
    }

    fn funnel(
        &mut self,
        funnel: &FunnelCondition,
        json: &str,
        version: u64,
        index: u32,
    ) -> Result<DraftKind, CompileError> {
        let fingerprint = fingerprint("funnel", funnel);
        let draft = self.funnels.entry(fingerprint).or_insert_with(|| FunnelDraft {
            json: json.to_owned(),
            steps: funnel
                .steps
                .iter()
                .map(|step| (step.metrics.clone(), by_text(step.filters.iter().cloned())))
                .collect(),
            plan: funnel::Plan {
                fingerprint,
                since: version,
                condition: index,
                timeframe: Frame::new(funnel.timeframe, self.calendar),
                within: funnel.within,
                exists: funnel.steps.iter().map(|step| step.exists).collect(),
            },
        });
        if draft.json != json {
            return Err(CompileError::Collision);
        }
        draft.plan.since = draft.plan.since.min(version);
        Ok(DraftKind::Funnel(fingerprint))
    }

    fn prediction(&mut self, test: PredictionTest, version: u64, index: u32) -> DraftKind {
        let place = self.predictions.iter().position(|plan| plan.test == test).unwrap_or_else(|| {
            self.predictions.push(orders::Plan::new(test, version, index, self.calendar));
            self.predictions.len() - 1
        });
        let plan = &mut self.predictions[place];
        plan.since = plan.since.min(version);
        DraftKind::Prediction(place)
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
        Window::InTheLast(Span { unit, quantity })
        | Window::AtLeast(Span { unit, quantity })
        | Window::Between { unit, to: quantity, .. } => match unit {
            Unit::Hour => Detail::Hours(quantity * HOUR),
            Unit::Day => Detail::Days(Some(quantity)),
            // The longest months.
            Unit::Month => Detail::Days(Some(31 * quantity)),
        },
    }
}

fn without_dates(filters: &[ConsentFilter]) -> Vec<ConsentFilter> {
    let is_timeless =
        |filter: &&ConsentFilter| !matches!(filter, ConsentFilter::Date { filter: Filter::Date(_), .. });
    filters.iter().filter(is_timeless).cloned().collect()
}

/// The segments in an order in which each comes after those it asks about: the rank of each. A segment is as young as
/// the youngest it asks about.
fn rank(segments: &mut [Segment], places: &HashMap<String, u32>) -> Result<Vec<u32>, CompileError> {
    let asked: Vec<Vec<u32>> = segments
        .iter()
        .map(|segment| {
            segment.definition.group_ids().filter_map(|(_, id, _)| places.get(id).copied()).collect()
        })
        .collect();
    let mut ranks = vec![0_u32; segments.len()];
    let mut is_done = vec![false; segments.len()];
    for start in 0..segments.len() {
        // The way down to where we are: a segment, and how many of those it asks about are done.
        let mut way = vec![(start, 0)];
        while let Some((place, next)) = way.last().copied() {
            if is_done[place] {
                way.pop();
            } else if let Some(below) = asked[place].get(next).map(|below| *below as usize) {
                if let Some(from) = way.iter().position(|(other, _)| *other == below) {
                    let names = way[from..].iter().map(|(place, _)| *place).chain([below]);
                    return Err(CompileError::Cycle(names.map(|place| segments[place].id.clone()).collect()));
                }
                if let Some(last) = way.last_mut() {
                    last.1 += 1;
                }
                way.push((below, 0));
            } else {
                for below in &asked[place] {
                    let below = *below as usize;
                    ranks[place] = ranks[place].max(ranks[below] + 1);
                    segments[place].version = segments[place].version.max(segments[below].version);
                }
                is_done[place] = true;
                way.pop();
            }
        }
    }
    Ok(ranks)
}

impl Program {
    /// Compiles the segments of an account into the program of a version.
    pub fn compile(
        version: u64,
        mut segments: Vec<Segment>,
        account: impl Into<Account>,
    ) -> Result<Self, CompileError> {
        let Account { zone, model } = account.into();
        segments.sort_by(|one, other| one.id.cmp(&other.id));
        if let Some(pair) = segments.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(CompileError::DuplicateSegment(pair[0].id.clone()));
        }
        let zone_fingerprint = zone_fingerprint(&zone);
        let calendar = Calendar::new(zone);
        let places: HashMap<String, u32> =
            (0..).zip(&segments).map(|(place, segment)| (segment.id.clone(), place)).collect();
        for segment in &segments {
            if segment.version == 0 || segment.version > version {
                return Err(CompileError::Version(segment.id.clone()));
            }
        }
        let ranks = rank(&mut segments, &places)?;
        let mut compiler = Compiler {
            calendar: &calendar,
            places: &places,
            series: BTreeMap::new(),
            questions: BTreeMap::new(),
            funnels: BTreeMap::new(),
            predictions: Vec::new(),
            conditions: Vec::new(),
            by_condition: HashMap::new(),
        };
        let mut compiled = Vec::with_capacity(segments.len());
        for (place, segment) in (0_u32..).zip(segments) {
            let mut groups = Vec::with_capacity(segment.definition.groups.len());
            for group in &segment.definition.groups {
                let mut conditions = Vec::with_capacity(group.len());
                for condition in group {
                    conditions.push(compiler.condition(condition, segment.version, place)?);
                }
                groups.push(conditions);
            }
            compiled.push(CompiledSegment {
                key: Id::of(&segment.id),
                id: segment.id,
                version: segment.version,
                groups,
                rank: ranks[place as usize],
                asked_by: Vec::new(),
            });
        }
        let Compiler { series, questions, funnels, predictions, conditions, .. } = compiler;
        let (mut selectors, mut known) = (Selectors::default(), Known::new());
        let mut plans = Vec::with_capacity(series.len());
        for (place, (_, (_, draft))) in series.into_iter().enumerate() {
            selectors.of(&mut known, draft.metrics, draft.filters, &calendar).series.push(place);
            plans.push(draft.plan);
        }
        let mut funnel_plans = Vec::with_capacity(funnels.len());
        for (place, (_, draft)) in funnels.into_iter().enumerate() {
            for (step, (metrics, filters)) in draft.steps.into_iter().enumerate() {
                selectors.of(&mut known, metrics, filters, &calendar).funnels.push((place, 1 << step));
            }
            funnel_plans.push(draft.plan);
        }
        if !predictions.is_empty() {
            let orders = Metrics::Named(orders::metric().to_owned());
            selectors.of(&mut known, orders, Filters::new(), &calendar).orders = true;
        }
        let questions: Vec<atom::Plan> = questions.into_values().map(|(_, plan)| plan).collect();
        let places_of = |fingerprints: Vec<u64>| {
            let place = |fingerprint| place_of(&questions, fingerprint, |plan: &atom::Plan| plan.fingerprint);
            fingerprints.into_iter().map(place).collect()
        };
        let mut initially = Bits::new(conditions.len());
        let mut compiled_conditions = Vec::with_capacity(conditions.len());
        for (index, draft) in (0_u32..).zip(conditions) {
            let kind = match draft.kind {
                DraftKind::Metric(fingerprint, measure, threshold) => {
                    initially.set(index, threshold.holds(0));
                    let series = place_of(&plans, fingerprint, |plan| plan.fingerprint);
                    ConditionKind::Metric(series, measure, threshold)
                }
                DraftKind::Profile(fingerprints) => ConditionKind::Profile(places_of(fingerprints)),
                DraftKind::Group { questions, segments, is_member } => {
                    initially.set(index, !is_member);
                    for segment in &segments {
                        compiled[*segment as usize].asked_by.push(index);
                    }
                    ConditionKind::Group { questions: places_of(questions), segments, is_member }
                }
                DraftKind::Funnel(fingerprint) => {
                    ConditionKind::Funnel(place_of(&funnel_plans, fingerprint, |plan| plan.fingerprint))
                }
                DraftKind::Prediction(place) => ConditionKind::Prediction(place),
            };
            compiled_conditions.push(CompiledCondition { kind, segments: draft.segments });
        }
        let measures = plans.iter().flat_map(|plan| &plan.measures).map(|measure| measure.since);
        let measures = measures.chain(funnel_plans.iter().map(|plan| plan.since));
        let measures = measures.chain(predictions.iter().map(|plan| plan.since));
        Ok(Self {
            version,
            zone: zone_fingerprint,
            history_since: measures.max().unwrap_or(0),
            questions_since: questions.iter().map(|plan| plan.since).max().unwrap_or(0),
            by_rank: {
                let mut places: Vec<u32> = (0..).zip(&compiled).map(|(place, _)| place).collect();
                places.sort_by_key(|place| compiled[*place as usize].rank);
                places
            },
            segments: compiled,
            conditions: compiled_conditions,
            series: plans,
            questions,
            funnels: funnel_plans,
            predictions,
            model,
            selectors,
            initially,
            calendar,
        })
    }
}

/// Where a thing that is there stands in a sorted list.
fn place_of<T>(items: &[T], fingerprint: u64, key: impl Fn(&T) -> u64) -> usize {
    items.partition_point(|item| key(item) < fingerprint)
}
