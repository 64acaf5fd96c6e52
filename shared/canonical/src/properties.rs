//! Event properties under Klaviyo's keys. What a source does not say is left out, never written as null.

use std::collections::HashSet;

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::fact::Line;
use crate::identity::normalize_email;
use crate::money::decimal_to_json;
use crate::{Currency, Money, Person};

/// Properties under construction.
#[derive(Default)]
pub(crate) struct Properties(Map<String, Value>);

impl Properties {
    pub(crate) fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Nothing for an absent or empty text.
    pub(crate) fn text(self, key: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) if !text.is_empty() => self.set(key, text),
            _ => self,
        }
    }

    pub(crate) fn number(self, key: &str, number: Option<Decimal>) -> Self {
        match number {
            Some(number) => self.set(key, decimal_to_json(number)),
            None => self,
        }
    }

    pub(crate) fn object(self, key: &str, object: Option<&Map<String, Value>>) -> Self {
        match object {
            Some(object) if !object.is_empty() => self.set(key, object.clone()),
            _ => self,
        }
    }

    /// Each text once, in the order of first appearance; an empty list is a list too.
    pub(crate) fn list<'a>(self, key: &str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut seen = HashSet::new();
        let distinct: Vec<Value> = texts
            .into_iter()
            .filter(|text| !text.is_empty() && seen.insert(*text))
            .map(Value::from)
            .collect();
        self.set(key, distinct)
    }

    /// The part of the person's e-mail address behind the @.
    pub(crate) fn email_domain(self, person: &Person) -> Self {
        self.text("Email Domain", email_domain(person).as_deref())
    }

    /// `ItemNames`, `Items`, `Item Count`, `Categories` and `Brands`.
    pub(crate) fn items(self, lines: &[Line]) -> Self {
        let count = lines.iter().try_fold(Decimal::ZERO, |sum, line| sum.checked_add(line.quantity));
        self.list("ItemNames", lines.iter().map(|line| line.name.as_str()))
            .set("Items", lines.iter().map(row).collect::<Vec<_>>())
            .number("Item Count", count)
            .list("Categories", lines.iter().flat_map(|line| &line.categories).map(String::as_str))
            .list("Brands", lines.iter().filter_map(|line| line.brand.as_deref()))
    }

    /// Adds what has no canonical name; canonical names are not overwritten.
    pub(crate) fn extra<'a>(mut self, extra: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Self {
        for (key, value) in extra {
            self.0.entry(key).or_insert_with(|| value.clone());
        }
        self
    }

    pub(crate) fn build(self) -> Map<String, Value> {
        self.0
    }
}

impl From<Map<String, Value>> for Properties {
    fn from(properties: Map<String, Value>) -> Self {
        Self(properties)
    }
}

/// The part of a person's e-mail address behind the @.
pub(crate) fn email_domain(person: &Person) -> Option<String> {
    let email = normalize_email(person.email.as_deref()?)?;
    Some(email.rsplit_once('@')?.1.to_owned())
}

/// One row of `Items`.
fn row(line: &Line) -> Value {
    Properties::default()
        .text("LineId", Some(&line.line_id))
        .text("ProductID", line.product_id.as_deref())
        .text("VariantID", line.variant_id.as_deref())
        .text("SKU", line.sku.as_deref())
        .text("ProductName", Some(&line.name))
        .number("Quantity", Some(line.quantity))
        .number("ItemPrice", line.unit_price)
        .number("RowTotal", line.amount())
        .text("ProductURL", line.product_url.as_deref())
        .text("ImageURL", line.image_url.as_deref())
        .list("Categories", line.categories.iter().map(String::as_str))
        .text("Brand", line.brand.as_deref())
        .build()
        .into()
}

/// What the lines cost together; `None` if there are none or if one has no price.
pub(crate) fn sum_of_lines(lines: &[Line], currency: Option<Currency>) -> Option<Money> {
    if lines.is_empty() {
        return None;
    }
    let amount = lines.iter().try_fold(Decimal::ZERO, |sum, line| sum.checked_add(line.amount()?))?;
    Some(Money { amount, currency })
}
