//! Segments: their definitions and their members.

use canonical::{Instant, hash};
use http::StatusCode;
use segments::Definition;
use serde_json::Value;
use store::{Error, SegmentRecord, Taggable};

use crate::Api;
use crate::body::{self, Fields, Node};
use crate::document::{Answer, Resource, collection, page_of, single, time};
use crate::error::{ApiError, ApiResult, Source};
use crate::filter::Filter;
use crate::members::Group;
use crate::named::{self, PAGE};
use crate::operation::{AFTER, ANY, EQUALS, Operation, Tier};
use crate::request::{Asked, bad_value, filter_texts};
use crate::segment_references::refuse_if_asked;
use crate::shapes;

const MAX_NAME: usize = 255;
const IN_USE: &str = "segment_in_use";
/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_segments", "/api/segments", &["segments:read"])
        .filters(&[
            ("name", ANY),
            ("id", ANY),
            ("created", AFTER),
            ("updated", AFTER),
            ("is_active", ANY),
            ("is_starred", EQUALS),
        ])
        .sorts(&["id", "name", "created", "updated"])
        .includes(&["tags", "flow-triggers"])
        .fields(&["segment", "tag", "flow"])
        .pages(PAGE, PAGE)
        .gives_page::<shapes::Segment>("segment")
        .by(|call| Box::pin(call.api.list_segments(call.asked))),
    Operation::post("create_segment", "/api/segments", &["segments:write"])
        .limited(Tier::ExtraSmall)
        .fields(&["segment"])
        .takes::<shapes::NewSegment>("segment")
        .gives_one::<shapes::Segment>(201, "segment")
        .by(|call| Box::pin(call.api.create_segment(call.asked, call.body))),
    Operation::get("get_segment", "/api/segments/{id}", &["segments:read"])
        .additional(&[("segment", &["profile_count", "job"])])
        .includes(&["tags", "flow-triggers"])
        .fields(&["segment", "tag", "flow"])
        .gives_one::<shapes::Segment>(200, "segment")
        .by(|call| Box::pin(call.api.get_segment(call.asked, call.id))),
    Operation::patch("update_segment", "/api/segments/{id}", &["segments:write"])
        .limited(Tier::ExtraSmall)
        .fields(&["segment"])
        .takes::<shapes::NewSegment>("segment")
        .gives_one::<shapes::Segment>(200, "segment")
        .by(|call| Box::pin(call.api.update_segment(call.asked, call.id, call.body))),
    Operation::delete("delete_segment", "/api/segments/{id}", &["segments:write"])
        .limited(Tier::Small)
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.delete_segment(call.id))),
    Operation::get(
        "get_profiles_for_segment",
        "/api/segments/{id}/profiles",
        &["profiles:read", "segments:read"],
    )
    .gives_members()
    .by(|call| Box::pin(call.api.segment_profiles(call.asked, call.id, false))),
    Operation::get(
        "get_profile_ids_for_segment",
        "/api/segments/{id}/relationships/profiles",
        &["profiles:read", "segments:read"],
    )
    .gives_member_ids()
    .by(|call| Box::pin(call.api.segment_profiles(call.asked, call.id, true))),
];

impl Api {
    /// `POST /api/segments`.
    pub(crate) async fn create_segment(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "segment")?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["name", "definition", "is_starred"])?;
        let name = attributes.required("name")?.text_of(MAX_NAME)?;
        let definition = attributes.required("definition")?;
        read_definition(&definition)?;
        let is_starred = attributes.flag("is_starred")?.unwrap_or_default();
        let now = self.now();
        for _ in 0..ATTEMPTS {
            let id = hash::short_id(&["segment", &(self.random)().to_string()]);
            // Conditions name lists and segments by their ids alone.
            if self.store.segment(&id).await?.is_some() || self.store.list(&id).await?.is_some() {
                continue;
            }
            let segment = SegmentRecord {
                id,
                name: name.to_owned(),
                definition: definition.value.clone(),
                version: 0,
                is_active: true,
                is_starred,
                created_at: now,
                updated_at: now,
                resumed_version: 0,
                ready_version: 0,
                shown_version: 0,
            };
            if let Some(segment) = self.put_definition(segment, None, now).await? {
                let resource = self.segment_resource(asked, &segment).build();
                return Ok(Answer::created(single(asked, resource, None)));
            }
        }
        Err(ApiError::unavailable("too many definitions change at once"))
    }

    /// `GET /api/segments`.
    pub(crate) async fn list_segments(&self, asked: &Asked) -> ApiResult<Answer> {
        let mut segments = self.store.segments().await?;
        for filter in asked.filters() {
            keep_matching(&mut segments, filter)?;
        }
        let size = asked.page_size();
        let (key, descending) = named::sorted(asked);
        let (page, next) = page_of(asked, segments, key, descending, size)?;
        let ids: Vec<&str> = page.iter().map(|segment| segment.id.as_str()).collect();
        let tags = self.included_tags(asked, Taggable::Segment, &ids).await?;
        let resource = |segment| self.segment_resource(asked, segment);
        let data = page.iter().map(|segment| tags.relate(resource(segment), &segment.id).build()).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), tags.included(asked))))
    }

    /// `GET /api/segments/{id}`.
    pub(crate) async fn get_segment(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let additional = asked.additional_fields("segment");
        let segment = self.segment_by_id(id).await?;
        let tags = self.included_tags(asked, Taggable::Segment, &[id]).await?;
        let mut resource = tags.relate(self.segment_resource(asked, &segment), id);
        if additional.contains(&"profile_count") {
            resource = resource.attribute("profile_count", self.store.count_members(id).await?);
        }
        if additional.contains(&"job") {
            resource = resource.attribute("job", self.progress_of(&segment).await?);
        }
        Ok(Answer::ok(single(asked, resource.build(), tags.included(asked))))
    }

    /// `PATCH /api/segments/{id}`.
    pub(crate) async fn update_segment(&self, asked: &Asked, id: &str, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "segment")?;
        data.only(&["type", "id", "attributes"])?;
        let named = data.required("id")?;
        if named.text()? != id {
            return Err(named.invalid("The id must be that of the address."));
        }
        let attributes = data.required("attributes")?.object()?;
        let wanted = SegmentPatch::of(&attributes)?;
        for _ in 0..ATTEMPTS {
            let before = self.segment_by_id(id).await?;
            let now = self.now();
            let after = wanted.apply(&before, now);
            let compiled_anew = after.definition != before.definition || after.is_active != before.is_active;
            let written = if compiled_anew {
                self.put_definition(after, Some(&before), now).await?
            } else if after == before {
                Some(before)
            } else {
                match self.store.put_segment_attributes(&after).await {
                    Ok(()) => Some(after),
                    Err(Error::Conflict) => None,
                    Err(error) => return Err(error.into()),
                }
            };
            if let Some(segment) = written {
                let resource = self.segment_resource(asked, &segment).build();
                return Ok(Answer::ok(single(asked, resource, None)));
            }
        }
        Err(ApiError::unavailable("too many definitions change at once"))
    }

    /// `DELETE /api/segments/{id}`.
    pub(crate) async fn delete_segment(&self, id: &str) -> ApiResult<Answer> {
        for _ in 0..ATTEMPTS {
            self.segment_by_id(id).await?;
            let version = self.store.program_version().await? + 1;
            refuse_if_asked(id, IN_USE, self.store.segments().await?.iter())?;
            let job = self.removal(id, self.now());
            match self.store.delete_segment(id, version, &job).await {
                Ok(()) => {
                    self.announce(&job).await;
                    return Ok(Answer::empty(StatusCode::NO_CONTENT));
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ApiError::unavailable("too many definitions change at once"))
    }

    /// `GET /api/segments/{id}/profiles` and its relationship.
    pub(crate) async fn segment_profiles(
        &self,
        asked: &Asked,
        id: &str,
        only_ids: bool,
    ) -> ApiResult<Answer> {
        self.segment_by_id(id).await?;
        self.group_profiles(asked, Group::Segment(id), only_ids).await
    }

    pub(crate) async fn segment_by_id(&self, id: &str) -> ApiResult<SegmentRecord> {
        self.store.segment(id).await?.ok_or_else(|| ApiError::not_found("segment", id))
    }

    /// The segments that a profile belongs to now.
    pub(crate) async fn segments_of(&self, profile: &str) -> ApiResult<Vec<SegmentRecord>> {
        let memberships = self.store.memberships(profile).await?;
        let mut segments = self.store.segments().await?;
        segments.retain(|segment| {
            memberships.iter().any(|member| member.current && member.segment_id == segment.id)
        });
        Ok(segments)
    }

    #[allow(clippy::unused_self, reason = "its siblings need the API")]
    pub(crate) fn segment_resource<'a>(&self, asked: &'a Asked, segment: &SegmentRecord) -> Resource<'a> {
        Resource::new(asked, "segment", "segments", &segment.id)
            .attribute("name", segment.name.as_str())
            .attribute("definition", segment.definition.clone())
            .attribute("created", time(segment.created_at))
            .attribute("updated", time(segment.updated_at))
            .attribute("is_active", segment.is_active)
            .attribute("is_processing", segment.is_processing())
            .attribute("is_starred", segment.is_starred)
            .linked("profiles")
            .linked("tags")
    }

    /// Refuses a definition that asks what cannot be asked of others; one that is not new is refused where it was
    /// activated.
    async fn check_definition(
        &self,
        segment: &SegmentRecord,
        segments: &[SegmentRecord],
        is_edited: bool,
    ) -> ApiResult<()> {
        let node = Node { value: &segment.definition, pointer: "/data/attributes/definition".to_owned() };
        let outcome = match read_definition(&node) {
            Ok(parsed) => self.check_references(&segment.id, &parsed, segments, &node.pointer).await,
            Err(error) => Err(error),
        };
        outcome.map_err(|error| match error.source {
            Some(Source::Pointer(_)) if !is_edited => {
                ApiError { source: Some(Source::Pointer("/data/attributes/is_active".to_owned())), ..error }
            }
            _ => error,
        })
    }

    /// Writes a definition under the program's next version, with the job that it asks for; `None` if another
    /// definition was faster.
    async fn put_definition(
        &self,
        mut segment: SegmentRecord,
        before: Option<&SegmentRecord>,
        now: Instant,
    ) -> ApiResult<Option<SegmentRecord>> {
        segment.version = self.store.program_version().await? + 1;
        // Read after the version: who changes one of them meanwhile moves it, and all of this is done again.
        let segments = self.store.segments().await?;
        let is_edited = before.is_none_or(|before| before.definition != segment.definition);
        if segment.is_active || is_edited {
            self.check_definition(&segment, &segments, is_edited).await?;
        } else {
            refuse_if_asked(&segment.id, IN_USE, segments.iter().filter(|other| other.is_active))?;
        }
        if segment.is_active && before.is_some_and(|before| !before.is_active) {
            segment.resumed_version = segment.version;
        }
        let job = segment.is_active.then(|| self.backfill(&segment, now));
        match self.store.put_segment_definition(&segment, job.as_ref()).await {
            Ok(()) => {}
            Err(Error::Conflict) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if let Some(job) = &job {
            self.announce(job).await;
        }
        Ok(Some(segment))
    }
}

/// A definition, if it can be evaluated.
pub(crate) fn read_definition(node: &Node<'_>) -> ApiResult<Definition> {
    Definition::parse(node.value)
        .map_err(|error| ApiError::invalid(format!("{}{}", node.pointer, error.pointer), error.detail))
}

/// What a PATCH wants changed.
#[derive(Default)]
struct SegmentPatch {
    name: Option<String>,
    definition: Option<Value>,
    is_starred: Option<bool>,
    is_active: Option<bool>,
}

impl SegmentPatch {
    fn of(attributes: &Fields<'_>) -> ApiResult<Self> {
        attributes.only(&["name", "definition", "is_starred", "is_active"])?;
        let patch = Self {
            name: attributes.text("name", MAX_NAME)?.map(str::to_owned),
            definition: match attributes.optional("definition") {
                Some(node) => {
                    read_definition(&node)?;
                    Some(node.value.clone())
                }
                None => None,
            },
            is_starred: attributes.flag("is_starred")?,
            is_active: attributes.flag("is_active")?,
        };
        let others = patch.name.is_some() || patch.definition.is_some() || patch.is_starred.is_some();
        if patch.is_active == Some(false) && others {
            let pointer = format!("{}/is_active", attributes.pointer);
            let detail = "When a segment is deactivated, nothing else can be changed with it.";
            return Err(ApiError::invalid(pointer, detail));
        }
        Ok(patch)
    }

    fn apply(&self, before: &SegmentRecord, now: Instant) -> SegmentRecord {
        let mut after = before.clone();
        if let Some(name) = &self.name {
            after.name.clone_from(name);
        }
        if let Some(definition) = &self.definition {
            after.definition.clone_from(definition);
        }
        after.is_starred = self.is_starred.unwrap_or(after.is_starred);
        after.is_active = self.is_active.unwrap_or(after.is_active);
        if after != *before {
            after.updated_at = now.max(before.updated_at);
        }
        after
    }
}

fn keep_matching(segments: &mut Vec<SegmentRecord>, filter: &Filter) -> ApiResult<()> {
    let flag = match filter.field.as_str() {
        "is_active" => |segment: &SegmentRecord| segment.is_active,
        "is_starred" => |segment: &SegmentRecord| segment.is_starred,
        _ => return named::keep_matching(segments, filter),
    };
    let values = filter_texts(filter)?;
    if values.iter().any(|value| value.parse::<bool>().is_err()) {
        return Err(bad_value(filter, "true or false"));
    }
    segments.retain(|segment| values.contains(&flag(segment).to_string().as_str()));
    Ok(())
}
