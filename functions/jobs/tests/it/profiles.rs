//! Bulk imports of profiles, as the API leaves them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use canonical::profile::PropertyPatch;
use canonical::{Person, Profile};
use serde_json::{Value, json};
use store::{BulkError, BulkImport, BulkOutcome, BulkPlace, BulkProgress, BulkRow, Job, JobKind, JobStatus};
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
        let now = self.world.now();
        let import = BulkImport {
            id: id.to_owned(),
            total: chunks.iter().map(|rows| rows.len() as u64).sum(),
            chunks: u32::try_from(chunks.len()).unwrap(),
            created_at: now,
            expires_at: at(now.as_millis() + 7 * 24 * 3_600_000),
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
        BulkRow::Profile { place, person, patch, .. } => {
            BulkRow::Profile { place, id: Some(id.to_owned()), person, patch }
        }
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
