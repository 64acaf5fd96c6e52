use std::collections::BTreeSet;

use store::{Cursor, EventFilter, EventKey, EventOrder, METRIC_PARTS, Put};
use testing::{NOW_MS, World, at};

use crate::{event, event_of, person, with_email};

#[tokio::test]
async fn an_event_repeated_with_another_time_is_a_duplicate_and_the_first_stays() {
    let world = World::start().await;
    let id = person(&world.store, &with_email("ada@example.com")).await.id;
    assert_eq!(world.store.put_event(&event(&id, "1", 0)).await.unwrap(), Put::Inserted);
    assert_eq!(world.store.put_event(&event(&id, "1", 60_000)).await.unwrap(), Put::Duplicate);
    assert_eq!(world.store.history(&id).await.unwrap(), [event(&id, "1", 0)]);
    let key = event(&id, "1", 0).event.id;
    assert_eq!(world.store.event(&id, &key).await.unwrap(), Some(event(&id, "1", 0)));
    assert_eq!(world.store.event(&id, "another").await.unwrap(), None);
}

/// Reads all pages; between two of them, something else may happen.
async fn pages(
    world: &World,
    filter: &EventFilter,
    order: EventOrder,
    size: usize,
    between: impl AsyncFn(usize),
) -> Vec<String> {
    let mut ids = Vec::new();
    let mut after: Option<Cursor> = None;
    for page_number in 0.. {
        let page = world.store.list_events(filter, order, after, size).await.unwrap();
        assert!(page.items.len() == size || page.next.is_none());
        ids.extend(page.items.into_iter().map(|stored| stored.event.id));
        // As a client has it: through text.
        after = page.next.map(|cursor| Cursor::decode(&cursor.encode()).unwrap());
        if after.is_none() {
            break;
        }
        between(page_number).await;
    }
    ids
}

#[tokio::test]
async fn pages_of_a_metric_have_no_gap_and_no_repeat_though_many_events_share_a_millisecond() {
    let world = World::start().await;
    let profiles = ["p1", "p2", "p3"];
    let mut all = BTreeSet::new();
    for number in 0..60 {
        // Most at one instant, over all shards and several profiles.
        let offset = if number % 6 == 0 { number } else { 0 };
        let stored = event(profiles[number % 3], &number.to_string(), i64::try_from(offset).unwrap());
        world.store.put_event(&stored).await.unwrap();
        all.insert(stored.event.id);
    }
    // Another metric's events are not listed.
    world.store.put_event(&event_of("p1", "Viewed Product", "connection", "x", 0)).await.unwrap();

    let filter = EventFilter { metric_ids: vec!["Placed Order".to_owned()], ..EventFilter::default() };
    for order in [EventOrder::OldestFirst, EventOrder::NewestFirst] {
        for size in [1, 7, 20, 60, 100] {
            let listed = pages(&world, &filter, order, size, async |_| {}).await;
            assert_eq!(listed.len(), all.len(), "{order:?} by {size}");
            assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), all);
        }
    }
    let newest_first = pages(&world, &filter, EventOrder::NewestFirst, 7, async |_| {}).await;
    let mut oldest_first = pages(&world, &filter, EventOrder::OldestFirst, 9, async |_| {}).await;
    oldest_first.reverse();
    assert_eq!(newest_first, oldest_first);
}

#[tokio::test]
async fn inserts_between_two_pages_shift_nothing() {
    let world = World::start().await;
    let mut all = BTreeSet::new();
    for number in 0..30 {
        let stored = event("p1", &number.to_string(), number / 10);
        world.store.put_event(&stored).await.unwrap();
        all.insert(stored.event.id);
    }
    let filter = EventFilter { metric_ids: vec!["Placed Order".to_owned()], ..EventFilter::default() };
    for (round, order) in [EventOrder::OldestFirst, EventOrder::NewestFirst].into_iter().enumerate() {
        let listed = pages(&world, &filter, order, 4, async |page| {
            for offset in [-5, 0, 1, 9] {
                let key = format!("late {round} {page} {offset}");
                world.store.put_event(&event("p2", &key, offset)).await.unwrap();
            }
        })
        .await;
        let unique: BTreeSet<String> = listed.iter().cloned().collect();
        assert_eq!(unique.len(), listed.len(), "{order:?}");
        assert!(all.is_subset(&unique), "{order:?}");
    }
}

#[tokio::test]
async fn bounds_are_inclusive_and_hold_for_a_profile_and_for_metrics() {
    let world = World::start().await;
    for offset in 0..10 {
        let metric = if offset % 2 == 0 { "Placed Order" } else { "Viewed Product" };
        let stored = event_of("p1", metric, "connection", &offset.to_string(), offset);
        world.store.put_event(&stored).await.unwrap();
    }
    let metrics = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let window = (Some(NOW_MS + 2), Some(NOW_MS + 5));
    for (profile, metric_ids, expected) in [
        (Some("p1"), metrics(&[]), vec![2, 3, 4, 5]),
        (Some("p1"), metrics(&["Placed Order"]), vec![2, 4]),
        (None, metrics(&["Placed Order"]), vec![2, 4]),
        (None, metrics(&["Placed Order", "Viewed Product"]), vec![2, 3, 4, 5]),
        (None, metrics(&[]), vec![]),
        (Some("p2"), metrics(&[]), vec![]),
    ] {
        let filter = EventFilter {
            profile_id: profile.map(str::to_owned),
            metric_ids,
            from_ms: window.0,
            to_ms: window.1,
        };
        let page = world.store.list_events(&filter, EventOrder::OldestFirst, None, 50).await.unwrap();
        let times: Vec<_> = page.items.iter().map(|stored| stored.event.occurred_at).collect();
        let expected: Vec<_> = expected.into_iter().map(|offset| at(NOW_MS + offset)).collect();
        assert_eq!(times, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn the_index_tells_where_a_metric_s_events_are_and_when_they_happened() {
    let world = World::start().await;
    let mut all = BTreeSet::new();
    for number in 0..40_i64 {
        let stored = event(["p1", "p2"][usize::from(number % 3 == 0)], &number.to_string(), number * 10);
        world.store.put_event(&stored).await.unwrap();
        all.insert((
            stored.profile_id.clone(),
            stored.event.id.clone(),
            stored.event.occurred_at.as_millis(),
        ));
    }
    let (from, to) = (NOW_MS + 50, NOW_MS + 300);
    let mut found = BTreeSet::new();
    for part in 0..METRIC_PARTS {
        let mut after = None;
        loop {
            let page = world.store.metric_events("Placed Order", part, (from, to), after, 3).await.unwrap();
            let events = world.store.events_at(&page.items).await.unwrap();
            for (key, stored) in page.items.iter().zip(events) {
                assert_eq!(
                    (&key.profile_id, &key.event_id, key.at_ms),
                    (&stored.profile_id, &stored.event.id, stored.event.occurred_at.as_millis())
                );
                assert!(found.insert((key.profile_id.clone(), key.event_id.clone(), key.at_ms)));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    all.retain(|(.., at_ms)| (from..=to).contains(at_ms));
    assert_eq!(found, all);
    let gone = EventKey { profile_id: "p1".to_owned(), event_id: "none".to_owned(), at_ms: 0 };
    assert_eq!(world.store.events_at(&[gone]).await.unwrap(), []);
}
