//! Events that came through the HTTP API: validated there, written here like all others.

use canonical::identity::Identifiers;
use canonical::{ApiEvent, Instant, Profile, Source};
use store::{Resolved, Versioned};

use crate::{Failure, Mapper};

impl Mapper {
    pub(crate) async fn api_event(
        &self,
        body: &[u8],
        source: Source,
        received_at: Instant,
    ) -> Result<&'static str, Failure> {
        let event: ApiEvent =
            serde_json::from_slice(body).map_err(|error| Failure::Dead(error.to_string()))?;
        let Some(profile) = self.api_person(&event, received_at).await? else { return Ok("nobody") };
        let integration = event.integration().to_owned();
        let event = event.into_event(source, received_at);
        self.put_events(&profile.id, &integration, vec![event]).await?;
        Ok("mapped")
    }

    /// The profile the event names, with the attributes it brings.
    async fn api_person(&self, event: &ApiEvent, received_at: Instant) -> Result<Option<Profile>, Failure> {
        let now = Instant::from(self.clock.now());
        let at_ms = received_at.as_millis();
        let apply = |profile: &mut Profile| {
            let attributes = profile.apply_attributes(&event.person.attributes, at_ms).changed;
            profile.apply_patch(&event.patch, at_ms) | attributes
        };
        if let Some(id) = &event.profile_id
            && let Some(Versioned { mut value, version }) = self.store.profile(id).await?
        {
            if apply(&mut value) {
                value.updated_at = now.max(value.updated_at);
                self.store.put_profile(&value, version).await?;
            }
            return Ok(Some(value));
        }
        let (identifiers, _) = Identifiers::of(&event.person, "");
        let told_at = told_of(event, received_at);
        let resolved = if event.public {
            self.store.update_visitor(&identifiers, Some(told_at), now, apply).await
        } else {
            self.store.update_person(&identifiers, Some(told_at), now, apply).await
        };
        match resolved? {
            Resolved::Profile { profile, .. } => Ok(Some(profile)),
            Resolved::Nobody | Resolved::Erased => Ok(None),
        }
    }
}

/// As of when an event speaks of its person. One that is sent late tells of the past: it brings nobody back who was
/// erased since.
fn told_of(event: &ApiEvent, received_at: Instant) -> Instant {
    let is_past = |time: &Instant| *time < received_at.truncated_to_second();
    event.time.filter(is_past).unwrap_or(received_at)
}
