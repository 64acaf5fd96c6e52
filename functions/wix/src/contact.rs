//! Contacts and members: their records, and their decisions about marketing.

use canonical::fact::{Channel, ConsentChange, ConsentStatus, CustomerSnapshot};
use canonical::{Fact, Person};
use platform::address::{Address, set, set_object};
use platform::lenient::{self, Dropped, Field, Id, Object};
use platform::reading::{Reading, Silence};

use crate::payload::{self, ContactEmail, ContactInfo, ContactPhone};
use crate::person;
use crate::reader::Reader;

/// A contact; after a merge, the one that is left.
pub(crate) fn contact(reader: &mut Reader<'_>) -> Reading {
    let merged = reader.event.topic.ends_with("_merged");
    let contact: payload::Contact =
        reader.entity(if merged { |holder| holder.target_contact } else { |holder| holder.contact })?;
    let customer_id = reader.identity("id", contact.id)?;
    let updated_at = reader.time("updatedDate", contact.updated_date).or(reader.event.time);
    let dropped = &mut reader.dropped;
    let primary = dropped.take("primaryInfo", contact.primary_info);
    let primary = primary.map(|Object(primary)| primary).unwrap_or_default();
    let info = dropped.take("info", contact.info).map(|Object(info)| info).unwrap_or_default();
    let ContactInfo { name, emails, phones, addresses, company, job_title, locale } = info;

    let emails = items(dropped, "info.emails", emails);
    let email = main(emails, |email: &ContactEmail| &email.primary).and_then(|email| email.email.ok());
    let phones = items(dropped, "info.phones", phones);
    let phone = main(phones, |phone: &ContactPhone| &phone.primary).unwrap_or_default();
    let (international, national) = (phone.e164_phone.ok(), phone.phone.ok());
    let addresses = items(dropped, "info.addresses", addresses).into_iter();
    let mut addresses = addresses.map(|one| one.address);
    let address = addresses.find_map(|address| person::address(dropped, "info.addresses", address));

    let mut person = Person {
        customer_id: Some(customer_id),
        email: dropped.take("primaryInfo.email", primary.email).or(email),
        phone: international.or_else(|| dropped.take("primaryInfo.phone", primary.phone)).or(national),
        phone_country: phone.country_code.ok(),
        ..Person::default()
    };
    let attributes = &mut person.attributes;
    if let Some(Object(name)) = dropped.take("info.name", name) {
        set(attributes, "first_name", dropped.take("info.name.first", name.first));
        set(attributes, "last_name", dropped.take("info.name.last", name.last));
    }
    set(attributes, "organization", dropped.take("info.company", company));
    set(attributes, "title", dropped.take("info.jobTitle", job_title));
    set(attributes, "locale", dropped.take("info.locale", locale));
    set_object(attributes, "location", address.map(|address| address.location()).unwrap_or_default());
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: false })])
}

/// A list that is wrapped in an object.
fn items<T>(dropped: &mut Dropped, name: &'static str, field: Field<Object<payload::Items<T>>>) -> Vec<T> {
    let items = dropped.take(name, field).map(|Object(list)| list.items).unwrap_or_default();
    dropped.list(name, items).into_iter().map(|Object(item)| item).collect()
}

/// The one that is marked as primary, else the first.
fn main<T>(mut list: Vec<T>, primary: fn(&T) -> &Field<bool>) -> Option<T> {
    let place = list.iter().position(|one| *primary(one) == Field::Is(true)).unwrap_or_default();
    (place < list.len()).then(|| list.swap_remove(place))
}

/// A deleted contact: nothing but its id is left.
pub(crate) fn deleted(reader: &mut Reader<'_>) -> Reading {
    let customer_id = reader.event.entity_id.clone();
    let customer_id = customer_id.ok_or_else(|| Silence::Malformed("no usable entityId".to_owned()))?;
    let person = Person { customer_id: Some(customer_id), ..Person::default() };
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at: reader.event.time, deleted: true })])
}

/// A member of the site: a contact that can log in.
pub(crate) fn member(reader: &mut Reader<'_>) -> Reading {
    let member: payload::Member = reader.entity(|holder| holder.member)?;
    let member_id = reader.identity("id", member.id)?;
    let updated_at = reader.time("updatedDate", member.updated_date).or(reader.event.time);
    let dropped = &mut reader.dropped;
    let contact_id = dropped.take("contactId", member.contact_id).map(|Id(id)| id);
    let contact = dropped.take("contact", member.contact).map(|Object(contact)| contact).unwrap_or_default();
    let phones = dropped.list("contact.phones", contact.phones);
    let mut person = Person {
        customer_id: contact_id.or(Some(member_id)),
        email: dropped.take("loginEmail", member.login_email),
        phone: phones.into_iter().next(),
        ..Person::default()
    };
    let address = dropped.list("contact.addresses", contact.addresses).into_iter().next();
    let address = address.and_then(|one| person::address(dropped, "contact.addresses", Field::Is(one)));
    person.phone_country = address.as_ref().and_then(|address| address.country_code.clone());
    let attributes = &mut person.attributes;
    set(attributes, "first_name", dropped.take("contact.firstName", contact.first_name));
    set(attributes, "last_name", dropped.take("contact.lastName", contact.last_name));
    set(attributes, "organization", dropped.take("contact.company", contact.company));
    set(attributes, "title", dropped.take("contact.jobTitle", contact.job_title));
    set_object(attributes, "location", address.as_ref().map(Address::location).unwrap_or_default());
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: false })])
}

/// A decision about marketing by e-mail. What a contact's record says about it is a state without a time, and
/// is not read.
pub(crate) fn subscription(reader: &mut Reader<'_>) -> Reading {
    let change: payload::SubscriptionChange = lenient::object(reader.event.data.as_bytes())?;
    let subscription = reader.dropped.take("subscription", change.subscription);
    let Object(subscription) =
        subscription.ok_or_else(|| Silence::Malformed("no usable subscription".to_owned()))?;
    let email = reader.dropped.take("email", subscription.email);
    let email = email.ok_or_else(|| Silence::Malformed("no usable email".to_owned()))?;
    let status = reader.dropped.take("subscriptionStatus", subscription.subscription_status);
    let status = match status.map(|status| status.to_ascii_uppercase()).as_deref() {
        Some("SUBSCRIBED") => ConsentStatus::Subscribed,
        Some("UNSUBSCRIBED") => ConsentStatus::Unsubscribed,
        // Never asked, or asked and not answered: nobody has decided anything.
        None | Some("NOT_SET" | "PENDING" | "UNKNOWN") => return Err(Silence::Ignore("consent_undecided")),
        Some(_) => return Err(Silence::Ignore("consent_state_unknown")),
    };
    Ok(vec![Fact::Consent(ConsentChange {
        person: Person { email: Some(email), ..Person::default() },
        channel: Channel::Email,
        status,
        at: reader.happened_at(),
        method: "integration".to_owned(),
        double_opt_in: false,
    })])
}
