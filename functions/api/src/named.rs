//! What lists and segments have in common: an id, a name and two times, by which they are sorted and filtered.

use canonical::Instant;
use store::{ListRecord, SegmentRecord};

use crate::error::ApiResult;
use crate::filter::{Filter, Operator};
use crate::request::{Asked, filter_instant, filter_texts, unsupported};

/// Klaviyo's default and greatest size of a page of them.
pub(crate) const PAGE: usize = 10;

/// Something with an id, a name and two times.
pub(crate) trait Named {
    fn id(&self) -> &str;
    fn name(&self) -> &str;
    fn created_at(&self) -> Instant;
    fn updated_at(&self) -> Instant;
}

macro_rules! named {
    ($($record:ty),+) => {$(
        impl Named for $record {
            fn id(&self) -> &str {
                &self.id
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn created_at(&self) -> Instant {
                self.created_at
            }
            fn updated_at(&self) -> Instant {
                self.updated_at
            }
        }
    )+};
}

named!(ListRecord, SegmentRecord);

/// The key by which they are sorted as asked, the oldest first unless something else is, and whether backwards.
pub(crate) fn sorted<T: Named>(asked: &Asked) -> (impl Fn(&T) -> String, bool) {
    let (field, descending) = asked.sort().unwrap_or(("created", false));
    let field = field.to_owned();
    let timed = |instant: Instant, id: &str| format!("{:014}#{id}", instant.as_millis().max(0));
    let key = move |record: &T| match field.as_str() {
        "name" => format!("{}#{}", record.name(), record.id()),
        "created" => timed(record.created_at(), record.id()),
        "updated" => timed(record.updated_at(), record.id()),
        _ => record.id().to_owned(),
    };
    (key, descending)
}

/// Keeps those that a filter on what they have in common wants.
pub(crate) fn keep_matching<T: Named>(records: &mut Vec<T>, filter: &Filter) -> ApiResult<()> {
    match filter.field.as_str() {
        "name" | "id" => {
            let values = filter_texts(filter)?;
            let by_name = filter.field == "name";
            records.retain(|record| values.contains(&if by_name { record.name() } else { record.id() }));
        }
        "created" | "updated" if filter.operator == Operator::GreaterThan => {
            let after = filter_instant(filter)?;
            let by_creation = filter.field == "created";
            let time = |record: &T| if by_creation { record.created_at() } else { record.updated_at() };
            records.retain(|record| time(record) > after);
        }
        _ => return Err(unsupported(filter)),
    }
    Ok(())
}
