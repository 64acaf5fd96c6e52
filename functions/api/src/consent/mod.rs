//! Consent: who is subscribed and unsubscribed, at once unless it has to be confirmed.

mod confirm;
mod operations;
mod read;
mod shown;
mod suppress;
mod told;
mod visitor;
mod wanted;

use std::collections::HashMap;

use canonical::fact::{Channel, ConsentChange, ConsentStatus};
use canonical::identity::{Identifier, Identifiers};
use canonical::{ApiEvent, Instant, Metric, Person, Profile, hash};
use futures::{StreamExt, stream};
use http::StatusCode;
use store::{Error, Joined, ListRecord, OptIn, Resolved};

use crate::Api;
use crate::body::{self, Node};
use crate::document::Answer;
use crate::error::{ApiError, ApiResult};
use crate::ports::Queue;
use crate::request::Asked;

pub(crate) use confirm::is_meant;
pub(crate) use operations::OPERATIONS;
pub(crate) use read::Subscriber;
pub(crate) use shown::subscriptions;
pub(crate) use wanted::FILTERS as SUPPRESSION_FILTERS;
pub(crate) use wanted::{SUPPRESSED_AT, UNLISTED_AT, WantedSuppressions, newest_ms};

use read::{is_by_email, is_by_phone};
use told::{decided_events, list_event};

/// Klaviyo's word for a decision that came through the API.
pub(crate) const METHOD: &str = "api";
/// Profiles that are written at the same time.
const CONCURRENCY: usize = 16;
/// A request that comes again within this time is one that was sent twice.
const AGAIN_MS: i64 = 10 * 60_000;

/// On what terms somebody is subscribed.
pub(crate) struct Terms {
    /// The list that is joined.
    pub(crate) list: Option<ListRecord>,
    /// What whoever asks calls it.
    pub(crate) custom_source: Option<String>,
    /// Klaviyo's word for how: [`METHOD`], or another one.
    pub(crate) method: &'static str,
    /// They have decided before, and nothing is to follow from it now.
    pub(crate) is_historical: bool,
    /// Anybody may ask, such as a browser: no identifier that a profile has is changed by it.
    pub(crate) is_public: bool,
}

impl Subscriber {
    /// Whether what is decided on a channel is decided on an address of this profile. Another profile may keep what was
    /// given.
    fn fits(&self, profile: &Profile, channel: Channel) -> bool {
        let is_same = |given: &Option<String>, own: &Option<String>| given.is_none() || given == own;
        (!is_by_email(channel) || is_same(&self.identifiers.email, &profile.email))
            && (!is_by_phone(channel) || is_same(&self.identifiers.phone_number, &profile.phone_number))
    }

    /// The same with the channels that do not fit.
    fn without_what_fits(&self, profile: &Profile) -> Self {
        let left = self.channels.iter().filter(|(channel, _)| !self.fits(profile, *channel));
        Self { channels: left.copied().collect(), ..self.clone() }
    }

    /// One for each address, with the channels that go to it.
    fn apart(self) -> impl Iterator<Item = Self> {
        let Identifiers { email, phone_number, anonymous_id, .. } = self.identifiers;
        let alone = [
            Identifiers { email, ..Identifiers::default() },
            Identifiers { phone_number, ..Identifiers::default() },
            Identifiers { anonymous_id, ..Identifiers::default() },
        ];
        let mut left = self.channels;
        let parts: Vec<Self> = alone
            .into_iter()
            .filter(|identifiers| !identifiers.ranked().is_empty())
            .map(|identifiers| {
                let fits = |channel: Channel| {
                    !(is_by_email(channel) && identifiers.email.is_none()
                        || is_by_phone(channel) && identifiers.phone_number.is_none())
                };
                let (channels, others) = left.drain(..).partition(|(channel, _)| fits(*channel));
                left = others;
                Self { pointer: self.pointer.clone(), id: None, identifiers, channels }
            })
            .collect();
        parts.into_iter().filter(|part| !part.channels.is_empty())
    }
}

impl Api {
    /// `POST /api/profile-subscription-bulk-create-jobs`: 202 once it is done.
    pub(crate) async fn subscribe_profiles(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let request = read::subscribing(&body, self.now())?;
        let terms = Terms {
            list: self.list_at(request.list.as_ref()).await?,
            custom_source: request.custom_source,
            method: METHOD,
            is_historical: request.is_historical,
            is_public: false,
        };
        self.subscribe(asked, request.people, &terms).await?;
        Ok(Answer::empty(StatusCode::ACCEPTED))
    }

    /// `POST /api/profile-subscription-bulk-delete-jobs`: 202 once it is done.
    pub(crate) async fn unsubscribe_profiles(&self, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let request = read::unsubscribing(&body)?;
        let list = self.list_at(request.list.as_ref()).await?;
        self.check_named(&request.people).await?;
        let now = self.now();
        let list = list.as_ref();
        // Two addresses are not made one person's by somebody who goes.
        let people = request.people.into_iter().flat_map(|person| match person.id {
            Some(_) => vec![person],
            None => person.apart().collect(),
        });
        let people: Vec<Subscriber> = people.collect();
        let work: Vec<_> = people.iter().map(|person| self.unsubscribe_one(person, list, now)).collect();
        self.tell_all(work).await?;
        Ok(Answer::empty(StatusCode::ACCEPTED))
    }

    /// Subscribes people, or asks them to confirm it if that is the process of the list or, without one, of the account.
    pub(crate) async fn subscribe(
        &self,
        asked: &Asked,
        people: Vec<Subscriber>,
        terms: &Terms,
    ) -> ApiResult<()> {
        self.check_named(&people).await?;
        let process = terms.list.as_ref().map_or(self.opt_in, |list| list.opt_in_process);
        let confirms = process == OptIn::DoubleOptIn && !terms.is_historical;
        let now = self.now();
        let work: Vec<_> =
            people.iter().map(|person| self.subscribe_one(asked, person, terms, confirms, now)).collect();
        self.tell_all(work).await?;
        if let Some(list) = &terms.list
            && self.store.list(&list.id).await?.is_none()
        {
            // Deleted meanwhile: who has joined after it was emptied must not stay behind.
            self.store.empty_list(&list.id, people.len(), now).await?;
            return Err(ApiError::not_found("list", &list.id));
        }
        Ok(())
    }

    /// Subscribes somebody. Two addresses that turn out to be two people's are subscribed each on its own.
    async fn subscribe_one(
        &self,
        asked: &Asked,
        person: &Subscriber,
        terms: &Terms,
        confirms: bool,
        now: Instant,
    ) -> ApiResult<Vec<ApiEvent>> {
        let (profile, mut events) = self.subscribe_together(asked, person, terms, confirms, now).await?;
        for part in person.without_what_fits(&profile).apart() {
            events.extend(self.subscribe_together(asked, &part, terms, confirms, now).await?.1);
        }
        Ok(events)
    }

    /// Subscribes somebody to what goes to the addresses of the profile that all of them name.
    async fn subscribe_together(
        &self,
        asked: &Asked,
        person: &Subscriber,
        terms: &Terms,
        confirms: bool,
        now: Instant,
    ) -> ApiResult<(Profile, Vec<ApiEvent>)> {
        // A device has asked its owner itself.
        let (decided, to_confirm): (Vec<_>, Vec<_>) =
            person.channels.iter().partition(|(channel, _)| !confirms || *channel == Channel::Push);
        let changes: Vec<ConsentChange> = decided
            .iter()
            .map(|(channel, at)| {
                decision(*channel, ConsentStatus::Subscribed, at.unwrap_or(now), terms.method)
            })
            .collect();
        let list = terms.list.as_ref().filter(|_| !confirms);
        let mut joined = Joined::Nobody;
        let change = |profile: &mut Profile| {
            let before = profile.clone();
            let mut agreed_at = None;
            for change in &changes {
                if !person.fits(profile, change.channel) {
                    continue;
                }
                decide(profile, change, terms.custom_source.as_deref(), now);
                if is_subscribed(profile, change.channel) {
                    agreed_at = agreed_at.max(Some(change.at));
                }
            }
            joined = match (list, agreed_at) {
                (Some(list), Some(at)) => join(profile, &list.id, at, now),
                _ => Joined::Nobody,
            };
            *profile != before
        };
        let profile = self.change_person(person, terms.is_public, now, change).await?;
        if joined == Joined::Full {
            let detail = "The profile is on as many lists as there may be.";
            return Err(ApiError::invalid(&person.pointer, detail));
        }
        let fitting = changes.into_iter().filter(|change| person.fits(&profile, change.channel));
        let mut events = decided_events(&profile, fitting, terms.is_historical);
        if let Some(list) = list.filter(|_| joined == Joined::Added) {
            events.push(list_event(Metric::SubscribedToList, &profile, list, now, terms.is_historical));
        }
        let open = to_confirm.iter().map(|(channel, _)| *channel);
        let open: Vec<Channel> = open.filter(|channel| person.fits(&profile, *channel)).collect();
        events.extend(self.ask_to_confirm(asked, &profile, &open, terms, now).await?);
        Ok((profile, events))
    }

    /// Who is on the list leaves it and gets no more e-mail of it; who is not on it, and everybody without a list, is
    /// unsubscribed altogether. What is not e-mail is no list's: it always ends altogether.
    async fn unsubscribe_one(
        &self,
        person: &Subscriber,
        list: Option<&ListRecord>,
        now: Instant,
    ) -> ApiResult<Vec<ApiEvent>> {
        let mut changes = Vec::new();
        let mut has_left = false;
        let change = |profile: &mut Profile| {
            let before = profile.clone();
            changes.clear();
            has_left = list.is_some_and(|list| profile.lists.remove(&list.id).is_some());
            for (channel, _) in &person.channels {
                if let Some(list) = list
                    && *channel == Channel::Email
                    && ((has_left && profile.suppress_list(&list.id, now))
                        || has_just_left(profile, &list.id, now))
                {
                    continue;
                }
                // A "no" holds, even if a clock that is ahead has said "yes" in the future.
                let last = profile.consent.get(channel).and_then(|consent| consent.at);
                let at = last.map_or(now, |last| last.max(now));
                let change = decision(*channel, ConsentStatus::Unsubscribed, at, METHOD);
                decide(profile, &change, None, now);
                changes.push(change);
            }
            *profile != before
        };
        let profile = self.change_person(person, false, now, change).await?;
        let mut events = decided_events(&profile, changes.into_iter(), false);
        if let Some(list) = list.filter(|_| has_left) {
            events.push(list_event(Metric::UnsubscribedFromList, &profile, list, now, false));
        }
        Ok(events)
    }

    /// Finds or makes the profile of somebody, and lets `change` alter it.
    async fn change_person(
        &self,
        person: &Subscriber,
        is_public: bool,
        now: Instant,
        mut change: impl FnMut(&mut Profile) -> bool,
    ) -> ApiResult<Profile> {
        let Some(id) = &person.id else {
            let resolved = if is_public {
                self.store.update_visitor(&person.identifiers, None, now, change).await?
            } else {
                self.store.update_person(&person.identifiers, None, now, change).await?
            };
            return match resolved {
                Resolved::Profile { profile, .. } => Ok(profile),
                Resolved::Nobody | Resolved::Erased => Err(ApiError::unavailable("the profile was not made")),
            };
        };
        let gone = || ApiError::invalid(&person.pointer, format!("A profile with id {id} does not exist."));
        let found = self.store.profile(id).await?.ok_or_else(gone)?.value;
        let Identifiers { email, phone_number, .. } = &person.identifiers;
        let email = email.clone().filter(|_| found.email.is_none());
        let phone_number = phone_number.clone().filter(|_| found.phone_number.is_none());
        let new = [email.clone().map(Identifier::Email), phone_number.clone().map(Identifier::Phone)];
        for identifier in new.into_iter().flatten() {
            match self.store.claim_identifier(&identifier, &found.id).await {
                Err(Error::Taken(owner)) => return Err(ApiError::duplicate_profile(&owner)),
                outcome => outcome?,
            }
        }
        let name_and_change = |profile: &mut Profile| {
            let mut named = false;
            for (slot, new) in [(&mut profile.email, &email), (&mut profile.phone_number, &phone_number)] {
                if slot.is_none() && new.is_some() {
                    slot.clone_from(new);
                    named = true;
                }
            }
            change(profile) | named
        };
        self.store.update_profile(&found.id, now, name_and_change).await?.ok_or_else(gone)
    }

    /// Refuses, before anything is changed, ids that are nobody's and addresses that are not those of the profiles named.
    async fn check_named(&self, people: &[Subscriber]) -> ApiResult<()> {
        let named: Vec<(&str, &Subscriber)> =
            people.iter().filter_map(|person| Some((person.id.as_deref()?, person))).collect();
        let mut found: HashMap<String, Profile> =
            self.store.profiles_by_id(named.iter().map(|(id, _)| *id)).await?;
        for (id, person) in named {
            let profile = match found.remove(id) {
                Some(profile) => Some(profile),
                None => self.store.profile(id).await?.map(|found| found.value),
            };
            let invalid = |detail: String| Err(ApiError::invalid(&person.pointer, detail));
            let Some(profile) = profile else {
                return invalid(format!("A profile with id {id} does not exist."));
            };
            let Identifiers { email, phone_number, .. } = &person.identifiers;
            for (name, own, given, is_by) in [
                ("email", &profile.email, email, is_by_email as fn(Channel) -> bool),
                ("phone_number", &profile.phone_number, phone_number, is_by_phone),
            ] {
                if own.is_some() && given.is_some() && own != given {
                    return invalid(format!("The profile with id {id} has another '{name}'."));
                }
                if own.is_none()
                    && given.is_none()
                    && person.channels.iter().any(|(channel, _)| is_by(*channel))
                {
                    return invalid(format!("The profile with id {id} has no '{name}'."));
                }
            }
        }
        Ok(())
    }

    /// The list that a body names.
    pub(crate) async fn list_at(&self, named: Option<&Node<'_>>) -> ApiResult<Option<ListRecord>> {
        let Some(node) = named else { return Ok(None) };
        let id = node.text()?;
        let unknown = || ApiError { source: node.invalid("").source, ..ApiError::not_found("list", id) };
        Ok(Some(self.store.list(id).await?.ok_or_else(unknown)?))
    }

    /// Does it for everybody and tells what happened, also if it failed for some.
    async fn tell_all(&self, work: Vec<impl Future<Output = ApiResult<Vec<ApiEvent>>>>) -> ApiResult<()> {
        let outcomes: Vec<ApiResult<Vec<ApiEvent>>> =
            stream::iter(work).buffered(CONCURRENCY).collect().await;
        let mut failed = None;
        let mut events = Vec::new();
        for outcome in outcomes {
            match outcome {
                Ok(told) => events.extend(told),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        self.tell(&events).await?;
        failed.map_or(Ok(()), Err)
    }

    async fn tell(&self, events: &[ApiEvent]) -> ApiResult<()> {
        if events.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let messages: ApiResult<Vec<String>> =
            events.iter().map(|event| self.event_message(event, now)).collect();
        self.outbox.send_all(Queue::RawDeliveries, messages?).await.map_err(ApiError::unavailable)
    }
}

fn decision(channel: Channel, status: ConsentStatus, at: Instant, method: &str) -> ConsentChange {
    let method = method.to_owned();
    ConsentChange { person: Person::default(), channel, status, at, method, double_opt_in: false }
}

/// Applies a decision; whether it changed anything.
fn decide(profile: &mut Profile, change: &ConsentChange, source: Option<&str>, now: Instant) -> bool {
    let changed = profile.apply_consent(change).is_some();
    if changed && let Some(consent) = profile.consent.get_mut(&change.channel) {
        consent.source = source.map(str::to_owned);
        consent.recorded_at = Some(now);
    }
    changed
}

fn is_subscribed(profile: &Profile, channel: Channel) -> bool {
    profile.consent.get(&channel).is_some_and(|consent| consent.status == ConsentStatus::Subscribed)
}

/// Puts somebody who has subscribed on the list, unless they have left it since.
fn join(profile: &mut Profile, list: &str, subscribed_at: Instant, now: Instant) -> Joined {
    let suppressions = profile.consent.get(&Channel::Email).map(|consent| &consent.list_suppressions);
    if suppressions.and_then(|lists| lists.get(list)).is_some_and(|left| left.at > subscribed_at) {
        return Joined::Nobody;
    }
    let joined = Joined::of(profile, list, now);
    if joined != Joined::Full {
        profile.unsuppress_list(list);
    }
    joined
}

/// Whether somebody has left the list by the same request, which is sent again because its answer was lost: it must not
/// mean more the second time.
fn has_just_left(profile: &Profile, list: &str, now: Instant) -> bool {
    let consent = profile.consent.get(&Channel::Email);
    let left = consent.and_then(|consent| consent.list_suppressions.get(list));
    left.is_some_and(|left| now.as_millis() - left.at.as_millis() <= AGAIN_MS)
}

/// What an address is remembered by where it must not be read.
fn address_digest(address: &str) -> String {
    hash::long_id(&["address", address])
}
