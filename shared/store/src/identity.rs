//! From identifiers to a profile: found, created, linked, merged.

use std::collections::HashMap;

use canonical::identity::{
    Identifier, IdentifierPatch, Identifiers, may_be_found_by, may_merge_found_by, profile_id,
};
use canonical::{Instant, Profile};
use serde::{Deserialize, Serialize};

use crate::profiles::{MAX_ALIASES, Stored};
use crate::table::{self, Unless, from_item, number, text, to_item};
use crate::trust::Trust;
use crate::{Error, Result, Store, Versioned, keys};

pub(crate) const IDENTIFIER: &str = "id";
/// How often a lost race is tried again before the record's own retry takes over.
const ATTEMPTS: u32 = 8;

/// What became of a person that a fact is about.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "made once per fact and matched at once")]
pub enum Resolved {
    /// The profile, as stored now.
    Profile {
        /// The profile.
        profile: Profile,
        /// It was made by this call.
        created: bool,
        /// The platform's customer is not linked to it yet. What waits for the customer must be told first, then
        /// [`Store::link_customer`] makes the link: so a crash between the two loses nothing.
        unlinked: bool,
    },
    /// Nothing identifies the person yet.
    Nobody,
    /// The person was erased after the fact was made.
    Erased,
}

/// Whom an identifier names.
#[allow(clippy::large_enum_variant, reason = "made once per identifier and matched at once")]
enum Named {
    Profile(Versioned<Profile>),
    /// Somebody who was erased then, in milliseconds.
    Erased(i64),
    /// A profile of this id that is not written: whoever claimed the identifier for it is about to, or broke off.
    Unwritten(String),
    Nobody,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct IdentifierItem {
    pub(crate) pk: String,
    sk: String,
    /// Whose it is; absent after an erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    /// How many profiles it has named before.
    #[serde(default)]
    generation: u32,
    /// When its profile was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) erased_ms: Option<i64>,
    /// Whose it was before it was freed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) was: Option<String>,
}

impl Store {
    /// Finds or makes the profile of a person, lets `change` alter it (it says whether it did) and stores what is
    /// new: the profile and its identifiers. Profiles that the identifiers show
    /// to be one are merged. A fact from before the person's erasure (`as_of`) changes nothing.
    pub async fn update_person(
        &self,
        identifiers: &Identifiers,
        as_of: Option<Instant>,
        now: Instant,
        change: impl FnMut(&mut Profile) -> bool,
    ) -> Result<Resolved> {
        self.update_named(identifiers, Trust::Full, as_of, now, change).await
    }

    /// [`Store::update_person`] for what anybody may have sent, such as a browser: no identifier that a profile has is
    /// replaced, and only a profile that has none but devices merges into another one.
    pub async fn update_visitor(
        &self,
        identifiers: &Identifiers,
        as_of: Option<Instant>,
        now: Instant,
        change: impl FnMut(&mut Profile) -> bool,
    ) -> Result<Resolved> {
        self.update_named(identifiers, Trust::Public, as_of, now, change).await
    }

    async fn update_named(
        &self,
        identifiers: &Identifiers,
        trust: Trust,
        as_of: Option<Instant>,
        now: Instant,
        mut change: impl FnMut(&mut Profile) -> bool,
    ) -> Result<Resolved> {
        let (mut attempt, mut created) = (0, false);
        loop {
            match self.try_update_named(identifiers, trust, as_of, now, &mut change, &mut created).await {
                Err(Error::Conflict) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// The profile of a person, if there is one; makes and changes none.
    pub async fn find_person(&self, identifiers: &Identifiers) -> Result<Option<Versioned<Profile>>> {
        let items = self.identifier_items(identifiers).await?;
        for identifier in identifiers.ranked() {
            if let Named::Profile(profile) = self.named(&items, &identifier.key()).await?
                && may_be_found_by(&identifier, &profile.value, identifiers)
            {
                return Ok(Some(profile));
            }
        }
        self.by_customer(identifiers, &items).await
    }

    /// Ends the link between a platform's customer and a profile.
    pub async fn unlink_customer(&self, connection: &str, customer_id: &str) -> Result<()> {
        self.delete(&self.profiles, &keys::identifier(&customer_text(connection, customer_id)), IDENTIFIER)
            .await
    }

    /// Ends the link of a platform's customer who is erased, and remembers when: what was told before makes nobody of it.
    pub async fn erase_customer(&self, connection: &str, customer_id: &str, now: Instant) -> Result<()> {
        self.release(&customer_text(connection, customer_id), now).await
    }

    async fn owner_of(&self, identifier: &Identifier) -> Result<Option<String>> {
        let partition = keys::identifier(&identifier.key());
        let Some(item) = self.get(&self.profiles, &partition, IDENTIFIER).await? else { return Ok(None) };
        let item: IdentifierItem = from_item("identifier", item)?;
        let Some(owner) = item.profile else { return Ok(None) };
        Ok(self.profile(&owner).await?.map(|owner| owner.value.id))
    }

    /// Gives an identifier to a profile. [`Error::Taken`] if it names another one.
    pub async fn claim_identifier(&self, identifier: &Identifier, profile: &str) -> Result<()> {
        let key = identifier.key();
        let item = self.get(&self.profiles, &keys::identifier(&key), IDENTIFIER).await?;
        let item: Option<IdentifierItem> = item.map(|item| from_item("identifier", item)).transpose()?;
        if let Some(owner) = item.as_ref().and_then(|item| item.profile.as_deref()) {
            if let Some(owner) = self.profile(owner).await? {
                return if owner.value.id == profile { Ok(()) } else { Err(Error::Taken(owner.value.id)) };
            }
            if matches!(self.stored_profile(owner).await?, Stored::Nothing) {
                // Whoever is about to write it meets the alias.
                self.put_alias(owner, profile, false, Some(0)).await?;
            }
        }
        self.write_identifier(&key, profile, item.as_ref()).await
    }

    /// Frees an identifier of somebody who was erased, whomever it names; the next profile it makes is another one.
    pub async fn release_identifier(&self, identifier: &Identifier, erased_at: Instant) -> Result<()> {
        self.release(&identifier.key(), erased_at).await
    }

    async fn release(&self, key: &str, erased_at: Instant) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(&self.profiles)
            .set_key(Some(table::key(&keys::identifier(key), IDENTIFIER)))
            .update_expression("ADD generation :one SET erased_ms = :at REMOVE profile")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":at", number(erased_at.as_millis()));
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    /// Frees an identifier that a profile no longer has; the next profile it makes is another one. Does nothing if it
    /// is not the profile's.
    pub async fn disown_identifier(&self, identifier: &Identifier, profile: &str) -> Result<()> {
        let partition = keys::identifier(&identifier.key());
        let Some(item) = self.get(&self.profiles, &partition, IDENTIFIER).await? else { return Ok(()) };
        let item: IdentifierItem = from_item("identifier", item)?;
        let Some(owner) = item.profile else { return Ok(()) };
        // It may still name a profile that merged into this one.
        if self.profile(&owner).await?.is_none_or(|owner| owner.value.id != profile) {
            return Ok(());
        }
        let request = self
            .client
            .update_item()
            .table_name(&self.profiles)
            .set_key(Some(table::key(&partition, IDENTIFIER)))
            // Whose it was stays known: should they be erased, what was told before stays forgotten under this name, too.
            .update_expression("ADD generation :one SET was = profile REMOVE profile")
            .condition_expression("profile = :owner")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":owner", text(owner));
        match request.send().await.map_err(|error| Error::of(&error)) {
            Ok(_) | Err(Error::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes a profile that may have other identifiers than before, over the version it was read from. [`Error::Taken`],
    /// and the profile is not written, if one of those that are new, or that are to be `append`ed to those it is found by,
    /// names another profile.
    ///
    /// What is new is claimed first and what is gone is freed last, so that no moment exists at which an identifier of
    /// the profile is nobody's.
    pub async fn put_identified(
        &self,
        before: &Versioned<Profile>,
        after: &Profile,
        patch: &IdentifierPatch,
    ) -> Result<Profile> {
        let (old, new) = (before.value.identifiers(), after.identifiers());
        let claimed: Vec<&Identifier> =
            new.iter().filter(|one| !old.contains(one)).chain(&patch.append).collect();
        // All are looked at before any is claimed.
        for identifier in &claimed {
            if let Some(owner) = self.owner_of(identifier).await?.filter(|owner| *owner != after.id) {
                return Err(Error::Taken(owner));
            }
        }
        for identifier in claimed {
            self.claim_identifier(identifier, &after.id).await?;
        }
        let written = if *after == before.value {
            after.clone()
        } else {
            self.put_profile(after, before.version).await?.value
        };
        for identifier in old.iter().chain(&patch.unappend).filter(|one| !new.contains(one)) {
            self.disown_identifier(identifier, &after.id).await?;
        }
        Ok(written)
    }

    /// Frees identifiers that still name somebody who was erased.
    pub(crate) async fn release_erased(&self, identifiers: impl Iterator<Item = Identifier>) -> Result<()> {
        for identifier in identifiers {
            let key = identifier.key();
            let Some(item) = self.get(&self.profiles, &keys::identifier(&key), IDENTIFIER).await? else {
                continue;
            };
            let item: IdentifierItem = from_item("identifier", item)?;
            let Some(owner) = item.profile.clone() else { continue };
            let items = HashMap::from([(key.clone(), item)]);
            let Named::Erased(at_ms) = self.follow(&items, &key, false).await? else { continue };
            match self.free_identifier(&key, Some(&owner), at_ms).await {
                // Whoever is named since keeps it.
                Ok(()) | Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Remembers that whoever has this identifier was erased, though it names nobody: what was told before does not
    /// make anybody of it. [`Error::Conflict`] if it names somebody.
    pub async fn erase_identifier(&self, identifier: &Identifier, now: Instant) -> Result<()> {
        let key = identifier.key();
        let item = self.get(&self.profiles, &keys::identifier(&key), IDENTIFIER).await?;
        let item: Option<IdentifierItem> = item.map(|item| from_item("identifier", item)).transpose()?;
        let owner = item.as_ref().and_then(|item| item.profile.clone());
        let items = item.map(|item| (key.clone(), item)).into_iter().collect();
        if let Named::Profile(_) = self.named(&items, &key).await? {
            return Err(Error::Conflict);
        }
        self.free_identifier(&key, owner.as_deref(), now.as_millis()).await
    }

    /// Takes an identifier from its owner, who was erased; [`Error::Conflict`] if it is somebody else's by now.
    async fn free_identifier(&self, key: &str, owner: Option<&str>, erased_ms: i64) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(&self.profiles)
            .set_key(Some(table::key(&keys::identifier(key), IDENTIFIER)))
            .update_expression("ADD generation :one SET erased_ms = :at REMOVE profile")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":at", number(erased_ms));
        let request = match owner {
            Some(owner) => request
                .condition_expression("profile = :owner")
                .expression_attribute_values(":owner", text(owner)),
            None => request.condition_expression("attribute_not_exists(profile)"),
        };
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    async fn try_update_named(
        &self,
        identifiers: &Identifiers,
        trust: Trust,
        as_of: Option<Instant>,
        now: Instant,
        change: &mut impl FnMut(&mut Profile) -> bool,
        created: &mut bool,
    ) -> Result<Resolved> {
        let ranked = identifiers.ranked();
        let items = self.identifier_items(identifiers).await?;
        if let Some(as_of) = as_of
            && items.values().any(|item| item.erased_ms.is_some_and(|erased| as_of.as_millis() <= erased))
        {
            return Ok(Resolved::Erased);
        }
        if self.was_erased(&items, as_of).await? {
            return Ok(Resolved::Erased);
        }
        let mut found: Vec<(&Identifier, Versioned<Profile>)> = Vec::new();
        for identifier in &ranked {
            let key = identifier.key();
            let is_known = |id: &str| found.iter().any(|(_, other)| other.value.id == id);
            if items.get(&key).and_then(|item| item.profile.as_deref()).is_some_and(is_known) {
                continue;
            }
            match self.named(&items, &key).await? {
                Named::Profile(profile)
                    if !is_known(&profile.value.id)
                        && may_be_found_by(identifier, &profile.value, identifiers) =>
                {
                    found.push((identifier, profile));
                }
                // To be made here; whoever is making it finds what became of it.
                Named::Unwritten(id) => {
                    found.push((identifier, Versioned { value: Profile::new(id, now), version: 0 }));
                }
                Named::Profile(_) | Named::Nobody => {}
                Named::Erased(_) => {
                    // The erasure did not know of all of them, or broke off. Then it all looks different.
                    self.release_erased(ranked.iter().cloned()).await?;
                    return Err(Error::Conflict);
                }
            }
        }
        let mut others = found.into_iter();
        let main = match others.next() {
            Some((_, profile)) => Some(profile),
            None if self.customer_was_erased(identifiers, &items, as_of).await? => {
                return Ok(Resolved::Erased);
            }
            None => self.by_customer(identifiers, &items).await?,
        };
        let Some(mut main) = (match main {
            Some(main) => Some(main),
            None => self.fresh(ranked.first(), &items, now).await?,
        }) else {
            return Ok(Resolved::Nobody);
        };

        let before = main.value.clone();
        for (found_by, other) in others {
            if may_merge_found_by(found_by, &other.value, &main.value) && trust.may_merge(&other.value) {
                main = self.merge_profiles(main, other, now).await?;
            }
        }
        let mut claims = Vec::new();
        for identifier in &ranked {
            if trust.may_adopt(identifier, &main.value)
                && self.adopt(identifier, &items, &mut main.value).await?
            {
                claims.push(identifier.key());
            }
        }
        let is_new = main.version == 0;
        // Others must not be led to a profile that may never be written; only what its id follows from leads them to make
        // the same one.
        let later = if is_new { claims.split_off(claims.len().min(1)) } else { Vec::new() };
        self.write_identifiers(&claims, &main.value.id, &items).await?;
        let lists_before = main.value.lists.clone();
        if change(&mut main.value) || main.value != before || is_new {
            if !is_new {
                main.value.updated_at = now.max(before.updated_at);
            }
            main = self.put_profile_and_lists(&main.value, &lists_before, main.version).await?;
        }
        *created |= is_new;
        self.write_identifiers(&later, &main.value.id, &items).await?;
        let unlinked = customer_key(identifiers).is_some_and(|customer| {
            items.get(&customer).and_then(|item| item.profile.as_deref()) != Some(main.value.id.as_str())
        });
        Ok(Resolved::Profile { profile: main.value, created: *created, unlinked })
    }

    /// Lets identifiers name a profile. [`Error::Conflict`] if one is not as it was read.
    async fn write_identifiers(
        &self,
        keys: &[String],
        profile: &str,
        items: &HashMap<String, IdentifierItem>,
    ) -> Result<()> {
        for key in keys {
            self.write_identifier(key, profile, items.get(key)).await?;
        }
        Ok(())
    }

    /// Links a platform's customer to a profile, in place of any link before; what is remembered of an erasure stays.
    pub async fn link_customer(&self, connection: &str, customer_id: &str, profile_id: &str) -> Result<()> {
        let partition = keys::identifier(&customer_text(connection, customer_id));
        let request = self
            .client
            .update_item()
            .table_name(&self.profiles)
            .set_key(Some(table::key(&partition, IDENTIFIER)))
            .update_expression("SET profile = :profile, generation = if_not_exists(generation, :none)")
            .expression_attribute_values(":profile", text(profile_id))
            .expression_attribute_values(":none", number(0));
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    /// Makes an identifier the profile's own, if it is free or already points here; one that names somebody else
    /// stays with them. Whether it is still to be claimed.
    async fn adopt(
        &self,
        identifier: &Identifier,
        items: &HashMap<String, IdentifierItem>,
        profile: &mut Profile,
    ) -> Result<bool> {
        let item = items.get(&identifier.key());
        let owner = match item.and_then(|item| item.profile.as_deref()) {
            Some(owner) if owner == profile.id => Some(profile.id.clone()),
            Some(owner) => self.profile(owner).await?.map(|owner| owner.value.id),
            None => None,
        };
        if owner.as_ref().is_some_and(|owner| *owner != profile.id) {
            return Ok(false);
        }
        match identifier {
            Identifier::ExternalId(value) => set_absent(&mut profile.external_id, value),
            Identifier::Email(value) => profile.email = Some(value.clone()),
            Identifier::Phone(value) => profile.phone_number = Some(value.clone()),
            Identifier::Anonymous(value) => set_absent(&mut profile.anonymous_id, value),
        }
        Ok(owner.is_none())
    }

    /// A profile that does not exist yet. Its id follows from the identifier, so racing creations agree.
    async fn fresh(
        &self,
        identifier: Option<&Identifier>,
        items: &HashMap<String, IdentifierItem>,
        now: Instant,
    ) -> Result<Option<Versioned<Profile>>> {
        let Some(identifier) = identifier else { return Ok(None) };
        let generation = items.get(&identifier.key()).map_or(0, |item| item.generation);
        let id = match items.get(&identifier.key()).and_then(|item| item.profile.clone()) {
            // The identifier was written, its profile was not: a crash between the two.
            Some(id) => id,
            None => profile_id(identifier, generation),
        };
        match self.stored_profile(&id).await? {
            Stored::Nothing => Ok(Some(Versioned { value: Profile::new(id, now), version: 0 })),
            Stored::Erased { version, .. } => Ok(Some(Versioned { value: Profile::new(id, now), version })),
            Stored::Profile(profile) => Ok(Some(profile)),
            Stored::Alias { .. } => self.profile(&id).await,
        }
    }

    /// The profile that the platform's customer is linked to, unless it has another identifier of the same kind:
    /// then the customer's record is shared by several people, or was handed on.
    async fn by_customer(
        &self,
        identifiers: &Identifiers,
        items: &HashMap<String, IdentifierItem>,
    ) -> Result<Option<Versioned<Profile>>> {
        let Some(customer) = customer_key(identifiers) else { return Ok(None) };
        let Named::Profile(profile) = self.named(items, &customer).await? else { return Ok(None) };
        let agrees =
            |own: &Option<String>, given: &Option<String>| given.is_none() || own.is_none() || own == given;
        let agree = agrees(&profile.value.email, &identifiers.email)
            && agrees(&profile.value.phone_number, &identifiers.phone_number)
            && agrees(&profile.value.external_id, &identifiers.external_id);
        Ok(Some(profile).filter(|_| agree))
    }

    /// Whether a freed identifier was that of somebody who was erased after the fact was made.
    async fn was_erased(
        &self,
        items: &HashMap<String, IdentifierItem>,
        as_of: Option<Instant>,
    ) -> Result<bool> {
        let Some(as_of) = as_of else { return Ok(false) };
        for item in items.values().filter(|item| item.profile.is_none()) {
            let Some(mut id) = item.was.clone() else { continue };
            for _ in 0..MAX_ALIASES {
                match self.stored_profile(&id).await? {
                    Stored::Erased { at_ms, .. } if as_of.as_millis() <= at_ms => return Ok(true),
                    Stored::Alias { into, .. } => id = into,
                    _ => break,
                }
            }
        }
        Ok(false)
    }

    /// Whether the platform's customer was erased after the fact was made.
    async fn customer_was_erased(
        &self,
        identifiers: &Identifiers,
        items: &HashMap<String, IdentifierItem>,
        as_of: Option<Instant>,
    ) -> Result<bool> {
        let (Some(customer), Some(as_of)) = (customer_key(identifiers), as_of) else { return Ok(false) };
        let named = self.named(items, &customer).await?;
        Ok(matches!(named, Named::Erased(at_ms) if as_of.as_millis() <= at_ms))
    }

    /// Whom an identifier names, following merges. A merge or an erasure on the way that broke off is finished.
    async fn named(&self, items: &HashMap<String, IdentifierItem>, key: &str) -> Result<Named> {
        self.follow(items, key, true).await
    }

    /// Whom an identifier names, following merges; whether what broke off on the way is finished.
    async fn follow(
        &self,
        items: &HashMap<String, IdentifierItem>,
        key: &str,
        finishes: bool,
    ) -> Result<Named> {
        let Some(mut id) = items.get(key).and_then(|item| item.profile.clone()) else {
            return Ok(Named::Nobody);
        };
        for _ in 0..MAX_ALIASES {
            match self.stored_profile(&id).await? {
                Stored::Profile(profile) => return Ok(Named::Profile(profile)),
                Stored::Nothing => return Ok(Named::Unwritten(id)),
                Stored::Erased { version, at_ms, removing } => {
                    if removing && finishes {
                        self.finish_erasure(&id, at_ms, version).await?;
                    }
                    return Ok(Named::Erased(at_ms));
                }
                Stored::Alias { into, moving } => {
                    if moving && finishes {
                        self.move_events(&id, &into).await?;
                    }
                    id = into;
                }
            }
        }
        Err(Error::corrupt("profile", "a chain of merges has no end"))
    }

    async fn identifier_items(&self, identifiers: &Identifiers) -> Result<HashMap<String, IdentifierItem>> {
        let mut texts: Vec<String> = identifiers.ranked().iter().map(Identifier::key).collect();
        texts.extend(customer_key(identifiers));
        let by_partition: HashMap<String, String> =
            texts.into_iter().map(|text| (keys::identifier(&text), text)).collect();
        let wanted = by_partition.keys().map(|partition| table::key(partition, IDENTIFIER)).collect();
        let mut items = HashMap::new();
        for item in self.batch_get(&self.profiles, wanted).await? {
            let item: IdentifierItem = from_item("identifier", item)?;
            if let Some(text) = by_partition.get(&item.pk) {
                items.insert(text.clone(), item);
            }
        }
        Ok(items)
    }

    async fn write_identifier(
        &self,
        key: &str,
        profile: &str,
        before: Option<&IdentifierItem>,
    ) -> Result<()> {
        let Some(before) = before else {
            return self
                .put(&self.profiles, to_item(&identifier_item(key, profile, 0))?, Some(Unless::Exists))
                .await;
        };
        // Only over exactly what was read; what is remembered of an erasure stays.
        let request = self
            .client
            .update_item()
            .table_name(&self.profiles)
            .set_key(Some(table::key(&before.pk, IDENTIFIER)));
        let request = request
            .update_expression("SET profile = :profile, generation = :generation")
            .expression_attribute_values(":profile", text(profile))
            .expression_attribute_values(":generation", number(before.generation));
        let request = match &before.profile {
            Some(owner) => request
                .condition_expression("profile = :owner")
                .expression_attribute_values(":owner", text(owner)),
            None => {
                request.condition_expression("attribute_not_exists(profile) AND generation = :generation")
            }
        };
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }
}

fn set_absent(slot: &mut Option<String>, value: &str) {
    slot.get_or_insert_with(|| value.to_owned());
}

fn customer_text(connection: &str, customer: &str) -> String {
    format!("customer#{connection}#{customer}")
}

pub(crate) fn customer_key(identifiers: &Identifiers) -> Option<String> {
    identifiers.customer.as_ref().map(|(connection, customer)| customer_text(connection, customer))
}

fn identifier_item(key: &str, profile: &str, generation: u32) -> IdentifierItem {
    IdentifierItem {
        pk: keys::identifier(key),
        sk: IDENTIFIER.to_owned(),
        profile: Some(profile.to_owned()),
        generation,
        erased_ms: None,
        was: None,
    }
}
