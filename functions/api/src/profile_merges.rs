//! Merging one profile into another: at once for whoever reads them; what lies with the one that goes is left to a job.

use canonical::Profile;
use store::{Error, JobKind, Versioned};

use crate::Api;
use crate::body::{self, Node};
use crate::document::{Answer, Resource, single};
use crate::error::{ApiError, ApiResult, Source};
use crate::operation::{Operation, Tier};
use crate::request::Asked;
use crate::shapes;

/// How often a merge that lost a race is tried again.
const ATTEMPTS: u32 = 8;

pub(crate) static OPERATIONS: &[Operation] =
    &[Operation::post("merge_profiles", "/api/profile-merge", &["profiles:write"])
        .limited(Tier::Medium)
        .fields(&["profile"])
        .takes_body::<shapes::ProfileMerge>()
        .gives_one::<shapes::MergedProfile>(201, "profile")
        .by(|call| Box::pin(call.api.merge_profiles(call.asked, call.body)))];

impl Api {
    /// `POST /api/profile-merge`: 201 with the profile that stays.
    pub(crate) async fn merge_profiles(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "profile-merge")?;
        data.only(&["type", "id", "attributes", "relationships"])?;
        let destination = data.required("id")?;
        let relationships = data.required("relationships")?.object()?;
        relationships.only(&["profiles"])?;
        let sources = relationships.required("profiles")?.object()?.required("data")?;
        let mut named = sources.items()?;
        let (Some(source), None) = (named.next(), named.next()) else {
            return Err(sources.invalid("Exactly one source profile is expected."));
        };
        let source = source.resource("profile")?;
        source.only(&["type", "id"])?;
        let source = source.required("id")?;
        if source.text()? == destination.text()? {
            return Err(source.invalid("A profile cannot be merged into itself."));
        }
        for _ in 0..ATTEMPTS {
            let into = self.profile_named_by(&destination).await?;
            let from = self.profile_named_by(&source).await?;
            if from.value.id == into.value.id {
                // They are one already: the same request has come before.
                return Ok(merged(asked, &into.value));
            }
            let now = self.now();
            let job = self.job(JobKind::Settle { profile: from.value.id.clone() }, 1, now);
            match self.store.begin_merge(&into, &from, &job, now).await {
                Ok(profile) => {
                    self.announce(&job).await;
                    return Ok(merged(asked, &profile));
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ApiError::unavailable("the profiles change too often"))
    }

    /// The profile of the id at a place of the body, following merges, or 404 at that place.
    pub(crate) async fn profile_named_by(&self, id: &Node<'_>) -> ApiResult<Versioned<Profile>> {
        let at_its_place = |error| ApiError { source: Some(Source::Pointer(id.pointer.clone())), ..error };
        let id = id.id_text()?;
        self.store.profile(id).await?.ok_or_else(|| at_its_place(ApiError::not_found("profile", id)))
    }
}

fn merged(asked: &Asked, profile: &Profile) -> Answer {
    let resource = Resource::new(asked, "profile", "profiles", &profile.id);
    Answer::created(single(asked, resource.build(), None))
}
