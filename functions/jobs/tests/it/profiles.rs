//! Bulk imports of profiles, as the API leaves them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use canonical::identity::IdentifierPatch;
use canonical::profile::PropertyPatch;
use canonical::{Person, Profile};
use serde_json::{Value, json};
use store::{
    BulkError, BulkImport, BulkOutcome, BulkPlace, BulkProgress, BulkRow, Job, JobKind, JobStatus,
    ListRecord, OptIn,
};
use testing::{Answer, NOW_MS, at};

use crate::Account;

const ID: &str = "B1";

fn row(line: u64, email: &str, attributes: Value) -> BulkRow {
    let Value::Object(attributes) = attributes else { panic!() };
    let email = Some(email.to_owned()).filter(|email| !email.is_empty());
    BulkRow::Profile {
        place: BulkPlace::Line(line),
        id: None,
        person: Person { email, attributes, ..Person::default() },
        patch: PropertyPatch::default(),
        identifiers: IdentifierPatch::default(),
    }
}

fn refused(line: u64) -> BulkRow {
    BulkRow::Refused(error(line, "no row"))
}

fn error(line: u64, detail: &str) -> BulkError {
    BulkError { place: BulkPlace::Line(line), code: "invalid".to_owned(), detail: detail.to_owned() }
}

impl Account {
    async fn import(&self, id: &str, chunks: &[Vec<BulkRow>]) -> Vec<String> {
        self.import_to(id, chunks, &[]).await
    }

    async fn import_to(&self, id: &str, chunks: &[Vec<BulkRow>], lists: &[&str]) -> Vec<String> {
        let now = self.world.now();
        let import = BulkImport {
            id: id.to_owned(),
            total: chunks.iter().map(|rows| rows.len() as u64).sum(),
            chunks: u32::try_from(chunks.len()).unwrap(),
            created_at: now,
            expires_at: at(now.as_millis() + 7 * 24 * 3_600_000),
            lists: lists.iter().map(|list| (*list).to_owned()).collect(),
            first_sent_at: None,
            progress: BulkProgress::default(),
        };
        let status = JobStatus { parts_left: vec![0], ..JobStatus::default() };
        let job = Job { id: id.to_owned(), kind: JobKind::ImportProfiles, created_at: now, status };
        self.world.store.create_bulk_import(&import, chunks, &job).await.unwrap();
        Self::announcement(id, 1)
    }

    async fn progress(&self, id: &str) -> BulkProgress {
        self.world.store.bulk_import(id).await.unwrap().unwrap().progress
    }

    async fn outcomes(&self, id: &str) -> Vec<BulkOutcome> {
        self.world.store.bulk_outcomes(id).await.unwrap()
    }

    async fn by_email(&self, email: &str) -> Profile {
        let identifiers =
            canonical::identity::Identifiers { email: Some(email.to_owned()), ..Default::default() };
        self.world.store.find_person(&identifiers).await.unwrap().unwrap().value
    }
}

#[tokio::test]
async fn rows_become_profiles_in_their_order_and_bad_ones_are_named() {
    let account = Account::open().await;
    let chunks = [
        vec![
            row(2, "ann@example.com", json!({"first_name": "Old", "title": "Dr"})),
            refused(3),
            row(4, "bob@example.com", json!({"first_name": "Bob"})),
            // The same person again, in the same chunk: the later row wins.
            row(5, "ann@example.com", json!({"first_name": "Ann"})),
        ],
        vec![row(6, "bob@example.com", json!({"first_name": "Robert"})), row(7, "", json!({}))],
    ];
    let announced = account.import(ID, &chunks).await;
    assert_eq!(account.deliver(&announced).await, [] as [&str; 0]);
    let progress = account.progress(ID).await;
    assert_eq!((progress.chunks_done, progress.completed, progress.failed), (1, 3, 1));
    assert_eq!(progress.finished_at, None);
    let next = account.sent();
    assert_eq!(account.work_off(next).await, 1);
    let progress = account.progress(ID).await;
    assert_eq!((progress.completed, progress.failed), (4, 2));
    assert_eq!(progress.finished_at, Some(at(NOW_MS)));
    assert_eq!(account.world.store.job(ID).await.unwrap(), None);

    let (ann, bob) = (account.by_email("ann@example.com").await, account.by_email("bob@example.com").await);
    assert_eq!(Value::from(ann.attributes), json!({"first_name": "Ann", "title": "Dr"}));
    assert_eq!(Value::from(bob.attributes), json!({"first_name": "Robert"}));
    let outcomes = account.outcomes(ID).await;
    assert_eq!(outcomes[0].errors, [error(3, "no row")]);
    assert_eq!(outcomes[1].errors, [error(7, "The row names nobody.")]);
    assert_eq!(outcomes[1].profiles, [bob.id]);
    // Nothing of the rows is left.
    let items = account.world.items("orders");
    assert!(!items.keys().any(|(_, sort)| sort.starts_with("rows#")));
}

#[tokio::test]
async fn the_same_file_again_changes_nothing_and_newer_values_stay() {
    let account = Account::open().await;
    let rows = || [vec![row(2, "ann@example.com", json!({"first_name": "Ann", "title": "Dr"}))]];
    let announced = account.import(ID, &rows()).await;
    account.work_off(announced).await;
    let before = account.world.items("profiles");
    account.world.pass(60_000);
    let announced = account.import("B2", &rows()).await;
    account.work_off(announced).await;
    assert_eq!(account.world.items("profiles"), before);
    assert_eq!(account.progress("B2").await.completed, 1);

    let announced = account.import("B3", &[vec![row(2, "ann@example.com", json!({"title": "Mx"}))]]).await;
    account.world.pass(1000);
    let mut ann = account.by_email("ann@example.com").await;
    let newer = json!({"title": "Prof"});
    let at_ms = account.world.now().as_millis();
    assert!(ann.apply_attributes(newer.as_object().unwrap(), at_ms).changed);
    let version = account.world.store.profile(&ann.id).await.unwrap().unwrap().version;
    account.world.store.put_profile(&ann, version).await.unwrap();
    account.work_off(announced).await;
    assert_eq!(account.by_email("ann@example.com").await.attributes["title"], "Prof");
}

#[tokio::test]
async fn a_profile_named_by_its_id_gets_the_identifiers_of_the_row() {
    let account = Account::open().await;
    let ids = account.people(2).await;
    let by_id = |line: u64, id: &str, email: &str| match row(line, email, json!({"title": "Dr"})) {
        BulkRow::Profile { place, person, patch, .. } => BulkRow::Profile {
            place,
            id: Some(id.to_owned()),
            person,
            patch,
            identifiers: IdentifierPatch::default(),
        },
        refused @ BulkRow::Refused(_) => refused,
    };
    // As if both had been found by their addresses before.
    for (id, email) in ids.iter().zip(["guest0@example.com", "guest1@example.com"]) {
        let email = canonical::identity::Identifier::Email(email.to_owned());
        account.world.store.claim_identifier(&email, id).await.unwrap();
    }
    let rows = vec![
        by_id(2, &ids[0], "new@example.com"),
        by_id(3, &ids[1], "new@example.com"),
        by_id(4, "nobody", "x@example.com"),
        by_id(5, &ids[1], ""),
    ];
    let announced = account.import(ID, &[rows]).await;
    account.work_off(announced).await;
    let moved = account.by_email("new@example.com").await;
    assert_eq!((moved.id.as_str(), moved.attributes["title"].as_str()), (ids[0].as_str(), Some("Dr")));
    let outcome = account.outcomes(ID).await.remove(0);
    let reasons: Vec<_> = outcome.errors.iter().map(|error| (&error.place, error.detail.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (&BulkPlace::Line(3), "Another profile has one of these identifiers."),
            (&BulkPlace::Line(4), "A profile with this id does not exist."),
        ]
    );
    assert_eq!(outcome.profiles, ids);
}

#[tokio::test]
async fn a_row_with_too_many_properties_is_refused_whole() {
    let account = Account::open().await;
    let many: serde_json::Map<String, Value> = (0..300).map(|n| (format!("a{n}"), json!(1))).collect();
    let more: serde_json::Map<String, Value> = (0..300).map(|n| (format!("b{n}"), json!(1))).collect();
    let chunk = vec![
        row(2, "ann@example.com", json!({"properties": many})),
        row(3, "ann@example.com", json!({"title": "Dr", "properties": more})),
    ];
    let announced = account.import(ID, &[chunk]).await;
    account.work_off(announced).await;
    assert_eq!(account.outcomes(ID).await[0].errors[0].place, BulkPlace::Line(3));
    assert_eq!(account.by_email("ann@example.com").await.attributes.get("title"), None);
}

/// Breaks the work off at each call in turn, after which the message is lost, too.
#[tokio::test]
async fn a_crash_at_any_call_is_made_good_and_every_row_counts_once() {
    let mut breaks = 0;
    for answer in [Answer::Throttle, Answer::Lose] {
        for step in 0.. {
            let account = Account::open().await;
            let chunks = [
                vec![row(2, "ann@example.com", json!({"first_name": "Ann"})), refused(3)],
                vec![row(4, "bob@example.com", json!({"first_name": "Bob"}))],
            ];
            let announced = account.import(ID, &chunks).await;
            let calls = Arc::new(AtomicU32::new(0));
            let count = calls.clone();
            account.world.intercept_once(answer, move |_| count.fetch_add(1, Ordering::SeqCst) == step);
            let failed = account.deliver(&announced).await;
            account.world.let_pass();
            drop((failed, account.sent()));
            account.recover().await;
            let progress = account.progress(ID).await;
            assert_eq!((progress.completed, progress.failed), (2, 1), "{answer:?} {step}");
            assert!(progress.finished_at.is_some(), "{answer:?} {step}");
            assert!(account.world.store.jobs().await.unwrap().is_empty(), "{answer:?} {step}");
            let outcomes = account.outcomes(ID).await;
            assert_eq!(outcomes.iter().map(|outcome| outcome.profiles.len()).sum::<usize>(), 2);
            assert_eq!(account.by_email("bob@example.com").await.attributes["first_name"], "Bob");
            if calls.load(Ordering::SeqCst) <= step {
                break;
            }
            breaks += 1;
        }
    }
    assert!(breaks > 15, "{breaks}");
}

#[tokio::test]
async fn an_import_that_has_expired_ends_its_job() {
    let account = Account::open().await;
    let announced = account.import(ID, &[vec![refused(2)]]).await;
    account.world.delete_item("orders", "bulk-import", ID);
    account.work_off(announced).await;
    assert_eq!(account.world.store.job(ID).await.unwrap(), None);
}

impl Account {
    async fn list(&self, id: &str) {
        let now = self.world.now();
        let name = "Newsletter".to_owned();
        let opt_in_process = OptIn::SingleOptIn;
        let list = ListRecord { id: id.to_owned(), name, opt_in_process, created_at: now, updated_at: now };
        self.world.store.create_list(&list).await.unwrap();
    }
}

#[tokio::test]
async fn imported_profiles_are_put_on_lists_and_stay_as_they_are_there() {
    let account = Account::open().await;
    for list in ["LIST01", "LIST02"] {
        account.list(list).await;
    }
    let store = &account.world.store;
    let rows = || [vec![row(2, "ann@example.com", json!({}))], vec![row(3, "bob@example.com", json!({}))]];
    let lists = ["LIST01", "LIST02", "GONE01"];
    let announced = account.import_to(ID, &rows(), &lists).await;
    account.work_off(announced).await;
    let (ann, bob) = (account.by_email("ann@example.com").await, account.by_email("bob@example.com").await);
    for profile in [&ann, &bob] {
        assert_eq!(profile.lists.keys().collect::<Vec<_>>(), ["LIST01", "LIST02"]);
    }
    assert_eq!(account.progress(ID).await.completed, 2);
    account.world.pass(60_000);
    store.leave_list(&bob.id, "LIST01", account.world.now()).await.unwrap();
    let announced = account.import_to("B2", &rows(), &lists).await;
    account.work_off(announced).await;
    let (again, bob) = (account.by_email("ann@example.com").await, account.by_email("bob@example.com").await);
    assert_eq!(again.lists, ann.lists);
    assert_eq!(bob.lists["LIST01"], account.world.now());
    assert_eq!(store.count_listed("LIST01").await.unwrap(), 2);
}

#[tokio::test]
async fn who_is_on_too_many_lists_is_an_error_of_the_row() {
    let account = Account::open().await;
    account.list("LIST01").await;
    let mut ann = Profile::new("ANN".to_owned(), at(NOW_MS));
    let now = account.world.now();
    ann.lists = (0..canonical::profile::MAX_LISTS).map(|number| (format!("L{number:05}"), now)).collect();
    account.world.store.put_profile(&ann, 0).await.unwrap();
    let mut by_id = row(2, "", json!({"first_name": "Ann"}));
    let BulkRow::Profile { id, .. } = &mut by_id else { panic!() };
    *id = Some("ANN".to_owned());
    let announced = account.import_to(ID, &[vec![by_id]], &["LIST01"]).await;
    account.work_off(announced).await;
    let errors = account.outcomes(ID).await.remove(0).errors;
    assert_eq!(errors, [error(2, "The profile was imported, but it is on 1000 lists already.")]);
}

#[tokio::test]
async fn a_list_that_is_deleted_while_its_import_runs_keeps_nobody() {
    let account = Account::open().await;
    account.list("LIST01").await;
    let announced = account.import_to(ID, &[vec![row(2, "ann@example.com", json!({}))]], &["LIST01"]).await;
    // Between the look at the list and the end of the chunk.
    let store = account.world.store.clone();
    let job = account.job("J9", JobKind::EmptyList { list: "LIST01".to_owned() }, 1);
    let now = account.world.now();
    let done = Arc::new(AtomicU32::new(0));
    let deleted = Arc::clone(&done);
    account.world.intercept_once(Answer::Throttle, move |call| {
        call.is("TransactWriteItems", "LIST01") && deleted.fetch_add(1, Ordering::SeqCst) == 0
    });
    // The first try breaks off before anybody is on the list.
    assert_eq!(account.deliver(&announced).await.len(), 1);
    account.world.let_pass();
    let ann = account.by_email("ann@example.com").await;
    store.join_list(&ann.id, "LIST01", now).await.unwrap();
    store.delete_list("LIST01", 0, &job).await.unwrap();
    store.empty_list("LIST01", 10, now).await.unwrap();
    account.recover().await;
    assert_eq!(done.load(Ordering::SeqCst), 1);
    assert_eq!(account.progress(ID).await.completed, 1);
    assert!(account.by_email("ann@example.com").await.lists.is_empty());
    assert_eq!(store.count_listed("LIST01").await.unwrap(), 0);
}

#[tokio::test]
async fn who_was_erased_is_not_brought_back_by_an_import_from_before_nor_by_the_same_request_again() {
    let account = Account::open().await;
    let store = &account.world.store;
    let rows = || [vec![row(2, "ann@example.com", json!({"first_name": "Ann"}))]];
    let announced = account.import(ID, &rows()).await;
    let first_sent = account.world.now();
    account.work_off(announced).await;
    let waiting = account.import("B2", &rows()).await;
    account.world.pass(1000);
    let ann = account.by_email("ann@example.com").await.id;
    let found = store.profile(&ann).await.unwrap().unwrap();
    let job = account.job("J9", JobKind::Settle { profile: ann.clone() }, 1);
    store.begin_erasure(&found, &job, account.world.now()).await.unwrap();
    account.world.pass(1000);
    account.work_off(waiting).await;
    let again = account.import("B3", &rows()).await;
    let mut import = store.bulk_import("B3").await.unwrap().unwrap();
    import.first_sent_at = Some(first_sent);
    let job = Job { id: "B3".to_owned(), ..account.job("B3", JobKind::ImportProfiles, 1) };
    store.create_bulk_import(&import, &rows(), &job).await.unwrap();
    account.work_off(again).await;
    for id in ["B2", "B3"] {
        let outcome = account.outcomes(id).await.remove(0);
        let refused = error(2, "The profile was erased after this request was first made.");
        assert_eq!((outcome.profiles.len(), outcome.errors), (0, vec![refused]), "{id}");
    }
    // A request of its own is somebody new.
    let announced = account.import("B4", &rows()).await;
    account.work_off(announced).await;
    assert_ne!(account.by_email("ann@example.com").await.id, ann);
}
