//! Pages over an index that is spread over several partitions, merged into one order.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::table::{Item, item_text, text};
use crate::{Error, Result, Store};

/// Where a page ended: the last sort value that was given out. Opaque outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(String);

impl Cursor {
    /// As text for an address.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }

    /// Behind a profile, in a listing by id; behind a place, in one of the catalog.
    pub fn behind(profile_id: &str) -> Self {
        Self(profile_id.to_owned())
    }

    /// From text that a client sends back; `None` if it is not a cursor.
    pub fn decode(encoded: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(encoded.trim_end_matches('=')).ok()?;
        String::from_utf8(bytes).ok().filter(|value| !value.is_empty() && value.len() <= 2048).map(Self)
    }
}

/// One page.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one starts; `None` on the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// A page without a successor.
    pub fn last(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// A listing: partitions of one index, or of the table itself, whose sort values are unique, within inclusive bounds.
pub(crate) struct Listing<'a> {
    pub(crate) table: &'a str,
    pub(crate) index: Option<&'a str>,
    pub(crate) partition_attribute: &'a str,
    pub(crate) partitions: Vec<String>,
    pub(crate) sort_attribute: &'a str,
    pub(crate) lower: Option<String>,
    pub(crate) upper: Option<String>,
    pub(crate) descending: bool,
    pub(crate) after: Option<Cursor>,
    pub(crate) size: usize,
}

impl Store {
    /// Reads a page of a table or of one of its indexes. Each partition is read from the cursor on; a partition never
    /// contributes more than the page's size, so the merge is complete. What is inserted or removed meanwhile never
    /// shifts what comes after the cursor.
    pub(crate) async fn listing(&self, listing: &Listing<'_>) -> Result<Page<Item>> {
        let wanted = listing.size + 1;
        let reads =
            listing.partitions.iter().map(|partition| self.index_partition(listing, partition, wanted));
        let mut rows: Vec<(String, Item)> = futures::future::try_join_all(reads)
            .await?
            .into_iter()
            .flatten()
            .filter_map(|item| Some((item_text(&item, listing.sort_attribute)?.to_owned(), item)))
            .collect();
        rows.sort_by(|(a, _), (b, _)| if listing.descending { b.cmp(a) } else { a.cmp(b) });
        let more = rows.len() > listing.size;
        rows.truncate(listing.size);
        let next = rows.last().filter(|_| more).map(|(sort, _)| Cursor(sort.clone()));
        Ok(Page { items: rows.into_iter().map(|(_, item)| item).collect(), next })
    }

    async fn index_partition(
        &self,
        listing: &Listing<'_>,
        partition: &str,
        wanted: usize,
    ) -> Result<Vec<Item>> {
        let mut lower = listing.lower.clone();
        let mut upper = listing.upper.clone();
        if let Some(Cursor(after)) = &listing.after {
            let bound = if listing.descending { &mut upper } else { &mut lower };
            let tighter = match bound.as_ref() {
                Some(bound) if listing.descending => after < bound,
                Some(bound) => after > bound,
                None => true,
            };
            if tighter {
                *bound = Some(after.clone());
            }
        }
        if matches!((&lower, &upper), (Some(lower), Some(upper)) if lower > upper) {
            return Ok(Vec::new());
        }
        let condition = match (&lower, &upper) {
            (Some(_), Some(_)) => "#p = :p AND #s BETWEEN :lower AND :upper",
            (Some(_), None) => "#p = :p AND #s >= :lower",
            (None, Some(_)) => "#p = :p AND #s <= :upper",
            (None, None) => "#p = :p",
        };
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let mut request = self
                .client
                .query()
                .table_name(listing.table)
                .set_index_name(listing.index.map(str::to_owned))
                .consistent_read(listing.index.is_none())
                .key_condition_expression(condition)
                .expression_attribute_names("#p", listing.partition_attribute)
                .scan_index_forward(!listing.descending)
                .set_exclusive_start_key(start)
                // The cursor's own row is read again and dropped.
                .limit(i32::try_from(wanted - items.len() + 1).unwrap_or(i32::MAX))
                .expression_attribute_values(":p", text(partition));
            if condition.contains("#s") {
                request = request.expression_attribute_names("#s", listing.sort_attribute);
            }
            for (name, bound) in [(":lower", &lower), (":upper", &upper)] {
                if let Some(bound) = bound {
                    request = request.expression_attribute_values(name, AttributeValue::S(bound.clone()));
                }
            }
            let answer = request.send().await.map_err(|error| Error::of(&error))?;
            let rows = answer.items.unwrap_or_default().into_iter().filter(|row| {
                let sort = item_text(row, listing.sort_attribute);
                listing.after.as_ref().is_none_or(|Cursor(after)| sort != Some(after))
            });
            items.extend(rows);
            start = answer.last_evaluated_key;
            if start.is_none() || items.len() >= wanted {
                items.truncate(wanted);
                return Ok(items);
            }
        }
    }
}
