//! Rows that are customers.

use std::io::Read;

use canonical::Person;
use csv::StringRecord;
use serde_json::{Map, Number, Value};

use crate::column::{self, normalised};
use crate::rows::{self, Columns, RowError};

/// One customer.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileRow {
    /// The line it begins at, from 1.
    pub line: u64,
    /// Identifiers as they were written, and attributes by Klaviyo's names, `location` and `properties` among them.
    pub person: Person,
}

/// What the columns of a file of customers are.
#[derive(Clone, Debug)]
pub struct ProfileColumns(Vec<Target>);

#[derive(Clone, Debug)]
enum Target {
    Email,
    Phone,
    ExternalId,
    AnonymousId,
    Attribute(&'static str),
    Location(&'static str),
    Coordinate(&'static str),
    Property(String),
    Ignored,
}

/// The customers of a CSV file. A header that cannot be read is the only item.
pub fn profiles<R: Read>(reader: R) -> impl Iterator<Item = Result<ProfileRow, RowError>> {
    rows::rows::<ProfileColumns, R>(reader)
}

impl ProfileColumns {
    /// The columns by the header; an error is a reason without content.
    pub fn of(header: &StringRecord) -> Result<Self, String> {
        let targets: Vec<Target> = column::names(header)?.into_iter().map(target).collect();
        for (index, target) in targets.iter().enumerate() {
            let twice = |other: &Target| {
                std::mem::discriminant(other) == std::mem::discriminant(target)
                    && other.name() == target.name()
            };
            if !matches!(target, Target::Ignored) && targets[..index].iter().any(twice) {
                return Err(format!("column {} means what another does", index + 1));
            }
        }
        if !targets.iter().any(Target::is_identifier) {
            return Err("no column Email, Phone Number, External ID or Anonymous ID".to_owned());
        }
        Ok(Self(targets))
    }

    /// One row of as many cells as the header; an error is a reason without content.
    pub fn row(&self, line: u64, cells: &StringRecord) -> Result<ProfileRow, String> {
        let mut person = Person::default();
        let (mut location, mut properties) = (Map::new(), Map::new());
        let cells = cells.iter().map(str::trim);
        for (target, cell) in self.0.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            let text = || cell.to_owned();
            match target {
                Target::Email => person.email = Some(text()),
                Target::Phone => person.phone = Some(text()),
                Target::ExternalId => person.external_id = Some(text()),
                Target::AnonymousId => person.anonymous_id = Some(text()),
                Target::Attribute(name) => {
                    person.attributes.insert((*name).to_owned(), text().into());
                }
                Target::Location(name) => {
                    location.insert((*name).to_owned(), text().into());
                }
                Target::Coordinate(name) => {
                    let number: Number = cell.parse().map_err(|_| format!("{name} is not a number"))?;
                    location.insert((*name).to_owned(), number.into());
                }
                Target::Property(name) => {
                    properties.insert(name.clone(), column::property(cell));
                }
                Target::Ignored => {}
            }
        }
        let identifiers = [&person.email, &person.phone, &person.external_id, &person.anonymous_id];
        if identifiers.into_iter().all(Option::is_none) {
            return Err("nobody is named: no e-mail address, phone number or id".to_owned());
        }
        person.phone_country = location.get("country").and_then(Value::as_str).and_then(country_code);
        for (name, object) in [("location", location), ("properties", properties)] {
            if !object.is_empty() {
                person.attributes.insert(name.to_owned(), object.into());
            }
        }
        Ok(ProfileRow { line, person })
    }
}

impl Columns for ProfileColumns {
    type Row = ProfileRow;

    fn of(header: &StringRecord) -> Result<Self, String> {
        Self::of(header)
    }

    fn row(&self, line: u64, cells: &StringRecord) -> Result<ProfileRow, String> {
        self.row(line, cells)
    }
}

impl Target {
    fn is_identifier(&self) -> bool {
        matches!(self, Self::Email | Self::Phone | Self::ExternalId | Self::AnonymousId)
    }

    fn name(&self) -> &str {
        match self {
            Self::Attribute(name) | Self::Location(name) | Self::Coordinate(name) => name,
            Self::Property(name) => name,
            Self::Email | Self::Phone | Self::ExternalId | Self::AnonymousId | Self::Ignored => "",
        }
    }
}

fn target(name: &str) -> Target {
    match normalised(name).as_str() {
        "email" | "e_mail" | "email_address" => Target::Email,
        "phone" | "phone_number" => Target::Phone,
        "external_id" => Target::ExternalId,
        "anonymous_id" => Target::AnonymousId,
        "first_name" => Target::Attribute("first_name"),
        "last_name" => Target::Attribute("last_name"),
        "organization" | "company" => Target::Attribute("organization"),
        "title" => Target::Attribute("title"),
        "locale" => Target::Attribute("locale"),
        "image" => Target::Attribute("image"),
        "address" | "address1" | "address_1" | "address_line_1" | "street_address" => {
            Target::Location("address1")
        }
        "address2" | "address_2" | "address_line_2" => Target::Location("address2"),
        "city" => Target::Location("city"),
        "region" | "state" | "province" | "state_region" | "state_province" => Target::Location("region"),
        "zip" | "zip_code" | "postal_code" | "zip_postal_code" => Target::Location("zip"),
        "country" => Target::Location("country"),
        "timezone" | "time_zone" => Target::Location("timezone"),
        "latitude" => Target::Coordinate("latitude"),
        "longitude" => Target::Coordinate("longitude"),
        plain if is_about_consent(plain) => Target::Ignored,
        _ => Target::Property(name.to_owned()),
    }
}

/// A column says neither when nor how somebody decided, and a yes must not be guessed.
fn is_about_consent(plain: &str) -> bool {
    plain.split('_').any(|word| word == "consent")
        || ["email_marketing", "sms_marketing", "accepts_marketing", "accepts_sms", "accepts_email"]
            .iter()
            .any(|start| plain.starts_with(start))
}

fn country_code(country: &str) -> Option<String> {
    (country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic()))
        .then(|| country.to_ascii_uppercase())
}
