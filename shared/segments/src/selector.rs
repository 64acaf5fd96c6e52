//! Which events reach which measures.

use std::collections::{BTreeMap, HashMap};

use crate::Event;
use crate::calendar::Calendar;
use crate::date;
use crate::definition::{Filter, Metrics, PropertyCondition};
use crate::window::Frame;

/// Events of some metrics that pass the same filters, and what counts them.
#[derive(Debug, Default)]
pub(crate) struct Selector {
    /// With the range or month of a date that does not move; those that do are no filters but clocks.
    filters: Vec<(PropertyCondition, Option<Frame>)>,
    /// By their places in the program.
    pub(crate) series: Vec<usize>,
    /// With the bit of the step.
    pub(crate) funnels: Vec<(usize, u16)>,
    /// Whether they are orders, of which predictions are made.
    pub(crate) orders: bool,
}

/// All selectors of a program, by metric.
#[derive(Debug, Default)]
pub(crate) struct Selectors {
    all: Vec<Selector>,
    by_id: HashMap<String, Vec<usize>>,
    by_name: HashMap<String, Vec<usize>>,
}

/// The selectors there are, by metrics and filters: for as long as a program is compiled.
pub(crate) type Known = BTreeMap<(Metrics, String), usize>;

impl Selectors {
    /// The selector of these events: the one there is, or a new one.
    pub(crate) fn of(
        &mut self,
        known: &mut Known,
        metrics: Metrics,
        filters: BTreeMap<String, PropertyCondition>,
        calendar: &Calendar,
    ) -> &mut Selector {
        let names: Vec<&str> = filters.keys().map(String::as_str).collect();
        let key = (metrics, names.join("\n"));
        let place = known.get(&key).copied().unwrap_or_else(|| {
            let place = self.all.len();
            let framed = |condition: PropertyCondition| {
                let frame = match &condition.filter {
                    Filter::Date(test) => Some(Frame::new(*test, calendar)),
                    _ => None,
                };
                (condition, frame)
            };
            let filters = filters.into_values().map(framed).collect();
            self.all.push(Selector { filters, ..Selector::default() });
            match &key.0 {
                Metrics::Ids(ids) => {
                    for id in ids {
                        self.by_id.entry(id.clone()).or_default().push(place);
                    }
                }
                Metrics::Named(name) => self.by_name.entry(name.clone()).or_default().push(place),
            }
            known.insert(key, place);
            place
        });
        &mut self.all[place]
    }

    /// Those that an event may pass, before its properties are looked at.
    pub(crate) fn reached_by(&self, event: &Event<'_>) -> impl Iterator<Item = &Selector> {
        let places = [self.by_id.get(event.metric_id), self.by_name.get(event.metric)];
        places.into_iter().flatten().flatten().map(|place| &self.all[*place])
    }
}

impl Selector {
    /// Whether the event's properties are as they must be.
    pub(crate) fn passes(&self, event: &Event<'_>, calendar: &Calendar) -> bool {
        self.filters.iter().all(|(condition, frame)| {
            condition.property.holds_in(event, &|operand| match frame {
                Some(frame) => date::instant_of(operand, calendar.zone())
                    .is_some_and(|instant| frame.holds(crate::calendar::clamp(instant), 0, calendar)),
                None => condition.filter.matches(operand),
            })
        })
    }
}
