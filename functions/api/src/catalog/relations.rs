//! Which items are in which categories.

use http::StatusCode;
use serde_json::Value;
use store::{CatalogKind, CatalogPlace, CatalogRecord};

use super::{external_id, type_of};
use crate::Api;
use crate::body::{self, Fields, Node};
use crate::document::Answer;
use crate::error::{ApiError, ApiResult, Source};

/// The most that one request puts in relation to something.
const MAX_RELATED: usize = 1000;

/// What is done with relations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relate {
    /// These come to those that are.
    Add,
    /// These and no others remain.
    Replace,
    /// These end.
    Remove,
}

/// What an item or a category is in relation to: the relation's name, and the kind.
pub(super) fn related_kind(kind: CatalogKind) -> Option<(&'static str, CatalogKind)> {
    match kind {
        CatalogKind::Item => Some(("categories", CatalogKind::Category)),
        CatalogKind::Category => Some(("items", CatalogKind::Item)),
        CatalogKind::Variant => None,
    }
}

/// The ids of what a resource is to be in relation to, if it says so.
pub(super) fn related_of<'a>(kind: CatalogKind, data: &Fields<'a>) -> ApiResult<Option<Vec<Node<'a>>>> {
    let Some((name, other)) = related_kind(kind) else { return Ok(None) };
    let Some(relationships) = data.optional("relationships") else { return Ok(None) };
    let relationships = relationships.object()?;
    relationships.only(&[name])?;
    let Some(relation) = relationships.optional(name) else { return Ok(None) };
    let relation = relation.object()?;
    relation.only(&["data", "links"])?;
    relation.optional("data").map(|data| data.ids(type_of(other), MAX_RELATED)).transpose()
}

/// The id of the item that a variant is of.
pub(super) fn item_of<'a>(data: &Fields<'a>) -> ApiResult<Node<'a>> {
    let relationships = data.required("relationships")?.object()?;
    relationships.only(&["item"])?;
    relationships.required("item")?.object()?.required("data")?.id(type_of(CatalogKind::Item))
}

impl Api {
    /// `POST`, `PATCH` and `DELETE /api/catalog-{kind}/{id}/relationships/…`. All that are named must be there.
    pub(crate) async fn relate_catalog(
        &self,
        kind: CatalogKind,
        relate: Relate,
        id: &str,
        bytes: &[u8],
    ) -> ApiResult<Answer> {
        let owner = self.record_by_id(kind, id).await?.place();
        let body: Value = body::parse(bytes)?;
        if let Some((_, other)) = related_kind(kind) {
            let named = body::related(&body, type_of(other), MAX_RELATED)?;
            let others = self.catalog_places(other, &named).await?;
            match relate {
                Relate::Add => self.store.relate(kind, &owner, &others).await?,
                Relate::Replace => self.store.relate_only(kind, &owner, &others).await?,
                Relate::Remove => self.store.unrelate(kind, &owner, &others).await?,
            }
        }
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// Where the records of these ids stand.
    pub(super) async fn catalog_places(
        &self,
        kind: CatalogKind,
        named: &[Node<'_>],
    ) -> ApiResult<Vec<CatalogPlace>> {
        Ok(self.named_records(kind, named).await?.iter().map(CatalogRecord::place).collect())
    }

    /// The records of these ids; 404, which says where in the body, if one is not there.
    pub(crate) async fn named_records(
        &self,
        kind: CatalogKind,
        named: &[Node<'_>],
    ) -> ApiResult<Vec<CatalogRecord>> {
        let ids = named.iter().filter_map(|node| external_id(node.value.as_str()?));
        let mut found = self.store.catalog_records(kind, ids).await?;
        let records = named.iter().map(|node| {
            let id = node.text()?;
            let record = external_id(id).and_then(|external_id| found.remove(external_id));
            record.ok_or_else(|| ApiError {
                source: Some(Source::Pointer(node.pointer.clone())),
                ..ApiError::not_found(type_of(kind), id)
            })
        });
        records.collect()
    }
}
