//! Rate, progress, resumption, what is of no use, and what is counted anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use canonical::Profile;
use clock::ClockFunction;
use jobs::Jobs;
use runtime::Config;
use serde_json::{Value, json};
use store::{JobKind, JobMessage, JobState, PROFILE_SHARDS, SegmentRecord};
use testing::{Answer, JOBS_QUEUE, NOW_MS, World, at};

use crate::{Account, SEGMENT, buyers, order, part_of};

/// Everybody of this name.
fn named(name: &str) -> Value {
    json!({"condition_groups": [{"conditions": [{
        "type": "profile-property", "property": "first_name",
        "filter": {"type": "string", "operator": "equals", "value": name},
    }]}]})
}

/// Buyers of at least so many orders, or those of this name.
fn buyers_or(at_least: u32, name: &str) -> Value {
    let mut definition = buyers(at_least);
    let other = named(name)["condition_groups"][0]["conditions"][0].clone();
    definition["condition_groups"][0]["conditions"].as_array_mut().unwrap().push(other);
    definition
}

fn config(zone: &str, rate: &str) -> Config {
    let variables = [
        ("PROFILES_TABLE", "profiles"),
        ("ORDERS_TABLE", "orders"),
        ("REGISTRY_TABLE", "registry"),
        ("JOBS_QUEUE_URL", JOBS_QUEUE),
        ("RAW_DELIVERIES_QUEUE_URL", testing::RAW_QUEUE),
        ("TIME_ZONE", zone),
        ("JOB_PROFILES_PER_SECOND", rate),
    ];
    Config::from_map(BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))))
}

/// Profiles of one part, with an order each.
async fn crowd(account: &Account, part: u32, count: usize) -> Vec<String> {
    let ids = (0_u32..).map(|number| format!("{number:05}")).filter(|id| part_of(id) == part);
    let ids: Vec<String> = ids.take(count).collect();
    for id in &ids {
        let profile = Profile::new(id.clone(), at(NOW_MS - 3_600_000));
        account.world.store.put_profile(&profile, 0).await.unwrap();
        account.world.store.put_event(&order(id, "C1")).await.unwrap();
    }
    ids
}

/// Counts reads of histories from now on.
fn history_reads(world: &World) -> Arc<AtomicU32> {
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    world.intercept(move |call| {
        if call.operation == "Query" && call.body.to_string().contains("\"e#\"") {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        std::future::ready(Answer::Pass)
    });
    count
}

async fn set_active(account: &Account, is_active: bool, job: Option<&str>) {
    let store = &account.world.store;
    let version = store.program_version().await.unwrap() + 1;
    let before = store.segment(SEGMENT).await.unwrap().unwrap();
    let resumed_version = if is_active { version } else { before.resumed_version };
    let segment = SegmentRecord { version, is_active, resumed_version, ..before };
    let kind = JobKind::Backfill { segment: SEGMENT.to_owned(), version };
    let job = job.map(|job| account.job(job, kind, PROFILE_SHARDS));
    store.put_segment_definition(&segment, job.as_ref()).await.unwrap();
}

#[tokio::test]
async fn all_parts_of_a_job_together_keep_to_its_rate() {
    let account = Account::open().await;
    crowd(&account, 5, 210).await;
    account.define("J1", buyers(1)).await;
    let mut messages = Account::announcement("J1", PROFILE_SHARDS);
    let fifth = messages.remove(5);
    // With eight parts left at 100 a second, 200 profiles of one are 16 seconds' work; when it is the only one, two.
    for (alone, expected_s) in [(false, 16), (true, 2)] {
        if alone {
            account.work_off(messages.clone()).await;
            account.world.store.delete_job("J1").await.unwrap();
            account.define("J1", buyers(1)).await;
            account.work_off(messages.clone()).await;
        }
        let slow = Jobs::new(&config("UTC", "100"), &account.world.clients, account.world.clock()).unwrap();
        let mut message = SqsMessage::default();
        message.body = Some(fifth.clone());
        let mut event = SqsEvent::default();
        event.records = vec![message];
        assert!(slow.handle(event).await.unwrap().batch_item_failures.is_empty());
        let sent = account.world.take_sent(JOBS_QUEUE);
        assert_eq!(sent.iter().map(|sent| sent.delay_s).collect::<Vec<_>>(), [Some(expected_s)]);
    }
    assert!(Jobs::new(&config("UTC", "0"), &account.world.clients, account.world.clock()).is_err());
}

#[tokio::test]
async fn progress_is_told_while_it_goes_on_and_a_part_that_is_told_again_goes_on_where_it_was() {
    let account = Account::open().await;
    crowd(&account, 5, 450).await;
    account.define("J1", buyers(1)).await;
    let mut messages = Account::announcement("J1", PROFILE_SHARDS);
    let fifth = messages.remove(5);
    account.work_off(messages).await;
    account.world.pass(2000);
    account.deliver(std::slice::from_ref(&fifth)).await;
    let job = account.world.store.job("J1").await.unwrap().unwrap();
    let now_ms = account.world.now().as_millis();
    let progress = job.progress(now_ms);
    assert_eq!(
        (job.status.profiles_done, progress.profiles_total, progress.percent),
        (200, Some(450), Some(44))
    );
    assert_eq!((progress.rate, progress.end_ms), (Some(100), Some(now_ms + 2500)));
    assert_eq!(job.state(now_ms), JobState::Running);

    // Its next message is lost; the first comes again and is too late.
    assert_eq!(account.sent().len(), 1);
    account.deliver(std::slice::from_ref(&fifth)).await;
    assert!(account.sent().is_empty());
    // The clock sends it from where it is, and nobody is counted twice.
    let reads = history_reads(&account.world);
    account.recover().await;
    assert_eq!(reads.load(Ordering::SeqCst), 250);
    assert_eq!(account.members().await, 450);
    assert!(!account.is_processing().await);
}

#[tokio::test]
async fn a_message_that_comes_again_after_a_crash_goes_on_from_where_the_part_is() {
    let account = Account::open().await;
    crowd(&account, 5, 210).await;
    account.define("J1", buyers(1)).await;
    let mut messages = Account::announcement("J1", PROFILE_SHARDS);
    let fifth = messages.remove(5);
    account.work_off(messages).await;
    account.world.intercept_once(Answer::Throttle, |call| call.operation == "SendMessage");
    assert_eq!(account.deliver(std::slice::from_ref(&fifth)).await.len(), 1);
    account.world.let_pass();
    let job = account.world.store.job("J1").await.unwrap().unwrap();
    assert_eq!(job.status.profiles_done, 200);
    assert!(job.status.last_error.is_some(), "people see why it stands still");
    let mut message = SqsMessage::default();
    message.body = Some(fifth);
    message.attributes.insert("ApproximateReceiveCount".to_owned(), "2".to_owned());
    let mut event = SqsEvent::default();
    event.records = vec![message];
    account.jobs.handle(event).await.unwrap();
    assert!(!account.is_processing().await);
    assert_eq!(account.members().await, 210);
}

#[tokio::test]
async fn a_job_that_always_fails_is_stuck_since_then_and_says_why_until_it_moves_again() {
    let account = Account::open().await;
    account.people(3).await;
    account.define("J1", buyers(1)).await;
    account.world.intercept(|call| {
        let is_broken = call.operation == "BatchGetItem";
        std::future::ready(if is_broken { Answer::Throttle } else { Answer::Pass })
    });
    let failed = account.deliver(&Account::announcement("J1", PROFILE_SHARDS)).await;
    assert!(!failed.is_empty());
    let moved_ms = account.world.store.job("J1").await.unwrap().unwrap().status.moved_ms;
    account.world.pass(15 * 60_000);
    // That the clock sends it again changes nothing about that.
    let clock = ClockFunction::new(&account.world.config(), &account.world.clients, account.world.clock());
    clock.unwrap().handle(Value::Null).await.unwrap();
    let job = account.world.store.job("J1").await.unwrap().unwrap();
    let since_ms = moved_ms.max(NOW_MS);
    assert_eq!(job.state(account.world.now().as_millis()), JobState::Stuck(since_ms));
    assert!(job.status.last_error.is_some() && job.status.failed_at == Some(at(NOW_MS)));
    account.world.let_pass();
    let again = account.sent();
    assert!(!again.is_empty());
    account.work_off(again).await;
    assert!(!account.is_processing().await);
}

#[tokio::test]
async fn histories_are_read_only_where_something_is_counted_that_was_not_counted_before() {
    let account = Account::open().await;
    account.people(20).await;
    let reads = history_reads(&account.world);
    account.define("J1", buyers(1)).await;
    account.work_off(Account::announcement("J1", PROFILE_SHARDS)).await;
    assert_eq!((reads.swap(0, Ordering::SeqCst), account.members().await), (20, 20));
    // Another number of what is counted already, or a name; the name alone; and what is counted already.
    let store = &account.world.store;
    for (job, definition, members) in
        [("J2", buyers_or(2, "Ada"), 0), ("J3", named("Ada"), 0), ("J4", buyers(1), 20), ("J5", named(""), 0)]
    {
        let version = store.program_version().await.unwrap() + 1;
        let like = store.segment(SEGMENT).await.unwrap().unwrap();
        let other = SegmentRecord { id: "OTHER1".to_owned(), definition, version, ready_version: 0, ..like };
        let kind = JobKind::Backfill { segment: "OTHER1".to_owned(), version };
        store.put_segment_definition(&other, Some(&account.job(job, kind, PROFILE_SHARDS))).await.unwrap();
        account.work_off(Account::announcement(job, PROFILE_SHARDS)).await;
        assert!(!store.segment("OTHER1").await.unwrap().unwrap().is_processing());
        assert_eq!(store.count_members("OTHER1").await.unwrap(), members, "{job}");
        assert_eq!(reads.load(Ordering::SeqCst), 0, "{job}");
    }
}

#[tokio::test]
async fn an_edit_keeps_everybody_readable_until_they_are_held_to_the_new_definition() {
    let account = Account::open().await;
    account.people(24).await;
    account.define("J1", buyers(1)).await;
    account.work_off(Account::announcement("J1", PROFILE_SHARDS)).await;
    let members = async || account.members().await;
    assert_eq!(members().await, 24);
    account.define("J2", buyers(2)).await;
    assert_eq!((members().await, account.is_processing().await), (24, true));
    let mut last = Account::announcement("J2", PROFILE_SHARDS);
    let messages = last.split_off(1);
    account.work_off(messages).await;
    assert_eq!((members().await, account.is_processing().await), (24, true));
    // All at once.
    assert_eq!(account.deliver(&last).await, [] as [&str; 0]);
    assert_eq!(members().await, 0);
    assert!(!account.is_processing().await);

    // Those who were hidden are taken out of the index, and may come back.
    let jobs = account.world.store.jobs().await.unwrap();
    assert_eq!(
        jobs.iter().map(|job| &job.kind).collect::<Vec<_>>(),
        [&JobKind::SettleMembers { segment: SEGMENT.to_owned() }]
    );
    assert_eq!(listed(&account.world), 24);
    let messages = account.sent();
    account.work_off(messages).await;
    assert_eq!((listed(&account.world), account.world.store.jobs().await.unwrap().len()), (0, 0));
    account.define("J3", buyers(1)).await;
    account.work_off(Account::announcement("J3", PROFILE_SHARDS)).await;
    assert_eq!(members().await, 24);
}

/// Rows of the index of members, hidden ones too.
fn listed(world: &World) -> usize {
    world.items("profiles").values().filter(|item| item["seg"]["S"] == SEGMENT).count()
}

/// Breaks the end of an edit off at each call in turn.
#[tokio::test]
async fn an_edit_shows_and_its_members_are_settled_wherever_its_end_breaks_off() {
    let mut breaks = 0;
    for answer in [Answer::Throttle, Answer::Lose] {
        for step in 0.. {
            let account = Account::open().await;
            account.people(3).await;
            account.define("J1", buyers(1)).await;
            account.work_off(Account::announcement("J1", PROFILE_SHARDS)).await;
            account.define("J2", buyers(2)).await;
            let mut last = Account::announcement("J2", PROFILE_SHARDS);
            let messages = last.split_off(1);
            account.work_off(messages).await;
            let calls = AtomicU32::new(0);
            account.world.intercept_once(answer, move |call| {
                let is_write = !matches!(call.operation.as_str(), "Query" | "GetItem" | "BatchGetItem");
                is_write && calls.fetch_add(1, Ordering::SeqCst) == step
            });
            let failed = account.deliver(&last).await;
            account.world.let_pass();
            drop(account.sent());
            account.recover().await;
            // The clock may have come before the end, and has to come again for what that left.
            account.recover().await;
            assert_eq!((account.members().await, listed(&account.world)), (0, 0), "{answer:?} {step}");
            assert!(!account.is_processing().await, "{answer:?} {step}");
            assert!(account.world.store.jobs().await.unwrap().is_empty(), "{answer:?} {step}");
            if failed.is_empty() {
                break;
            }
            breaks += 1;
        }
    }
    assert!(breaks > 5, "{breaks}");
}

#[tokio::test]
async fn nobody_goes_on_with_the_job_of_a_segment_that_was_deactivated_edited_or_deleted() {
    let account = Account::open().await;
    account.people(10).await;
    account.define("J1", buyers(1)).await;
    account.work_off(Account::announcement("J1", PROFILE_SHARDS)).await;
    account.define("J2", buyers(2)).await;
    set_active(&account, false, None).await;
    let reads = history_reads(&account.world);
    let before = account.world.items("profiles");
    account.work_off(Account::announcement("J2", PROFILE_SHARDS)).await;
    assert!(account.world.store.jobs().await.unwrap().is_empty());
    assert_eq!(account.world.items("profiles"), before);
    assert_eq!((reads.load(Ordering::SeqCst), account.members().await), (0, 10));

    set_active(&account, true, Some("J3")).await;
    account.define("J4", buyers(3)).await;
    account.deliver(&Account::announcement("J3", PROFILE_SHARDS)).await;
    let jobs: Vec<String> = account.world.store.jobs().await.unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(jobs, ["J4"]);
    let removal = account.job("J5", JobKind::RemoveMembers { segment: SEGMENT.to_owned() }, 1);
    let version = account.world.store.program_version().await.unwrap() + 1;
    account.world.store.delete_segment(SEGMENT, version, &removal).await.unwrap();
    account.deliver(&Account::announcement("J4", PROFILE_SHARDS)).await;
    account.work_off(Account::announcement("J5", 1)).await;
    assert!(account.world.store.jobs().await.unwrap().is_empty());
    assert_eq!(account.members().await, 0);
}

/// Who is a member when a segment is deactivated stays one; when it is activated again, everybody is made right.
#[tokio::test]
async fn members_of_a_deactivated_segment_stay_as_they_were_until_it_is_activated_again() {
    let account = Account::open().await;
    let store = &account.world.store;
    let mut ids = account.people(3).await;
    ids.sort();
    account.define("J1", buyers_or(5, "Ada")).await;
    let rename = async |id: &str, name: &str| {
        let stored = store.profile(id).await.unwrap().unwrap();
        let mut profile = stored.value;
        profile.attributes.insert("first_name".to_owned(), json!(name));
        store.put_profile(&profile, stored.version).await.unwrap();
    };
    rename(&ids[0], "Ada").await;
    rename(&ids[1], "Ada").await;
    account.work_off(Account::announcement("J1", PROFILE_SHARDS)).await;
    let joined = store.membership(&ids[0], SEGMENT).await.unwrap().unwrap().joined_at;
    set_active(&account, false, None).await;
    account.world.pass(60_000);

    // Everybody is evaluated meanwhile, by another segment's job: one leaves by name, one joins.
    rename(&ids[1], "Bob").await;
    rename(&ids[2], "Ada").await;
    let version = store.program_version().await.unwrap() + 1;
    let other = store.segment(SEGMENT).await.unwrap().unwrap();
    let other = SegmentRecord {
        id: "OTHER1".to_owned(),
        definition: named("Bob"),
        version,
        is_active: true,
        ..other
    };
    let kind = JobKind::Backfill { segment: "OTHER1".to_owned(), version };
    let job = account.job("J2", kind, PROFILE_SHARDS);
    store.put_segment_definition(&other, Some(&job)).await.unwrap();
    account.work_off(Account::announcement("J2", PROFILE_SHARDS)).await;
    assert_eq!(store.count_members("OTHER1").await.unwrap(), 1);
    assert_eq!(account.members().await, 2, "as they were");
    assert!(store.membership(&ids[1], SEGMENT).await.unwrap().unwrap().current);

    set_active(&account, true, Some("J3")).await;
    account.work_off(Account::announcement("J3", PROFILE_SHARDS)).await;
    let current =
        async |id: &str| store.membership(id, SEGMENT).await.unwrap().is_some_and(|member| member.current);
    assert_eq!((current(&ids[0]).await, current(&ids[1]).await, current(&ids[2]).await), (true, false, true));
    assert_eq!(store.membership(&ids[0], SEGMENT).await.unwrap().unwrap().joined_at, joined, "never left");
    assert!(!account.is_processing().await);
}

#[tokio::test]
async fn a_recount_reads_every_history_and_mends_what_is_wrong() {
    let account = Account::open().await;
    let ids = account.people(12).await;
    account.define("J1", buyers(1)).await;
    account.work_off(Account::announcement("J1", PROFILE_SHARDS)).await;
    let store = &account.world.store;
    // Somebody's event is gone, and nobody was told.
    let event = order(&ids[3], "C1").event.id;
    account.world.delete_item("profiles", &format!("p#{}", ids[3]), &format!("e#{event}"));
    let segment = store.segment(SEGMENT).await.unwrap().unwrap();
    let kind = JobKind::Recount { segment: SEGMENT.to_owned(), version: segment.version };
    store.create_segment_job(&segment, &account.job("J2", kind, PROFILE_SHARDS)).await.unwrap();
    assert!(account.is_processing().await);
    let reads = history_reads(&account.world);
    account.work_off(Account::announcement("J2", PROFILE_SHARDS)).await;
    assert_eq!((reads.load(Ordering::SeqCst), account.members().await), (12, 11));
    assert!(!account.is_processing().await);
    // Everybody else is as they were.
    let member = store.membership(&ids[4], SEGMENT).await.unwrap().unwrap();
    assert_eq!((member.current, member.left_at), (true, None));
}

/// Who ordered in the last day: at noon in Paris it is another day than in Auckland.
#[tokio::test]
async fn another_zone_moves_everybody_to_its_days() {
    let account = Account::open().await;
    let world = &account.world;
    let ids = account.people(10).await;
    // 21:00 UTC of 15 June: the 15th in UTC, the 16th in Auckland, where it is the 18th now.
    for id in &ids {
        let mut early = order(id, "C2");
        early.event.occurred_at = at(NOW_MS - 39 * 3_600_000);
        world.store.put_event(&early).await.unwrap();
    }
    let mut definition = buyers(2);
    definition["condition_groups"][0]["conditions"][0]["timeframe_filter"] =
        json!({"type": "date", "operator": "in-the-last", "unit": "day", "quantity": 2});
    let clock = |zone: &str| ClockFunction::new(&config(zone, "500"), &world.clients, world.clock()).unwrap();
    account.define("J1", definition).await;
    account.work_off(Account::announcement("J1", PROFILE_SHARDS)).await;
    assert_eq!(account.members().await, 10);

    // The function's own configuration does not matter: the zone comes with the program.
    assert!(clock("Pacific/Kiritimati").handle(Value::Null).await.unwrap().zone_changed);
    assert!(account.is_processing().await);
    assert_eq!(account.members().await, 10);
    world.pass(60_000);
    clock("Pacific/Kiritimati").handle(Value::Null).await.unwrap();
    let messages = account.sent();
    assert_eq!(messages.len(), PROFILE_SHARDS as usize);
    let reads = history_reads(world);
    account.work_off(messages.clone()).await;
    assert_eq!((reads.load(Ordering::SeqCst), account.members().await), (10, 10));
    assert!(!account.is_processing().await);
    // The window of two days ends at another midnight now: ten hours before that of UTC of the 18th.
    let due_ms = due(world, &ids[0]).await;
    assert_eq!(due_ms, NOW_MS - 2 * 3_600_000 + 24 * 3_600_000);

    // A zone that was changed again is not waited for.
    let job = JobKind::ChangeZone { zone: "UTC".to_owned(), version: 3 };
    world.store.create_job(&account.job("J9", job, PROFILE_SHARDS)).await.unwrap();
    account.deliver(&Account::announcement("J9", 1)).await;
    assert_eq!(world.store.job("J9").await.unwrap(), None);
    let message: JobMessage = serde_json::from_str(&messages[0]).unwrap();
    assert_eq!(world.store.job(&message.job).await.unwrap(), None);
}

async fn due(world: &World, id: &str) -> i64 {
    let state = world.store.state(id).await.unwrap().unwrap();
    segments::State::decode(&state.bytes).unwrap().next_due_ms().unwrap()
}

#[tokio::test]
async fn a_chunk_that_failed_is_to_come_again_soon_and_later_each_time() {
    let account = Account::open().await;
    account.people(1).await;
    account.define("J1", buyers(1)).await;
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = seen.clone();
    account.world.intercept(move |call| {
        if call.operation == "ChangeMessageVisibility" {
            told.lock()
                .unwrap()
                .push((call.body["ReceiptHandle"].clone(), call.body["VisibilityTimeout"].clone()));
        }
        let fails = call.operation == "UpdateItem";
        std::future::ready(if fails { Answer::Throttle } else { Answer::Pass })
    });
    for count in 1..=5 {
        let mut message = SqsMessage::default();
        message.message_id = Some("1".to_owned());
        message.receipt_handle = Some("handle".to_owned());
        message.body = Some(Account::announcement("J1", 1).remove(0));
        message.attributes.insert("ApproximateReceiveCount".to_owned(), count.to_string());
        let mut event = SqsEvent::default();
        event.records = vec![message];
        assert_eq!(account.jobs.handle(event).await.unwrap().batch_item_failures.len(), 1);
    }
    let expected = [10, 40, 160, 640, 720].map(|seconds| (json!("handle"), json!(seconds)));
    assert_eq!(*seen.lock().unwrap(), expected);
}
