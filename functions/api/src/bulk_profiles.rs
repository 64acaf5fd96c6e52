//! Bulk imports of profiles: read row by row, written down with what is wrong with some, and left to a job.

use canonical::identity::Identifiers;
use canonical::{Profile, hash};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use store::{
    BulkError, BulkImport, BulkOutcome, BulkPlace, BulkProgress, BulkRow, Job, JobKind, JobStatus, ListRecord,
};
use tabular::ProfileRow;

use crate::Api;
use crate::body::{self, Fields, Node, ProfileInput};
use crate::document::{Answer, Resource, collection, identifier, page_of, single, time};
use crate::error::{ApiError, ApiResult, Source};
use crate::lists::list_resource;
use crate::operation::{ANY, Operation, Tier};
use crate::profiles::ADDITIONAL;
use crate::request::{Asked, Format, bad_value, filter_texts};
use crate::shapes;

/// The most profiles of one import (Klaviyo's limit).
const MAX_PROFILES: usize = 10_000;
/// The largest profile, in bytes (Klaviyo's limit of 100 KB).
const MAX_PROFILE_BYTES: usize = 100 * 1024;
/// Rows of a chunk, which is written down as one item and worked on in one go.
const CHUNK_ROWS: usize = 200;
/// The most lists that the profiles of one import are put on.
const MAX_LISTS: usize = 10;
/// An item of the table holds 400 KB.
const CHUNK_BYTES: usize = 250 * 1024;
/// How long an import can be asked about.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The longest text of an error: names of fields are the client's own.
const MAX_ERROR_CHARS: usize = 300;
/// Klaviyo's words for how far an import is; none is cancelled here.
const STATUSES: [&str; 4] = ["cancelled", "complete", "processing", "queued"];
const PAGE: usize = 20;
const MAX_PAGE: usize = 100;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::post(
        "bulk_import_profiles",
        "/api/profile-bulk-import-jobs",
        &["lists:write", "profiles:write"],
    )
    .limited(Tier::Medium)
    .fields(&["profile-bulk-import-job"])
    .takes::<shapes::NewProfiles>("profile-bulk-import-job")
    .related_to::<shapes::OntoLists>()
    .gives_one::<shapes::ProfileImport>(202, "profile-bulk-import-job")
    .by(|call| Box::pin(call.api.create_bulk_import(call.asked, call.body))),
    Operation::get(
        "get_bulk_import_profiles_jobs",
        "/api/profile-bulk-import-jobs",
        &["lists:read", "profiles:read"],
    )
    .limited(Tier::Medium)
    .filters(&[("status", ANY)])
    .sorts(&["created_at"])
    .fields(&["profile-bulk-import-job"])
    .pages(PAGE, MAX_PAGE)
    .gives_page::<shapes::ProfileImport>("profile-bulk-import-job")
    .by(|call| Box::pin(call.api.list_bulk_imports(call.asked))),
    Operation::get(
        "get_bulk_import_profiles_job",
        "/api/profile-bulk-import-jobs/{id}",
        &["lists:read", "profiles:read"],
    )
    .limited(Tier::Medium)
    .includes(&["lists"])
    .fields(&["profile-bulk-import-job", "list"])
    .gives_one::<shapes::ProfileImport>(200, "profile-bulk-import-job")
    .by(|call| Box::pin(call.api.get_bulk_import(call.asked, call.id))),
    Operation::get(
        "get_list_for_bulk_import_profiles_job",
        "/api/profile-bulk-import-jobs/{id}/lists",
        &["lists:read"],
    )
    .limited(Tier::Medium)
    .fields(&["list"])
    .gives_page::<shapes::List>("list")
    .by(|call| Box::pin(call.api.bulk_import_lists(call.asked, call.id, false))),
    Operation::get(
        "get_list_ids_for_bulk_import_profiles_job",
        "/api/profile-bulk-import-jobs/{id}/relationships/lists",
        &["lists:read"],
    )
    .limited(Tier::Medium)
    .gives_ids("list")
    .by(|call| Box::pin(call.api.bulk_import_lists(call.asked, call.id, true))),
    Operation::get(
        "get_errors_for_bulk_import_profiles_job",
        "/api/profile-bulk-import-jobs/{id}/import-errors",
        &["profiles:read"],
    )
    .limited(Tier::Medium)
    .fields(&["import-error"])
    .pages(PAGE, MAX_PAGE)
    .gives_page::<shapes::ImportError>("import-error")
    .by(|call| Box::pin(call.api.bulk_import_errors(call.asked, call.id))),
    Operation::get(
        "get_profiles_for_bulk_import_profiles_job",
        "/api/profile-bulk-import-jobs/{id}/profiles",
        &["profiles:read"],
    )
    .limited(Tier::Medium)
    .additional(&[("profile", &ADDITIONAL)])
    .fields(&["profile"])
    .pages(PAGE, MAX_PAGE)
    .gives_page::<shapes::Profile>("profile")
    .by(|call| Box::pin(call.api.bulk_import_profiles(call.asked, call.id, false))),
    Operation::get(
        "get_profile_ids_for_bulk_import_profiles_job",
        "/api/profile-bulk-import-jobs/{id}/relationships/profiles",
        &["profiles:read"],
    )
    .limited(Tier::Medium)
    .pages(PAGE, MAX_PAGE)
    .gives_ids("profile")
    .by(|call| Box::pin(call.api.bulk_import_profiles(call.asked, call.id, true))),
];

impl Api {
    /// `POST /api/profile-bulk-import-jobs`: 202 once every row is written down.
    pub(crate) async fn create_bulk_import(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let (rows, lists) = match asked.format {
            Format::Json => rows_of_json(bytes)?,
            Format::Csv => (rows_of_csv(bytes)?, Vec::new()),
            Format::Lines => (rows_of_lines(bytes), Vec::new()),
        };
        if rows.is_empty() || rows.len() > MAX_PROFILES {
            let detail = format!("An import has 1 to {MAX_PROFILES} profiles.");
            return Err(ApiError::invalid("/data/attributes/profiles/data", detail));
        }
        for list in &lists {
            if self.store.list(&list.id).await?.is_none() {
                let source = Some(Source::Pointer(list.pointer.clone()));
                return Err(ApiError { source, ..ApiError::not_found("list", &list.id) });
            }
        }
        let now = self.now();
        let expires_at = now.timestamp().checked_add(KEPT_FOR).map_err(ApiError::unavailable)?.into();
        // Whoever was erased since the very same request came first is not brought back by it.
        let digest = hash::long_id(&["bulk import", &String::from_utf8_lossy(bytes)]);
        let first_sent_at = self.store.first_sent(&digest, now, expires_at).await?;
        let chunks = chunks_of(rows);
        let import = BulkImport {
            id: self.long_id("bulk import"),
            total: chunks.iter().map(|rows| rows.len() as u64).sum(),
            chunks: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
            created_at: now,
            expires_at,
            lists: lists.into_iter().map(|list| list.id).collect(),
            first_sent_at: Some(first_sent_at).filter(|first| *first < now),
            progress: BulkProgress::default(),
        };
        let job = Job {
            id: import.id.clone(),
            kind: JobKind::ImportProfiles,
            created_at: now,
            status: JobStatus { parts_left: vec![0], ..JobStatus::default() },
        };
        self.store.create_bulk_import(&import, &chunks, &job).await?;
        self.announce(&job).await;
        Ok(Answer::accepted(single(asked, import_resource(asked, &import).build(), None)))
    }

    /// `GET /api/profile-bulk-import-jobs`.
    pub(crate) async fn list_bulk_imports(&self, asked: &Asked) -> ApiResult<Answer> {
        let now = self.now();
        let mut imports = self.store.bulk_imports().await?;
        imports.retain(|import| import.expires_at > now);
        for filter in asked.filters() {
            let wanted = filter_texts(filter)?;
            if wanted.iter().any(|wanted| !STATUSES.contains(wanted)) {
                return Err(bad_value(filter, &format!("one of {}", STATUSES.join(", "))));
            }
            imports.retain(|import| wanted.contains(&status(import)));
        }
        let descending = asked.sort().is_some_and(|(_, descending)| descending);
        let key = |import: &BulkImport| format!("{:014}#{}", import.created_at.as_millis(), import.id);
        let (page, next) = page_of(asked, imports, key, descending, asked.page_size())?;
        let data = page.iter().map(|import| import_resource(asked, import).build()).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    /// `GET /api/profile-bulk-import-jobs/{id}`.
    pub(crate) async fn get_bulk_import(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let import = self.bulk_import_by_id(id).await?;
        let includes = asked.include();
        if includes.is_empty() {
            return Ok(Answer::ok(single(asked, import_resource(asked, &import).build(), None)));
        }
        let lists = self.lists_of_import(&import).await?;
        let ids = lists.iter().map(|list| identifier("list", &list.id)).collect();
        let included = lists.iter().map(|list| list_resource(asked, list).build()).collect();
        let resource = import_resource(asked, &import).related("lists", ids);
        Ok(Answer::ok(single(asked, resource.build(), Some(included))))
    }

    /// `GET /api/profile-bulk-import-jobs/{id}/lists` and its relationship.
    pub(crate) async fn bulk_import_lists(
        &self,
        asked: &Asked,
        id: &str,
        only_ids: bool,
    ) -> ApiResult<Answer> {
        let import = self.bulk_import_by_id(id).await?;
        let lists = self.lists_of_import(&import).await?;
        let data = lists.iter().map(|list| {
            if only_ids { identifier("list", &list.id) } else { list_resource(asked, list).build() }
        });
        Ok(Answer::ok(collection(asked, data.collect(), None, None)))
    }

    /// The lists of an import that are still there.
    async fn lists_of_import(&self, import: &BulkImport) -> ApiResult<Vec<ListRecord>> {
        let lists = import.lists.iter().map(|id| self.store.list(id));
        let lists = futures::future::try_join_all(lists).await?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// `GET /api/profile-bulk-import-jobs/{id}/import-errors`.
    pub(crate) async fn bulk_import_errors(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let outcomes = self.bulk_outcomes(id).await?;
        let errors = outcomes.into_iter().flat_map(|outcome| outcome.errors).enumerate().collect();
        let (page, next) = page_of(
            asked,
            errors,
            |(number, _): &(usize, _)| format!("{number:08}"),
            false,
            asked.page_size(),
        )?;
        let data = page.iter().map(|(number, error)| error_resource(asked, id, *number, error)).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    /// `GET /api/profile-bulk-import-jobs/{id}/profiles` and its relationship.
    pub(crate) async fn bulk_import_profiles(
        &self,
        asked: &Asked,
        id: &str,
        only_ids: bool,
    ) -> ApiResult<Answer> {
        let outcomes = self.bulk_outcomes(id).await?;
        let mut ids: Vec<String> = outcomes.into_iter().flat_map(|outcome| outcome.profiles).collect();
        ids.sort_unstable();
        ids.dedup();
        let (page, next) = page_of(asked, ids, Clone::clone, false, asked.page_size())?;
        let data = if only_ids {
            page.iter().map(|id| identifier("profile", id)).collect()
        } else {
            let found = page.iter().map(|id| self.store.profile(id));
            let found = futures::future::try_join_all(found).await?;
            let found: Vec<&Profile> = found.iter().flatten().map(|found| &found.value).collect();
            self.profile_views(asked, &found).await?.into_iter().map(Resource::build).collect()
        };
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    async fn bulk_outcomes(&self, id: &str) -> ApiResult<Vec<BulkOutcome>> {
        self.bulk_import_by_id(id).await?;
        Ok(self.store.bulk_outcomes(id).await?)
    }

    async fn bulk_import_by_id(&self, id: &str) -> ApiResult<BulkImport> {
        let found = self.store.bulk_import(id).await?.filter(|import| import.expires_at > self.now());
        found.ok_or_else(|| ApiError::not_found("profile-bulk-import-job", id))
    }
}

fn status(import: &BulkImport) -> &'static str {
    if import.progress.finished_at.is_some() {
        "complete"
    } else if import.progress.chunks_done > 0 {
        "processing"
    } else {
        "queued"
    }
}

fn import_resource<'a>(asked: &'a Asked, import: &BulkImport) -> Resource<'a> {
    let progress = &import.progress;
    Resource::new(asked, "profile-bulk-import-job", "profile-bulk-import-jobs", &import.id)
        .attribute("status", status(import))
        .attribute("created_at", time(import.created_at))
        .attribute("total_count", import.total)
        .attribute("completed_count", progress.completed)
        .attribute("failed_count", progress.failed)
        .attribute("started_at", progress.started_at.map(time))
        .attribute("completed_at", progress.finished_at.map(time))
        .attribute("expires_at", time(import.expires_at))
        .linked("lists")
        .linked("profiles")
        .linked_only_to("import-errors")
}

/// A row that was refused, as Klaviyo has it; never with the row's content.
pub(crate) fn error_resource(asked: &Asked, import: &str, number: usize, error: &BulkError) -> Value {
    let source = match &error.place {
        BulkPlace::Pointer(pointer) => json!({"pointer": pointer}),
        BulkPlace::Line(line) => json!({"line": line}),
    };
    let id = hash::long_id(&["import error", import, &number.to_string()]);
    let mut resource = Resource::new(asked, "import-error", "import-errors", &id)
        .attribute("code", error.code.as_str())
        .attribute("title", "Invalid input.")
        .attribute("detail", error.detail.as_str())
        .attribute("source", source)
        .attribute("original_payload", Value::Null)
        .build();
    // It has no address of its own.
    if let Some(resource) = resource.as_object_mut() {
        resource.remove("links");
    }
    resource
}

/// What is wrong with a row.
pub(crate) fn bulk_error(place: BulkPlace, error: ApiError) -> BulkError {
    let short = |text: &str| text.chars().take(MAX_ERROR_CHARS).collect::<String>();
    let place = match (place, error.source) {
        (BulkPlace::Pointer(_), Some(Source::Pointer(exact))) => BulkPlace::Pointer(short(&exact)),
        (place, _) => place,
    };
    BulkError { place, code: error.code.to_owned(), detail: short(&error.detail) }
}

/// What is wrong with a row that is not even one.
pub(crate) fn bad_line(line: u64, reason: &str) -> BulkError {
    bulk_error(BulkPlace::Line(line), ApiError::invalid("/", format!("The row cannot be read: {reason}.")))
}

fn row(place: BulkPlace, input: ApiResult<ProfileInput>) -> BulkRow {
    let input = input.and_then(|input| {
        let Some(input) = Some(input).filter(|input| input.id.is_some() || input.identifies()) else {
            let detail = "At least one identifier is required: id, email, phone_number or external_id.";
            let pointer = if let BulkPlace::Pointer(pointer) = &place { pointer.as_str() } else { "/" };
            return Err(ApiError::invalid(pointer, detail));
        };
        Ok(input)
    });
    match input {
        Ok(ProfileInput { id, mut person, patch, identifiers, .. }) => {
            clear_nothing(&mut person.attributes);
            BulkRow::Profile { place, id, person, patch, identifiers }
        }
        Err(error) => BulkRow::Refused(bulk_error(place, error)),
    }
}

/// In a bulk import, unlike elsewhere, null says nothing.
fn clear_nothing(attributes: &mut Map<String, Value>) {
    attributes.retain(|_, value| !value.is_null());
    for name in ["location", "properties"] {
        if let Some(Value::Object(inner)) = attributes.get_mut(name) {
            inner.retain(|_, value| !value.is_null());
        }
    }
}

/// A list that is named in a body, and where.
struct NamedList {
    id: String,
    pointer: String,
}

fn named_lists(data: &Fields<'_>) -> ApiResult<Vec<NamedList>> {
    let Some(relationships) = data.optional("relationships") else { return Ok(Vec::new()) };
    let relationships = relationships.object()?;
    relationships.only(&["lists"])?;
    let Some(lists) = relationships.optional("lists") else { return Ok(Vec::new()) };
    let Some(lists) = lists.object()?.optional("data") else { return Ok(Vec::new()) };
    let mut named: Vec<NamedList> = Vec::new();
    for (place, list) in lists.items()?.enumerate() {
        if place >= MAX_LISTS {
            return Err(lists.invalid(format!("There must not be more than {MAX_LISTS} lists.")));
        }
        let list = list.resource("list")?;
        list.only(&["type", "id"])?;
        let id = list.required("id")?;
        let list = NamedList { id: id.text()?.to_owned(), pointer: id.pointer.clone() };
        if named.iter().all(|known| known.id != list.id) {
            named.push(list);
        }
    }
    Ok(named)
}

fn rows_of_json(bytes: &[u8]) -> ApiResult<(Vec<BulkRow>, Vec<NamedList>)> {
    let body = body::parse(bytes)?;
    let data = body::data(&body, "profile-bulk-import-job")?;
    data.only(&["type", "attributes", "relationships"])?;
    let lists = named_lists(&data)?;
    let attributes = data.required("attributes")?.object()?;
    attributes.only(&["profiles"])?;
    let profiles = attributes.required("profiles")?.object()?;
    profiles.only(&["data"])?;
    let profiles = profiles.required("data")?.items()?;
    let rows = profiles.map(|node| row(BulkPlace::Pointer(node.pointer.clone()), profile_of_node(&node)));
    Ok((rows.collect(), lists))
}

fn profile_of_node(node: &Node<'_>) -> ApiResult<ProfileInput> {
    if serde_json::to_vec(node.value).is_ok_and(|bytes| bytes.len() > MAX_PROFILE_BYTES) {
        return Err(node.invalid("A profile must not be larger than 100 KB."));
    }
    body::profile(&node.resource("profile")?)
}

fn rows_of_csv(bytes: &[u8]) -> ApiResult<Vec<BulkRow>> {
    let rows = tabular::profiles(bytes).take(MAX_PROFILES + 1).map(|read| match read {
        Ok(read) => row(BulkPlace::Line(read.line), profile_of_row(read)),
        Err(error) => BulkRow::Refused(bad_line(error.line, &error.reason)),
    });
    let rows: Vec<BulkRow> = rows.collect();
    match rows.as_slice() {
        // A header that cannot be read is the only item.
        [BulkRow::Refused(BulkError { place: BulkPlace::Line(1), detail, .. })] => {
            Err(ApiError::invalid("/", detail.as_str()))
        }
        _ => Ok(rows),
    }
}

/// The same checks as in JSON: one way to read a profile.
fn profile_of_row(read: ProfileRow) -> ApiResult<ProfileInput> {
    let (identifiers, dropped) = Identifiers::of(&read.person, "");
    if let Some(name) = dropped.first() {
        return Err(ApiError::invalid("/", format!("The {name} is not a valid one.")));
    }
    let mut attributes = read.person.attributes;
    for (name, value) in [
        ("email", identifiers.email),
        ("phone_number", identifiers.phone_number),
        ("external_id", identifiers.external_id),
        ("anonymous_id", identifiers.anonymous_id),
    ] {
        if let Some(value) = value {
            attributes.insert(name.to_owned(), value.into());
        }
    }
    profile_of_attributes(attributes)
}

fn profile_of_attributes(attributes: Map<String, Value>) -> ApiResult<ProfileInput> {
    let resource = Map::from_iter([("attributes".to_owned(), attributes.into())]);
    body::profile(&Fields { map: &resource, pointer: String::new() })
}

/// One object of Klaviyo's attributes a line. Blank lines are passed over.
fn rows_of_lines(bytes: &[u8]) -> Vec<BulkRow> {
    let bytes = &bytes[tabular::mark(bytes)..];
    let lines = bytes.split(|byte| *byte == b'\n').zip(1_u64..);
    let lines = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    let rows = lines.take(MAX_PROFILES + 1).map(|(line, number)| {
        let place = BulkPlace::Line(number);
        match serde_json::from_slice(line) {
            Ok(Value::Object(attributes)) => row(place, profile_of_attributes(attributes)),
            _ => BulkRow::Refused(bad_line(number, "not a JSON object")),
        }
    });
    rows.collect()
}

fn chunks_of(rows: Vec<BulkRow>) -> Vec<Vec<BulkRow>> {
    let mut chunks: Vec<Vec<BulkRow>> = Vec::new();
    let mut room = 0_usize;
    for row in rows {
        let bytes = serde_json::to_vec(&row).map_or(0, |bytes| bytes.len());
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_ROWS && bytes <= room => {
                room -= bytes;
                chunk.push(row);
            }
            _ => {
                room = CHUNK_BYTES.saturating_sub(bytes);
                chunks.push(vec![row]);
            }
        }
    }
    chunks
}
