//! The catalog that clients keep through the API: items, their variants, and categories. The three differ in their
//! attributes and relations only.

mod attributes;
mod jobs;
mod listing;
mod operations;
mod relations;

use http::StatusCode;
use serde_json::{Map, Value};
use store::{CatalogKind, CatalogPlace, CatalogRecord, Error};

use crate::Api;
use crate::body::{self, Fields, Node};
use crate::document::{Answer, Resource, identifier, single, time};
use crate::error::{ApiError, ApiResult, Source};
use crate::request::Asked;

pub(crate) use operations::{JOBS, OPERATIONS, RELATED, RELATIONS};

/// Ids are made of the integration, the catalog and the client's own id. There is one integration and one catalog.
const INTEGRATION: &str = "$custom";
const CATALOG: &str = "$default";
const PREFIX: &str = "$custom:::$default:::";
/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;

/// The name of a kind as a `type`.
pub(crate) fn type_of(kind: CatalogKind) -> &'static str {
    match kind {
        CatalogKind::Item => "catalog-item",
        CatalogKind::Variant => "catalog-variant",
        CatalogKind::Category => "catalog-category",
    }
}

/// Where resources of a kind live.
fn collection_of(kind: CatalogKind) -> &'static str {
    match kind {
        CatalogKind::Item => "catalog-items",
        CatalogKind::Variant => "catalog-variants",
        CatalogKind::Category => "catalog-categories",
    }
}

/// The id outside.
fn id_of(external_id: &str) -> String {
    format!("{PREFIX}{external_id}")
}

/// The client's own id within an id.
fn external_id(id: &str) -> Option<&str> {
    let is_possible = |id: &&str| !id.is_empty() && id.chars().count() <= attributes::MAX_EXTERNAL_ID;
    id.strip_prefix(PREFIX).filter(is_possible)
}

/// What a request says of a record that it makes.
struct New<'a> {
    external_id: &'a str,
    attributes: Map<String, Value>,
    /// Ids of what it is in relation to.
    related: Vec<Node<'a>>,
    /// The id of a variant's item.
    item: Option<Node<'a>>,
}

impl<'a> New<'a> {
    fn of(kind: CatalogKind, data: &Fields<'a>) -> ApiResult<Self> {
        data.only(&["type", "attributes", "relationships"])?;
        let attributes = data.required("attributes")?.object()?;
        let external_id = attributes::read_external_id(&attributes)?;
        let item = match kind {
            CatalogKind::Variant => Some(relations::item_of(data)?),
            _ => None,
        };
        Ok(Self {
            external_id,
            attributes: attributes::read_new(kind, &attributes)?,
            related: relations::related_of(kind, data)?.unwrap_or_default(),
            item,
        })
    }
}

/// What a request says of a record that it changes.
struct Change<'a> {
    /// Null is what an attribute is when it is not given.
    attributes: Map<String, Value>,
    /// Ids of all that it is to be in relation to.
    related: Option<Vec<Node<'a>>>,
}

impl<'a> Change<'a> {
    fn of(kind: CatalogKind, data: &Fields<'a>) -> ApiResult<Self> {
        data.only(&["type", "id", "attributes", "relationships"])?;
        let attributes = data.required("attributes")?.object()?;
        Ok(Self {
            attributes: attributes::read_change(kind, &attributes)?,
            related: relations::related_of(kind, data)?,
        })
    }
}

impl Api {
    /// `POST /api/catalog-{kind}`.
    pub(crate) async fn create_catalog_record(
        &self,
        kind: CatalogKind,
        asked: &Asked,
        bytes: &[u8],
    ) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let new = New::of(kind, &body::data(&body, type_of(kind))?)?;
        let related = match relations::related_kind(kind) {
            Some((_, other)) => self.catalog_places(other, &new.related).await?,
            None => Vec::new(),
        };
        let item = self.catalog_places(CatalogKind::Item, new.item.as_slice()).await?.pop();
        let record = self.new_record(kind, new.external_id, item, new.attributes);
        match self.store.create_catalog_record(&record, &related).await {
            Err(Error::Taken(_)) => Err(taken(kind, &record.external_id)),
            outcome => {
                outcome?;
                Ok(Answer::created(single(asked, record_resource(asked, &record).build(), None)))
            }
        }
    }

    fn new_record(
        &self,
        kind: CatalogKind,
        external_id: &str,
        item: Option<CatalogPlace>,
        attributes: Map<String, Value>,
    ) -> CatalogRecord {
        let (uid, now) = (self.long_id("catalog"), self.now());
        let external_id = external_id.to_owned();
        CatalogRecord {
            kind,
            external_id,
            uid,
            item,
            attributes,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// `GET /api/catalog-{kind}/{id}`.
    pub(crate) async fn get_catalog_record(
        &self,
        kind: CatalogKind,
        asked: &Asked,
        id: &str,
    ) -> ApiResult<Answer> {
        let record = self.record_by_id(kind, id).await?;
        let (mut data, included) = self.catalog_resources(asked, &[record]).await?;
        Ok(Answer::ok(single(asked, data.pop().unwrap_or_default(), included)))
    }

    /// `PATCH /api/catalog-{kind}/{id}`.
    pub(crate) async fn update_catalog_record(
        &self,
        kind: CatalogKind,
        asked: &Asked,
        id: &str,
        bytes: &[u8],
    ) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, type_of(kind))?;
        let named = data.required("id")?;
        if named.text()? != id {
            return Err(named.invalid("The id must be that of the address."));
        }
        let change = Change::of(kind, &data)?;
        for _ in 0..ATTEMPTS {
            let before = self.record_by_id(kind, id).await?;
            let related = match (relations::related_kind(kind), &change.related) {
                (Some((_, other)), Some(related)) => Some(self.catalog_places(other, related).await?),
                _ => None,
            };
            let after = before.with(&change.attributes, self.now());
            if after != before {
                match self.store.update_catalog_record(&before, &after).await {
                    Err(Error::Conflict) => continue,
                    outcome => outcome?,
                }
            }
            if let Some(related) = related {
                self.store.relate_only(kind, &after.place(), &related).await?;
            }
            return Ok(Answer::ok(single(asked, record_resource(asked, &after).build(), None)));
        }
        Err(ApiError::unavailable("a record of the catalog changes all the time"))
    }

    /// `DELETE /api/catalog-{kind}/{id}`. The variants of an item go with it.
    pub(crate) async fn delete_catalog_record(&self, kind: CatalogKind, id: &str) -> ApiResult<Answer> {
        for _ in 0..ATTEMPTS {
            let record = self.record_by_id(kind, id).await?;
            let job = record.clearing(self.now());
            match self.store.delete_catalog_record(&record, job.as_ref()).await {
                Err(Error::Conflict) => {}
                outcome => {
                    outcome?;
                    if let Some(job) = &job {
                        self.announce(job).await;
                    }
                    return Ok(Answer::empty(StatusCode::NO_CONTENT));
                }
            }
        }
        Err(ApiError::unavailable("a record of the catalog changes all the time"))
    }

    /// A record by its id outside, or 404.
    pub(crate) async fn record_by_id(&self, kind: CatalogKind, id: &str) -> ApiResult<CatalogRecord> {
        let record = match external_id(id) {
            Some(external_id) => self.store.catalog_record(kind, external_id).await?,
            None => None,
        };
        record.ok_or_else(|| ApiError::not_found(type_of(kind), id))
    }
}

/// 409 for an id that is in use.
fn taken(kind: CatalogKind, external_id: &str) -> ApiError {
    let detail = format!("A {} with the external_id {external_id} exists already.", type_of(kind));
    let source = Some(Source::Pointer("/data/attributes/external_id".to_owned()));
    ApiError { source, ..ApiError::conflict("duplicate_catalog_resource", detail) }
}

fn record_resource<'a>(asked: &'a Asked, record: &CatalogRecord) -> Resource<'a> {
    let kind = record.kind;
    let resource = Resource::new(asked, type_of(kind), collection_of(kind), &id_of(&record.external_id))
        .attribute("external_id", record.external_id.as_str());
    let attributes = record.attributes.iter();
    let resource =
        attributes.fold(resource, |resource, (name, value)| resource.attribute(name, value.clone()));
    let resource = match kind {
        CatalogKind::Category => resource,
        _ => resource.attribute("created", time(record.created_at)),
    };
    let resource = resource.attribute("updated", time(record.updated_at));
    match (kind, &record.item) {
        (CatalogKind::Item, _) => resource.linked("variants"),
        (CatalogKind::Category, _) => resource.linked("items"),
        (CatalogKind::Variant, Some(item)) => {
            resource.related("item", identifier(type_of(CatalogKind::Item), &id_of(item.external_id())))
        }
        (CatalogKind::Variant, None) => resource.linked("item"),
    }
}
