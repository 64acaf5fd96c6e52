//! Who is who: identifiers in one notation each, their rank, and when two profiles may become one.

use phonenumber::metadata::{DATABASE, Descriptor};
use phonenumber::{Mode, PhoneNumber};
use serde::{Deserialize, Serialize};

use crate::hash::long_id;
use crate::{Person, Profile};

/// The longest address that mail can be sent to (RFC 5321, erratum 1690).
const MAX_EMAIL_BYTES: usize = 254;
/// Longer ones are not ids but accidents, and would not fit a key.
const MAX_ID_BYTES: usize = 1024;

/// An e-mail address, trimmed and in lower case; tags after a plus sign stay. `None` for what cannot be an
/// address: not one `@`, an empty part, no dot in the domain, spaces or brackets, more than 254 bytes.
pub fn normalize_email(raw: &str) -> Option<String> {
    let email = raw.trim().to_lowercase();
    let (local, domain) = email.split_once('@')?;
    let misplaced = |letter: char| {
        letter.is_whitespace()
            || letter.is_control()
            || matches!(letter, '@' | ',' | ';' | ':' | '<' | '>' | '(' | ')' | '[' | ']' | '"' | '\\')
    };
    let label_is_sound = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-')
    };
    let sound = email.len() <= MAX_EMAIL_BYTES
        && !local.is_empty()
        && !local.contains(misplaced)
        && domain.contains('.')
        && domain.split('.').all(label_is_sound);
    sound.then_some(email)
}

/// A phone number in E.164. `country_hint` (ISO 3166-1 alpha-2) tells how to read a number without a
/// country code. `None` for what is not a number.
///
/// A number with a country code is accepted if that country has numbers of its length: numbering plans grow
/// faster than the list of them in this build. A number without one must be valid by the country's plan.
pub fn normalize_phone(raw: &str, country_hint: Option<&str>) -> Option<String> {
    let raw = raw.trim();
    let country = country_hint.and_then(|country| country.trim().to_uppercase().parse().ok());
    let number = phonenumber::parse(country, raw).ok()?;
    let written = e164(&number);
    let accepted = number.is_valid() || (raw.starts_with('+') && is_possible(&number));
    // Some texts are taken for a number that is none as soon as it is written.
    let again = phonenumber::parse(None, &written).ok()?;
    let remains = e164(&again) == written && (again.is_valid() || is_possible(&again));
    (accepted && remains).then_some(written)
}

fn e164(number: &PhoneNumber) -> String {
    number.format().mode(Mode::E164).to_string()
}

/// Whether the country has numbers of this length, and the number is not one digit repeated. People type
/// that when a form insists, and it would make one person of all of them.
fn is_possible(number: &PhoneNumber) -> bool {
    let national = number.national().to_string();
    let plans = DATABASE.by_code(&number.code().value()).unwrap_or_default();
    let has_length = plans.iter().any(|plan| {
        let kinds = [plan.descriptors().fixed_line(), plan.descriptors().mobile()];
        let mut lengths = kinds.into_iter().flatten().flat_map(Descriptor::possible_length);
        lengths.any(|length| usize::from(*length) == national.len())
    });
    has_length && !national.bytes().all(|digit| national.starts_with(char::from(digit)))
}

/// What identifies a person, normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identifiers {
    /// The account owner's own id.
    pub external_id: Option<String>,
    /// Lower case.
    pub email: Option<String>,
    /// E.164.
    pub phone_number: Option<String>,
    /// A device.
    pub anonymous_id: Option<String>,
    /// (connection, the platform's customer id): a link between facts of one connection. It names a person
    /// only once another identifier has arrived.
    pub customer: Option<(String, String)>,
}

impl Identifiers {
    /// The identifiers of a person, and the names of the fields that were dropped because they cannot be
    /// what they claim to be. Empty texts are absent, not dropped.
    pub fn of(person: &Person, connection: &str) -> (Self, Vec<&'static str>) {
        let mut dropped = Vec::new();
        let mut read = |field, raw: &Option<String>, normalize: &dyn Fn(&str) -> Option<String>| {
            let raw = raw.as_deref().map(str::trim).filter(|raw| !raw.is_empty())?;
            let normalized = normalize(raw);
            if normalized.is_none() {
                dropped.push(field);
            }
            normalized
        };
        let id = |raw: &str| (raw.len() <= MAX_ID_BYTES).then(|| raw.to_owned());
        let phone = |raw: &str| normalize_phone(raw, person.phone_country.as_deref());
        let identifiers = Self {
            external_id: read("external_id", &person.external_id, &id),
            email: read("email", &person.email, &normalize_email),
            phone_number: read("phone_number", &person.phone, &phone),
            anonymous_id: read("anonymous_id", &person.anonymous_id, &id),
            customer: read("customer_id", &person.customer_id, &id)
                .map(|customer| (connection.to_owned(), customer)),
        };
        (identifiers, dropped)
    }

    /// All that names a profile, the strongest first.
    pub fn ranked(&self) -> Vec<Identifier> {
        [
            self.external_id.clone().map(Identifier::ExternalId),
            self.email.clone().map(Identifier::Email),
            self.phone_number.clone().map(Identifier::Phone),
            self.anonymous_id.clone().map(Identifier::Anonymous),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// One identifier of a profile. The order of the variants is their rank, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identifier {
    /// The account owner's own id.
    ExternalId(String),
    /// Normalised address.
    Email(String),
    /// E.164.
    Phone(String),
    /// A device.
    Anonymous(String),
}

impl Identifier {
    /// A text that is different for different identifiers, such as `email#a@example.com`.
    pub fn key(&self) -> String {
        let (kind, value) = match self {
            Self::ExternalId(value) => ("external_id", value),
            Self::Email(value) => ("email", value),
            Self::Phone(value) => ("phone", value),
            Self::Anonymous(value) => ("anonymous", value),
        };
        format!("{kind}#{value}")
    }

    /// Where a profile shows its identifier of this kind, and the value of this one.
    fn shown<'a>(&'a self, profile: &'a mut Profile) -> (&'a mut Option<String>, &'a String) {
        match self {
            Self::ExternalId(value) => (&mut profile.external_id, value),
            Self::Email(value) => (&mut profile.email, value),
            Self::Phone(value) => (&mut profile.phone_number, value),
            Self::Anonymous(value) => (&mut profile.anonymous_id, value),
        }
    }

    /// 0 is the strongest.
    fn rank(&self) -> usize {
        match self {
            Self::ExternalId(_) => 0,
            Self::Email(_) => 1,
            Self::Phone(_) => 2,
            Self::Anonymous(_) => 3,
        }
    }
}

/// Changes to the identifiers by which a profile is found. A profile shows one of each kind; it is found by others too,
/// such as those of a profile that merged into it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdentifierPatch {
    /// By which it shall be found, and which it shall show where it shows none of the kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub append: Vec<Identifier>,
    /// By which it shall not be found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unappend: Vec<Identifier>,
}

impl IdentifierPatch {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.append.is_empty() && self.unappend.is_empty()
    }

    /// Changes what a profile shows.
    pub fn apply(&self, profile: &mut Profile) {
        for identifier in &self.unappend {
            let (shown, value) = identifier.shown(profile);
            if shown.as_ref() == Some(value) {
                *shown = None;
            }
        }
        for identifier in &self.append {
            let (shown, value) = identifier.shown(profile);
            shown.get_or_insert_with(|| value.clone());
        }
    }
}

/// The id of the profile that a first identifier makes: the same on every machine, so that two creations
/// that race agree. `generation` grows when a profile was deleted and its identifier comes back.
pub fn profile_id(identifier: &Identifier, generation: u32) -> String {
    long_id(&["profile", &identifier.key(), &generation.to_string()])
}

/// Whether `lower`, which was found by `found_by`, may merge into `higher`, which was found by a stronger
/// identifier of the same person.
///
/// Not if both have identifiers that outrank `found_by` and differ: a phone number or a device that two
/// e-mail addresses share is shared by two people.
pub fn may_merge_found_by(found_by: &Identifier, lower: &Profile, higher: &Profile) -> bool {
    agree_above(found_by.rank(), lower, higher)
}

/// Whether `profile`, which was found by `found_by`, can be the person with these identifiers.
///
/// Not if the two contradict each other in an identifier that outranks `found_by`: who comes with another e-mail
/// address and a known phone number shares the phone.
pub fn may_be_found_by(found_by: &Identifier, profile: &Profile, identifiers: &Identifiers) -> bool {
    let given =
        [&identifiers.external_id, &identifiers.email, &identifiers.phone_number, &identifiers.anonymous_id];
    let pairs = names(profile).into_iter().zip(given.map(Option::as_deref));
    pairs.take(found_by.rank()).all(|(own, given)| own.is_none() || given.is_none() || own == given)
}

/// [`may_merge_found_by`] where it is not known how `lower` was found: by its weakest identifier, which
/// never merges more.
pub fn may_merge(lower: &Profile, higher: &Profile) -> bool {
    let weakest = names(lower).iter().rposition(Option::is_some).unwrap_or_default();
    agree_above(weakest, lower, higher)
}

fn names(profile: &Profile) -> [Option<&str>; 4] {
    [&profile.external_id, &profile.email, &profile.phone_number, &profile.anonymous_id].map(Option::as_deref)
}

/// Whether the identifiers that outrank `rank` contradict each other nowhere.
fn agree_above(rank: usize, lower: &Profile, higher: &Profile) -> bool {
    lower.id != higher.id
        && names(lower).iter().zip(names(higher)).take(rank).all(|pair| match pair {
            (Some(own), Some(other)) => *own == other,
            _ => true,
        })
}
