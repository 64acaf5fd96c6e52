//! How far whoever names a person is believed.

use canonical::Profile;
use canonical::identity::Identifier;

/// How far whoever names a person is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// One of the account's own systems, or a platform: what it says together belongs together.
    Full,
    /// Anybody: a browser knows an address, but not whose it is.
    Public,
}

impl Trust {
    /// Whether a profile may become a part of the one that a stronger identifier names.
    pub(crate) fn may_merge(self, other: &Profile) -> bool {
        let is_named = other.external_id.is_some() || other.email.is_some() || other.phone_number.is_some();
        self == Self::Full || !is_named
    }

    /// Whether an identifier may become the profile's. A person has several devices, and one of everything else.
    pub(crate) fn may_adopt(self, identifier: &Identifier, profile: &Profile) -> bool {
        let (own, given) = match identifier {
            Identifier::ExternalId(given) => (&profile.external_id, given),
            Identifier::Email(given) => (&profile.email, given),
            Identifier::Phone(given) => (&profile.phone_number, given),
            Identifier::Anonymous(_) => return true,
        };
        self == Self::Full || own.as_ref().is_none_or(|own| own == given)
    }
}
