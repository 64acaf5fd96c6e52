//! Who was erased, for what is kept beside the tables: it names people by the keys that the tables have for them.

use std::collections::{BTreeSet, HashMap};

use canonical::Profile;
use canonical::identity::{Identifier, Identifiers};

use crate::identity::{IDENTIFIER, IdentifierItem, customer_key};
use crate::profiles::{MAX_ALIASES, Stored};
use crate::table::{self, from_item};
use crate::{Result, Store, keys};

/// The keys of identifiers, the platform's customer among them. They are digests.
pub fn names_of(identifiers: &Identifiers) -> impl Iterator<Item = String> {
    let ranked = identifiers.ranked();
    let texts = ranked.iter().map(Identifier::key).chain(customer_key(identifiers));
    texts.map(|text| keys::identifier(&text)).collect::<Vec<_>>().into_iter()
}

/// The keys of somebody who is there.
pub fn names_of_profile(profile: &Profile) -> impl Iterator<Item = String> {
    let identifiers = profile.identifiers().into_iter().map(|identifier| name_of(&identifier));
    std::iter::once(name_of_profile(&profile.id)).chain(identifiers)
}

/// The key of an identifier: a digest.
pub fn name_of(identifier: &Identifier) -> String {
    keys::identifier(&identifier.key())
}

/// The key of a profile.
pub fn name_of_profile(id: &str) -> String {
    keys::profile(id)
}

impl Store {
    /// When those were erased whom these keys name or have named, in milliseconds; who was not is left out.
    pub async fn erased(&self, names: &BTreeSet<String>) -> Result<HashMap<String, i64>> {
        let mut erased: HashMap<String, i64> = HashMap::new();
        let mut owners: Vec<(String, String)> = Vec::new();
        let (profiles, identifiers): (Vec<_>, Vec<_>) =
            names.iter().partition(|name| keys::profile_of_key(name).is_some());
        for name in profiles {
            owners.extend(keys::profile_of_key(name).map(|id| (name.clone(), id.to_owned())));
        }
        let wanted = identifiers.into_iter().map(|name| table::key(name, IDENTIFIER)).collect();
        for item in self.batch_get(&self.profiles, wanted).await? {
            let item: IdentifierItem = from_item("identifier", item)?;
            if let Some(at_ms) = item.erased_ms {
                erased.insert(item.pk.clone(), at_ms);
            }
            owners.extend(item.profile.into_iter().chain(item.was).map(|owner| (item.pk.clone(), owner)));
        }
        for _ in 0..MAX_ALIASES {
            let ids: BTreeSet<&str> = owners.iter().map(|(_, id)| id.as_str()).collect();
            if ids.is_empty() {
                break;
            }
            let stored = self.stored_profiles(ids).await?;
            let mut further = Vec::new();
            for (name, id) in owners {
                match stored.get(&id) {
                    Some(Stored::Erased { at_ms, .. }) => {
                        let latest = erased.entry(name).or_insert(*at_ms);
                        *latest = (*latest).max(*at_ms);
                    }
                    Some(Stored::Alias { into, .. }) => further.push((name, into.clone())),
                    Some(Stored::Profile(_) | Stored::Nothing) | None => {}
                }
            }
            owners = further;
        }
        Ok(erased)
    }
}
