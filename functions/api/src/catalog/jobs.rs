//! Many records of the catalog at once: each row is read here, and done by a job.

use canonical::hash;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::{
    CatalogAction, CatalogError, CatalogJob, CatalogKind, CatalogProgress, CatalogRow, Job, JobKind,
};

use super::{Change, New, external_id, id_of, record_resource, type_of};
use crate::Api;
use crate::body::{self, Node};
use crate::document::{Answer, Resource, collection, fill_page, identifier, single, time};
use crate::error::{ApiError, ApiResult, Source};
use crate::request::{Asked, filter_texts};

/// Klaviyo's limits.
const MAX_ROWS: usize = 100;
const MAX_JOBS: usize = 500;
/// A row lies in an item of the table, which holds 400 KB.
const MAX_ROW_BYTES: usize = 350 * 1024;
/// How long a job can be asked about.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
const PAGE: usize = 100;
/// 11 digits of time, and 15 at random.
const ID_BYTES: usize = 26;
/// Pages of the store that one request reads at most when most jobs are filtered out.
const ROUNDS: usize = 20;

/// What a job of the catalog changes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bulk {
    pub(crate) of: CatalogKind,
    pub(crate) action: CatalogAction,
}

impl Bulk {
    /// The `type`, and where the jobs live.
    fn names(self) -> (&'static str, &'static str) {
        match (self.of, self.action) {
            (CatalogKind::Item, CatalogAction::Create) => {
                ("catalog-item-bulk-create-job", "catalog-item-bulk-create-jobs")
            }
            (CatalogKind::Item, CatalogAction::Update) => {
                ("catalog-item-bulk-update-job", "catalog-item-bulk-update-jobs")
            }
            (CatalogKind::Item, CatalogAction::Delete) => {
                ("catalog-item-bulk-delete-job", "catalog-item-bulk-delete-jobs")
            }
            (CatalogKind::Variant, CatalogAction::Create) => {
                ("catalog-variant-bulk-create-job", "catalog-variant-bulk-create-jobs")
            }
            (CatalogKind::Variant, CatalogAction::Update) => {
                ("catalog-variant-bulk-update-job", "catalog-variant-bulk-update-jobs")
            }
            (CatalogKind::Variant, CatalogAction::Delete) => {
                ("catalog-variant-bulk-delete-job", "catalog-variant-bulk-delete-jobs")
            }
            (CatalogKind::Category, CatalogAction::Create) => {
                ("catalog-category-bulk-create-job", "catalog-category-bulk-create-jobs")
            }
            (CatalogKind::Category, CatalogAction::Update) => {
                ("catalog-category-bulk-update-job", "catalog-category-bulk-update-jobs")
            }
            (CatalogKind::Category, CatalogAction::Delete) => {
                ("catalog-category-bulk-delete-job", "catalog-category-bulk-delete-jobs")
            }
        }
    }

    /// What its records are called, in the body and as a relation.
    fn records(self) -> &'static str {
        match self.of {
            CatalogKind::Item => "items",
            CatalogKind::Variant => "variants",
            CatalogKind::Category => "categories",
        }
    }
}

impl Api {
    /// `POST /api/catalog-{kind}-bulk-{action}-jobs`: 202 once every row is written down.
    pub(crate) async fn create_catalog_job(
        &self,
        bulk: Bulk,
        asked: &Asked,
        bytes: &[u8],
    ) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, bulk.names().0)?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&[bulk.records()])?;
        let nodes = attributes.required(bulk.records())?.object()?.required("data")?;
        let rows: Vec<CatalogRow> =
            nodes.items()?.take(MAX_ROWS + 1).map(|node| self.row(bulk, &node)).collect();
        if rows.is_empty() || rows.len() > MAX_ROWS {
            return Err(nodes.invalid(format!("A job has 1 to {MAX_ROWS} {}.", bulk.records())));
        }
        let is_one = |job: &Job| matches!(job.kind, JobKind::ChangeCatalog { .. });
        if self.store.jobs().await?.into_iter().filter(is_one).count() >= MAX_JOBS {
            let detail =
                format!("{MAX_JOBS} jobs of the catalog are in progress. Try again once one is complete.");
            let status = StatusCode::TOO_MANY_REQUESTS;
            return Err(ApiError::new(status, "too_many_jobs", "Too many jobs in progress.", detail));
        }
        let now = self.now();
        let Bulk { of, action } = bulk;
        // In the order of time, so that listings are.
        let random = hash::long_id(&["catalog job", &(self.random)().to_string()]);
        let job = CatalogJob {
            id: format!("{:011x}{}", now.as_millis().max(0), random.get(..15).unwrap_or_default()),
            of,
            action,
            total: rows.len() as u64,
            external_ids: rows.iter().filter_map(named_by).map(str::to_owned).collect(),
            created_at: now,
            expires_at: now.timestamp().checked_add(KEPT_FOR).map_err(ApiError::unavailable)?.into(),
            progress: CatalogProgress::default(),
        };
        let work = Job::new(job.id.clone(), JobKind::ChangeCatalog { of, action }, 1, now);
        self.store.create_catalog_job(&job, &rows, &work).await?;
        self.announce(&work).await;
        Ok(Answer::accepted(single(asked, job_resource(asked, &job).build(), None)))
    }

    /// What a row asks for, or what is wrong with it.
    fn row(&self, bulk: Bulk, node: &Node<'_>) -> CatalogRow {
        let row = self.read_row(bulk, node);
        let row = row.unwrap_or_else(|error| refused(node, error));
        match serde_json::to_vec(&row) {
            Ok(bytes) if bytes.len() <= MAX_ROW_BYTES => row,
            _ => refused(node, node.invalid("The resource must not be larger than 350 KB.")),
        }
    }

    fn read_row(&self, bulk: Bulk, node: &Node<'_>) -> ApiResult<CatalogRow> {
        let kind = bulk.of;
        let pointer = node.pointer.clone();
        let all_ids = |nodes: &[Node<'_>]| nodes.iter().map(named).collect::<ApiResult<Vec<_>>>();
        match bulk.action {
            CatalogAction::Create => {
                let new = New::of(kind, &node.resource(type_of(kind))?)?;
                let related = all_ids(&new.related)?;
                let item = new.item.as_ref().map(named).transpose()?;
                let record = self.new_record(kind, new.external_id, None, new.attributes);
                Ok(CatalogRow::Create { pointer, record, item, related })
            }
            CatalogAction::Update => {
                let data = node.resource(type_of(kind))?;
                let external_id = named(&data.required("id")?)?;
                let change = Change::of(kind, &data)?;
                let related = change.related.as_deref().map(all_ids).transpose()?;
                Ok(CatalogRow::Update { pointer, external_id, attributes: change.attributes, related })
            }
            CatalogAction::Delete => {
                Ok(CatalogRow::Delete { pointer, external_id: named(&node.id(type_of(kind))?)? })
            }
        }
    }

    /// `GET /api/catalog-{kind}-bulk-{action}-jobs`, the newest first.
    pub(crate) async fn list_catalog_jobs(&self, bulk: Bulk, asked: &Asked) -> ApiResult<Answer> {
        let filters = asked.filters().iter().map(filter_texts);
        let wanted: Vec<Vec<&str>> = filters.collect::<ApiResult<_>>()?;
        let now = self.now();
        let page = fill_page(asked.cursor()?, PAGE, ROUNDS, async |cursor, size| {
            let mut page = self.store.catalog_jobs(bulk.of, bulk.action, cursor, size).await?;
            page.items.retain(|job| {
                job.expires_at > now && wanted.iter().all(|wanted| wanted.contains(&status(job)))
            });
            Ok(page)
        })
        .await?;
        let data = page.items.iter().map(|job| job_resource(asked, job).build()).collect();
        let next = page.next.map(|cursor| cursor.encode());
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    /// `GET /api/catalog-{kind}-bulk-{action}-jobs/{id}`.
    pub(crate) async fn get_catalog_job(&self, bulk: Bulk, asked: &Asked, id: &str) -> ApiResult<Answer> {
        // What is longer than an id is no key of the table either.
        let found = match id.len() {
            ID_BYTES => self.store.catalog_job(bulk.of, bulk.action, id).await?,
            _ => None,
        };
        let job = found.filter(|job| job.expires_at > self.now());
        let job = job.ok_or_else(|| ApiError::not_found(bulk.names().0, id))?;
        let mut included = None;
        if asked.include().contains(&bulk.records()) {
            let ids = job.external_ids.iter().map(String::as_str);
            let found = self.store.catalog_records(bulk.of, ids.clone()).await?;
            let found = ids.filter_map(|id| found.get(id));
            included = Some(found.map(|record| record_resource(asked, record).build()).collect());
        }
        Ok(Answer::ok(single(asked, job_resource(asked, &job).build(), included)))
    }
}

/// The external id of a record that is named.
fn named(node: &Node<'_>) -> ApiResult<String> {
    let id = node.text()?;
    external_id(id).map(str::to_owned).ok_or_else(|| {
        let detail = format!("There is no resource with the id {id}.");
        ApiError { code: "not_found", ..node.invalid(detail) }
    })
}

/// The external id of a row's record.
fn named_by(row: &CatalogRow) -> Option<&str> {
    match row {
        CatalogRow::Create { record, .. } => Some(&record.external_id),
        CatalogRow::Update { external_id, .. } | CatalogRow::Delete { external_id, .. } => Some(external_id),
        CatalogRow::Refused(_) => None,
    }
}

fn refused(node: &Node<'_>, error: ApiError) -> CatalogRow {
    let pointer = match error.source {
        Some(Source::Pointer(pointer)) => pointer,
        _ => node.pointer.clone(),
    };
    let detail = error.detail.chars().take(300).collect();
    CatalogRow::Refused(CatalogError { pointer, code: error.code.to_owned(), detail })
}

fn status(job: &CatalogJob) -> &'static str {
    let CatalogProgress { completed, failed, ended_at, .. } = &job.progress;
    match (ended_at, completed + failed) {
        (Some(_), _) => "complete",
        (None, 0) => "queued",
        (None, _) => "processing",
    }
}

fn job_resource<'a>(asked: &'a Asked, job: &CatalogJob) -> Resource<'a> {
    let bulk = Bulk { of: job.of, action: job.action };
    let (name, collection) = bulk.names();
    let errors = job.progress.errors.iter().enumerate().map(|(place, error)| {
        json!({
            "id": hash::long_id(&["catalog error", &job.id, &place.to_string()]),
            "code": error.code,
            "title": "Invalid input.",
            "detail": error.detail,
            "source": {"pointer": error.pointer},
        })
    });
    let ids = job.external_ids.iter().map(|id| identifier(type_of(job.of), &id_of(id)));
    Resource::new(asked, name, collection, &job.id)
        .attribute("status", status(job))
        .attribute("created_at", time(job.created_at))
        .attribute("total_count", job.total)
        .attribute("completed_count", job.progress.completed)
        .attribute("failed_count", job.progress.failed)
        .attribute("completed_at", job.progress.ended_at.map(time))
        .attribute("errors", errors.collect::<Vec<Value>>())
        .attribute("expires_at", time(job.expires_at))
        .named(bulk.records(), ids.collect())
}
