//! Profiles: read, created and changed at once.

use canonical::identity::{Identifier, Identifiers};
use canonical::{Instant, Profile};
use serde_json::{Map, Value};
use store::{Error, ProfileSort, Resolved, Versioned};

use crate::Api;
use crate::body::{self, Fields, ProfileInput};
use crate::consent::{
    SUPPRESSED_AT, SUPPRESSION_FILTERS, UNLISTED_AT, WantedSuppressions, newest_ms, subscriptions,
};
use crate::document::{Answer, Resource, collection, fill_page, identifier, page_of, single, time};
use crate::error::{ApiError, ApiResult};
use crate::filter::Filter;
use crate::lists::list_resource;
use crate::operation::{ANY, COMPARED, EQUALS, Operation, Tier};
use crate::request::{Asked, Bounds, filter_texts, unsupported};
use crate::shapes;

pub(crate) const ADDITIONAL: [&str; 2] = ["subscriptions", ANALYTICS];
pub(crate) const ANALYTICS: &str = "predictive_analytics";
const PAGE: usize = 20;
const MAX_PAGE: usize = 100;
/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;
/// Pages of the store that one request reads at most when most profiles are filtered out.
const ROUNDS: usize = 20;
/// The most values of one filter.
const MAX_VALUES: usize = 100;

/// What profiles can be asked for by and none has: exchange ids and push tokens are not given out here.
const NOBODY_S: [&str; 2] = ["_kx", "push_token"];

/// Which profiles a listing wants.
#[derive(Default)]
struct Wanted {
    /// Conditions on what a profile can be found by, with their values.
    lookups: Vec<Lookup>,
    created: Bounds,
    updated: Bounds,
    suppressions: WantedSuppressions,
}

/// A condition on an identifier.
pub(crate) struct Lookup {
    field: &'static str,
    /// Normalised.
    values: Vec<String>,
}

impl Lookup {
    /// Reads a condition on one of the fields that name a profile; `None` for other fields.
    pub(crate) fn of(filter: &Filter, id_field: &'static str) -> ApiResult<Option<Self>> {
        let known = [id_field, "email", "phone_number", "external_id"].into_iter().chain(NOBODY_S);
        let Some(field) = known.into_iter().find(|known| *known == filter.field) else { return Ok(None) };
        let texts = filter_texts(filter)?;
        if texts.len() > MAX_VALUES {
            let detail = format!("'{field}' takes at most {MAX_VALUES} values.");
            return Err(ApiError::parameter("filter", detail));
        }
        let normalized = |text: &&str| match field {
            "email" => text.trim().to_lowercase(),
            _ => text.trim().to_owned(),
        };
        Ok(Some(Self { field, values: texts.iter().map(normalized).collect() }))
    }

    pub(crate) fn matches(&self, profile: &Profile) -> bool {
        let value = match self.field {
            "email" => profile.email.as_ref(),
            "phone_number" => profile.phone_number.as_ref(),
            "external_id" => profile.external_id.as_ref(),
            field if NOBODY_S.contains(&field) => None,
            _ => Some(&profile.id),
        };
        value.is_some_and(|value| self.values.contains(value))
    }
}

impl Wanted {
    fn of(filters: &[Filter]) -> ApiResult<Self> {
        let mut wanted = Self::default();
        for filter in filters {
            if wanted.suppressions.take(filter)? {
                continue;
            }
            match filter.field.as_str() {
                "created" => wanted.created.narrow_by_instant(filter)?,
                "updated" => wanted.updated.narrow_by_instant(filter)?,
                _ => wanted.lookups.push(Lookup::of(filter, "id")?.ok_or_else(|| unsupported(filter))?),
            }
        }
        Ok(wanted)
    }

    fn matches(&self, profile: &Profile) -> bool {
        self.lookups.iter().all(|lookup| lookup.matches(profile))
            && self.created.contain(profile.created_at.as_millis())
            && self.updated.contain(profile.updated_at.as_millis())
            && self.suppressions.matches(profile)
    }
}

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_profiles", "/api/profiles", &["profiles:read"])
        .filters(&[
            ("id", ANY),
            ("email", ANY),
            ("phone_number", ANY),
            ("external_id", ANY),
            ("_kx", EQUALS),
            ("created", COMPARED),
            ("updated", COMPARED),
            SUPPRESSION_FILTERS[0],
            SUPPRESSION_FILTERS[1],
            SUPPRESSION_FILTERS[2],
            SUPPRESSION_FILTERS[3],
            SUPPRESSION_FILTERS[4],
        ])
        .sorts(&["id", "created", "updated", "email", SUPPRESSED_AT, UNLISTED_AT])
        .includes(&["push-tokens", "conversations"])
        .additional(&[("profile", &ADDITIONAL)])
        .fields(&["profile", "push-token", "conversation"])
        .pages(PAGE, MAX_PAGE)
        .gives_page::<shapes::Profile>("profile")
        .by(|call| Box::pin(call.api.list_profiles(call.asked))),
    Operation::post("create_profile", "/api/profiles", &["profiles:write"])
        .additional(&[("profile", &ADDITIONAL)])
        .fields(&["profile"])
        .takes::<shapes::NewProfile>("profile")
        .gives_one::<shapes::Profile>(201, "profile")
        .by(|call| Box::pin(call.api.create_profile(call.asked, call.body))),
    Operation::get("get_profile", "/api/profiles/{id}", &["profiles:read"])
        .includes(&["lists", "segments", "push-tokens", "conversations"])
        .additional(&[("profile", &ADDITIONAL)])
        .fields(&["profile", "list", "segment", "push-token", "conversation"])
        .gives_one::<shapes::Profile>(200, "profile")
        .by(|call| Box::pin(call.api.get_profile(call.asked, call.id))),
    Operation::patch("update_profile", "/api/profiles/{id}", &["profiles:write"])
        .additional(&[("profile", &ADDITIONAL)])
        .fields(&["profile"])
        .takes::<shapes::NewProfile>("profile")
        .with_meta::<shapes::ProfileMeta>()
        .gives_one::<shapes::Profile>(200, "profile")
        .by(|call| Box::pin(call.api.update_profile(call.asked, call.id, call.body))),
    Operation::post("create_or_update_profile", "/api/profile-import", &["profiles:write"])
        .additional(&[("profile", &ADDITIONAL)])
        .fields(&["profile"])
        .takes::<shapes::NewProfile>("profile")
        .with_id()
        .with_meta::<shapes::ProfileMeta>()
        .gives_one::<shapes::Profile>(201, "profile")
        .or(200)
        .by(|call| Box::pin(call.api.import_profile(call.asked, call.body))),
    Operation::get(
        "get_segments_for_profile",
        "/api/profiles/{id}/segments",
        &["profiles:read", "segments:read"],
    )
    .limited(Tier::Small)
    .fields(&["segment"])
    .gives_page::<shapes::Segment>("segment")
    .by(|call| Box::pin(call.api.profile_segments(call.asked, call.id, false))),
    Operation::get(
        "get_segment_ids_for_profile",
        "/api/profiles/{id}/relationships/segments",
        &["profiles:read", "segments:read"],
    )
    .limited(Tier::Small)
    .gives_ids("segment")
    .by(|call| Box::pin(call.api.profile_segments(call.asked, call.id, true))),
];

impl Api {
    /// `GET /api/profiles`.
    pub(crate) async fn list_profiles(&self, asked: &Asked) -> ApiResult<Answer> {
        let wanted = Wanted::of(asked.filters())?;
        let size = asked.page_size();
        let sort = asked.sort();
        let (profiles, next) = match wanted.lookups.first() {
            Some(lookup) => {
                let mut found = self.look_up(lookup).await?;
                found.retain(|profile| wanted.matches(profile));
                let (field, descending) = sort.unwrap_or(("id", false));
                page_of(asked, found, |profile| sort_key(profile, field), descending, size)?
            }
            None => self.walk_profiles(asked, &wanted, sort, size).await?,
        };
        let views = self.profile_views(asked, &profiles.iter().collect::<Vec<_>>()).await?;
        let data = views.into_iter().map(Resource::build).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    /// `GET /api/profiles/{id}`.
    pub(crate) async fn get_profile(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let includes = asked.include();
        let profile = self.profile_by_id(id).await?.value;
        let mut resource = self.profile_view(asked, &profile).await?;
        let mut included = (!includes.is_empty()).then(Vec::new);
        if let Some(included) = included.as_mut().filter(|_| includes.contains(&"lists")) {
            let lists = self.lists_of(&profile).await?;
            let ids = lists.iter().map(|list| identifier("list", &list.id)).collect();
            resource = resource.related("lists", ids);
            included.extend(lists.iter().map(|list| list_resource(asked, list).build()));
        }
        if let Some(included) = included.as_mut().filter(|_| includes.contains(&"segments")) {
            let segments = self.segments_of(&profile.id).await?;
            let ids = segments.iter().map(|segment| identifier("segment", &segment.id)).collect();
            resource = resource.related("segments", ids);
            included.extend(segments.iter().map(|segment| self.segment_resource(asked, segment).build()));
        }
        Ok(Answer::ok(single(asked, resource.build(), included)))
    }

    /// `POST /api/profiles`: 201, or 409 with the id of the profile that has an identifier already.
    pub(crate) async fn create_profile(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "profile")?;
        let input = body::profile(&data)?;
        let identifiers = identifiers_of(&data, &input)?;
        for identifier in identifiers.ranked() {
            if let Some(owner) = self.store.find_person(&only(&identifier)).await? {
                return Err(ApiError::duplicate_profile(&owner.value.id));
            }
        }
        let now = self.now();
        let outcome = self
            .store
            .update_person(&identifiers, None, now, |profile| {
                // Somebody may have made it in between: theirs is not touched.
                let is_new = profile.created_at == now && profile.stamps.is_empty();
                is_new && apply(profile, &input, now).unwrap_or_default()
            })
            .await?;
        match outcome {
            Resolved::Profile { mut profile, created: true, .. } => {
                if !input.identifiers.is_empty() {
                    profile = self.patch_profile(&profile.id, &data, &input).await?;
                }
                Ok(Answer::created(single(asked, self.profile_view(asked, &profile).await?.build(), None)))
            }
            Resolved::Profile { profile, created: false, .. } => {
                Err(ApiError::duplicate_profile(&profile.id))
            }
            Resolved::Nobody | Resolved::Erased => Err(ApiError::unavailable("the profile was not made")),
        }
    }

    /// `PATCH /api/profiles/{id}`.
    pub(crate) async fn update_profile(&self, asked: &Asked, id: &str, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "profile")?;
        let named = data.required("id")?;
        if named.text()? != id {
            return Err(named.invalid("The id must be that of the address."));
        }
        let input = body::profile(&data)?;
        let profile = self.patch_profile(id, &data, &input).await?;
        Ok(Answer::ok(single(asked, self.profile_view(asked, &profile).await?.build(), None)))
    }

    /// `POST /api/profile-import`: 201 if the profile is new, else 200.
    pub(crate) async fn import_profile(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "profile")?;
        let input = body::profile(&data)?;
        if let Some(id) = &input.id {
            let profile = self.patch_profile(id, &data, &input).await?;
            return Ok(Answer::ok(single(asked, self.profile_view(asked, &profile).await?.build(), None)));
        }
        let identifiers = identifiers_of(&data, &input)?;
        let now = self.now();
        let mut refused = None;
        let outcome = self
            .store
            .update_person(&identifiers, None, now, |profile| match apply(profile, &input, now) {
                Ok(changed) => changed,
                Err(error) => {
                    refused = Some(error);
                    false
                }
            })
            .await?;
        let Resolved::Profile { mut profile, created, .. } = outcome else {
            return Err(ApiError::unavailable("the profile was not made"));
        };
        if let Some(error) = refused {
            return Err(error);
        }
        if !input.cleared.is_empty() || !input.identifiers.is_empty() {
            profile = self.patch_profile(&profile.id, &data, &input).await?;
        }
        let document = single(asked, self.profile_view(asked, &profile).await?.build(), None);
        Ok(if created { Answer::created(document) } else { Answer::ok(document) })
    }

    /// `GET /api/profiles/{id}/segments` and its relationship.
    pub(crate) async fn profile_segments(
        &self,
        asked: &Asked,
        id: &str,
        only_ids: bool,
    ) -> ApiResult<Answer> {
        let profile = self.profile_by_id(id).await?.value;
        let segments = self.segments_of(&profile.id).await?;
        let data = segments.iter().map(|segment| {
            if only_ids {
                identifier("segment", &segment.id)
            } else {
                self.segment_resource(asked, segment).build()
            }
        });
        Ok(Answer::ok(collection(asked, data.collect(), None, None)))
    }

    /// The profile, following merges, or 404.
    pub(crate) async fn profile_by_id(&self, id: &str) -> ApiResult<Versioned<Profile>> {
        self.store.profile(id).await?.ok_or_else(|| ApiError::not_found("profile", id))
    }

    /// The profiles that a condition names, each once.
    pub(crate) async fn look_up(&self, lookup: &Lookup) -> ApiResult<Vec<Profile>> {
        let mut found: Vec<Profile> = Vec::new();
        if NOBODY_S.contains(&lookup.field) {
            return Ok(found);
        }
        if lookup.field.ends_with("id") && lookup.field != "external_id" {
            let profiles = self.store.profiles_by_id(lookup.values.iter().map(String::as_str)).await?;
            found.extend(profiles.into_values());
            return Ok(found);
        }
        let searches = lookup.values.iter().map(async |value| {
            let identifier = match lookup.field {
                "email" => Identifier::Email(value.clone()),
                "phone_number" => Identifier::Phone(value.clone()),
                _ => Identifier::ExternalId(value.clone()),
            };
            self.store.find_person(&only(&identifier)).await
        });
        for profile in futures::future::try_join_all(searches).await?.into_iter().flatten() {
            // An identifier that a profile no longer has may still lead to it.
            if lookup.matches(&profile.value) && found.iter().all(|known| known.id != profile.value.id) {
                found.push(profile.value);
            }
        }
        Ok(found)
    }

    async fn walk_profiles(
        &self,
        asked: &Asked,
        wanted: &Wanted,
        sort: Option<(&str, bool)>,
        size: usize,
    ) -> ApiResult<(Vec<Profile>, Option<String>)> {
        let default = if let Some(listing) = wanted.suppressions.listing() {
            listing
        } else if wanted.updated != Bounds::default() {
            "updated"
        } else if wanted.created != Bounds::default() {
            "created"
        } else {
            "id"
        };
        let (field, descending) = sort.unwrap_or((default, false));
        let (sort, bounds) = match field {
            "created" => (ProfileSort::Created, wanted.created.pair()),
            "updated" => (ProfileSort::Updated, wanted.updated.pair()),
            "email" => (ProfileSort::Email, (None, None)),
            SUPPRESSED_AT => (ProfileSort::Suppressed, wanted.suppressions.bounds(ProfileSort::Suppressed)),
            UNLISTED_AT => (ProfileSort::Unlisted, wanted.suppressions.bounds(ProfileSort::Unlisted)),
            _ => (ProfileSort::Id, (None, None)),
        };
        let page = fill_page(asked.cursor()?, size, ROUNDS, async |cursor, size| {
            let mut page = self.store.list_profiles(sort, descending, bounds, cursor, size).await?;
            page.items.retain(|profile| wanted.matches(profile));
            Ok(page)
        })
        .await?;
        Ok((page.items, page.next.map(|cursor| cursor.encode())))
    }

    /// Applies a change to a profile: identifiers, attributes, patches.
    pub(crate) async fn patch_profile(
        &self,
        id: &str,
        data: &Fields<'_>,
        input: &ProfileInput,
    ) -> ApiResult<Profile> {
        let mut attempt = 0;
        loop {
            match self.try_patch_profile(id, data, input).await {
                Err(PatchError::Store(Error::Conflict)) if attempt < ATTEMPTS => attempt += 1,
                Err(PatchError::Store(error)) => return Err(error.into()),
                Err(PatchError::Refused(error)) => return Err(*error),
                Ok(profile) => return Ok(profile),
            }
        }
    }

    async fn try_patch_profile(
        &self,
        id: &str,
        data: &Fields<'_>,
        input: &ProfileInput,
    ) -> Result<Profile, PatchError> {
        let found = self.store.profile(id).await?;
        let before = found.ok_or_else(|| ApiError::not_found("profile", id))?;
        let mut after = before.value.clone();
        let (given, _) = Identifiers::of(&input.person, "");
        let cleared = |name| input.cleared.contains(&name);
        set(&mut after.email, given.email, cleared("email"));
        set(&mut after.phone_number, given.phone_number, cleared("phone_number"));
        set(&mut after.external_id, given.external_id, cleared("external_id"));
        set(&mut after.anonymous_id, given.anonymous_id, cleared("anonymous_id"));
        input.identifiers.apply(&mut after);
        if after.identifiers().is_empty() && !before.value.identifiers().is_empty() {
            return Err(data.invalid("A profile must keep at least one identifier.").into());
        }
        let now = self.now();
        apply(&mut after, input, now)?;
        if after != before.value {
            after.updated_at = now.max(before.value.updated_at);
        }
        match self.store.put_identified(&before, &after, &input.identifiers).await {
            Err(Error::Taken(owner)) => Err(ApiError::duplicate_profile(&owner).into()),
            outcome => Ok(outcome?),
        }
    }

    /// A profile with what `additional-fields` asks for and can be told of the profile alone.
    #[allow(clippy::unused_self, reason = "its siblings need the API")]
    pub(crate) fn profile_resource<'a>(&self, asked: &'a Asked, profile: &Profile) -> Resource<'a> {
        let attribute = |name: &str| profile.attributes.get(name).cloned().unwrap_or_default();
        let object = |name: &str| match attribute(name) {
            Value::Object(object) => Value::Object(object),
            _ => Map::new().into(),
        };
        let resource = Resource::new(asked, "profile", "profiles", &profile.id)
            .attribute("email", profile.email.clone())
            .attribute("phone_number", profile.phone_number.clone())
            .attribute("external_id", profile.external_id.clone())
            .attribute("first_name", attribute("first_name"))
            .attribute("last_name", attribute("last_name"))
            .attribute("organization", attribute("organization"))
            .attribute("locale", attribute("locale"))
            .attribute("title", attribute("title"))
            .attribute("image", attribute("image"))
            .attribute("created", time(profile.created_at))
            .attribute("updated", time(profile.updated_at))
            .attribute("location", object("location"))
            .attribute("properties", object("properties"))
            .linked("lists")
            .linked("segments");
        if asked.additional_fields("profile").contains(&"subscriptions") {
            return resource.attribute("subscriptions", subscriptions(profile));
        }
        resource
    }
}

enum PatchError {
    Store(Error),
    Refused(Box<ApiError>),
}

impl From<Error> for PatchError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<ApiError> for PatchError {
    fn from(error: ApiError) -> Self {
        Self::Refused(Box::new(error))
    }
}

/// Applies attributes and patches as of now; whether anything changed. Nothing is applied if the profile would
/// have too many properties.
pub(crate) fn apply(profile: &mut Profile, input: &ProfileInput, now: Instant) -> ApiResult<bool> {
    let mut after = profile.clone();
    // A platform's clock may be ahead: whoever writes here means what they write, so that no stamp wins.
    let newest = profile.stamps.values().copied().max().unwrap_or_default();
    let at_ms = now.as_millis().max(newest);
    let outcome = after.apply_attributes(&input.person.attributes, at_ms);
    if outcome.dropped > 0 {
        let detail = format!("A profile has at most {} properties.", canonical::profile::MAX_PROPERTIES);
        return Err(ApiError::invalid("/data/attributes/properties", detail));
    }
    let patched = after.apply_patch(&input.patch, at_ms);
    *profile = after;
    Ok(outcome.changed || patched)
}

fn set(slot: &mut Option<String>, given: Option<String>, cleared: bool) {
    if cleared {
        *slot = None;
    } else if given.is_some() {
        *slot = given;
    }
}

fn identifiers_of(data: &Fields<'_>, input: &ProfileInput) -> ApiResult<Identifiers> {
    if input.identifies() {
        Ok(Identifiers::of(&input.person, "").0)
    } else {
        let detail = "At least one identifier is required: email, phone_number or external_id.";
        Err(ApiError::invalid(format!("{}/attributes", data.pointer), detail))
    }
}

/// One identifier alone.
pub(crate) fn only(identifier: &Identifier) -> Identifiers {
    let mut identifiers = Identifiers::default();
    match identifier.clone() {
        Identifier::ExternalId(value) => identifiers.external_id = Some(value),
        Identifier::Email(value) => identifiers.email = Some(value),
        Identifier::Phone(value) => identifiers.phone_number = Some(value),
        Identifier::Anonymous(value) => identifiers.anonymous_id = Some(value),
    }
    identifiers
}

fn sort_key(profile: &Profile, field: &str) -> String {
    let timed = |instant: Instant| format!("{:014}#{}", instant.as_millis().max(0), profile.id);
    match field {
        "created" => timed(profile.created_at),
        "updated" => timed(profile.updated_at),
        SUPPRESSED_AT | UNLISTED_AT => format!("{:014}#{}", newest_ms(profile, field).max(0), profile.id),
        "email" => format!("{}#{}", profile.email.as_deref().unwrap_or_default(), profile.id),
        _ => profile.id.clone(),
    }
}
