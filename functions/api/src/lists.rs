//! Lists, and who is on them.

use canonical::profile::MAX_LISTS;
use canonical::{Instant, Profile, hash};
use futures::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use store::{Error, Joined, ListRecord, OptIn, Taggable};

use crate::Api;
use crate::body::{self, Fields, Node};
use crate::document::{Answer, Resource, collection, identifier, page_of, single, time};
use crate::error::{ApiError, ApiResult};
use crate::members::Group;
use crate::named::{PAGE, keep_matching, sorted};
use crate::operation::{AFTER, ANY, Operation, Tier};
use crate::request::Asked;
use crate::segment_references::refuse_if_asked;
use crate::shapes;

const MAX_NAME: usize = 255;
/// The most profiles that are put on a list, or taken off it, at once.
const MAX_PROFILES: usize = 1000;
/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;
/// Profiles that are written at the same time.
const CONCURRENCY: usize = 16;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_lists", "/api/lists", &["lists:read"])
        .filters(&[("name", ANY), ("id", ANY), ("created", AFTER), ("updated", AFTER)])
        .sorts(&["id", "name", "created", "updated"])
        .includes(&["tags", "flow-triggers"])
        .fields(&["list", "tag", "flow"])
        .pages(PAGE, PAGE)
        .gives_page::<shapes::List>("list")
        .by(|call| Box::pin(call.api.list_lists(call.asked))),
    Operation::post("create_list", "/api/lists", &["lists:write"])
        .limited(Tier::Medium)
        .fields(&["list"])
        .takes::<shapes::NewList>("list")
        .gives_one::<shapes::List>(201, "list")
        .by(|call| Box::pin(call.api.create_list(call.asked, call.body))),
    Operation::get("get_list", "/api/lists/{id}", &["lists:read"])
        .additional(&[("list", &["profile_count"])])
        .includes(&["tags", "flow-triggers"])
        .fields(&["list", "tag", "flow"])
        .gives_one::<shapes::List>(200, "list")
        .by(|call| Box::pin(call.api.get_list(call.asked, call.id))),
    Operation::patch("update_list", "/api/lists/{id}", &["lists:write"])
        .limited(Tier::Medium)
        .fields(&["list"])
        .takes::<shapes::NewList>("list")
        .gives_one::<shapes::List>(200, "list")
        .by(|call| Box::pin(call.api.update_list(call.asked, call.id, call.body))),
    Operation::delete("delete_list", "/api/lists/{id}", &["lists:write"])
        .limited(Tier::Medium)
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.delete_list(call.id))),
    Operation::get("get_profiles_for_list", "/api/lists/{id}/profiles", &["lists:read", "profiles:read"])
        .gives_members()
        .by(|call| Box::pin(call.api.list_members(call.asked, call.id, false))),
    Operation::get(
        "get_profile_ids_for_list",
        "/api/lists/{id}/relationships/profiles",
        &["lists:read", "profiles:read"],
    )
    .gives_member_ids()
    .by(|call| Box::pin(call.api.list_members(call.asked, call.id, true))),
    Operation::post(
        "add_profiles_to_list",
        "/api/lists/{id}/relationships/profiles",
        &["lists:write", "profiles:write"],
    )
    .limited(Tier::Medium)
    .takes_body::<shapes::Ids>()
    .gives_nothing(204)
    .by(|call| Box::pin(call.api.add_to_list(call.id, call.body))),
    Operation::delete(
        "remove_profiles_from_list",
        "/api/lists/{id}/relationships/profiles",
        &["lists:write", "profiles:write"],
    )
    .limited(Tier::Medium)
    .takes_body::<shapes::Ids>()
    .gives_nothing(204)
    .by(|call| Box::pin(call.api.remove_from_list(call.id, call.body))),
    Operation::get("get_lists_for_profile", "/api/profiles/{id}/lists", &["lists:read", "profiles:read"])
        .limited(Tier::Small)
        .fields(&["list"])
        .gives_page::<shapes::List>("list")
        .by(|call| Box::pin(call.api.profile_lists(call.asked, call.id, false))),
    Operation::get(
        "get_list_ids_for_profile",
        "/api/profiles/{id}/relationships/lists",
        &["lists:read", "profiles:read"],
    )
    .limited(Tier::Small)
    .gives_ids("list")
    .by(|call| Box::pin(call.api.profile_lists(call.asked, call.id, true))),
];

impl Api {
    /// `POST /api/lists`.
    pub(crate) async fn create_list(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "list")?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["name", "opt_in_process"])?;
        let name = attributes.required("name")?.text_of(MAX_NAME)?;
        let opt_in_process = opt_in(&attributes)?.unwrap_or(OptIn::DoubleOptIn);
        let now = self.now();
        for _ in 0..ATTEMPTS {
            let id = hash::short_id(&["list", &(self.random)().to_string()]);
            // Conditions name lists and segments by their ids alone.
            if self.store.segment(&id).await?.is_some() {
                continue;
            }
            let name = name.to_owned();
            let list = ListRecord { id, name, opt_in_process, created_at: now, updated_at: now };
            match self.store.create_list(&list).await {
                Ok(()) => {
                    return Ok(Answer::created(single(asked, list_resource(asked, &list).build(), None)));
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ApiError::unavailable("no free id for a list"))
    }

    /// `GET /api/lists`.
    pub(crate) async fn list_lists(&self, asked: &Asked) -> ApiResult<Answer> {
        let mut lists = self.store.lists().await?;
        for filter in asked.filters() {
            keep_matching(&mut lists, filter)?;
        }
        let (key, descending) = sorted(asked);
        let (page, next) = page_of(asked, lists, key, descending, asked.page_size())?;
        let ids: Vec<&str> = page.iter().map(|list| list.id.as_str()).collect();
        let tags = self.included_tags(asked, Taggable::List, &ids).await?;
        let data =
            page.iter().map(|list| tags.relate(list_resource(asked, list), &list.id).build()).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), tags.included(asked))))
    }

    /// `GET /api/lists/{id}`.
    pub(crate) async fn get_list(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let additional = asked.additional_fields("list");
        let list = self.list_by_id(id).await?;
        let tags = self.included_tags(asked, Taggable::List, &[id]).await?;
        let mut resource = tags.relate(list_resource(asked, &list), id);
        if !additional.is_empty() {
            resource = resource.attribute("profile_count", self.store.count_listed(id).await?);
        }
        Ok(Answer::ok(single(asked, resource.build(), tags.included(asked))))
    }

    /// `PATCH /api/lists/{id}`.
    pub(crate) async fn update_list(&self, asked: &Asked, id: &str, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "list")?;
        data.only(&["type", "id", "attributes"])?;
        let named = data.required("id")?;
        if named.text()? != id {
            return Err(named.invalid("The id must be that of the address."));
        }
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["name", "opt_in_process"])?;
        let before = self.list_by_id(id).await?;
        let mut after = before.clone();
        if let Some(name) = attributes.text("name", MAX_NAME)? {
            name.clone_into(&mut after.name);
        }
        after.opt_in_process = opt_in(&attributes)?.unwrap_or(after.opt_in_process);
        if after != before {
            after.updated_at = self.now().max(before.updated_at);
            match self.store.update_list(&after).await {
                Err(Error::Conflict) => return Err(ApiError::not_found("list", id)),
                outcome => outcome?,
            }
        }
        Ok(Answer::ok(single(asked, list_resource(asked, &after).build(), None)))
    }

    /// `DELETE /api/lists/{id}`: 409 while a segment asks about it.
    pub(crate) async fn delete_list(&self, id: &str) -> ApiResult<Answer> {
        for _ in 0..ATTEMPTS {
            self.list_by_id(id).await?;
            let version = self.store.program_version().await?;
            refuse_if_asked(id, "list_in_use", self.store.segments().await?.iter())?;
            let job = self.emptying(id, self.now());
            match self.store.delete_list(id, version, &job).await {
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

    /// `POST /api/lists/{id}/relationships/profiles`. Who is on the list stays as they are.
    pub(crate) async fn add_to_list(&self, id: &str, bytes: &[u8]) -> ApiResult<Answer> {
        self.list_by_id(id).await?;
        let body = body::parse(bytes)?;
        let named = body::related(&body, "profile", MAX_PROFILES)?;
        let profiles = self.all_profiles(&named).await?;
        let is_full = |profile: &Profile| profile.lists.len() >= MAX_LISTS && !profile.lists.contains_key(id);
        if let Some((node, _)) = named.iter().zip(&profiles).find(|(_, profile)| is_full(profile)) {
            return Err(full(node));
        }
        let now = self.now();
        let work: Vec<_> =
            profiles.iter().map(|profile| self.store.join_list(&profile.id, id, now)).collect();
        let joined: Vec<Joined> = stream::iter(work).buffered(CONCURRENCY).try_collect().await?;
        if self.store.list(id).await?.is_none() {
            // Deleted meanwhile: who has been added after the list was emptied must not stay behind.
            self.remove_all(id, &profiles, now).await?;
            return Err(ApiError::not_found("list", id));
        }
        if let Some((node, _)) = named.iter().zip(joined).find(|(_, joined)| *joined == Joined::Full) {
            return Err(full(node));
        }
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// `DELETE /api/lists/{id}/relationships/profiles`. Who is not on the list stays as they are.
    pub(crate) async fn remove_from_list(&self, id: &str, bytes: &[u8]) -> ApiResult<Answer> {
        self.list_by_id(id).await?;
        let body = body::parse(bytes)?;
        let profiles = self.all_profiles(&body::related(&body, "profile", MAX_PROFILES)?).await?;
        self.remove_all(id, &profiles, self.now()).await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    async fn remove_all(&self, list: &str, profiles: &[Profile], now: Instant) -> ApiResult<()> {
        let work: Vec<_> =
            profiles.iter().map(|profile| self.store.leave_list(&profile.id, list, now)).collect();
        stream::iter(work).buffer_unordered(CONCURRENCY).try_collect::<Vec<bool>>().await?;
        Ok(())
    }

    /// The profiles of these ids, following merges; 404, before anything is changed, if one is not there.
    async fn all_profiles(&self, named: &[Node<'_>]) -> ApiResult<Vec<Profile>> {
        let ids: ApiResult<Vec<&str>> = named.iter().map(Node::text).collect();
        let ids = ids?;
        let mut found = self.store.profiles_by_id(ids.iter().copied()).await?;
        let mut profiles = Vec::with_capacity(ids.len());
        for id in ids {
            profiles.push(match found.remove(id) {
                Some(profile) => profile,
                None => self.profile_by_id(id).await?.value,
            });
        }
        Ok(profiles)
    }

    /// `GET /api/lists/{id}/profiles` and its relationship.
    pub(crate) async fn list_members(&self, asked: &Asked, id: &str, only_ids: bool) -> ApiResult<Answer> {
        self.list_by_id(id).await?;
        self.group_profiles(asked, Group::List(id), only_ids).await
    }

    /// `GET /api/profiles/{id}/lists` and its relationship.
    pub(crate) async fn profile_lists(&self, asked: &Asked, id: &str, only_ids: bool) -> ApiResult<Answer> {
        let profile = self.profile_by_id(id).await?.value;
        let lists = self.lists_of(&profile).await?;
        let data = lists.iter().map(|list| {
            if only_ids { identifier("list", &list.id) } else { list_resource(asked, list).build() }
        });
        Ok(Answer::ok(collection(asked, data.collect(), None, None)))
    }

    /// The lists that a profile is on.
    pub(crate) async fn lists_of(&self, profile: &Profile) -> ApiResult<Vec<ListRecord>> {
        let mut lists = self.store.lists().await?;
        lists.retain(|list| profile.lists.contains_key(&list.id));
        Ok(lists)
    }

    async fn list_by_id(&self, id: &str) -> ApiResult<ListRecord> {
        self.store.list(id).await?.ok_or_else(|| ApiError::not_found("list", id))
    }
}

pub(crate) fn list_resource<'a>(asked: &'a Asked, list: &ListRecord) -> Resource<'a> {
    let opt_in_process = match list.opt_in_process {
        OptIn::DoubleOptIn => "double_opt_in",
        OptIn::SingleOptIn => "single_opt_in",
    };
    Resource::new(asked, "list", "lists", &list.id)
        .attribute("name", list.name.as_str())
        .attribute("created", time(list.created_at))
        .attribute("updated", time(list.updated_at))
        .attribute("opt_in_process", opt_in_process)
        .linked("profiles")
        .linked("tags")
}

fn opt_in(attributes: &Fields<'_>) -> ApiResult<Option<OptIn>> {
    let Some(node) = attributes.optional("opt_in_process") else { return Ok(None) };
    match node.text()? {
        "double_opt_in" => Ok(Some(OptIn::DoubleOptIn)),
        "single_opt_in" => Ok(Some(OptIn::SingleOptIn)),
        _ => Err(node.invalid("The opt-in process must be 'double_opt_in' or 'single_opt_in'.")),
    }
}

fn full(node: &Node<'_>) -> ApiError {
    node.invalid(format!("The profile is on {MAX_LISTS} lists already."))
}
