//! What every record's reading shares.

use canonical::Instant;
use platform::Fetched;
use platform::lenient::{Dropped, Field, Id, Moment, Object, Objects};
use platform::reading::{Reader, Silence};
use serde::de::DeserializeOwned;

use crate::{SOURCE, access, header};

/// Takes the id that a record makes no sense without. `code` is what a complaint has in its place.
pub(crate) fn identity(
    reader: &mut Reader<'_>,
    id: Field<Id>,
    code: &Field<String>,
) -> Result<String, Silence> {
    if id == Field::Absent && *code != Field::Absent {
        let reason = "an error instead of the record: the webhook's user may not read it";
        return Err(Silence::Malformed(reason.to_owned()));
    }
    self::id(&mut reader.dropped, "id", id).ok_or_else(|| Silence::Malformed("no usable id".to_owned()))
}

/// Takes an id; 0 stands for none.
pub(crate) fn id(dropped: &mut Dropped, name: &'static str, id: Field<Id>) -> Option<String> {
    dropped.take(name, id).map(|Id(id)| id).filter(|id| id != "0")
}

/// Takes a time that is written in UTC without saying so.
pub(crate) fn time(dropped: &mut Dropped, name: &'static str, time: Field<Moment>) -> Option<Instant> {
    let instant = dropped.take(name, time)?.in_utc();
    if instant.is_none() {
        dropped.note(name);
    }
    instant
}

/// The shop's host, with the folder if it is in one.
pub(crate) fn shop(reader: &Reader<'_>) -> Option<String> {
    let url = reader.connection.text("shop_url").or_else(|| header(&reader.delivery.headers, SOURCE))?;
    Some(access::without_scheme(url).to_owned()).filter(|shop| !shop.is_empty())
}

/// The objects of a list that was fetched; none if the shop has no such list.
pub(crate) fn list<T: DeserializeOwned>(
    dropped: &mut Dropped,
    name: &'static str,
    answer: Option<&Fetched>,
) -> Vec<T> {
    let Some(answer) = answer.filter(|answer| answer.status == 200) else { return Vec::new() };
    let list: Objects<T> = serde_json::from_slice(&answer.body).unwrap_or(Field::Bad);
    dropped.list(name, list).into_iter().map(|Object(object)| object).collect()
}
