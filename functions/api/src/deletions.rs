//! The right to be forgotten, by the wish of whoever runs the account.

use std::collections::BTreeSet;

use canonical::identity::Identifier;
use http::StatusCode;
use store::{Error, JobKind};

use crate::Api;
use crate::body;
use crate::document::Answer;
use crate::error::{ApiError, ApiResult, Source};
use crate::operation::{Operation, Tier};
use crate::profiles::only;
use crate::shapes;

/// How often an erasure that lost a race is tried again.
const ATTEMPTS: u32 = 8;

pub(crate) static OPERATIONS: &[Operation] = &[Operation::post(
    "request_profile_deletion",
    "/api/data-privacy-deletion-jobs",
    &["data-privacy:write"],
)
.limited(Tier::Small)
.takes::<shapes::NewDeletion>("data-privacy-deletion-job")
.gives_nothing(202)
.by(|call| Box::pin(call.api.request_deletion(call.body)))];

impl Api {
    /// `POST /api/data-privacy-deletion-jobs`: 202. The profile is gone at once; its events, places on lists and memberships are
    /// removed by a job.
    pub(crate) async fn request_deletion(&self, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "data-privacy-deletion-job")?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["profile"])?;
        let profile = attributes.required("profile")?.object()?.required("data")?.resource("profile")?;
        profile.only(&["type", "id", "attributes"])?;
        if let Some(attributes) = profile.attributes()? {
            attributes.only(&["email", "phone_number"])?;
        }
        let input = body::profile(&profile)?;
        match (input.id, input.person.email, input.person.phone) {
            (Some(id), None, None) => self.erase_by_id(&id, &profile.pointer).await?,
            (None, Some(email), None) => self.erase_by(&Identifier::Email(email)).await?,
            (None, None, Some(phone)) => self.erase_by(&Identifier::Phone(phone)).await?,
            _ => return Err(profile.invalid("Exactly one of id, email and phone_number is expected.")),
        }
        Ok(Answer::empty(StatusCode::ACCEPTED))
    }

    async fn erase_by_id(&self, id: &str, pointer: &str) -> ApiResult<()> {
        for _ in 0..ATTEMPTS {
            let Some(profile) = self.store.profile(id).await? else {
                if self.store.is_erased(id).await? {
                    return Ok(());
                }
                let source = Some(Source::Pointer(format!("{pointer}/id")));
                return Err(ApiError { source, ..ApiError::not_found("profile", id) });
            };
            self.erase_archived(store::names_of_profile(&profile.value).collect()).await?;
            if self.erase(&profile).await? {
                return Ok(());
            }
        }
        Err(ApiError::unavailable("the profile changes too often"))
    }

    /// Erases whomever an identifier names; if that is nobody, what was told of them before now will make nobody either.
    async fn erase_by(&self, identifier: &Identifier) -> ApiResult<()> {
        for _ in 0..ATTEMPTS {
            let found = self.store.find_person(&only(identifier)).await?;
            let theirs = found.iter().flat_map(|profile| store::names_of_profile(&profile.value));
            self.erase_archived(theirs.chain([store::name_of(identifier)]).collect()).await?;
            if let Some(profile) = &found
                && !self.erase(profile).await?
            {
                continue;
            }
            match self.store.erase_identifier(identifier, self.now()).await {
                // Somebody has come with it meanwhile. They stay if they came after the erasure.
                Err(Error::Conflict) if found.is_none() => {}
                Err(Error::Conflict) => return Ok(()),
                outcome => return Ok(outcome?),
            }
        }
        Err(ApiError::unavailable("the profile changes too often"))
    }

    /// Has the archive forget whom the tables are about to, by the names they have now. Written first, and begun by the clock a minute later: so it is not
    /// lost, and no batch is on its way into the archive that was mapped before.
    async fn erase_archived(&self, names: BTreeSet<String>) -> ApiResult<()> {
        if self.archive.is_some() {
            let kind = JobKind::EraseArchived { connection: None, names };
            self.store.create_job(&self.job(kind, 1, self.now())).await?;
        }
        Ok(())
    }

    /// Whether it was erased; not if it has changed since it was read.
    async fn erase(&self, profile: &store::Versioned<canonical::Profile>) -> ApiResult<bool> {
        let now = self.now();
        let job = self.job(JobKind::Settle { profile: profile.value.id.clone() }, 1, now);
        match self.store.begin_erasure(profile, &job, now).await {
            Ok(()) => {
                self.announce(&job).await;
                Ok(true)
            }
            Err(Error::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
