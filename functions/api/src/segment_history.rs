//! The history of memberships: every transition, for as long as they are kept.

use canonical::hash;
use serde_json::{Value, json};
use store::{HISTORY_DAYS, Page, Transition};

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
    .gives_page::<shapes::Transition>("segment-transition")
    .by(|call| Box::pin(call.api.profile_history(call.asked, call.id))),
    Operation::get(
        "get_history_for_segment",
        "/api/segments/{id}/history",
        &["profiles:read", "segments:read"],
    )
    .filters(&[("at", COMPARED)])
    .pages(PAGE, MAX_PAGE)
    .gives_page::<shapes::Transition>("segment-transition")
    .by(|call| Box::pin(call.api.segment_history(call.asked, call.id))),
];

impl Api {
    /// `GET /api/profiles/{id}/segment-history`.
    pub(crate) async fn profile_history(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let profile = self.profile_by_id(id).await?.value;
        let mut bounds = self.kept();
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
        Ok(history(asked, page))
    }

    /// `GET /api/segments/{id}/history`.
    pub(crate) async fn segment_history(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        self.segment_by_id(id).await?;
        let mut bounds = self.kept();
        for filter in asked.filters() {
            bounds.narrow_by_instant(filter)?;
        }
        let (after, size) = (asked.cursor()?, asked.page_size());
        Ok(history(asked, self.store.segment_history(id, bounds.pair(), after, size).await?))
    }

    /// What has expired may be there still for days.
    fn kept(&self) -> Bounds {
        let from_ms = self.clock.now_ms() - HISTORY_DAYS * 86_400_000;
        Bounds { from_ms: Some(from_ms), to_ms: None }
    }
}

fn history(asked: &Asked, page: Page<Transition>) -> Answer {
    let data = page.items.iter().map(|transition| transition_resource(asked, transition)).collect();
    let next = page.next.map(|cursor| cursor.encode());
    Answer::ok(collection(asked, data, next.as_deref(), None))
}

fn transition_resource(asked: &Asked, transition: &Transition) -> Value {
    let Transition { profile_id, segment_id, .. } = transition;
    let id = hash::long_id(&["segment transition", profile_id, &transition.key]);
    // Events are named outside after their profile.
    let (cause, event) = match transition.cause.split_once(':') {
        Some((cause, event)) => (cause, Some(format!("{profile_id}-{event}"))),
        None => (transition.cause.as_str(), None),
    };
    let mut resource = Resource::new(asked, "segment-transition", "segment-transitions", &id)
        .attribute("profile_id", profile_id.as_str())
        .attribute("segment_id", segment_id.as_str())
        .attribute("transition", if transition.entered { "entered" } else { "exited" })
        .attribute("at", time(transition.at))
        .attribute("cause", cause)
        .attribute("event_id", event)
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
