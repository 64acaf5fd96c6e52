//! Who a fact is about.

use canonical::identity::Identifiers;
use canonical::{Instant, Person, Profile};
use runtime::metrics::count;
use store::{Resolved, Subject, SubjectKey};

use crate::{Context, Failure, Mapper};

/// What identity resolution says of a fact's person.
pub(crate) enum Who {
    /// This profile.
    Known(String),
    /// Nobody yet: what happened must wait.
    Unknown,
    /// Somebody who was erased after the fact was made.
    Erased,
}

impl Mapper {
    /// Finds or makes the person's profile and brings it up to the fact's attributes, last-writer-wins by `as_of`.
    pub(crate) async fn person(
        &self,
        person: &Person,
        as_of: Option<Instant>,
        context: &Context,
        mut change: impl FnMut(&mut Profile) -> bool,
    ) -> Result<Who, Failure> {
        let (identifiers, dropped) = Identifiers::of(person, &context.source.connection);
        for field in dropped {
            count("dropped_fields", &context.source.platform, field, 1);
        }
        context.trace.names(&identifiers);
        let as_of = as_of.unwrap_or(context.received_at);
        let at_ms = as_of.as_millis();
        let mut excess = 0;
        let resolved = self
            .store
            .update_person(&identifiers, Some(as_of), Instant::from(self.clock.now()), |profile| {
                let outcome = profile.apply_attributes(&person.attributes, at_ms);
                excess = outcome.dropped;
                change(profile) | outcome.changed
            })
            .await?;
        if excess > 0 {
            count("dropped_fields", &context.source.platform, "attributes", excess as u64);
        }
        match resolved {
            Resolved::Profile { profile, unlinked, .. } => {
                context.trace.profile(&profile.id);
                if let Some((connection, customer)) = identifiers.customer.filter(|_| unlinked) {
                    self.tell_parked(&profile.id, &customer, context).await?;
                    self.store.link_customer(&connection, &customer, &profile.id).await?;
                    // What was parked since the first look did not see the link yet.
                    self.tell_parked(&profile.id, &customer, context).await?;
                }
                Ok(Who::Known(profile.id))
            }
            Resolved::Nobody => Ok(Who::Unknown),
            Resolved::Erased => {
                context.trace.withhold();
                count("facts", &context.source.platform, "erased", 1);
                Ok(Who::Erased)
            }
        }
    }

    /// Tells what has waited for a customer to be identified.
    async fn tell_parked(&self, profile_id: &str, customer: &str, context: &Context) -> Result<(), Failure> {
        for key in self.store.parked(&context.source.connection, customer).await? {
            self.hand_over(&key, profile_id, context).await?;
            self.store.unpark(customer, &key).await?;
        }
        Ok(())
    }

    /// Hands a ledger over that was parked just now, if its customer has been identified meanwhile: whoever did so
    /// looked for parked ledgers too early.
    pub(crate) async fn tell_if_linked(
        &self,
        key: &SubjectKey,
        customer: &str,
        context: &Context,
    ) -> Result<(), Failure> {
        let link = (context.source.connection.clone(), customer.to_owned());
        let identifiers = Identifiers { customer: Some(link), ..Identifiers::default() };
        if let Some(profile) = self.store.find_person(&identifiers).await? {
            self.hand_over(key, &profile.value.id, context).await?;
            self.store.unpark(customer, key).await?;
        }
        Ok(())
    }

    /// Gives a ledger, and the events that wait in it, to a profile. A ledger that belongs to somebody keeps them.
    pub(crate) async fn hand_over(
        &self,
        key: &SubjectKey,
        profile_id: &str,
        context: &Context,
    ) -> Result<(), Failure> {
        // Whatever the ledger holds goes through untouched.
        type Opaque = serde_json::Map<String, serde_json::Value>;
        let subject: Subject<Opaque> = self.store.subject(key).await?;
        if subject.profile_id.is_some() && subject.parked.is_empty() {
            return Ok(());
        }
        let owner = match &subject.profile_id {
            Some(owner) => self.current(owner).await?,
            None => None,
        };
        let owner = owner.unwrap_or_else(|| profile_id.to_owned());
        self.put_events(&owner, &context.source.platform, subject.parked.clone(), context).await?;
        let told = Subject { profile_id: Some(owner), parked: Vec::new(), ..subject };
        Ok(self.store.put_subject(key, &told, None).await?)
    }
}
