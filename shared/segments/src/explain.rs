//! Why a profile belongs to a segment, or not.

use canonical::Profile;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::amount;
use crate::calendar::{self, Present};
use crate::program::{ConditionKind, Needs, Program};
use crate::state::State;
use crate::window::NEVER;

/// Why a profile belongs to a segment, or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The segment.
    pub segment_id: String,
    /// Whether the profile belongs to it.
    pub is_member: bool,
    /// The instant this is said of, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether the state knew enough: if not, bring it up to the program and ask again.
    pub is_complete: bool,
    /// The conditions: of every group one must hold.
    pub groups: Vec<Vec<ConditionExplanation>>,
}

/// What one condition says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConditionExplanation {
    /// Where it stands in the definition, as a JSON pointer.
    pub pointer: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was counted or summed up; absent for conditions on the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measure: Option<Decimal>,
    /// Whether it may be more: no more is kept than the condition needs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_at_least: bool,
    /// The next instant at which time alone may change it, in milliseconds since 1970: never later than it
    /// does; for anniversaries at times earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_change_ms: Option<i64>,
}

impl Program {
    /// Says of every condition of a segment what it measures, whether it holds and when time alone will
    /// change it. The state is not changed. `None` if the program has no such segment.
    pub fn explain(
        &self,
        state: &State,
        segment_id: &str,
        profile: &Profile,
        now_ms: i64,
    ) -> Option<Explanation> {
        let place = self.segments.binary_search_by(|segment| segment.id.as_str().cmp(segment_id)).ok()?;
        let segment = &self.segments[place];
        let mut state = state.clone();
        let is_complete = self.needs(&state) <= Needs::Profile;
        self.tick(&mut state, profile, now_ms);
        let now = state.now.max(calendar::clamp(now_ms));
        let mut explain = |(group, index, condition): (usize, usize, u32)| {
            let (measure, next) = self.look(&mut state, condition, now);
            ConditionExplanation {
                pointer: format!("/condition_groups/{group}/conditions/{index}"),
                holds: self.holds(&mut state, condition),
                is_at_least: self.is_at_least(condition, measure),
                measure,
                next_change_ms: Some(next).filter(|next| *next != NEVER),
            }
        };
        let groups = segment.groups.iter().enumerate().map(|(group, conditions)| {
            conditions
                .iter()
                .enumerate()
                .map(|(index, condition)| explain((group, index, *condition)))
                .collect()
        });
        let groups = groups.collect();
        Some(Explanation {
            segment_id: segment.id.clone(),
            is_member: state.is_member(segment_id),
            at_ms: now,
            is_complete,
            groups,
        })
    }

    fn is_at_least(&self, condition: u32, measure: Option<Decimal>) -> bool {
        let ConditionKind::Metric(series, ..) = &self.conditions[condition as usize].kind else {
            return false;
        };
        let cap = self.series[*series].cap.map(Decimal::from);
        cap.is_some_and(|cap| measure.is_some_and(|measure| measure >= cap))
    }

    /// What a condition measures, and when time alone may change it.
    fn look(&self, state: &mut State, condition: u32, now: i64) -> (Option<Decimal>, i64) {
        match &self.conditions[condition as usize].kind {
            ConditionKind::Metric(series, measure, threshold) => {
                let plan = &self.series[*series];
                let window = plan.measures[*measure].window;
                let Some(series) = state.series.get(plan.fingerprint) else {
                    return (Some(Decimal::ZERO), NEVER);
                };
                let present = Present::new(now, &self.calendar);
                series.settle(plan, present);
                let view = series.view(plan, present);
                let (amount, held) = view.look(window);
                let next = view.next_flip(window, (amount, held), &[(condition, *threshold)], NEVER);
                let measure = if plan.is_sum {
                    amount::to_decimal(amount)
                } else {
                    Decimal::try_from_i128_with_scale(amount, 0).ok()
                };
                (measure, next)
            }
            ConditionKind::Profile(questions) | ConditionKind::Group { questions, .. } => {
                let next = state.answers().iter().filter_map(|answer| {
                    let asked = |place: &&usize| self.questions[**place].fingerprint == answer.fingerprint;
                    let place = questions.iter().find(asked)?;
                    Some(self.questions[*place].next_change(*answer, now, &self.calendar))
                });
                (None, next.min().unwrap_or(NEVER))
            }
            ConditionKind::Funnel(place) => {
                let plan = &self.funnels[*place];
                let found = state.funnels.binary_search_by_key(&plan.fingerprint, |log| log.fingerprint);
                let next = found
                    .map(|found| state.funnels[found].next_change(plan, Present::new(now, &self.calendar)));
                (None, next.unwrap_or(NEVER))
            }
            ConditionKind::Prediction(place) => {
                let (plan, present) = (&self.predictions[*place], Present::new(now, &self.calendar));
                let mut orders = state.orders.clone();
                orders.settle(now);
                let (_, next) = plan.look(&orders, self.model.as_ref(), present);
                (plan.measure(&orders, self.model.as_ref(), present), next.min(orders.next_pending()))
            }
        }
    }
}
