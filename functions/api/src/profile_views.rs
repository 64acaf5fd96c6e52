//! Profiles as they are answered: with what `additional-fields` and `include` ask for.

use canonical::Profile;

use crate::Api;
use crate::document::Resource;
use crate::error::ApiResult;
use crate::profiles::ANALYTICS;
use crate::request::Asked;

impl Api {
    /// One profile.
    pub(crate) async fn profile_view<'a>(
        &self,
        asked: &'a Asked,
        profile: &Profile,
    ) -> ApiResult<Resource<'a>> {
        let resource = self.profile_resource(asked, profile);
        if !asked.additional_fields("profile").contains(&ANALYTICS) {
            return Ok(resource);
        }
        let analytics = self.predictive_analytics(&[profile]).await?.pop();
        Ok(resource.attribute(ANALYTICS, analytics))
    }

    /// The profiles of a page, which bounds what predictions have to look at.
    pub(crate) async fn profile_views<'a>(
        &self,
        asked: &'a Asked,
        profiles: &[&Profile],
    ) -> ApiResult<Vec<Resource<'a>>> {
        let resources = profiles.iter().map(|profile| self.profile_resource(asked, profile));
        let resources: Vec<Resource<'a>> = resources.collect();
        if !asked.additional_fields("profile").contains(&ANALYTICS) {
            return Ok(resources);
        }
        let analytics = self.predictive_analytics(profiles).await?;
        let pairs = resources.into_iter().zip(analytics);
        Ok(pairs.map(|(resource, analytics)| resource.attribute(ANALYTICS, analytics)).collect())
    }
}
