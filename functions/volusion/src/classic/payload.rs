//! The records that polls of V1 make, as far as they are read. All values are texts.

#![allow(clippy::struct_field_names, reason = "the names are Volusion's")]

use canonical::Instant;
use canonical::money::{Decimal, decimal_from_str};
use jiff::civil::{Date, DateTime, Time};
use platform::lenient::{Field, Id, Lenient, Object, Objects};
use serde::Deserialize;

/// A date and time of the store's clock, as people in the United States write it: `12/13/2012 10:17:00 AM`.
pub(crate) struct Local(pub(crate) DateTime);

impl Lenient<'_> for Local {
    fn from_text(text: &str) -> Option<Self> {
        local(text).map(Self)
    }
}

/// Reads such a time; without one it is midnight.
pub(crate) fn local(text: &str) -> Option<DateTime> {
    let mut parts = text.split_ascii_whitespace();
    let mut date = parts.next()?.split('/').map(str::parse::<i16>);
    let mut number = || date.next()?.ok();
    let (month, day, year) = (number()?, number()?, number()?);
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let Some(clock) = parts.next() else { return Some(date.to_datetime(Time::midnight())) };
    let mut clock = clock.split(':').map(str::parse::<i8>);
    let (hour, minute) = (clock.next()?.ok()?, clock.next()?.ok()?);
    let second = clock.next().map_or(Some(0), Result::ok)?;
    let hour = match parts.next() {
        None => hour,
        Some(half) if (1..=12).contains(&hour) => match half.to_ascii_uppercase().as_str() {
            "AM" => hour % 12,
            "PM" => hour % 12 + 12,
            _ => return None,
        },
        Some(_) => return None,
    };
    Some(date.to_datetime(Time::new(hour, minute, second, 0).ok()?))
}

/// An amount, with or without a sign of dollars and commas.
pub(crate) struct Amount(pub(crate) Decimal);

impl Lenient<'_> for Amount {
    fn from_text(text: &str) -> Option<Self> {
        decimal_from_str(&text.replace(['$', ','], "")).map(|amount| Self(amount.normalize()))
    }
}

/// `Y`, `N`, `True`, `False`.
pub(crate) struct Flag(pub(crate) bool);

impl Lenient<'_> for Flag {
    fn from_text(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "y" | "yes" | "true" | "1" => Some(Self(true)),
            "n" | "no" | "false" | "0" => Some(Self(false)),
            _ => None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Body {
    pub order: Field<Object<Order>>,
    pub lines: Objects<Line>,
    pub customer: Field<Object<Customer>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Order {
    #[serde(rename = "OrderID")]
    pub order_id: Field<Id>,
    #[serde(rename = "CustomerID")]
    pub customer_id: Field<Id>,
    pub order_date: Field<Local>,
    pub order_date_utc: Field<Local>,
    pub last_modified: Field<Local>,
    pub ship_date: Field<Local>,
    pub cancel_date: Field<Local>,
    pub cancel_reason: Field<String>,
    pub order_status: Field<String>,
    pub payment_amount: Field<Amount>,
    #[serde(rename = "Total_Payment_Received")]
    pub total_payment_received: Field<Amount>,
    #[serde(rename = "Total_Payment_Authorized")]
    pub total_payment_authorized: Field<Amount>,
    #[serde(rename = "Order_Entry_System")]
    pub order_entry_system: Field<String>,
    pub billing_first_name: Field<String>,
    pub billing_last_name: Field<String>,
    pub billing_company_name: Field<String>,
    pub billing_address1: Field<String>,
    pub billing_address2: Field<String>,
    pub billing_city: Field<String>,
    pub billing_state: Field<String>,
    pub billing_postal_code: Field<String>,
    pub billing_country: Field<String>,
    pub billing_phone_number: Field<String>,
    pub ship_first_name: Field<String>,
    pub ship_last_name: Field<String>,
    pub ship_company_name: Field<String>,
    pub ship_address1: Field<String>,
    pub ship_address2: Field<String>,
    pub ship_city: Field<String>,
    pub ship_state: Field<String>,
    pub ship_postal_code: Field<String>,
    pub ship_country: Field<String>,
    pub ship_phone_number: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Line {
    #[serde(rename = "OrderDetailID")]
    pub id: Field<Id>,
    pub product_code: Field<String>,
    #[serde(rename = "ProductID")]
    pub product_id: Field<Id>,
    pub product_name: Field<String>,
    pub product_price: Field<Amount>,
    pub quantity: Field<Amount>,
    pub total_price: Field<Amount>,
    pub coupon_code: Field<String>,
    pub qty_shipped: Field<Amount>,
    pub returned: Field<Flag>,
    #[serde(rename = "Returned_Date")]
    pub returned_date: Field<Local>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Customer {
    pub email_address: Field<String>,
    pub email_subscriber: Field<Flag>,
}

/// When, of a local time: in the store's zone.
pub(crate) fn instant(local: DateTime, zone: &jiff::tz::TimeZone) -> Option<Instant> {
    Instant::local(local, zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_united_states() {
        for (text, expected) in [
            ("12/13/2012 10:17:00 AM", "2012-12-13T10:17:00"),
            ("2/4/2014 3:09:05 PM", "2014-02-04T15:09:05"),
            ("2/4/2014 12:00:00 AM", "2014-02-04T00:00:00"),
            ("2/4/2014 12:30 PM", "2014-02-04T12:30:00"),
            ("2/4/2014 15:30:00", "2014-02-04T15:30:00"),
            ("2/4/2014", "2014-02-04T00:00:00"),
        ] {
            assert_eq!(local(text).unwrap().to_string(), expected);
        }
        for bad in [
            "",
            "13/1/2014",
            "2014-02-04",
            "2/4",
            "2/30/2014",
            "2/4/2014 13:00 PM",
            "2/4/2014 1:00 XM",
            "2/4/2014 1",
        ] {
            assert_eq!(local(bad), None, "{bad}");
        }
    }
}
