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
    filters: Vec<PropertyCondition>,
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
    places: BTreeMap<(Metrics, String), usize>,
    by_id: HashMap<String, Vec<usize>>,
    by_name: HashMap<String, Vec<usize>>,
}

impl Selectors {
    /// The selector of these events: the one there is, or a new one.
    pub(crate) fn of(
        &mut self,
        metrics: Metrics,
        filters: BTreeMap<String, PropertyCondition>,
    ) -> &mut Selector {
        let names: Vec<&str> = filters.keys().map(String::as_str).collect();
        let key = (metrics, names.join("\n"));
        let place = self.places.get(&key).copied().unwrap_or_else(|| {
            let place = self.all.len();
            self.all.push(Selector { filters: filters.into_values().collect(), ..Selector::default() });
            match &key.0 {
                Metrics::Ids(ids) => {
                    for id in ids {
                        self.by_id.entry(id.clone()).or_default().push(place);
                    }
                }
                Metrics::Named(name) => self.by_name.entry(name.clone()).or_default().push(place),
            }
            self.places.insert(key, place);
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
        self.filters.iter().all(|condition| {
            condition.property.holds_in(event, &|operand| match &condition.filter {
                // Dates that move are no filters but clocks: what is left does not depend on the present.
                Filter::Date(test) => date::instant_of(operand, calendar.zone()).is_some_and(|instant| {
                    Frame::new(*test, calendar).holds(crate::calendar::clamp(instant), 0, calendar)
                }),
                filter => filter.matches(operand),
            })
        })
    }
}
