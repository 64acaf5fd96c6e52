//! Going through a feed to its end, with a source in memory.

use platform::{ApiRequest, Connection, Delivery, Feed, Fetched, Mapping, Platform, Record};

use crate::NOW;

/// Rounds of one page: more than any adapter needs.
const MAX_ROUNDS: usize = 8;
/// Requests of one feed: a feed that makes more does not end.
const MAX_REQUESTS: usize = 100_000;

/// What a feed gave.
#[derive(Debug, Default)]
pub struct Walk {
    /// Its records, in order.
    pub records: Vec<Record>,
    /// The requests that were made for them, in order.
    pub requests: Vec<ApiRequest>,
}

/// Goes through a feed as poller and importer do: a page, what it must be joined with, the next one.
pub fn walk(
    platform: &dyn Platform,
    connection: &Connection,
    feed: &Feed,
    mut source: impl FnMut(&ApiRequest) -> Fetched,
) -> Walk {
    let mut walk = Walk::default();
    let mut ask = |request: ApiRequest, walk: &mut Walk| {
        let answer = source(&request);
        walk.requests.push(request);
        assert!(walk.requests.len() < MAX_REQUESTS, "{}: the feed does not end", feed.name);
        answer
    };
    let mut next = Some(feed.request.clone());
    while let Some(request) = next.take() {
        let answer = ask(request.clone(), &mut walk);
        let feed = Feed { name: feed.name, request };
        let mut joined = Vec::new();
        for round in 0.. {
            assert!(round < MAX_ROUNDS, "{}: a page wants ever more", feed.name);
            let page = platform.page(connection, &feed, &answer, &joined).unwrap();
            if page.joins.is_empty() {
                walk.records.extend(page.records);
                next = page.next;
                break;
            }
            for join in page.joins {
                joined.push(ask(join, &mut walk));
            }
        }
    }
    walk
}

/// What a feed's record says, and how many more requests that takes.
pub fn read(
    platform: &dyn Platform,
    connection: &Connection,
    record: &Record,
    mut source: impl FnMut(&ApiRequest) -> Fetched,
) -> (Mapping, usize) {
    let delivery = Delivery {
        platform: platform.name().to_owned(),
        connection: connection.id.clone(),
        topic: record.topic.clone(),
        delivery_id: record.delivery_id.clone(),
        received_at: NOW.parse().unwrap(),
        headers: record.headers.clone(),
        backfill: true,
        body: record.body.clone(),
    };
    let mut fetched = Vec::new();
    for _ in 0..MAX_ROUNDS {
        match platform.facts(&delivery, connection, &fetched) {
            Mapping::Fetch(requests) => fetched.extend(requests.iter().map(&mut source)),
            mapping => return (mapping, fetched.len()),
        }
    }
    panic!("{}: a record wants ever more", record.topic);
}
