use aws_lambda_events::dynamodb::Event as StreamEvent;
use canonical::Profile;
use evaluation::Evaluator;
use jiff::tz::TimeZone;
use segment_evaluator::SegmentEvaluator;
use store::{JobKind, PROFILE_SHARDS};
use testing::{Answer, NOW_MS, at};

use crate::{Account, SEGMENT, buyers, order, part_of};

#[tokio::test]
async fn everybody_is_brought_to_a_new_definition_chunk_by_chunk_and_only_then_is_it_ready() {
    let account = Account::open().await;
    // All in one part, more than a chunk of 200.
    let mut ids = Vec::new();
    for number in 0_u32.. {
        let id = format!("{number:05}");
        if part_of(&id) == 5 {
            account
                .world
                .store
                .put_profile(&Profile::new(id.clone(), at(NOW_MS - 3_600_000)), 0)
                .await
                .unwrap();
            ids.push(id);
        }
        if ids.len() == 210 {
            break;
        }
    }
    for id in ids.iter().step_by(10) {
        account.world.store.put_event(&order(id, "C1")).await.unwrap();
    }
    account.define("J1", buyers(1)).await;

    let mut first = Account::announcement("J1", PROFILE_SHARDS);
    let fifth = first.remove(5);
    assert_eq!(account.deliver(&first).await, [] as [&str; 0]);
    assert!(account.is_processing().await);
    assert_eq!(account.deliver(&[fifth]).await, [] as [&str; 0]);
    assert!(account.is_processing().await);
    let job = account.world.store.job("J1").await.unwrap().unwrap();
    assert_eq!((job.status.parts_left, job.status.profiles_done), (vec![5], 200));

    let next = account.sent();
    assert_eq!(next.len(), 1);
    assert_eq!(account.deliver(&next).await, [] as [&str; 0]);
    assert_eq!(account.sent(), [] as [&str; 0]);
    assert!(!account.is_processing().await);
    assert_eq!(account.members().await, 21);
    assert_eq!(account.world.store.job("J1").await.unwrap(), None);
    // What comes again does nothing.
    let before = account.world.items("profiles");
    account.work_off(Account::announcement("J1", PROFILE_SHARDS)).await;
    assert_eq!(account.world.items("profiles"), before);
}

#[tokio::test]
async fn lost_messages_are_sent_again_by_the_clock() {
    let account = Account::open().await;
    account.people(20).await;
    account.define("J1", buyers(1)).await;
    // Not one of them arrives.
    account.recover().await;
    assert_eq!(account.members().await, 20);
    assert!(!account.is_processing().await);
    assert!(account.world.store.jobs().await.unwrap().is_empty());
}

/// Breaks the work off at each call in turn, after which the message is lost, too.
#[tokio::test]
async fn a_crash_at_any_call_is_made_good_by_the_clock() {
    let mut breaks = 0;
    for answer in [Answer::Throttle, Answer::Lose] {
        for step in 0.. {
            let account = Account::open().await;
            account.people(3).await;
            account.define("J1", buyers(1)).await;
            let calls = std::sync::atomic::AtomicU32::new(0);
            account.world.intercept_once(answer, move |call| {
                // The reads that find nothing are many and alike.
                let is_counted = !matches!(call.operation.as_str(), "Query" | "GetItem");
                is_counted && calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == step
            });
            let failed = account.deliver(&Account::announcement("J1", PROFILE_SHARDS)).await;
            account.world.let_pass();
            drop(account.sent());
            account.recover().await;
            assert_eq!(account.members().await, 3, "{answer:?} {step}");
            assert!(!account.is_processing().await, "{answer:?} {step}");
            assert!(account.world.store.jobs().await.unwrap().is_empty(), "{answer:?} {step}");
            if failed.is_empty() {
                break;
            }
            breaks += 1;
        }
    }
    assert!(breaks > 15, "{breaks}");
}

#[tokio::test]
async fn a_definition_that_changed_meanwhile_waits_for_its_own_job() {
    let account = Account::open().await;
    account.people(5).await;
    account.define("J1", buyers(1)).await;
    account.define("J2", buyers(2)).await;
    account.work_off(Account::announcement("J1", PROFILE_SHARDS)).await;
    assert!(account.is_processing().await);
    assert_eq!(account.members().await, 0);
    account.work_off(Account::announcement("J2", PROFILE_SHARDS)).await;
    assert!(!account.is_processing().await);
}

#[tokio::test]
async fn a_profile_that_the_listing_missed_is_seen_at_the_end() {
    let account = Account::open().await;
    account.people(2).await;
    account.define("J1", buyers(1)).await;
    let mut messages = Account::announcement("J1", PROFILE_SHARDS);
    let last = messages.split_off(7);
    account.work_off(messages).await;
    // Made just before the job, in a part that is done: as an index that lags shows it.
    let mut profile = Profile::new("00000000X".to_owned(), at(NOW_MS - 1000));
    profile.email = Some("late@example.com".to_owned());
    account.world.store.put_profile(&profile, 0).await.unwrap();
    account.world.store.put_event(&order(&profile.id, "C1")).await.unwrap();
    account.work_off(last).await;
    assert_eq!(account.members().await, 3);
}

/// A backfill and a batch of the stream work on the same profile; each cuts in at every call of the other in turn.
#[tokio::test]
async fn a_backfill_and_the_stream_agree_on_a_profile_whoever_comes_first() {
    let mut moments = 0;
    for moment in 0.. {
        let account = Account::open().await;
        let id = account.people(1).await.remove(0);
        account.define("J1", buyers(2)).await;
        let mut second = order(&id, "C2");
        second.event.occurred_at = at(NOW_MS - 500);
        account.world.store.put_event(&second).await.unwrap();

        // The other parts are done.
        let mut messages = Account::announcement("J1", PROFILE_SHARDS);
        let own = messages.remove(usize::try_from(part_of(&id)).unwrap());
        account.work_off(messages).await;

        let evaluator = Evaluator::over(account.world.store.clone(), account.world.clock(), TimeZone::UTC);
        let stream = std::sync::Arc::new(SegmentEvaluator::new(evaluator));
        let records = account.world.stream();
        let calls = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = calls.clone();
        account.world.intercept(move |_| {
            let is_now = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == moment;
            let (stream, records) = (stream.clone(), records.clone());
            async move {
                if is_now {
                    let mut event = StreamEvent::default();
                    event.records = records;
                    let response = Box::pin(stream.handle(event)).await.unwrap();
                    assert!(response.batch_item_failures.is_empty());
                }
                Answer::Pass
            }
        });
        account.work_off(vec![own]).await;
        if calls.load(std::sync::atomic::Ordering::SeqCst) <= moment {
            break;
        }
        moments += 1;
        assert_eq!(account.members().await, 1, "moment {moment}");
        let state = account.world.store.state(&id).await.unwrap().unwrap();
        let state = segments::State::decode(&state.bytes).unwrap();
        assert!(state.is_member(SEGMENT), "moment {moment}");
        // Exactly two: a third would be one counted twice.
        account.define("J2", buyers(3)).await;
        account.world.let_pass();
        account.work_off(Account::announcement("J2", PROFILE_SHARDS)).await;
        assert_eq!(account.members().await, 0, "moment {moment}");
    }
    assert!(moments > 10, "{moments}");
}

#[tokio::test]
async fn the_members_of_a_deleted_segment_are_removed() {
    let account = Account::open().await;
    account.people(30).await;
    account.define("J1", buyers(1)).await;
    account.work_off(Account::announcement("J1", PROFILE_SHARDS)).await;
    assert_eq!(account.members().await, 30);
    let removal = account.job("J2", JobKind::RemoveMembers { segment: SEGMENT.to_owned() }, 1);
    account.world.store.delete_segment(SEGMENT, 2, &removal).await.unwrap();
    account.work_off(Account::announcement("J2", 1)).await;
    assert_eq!(account.members().await, 0);
    assert!(account.world.store.jobs().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_message_of_a_job_that_is_gone_is_let_go_and_one_that_is_no_message_comes_back() {
    let account = Account::open().await;
    let messages = [Account::announcement("gone", 1).remove(0), "no message".to_owned()];
    assert_eq!(account.deliver(&messages).await, ["no message"]);
}
