//! The history of memberships: since when and why each lasts or lasted, for as long as they are kept.

use canonical::{Instant, hash};
use serde_json::{Value, json};
use store::{HISTORY_DAYS, Member, Page};

use crate::Api;
use crate::document::{Answer, Resource, collection, identifier, time};
use crate::error::ApiResult;
use crate::operation::{ANY, COMPARED, Operation};
use crate::request::{Asked, Bounds, filter_texts, unsupported};
use crate::shapes;

const PAGE: usize = 20;
const MAX_PAGE: usize = 100;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get(
        "get_history_for_profile",
        "/api/profiles/{id}/segment-history",
        &["profiles:read", "segments:read"],
    )
    .filters(&[("at", COMPARED), ("segment_id", ANY)])
    .pages(PAGE, MAX_PAGE)
    .gives_page::<shapes::Membership>("segment-membership")
    .by(|call| Box::pin(call.api.profile_history(call.asked, call.id))),
    Operation::get(
        "get_history_for_segment",
        "/api/segments/{id}/history",
        &["profiles:read", "segments:read"],
    )
    .filters(&[("at", COMPARED)])
    .pages(PAGE, MAX_PAGE)
    .gives_page::<shapes::Membership>("segment-membership")
    .by(|call| Box::pin(call.api.segment_history(call.asked, call.id))),
];

impl Api {
    /// `GET /api/profiles/{id}/segment-history`.
    pub(crate) async fn profile_history(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let profile = self.profile_by_id(id).await?.value;
        let mut bounds = Bounds::default();
        let mut segments: Option<Vec<&str>> = None;
        for filter in asked.filters() {
            match filter.field.as_str() {
                "at" => bounds.narrow_by_instant(filter)?,
                "segment_id" => {
                    let named = filter_texts(filter)?;
                    segments = Some(match segments {
                        Some(before) => before.into_iter().filter(|id| named.contains(id)).collect(),
                        None => named,
                    });
                }
                _ => return Err(unsupported(filter)),
            }
        }
        let (after, size) = (asked.cursor()?, asked.page_size());
        let page = match segments {
            // Two conditions that nothing fulfils.
            Some(segments) if segments.is_empty() => Page::last(Vec::new()),
            segments => {
                let segments = segments.unwrap_or_default();
                self.store.profile_history(&profile.id, &segments, bounds.pair(), after, size).await?
            }
        };
        Ok(self.history(asked, page))
    }

    /// `GET /api/segments/{id}/history`.
    pub(crate) async fn segment_history(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        self.segment_by_id(id).await?;
        let mut bounds = Bounds::default();
        for filter in asked.filters() {
            bounds.narrow_by_instant(filter)?;
        }
        let (after, size) = (asked.cursor()?, asked.page_size());
        Ok(self.history(asked, self.store.segment_history(id, bounds.pair(), after, size).await?))
    }

    fn history(&self, asked: &Asked, page: Page<Member>) -> Answer {
        // What has expired may be there still for days.
        let kept_ms = self.clock.now_ms() - HISTORY_DAYS * 86_400_000;
        let is_kept = |member: &&Member| member.left_at.is_none_or(|left| left.as_millis() >= kept_ms);
        let kept = page.items.iter().filter(is_kept);
        let data = kept.map(|member| membership_resource(asked, member)).collect();
        let next = page.next.map(|cursor| cursor.encode());
        Answer::ok(collection(asked, data, next.as_deref(), None))
    }
}

fn membership_resource(asked: &Asked, member: &Member) -> Value {
    let Member { profile_id, segment_id, .. } = member;
    let joined_ms = member.joined_at.map_or(0, Instant::as_millis).to_string();
    // Of those that ended where they began there may be several.
    let key = if member.left_at == member.joined_at { &member.key } else { "" };
    let id = hash::long_id(&["segment membership", profile_id, segment_id, &joined_ms, key]);
    let (joined_cause, joined_event) = cause(profile_id, member.joined_cause.as_deref());
    let (left_cause, left_event) = cause(profile_id, member.left_cause.as_deref());
    let mut resource = Resource::new(asked, "segment-membership", "segment-memberships", &id)
        .attribute("profile_id", profile_id.as_str())
        .attribute("segment_id", segment_id.as_str())
        .attribute("is_current", member.current)
        .attribute("joined_at", member.joined_at.map(time))
        .attribute("joined_cause", joined_cause)
        .attribute("joined_event_id", joined_event)
        .attribute("left_at", member.left_at.map(time))
        .attribute("left_cause", left_cause)
        .attribute("left_event_id", left_event)
        .build();
    resource["relationships"] = json!({
        "profile": {"data": identifier("profile", profile_id)},
        "segment": {"data": identifier("segment", segment_id)},
    });
    // It has no address of its own.
    if let Some(resource) = resource.as_object_mut() {
        resource.remove("links");
    }
    resource
}

/// What made it so, and the event if it was one. Events are named outside after their profile.
fn cause<'a>(profile_id: &str, cause: Option<&'a str>) -> (Option<&'a str>, Option<String>) {
    match cause.and_then(|cause| cause.split_once(':')) {
        Some((cause, event)) => (Some(cause), Some(format!("{profile_id}-{event}"))),
        None => (cause, None),
    }
}
