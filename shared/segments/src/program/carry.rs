//! How a state is carried on: by events, by the profile, by time.

use std::collections::{BTreeSet, HashSet};

use canonical::Profile;

use super::{AHEAD_MS, ConditionKind, Program, event_hash};
use crate::amount;
use crate::atom::{self, Answer};
use crate::bits::Bits;
use crate::calendar::{self, Present};
use crate::date;
use crate::event::{Cause, Event, Transition};
use crate::funnel::{self, Log};
use crate::members::Members;
use crate::orders::{self, Summary};
use crate::series::{self, Series};
use crate::state::State;
use crate::window::NEVER;

impl Program {
    /// Counts all events anew.
    pub(super) fn recount(&self, state: &mut State, history: &[Event<'_>]) {
        state.forget_counts();
        let (mut ahead, mut until) = (Vec::new(), None);
        let oldest = state.now - AHEAD_MS;
        let mut seen = HashSet::with_capacity(history.len());
        let present = Present::new(state.now, &self.calendar);
        for event in history {
            if !seen.insert(event.id) {
                continue;
            }
            if event.ingested_ms >= oldest {
                ahead.push(event_hash(event.id));
                until = until.max(Some(event.ingested_ms));
            }
            self.each_count(event, |count| match count {
                Count::Series(plan, occurred, amount) => {
                    // When it is due is said when all is counted.
                    let add =
                        |series: &mut Series| series.add(plan, occurred, amount, present).then_some(NEVER);
                    state.series.change(plan.fingerprint, plan.is_sum, add);
                }
                Count::Funnel(plan, entry) => Self::log_of(state, plan.fingerprint).add(entry),
                Count::Orders(occurred, amount) => state.orders.add(occurred, amount, present.now),
            });
        }
        state.set_ahead(ahead, until);
    }

    /// Adds an event to everything that counts it, and says which conditions flip. Whether anything counts it.
    pub(super) fn record(&self, state: &mut State, event: &Event<'_>, flipped: &mut Vec<u32>) -> bool {
        let mut is_touched = false;
        let present = Present::new(state.now, &self.calendar);
        self.each_count(event, |count| {
            is_touched = true;
            match count {
                Count::Series(plan, occurred, amount) => {
                    Self::add(state, plan, occurred, amount, present, flipped);
                }
                Count::Funnel(plan, entry) => {
                    let log = Self::log_of(state, plan.fingerprint);
                    let before = log.holds(plan, present);
                    log.add(entry);
                    Self::compare_funnel(state, plan, before, present, flipped);
                }
                Count::Orders(occurred, amount) => {
                    let before = self.predicted(state, present);
                    state.orders.add(occurred, amount, present.now);
                    self.compare_predictions(state, &before, present, flipped);
                }
            }
        });
        is_touched
    }

    /// What counts an event.
    fn each_count<'a>(&'a self, event: &Event<'_>, mut count: impl FnMut(Count<'a>)) {
        let occurred = calendar::clamp(event.occurred_ms);
        // The steps it is, of each funnel.
        let mut steps: Vec<(usize, u16)> = Vec::new();
        for selector in self.selectors.reached_by(event) {
            if !selector.passes(event, &self.calendar) {
                continue;
            }
            for place in &selector.series {
                let plan = &self.series[*place];
                let amount = if plan.is_sum { amount::of_value(event.value) } else { 1 };
                let at = match &plan.clock {
                    None => Some(occurred),
                    Some(property) => {
                        let read = date::instant_of(property.one_in(event), self.calendar.zone());
                        read.map(calendar::clamp)
                    }
                };
                if let Some(at) = at {
                    count(Count::Series(plan, at, amount));
                }
            }
            for (place, bit) in &selector.funnels {
                match steps.iter_mut().find(|(other, _)| other == place) {
                    Some((_, bits)) => *bits |= bit,
                    None => steps.push((*place, *bit)),
                }
            }
            if selector.orders {
                count(Count::Orders(occurred, amount::of_value(event.value)));
            }
        }
        for (place, bits) in steps {
            count(Count::Funnel(&self.funnels[place], (occurred, bits)));
        }
    }

    /// Adds an event to a series, and says which conditions say something else than before.
    fn add(
        state: &mut State,
        plan: &series::Plan,
        occurred: i64,
        added: i128,
        present: Present<'_>,
        flipped: &mut Vec<u32>,
    ) {
        state.series.change(plan.fingerprint, plan.is_sum, |series| {
            series.add(plan, occurred, added, present).then(|| {
                Self::measure(series, plan, present, |measure, amount| {
                    // An amount that changed was less by what the event adds.
                    let before = amount.wrapping_sub(added);
                    let mut is_in = None;
                    for (condition, threshold) in &measure.conditions {
                        if threshold.holds(before) != threshold.holds(amount)
                            && *is_in.get_or_insert_with(|| plan.counts(measure.window, occurred, present))
                        {
                            flipped.push(*condition);
                        }
                    }
                })
            })
        });
    }

    fn log_of(state: &mut State, fingerprint: u64) -> &mut Log {
        let found = state.funnels.binary_search_by_key(&fingerprint, |log| log.fingerprint);
        let found = found.unwrap_or_else(|place| {
            state.funnels.insert(place, Log::new(fingerprint));
            place
        });
        &mut state.funnels[found]
    }

    /// What the conditions on a series say, in their order.
    fn truths_of(state: &mut State, plan: &series::Plan, present: Present<'_>) -> Vec<bool> {
        let mut truths = Vec::with_capacity(8);
        if let Some(series) = state.series.get(plan.fingerprint) {
            series.settle(plan, present);
            let view = series.view(plan, present);
            for measure in &plan.measures {
                let amount = view.measure(measure.window);
                truths.extend(measure.conditions.iter().map(|(_, threshold)| threshold.holds(amount)));
            }
        } else {
            for measure in &plan.measures {
                truths.extend(measure.conditions.iter().map(|(_, threshold)| threshold.holds(0)));
            }
        }
        truths
    }

    /// Says which conditions on a series say something else than before, and when time alone changes them.
    fn compare_series(
        state: &mut State,
        plan: &series::Plan,
        before: &[bool],
        present: Present<'_>,
        flipped: &mut Vec<u32>,
    ) {
        let mut before = before.iter();
        state.series.change(plan.fingerprint, plan.is_sum, |series| {
            Some(Self::measure(series, plan, present, |measure, amount| {
                for (condition, threshold) in &measure.conditions {
                    if before.next().is_some_and(|before| *before != threshold.holds(amount)) {
                        flipped.push(*condition);
                    }
                }
            }))
        });
    }

    /// Looks at every measure of a series. Not later than the returned instant, time alone changes one of them.
    fn measure(
        series: &mut Series,
        plan: &series::Plan,
        present: Present<'_>,
        mut look: impl FnMut(&series::Measure, i128),
    ) -> i64 {
        series.settle(plan, present);
        let view = series.view(plan, present);
        let mut due = NEVER;
        for measure in &plan.measures {
            let (amount, held) = view.look(measure.window);
            look(measure, amount);
            due = view.next_flip(measure.window, (amount, held), &measure.conditions, due);
        }
        due
    }

    fn compare_funnel(
        state: &mut State,
        plan: &funnel::Plan,
        before: bool,
        present: Present<'_>,
        flipped: &mut Vec<u32>,
    ) {
        let log = Self::log_of(state, plan.fingerprint);
        log.settle(plan, present);
        log.due = log.next_change(plan, present);
        if log.holds(plan, present) != before {
            flipped.push(plan.condition);
        }
        state.funnels.retain(|log| !log.entries.is_empty());
    }

    /// What the conditions on predictions say, in their order.
    fn predicted(&self, state: &mut State, present: Present<'_>) -> Vec<bool> {
        state.orders.settle(present.now);
        let look = |plan: &orders::Plan| plan.look(&state.orders, self.model.as_ref(), present).0;
        self.predictions.iter().map(look).collect()
    }

    fn compare_predictions(
        &self,
        state: &mut State,
        before: &[bool],
        present: Present<'_>,
        flipped: &mut Vec<u32>,
    ) {
        state.orders.settle(present.now);
        let mut due = state.orders.next_pending();
        for (place, plan) in self.predictions.iter().enumerate() {
            let (holds, next) = plan.look(&state.orders, self.model.as_ref(), present);
            due = due.min(next);
            if before.get(place).is_some_and(|before| *before != holds) {
                flipped.push(plan.condition);
            }
        }
        state.orders.due = due;
    }

    /// Makes what a state keeps this program's: drops what it does not ask for, and says anew when each part is due.
    pub(super) fn take_over(&self, state: &mut State) {
        state.series.retain(|fingerprint| self.plan_of(fingerprint).is_some());
        state.funnels.retain(|log| self.funnel_of(log.fingerprint).is_some());
        let is_asked = |answer: &&Answer| self.question_of(answer).is_some();
        let answers = state.answers().iter().filter(is_asked).copied().collect();
        state.set_answers(answers);
        if self.predictions.is_empty() {
            state.orders = Summary::default();
        }
        let present = Present::new(state.now, &self.calendar);
        let unseen = &mut Vec::new();
        for plan in
            state.series.fingerprints().into_iter().filter_map(|fingerprint| self.plan_of(fingerprint))
        {
            Self::compare_series(state, plan, &[], present, unseen);
        }
        let all: Vec<u64> = state.funnels.iter().map(|log| log.fingerprint).collect();
        for plan in all.into_iter().filter_map(|fingerprint| self.funnel_of(fingerprint)) {
            Self::compare_funnel(state, plan, false, present, unseen);
        }
        self.compare_predictions(state, &[], present, unseen);
        self.settle_answers(state);
        state.settle_due();
    }

    /// Decides all memberships anew, from what the conditions say.
    pub(super) fn members_anew(&self, state: &mut State) -> BTreeSet<String> {
        let mut truths = self.truths(state);
        let mut members = BTreeSet::new();
        state.set_membership(Members::default());
        for place in &self.by_rank {
            let segment = &self.segments[*place as usize];
            if segment.holds(|condition| truths.get(condition)) {
                members.insert(segment.id.clone());
                state.set_member(&segment.key, true);
                for condition in &segment.asked_by {
                    truths.set(*condition, self.holds(state, *condition));
                }
            }
        }
        members
    }

    /// What every condition says; those on segments as if nobody belonged to any.
    fn truths(&self, state: &mut State) -> Bits {
        let mut truths = self.initially.clone();
        let present = Present::new(state.now, &self.calendar);
        for plan in
            state.series.fingerprints().into_iter().filter_map(|fingerprint| self.plan_of(fingerprint))
        {
            let conditions = plan.measures.iter().flat_map(|measure| &measure.conditions);
            for ((condition, _), holds) in conditions.zip(Self::truths_of(state, plan, present)) {
                truths.set(*condition, holds);
            }
        }
        for log in &state.funnels {
            if let Some(plan) = self.funnel_of(log.fingerprint) {
                truths.set(plan.condition, log.holds(plan, present));
            }
        }
        for (plan, holds) in self.predictions.iter().zip(self.predicted(state, present)) {
            truths.set(plan.condition, holds);
        }
        let answers = state.answers().to_vec();
        for condition in self.conditions_of(answers.iter()) {
            truths.set(condition, self.holds(state, condition));
        }
        truths
    }

    fn plan_of(&self, fingerprint: u64) -> Option<&series::Plan> {
        let place = self.series.binary_search_by_key(&fingerprint, |plan| plan.fingerprint).ok()?;
        Some(&self.series[place])
    }

    fn funnel_of(&self, fingerprint: u64) -> Option<&funnel::Plan> {
        let place = self.funnels.binary_search_by_key(&fingerprint, |plan| plan.fingerprint).ok()?;
        Some(&self.funnels[place])
    }

    fn question_of(&self, answer: &Answer) -> Option<&atom::Plan> {
        let place = self.questions.binary_search_by_key(&answer.fingerprint, |plan| plan.fingerprint).ok()?;
        Some(&self.questions[place])
    }

    /// What a condition says now.
    pub(crate) fn holds(&self, state: &mut State, condition: u32) -> bool {
        let present = Present::new(state.now, &self.calendar);
        match &self.conditions[condition as usize].kind {
            ConditionKind::Metric(series, measure, threshold) => {
                let plan = &self.series[*series];
                let Some(series) = state.series.get(plan.fingerprint) else { return threshold.holds(0) };
                series.settle(plan, present);
                threshold.holds(series.glance(plan, present).measure(plan.measures[*measure].window))
            }
            ConditionKind::Profile(questions) => questions.iter().all(|place| self.answered(state, *place)),
            ConditionKind::Group { questions, segments, is_member } => {
                let members = state.membership();
                let belongs =
                    segments.iter().any(|place| members.contains(&self.segments[*place as usize].key));
                let belongs = belongs || questions.iter().any(|place| self.answered(state, *place));
                belongs == *is_member
            }
            ConditionKind::Funnel(place) => {
                let plan = &self.funnels[*place];
                let found = state.funnels.binary_search_by_key(&plan.fingerprint, |log| log.fingerprint);
                found.is_ok_and(|found| state.funnels[found].holds(plan, present))
            }
            ConditionKind::Prediction(place) => {
                state.orders.settle(present.now);
                self.predictions[*place].look(&state.orders, self.model.as_ref(), present).0
            }
        }
    }

    /// Whether the answer to a question is yes now.
    fn answered(&self, state: &mut State, place: usize) -> bool {
        let (plan, now) = (&self.questions[place], state.now);
        let answers = state.answers();
        let found = answers.binary_search_by_key(&plan.fingerprint, |answer| answer.fingerprint);
        found.is_ok_and(|found| plan.holds(answers[found], now, &self.calendar))
    }

    pub(super) fn answers(&self, profile: &Profile) -> Vec<Answer> {
        self.questions.iter().filter_map(|plan| plan.answer(profile, &self.calendar)).collect()
    }

    /// The conditions that ask what these answers say. What is answered no, and was, says what it said.
    fn conditions_of<'a>(&self, answers: impl Iterator<Item = &'a Answer>) -> Vec<u32> {
        let asked = answers.filter_map(|answer| self.question_of(answer));
        let mut conditions: Vec<u32> = asked.flat_map(|plan| plan.conditions.iter().copied()).collect();
        conditions.sort_unstable();
        conditions.dedup();
        conditions
    }

    /// Asks the profile everything.
    pub(super) fn ask(&self, state: &mut State, profile: &Profile, flipped: &mut Vec<u32>) {
        let after = self.answers(profile);
        let asking = self.conditions_of(state.answers().iter().chain(&after));
        let before = self.hold_all(state, &asking);
        state.set_answers(after);
        self.compare_all(state, &asking, &before, flipped);
        self.settle_answers(state);
    }

    fn hold_all(&self, state: &mut State, conditions: &[u32]) -> Vec<bool> {
        conditions.iter().map(|condition| self.holds(state, *condition)).collect()
    }

    fn compare_all(&self, state: &mut State, conditions: &[u32], before: &[bool], flipped: &mut Vec<u32>) {
        for (condition, before) in conditions.iter().zip(before) {
            if self.holds(state, *condition) != *before {
                flipped.push(*condition);
            }
        }
    }

    fn settle_answers(&self, state: &mut State) {
        let now = state.now;
        let dated = state.answers().iter().filter(|answer| answer.date.is_some());
        let due = dated.map(|answer| {
            self.question_of(answer).map_or(NEVER, |plan| plan.next_change(*answer, now, &self.calendar))
        });
        state.answers_due = due.min().unwrap_or(NEVER);
    }

    /// Lets time pass, from one instant at which something is due to the next.
    ///
    /// Segments younger than `known` are not looked at.
    pub(super) fn advance(
        &self,
        state: &mut State,
        now_ms: i64,
        known: Option<u64>,
        transitions: &mut Vec<Transition>,
    ) {
        let now = calendar::clamp(now_ms).max(state.now);
        while state.due <= now && !state.is_broken() {
            let mut flipped = Vec::new();
            self.pass(state, state.due.max(state.now), &mut flipped);
            self.emit(state, &mut flipped, known, state.now, || Cause::Time, transitions);
            state.settle_due();
        }
        state.now = now;
        state.forget_ahead(now - AHEAD_MS);
    }

    /// Lets the next instant come at which something is due, and says which conditions flip.
    fn pass(&self, state: &mut State, next: i64, flipped: &mut Vec<u32>) {
        let (due, then) = (state.due, Present::new(state.now, &self.calendar));
        let present = Present::new(next, &self.calendar);
        for fingerprint in state.series.late(due) {
            if let Some(plan) = self.plan_of(fingerprint) {
                let before = Self::truths_of(state, plan, then);
                Self::compare_series(state, plan, &before, present, flipped);
            }
        }
        let late: Vec<u64> =
            state.funnels.iter().filter(|log| log.due <= due).map(|log| log.fingerprint).collect();
        for fingerprint in late {
            if let Some(plan) = self.funnel_of(fingerprint) {
                let before = Self::log_of(state, fingerprint).holds(plan, then);
                Self::compare_funnel(state, plan, before, present, flipped);
            }
        }
        if state.orders.due <= due {
            let before = self.predicted(state, then);
            self.compare_predictions(state, &before, present, flipped);
        }
        if state.answers_due <= due {
            let holds = |plan: &atom::Plan, answer: Answer, now| plan.holds(answer, now, &self.calendar);
            let is_other = |answer: &Answer| {
                let plan = self.question_of(answer).filter(|_| answer.date.is_some());
                plan.is_some_and(|plan| holds(plan, *answer, then.now) != holds(plan, *answer, next))
            };
            let others: Vec<Answer> = state.answers().iter().copied().filter(is_other).collect();
            let asking = self.conditions_of(others.iter());
            let before = self.hold_all(state, &asking);
            state.now = next;
            self.compare_all(state, &asking, &before, flipped);
            self.settle_answers(state);
        }
        state.now = next;
    }

    /// Looks at the segments of the conditions that changed.
    pub(super) fn emit(
        &self,
        state: &mut State,
        flipped: &mut Vec<u32>,
        known: Option<u64>,
        at_ms: i64,
        cause: impl Fn() -> Cause,
        transitions: &mut Vec<Transition>,
    ) {
        if flipped.is_empty() {
            return;
        }
        // By rank: a segment comes after all those it asks about, and once.
        let mut places = BTreeSet::new();
        loop {
            let asking =
                flipped.drain(..).flat_map(|condition| &self.conditions[condition as usize].segments);
            places.extend(asking.map(|place| (self.segments[*place as usize].rank, *place)));
            let Some((_, place)) = places.pop_first() else { break };
            let segment = &self.segments[place as usize];
            if known.is_some_and(|known| segment.version > known) {
                continue;
            }
            let entered = segment.holds(|condition| self.holds(state, condition));
            if entered == state.membership().contains(&segment.key) {
                continue;
            }
            let before = self.hold_all(state, &segment.asked_by);
            state.set_member(&segment.key, entered);
            transitions.push(Transition { segment_id: segment.id.clone(), entered, at_ms, cause: cause() });
            self.compare_all(state, &segment.asked_by, &before, flipped);
        }
    }
}

/// Something that counts an event.
enum Count<'a> {
    /// When it counts, and how much.
    Series(&'a series::Plan, i64, i128),
    Funnel(&'a funnel::Plan, funnel::Entry),
    Orders(i64, i128),
}
