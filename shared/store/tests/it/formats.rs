//! Items as deployed tables hold them: one of every kind, in every format that was ever written (`formats/<number>.json`). From each
//! of them today's code must read what it reads from what it writes itself. How a format is changed: README.md.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;

use canonical::fact::{CatalogItem, Channel, ConsentStatus};
use canonical::identity::{IdentifierPatch, Identifiers};
use canonical::order::Ledger;
use canonical::profile::{Consent, PropertyPatch, Suppression};
use canonical::{Instant, Person, cart, checkout};
use serde_json::{Value, json};
use store::{
    Allowance, ApiKey, Authorization, BackInStock, BulkError, BulkImport, BulkOutcome, BulkPlace,
    BulkProgress, BulkRow, CatalogAction, CatalogEntry, CatalogError, CatalogJob, CatalogKind,
    CatalogProgress, CatalogRecord, CatalogRow, Confirmation, ConnectionRecord, ConnectionStatus,
    CustomMetricRecord, Evaluation, EventFilter, EventOrder, Health, Import, ImportStatus, Job, JobKind,
    JobStatus, ListRecord, MappedMetricRecord, MembershipChange, MetricRecord, NewsChannel, OptIn, Poll,
    PollRun, PredictionsRecord, ProfileSort, SamplePart, SegmentRecord, Shelf, Step, Store, Subject,
    SubjectKey, SuppressedGroup, SuppressionJob, SuppressionProgress, Tag, TagBook, TagGroup, Taggable,
    Tally, Ticket,
};
use testing::{NOW_MS, World, at};

use crate::{event_of, now, person, profile, with_email, with_phone};

const TABLES: [&str; 3] = ["profiles", "orders", "registry"];
/// The format that is written today.
const NEWEST: u32 = 1;
const LATER: i64 = 60_000;

fn later() -> Instant {
    at(NOW_MS + LATER)
}

fn next_week() -> Instant {
    at(NOW_MS + 7 * 86_400_000)
}

fn path(format: u32) -> PathBuf {
    PathBuf::from(format!("{}/tests/it/formats/{format}.json", env!("CARGO_MANIFEST_DIR")))
}

fn job(id: &str, kind: JobKind) -> Job {
    Job {
        id: id.to_owned(),
        kind,
        created_at: now(),
        status: JobStatus { parts_left: vec![0, 1], ..JobStatus::default() },
    }
}

/// An item of every kind that the profiles table has.
async fn write_profiles(store: &Store) -> [String; 4] {
    let everything = Identifiers {
        external_id: Some("customer-1".to_owned()),
        anonymous_id: Some("device-1".to_owned()),
        customer: Some(("C1".to_owned(), "501".to_owned())),
        phone_number: Some("+12025550101".to_owned()),
        ..with_email("ada@example.com")
    };
    let ada = person(store, &everything).await.id;
    let list = ListRecord {
        id: "LIST01".to_owned(),
        name: "Newsletter".to_owned(),
        opt_in_process: OptIn::DoubleOptIn,
        created_at: now(),
        updated_at: later(),
    };
    store.create_list(&list).await.unwrap();
    store.join_list(&ada, "LIST01", now()).await.unwrap();
    let suppression = |reason: &str| Suppression { reason: reason.to_owned(), at: now() };
    let consent = Consent {
        status: ConsentStatus::Subscribed,
        at: Some(now()),
        recorded_at: Some(later()),
        method: Some("FORM".to_owned()),
        source: Some("Footer".to_owned()),
        double_opt_in: true,
        suppressions: vec![suppression("USER_SUPPRESSED")],
        list_suppressions: BTreeMap::from([("LIST02".to_owned(), suppression("UNSUBSCRIBE"))]),
    };
    let change = |profile: &mut canonical::Profile| {
        profile.attributes.insert("first_name".to_owned(), json!("Ada"));
        profile.attributes.insert("properties".to_owned(), json!({"Favourite": "larch", "Visits": 3}));
        profile.stamps.insert("first_name".to_owned(), NOW_MS);
        profile.consent.insert(Channel::Email, consent.clone());
        true
    };
    store.update_profile(&ada, later(), change).await.unwrap();
    store.link_customer("C2", "777", &ada).await.unwrap();

    let mut order = event_of(&ada, "Placed Order", "C1", "1001", -1000);
    order.event.source_metric = Some("Order Created".to_owned());
    order.event.value = serde_json::from_value(json!({"amount": "49.90", "currency": "EUR"})).unwrap();
    order.event.properties.insert("Items".to_owned(), json!(["Larch mug"]));
    store.put_event(&order).await.unwrap();
    let mut imported = event_of(&ada, "Placed Order", "C1", "900", -86_400_000);
    imported.event.backfill = true;
    store.put_event(&imported).await.unwrap();

    let change = |segment: &str, entered: bool, at_ms: i64| MembershipChange {
        segment_id: segment.to_owned(),
        entered,
        at_ms,
        cause: "event:1001".to_owned(),
        staged: None,
    };
    let joins = vec![change("SEG001", true, NOW_MS), change("SEG002", true, NOW_MS)];
    let leaves = vec![change("SEG002", false, NOW_MS + LATER)];
    for (due_ms, changes) in [(None, joins), (Some(NOW_MS), leaves)] {
        let read = store.state(&ada).await.unwrap();
        let evaluation =
            Evaluation { profile_id: &ada, read: read.as_ref(), state: vec![3, 1, 4], due_ms, changes };
        store.save_evaluation(&evaluation).await.unwrap();
    }
    store.tick(&ada, NOW_MS).await.unwrap();
    let subscription = BackInStock {
        profile_id: ada.clone(),
        variant: "V1".to_owned(),
        channels: vec![NewsChannel::Email, NewsChannel::Sms],
        subscribed_at: now(),
    };
    store.put_back_in_stock(&subscription).await.unwrap();

    let weak = person(store, &with_phone("+12025550102")).await.id;
    let strong = person(store, &with_email("eve@example.com")).await.id;
    let (destination, source) = (profile(store, &strong).await, profile(store, &weak).await);
    store.merge_profiles(destination, source, now()).await.unwrap();
    let gone = person(store, &with_email("gone@example.com")).await.id;
    store.erase_profile(&profile(store, &gone).await, now()).await.unwrap();
    [ada, weak, strong, gone]
}

async fn read_profiles(store: &Store, [ada, weak, strong, gone]: &[String; 4], seen: &mut Vec<String>) {
    let mut see = |name: &str, value: &dyn Debug| seen.push(format!("{name}: {value:?}"));
    for id in [ada, weak, strong, gone] {
        see("profile", &store.profile(id).await.unwrap());
        see("erased", &store.is_erased(id).await.unwrap());
    }
    let customer = |connection: &str, id: &str| Identifiers {
        customer: Some((connection.to_owned(), id.to_owned())),
        ..Identifiers::default()
    };
    for identifiers in [
        with_email("ada@example.com"),
        with_phone("+12025550101"),
        with_phone("+12025550102"),
        with_email("gone@example.com"),
        customer("C1", "501"),
        customer("C2", "777"),
    ] {
        let found = store.find_person(&identifiers).await.unwrap();
        see("found", &found.map(|found| found.value.id));
    }
    for sort in [
        ProfileSort::Id,
        ProfileSort::Created,
        ProfileSort::Updated,
        ProfileSort::Email,
        ProfileSort::Suppressed,
        ProfileSort::Unlisted,
    ] {
        see("listed", &store.list_profiles(sort, false, (None, None), None, 10).await.unwrap());
    }
    let filter = EventFilter { profile_id: Some(ada.clone()), ..EventFilter::default() };
    see("events", &store.list_events(&filter, EventOrder::OldestFirst, None, 10).await.unwrap());
    let filter = EventFilter { metric_ids: vec!["Placed Order".to_owned()], ..EventFilter::default() };
    see("of the metric", &store.list_events(&filter, EventOrder::NewestFirst, None, 10).await.unwrap());
    see("state", &store.state(ada).await.unwrap());
    see("memberships", &store.memberships(ada).await.unwrap());
    see("members", &store.members("SEG001", false, (None, None), None, 10).await.unwrap());
    see("history", &store.profile_history(ada, &[], (None, None), None, 10).await.unwrap());
    see("of the segment", &store.segment_history("SEG002", (None, None), None, 10).await.unwrap());
    for shard in Store::due_shards() {
        see("due", &store.due(shard, NOW_MS, None, 10).await.unwrap().items);
    }
    see("tick", &store.ticks(&[ada]).await.unwrap());
    see("on the list", &store.listed("LIST01", false, (None, None), None, 10).await.unwrap());
    see("back in stock", &store.back_in_stock("V1", None, 10).await.unwrap());
}

fn subject(kind: &'static str) -> SubjectKey {
    SubjectKey { connection: "C1".to_owned(), kind, id: "1001".to_owned() }
}

fn bulk_import() -> BulkImport {
    BulkImport {
        id: "BULK1".to_owned(),
        total: 2,
        chunks: 1,
        created_at: now(),
        expires_at: next_week(),
        lists: vec!["LIST01".to_owned()],
        first_sent_at: Some(now()),
        progress: BulkProgress::default(),
    }
}

/// An item of every kind that the orders table has.
async fn write_orders(store: &Store) {
    let ledger = Ledger {
        placed: true,
        cancelled: true,
        fulfilled: true,
        refunded: true,
        lines: ["1".to_owned(), "2".to_owned()].into(),
        shipments: ["S1".to_owned()].into(),
        refunds: ["R1".to_owned()].into(),
    };
    let parked = vec![event_of("", "Placed Order", "C1", "1001", -1000).event];
    let told = Subject { ledger, profile_id: Some("P1".to_owned()), parked, version: 0 };
    store.put_subject(&subject("order"), &told, None).await.unwrap();
    store.park("501", &subject("order")).await.unwrap();
    let checkout = Subject { ledger: checkout::Ledger { started: true }, ..Subject::default() };
    store.put_subject(&subject("checkout"), &checkout, None).await.unwrap();
    let quantities = BTreeMap::from([("1".to_owned(), "2".parse().unwrap())]);
    let ledger = cart::Ledger { updated_at_ms: Some(NOW_MS), quantities };
    store
        .put_subject(&subject("cart"), &Subject { ledger, ..Subject::default() }, Some(NOW_MS / 1000))
        .await
        .unwrap();
    store.put_claim("CLAIM1", vec![b"large ".to_vec(), b"body".to_vec()], NOW_MS / 1000).await.unwrap();

    let refused = |line| BulkError {
        place: BulkPlace::Line(line),
        code: "invalid".to_owned(),
        detail: "no".to_owned(),
    };
    let row = BulkRow::Profile {
        place: BulkPlace::Pointer("/data/0".to_owned()),
        id: Some("P1".to_owned()),
        person: Person { email: Some("ada@example.com".to_owned()), ..Person::default() },
        patch: PropertyPatch::default(),
        identifiers: IdentifierPatch::default(),
    };
    let (mut import, rows) = (bulk_import(), vec![row, BulkRow::Refused(refused(2))]);
    store
        .create_bulk_import(&import, &[rows.clone(), rows], &job("JOB02", JobKind::ImportProfiles))
        .await
        .unwrap();
    import.progress = store.bulk_import("BULK1").await.unwrap().unwrap().progress;
    let outcome = BulkOutcome { profiles: vec!["P1".to_owned()], errors: vec![refused(2)] };
    store.finish_bulk_chunk(&import, &outcome, later()).await.unwrap();
    store.first_sent("DIGEST1", now(), next_week()).await.unwrap();

    let suppression = SuppressionJob {
        id: "SUPP1".to_owned(),
        suppresses: true,
        group: Some(SuppressedGroup::List("LIST01".to_owned())),
        total: 3,
        created_at: now(),
        expires_at: next_week(),
        progress: SuppressionProgress::default(),
    };
    store.create_suppression_job(&suppression, Some(&job("JOB03", JobKind::Suppress))).await.unwrap();
    store.note_suppressed(&suppression, (1, 1), Some("place"), later()).await.unwrap();

    let confirmation = Confirmation {
        profile_id: "P1".to_owned(),
        address: "ada@example.com".to_owned(),
        channels: vec![Channel::Email],
        list: Some("LIST01".to_owned()),
        method: "API".to_owned(),
        source: Some("Footer".to_owned()),
        requested_at: now(),
        expires_at: next_week(),
        confirmed_at: None,
    };
    store.create_confirmation("DIGEST1", &confirmation).await.unwrap();
    store.create_confirmation("DIGEST2", &confirmation).await.unwrap();
    store.confirm("DIGEST2", later()).await.unwrap();
}

async fn read_orders(store: &Store, seen: &mut Vec<String>) {
    let mut see = |name: &str, value: &dyn Debug| seen.push(format!("{name}: {value:?}"));
    see("order", &store.subject::<Ledger>(&subject("order")).await.unwrap());
    see("checkout", &store.subject::<checkout::Ledger>(&subject("checkout")).await.unwrap());
    see("cart", &store.subject::<cart::Ledger>(&subject("cart")).await.unwrap());
    see("parked", &store.parked("C1", "501").await.unwrap());
    see("claim", &store.claim("CLAIM1", 2).await.unwrap());
    see("bulk import", &store.bulk_imports().await.unwrap());
    see("rows", &store.bulk_rows("BULK1", 1).await.unwrap());
    see("outcomes", &store.bulk_outcomes("BULK1").await.unwrap());
    see("first sent", &store.first_sent("DIGEST1", later(), next_week()).await.unwrap());
    see("suppressions", &store.suppression_jobs().await.unwrap());
    for digest in ["DIGEST1", "DIGEST2"] {
        see("confirmation", &store.confirmation(digest).await.unwrap());
    }
}

fn record(kind: CatalogKind, external_id: &str) -> CatalogRecord {
    let attributes = json!({"title": external_id, "sku": format!("sku {external_id}")});
    CatalogRecord {
        kind,
        external_id: external_id.to_owned(),
        uid: format!("uid-{external_id}"),
        item: None,
        attributes: attributes.as_object().unwrap().clone(),
        created_at: now(),
        updated_at: later(),
        version: 1,
    }
}

/// An item of every kind that the registry has.
async fn write_registry(store: &Store) {
    let connection = ConnectionRecord {
        id: "C1".to_owned(),
        platform: "shopify".to_owned(),
        name: "Main shop".to_owned(),
        settings: json!({"shop": "larch.example.com"}).as_object().unwrap().clone(),
        secret_names: vec!["webhook_secret".to_owned()],
        status: ConnectionStatus::Active,
        created_at: now(),
        updated_at: later(),
    };
    store.create_connection(&connection).await.unwrap();
    let health = Health {
        counts: BTreeMap::from([("accepted".to_owned(), 3)]),
        rejected: BTreeMap::from([("mismatch".to_owned(), 1)]),
        ignored: BTreeMap::from([("carts/update".to_owned(), 2)]),
        last_delivery_at: Some(now()),
        last_error: Some((later(), "no signature".to_owned())),
        lag_ms: Some(1200),
    };
    store.note_health("C1", &health).await.unwrap();
    let metric = MetricRecord {
        id: "METRIC".to_owned(),
        name: "Placed Order".to_owned(),
        integration: "shopify".to_owned(),
        canonical: Some("Placed Order".to_owned()),
        created_at: now(),
        updated_at: later(),
    };
    store.ensure_metric(metric).await.unwrap();
    let segment = SegmentRecord {
        id: "SEG001".to_owned(),
        name: "Loyal".to_owned(),
        definition: json!({"condition_groups": []}),
        version: 1,
        is_active: true,
        is_starred: true,
        created_at: now(),
        updated_at: later(),
        resumed_version: 1,
        ready_version: 0,
        shown_version: 0,
    };
    let backfill = job("JOB01", JobKind::Backfill { segment: "SEG001".to_owned(), version: 1 });
    store.put_segment_definition(&segment, Some(&backfill)).await.unwrap();
    let step = Step { job: "JOB01", part: 0, from: None, to: Some("P1"), profiles: 5, now_ms: NOW_MS };
    store.advance_job(&step).await.unwrap();
    store.note_job_count("JOB01", 0, 9).await.unwrap();
    store.note_job_error("JOB01", "throttled", NOW_MS).await.unwrap();
    store.segment_is_ready("SEG001", 1).await.unwrap();
    store.put_zone("Europe/Berlin", 1, None).await.unwrap();

    let key = ApiKey {
        name: "first key".to_owned(),
        scopes: vec!["*".to_owned()],
        limit: Some(Allowance::Unlimited),
        created_at: now(),
    };
    store.put_api_key("DIGEST1", &key).await.unwrap();
    store.put_api_key("DIGEST2", &ApiKey { limit: None, ..key }).await.unwrap();
    let item: CatalogItem =
        serde_json::from_value(json!({"product_id": "P7", "title": "Larch mug"})).unwrap();
    store.put_catalog_item(&CatalogEntry { connection: "C1".to_owned(), item }).await.unwrap();

    let tally = Tally { pages: 2, records: 30, requests: 3 };
    let mut poll = store.claim_poll("C1", NOW_MS, LATER).await.unwrap().unwrap();
    poll = Poll {
        cursor_ms: Some(NOW_MS),
        window_ms: Some(LATER),
        marks: BTreeMap::from([("page".to_owned(), "2".to_owned())]),
        runs: vec![PollRun {
            started_at: now(),
            finished_at: later(),
            since: now(),
            until: later(),
            tally,
            error: Some("busy".to_owned()),
        }],
        next_ms: NOW_MS + LATER,
        ..poll
    };
    store.put_poll("C1", &poll).await.unwrap();
    store.claim_grant("C1", NOW_MS, NOW_MS + LATER, None).await.unwrap();
    store
        .put_ticket("DIGEST1", &Ticket { connection: "C1".to_owned(), expires_at: next_week() })
        .await
        .unwrap();
    let authorization = Authorization {
        connection: "C1".to_owned(),
        ticket: "DIGEST1".to_owned(),
        browser: "DIGEST2".to_owned(),
        redirect_uri: "https://example.com/oauth".to_owned(),
        expires_at: next_week(),
    };
    store.put_authorization("DIGEST2", &authorization).await.unwrap();
    store.take_quota("DIGEST1#events", 7, 3, true).await.unwrap();

    let predictions = PredictionsRecord {
        job: "JOB01".to_owned(),
        method: 1,
        fitted_at: now(),
        fitted_day: "2026-06-17".to_owned(),
        customers: 100,
        missed: Some("too few".to_owned()),
        model: Some(json!({"r": 0.5})),
    };
    store.put_predictions(&predictions).await.unwrap();
    store
        .put_sample_part("JOB01", 0, None, &SamplePart { place: "P1".to_owned(), bytes: vec![1, 2] })
        .await
        .unwrap();
    let custom = CustomMetricRecord {
        id: "CUSTOM".to_owned(),
        name: "Net".to_owned(),
        definition: json!({"aggregation_method": "value"}),
        created_at: now(),
        updated_at: later(),
    };
    store.put_custom_metric(&custom, 0).await.unwrap();
    let mapped = MappedMetricRecord {
        id: "revenue".to_owned(),
        metric_id: None,
        custom_metric_id: Some("CUSTOM".to_owned()),
        updated_at: later(),
    };
    store.put_mapped_metric(&mapped, 1).await.unwrap();
    let book = TagBook {
        groups: vec![TagGroup {
            id: "G1".to_owned(),
            name: "All".to_owned(),
            exclusive: false,
            is_default: true,
        }],
        tags: vec![Tag { id: "T1".to_owned(), name: "spring".to_owned(), group: "G1".to_owned() }],
    };
    store.put_tag_book(&book, 0).await.unwrap();
    store.put_tags_of(Taggable::Segment, "SEG001", &["T1".to_owned()], 0).await.unwrap();

    let (group, mug) = (record(CatalogKind::Category, "CAT"), record(CatalogKind::Item, "MUG"));
    store.create_catalog_record(&group, &[]).await.unwrap();
    store.create_catalog_record(&mug, &[group.place()]).await.unwrap();
    let variant = CatalogRecord { item: Some(mug.place()), ..record(CatalogKind::Variant, "V1") };
    store.create_catalog_record(&variant, &[]).await.unwrap();
    let catalog_job = CatalogJob {
        id: "CJOB1".to_owned(),
        of: CatalogKind::Item,
        action: CatalogAction::Update,
        total: 2,
        external_ids: vec!["MUG".to_owned()],
        created_at: now(),
        expires_at: next_week(),
        progress: CatalogProgress::default(),
    };
    let pointer = "/data/1".to_owned();
    let rows = [
        CatalogRow::Delete { pointer: pointer.clone(), external_id: "CUP".to_owned() },
        CatalogRow::Refused(CatalogError { pointer, code: "invalid".to_owned(), detail: "no".to_owned() }),
    ];
    let work = JobKind::ChangeCatalog { of: CatalogKind::Item, action: CatalogAction::Update };
    store.create_catalog_job(&catalog_job, &rows, &job("JOB04", work)).await.unwrap();
    let import = json!({
        "id": "IMP1", "connection": "C1", "since": now(), "until": later(), "created_at": now(), "status": "queued",
        "cursor_ms": NOW_MS, "pages": 0, "records": 0, "requests": 0,
    });
    let import: Import = serde_json::from_value(import).unwrap();
    assert_eq!(import.status, ImportStatus::Queued);
    store.create_import(&import).await.unwrap();
}

async fn read_registry(store: &Store, seen: &mut Vec<String>) {
    let mut see = |name: &str, value: &dyn Debug| seen.push(format!("{name}: {value:?}"));
    see("connections", &store.connections().await.unwrap());
    see("health", &store.health("C1").await.unwrap());
    see("metrics", &store.metrics().await.unwrap());
    see("lists", &store.lists().await.unwrap());
    see("segments", &store.segments().await.unwrap());
    see("program", &store.program().await.unwrap());
    see("jobs", &store.jobs().await.unwrap());
    see("keys", &store.api_keys().await.unwrap());
    see("catalog", &store.catalog_items("C1", &["P7"]).await.unwrap());
    see("polls", &store.polls().await.unwrap());
    see("grant", &store.claim_grant("C1", NOW_MS, NOW_MS + LATER, None).await.unwrap());
    see("ticket", &store.ticket("DIGEST1", now()).await.unwrap());
    see("authorization", &store.authorization("DIGEST2", now()).await.unwrap());
    see("quota", &store.take_quota("DIGEST1#events", 7, 1, false).await.unwrap());
    see("predictions", &store.predictions().await.unwrap());
    see("sample", &store.sample_part("JOB01", 0).await.unwrap());
    see("metric settings", &store.metric_settings().await.unwrap());
    see("tags", &store.tag_book().await.unwrap());
    see("tagged", &store.tags_of(Taggable::Segment, "SEG001").await.unwrap());
    let (mug, group) = (record(CatalogKind::Item, "MUG"), record(CatalogKind::Category, "CAT"));
    for shelf in [
        Shelf::All(CatalogKind::Item),
        Shelf::ItemsOf(&group.place()),
        Shelf::CategoriesOf(&mug.place()),
        Shelf::VariantsOf(&mug.place()),
        Shelf::WithSku("sku V1"),
    ] {
        see("on the shelf", &store.shelf(&shelf, &[], |_| true, (false, None), 10).await.unwrap());
    }
    see(
        "catalog jobs",
        &store.catalog_jobs(CatalogKind::Item, CatalogAction::Update, None, 10).await.unwrap(),
    );
    see("imports", &store.imports().await.unwrap());
}

/// What today's code makes of tables, everything in order.
async fn read(store: &Store, people: &[String; 4]) -> Vec<String> {
    let mut seen = Vec::new();
    read_profiles(store, people, &mut seen).await;
    read_orders(store, &mut seen).await;
    read_registry(store, &mut seen).await;
    seen
}

/// Writes what a format has beyond the one before.
async fn write(world: &World, format: u32, people: &mut Option<[String; 4]>) {
    match format {
        1 => {
            *people = Some(write_profiles(&world.store).await);
            write_orders(&world.store).await;
            write_registry(&world.store).await;
        }
        other => panic!("nothing is known of format {other}"),
    }
}

/// Tables as today's code writes them, with what there was in a format.
async fn written(format: u32) -> (World, [String; 4]) {
    let (world, mut people) = (World::start().await, None);
    for format in 1..=format {
        write(&world, format, &mut people).await;
    }
    (world, people.unwrap())
}

/// `BLESS=1` writes the newest format, when it is a new one; a format that was deployed stays as it is.
#[tokio::test]
async fn what_is_written_is_of_the_newest_format() {
    let (world, _) = written(NEWEST).await;
    let tables = TABLES.map(|table| (table, world.items(table).into_values().collect::<Vec<_>>()));
    let mut today = json!(BTreeMap::from(tables));
    today.sort_all_objects();
    let today = serde_json::to_string_pretty(&today).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path(NEWEST), &today).unwrap();
    }
    let newest = std::fs::read_to_string(path(NEWEST)).unwrap_or_default();
    assert!(
        today == newest,
        "items are written otherwise than in {}: see README.md, Formats",
        path(NEWEST).display()
    );
}

#[tokio::test]
async fn every_format_that_was_written_is_read_as_today_s() {
    for format in 1..=NEWEST {
        let (world, people) = written(format).await;
        let expected = read(&world.store, &people).await;
        let deployed = World::start().await;
        let tables = std::fs::read_to_string(path(format)).unwrap();
        let tables: BTreeMap<String, Vec<Value>> = serde_json::from_str(&tables).unwrap();
        for (table, items) in &tables {
            for item in items {
                deployed.put_item(table, item);
            }
        }
        let found = read(&deployed.store, &people).await;
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "of format {format}");
        }
    }
}
