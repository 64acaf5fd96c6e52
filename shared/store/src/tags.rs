//! Tags, their groups, and what they are on.
//!
//! An account has few tags, so all of them and their groups are one document, which makes every rule about them one
//! conditional write. Beside it, each list and each segment has a document with the ids of its tags. A tag is gone as
//! soon as the first document lacks it: an id that is left in one of the others means nothing, and ids are not used
//! again.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

use crate::lists::LIST;
use crate::registry::{SEGMENT, document_item, item_number, read_document};
use crate::table::{self, Item, Unless, item_text, number};
use crate::{Error, Result, Store, Versioned};

const TAGS: &str = "tags";

/// All tags of the account and their groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagBook {
    /// In the order in which they were made.
    pub groups: Vec<TagGroup>,
    /// In the order in which they were made.
    pub tags: Vec<Tag>,
}

/// A group of tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagGroup {
    /// A UUID.
    pub id: String,
    /// The name.
    pub name: String,
    /// Whether a list or a segment has one tag of the group at most.
    pub exclusive: bool,
    /// The one group that cannot be deleted, and takes tags that name no group.
    #[serde(rename = "default")]
    pub is_default: bool,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// A UUID.
    pub id: String,
    /// The name.
    pub name: String,
    /// The group it belongs to for good.
    pub group: String,
}

/// What can have tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Taggable {
    /// A list.
    List,
    /// A segment.
    Segment,
}

impl Taggable {
    /// The partition of the things themselves.
    fn kind(self) -> &'static str {
        match self {
            Self::List => LIST,
            Self::Segment => SEGMENT,
        }
    }

    /// The partition of their tags.
    fn partition(self) -> String {
        format!("{TAGS}#{}", self.kind())
    }
}

impl Store {
    /// All tags and groups; those of version 0 are nobody's yet.
    pub async fn tag_book(&self) -> Result<Versioned<TagBook>> {
        match self.get(&self.registry, TAGS, TAGS).await? {
            Some(item) => {
                Ok(Versioned { value: read_document(TAGS, &item)?, version: item_number(&item, "v") })
            }
            None => Ok(Versioned { value: TagBook::default(), version: 0 }),
        }
    }

    /// Replaces all tags and groups; [`Error::Conflict`] if they are not of this version any more.
    pub async fn put_tag_book(&self, book: &TagBook, read_version: u64) -> Result<()> {
        let mut item = document_item(TAGS, TAGS, book)?;
        item.insert("v".to_owned(), number(read_version + 1));
        let unless = if read_version == 0 { Unless::Exists } else { Unless::VersionIsNot(read_version) };
        self.put(&self.registry, item, Some(unless)).await
    }

    /// The ids of something's tags. Some may be of tags that are gone.
    pub async fn tags_of(&self, what: Taggable, id: &str) -> Result<Versioned<Vec<String>>> {
        match self.get(&self.registry, &what.partition(), id).await? {
            Some(item) => {
                Ok(Versioned { value: read_document(TAGS, &item)?, version: item_number(&item, "v") })
            }
            None => Ok(Versioned { value: Vec::new(), version: 0 }),
        }
    }

    /// The ids of the tags of several of a kind; those that have none are left out.
    pub async fn tags_of_all(&self, what: Taggable, ids: &[&str]) -> Result<HashMap<String, Vec<String>>> {
        let keys = ids.iter().map(|id| table::key(&what.partition(), id)).collect();
        self.batch_get(&self.registry, keys).await?.iter().map(read_tagged).collect()
    }

    /// All of a kind that have tags, by id, with the ids of their tags.
    pub async fn tagged(&self, what: Taggable) -> Result<Vec<(String, Vec<String>)>> {
        let items = self.partition(&self.registry, &what.partition(), "").await?;
        items.iter().map(read_tagged).collect()
    }

    /// Replaces the tags of something; [`Error::Conflict`] if they are not of this version any more, or it is gone.
    pub async fn put_tags_of(
        &self,
        what: Taggable,
        id: &str,
        tags: &[String],
        read_version: u64,
    ) -> Result<()> {
        let corrupt = |error| Error::corrupt("transaction", error);
        let check = ConditionCheck::builder()
            .table_name(&self.registry)
            .set_key(Some(table::key(what.kind(), id)))
            .condition_expression("attribute_exists(pk)")
            .build()
            .map_err(corrupt)?;
        let mut item = document_item(&what.partition(), id, &tags)?;
        item.insert("v".to_owned(), number(read_version + 1));
        let put = Put::builder().table_name(&self.registry).set_item(Some(item));
        let put = if read_version == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("v = :v").expression_attribute_values(":v", number(read_version))
        };
        let check = TransactWriteItem::builder().condition_check(check).build();
        let put = TransactWriteItem::builder().put(put.build().map_err(corrupt)?).build();
        self.transact(vec![check, put]).await
    }

    /// The removal of the tags of something that goes with them, as a part of a transaction.
    pub(crate) fn delete_tags_of(&self, what: Taggable, id: &str) -> Result<TransactWriteItem> {
        table::delete_of(&self.registry, table::key(&what.partition(), id))
    }
}

fn read_tagged(item: &Item) -> Result<(String, Vec<String>)> {
    let id = item_text(item, "sk").ok_or_else(|| Error::corrupt(TAGS, "key missing"))?;
    Ok((id.to_owned(), read_document(TAGS, item)?))
}
