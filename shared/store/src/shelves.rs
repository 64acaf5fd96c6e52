//! What of the catalog is listed where: all of a kind, and what belongs to what. In the order of creation.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::TransactWriteItem;

use crate::catalog::ATTEMPTS;
use crate::page::Listing;
use crate::table::{self, Item, item_text};
use crate::{CatalogKind, CatalogPlace, CatalogRecord, Cursor, Error, Page, Result, Store};

/// Relations of one transaction, of two writes each.
const RELATIONS: usize = 50;
/// Entries that are read at once.
const CHUNK: usize = 100;
/// Chunks that one page takes at most when most records are not wanted. The rest is left to the next page.
const ROUNDS: usize = 20;
/// A page ends before its records are larger together, in bytes: an answer holds 6 MB.
const PAGE_BYTES: usize = 3 * 1024 * 1024;

/// A list of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf<'a> {
    /// All of a kind.
    All(CatalogKind),
    /// The items of a category.
    ItemsOf(&'a CatalogPlace),
    /// The categories of an item.
    CategoriesOf(&'a CatalogPlace),
    /// The variants of an item.
    VariantsOf(&'a CatalogPlace),
    /// The variants of a stock keeping unit.
    WithSku(&'a str),
}

impl<'a> Shelf<'a> {
    /// What is on it.
    pub fn kind(&self) -> CatalogKind {
        match self {
            Self::All(kind) => *kind,
            Self::ItemsOf(_) => CatalogKind::Item,
            Self::CategoriesOf(_) => CatalogKind::Category,
            Self::VariantsOf(_) | Self::WithSku(_) => CatalogKind::Variant,
        }
    }

    /// What is in relation to an item or a category; `None` for a variant.
    pub(crate) fn related_to(kind: CatalogKind, place: &'a CatalogPlace) -> Option<Self> {
        match kind {
            CatalogKind::Item => Some(Self::CategoriesOf(place)),
            CatalogKind::Category => Some(Self::ItemsOf(place)),
            CatalogKind::Variant => None,
        }
    }

    /// The two entries of a relation between an item and a category.
    pub(crate) fn relation(kind: CatalogKind, owner: &CatalogPlace, other: &CatalogPlace) -> [Item; 2] {
        let (item, category) = if kind == CatalogKind::Item { (owner, other) } else { (other, owner) };
        [Shelf::CategoriesOf(item).entry(category), Shelf::ItemsOf(category).entry(item)]
    }

    fn partition(&self) -> String {
        match self {
            Self::All(CatalogKind::Item) => "catalog-items".to_owned(),
            Self::All(CatalogKind::Variant) => "catalog-variants".to_owned(),
            Self::All(CatalogKind::Category) => "catalog-categories".to_owned(),
            Self::ItemsOf(category) => format!("catalog-items#{}", category.uid()),
            Self::CategoriesOf(item) => format!("catalog-categories#{}", item.uid()),
            Self::VariantsOf(item) => format!("catalog-variants#{}", item.uid()),
            Self::WithSku(sku) => format!("catalog-sku#{sku}"),
        }
    }

    /// The entry of a record: a key, and nothing else.
    pub(crate) fn entry(&self, place: &CatalogPlace) -> Item {
        table::key(&self.partition(), place.as_str())
    }
}

impl Store {
    /// A page of the records of a shelf that stand on all `others` as well and are to be kept.
    pub async fn shelf(
        &self,
        shelf: &Shelf<'_>,
        others: &[Shelf<'_>],
        keep: impl Fn(&CatalogRecord) -> bool,
        (descending, after): (bool, Option<Cursor>),
        size: usize,
    ) -> Result<Page<CatalogRecord>> {
        let mut page = Page { items: Vec::new(), next: after };
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let entries = self.shelf_entries(shelf, descending, page.next.take(), CHUNK).await?;
            let mut last = None;
            for record in self.records_at(shelf.kind(), &entries.items, others).await? {
                if !keep(&record) {
                    continue;
                }
                let place = record.place();
                bytes += serde_json::to_vec(&record.attributes).map_or(0, |attributes| attributes.len());
                let is_full = page.items.len() >= size || bytes > PAGE_BYTES;
                if is_full && let Some(last) = last.or_else(|| page.items.last().map(CatalogRecord::place)) {
                    page.next = Some(Cursor::behind(last.as_str()));
                    return Ok(page);
                }
                page.items.push(record);
                last = Some(place);
            }
            page.next = entries.next;
            if page.next.is_none() || page.items.len() >= size {
                break;
            }
        }
        Ok(page)
    }

    /// The given records that stand on all of these shelves.
    pub async fn on_shelves(
        &self,
        mut records: Vec<CatalogRecord>,
        shelves: &[Shelf<'_>],
    ) -> Result<Vec<CatalogRecord>> {
        for shelf in shelves {
            let keys = records.iter().map(|record| shelf.entry(&record.place())).collect();
            let found = self.batch_get(&self.registry, keys).await?;
            let found: HashSet<&str> = found.iter().filter_map(|entry| item_text(entry, "sk")).collect();
            records.retain(|record| found.contains(record.place().as_str()));
        }
        Ok(records)
    }

    /// The records at these places, in their order; those that do not count are left out.
    async fn records_at(
        &self,
        kind: CatalogKind,
        places: &[CatalogPlace],
        others: &[Shelf<'_>],
    ) -> Result<Vec<CatalogRecord>> {
        let mut found = self.catalog_records(kind, places.iter().map(CatalogPlace::external_id)).await?;
        let records = places.iter().filter_map(|place| {
            let record = found.remove(place.external_id())?;
            if record.uid == place.uid() {
                return Some(record);
            }
            // This entry was left behind; that of the record itself may follow.
            found.insert(record.external_id.clone(), record);
            None
        });
        self.on_shelves(records.collect(), others).await
    }

    /// Puts an item or a category in relation to others. Those that are already, stay.
    pub async fn relate(
        &self,
        kind: CatalogKind,
        owner: &CatalogPlace,
        others: &[CatalogPlace],
    ) -> Result<()> {
        let put = |entry| table::put_of(&self.registry, entry);
        self.write_relations(kind, owner, others, put).await
    }

    /// Ends relations of an item or a category. Those that are not, need none.
    pub async fn unrelate(
        &self,
        kind: CatalogKind,
        owner: &CatalogPlace,
        others: &[CatalogPlace],
    ) -> Result<()> {
        let delete = |entry| table::delete_of(&self.registry, entry);
        self.write_relations(kind, owner, others, delete).await
    }

    /// Puts an item or a category in relation to these and no others.
    pub async fn relate_only(
        &self,
        kind: CatalogKind,
        owner: &CatalogPlace,
        wanted: &[CatalogPlace],
    ) -> Result<()> {
        let Some(shelf) = Shelf::related_to(kind, owner) else { return Ok(()) };
        let present = self.entries(&shelf, usize::MAX).await?;
        let present: HashSet<CatalogPlace> = present.into_iter().collect();
        let wanted: HashSet<CatalogPlace> = wanted.iter().cloned().collect();
        let missing: Vec<_> = wanted.difference(&present).cloned().collect();
        let superfluous: Vec<_> = present.difference(&wanted).cloned().collect();
        self.relate(kind, owner, &missing).await?;
        self.unrelate(kind, owner, &superfluous).await
    }

    /// Both directions of each relation are written at once.
    async fn write_relations(
        &self,
        kind: CatalogKind,
        owner: &CatalogPlace,
        others: &[CatalogPlace],
        write: impl Fn(Item) -> Result<TransactWriteItem>,
    ) -> Result<()> {
        for others in others.chunks(RELATIONS) {
            let entries = others.iter().flat_map(|other| Shelf::relation(kind, owner, other));
            let writes: Vec<_> = entries.map(&write).collect::<Result<_>>()?;
            let mut attempt = 0;
            loop {
                match self.transact(writes.clone()).await {
                    Err(Error::Conflict) if attempt < ATTEMPTS => attempt += 1,
                    outcome => break outcome?,
                }
            }
        }
        Ok(())
    }

    /// The first places of a shelf, whether they count or not.
    pub(crate) async fn entries(&self, shelf: &Shelf<'_>, limit: usize) -> Result<Vec<CatalogPlace>> {
        let mut places = Vec::new();
        let mut next = None;
        loop {
            let page = self.shelf_entries(shelf, false, next, CHUNK.min(limit - places.len())).await?;
            places.extend(page.items);
            next = page.next;
            if next.is_none() || places.len() >= limit {
                return Ok(places);
            }
        }
    }

    async fn shelf_entries(
        &self,
        shelf: &Shelf<'_>,
        descending: bool,
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<CatalogPlace>> {
        let listing = Listing {
            table: &self.registry,
            index: None,
            partition_attribute: "pk",
            partitions: vec![shelf.partition()],
            sort_attribute: "sk",
            lower: None,
            upper: None,
            descending,
            after,
            size,
        };
        let page = self.listing(&listing).await?;
        let places =
            page.items.iter().filter_map(|entry| Some(CatalogPlace(item_text(entry, "sk")?.to_owned())));
        Ok(Page { items: places.collect(), next: page.next })
    }
}
