use ::archive::memory::Bucket;
use ::archive::{ERASED, Entry};
use canonical::identity::{Identifier, Identifiers};
use jiff::Timestamp;
use platform::{Delivery, Headers};
use store::{Choice, JobKind};
use testing::{NOW_MS, RAW_QUEUE, at};

use crate::Account;

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";

impl Account {
    async fn archiving() -> (Self, Bucket) {
        let (account, bucket) = (Self::open().await, Bucket::default());
        let jobs = account.jobs.with_archive(Some(bucket.archive()));
        (Self { jobs, ..account }, bucket)
    }

    async fn run(&self, kind: JobKind) {
        self.world.store.create_job(&self.job("J1", kind, 1)).await.unwrap();
        self.work_off(Self::announcement("J1", 1)).await;
        assert!(self.world.store.jobs().await.unwrap().is_empty());
    }
}

fn email(email: &str) -> Identifier {
    Identifier::Email(email.to_owned())
}

fn erasure(connection: Option<&str>, emails: &[&str]) -> JobKind {
    let names = emails.iter().map(|address| store::name_of(&email(address))).collect();
    JobKind::EraseArchived { connection: connection.map(str::to_owned), names }
}

/// A delivery that was received so long after the beginning, and names somebody.
fn entry(number: i64, connection: &str, email_address: &str) -> Entry {
    let delivery = Delivery {
        platform: "shopify".to_owned(),
        connection: connection.to_owned(),
        topic: "orders/create".to_owned(),
        delivery_id: number.to_string(),
        received_at: Timestamp::from_millisecond(NOW_MS + number * 1000).unwrap(),
        headers: Headers::default(),
        backfill: false,
        body: format!("{{\"email\":\"{email_address}\"}}").into_bytes(),
    };
    let mut entry = Entry::new(delivery.label(), "mapped", delivery.received_at);
    entry.about = vec![store::name_of(&email(email_address))];
    entry.message = delivery.to_record().ok();
    entry
}

async fn entries(bucket: &Bucket) -> Vec<Entry> {
    let mut entries = Vec::new();
    for key in bucket.keys() {
        entries.extend(bucket.archive().read(&key).await.unwrap().unwrap().entries);
    }
    entries.sort_by_key(|entry| entry.received_at);
    entries
}

#[tokio::test]
async fn who_was_erased_is_erased_from_every_delivery_before_and_nobody_else() {
    let (account, bucket) = Account::archiving().await;
    let store = &account.world.store;
    let ada = Identifiers { email: Some(ADA.to_owned()), ..Identifiers::default() };
    store.update_person(&ada, None, account.world.now(), |_| false).await.unwrap();
    // More objects than one chunk has.
    for number in 0..450 {
        let who = if number % 3 == 0 { ADA } else { BOB };
        bucket
            .archive()
            .keep(vec![entry(number, "C1", who), entry(number + 100_000, "C1", BOB)])
            .await
            .unwrap();
    }
    account.world.pass(300_000);
    let profile = store.find_person(&ada).await.unwrap().unwrap();
    store.erase_profile(&profile, account.world.now()).await.unwrap();
    account.run(erasure(None, &[])).await;

    let entries = entries(&bucket).await;
    assert_eq!(entries.len(), 900);
    for (number, entry) in (0..450).zip(entries) {
        let is_erased = number % 3 == 0 && number <= 300;
        assert_eq!(entry.outcome == ERASED, is_erased, "{number}");
        assert_eq!(entry.message.is_none() && entry.about.is_empty(), is_erased, "{number}");
    }
}

#[tokio::test]
async fn what_came_through_a_connection_is_erased_from_the_archive() {
    let (account, bucket) = Account::archiving().await;
    bucket
        .archive()
        .keep(vec![entry(-1, "C1", ADA), entry(-2, "C2", ADA), entry(1, "C1", BOB)])
        .await
        .unwrap();
    account.run(erasure(Some("C1"), &[])).await;
    let erased: Vec<bool> = entries(&bucket).await.iter().map(|entry| entry.message.is_none()).collect();
    // The last was received after the wish.
    assert_eq!(erased, [false, true, false]);
}

#[tokio::test]
async fn who_was_known_by_a_name_is_erased_by_it() {
    let (account, bucket) = Account::archiving().await;
    // Of somebody else's profile, but she is named in it.
    let mut gift = entry(-1, "C1", ADA);
    gift.profiles = vec!["BOB".to_owned()];
    bucket.archive().keep(vec![gift, entry(-2, "C1", BOB), entry(1, "C1", ADA)]).await.unwrap();
    account.run(erasure(None, &[ADA])).await;
    let erased: Vec<bool> = entries(&bucket).await.iter().map(|entry| entry.message.is_none()).collect();
    assert_eq!(erased, [false, true, false]);
}

#[tokio::test]
async fn deliveries_are_put_back_as_history_once_each() {
    let (account, bucket) = Account::archiving().await;
    for number in 0..450 {
        let connection = if number % 2 == 0 { "C1" } else { "C2" };
        bucket.archive().keep(vec![entry(number, connection, ADA)]).await.unwrap();
    }
    let mut erased = entry(101, "C1", ADA);
    erased.erase();
    bucket.archive().keep(vec![erased]).await.unwrap();
    let choice = Choice {
        from: at(NOW_MS + 100_000),
        until: at(NOW_MS + 400_000),
        platform: Some("shopify".to_owned()),
        connection: Some("C1".to_owned()),
        topic: None,
    };
    account.run(JobKind::Replay { choice }).await;
    let mut numbers: Vec<i64> = Vec::new();
    for sent in account.world.take_sent(RAW_QUEUE) {
        let delivery = Delivery::from_message(&sent.body).unwrap();
        assert!(delivery.backfill && delivery.connection == "C1");
        numbers.push(delivery.delivery_id.parse().unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (50..200).map(|half| half * 2).collect::<Vec<i64>>());
}

#[tokio::test]
async fn without_an_archive_there_is_nothing_to_do() {
    let account = Account::open().await;
    account.run(erasure(None, &[])).await;
}
