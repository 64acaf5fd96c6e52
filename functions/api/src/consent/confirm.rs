//! Double opt-in: a link that only whoever has the address can open, and a page on which they confirm.
//!
//! Nothing here sends anything. That somebody must confirm is told as an event, which has the link; whoever sends
//! messages takes it from there. Opening the link changes nothing, because programs that look at mail open links, too.

use axum::body::Body;
use canonical::fact::{Channel, ConsentStatus};
use canonical::{ApiEvent, Instant, Metric, Profile, hash};
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::SignedDuration;
use oauth::digest;
use runtime::metrics::count;
use serde_json::{Map, Value};
use store::Confirmation;

use crate::Api;
use crate::browser::{page, page_with_button};
use crate::document::time;
use crate::error::{ApiError, ApiResult};
use crate::request::Asked;

use super::read::{is_by_email, is_by_phone};
use super::told::{decided_events, list_event, list_properties};
use super::{Terms, address_digest, decide, decision, is_subscribed, join};

/// The metric of the events that ask for a confirmation.
const METRIC: &str = "Requested Subscription Confirmation";
/// How long a link confirms.
const VALID_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// In each quarter of an hour somebody is asked once for the same: whoever sends messages must not be made to send many.
const ASKED_ONCE_IN_MS: i64 = 15 * 60_000;

/// Whether a path is that of a link.
pub(crate) fn is_meant(path: &str) -> bool {
    path.split('/').find(|part| !part.is_empty()) == Some("confirm")
}

impl Api {
    /// The events that ask somebody to confirm what they have not decided on before: one for each address.
    pub(super) async fn ask_to_confirm(
        &self,
        asked: &Asked,
        profile: &Profile,
        channels: &[Channel],
        terms: &Terms,
        now: Instant,
    ) -> ApiResult<Vec<ApiEvent>> {
        let list = terms.list.as_ref();
        let is_listed = list.is_none_or(|list| profile.lists.contains_key(&list.id));
        let is_open = |channel: &Channel| !(is_listed && is_subscribed(profile, *channel));
        let mut events = Vec::new();
        for (address, is_by) in
            [(&profile.email, is_by_email as fn(Channel) -> bool), (&profile.phone_number, is_by_phone)]
        {
            let Some(address) = address else { continue };
            let channels: Vec<Channel> =
                channels.iter().copied().filter(|channel| is_by(*channel) && is_open(channel)).collect();
            if channels.is_empty() {
                continue;
            }
            let confirmation = Confirmation {
                profile_id: profile.id.clone(),
                address: address_digest(address),
                channels,
                list: list.map(|list| list.id.clone()),
                method: terms.method.to_owned(),
                source: terms.custom_source.clone(),
                requested_at: now,
                expires_at: now.timestamp().checked_add(VALID_FOR).map_err(ApiError::unavailable)?.into(),
                confirmed_at: None,
            };
            let token = format!("{:032x}{:032x}", (self.random)(), (self.random)());
            self.store.create_confirmation(&digest(&token), &confirmation).await?;
            let link = format!("{}/confirm/{token}", asked.base);
            events.push(request_event(&confirmation, link, terms, now));
        }
        Ok(events)
    }

    /// Everything below `/confirm`.
    pub(crate) async fn confirm_in_browser(&self, request: &Request<()>) -> Response<Body> {
        let asked = Asked::of(request, self.public_url.as_deref());
        let [_, token] = asked.path.as_slice() else {
            return page(StatusCode::NOT_FOUND, "Not found", "There is nothing at this address.");
        };
        let outcome = match *request.method() {
            Method::GET => self.show_confirmation(token).await,
            Method::POST => self.confirm_subscription(token).await,
            _ => {
                let text = "This address is opened by a browser.";
                let mut response = page(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", text);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
                return response;
            }
        };
        let (name, response) = match outcome {
            Ok(Some(response)) => ("passed", response),
            Ok(None) => {
                let text = "This link is not known, or is too old. Subscribe again to get a new one.";
                ("unknown_link", page(StatusCode::NOT_FOUND, "Link not valid", text))
            }
            Err(error) => {
                let text = "This did not work just now. Try again in a moment.";
                ("unavailable", page(error.status, "Try again", text))
            }
        };
        count("confirmations", request.method().as_str(), name, 1);
        response
    }

    /// `GET /confirm/{token}`: changes nothing.
    async fn show_confirmation(&self, token: &str) -> ApiResult<Option<Response<Body>>> {
        let found = self.store.confirmation(&digest(token)).await?;
        let Some(confirmation) = found.filter(|found| found.expires_at > self.now()) else { return Ok(None) };
        let list = match &confirmation.list {
            Some(id) => self.store.list(id).await?,
            None => None,
        };
        let text = match list {
            Some(list) => format!("Do you want to subscribe to \u{201c}{}\u{201d}?", list.name),
            None => "Do you want to subscribe?".to_owned(),
        };
        Ok(Some(page_with_button("Confirm your subscription", &text, "Confirm")))
    }

    /// `POST /confirm/{token}`. Counts once, as of the first time; what somebody has decided since stays.
    async fn confirm_subscription(&self, token: &str) -> ApiResult<Option<Response<Body>>> {
        let (now, digest) = (self.now(), digest(token));
        let found = self.store.confirmation(&digest).await?;
        if found.is_none_or(|found| found.expires_at <= now) {
            return Ok(None);
        }
        let Some(confirmation) = self.store.confirm(&digest, now).await? else { return Ok(None) };
        let at = confirmation.confirmed_at.unwrap_or(now);
        let list = match &confirmation.list {
            Some(id) => self.store.list(id).await?,
            None => None,
        };
        let changes = confirmation.channels.iter().map(|channel| {
            let change = decision(*channel, ConsentStatus::Subscribed, at, &confirmation.method);
            canonical::fact::ConsentChange { double_opt_in: true, ..change }
        });
        let mut has_address = false;
        let change = |profile: &mut Profile| {
            let addresses = [&profile.email, &profile.phone_number];
            has_address = addresses
                .into_iter()
                .flatten()
                .any(|address| address_digest(address) == confirmation.address);
            if !has_address {
                return false;
            }
            let source = confirmation.source.as_deref();
            let mut has_changed = false;
            for change in changes.clone() {
                has_changed |= decide(profile, &change, source, now);
            }
            // With the consent or not at all: who has left the list since does not come back by the same link.
            if let Some(list) = list.as_ref().filter(|_| has_changed) {
                join(profile, &list.id, at, at);
            }
            has_changed
        };
        let profile = self.store.update_profile(&confirmation.profile_id, now, change).await?;
        let Some(profile) = profile.filter(|_| has_address) else { return Ok(None) };
        let mut events = decided_events(&profile, changes, false);
        if let Some(list) = list.filter(|list| profile.lists.get(&list.id) == Some(&at)) {
            events.push(list_event(Metric::SubscribedToList, &profile, &list, at, false));
            if self.store.list(&list.id).await?.is_none() {
                self.store.leave_list(&profile.id, &list.id, now).await?;
            }
        }
        self.tell(&events).await?;
        let text = "Your subscription is confirmed. You can close this page.";
        Ok(Some(page(StatusCode::OK, "Subscribed", text)))
    }
}

fn request_event(confirmation: &Confirmation, link: String, terms: &Terms, now: Instant) -> ApiEvent {
    let words: Vec<String> = confirmation.channels.iter().map(|channel| word(*channel)).collect();
    let window = now.as_millis().div_euclid(ASKED_ONCE_IN_MS).to_string();
    let list = confirmation.list.as_deref().unwrap_or_default();
    let mut parts = vec!["confirmation", &confirmation.profile_id, &confirmation.address, list, &window];
    parts.extend(words.iter().map(String::as_str));
    let unique_id = hash::long_id(&parts);
    let mut properties = terms.list.as_ref().map(list_properties).unwrap_or_default();
    let mut set = |name: &str, value: Value| properties.insert(name.to_owned(), value);
    set("Confirmation URL", link.into());
    set("Expires", time(confirmation.expires_at));
    if let Some(source) = &confirmation.source {
        set("Custom Source", source.as_str().into());
    }
    set("Channels", words.into());
    ApiEvent {
        profile_id: Some(confirmation.profile_id.clone()),
        metric: METRIC.to_owned(),
        unique_id: Some(unique_id),
        time: Some(now),
        properties: Map::from_iter(properties),
        ..ApiEvent::default()
    }
}

/// A channel's name, as profiles have it.
fn word(channel: Channel) -> String {
    match serde_json::to_value(channel) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}
