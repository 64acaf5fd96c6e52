//! Bodies about consent, in the shapes that Klaviyo's revisions have had since 2022: told apart by what is there, never by
//! the header.

use std::collections::HashSet;

use canonical::fact::Channel;
use canonical::identity::Identifiers;
use canonical::{Instant, Person};
use jiff::civil::Date;
use serde_json::{Map, Value};

use crate::body::{self, Fields, Node};
use crate::error::{ApiError, ApiResult};
use crate::request::read_instant;

/// The most profiles that one request subscribes (Klaviyo's limit).
const MAX_SUBSCRIBED: usize = 1000;
/// The most profiles that one request unsubscribes, suppresses or unsuppresses (Klaviyo's limit).
const MAX_OTHERS: usize = 100;
const MAX_SOURCE: usize = 255;
const MAX_ID: usize = 1024;
/// The most push tokens of one profile.
const MAX_TOKENS: usize = 100;

/// What can be decided on: a word for the channel, a word for what it is for.
const CHANNELS: [(&str, &str, Channel); 8] = [
    ("email", "marketing", Channel::Email),
    ("email", "open_tracking", Channel::OpenTracking),
    ("sms", "marketing", Channel::Sms),
    ("sms", "transactional", Channel::SmsTransactional),
    ("whatsapp", "marketing", Channel::WhatsappMarketing),
    ("whatsapp", "transactional", Channel::WhatsappTransactional),
    ("whatsapp", "conversational", Channel::WhatsappConversational),
    ("push", "marketing", Channel::Push),
];

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// Yes; since `consented_at`, which must not be after this instant, if it is a historical import.
    Subscribed { imported_by: Option<Instant> },
    /// No.
    Unsubscribed,
}

/// Somebody and what they decide on.
#[derive(Clone, Debug)]
pub(crate) struct Subscriber {
    /// Where it is in the body.
    pub(crate) pointer: String,
    /// The profile's id, if it is named by it.
    pub(crate) id: Option<String>,
    /// Addresses, normalised.
    pub(crate) identifiers: Identifiers,
    /// On what, and since when if it is imported.
    pub(crate) channels: Vec<(Channel, Option<Instant>)>,
}

/// What a request to subscribe or unsubscribe says.
pub(crate) struct Decisions<'a> {
    pub(crate) people: Vec<Subscriber>,
    /// The list's id, and where it is.
    pub(crate) list: Option<Node<'a>>,
    pub(crate) custom_source: Option<String>,
    pub(crate) is_historical: bool,
}

/// Whom a request to suppress or unsuppress names.
pub(crate) enum Suppressed<'a> {
    /// Normalised, each once.
    Emails(Vec<String>),
    List(Node<'a>),
    Segment(Node<'a>),
}

/// Whether a channel's address is a phone number.
pub(crate) fn is_by_phone(channel: Channel) -> bool {
    match channel {
        Channel::Email | Channel::OpenTracking | Channel::Push => false,
        Channel::Sms
        | Channel::SmsTransactional
        | Channel::WhatsappMarketing
        | Channel::WhatsappTransactional
        | Channel::WhatsappConversational => true,
    }
}

/// Whether a channel's address is an e-mail address.
pub(crate) fn is_by_email(channel: Channel) -> bool {
    matches!(channel, Channel::Email | Channel::OpenTracking)
}

/// A request to subscribe.
pub(crate) fn subscribing(body: &Value, now: Instant) -> ApiResult<Decisions<'_>> {
    let data = data(body, &["profile-subscription-bulk-create-job"])?;
    let attributes = data.required("attributes")?.object()?;
    attributes.only(&["custom_source", "profiles", "historical_import", "list_id", "subscriptions"])?;
    let is_historical = attributes.flag("historical_import")?.unwrap_or_default();
    let decision = Decision::Subscribed { imported_by: is_historical.then_some(now) };
    Ok(Decisions {
        people: people(&attributes, MAX_SUBSCRIBED, decision)?,
        list: list(&data, &attributes)?,
        custom_source: attributes.text("custom_source", MAX_SOURCE)?.map(str::to_owned),
        is_historical,
    })
}

/// A request to unsubscribe.
pub(crate) fn unsubscribing(body: &Value) -> ApiResult<Decisions<'_>> {
    let kinds = ["profile-subscription-bulk-delete-job", "profile-unsubscription-bulk-create-job"];
    let data = data(body, &kinds)?;
    let attributes = data.required("attributes")?.object()?;
    attributes.only(&["profiles", "list_id", "subscriptions", "emails", "phone_numbers"])?;
    let mut people = match ["profiles", "subscriptions"].iter().find_map(|name| attributes.optional(name)) {
        Some(_) => people(&attributes, MAX_OTHERS, Decision::Unsubscribed)?,
        None => Vec::new(),
    };
    // The oldest shape.
    for (name, field) in [("emails", "email"), ("phone_numbers", "phone_number")] {
        let Some(named) = attributes.optional(name) else { continue };
        for item in named.items()? {
            let value = body::identifier(field, &item)?;
            let (identifiers, channel) = match field {
                "email" => (Identifiers { email: Some(value), ..Identifiers::default() }, Channel::Email),
                _ => (Identifiers { phone_number: Some(value), ..Identifiers::default() }, Channel::Sms),
            };
            let channels = vec![(channel, None)];
            people.push(Subscriber { pointer: item.pointer, id: None, identifiers, channels });
        }
    }
    if people.is_empty() {
        return Err(missing(&attributes, "profiles"));
    }
    if people.len() > MAX_OTHERS {
        return Err(wrong_count(&attributes, MAX_OTHERS));
    }
    Ok(Decisions { people, list: list(&data, &attributes)?, custom_source: None, is_historical: false })
}

/// A request to suppress, or to take that back.
pub(crate) fn suppressing<'a>(body: &'a Value, kinds: &[&str]) -> ApiResult<Suppressed<'a>> {
    let data = data(body, kinds)?;
    let attributes = data.attributes()?;
    let mut emails = None;
    if let Some(attributes) = &attributes {
        attributes.only(&["profiles", "suppressions"])?;
        if let Some(suppressions) = attributes.optional("suppressions") {
            let items: Vec<Node<'_>> = suppressions.items()?.collect();
            let resources = items.iter().map(Node::object).collect::<ApiResult<_>>()?;
            emails = Some((suppressions, resources));
        } else if let Some(profiles) = attributes.optional("profiles") {
            let data = profiles.object()?.required("data")?;
            let resources = data.items()?.map(|item| {
                let profile = item.resource("profile")?;
                profile.only(&["type", "id", "attributes"])?;
                profile.required("attributes")?.object()
            });
            let resources = resources.collect::<ApiResult<Vec<_>>>()?;
            emails = Some((data, resources));
        }
    }
    let (list, segment) = match data.optional("relationships") {
        Some(relationships) => {
            let relationships = relationships.object()?;
            relationships.only(&["list", "segment"])?;
            (related(&relationships, "list")?, related(&relationships, "segment")?)
        }
        None => (None, None),
    };
    match (emails, list, segment) {
        (Some((node, resources)), None, None) => emails_of(&node, &resources).map(Suppressed::Emails),
        (None, Some(list), None) => Ok(Suppressed::List(list)),
        (None, None, Some(segment)) => Ok(Suppressed::Segment(segment)),
        _ => Err(data.invalid("Exactly one of profiles, a list and a segment must be named.")),
    }
}

/// What somebody says who subscribes in a browser.
pub(crate) struct Visit<'a> {
    pub(crate) subscriber: Subscriber,
    /// The list's id, and where it is.
    pub(crate) list: Node<'a>,
    pub(crate) custom_source: Option<String>,
    /// What else is said: a profile's `attributes`, which are below this pointer.
    pub(crate) attributes: Map<String, Value>,
    pub(crate) pointer: String,
}

/// A request to subscribe from a browser.
pub(crate) fn visiting(body: &Value) -> ApiResult<Visit<'_>> {
    let data = data(body, &["subscription"])?;
    let attributes = data.required("attributes")?.object()?;
    let custom_source = attributes.text("custom_source", MAX_SOURCE)?.map(str::to_owned);
    let list = list(&data, &attributes)?.ok_or_else(|| missing(&data, "relationships"))?;
    let (fields, pointer) = if let Some(profile) = attributes.optional("profile") {
        attributes.only(&["custom_source", "profile", "list_id"])?;
        let profile = profile.object()?.required("data")?.resource("profile")?;
        profile.only(&["type", "id", "attributes", "meta"])?;
        (profile.required("attributes")?.object()?, profile.pointer)
    } else {
        // Until 2023-06-15.
        attributes.only(&["custom_source", "list_id", "email", "phone_number", "properties"])?;
        (attributes, data.pointer)
    };
    let decision = Decision::Subscribed { imported_by: None };
    let subscriber = subscriber(&fields, None, fields.optional("subscriptions").as_ref(), decision)?;
    let mut attributes = fields.map.clone();
    for name in ["subscriptions", "custom_source", "list_id"] {
        attributes.shift_remove(name);
    }
    Ok(Visit { subscriber, list, custom_source, attributes, pointer })
}

fn emails_of(node: &Node<'_>, resources: &[Fields<'_>]) -> ApiResult<Vec<String>> {
    if resources.is_empty() || resources.len() > MAX_OTHERS {
        return Err(node.invalid(format!("A request names 1 to {MAX_OTHERS} profiles.")));
    }
    let mut emails: Vec<String> = Vec::with_capacity(resources.len());
    let mut seen = HashSet::new();
    for resource in resources {
        let email = body::identifier("email", &resource.required("email")?)?;
        if seen.insert(email.clone()) {
            emails.push(email);
        }
    }
    Ok(emails)
}

/// `data`, whose `type` must be one of these.
fn data<'a>(body: &'a Value, kinds: &[&str]) -> ApiResult<Fields<'a>> {
    let data = Node { value: body, pointer: String::new() }.object()?.required("data")?.object()?;
    let named = data.required("type")?;
    if !kinds.contains(&named.text()?) {
        return Err(named.invalid(format!("The type must be '{}'.", kinds.first().unwrap_or(&""))));
    }
    data.only(&["type", "id", "attributes", "relationships"])?;
    Ok(data)
}

/// The list, which was an attribute once.
fn list<'a>(data: &Fields<'a>, attributes: &Fields<'a>) -> ApiResult<Option<Node<'a>>> {
    let related = match data.optional("relationships") {
        Some(relationships) => {
            let relationships = relationships.object()?;
            relationships.only(&["list"])?;
            related(&relationships, "list")?
        }
        None => None,
    };
    let named = related.or_else(|| attributes.optional("list_id"));
    named.map(|node| node.text_of(MAX_ID).map(|_| node.clone())).transpose()
}

/// The id of a relationship to one resource.
fn related<'a>(relationships: &Fields<'a>, kind: &'static str) -> ApiResult<Option<Node<'a>>> {
    let Some(relationship) = relationships.optional(kind) else { return Ok(None) };
    let Some(data) = relationship.object()?.optional("data") else { return Ok(None) };
    let resource = data.resource(kind)?;
    resource.only(&["type", "id"])?;
    let id = resource.required("id")?;
    id.text_of(MAX_ID)?;
    Ok(Some(id))
}

fn wrong_count(fields: &Fields<'_>, max: usize) -> ApiError {
    fields.invalid(format!("A request names 1 to {max} profiles."))
}

fn missing(fields: &Fields<'_>, name: &str) -> ApiError {
    ApiError::invalid(format!("{}/{name}", fields.pointer), format!("The field '{name}' is required."))
}

fn people(attributes: &Fields<'_>, max: usize, decision: Decision) -> ApiResult<Vec<Subscriber>> {
    let (items, is_old) = match attributes.optional("subscriptions") {
        Some(subscriptions) => (subscriptions, true),
        None => (attributes.required("profiles")?.object()?.required("data")?, false),
    };
    let mut people = Vec::new();
    for item in items.items()? {
        if people.len() >= max {
            return Err(items.invalid(format!("A request names 1 to {max} profiles.")));
        }
        people.push(if is_old { old_person(&item, decision)? } else { person(&item, decision)? });
    }
    if people.is_empty() {
        return Err(items.invalid(format!("A request names 1 to {max} profiles.")));
    }
    Ok(people)
}

/// One profile, until 2023-06-15: `{channels, email, phone_number, profile_id}`.
fn old_person(item: &Node<'_>, decision: Decision) -> ApiResult<Subscriber> {
    let fields = item.object()?;
    fields.only(&["channels", "email", "phone_number", "profile_id"])?;
    let id = fields.text("profile_id", MAX_ID)?;
    subscriber(&fields, id, fields.optional("channels").as_ref(), decision)
}

/// One profile, since 2023-07-15: a resource.
fn person(item: &Node<'_>, decision: Decision) -> ApiResult<Subscriber> {
    let resource = item.resource("profile")?;
    resource.only(&["type", "id", "attributes"])?;
    let id = resource.text("id", MAX_ID)?;
    let fields = resource.required("attributes")?.object()?;
    fields.only(&["email", "phone_number", "subscriptions", "age_gated_date_of_birth"])?;
    if let Some(day) = fields.optional("age_gated_date_of_birth")
        && day.text()?.parse::<Date>().is_err()
    {
        return Err(day.invalid("A date is expected (an example of a valid one: 1990-01-31)."));
    }
    subscriber(&fields, id, fields.optional("subscriptions").as_ref(), decision)
}

fn subscriber(
    fields: &Fields<'_>,
    id: Option<&str>,
    channels: Option<&Node<'_>>,
    decision: Decision,
) -> ApiResult<Subscriber> {
    let mut person = Person::default();
    for (name, slot) in [("email", &mut person.email), ("phone_number", &mut person.phone)] {
        if let Some(node) = fields.optional(name) {
            *slot = Some(body::identifier(name, &node)?);
        }
    }
    if let Some(device) = channels.and_then(|node| node.value.pointer("/push/anonymous_id")?.as_str()) {
        person.anonymous_id = Some(device.to_owned()).filter(|device| device.len() <= MAX_ID);
    }
    let channels = match channels {
        Some(node) => chosen(node, decision)?,
        None => unsaid(fields, &person, decision)?,
    };
    let (identifiers, _) = Identifiers::of(&person, "");
    if id.is_none() {
        for (channel, _) in &channels {
            let (missing, name) = match channel {
                channel if is_by_email(*channel) => (identifiers.email.is_none(), "email"),
                channel if is_by_phone(*channel) => (identifiers.phone_number.is_none(), "phone_number"),
                _ => (identifiers.ranked().is_empty(), "email"),
            };
            if missing {
                let detail =
                    format!("'{name}' is required for a channel that is named in the subscriptions.");
                return Err(ApiError::invalid(format!("{}/{name}", fields.pointer), detail));
            }
        }
    }
    let id = id.map(str::to_owned);
    Ok(Subscriber { pointer: fields.pointer.clone(), id, identifiers, channels })
}

/// Where no channel is said, as older revisions allow: marketing on each address that is given.
fn unsaid(
    fields: &Fields<'_>,
    person: &Person,
    decision: Decision,
) -> ApiResult<Vec<(Channel, Option<Instant>)>> {
    if matches!(decision, Decision::Subscribed { imported_by: Some(_) }) {
        return Err(missing(fields, "subscriptions"));
    }
    let by_address = [(&person.email, Channel::Email), (&person.phone, Channel::Sms)];
    let channels: Vec<_> = by_address
        .into_iter()
        .filter(|(address, _)| address.is_some())
        .map(|(_, channel)| (channel, None))
        .collect();
    if channels.is_empty() { Err(missing(fields, "subscriptions")) } else { Ok(channels) }
}

/// The channels of `subscriptions`.
fn chosen(node: &Node<'_>, decision: Decision) -> ApiResult<Vec<(Channel, Option<Instant>)>> {
    let subscriptions = node.object()?;
    subscriptions.only(&["email", "sms", "whatsapp", "push"])?;
    let mut chosen = Vec::new();
    for way in ["email", "sms", "whatsapp", "push"] {
        let Some(group) = subscriptions.optional(way) else { continue };
        let known = CHANNELS.iter().filter(|(of, purpose, _)| {
            // Nobody subscribes to answers: they are given.
            *of == way && (decision == Decision::Unsubscribed || *purpose != "conversational")
        });
        // Until 2023-09-15: `["MARKETING"]`.
        if group.value.is_array() {
            for word in group.items()? {
                let purpose = word.text()?.to_ascii_lowercase();
                let found = known.clone().find(|(_, known, _)| *known == purpose);
                let (_, _, channel) =
                    found.ok_or_else(|| word.invalid("This is not known of the channel."))?;
                if let Decision::Subscribed { imported_by: Some(_) } = decision {
                    return Err(word.invalid("A historical import needs 'consented_at'."));
                }
                chosen.push((*channel, None));
            }
            continue;
        }
        let group = group.object()?;
        let mut names: Vec<&str> = known.clone().map(|(_, purpose, _)| *purpose).collect();
        if way == "push" {
            names.extend(["tokens", "anonymous_id"]);
            check_tokens(&group, decision)?;
            group.text("anonymous_id", MAX_ID)?;
        }
        group.only(&names)?;
        for (_, purpose, channel) in known {
            let Some(node) = group.optional(purpose) else { continue };
            chosen.push((*channel, decided(&node, *channel, decision)?));
        }
    }
    if chosen.is_empty() {
        return Err(node.invalid("At least one channel must be named."));
    }
    if let Decision::Subscribed { imported_by: Some(now) } = decision {
        // It has no time of its own: that of the e-mail it goes with.
        let mail = chosen.iter().find(|(channel, _)| *channel == Channel::Email).and_then(|(_, at)| *at);
        for (_, at) in &mut chosen {
            *at = at.or(mail).or(Some(now));
        }
    }
    Ok(chosen)
}

/// `{consent, consented_at}`.
fn decided(node: &Node<'_>, channel: Channel, decision: Decision) -> ApiResult<Option<Instant>> {
    let fields = node.object()?;
    let (word, timed) = match decision {
        Decision::Subscribed { .. } => ("SUBSCRIBED", channel != Channel::OpenTracking),
        Decision::Unsubscribed => ("UNSUBSCRIBED", false),
    };
    fields.only(if timed { &["consent", "consented_at"] } else { &["consent"] })?;
    let consent = fields.required("consent")?;
    if consent.text()? != word {
        return Err(consent.invalid(format!("The consent must be '{word}'.")));
    }
    let given = fields.optional("consented_at");
    match (decision, given) {
        (Decision::Subscribed { imported_by: Some(now) }, Some(given)) => {
            let at = read_instant(given.text()?);
            let at = at.ok_or_else(|| given.invalid("A time in ISO 8601 is expected."))?;
            if at > now { Err(given.invalid("The time must be in the past.")) } else { Ok(Some(at)) }
        }
        (Decision::Subscribed { imported_by: Some(_) }, None) if timed => {
            Err(missing(&fields, "consented_at"))
        }
        (_, Some(given)) => Err(given.invalid("'consented_at' is only possible with 'historical_import'.")),
        (_, None) => Ok(None),
    }
}

/// Tokens are not kept here, so none can be registered, and none needs to be removed.
fn check_tokens(push: &Fields<'_>, decision: Decision) -> ApiResult<()> {
    let Some(tokens) = push.optional("tokens") else { return Ok(()) };
    for (place, token) in tokens.items()?.enumerate() {
        if place >= MAX_TOKENS {
            return Err(tokens.invalid(format!("There must not be more than {MAX_TOKENS} tokens.")));
        }
        token.object()?.required("token")?.text()?;
        if decision != Decision::Unsubscribed {
            return Err(tokens.invalid("Push tokens cannot be registered here."));
        }
    }
    Ok(())
}
