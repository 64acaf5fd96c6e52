//! Profiles as they are answered: with what `additional-fields` and `include` ask for.

use canonical::{Instant, Profile};
use futures::{StreamExt, TryStreamExt, stream};

use crate::Api;
use crate::document::{Resource, time};
use crate::error::ApiResult;
use crate::profiles::ANALYTICS;
use crate::request::Asked;

const LAST_EVENT: &str = "last_event_date";
/// Profiles whose events are looked at at the same time.
const CONCURRENCY: usize = 16;

impl Api {
    /// One profile.
    pub(crate) async fn profile_view<'a>(
        &self,
        asked: &'a Asked,
        profile: &Profile,
    ) -> ApiResult<Resource<'a>> {
        let mut views = self.profile_views(asked, &[profile]).await?;
        Ok(views.pop().unwrap_or_else(|| self.profile_resource(asked, profile)))
    }

    /// The profiles of a page, which bounds what has to be looked at.
    pub(crate) async fn profile_views<'a>(
        &self,
        asked: &'a Asked,
        profiles: &[&Profile],
    ) -> ApiResult<Vec<Resource<'a>>> {
        let last_events = self.last_events(asked, profiles).await?;
        let resources = profiles.iter().zip(last_events);
        let resources: Vec<Resource<'a>> = resources
            .map(|(profile, last)| {
                self.profile_resource(asked, profile).attribute(LAST_EVENT, last.map(time))
            })
            .collect();
        if !asked.additional_fields("profile").contains(&ANALYTICS) {
            return Ok(resources);
        }
        let analytics = self.predictive_analytics(profiles).await?;
        let pairs = resources.into_iter().zip(analytics);
        Ok(pairs.map(|(resource, analytics)| resource.attribute(ANALYTICS, analytics)).collect())
    }

    /// When the newest event of each profile happened. It is looked up here, because to write it down would be a write more for each
    /// event.
    async fn last_events(&self, asked: &Asked, profiles: &[&Profile]) -> ApiResult<Vec<Option<Instant>>> {
        if asked.fields("profile").is_some_and(|fields| !fields.contains(&LAST_EVENT)) {
            return Ok(vec![None; profiles.len()]);
        }
        let now = self.now();
        let work: Vec<_> =
            profiles.iter().map(|profile| self.store.last_event_at(&profile.id, now)).collect();
        Ok(stream::iter(work).buffered(CONCURRENCY).try_collect().await?)
    }
}
