//! Customers: who they are, and whether they wish no e-mail.

use canonical::fact::{Channel, ConsentChange, ConsentStatus, CustomerSnapshot};
use canonical::{Fact, Instant, Person};
use platform::address::{self, Address};
use platform::lenient::{Dropped, Field, Moment, Object};
use platform::reading::{Reader, Reading, Silence};
use serde_json::{Map, Value};

use crate::payload::{self, Addresses, Below, Customer, CustomerRecord, Emails};

/// A customer, read.
pub(crate) struct Buyer {
    pub(crate) person: Person,
    /// When the record, or its contact, changed last.
    pub(crate) updated_at: Option<Instant>,
    /// The record says that there is no e-mail address. One without its contact says nothing.
    pub(crate) is_without_email: bool,
    /// The record was anonymised: the names in it are nobody's.
    is_anonymised: bool,
    /// Wishes no e-mail, as of the contact's last change.
    opted_out_at: Option<Instant>,
}

impl Buyer {
    /// Whose record did not come along, or nobody: a sale without a customer has the id `0`.
    pub(crate) fn known_by(customer_id: Option<String>) -> Self {
        Self {
            person: Person { customer_id, ..Person::default() },
            updated_at: None,
            is_without_email: false,
            is_anonymised: false,
            opted_out_at: None,
        }
    }
}

/// A customer of the customers feed.
pub(crate) fn customer(reader: &mut Reader<'_>, record: CustomerRecord) -> Reading {
    let new_since = reader.dropped.take("new_since", record.new_since);
    let customer = reader.dropped.take("customer", record.customer);
    let buyer = customer.and_then(|Object(customer)| buyer(reader, customer, new_since));
    let Some(buyer) = buyer else { return Err(Silence::Malformed("no usable customerID".to_owned())) };
    let consent = opt_out(reader, &buyer);
    let snapshot =
        CustomerSnapshot { person: buyer.person, updated_at: buyer.updated_at, deleted: buyer.is_anonymised };
    Ok(std::iter::once(Fact::Customer(snapshot)).chain(consent).collect())
}

/// The record says that somebody wishes no e-mail, but not since when, and new records may begin so: only the owner can
/// know whether that is a decision.
fn opt_out(reader: &Reader<'_>, buyer: &Buyer) -> Option<Fact> {
    let at = buyer.opted_out_at.filter(|_| reader.connection.flag("no_email_opts_out", false))?;
    let person = Person {
        email: Some(buyer.person.email.clone()?),
        customer_id: buyer.person.customer_id.clone(),
        ..Person::default()
    };
    Some(Fact::Consent(ConsentChange {
        person,
        channel: Channel::Email,
        status: ConsentStatus::Unsubscribed,
        at,
        method: "integration".to_owned(),
        double_opt_in: false,
    }))
}

/// Reads a customer, who is new if made since then, unless the setting says another time; `None` without an id.
pub(crate) fn buyer(
    reader: &mut Reader<'_>,
    customer: Customer,
    new_since: Option<Instant>,
) -> Option<Buyer> {
    let dropped = &mut reader.dropped;
    let id = payload::key(dropped, "customerID", customer.id)?;
    let contact = dropped.take("Contact", customer.contact);
    let has_contact = contact.is_some();
    let Object(contact) = contact.unwrap_or_default();
    let contact_changed_at = moment(dropped, "Contact.timeStamp", contact.time_stamp);
    let updated_at = moment(dropped, "timeStamp", customer.time_stamp).max(contact_changed_at);
    let email = email(dropped, contact.emails);
    let first_name = dropped.take("firstName", customer.first_name);
    let last_name = dropped.take("lastName", customer.last_name);
    let is_archived = dropped.take("archived", customer.archived) == Some(true);
    let is_anonymised =
        is_archived && email.is_none() && is_placeholder(&id, first_name.as_deref(), last_name.as_deref());
    let no_email = dropped.take("noEmail", contact.no_email);
    let mut buyer = Buyer {
        is_without_email: has_contact && email.is_none(),
        person: Person { email, customer_id: Some(id), ..Person::default() },
        updated_at,
        is_anonymised,
        opted_out_at: contact_changed_at.filter(|_| no_email == Some(true)),
    };
    if is_anonymised {
        return Some(buyer);
    }
    let created_at = moment(dropped, "createTime", customer.create_time);
    let town = address(dropped, contact.addresses).map(|address| Address {
        address1: None,
        address2: None,
        ..address
    });
    let attributes = &mut buyer.person.attributes;
    address::set(attributes, "first_name", first_name);
    address::set(attributes, "last_name", last_name);
    address::set(attributes, "organization", dropped.take("company", customer.company));
    address::set(attributes, "title", dropped.take("title", customer.title));
    address::set_object(attributes, "location", town.unwrap_or_default().location());
    let since =
        reader.connection.text("new_customers_since").and_then(|time| time.parse().ok()).or(new_since);
    let is_new = since.is_some_and(|since| created_at.is_some_and(|created_at| created_at >= since));
    address::set_object(attributes, "properties", properties(reader, no_email, is_new));
    Some(buyer)
}

/// What Lightspeed writes into the names of a customer whose personal data it deleted.
/// Source: <https://developers.lightspeedhq.com/retail/endpoints/Customer/>, "Archive & Anonymize a Customer".
fn is_placeholder(id: &str, first_name: Option<&str>, last_name: Option<&str>) -> bool {
    first_name == Some("Customer") && last_name == Some(&format!("[{id}]"))
}

/// The primary address, else any.
fn email(dropped: &mut Dropped, emails: Below<Emails>) -> Option<String> {
    let Object(emails) = dropped.take("Emails", emails)?;
    let mut emails = payload::elements(dropped, "ContactEmail", emails.emails);
    emails.sort_by_key(|email| !email.use_type.is("primary"));
    emails.into_iter().find_map(|email| dropped.take("address", email.address))
}

/// A contact's first address.
pub(crate) fn address(dropped: &mut Dropped, addresses: Below<Addresses>) -> Option<Address> {
    let Object(addresses) = dropped.take("Addresses", addresses)?;
    let address = payload::elements(dropped, "ContactAddress", addresses.addresses).into_iter().next()?;
    Some(Address {
        address1: dropped.take("address1", address.address1),
        address2: dropped.take("address2", address.address2),
        city: dropped.take("city", address.city),
        region: dropped.take("state", address.state),
        region_code: dropped.take("stateCode", address.state_code),
        zip: dropped.take("zip", address.zip),
        country: dropped.take("country", address.country),
        country_code: dropped.take("countryCode", address.country_code),
        ..Address::default()
    })
}

/// What has no name of its own in a profile: the wish for no e-mail, and what the owner wants new customers to be found by.
fn properties(reader: &Reader<'_>, no_email: Option<bool>, is_new: bool) -> Map<String, Value> {
    let mut properties = Map::new();
    if let Some(no_email) = no_email {
        properties.insert("Lightspeed No Email".to_owned(), no_email.into());
    }
    if is_new {
        address::set(&mut properties, "Lightspeed List", reader.connection.text("list").map(str::to_owned));
        if reader.connection.flag("welcome", false) && !reader.delivery.backfill {
            properties.insert("Lightspeed Welcome".to_owned(), true.into());
        }
    }
    properties
}

/// Times are UTC.
pub(crate) fn moment(dropped: &mut Dropped, name: &'static str, field: Field<Moment>) -> Option<Instant> {
    dropped.take(name, field)?.in_utc()
}
