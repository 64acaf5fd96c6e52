//! Which lists and segments have which tags.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use serde_json::Value;
use store::{Error, Tag, TagBook, Taggable, Versioned};

use crate::Api;
use crate::body::{self, Node};
use crate::document::{Answer, Resource, collection, identifier};
use crate::error::{ApiError, ApiResult, Source};
use crate::operation::{Operation, Tier};
use crate::request::Asked;
use crate::shapes;
use crate::tags::{tag_data, tag_in};

/// The most tags of one list or segment (Klaviyo's limit).
const MAX_TAGS: usize = 100;
/// The most lists or segments of one request.
const MAX_NAMED: usize = 1000;
/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;
/// Lists or segments that are written at the same time.
const CONCURRENCY: usize = 16;
const OF_LIST: &[&str] = &["lists:read", "tags:read"];
const OF_SEGMENT: &[&str] = &["segments:read", "tags:read"];
const TO_LIST: &[&str] = &["lists:write", "tags:write"];
const TO_SEGMENT: &[&str] = &["segments:write", "tags:write"];

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_list_ids_for_tag", "/api/tags/{id}/relationships/lists", OF_LIST)
        .limited(Tier::Small)
        .gives_ids("list")
        .by(|call| Box::pin(call.api.tagged(call.asked, call.id, Taggable::List))),
    Operation::post("tag_lists", "/api/tags/{id}/relationships/lists", TO_LIST)
        .limited(Tier::Small)
        .takes_body::<shapes::Ids>()
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.tag(call.id, Taggable::List, call.body))),
    Operation::delete("remove_tag_from_lists", "/api/tags/{id}/relationships/lists", TO_LIST)
        .limited(Tier::Small)
        .takes_body::<shapes::Ids>()
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.untag(call.id, Taggable::List, call.body))),
    Operation::get("get_segment_ids_for_tag", "/api/tags/{id}/relationships/segments", OF_SEGMENT)
        .limited(Tier::Small)
        .gives_ids("segment")
        .by(|call| Box::pin(call.api.tagged(call.asked, call.id, Taggable::Segment))),
    Operation::post("tag_segments", "/api/tags/{id}/relationships/segments", TO_SEGMENT)
        .limited(Tier::Small)
        .takes_body::<shapes::Ids>()
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.tag(call.id, Taggable::Segment, call.body))),
    Operation::delete("remove_tag_from_segments", "/api/tags/{id}/relationships/segments", TO_SEGMENT)
        .limited(Tier::Small)
        .takes_body::<shapes::Ids>()
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.untag(call.id, Taggable::Segment, call.body))),
    Operation::get("get_tags_for_list", "/api/lists/{id}/tags", OF_LIST)
        .limited(Tier::Small)
        .fields(&["tag"])
        .gives_page::<shapes::Tag>("tag")
        .by(|call| Box::pin(call.api.tags_on(call.asked, call.id, Taggable::List, false))),
    Operation::get("get_tag_ids_for_list", "/api/lists/{id}/relationships/tags", OF_LIST)
        .limited(Tier::Small)
        .gives_ids("tag")
        .by(|call| Box::pin(call.api.tags_on(call.asked, call.id, Taggable::List, true))),
    Operation::get("get_tags_for_segment", "/api/segments/{id}/tags", OF_SEGMENT)
        .limited(Tier::Small)
        .fields(&["tag"])
        .gives_page::<shapes::Tag>("tag")
        .by(|call| Box::pin(call.api.tags_on(call.asked, call.id, Taggable::Segment, false))),
    Operation::get("get_tag_ids_for_segment", "/api/segments/{id}/relationships/tags", OF_SEGMENT)
        .limited(Tier::Small)
        .gives_ids("tag")
        .by(|call| Box::pin(call.api.tags_on(call.asked, call.id, Taggable::Segment, true))),
];

/// The tags of the lists or segments of an answer, if they are asked for.
pub(crate) struct IncludedTags(Option<HashMap<String, Vec<Tag>>>);

impl IncludedTags {
    /// A resource with its tags.
    pub(crate) fn relate<'a>(&self, resource: Resource<'a>, id: &str) -> Resource<'a> {
        let Some(by_id) = &self.0 else { return resource };
        let tags = by_id.get(id).into_iter().flatten();
        resource.related("tags", tags.map(|tag| identifier("tag", &tag.id)).collect())
    }

    /// All of them, each once.
    pub(crate) fn included(&self, asked: &Asked) -> Option<Vec<Value>> {
        let tags: BTreeMap<&str, &Tag> =
            self.0.as_ref()?.values().flatten().map(|tag| (tag.id.as_str(), tag)).collect();
        Some(tags.into_values().map(|tag| tag_data(asked, tag, false)).collect())
    }
}

impl Api {
    /// The tags of some lists or segments, if the request includes them.
    pub(crate) async fn included_tags(
        &self,
        asked: &Asked,
        what: Taggable,
        ids: &[&str],
    ) -> ApiResult<IncludedTags> {
        if !asked.include().contains(&"tags") {
            return Ok(IncludedTags(None));
        }
        let by_id = self.store.tags_of_all(what, ids).await?;
        let book = self.tag_book().await?.value;
        let known = by_id.into_iter().map(|(id, tags)| (id, known_tags(&book, &tags)));
        Ok(IncludedTags(Some(known.collect())))
    }

    /// `GET /api/{lists,segments}/{id}/tags` and its relationship.
    pub(crate) async fn tags_on(
        &self,
        asked: &Asked,
        id: &str,
        what: Taggable,
        only_ids: bool,
    ) -> ApiResult<Answer> {
        if !self.is_there(what, id).await? {
            return Err(ApiError::not_found(kind(what), id));
        }
        let tags = self.store.tags_of(what, id).await?.value;
        let tags = known_tags(&self.tag_book().await?.value, &tags);
        let data = tags.iter().map(|tag| tag_data(asked, tag, only_ids)).collect();
        Ok(Answer::ok(collection(asked, data, None, None)))
    }

    /// `GET /api/tags/{id}/relationships/{lists,segments}`.
    pub(crate) async fn tagged(&self, asked: &Asked, id: &str, what: Taggable) -> ApiResult<Answer> {
        tag_in(&self.tag_book().await?.value, id)?;
        let tagged = self.store.tagged(what).await?;
        let having = tagged.iter().filter(|(_, tags)| tags.iter().any(|tag| tag == id));
        let data = having.map(|(named, _)| identifier(kind(what), named)).collect();
        Ok(Answer::ok(collection(asked, data, None, None)))
    }

    /// `POST /api/tags/{id}/relationships/{lists,segments}`. What has the tag keeps it.
    pub(crate) async fn tag(&self, id: &str, what: Taggable, bytes: &[u8]) -> ApiResult<Answer> {
        let book = self.tag_book().await?.value;
        let tag = tag_in(&book, id)?;
        let body = body::parse(bytes)?;
        let named = self.all_named(what, &body).await?;
        let ids: ApiResult<Vec<&str>> = named.iter().map(Node::text).collect();
        let before = self.store.tags_of_all(what, &ids?).await?;
        // Nothing is written if anything is wrong.
        for node in &named {
            let tags = before.get(node.text()?).map(|tags| known_ids(&book, tags)).unwrap_or_default();
            may_have(&book, tag, &tags, node)?;
        }
        let work: Vec<_> = named.iter().map(|node| self.add_tag(&book, tag, what, node)).collect();
        stream::iter(work).buffered(CONCURRENCY).try_collect::<Vec<()>>().await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// `DELETE /api/tags/{id}/relationships/{lists,segments}`. What has not got the tag stays as it is.
    pub(crate) async fn untag(&self, id: &str, what: Taggable, bytes: &[u8]) -> ApiResult<Answer> {
        let book = self.tag_book().await?.value;
        let tag = tag_in(&book, id)?;
        let body = body::parse(bytes)?;
        let named = self.all_named(what, &body).await?;
        let work: Vec<_> = named
            .iter()
            .map(|node| {
                self.change_tags_of(&book, what, node, |tags| {
                    tags.retain(|other| *other != tag.id);
                    Ok(())
                })
            })
            .collect();
        stream::iter(work).buffered(CONCURRENCY).try_collect::<Vec<()>>().await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    async fn add_tag(&self, book: &TagBook, tag: &Tag, what: Taggable, node: &Node<'_>) -> ApiResult<()> {
        self.change_tags_of(book, what, node, |tags| {
            may_have(book, tag, tags, node)?;
            if !tags.contains(&tag.id) {
                tags.push(tag.id.clone());
            }
            Ok(())
        })
        .await
    }

    async fn change_tags_of(
        &self,
        book: &TagBook,
        what: Taggable,
        node: &Node<'_>,
        change: impl Fn(&mut Vec<String>) -> ApiResult<()>,
    ) -> ApiResult<()> {
        let id = node.text()?;
        for _ in 0..ATTEMPTS {
            let Versioned { value: before, version } = self.store.tags_of(what, id).await?;
            let mut after = known_ids(book, &before);
            change(&mut after)?;
            if after == before {
                return Ok(());
            }
            match self.store.put_tags_of(what, id, &after, version).await {
                Ok(()) => return Ok(()),
                Err(Error::Conflict) if self.is_there(what, id).await? => {}
                Err(Error::Conflict) => return Err(ApiError::not_found(kind(what), id)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(ApiError::unavailable("too many tags change at once"))
    }

    /// The lists or segments that a body names, each once; 404 if one is not there.
    async fn all_named<'a>(&self, what: Taggable, body: &'a Value) -> ApiResult<Vec<Node<'a>>> {
        let named = body::related(body, kind(what), MAX_NAMED)?;
        let there: BTreeSet<String> = match what {
            Taggable::List => self.store.lists().await?.into_iter().map(|list| list.id).collect(),
            Taggable::Segment => self.store.segments().await?.into_iter().map(|segment| segment.id).collect(),
        };
        for node in &named {
            let id = node.text()?;
            if !there.contains(id) {
                let source = Some(Source::Pointer(node.pointer.clone()));
                return Err(ApiError { source, ..ApiError::not_found(kind(what), id) });
            }
        }
        Ok(named)
    }

    async fn is_there(&self, what: Taggable, id: &str) -> ApiResult<bool> {
        Ok(match what {
            Taggable::List => self.store.list(id).await?.is_some(),
            Taggable::Segment => self.store.segment(id).await?.is_some(),
        })
    }
}

fn kind(what: Taggable) -> &'static str {
    match what {
        Taggable::List => "list",
        Taggable::Segment => "segment",
    }
}

/// The tags of these ids that are there.
fn known_tags(book: &TagBook, ids: &[String]) -> Vec<Tag> {
    ids.iter().filter_map(|id| book.tags.iter().find(|tag| tag.id == *id)).cloned().collect()
}

fn known_ids(book: &TagBook, ids: &[String]) -> Vec<String> {
    ids.iter().filter(|id| book.tags.iter().any(|tag| tag.id == **id)).cloned().collect()
}

/// Refuses a tag for what has these already, if it would have too many, or two of an exclusive group.
fn may_have(book: &TagBook, tag: &Tag, tags: &[String], node: &Node<'_>) -> ApiResult<()> {
    if tags.contains(&tag.id) {
        return Ok(());
    }
    if tags.len() >= MAX_TAGS {
        return Err(node.invalid(format!("It has {MAX_TAGS} tags already.")));
    }
    let is_exclusive = book.groups.iter().any(|group| group.id == tag.group && group.exclusive);
    let other = known_tags(book, tags).into_iter().find(|other| other.group == tag.group);
    match other.filter(|_| is_exclusive) {
        None => Ok(()),
        Some(other) => {
            let detail = format!("It has the tag {} of the same group, which is exclusive.", other.id);
            let source = Some(Source::Pointer(node.pointer.clone()));
            Err(ApiError { source, ..ApiError::conflict("exclusive_tag_group", detail) })
        }
    }
}
