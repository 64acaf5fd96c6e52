//! Listings of the catalog: of all of a kind, and of what belongs to something.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use store::{CatalogKind, CatalogPlace, CatalogRecord, Shelf};

use super::attributes::MAX_SKU;
use super::{external_id, id_of, record_resource, type_of};
use crate::Api;
use crate::document::{Answer, collection, identifier, page_of};
use crate::error::{ApiError, ApiResult};
use crate::filter::Filter;
use crate::request::{Asked, bad_value, filter_texts};

/// The default and the greatest size of a page.
pub(super) const PAGE: usize = 100;
/// The most ids of a filter.
const MAX_IDS: usize = 1000;
/// The most variants that are included with an item. All of them have an address of their own.
const MAX_INCLUDED: usize = 100;
/// Items whose variants are read at the same time.
const CONCURRENCY: usize = 8;

/// What a filter wants.
#[derive(Default)]
struct Wanted<'a> {
    /// External ids.
    ids: Option<HashSet<&'a str>>,
    /// Parts of the title or name, in lower case.
    parts: Vec<String>,
    is_published: Option<bool>,
    skus: Vec<&'a str>,
    /// Ids of what it must belong to.
    owners: Vec<&'a str>,
    /// It contradicts itself.
    nothing: bool,
}

impl<'a> Wanted<'a> {
    fn of(filters: &'a [Filter]) -> ApiResult<Self> {
        let mut wanted = Self::default();
        for filter in filters {
            match filter.field.as_str() {
                "ids" => {
                    let ids = filter_texts(filter)?;
                    if ids.len() > MAX_IDS {
                        let detail = format!("'ids' takes at most {MAX_IDS} values.");
                        return Err(ApiError::parameter("filter", detail));
                    }
                    let ids: HashSet<&str> = ids.into_iter().filter_map(external_id).collect();
                    wanted.ids = Some(match wanted.ids {
                        Some(others) => &others & &ids,
                        None => ids,
                    });
                }
                "category.id" | "item.id" => wanted.owners.push(one_text(filter)?),
                "sku" => wanted.skus.push(one_text(filter)?),
                "published" => {
                    let published =
                        one_text(filter)?.parse().map_err(|_| bad_value(filter, "true or false"))?;
                    wanted.nothing |= wanted.is_published.is_some_and(|other| other != published);
                    wanted.is_published = Some(published);
                }
                _ => wanted.parts.push(one_text(filter)?.to_lowercase()),
            }
        }
        Ok(wanted)
    }

    fn matches(&self, record: &CatalogRecord) -> bool {
        let name = record.text("title").or(record.text("name")).unwrap_or_default().to_lowercase();
        let published = record.attributes.get("published").and_then(Value::as_bool);
        self.parts.iter().all(|part| name.contains(part.as_str()))
            && self.is_published.is_none_or(|wanted| published == Some(wanted))
    }
}

fn one_text(filter: &Filter) -> ApiResult<&str> {
    filter.value.text().ok_or_else(|| bad_value(filter, "one value"))
}

/// What of a kind belongs to an owner.
fn shelf_of(kind: CatalogKind, owner: &CatalogPlace) -> Shelf<'_> {
    match kind {
        CatalogKind::Item => Shelf::ItemsOf(owner),
        CatalogKind::Variant => Shelf::VariantsOf(owner),
        CatalogKind::Category => Shelf::CategoriesOf(owner),
    }
}

impl Api {
    /// `GET /api/catalog-{kind}`.
    pub(crate) async fn list_catalog(&self, kind: CatalogKind, asked: &Asked) -> ApiResult<Answer> {
        let (records, next) = self.records(kind, asked, None).await?;
        let (data, included) = self.catalog_resources(asked, &records).await?;
        Ok(Answer::ok(collection(asked, data, next.as_deref(), included)))
    }

    /// `GET /api/catalog-{owner}/{id}/{kind}` and its relationship.
    pub(crate) async fn list_catalog_of(
        &self,
        (owner, id): (CatalogKind, &str),
        kind: CatalogKind,
        asked: &Asked,
        only_ids: bool,
    ) -> ApiResult<Answer> {
        let owner = self.record_by_id(owner, id).await?.place();
        let (records, next) = self.records(kind, asked, Some(&owner)).await?;
        let (data, included) = if only_ids {
            let ids = records.iter().map(|record| identifier(type_of(kind), &id_of(&record.external_id)));
            (ids.collect(), None)
        } else {
            self.catalog_resources(asked, &records).await?
        };
        Ok(Answer::ok(collection(asked, data, next.as_deref(), included)))
    }

    /// A page of records, and the cursor of the next.
    async fn records(
        &self,
        kind: CatalogKind,
        asked: &Asked,
        owner: Option<&CatalogPlace>,
    ) -> ApiResult<(Vec<CatalogRecord>, Option<String>)> {
        let wanted = Wanted::of(asked.filters())?;
        let descending = asked.sort().is_some_and(|(_, descending)| descending);
        let size = asked.page_size();
        let owner_kind = if kind == CatalogKind::Item { CatalogKind::Category } else { CatalogKind::Item };
        let mut owners: Vec<CatalogPlace> = owner.cloned().into_iter().collect();
        for id in &wanted.owners {
            let Some(external_id) = external_id(id) else { return Ok((Vec::new(), None)) };
            let found = self.store.catalog_record(owner_kind, external_id).await?;
            let Some(found) = found else { return Ok((Vec::new(), None)) };
            owners.push(found.place());
        }
        if wanted.nothing || wanted.skus.iter().any(|sku| sku.chars().count() > MAX_SKU) {
            return Ok((Vec::new(), None));
        }
        let skus = wanted.skus.iter().map(|sku| Shelf::WithSku(sku));
        let shelves: Vec<Shelf<'_>> = owners.iter().map(|owner| shelf_of(kind, owner)).chain(skus).collect();
        if let Some(ids) = &wanted.ids {
            let found = self.store.catalog_records(kind, ids.iter().copied()).await?;
            let found = found.into_values().filter(|record| wanted.matches(record)).collect();
            let found = self.store.on_shelves(found, &shelves).await?;
            let key = |record: &CatalogRecord| record.place().as_str().to_owned();
            return page_of(asked, found, key, descending, size);
        }
        let all = [Shelf::All(kind)];
        let (first, others) = shelves.split_first().unwrap_or((&all[0], &[]));
        let keep = |record: &CatalogRecord| wanted.matches(record);
        let page = self.store.shelf(first, others, keep, (descending, asked.cursor()?), size).await?;
        Ok((page.items, page.next.map(|cursor| cursor.encode())))
    }

    /// Records as resources, and what is to be included with them.
    pub(crate) async fn catalog_resources(
        &self,
        asked: &Asked,
        records: &[CatalogRecord],
    ) -> ApiResult<(Vec<Value>, Option<Vec<Value>>)> {
        if !asked.include().contains(&"variants") {
            return Ok((records.iter().map(|record| record_resource(asked, record).build()).collect(), None));
        }
        let reads: Vec<_> = records.iter().map(|record| self.variants_of(record)).collect();
        let variants: Vec<Vec<CatalogRecord>> =
            stream::iter(reads).buffered(CONCURRENCY).try_collect().await?;
        let data = records.iter().zip(&variants).map(|(record, variants)| {
            let ids = variants
                .iter()
                .map(|variant| identifier(type_of(CatalogKind::Variant), &id_of(&variant.external_id)));
            record_resource(asked, record).related("variants", ids.collect()).build()
        });
        let data = data.collect();
        let included = variants.iter().flatten().map(|variant| record_resource(asked, variant).build());
        Ok((data, Some(included.collect())))
    }

    async fn variants_of(&self, item: &CatalogRecord) -> ApiResult<Vec<CatalogRecord>> {
        let place = item.place();
        let shelf = Shelf::VariantsOf(&place);
        Ok(self.store.shelf(&shelf, &[], |_| true, (false, None), MAX_INCLUDED).await?.items)
    }
}
