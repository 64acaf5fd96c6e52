//! Segments: their definitions, their members, and why somebody is one.

use std::collections::HashMap;

use canonical::{Instant, Profile, hash};
use http::StatusCode;
use segments::Definition;
use serde_json::{Value, json};
use store::{Error, Member, SegmentRecord};

use crate::Api;
use crate::body::{self, Fields, Node};
use crate::document::{Answer, Resource, collection, fill_page, identifier, page_of, single, time};
use crate::error::{ApiError, ApiResult};
use crate::filter::{Filter, Operator};
use crate::profiles::Lookup;
use crate::request::{Asked, Bounds, bad_value, filter_instant, filter_texts, unsupported};

const MAX_NAME: usize = 255;
/// Klaviyo's default and greatest size of a page of segments.
const PAGE: usize = 10;
const MEMBERS_PAGE: usize = 20;
const MEMBERS_MAX_PAGE: usize = 100;
/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;
/// Pages of the store that one request reads at most when members are gone.
const ROUNDS: usize = 20;

impl Api {
    /// `POST /api/segments`.
    pub(crate) async fn create_segment(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "segment")?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["name", "definition", "is_starred"])?;
        let name = attributes.required("name")?.text_of(MAX_NAME)?;
        let definition = read_definition(&attributes.required("definition")?)?;
        let is_starred = attributes.flag("is_starred")?.unwrap_or_default();
        let now = self.now();
        for _ in 0..ATTEMPTS {
            let id = hash::short_id(&["segment", &(self.random)().to_string()]);
            if self.store.segment(&id).await?.is_some() {
                continue;
            }
            let segment = SegmentRecord {
                id,
                name: name.to_owned(),
                definition: definition.clone(),
                version: 0,
                is_active: true,
                is_starred,
                created_at: now,
                updated_at: now,
                ready_version: 0,
            };
            if let Some(segment) = self.put_definition(segment, now).await? {
                let resource = self.segment_resource(asked, &segment).build();
                return Ok(Answer::created(single(asked, resource, None)));
            }
        }
        Err(ApiError::unavailable("too many definitions change at once"))
    }

    /// `GET /api/segments`.
    pub(crate) async fn list_segments(&self, asked: &Asked) -> ApiResult<Answer> {
        let mut segments = self.store.segments().await?;
        for filter in asked.filters()? {
            keep_matching(&mut segments, &filter)?;
        }
        asked.include(&[])?;
        let size = asked.page_size(PAGE, PAGE)?;
        let (field, descending) =
            asked.sort(&["id", "name", "created", "updated"])?.unwrap_or(("created", false));
        let timed = |instant: Instant, id: &str| format!("{:014}#{id}", instant.as_millis().max(0));
        let key = |segment: &SegmentRecord| match field {
            "name" => format!("{}#{}", segment.name, segment.id),
            "created" => timed(segment.created_at, &segment.id),
            "updated" => timed(segment.updated_at, &segment.id),
            _ => segment.id.clone(),
        };
        let (page, next) = page_of(asked, segments, key, descending, size)?;
        let data = page.iter().map(|segment| self.segment_resource(asked, segment).build()).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    /// `GET /api/segments/{id}`.
    pub(crate) async fn get_segment(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        asked.include(&[])?;
        let additional = asked.additional_fields("segment", &["profile_count"])?;
        let segment = self.segment_by_id(id).await?;
        let mut resource = self.segment_resource(asked, &segment);
        if !additional.is_empty() {
            resource = resource.attribute("profile_count", self.store.count_members(id).await?);
        }
        Ok(Answer::ok(single(asked, resource.build(), None)))
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
                self.put_definition(after, now).await?
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
        asked.additional_fields("profile", &["subscriptions"])?;
        self.segment_by_id(id).await?;
        let mut lookups = Vec::new();
        let mut joined = Bounds::default();
        for filter in asked.filters()? {
            match filter.field.as_str() {
                "joined_group_at" => joined.narrow_by_instant(&filter)?,
                "external_id" => return Err(unsupported(&filter)),
                _ => {
                    lookups.push(Lookup::of(&filter, "profile_id")?.ok_or_else(|| unsupported(&filter))?);
                }
            }
        }
        let descending = asked.sort(&["joined_group_at"])?.is_none_or(|(_, descending)| descending);
        let size = asked.page_size(MEMBERS_PAGE, MEMBERS_MAX_PAGE)?;
        let (members, next) = if lookups.is_empty() {
            let page = fill_page(asked.cursor()?, size, ROUNDS, async |cursor, size| {
                let page = self.store.members(id, descending, joined.pair(), cursor, size).await?;
                let items = self.with_profiles(page.items, only_ids).await?;
                Ok(store::Page { items, next: page.next })
            })
            .await?;
            (page.items, page.next.map(|cursor| cursor.encode()))
        } else {
            let found = self.named_members(id, &lookups, joined).await?;
            let key = |(member, _): &(Member, Option<Profile>)| {
                let millis = member.joined_at.map_or(0, Instant::as_millis);
                format!("{:014}#{}", millis.max(0), member.profile_id)
            };
            page_of(asked, found, key, descending, size)?
        };
        let mut data = Vec::with_capacity(members.len());
        for (member, profile) in &members {
            data.push(match profile {
                Some(profile) if !only_ids => self
                    .profile_resource(asked, profile)?
                    .attribute("joined_group_at", member.joined_at.map(time))
                    .build(),
                _ => identifier("profile", &member.profile_id),
            });
        }
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

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
            return Err(ApiError::new(StatusCode::CONFLICT, "inactive", "Conflict.", detail));
        }
        let profile = self.profile_by_id(profile).await?.value;
        let program = self.evaluator.program().await?;
        let now_ms = self.clock.now_ms();
        let state = self.evaluator.state(&program, &profile).await?;
        let Some(explanation) = program.explain(&state, id, &profile, now_ms) else {
            return Err(ApiError::not_found("segment", id));
        };
        let membership = self.store.membership(&profile.id, id).await?;
        let moment = |millis: i64| Instant::from_millis(millis).map(time);
        let groups: Vec<Value> = explanation
            .groups
            .iter()
            .map(|conditions| {
                let conditions: Vec<Value> = conditions
                    .iter()
                    .map(|condition| {
                        json!({
                            "pointer": condition.pointer,
                            "condition": segment.definition.pointer(&condition.pointer),
                            "holds": condition.holds,
                            "measure": condition.measure.map(canonical::money::decimal_to_json),
                            "next_change": condition.next_change_ms.and_then(moment),
                        })
                    })
                    .collect();
                json!({"holds": explanation_holds(&conditions), "conditions": conditions})
            })
            .collect();
        let resource = Resource::new(asked, "segment-explanation", "segments", id)
            .attribute("profile_id", profile.id)
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
    }

    /// Writes a definition under the program's next version, with the job that it asks for; `None` if another
    /// definition was faster.
    async fn put_definition(
        &self,
        mut segment: SegmentRecord,
        now: Instant,
    ) -> ApiResult<Option<SegmentRecord>> {
        segment.version = self.store.program_version().await? + 1;
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

    /// Members with their profiles; those whose profile is gone are left out.
    async fn with_profiles(
        &self,
        members: Vec<Member>,
        only_ids: bool,
    ) -> ApiResult<Vec<(Member, Option<Profile>)>> {
        if only_ids {
            return Ok(members.into_iter().map(|member| (member, None)).collect());
        }
        let ids = members.iter().map(|member| member.profile_id.as_str());
        let mut profiles: HashMap<String, Profile> = self.store.profiles_by_id(ids).await?;
        Ok(members
            .into_iter()
            .filter_map(|member| {
                let profile = profiles.remove(&member.profile_id)?;
                Some((member, Some(profile)))
            })
            .collect())
    }

    /// The members that conditions on identifiers name.
    async fn named_members(
        &self,
        segment: &str,
        lookups: &[Lookup],
        joined: Bounds,
    ) -> ApiResult<Vec<(Member, Option<Profile>)>> {
        let Some((first, others)) = lookups.split_first() else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for profile in self.look_up(first).await? {
            if !others.iter().all(|lookup| lookup.matches(&profile)) {
                continue;
            }
            let member = self.store.membership(&profile.id, segment).await?.filter(|member| member.current);
            if let Some(member) = member
                && joined.contain(member.joined_at.map_or(0, Instant::as_millis))
            {
                found.push((member, Some(profile)));
            }
        }
        Ok(found)
    }
}

fn explanation_holds(conditions: &[Value]) -> bool {
    conditions.iter().any(|condition| condition["holds"] == true)
}

/// The definition, unchanged, if it can be evaluated.
fn read_definition(node: &Node<'_>) -> ApiResult<Value> {
    Definition::parse(node.value)
        .map_err(|error| ApiError::invalid(format!("{}{}", node.pointer, error.pointer), error.detail))?;
    Ok(node.value.clone())
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
            definition: attributes.optional("definition").map(|node| read_definition(&node)).transpose()?,
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
    match filter.field.as_str() {
        "name" | "id" | "is_active" | "is_starred" => {
            let values = filter_texts(filter)?;
            let flag = filter.field.starts_with("is_");
            if flag && values.iter().any(|value| value.parse::<bool>().is_err()) {
                return Err(bad_value(filter, "true or false"));
            }
            segments.retain(|segment| match filter.field.as_str() {
                "name" => values.contains(&segment.name.as_str()),
                "id" => values.contains(&segment.id.as_str()),
                "is_active" => values.contains(&segment.is_active.to_string().as_str()),
                _ => values.contains(&segment.is_starred.to_string().as_str()),
            });
        }
        "created" | "updated" if filter.operator == Operator::GreaterThan => {
            let after = filter_instant(filter)?;
            segments.retain(|segment| match filter.field.as_str() {
                "created" => segment.created_at > after,
                _ => segment.updated_at > after,
            });
        }
        _ => return Err(unsupported(filter)),
    }
    Ok(())
}
