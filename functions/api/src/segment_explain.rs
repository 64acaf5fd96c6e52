//! Why somebody is a member, or not.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Instant, Profile};
use segments::{Definition, Program, State};
use serde_json::{Value, json};
use store::SegmentRecord;

use crate::Api;
use crate::document::{Answer, Resource, single, time};
use crate::error::{ApiError, ApiResult};
use crate::operation::Operation;
use crate::request::Asked;
use crate::shapes;

/// What is known of a profile at an instant.
struct Known<'a> {
    program: &'a Program,
    state: &'a State,
    profile: &'a Profile,
    now_ms: i64,
    /// What each active segment asks about: the place of the condition, and the id.
    asked: BTreeMap<&'a str, Vec<(String, String)>>,
}

pub(crate) static OPERATIONS: &[Operation] =
    &[Operation::get("explain_segment", "/api/segments/{id}/explain", &["profiles:read", "segments:read"])
        .parameters(&["profile"])
        .gives_one::<shapes::Explanation>(200, "segment-explanation")
        .by(|call| Box::pin(call.api.explain_segment(call.asked, call.id)))];

impl Api {
    /// `GET /api/segments/{id}/explain?profile={id}`: per condition what it measures, whether it holds, and when
    /// time alone will change it. Exact to the instant: computed from the profile's state, or from its history where
    /// the state is behind the definitions.
    pub(crate) async fn explain_segment(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let segment = self.segment_by_id(id).await?;
        let Some(profile) = asked.parameter("profile") else {
            return Err(ApiError::parameter("profile", "The id of a profile is required."));
        };
        if !segment.is_active {
            let detail = "The segment is not active, so nothing is evaluated.";
            return Err(ApiError::conflict("inactive", detail));
        }
        let profile = self.profile_by_id(profile).await?.value;
        let program = self.evaluator.program().await?;
        let now_ms = self.clock.now_ms();
        let state = self.evaluator.state(&program, &profile).await?;
        let segments = self.store.segments().await?;
        let known = Known {
            program: &program,
            state: &state,
            profile: &profile,
            now_ms,
            asked: segments.iter().map(|segment| (segment.id.as_str(), groups_of(segment))).collect(),
        };
        let Some(explanation) = program.explain(&state, id, &profile, now_ms) else {
            return Err(ApiError::not_found("segment", id));
        };
        let membership = self.store.membership(&profile.id, id).await?;
        let groups: Vec<Value> = explanation
            .groups
            .iter()
            .map(|conditions| {
                let holds = conditions.iter().any(|condition| condition.holds);
                let conditions: Vec<Value> = conditions
                    .iter()
                    .map(|condition| {
                        let groups = known.groups(id, &condition.pointer);
                        let later = groups.iter().filter_map(|(group, _)| known.next_change(group)).min();
                        let next = condition.next_change_ms.into_iter().chain(later).min();
                        let mut told = json!({
                            "pointer": condition.pointer,
                            "condition": segment.definition.pointer(&condition.pointer),
                            "holds": condition.holds,
                            "measure": condition.measure.map(canonical::money::decimal_to_json),
                            "measure_is_at_least": condition.is_at_least,
                            "next_change": next.and_then(moment),
                        });
                        if !groups.is_empty() {
                            told["groups"] = groups.into_iter().map(|(_, group)| group).collect();
                        }
                        told
                    })
                    .collect();
                json!({"holds": holds, "conditions": conditions})
            })
            .collect();
        let resource = Resource::new(asked, "segment-explanation", "segments", id)
            .attribute("profile_id", profile.id.as_str())
            .attribute("is_member", explanation.is_member)
            .attribute("evaluated_at", moment(explanation.at_ms))
            .attribute("joined_group_at", {
                let current = membership.as_ref().filter(|member| member.current);
                current.and_then(|member| member.joined_at).map(time)
            })
            .attribute("joined_cause", membership.and_then(|member| member.joined_cause))
            .attribute("condition_groups", groups);
        Ok(Answer::ok(single(asked, resource.build(), None)))
    }
}

impl Known<'_> {
    /// The lists and segments that a condition asks about, and whether the profile belongs to each.
    fn groups(&self, segment: &str, condition: &str) -> Vec<(&str, Value)> {
        let asked = self.asked.get(segment).map(Vec::as_slice).unwrap_or_default();
        let of_condition = asked.iter().filter(|(place, _)| place == condition);
        let told = of_condition.map(|(_, group)| {
            let found = self.program.explain(self.state, group, self.profile, self.now_ms);
            let value = if let Some(found) = found {
                json!({"type": "segment", "id": group, "is_member": found.is_member})
            } else {
                let joined = self.profile.lists.get(group);
                let is_member = joined.is_some();
                let joined = joined.map(|joined| time(*joined));
                json!({"type": "list", "id": group, "is_member": is_member, "joined_group_at": joined})
            };
            (group.as_str(), value)
        });
        told.collect()
    }

    /// When time alone may change whether the profile belongs to a segment, or to one that it asks about.
    fn next_change(&self, segment: &str) -> Option<i64> {
        let (mut seen, mut left) = (BTreeSet::new(), vec![segment]);
        let mut next: Option<i64> = None;
        while let Some(segment) = left.pop() {
            if !seen.insert(segment) {
                continue;
            }
            let found = self.program.explain(self.state, segment, self.profile, self.now_ms);
            let conditions = found.into_iter().flat_map(|found| found.groups).flatten();
            next = conditions.filter_map(|condition| condition.next_change_ms).chain(next).min();
            let asked = self.asked.get(segment).map(Vec::as_slice).unwrap_or_default();
            left.extend(asked.iter().map(|(_, group)| group.as_str()));
        }
        next
    }
}

fn moment(millis: i64) -> Option<Value> {
    Instant::from_millis(millis).map(time)
}

/// The groups a segment asks about, each with the place of its condition.
fn groups_of(segment: &SegmentRecord) -> Vec<(String, String)> {
    let Ok(definition) = Definition::parse(&segment.definition) else { return Vec::new() };
    let groups = definition.group_ids().map(|(place, group, _)| {
        (place.strip_suffix("/group_ids").unwrap_or(&place).to_owned(), group.to_owned())
    });
    groups.collect()
}
