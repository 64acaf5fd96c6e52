//! Events that came through the HTTP API: validated there, written here like all others.

use canonical::identity::Identifiers;
use canonical::{ApiEvent, Instant, Profile};
use store::{Resolved, Versioned};

use crate::{Context, Failure, Mapper};

impl Mapper {
    pub(crate) async fn api_event(&self, body: &[u8], context: &Context) -> Result<&'static str, Failure> {
        let event: ApiEvent =
            serde_json::from_slice(body).map_err(|error| Failure::Dead(error.to_string()))?;
        let Some(profile) = self.api_person(&event, context).await? else { return Ok("nobody") };
        let integration = event.integration().to_owned();
        let event = event.into_event(context.source.clone(), context.received_at);
        self.put_events(&profile.id, &integration, vec![event], context).await?;
        Ok("mapped")
    }

    /// The profile the event names, with the attributes it brings.
    async fn api_person(&self, event: &ApiEvent, context: &Context) -> Result<Option<Profile>, Failure> {
        let received_at = context.received_at;
        let now = Instant::from(self.clock.now());
        let at_ms = received_at.as_millis();
        let apply = |profile: &mut Profile| {
            let attributes = profile.apply_attributes(&event.person.attributes, at_ms).changed;
            profile.apply_patch(&event.patch, at_ms) | attributes
        };
        if let Some(id) = &event.profile_id {
            context.trace.profile(id);
            if let Some(Versioned { mut value, version }) = self.store.profile(id).await? {
                if apply(&mut value) {
                    value.updated_at = now.max(value.updated_at);
                    self.store.put_profile(&value, version).await?;
                }
                return Ok(Some(value));
            }
            if self.store.is_erased(id).await? {
                context.trace.withhold();
            }
        }
        let (identifiers, _) = Identifiers::of(&event.person, "");
        context.trace.names(&identifiers);
        let told_at = told_of(event, received_at);
        let resolved = if event.public {
            self.store.update_visitor(&identifiers, Some(told_at), now, apply).await
        } else {
            self.store.update_person(&identifiers, Some(told_at), now, apply).await
        };
        match resolved? {
            Resolved::Profile { profile, .. } => Ok(Some(profile)),
            Resolved::Nobody => Ok(None),
            Resolved::Erased => {
                context.trace.withhold();
                Ok(None)
            }
        }
    }
}

/// As of when an event speaks of its person. One that is sent late tells of the past: it brings nobody back who was
/// erased since.
fn told_of(event: &ApiEvent, received_at: Instant) -> Instant {
    let is_past = |time: &Instant| *time < received_at.truncated_to_second();
    event.time.filter(is_past).unwrap_or(received_at)
}
