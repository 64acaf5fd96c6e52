//! Suppressing the members of lists and segments.

use canonical::fact::{Channel, ConsentChange, ConsentStatus};
use canonical::{Instant, Person};
use store::{JobKind, ListRecord, OptIn, SuppressedGroup, SuppressionJob, SuppressionProgress};
use testing::{NOW_MS, at};

use crate::Account;

const LIST: &str = "LST001";

impl Account {
    async fn list_of(&self, members: &[String]) {
        let (name, now) = ("News".to_owned(), at(NOW_MS));
        let opt_in_process = OptIn::SingleOptIn;
        let list = ListRecord { id: LIST.to_owned(), name, opt_in_process, created_at: now, updated_at: now };
        self.world.store.create_list(&list).await.unwrap();
        for member in members {
            self.world.store.join_list(member, LIST, at(NOW_MS - 1000)).await.unwrap();
        }
    }

    async fn suppression(&self, id: &str, suppresses: bool) {
        let record = SuppressionJob {
            id: id.to_owned(),
            suppresses,
            group: Some(SuppressedGroup::List(LIST.to_owned())),
            total: 0,
            created_at: self.world.now(),
            expires_at: at(NOW_MS + 7 * 86_400_000),
            progress: SuppressionProgress::default(),
        };
        let job = self.job(id, JobKind::Suppress, 1);
        self.world.store.create_suppression_job(&record, Some(&job)).await.unwrap();
    }

    async fn suppression_progress(&self, id: &str) -> SuppressionProgress {
        self.world.store.suppression_job(id).await.unwrap().unwrap().progress
    }

    async fn suppressed(&self) -> Vec<String> {
        let mut found = Vec::new();
        for number in 0..450 {
            let id = format!("{number:08}");
            let Some(profile) = self.world.store.profile(&id).await.unwrap() else { continue };
            if profile.value.email.is_some() && !profile.value.can_receive(Channel::Email) {
                found.push(id);
            }
        }
        found
    }

    async fn says_yes(&self, id: &str, when: Instant) {
        let change = ConsentChange {
            person: Person::default(),
            channel: Channel::Email,
            status: ConsentStatus::Subscribed,
            at: when,
            method: "form".to_owned(),
            double_opt_in: false,
        };
        let apply = |profile: &mut canonical::Profile| profile.apply_consent(&change).is_some();
        self.world.store.update_profile(id, when, apply).await.unwrap();
    }
}

#[tokio::test]
async fn all_members_are_suppressed_once_and_who_joins_or_agrees_later_is_not() {
    let account = Account::open().await;
    let people = account.people(403).await;
    account.list_of(&people[..402]).await;
    account.world.pass(1000);
    account.suppression("suppress", true).await;
    account.world.pass(1000);
    account.says_yes(&people[1], account.world.now()).await;
    account.world.store.join_list(&people[402], LIST, account.world.now()).await.unwrap();
    // The first chunk twice, as if its next message had been lost.
    let first = Account::announcement("suppress", 1);
    account.deliver(&first).await;
    assert_eq!(account.suppression_progress("suppress").await.ended_at, None);
    let mut messages = account.sent();
    messages.extend(first);
    account.work_off(messages).await;
    let progress = account.suppression_progress("suppress").await;
    assert_eq!((progress.changed, progress.skipped), (401, 1));
    assert!(progress.ended_at.is_some() && !progress.cancelled);
    let suppressed = account.suppressed().await;
    assert_eq!(suppressed.len(), 401);
    assert!(!suppressed.contains(&people[1]) && !suppressed.contains(&people[402]));
    assert!(account.world.store.job("suppress").await.unwrap().is_none());

    account.suppression("unsuppress", false).await;
    account.work_off(Account::announcement("unsuppress", 1)).await;
    let progress = account.suppression_progress("unsuppress").await;
    assert_eq!((progress.changed, progress.skipped), (401, 2));
    assert_eq!(account.suppressed().await, [""; 0]);
}

#[tokio::test]
async fn a_list_that_is_gone_cancels_the_job() {
    let account = Account::open().await;
    account.suppression("suppress", true).await;
    account.work_off(Account::announcement("suppress", 1)).await;
    let progress = account.suppression_progress("suppress").await;
    assert!(progress.cancelled && progress.ended_at.is_some());
    assert!(account.world.store.job("suppress").await.unwrap().is_none());
}
