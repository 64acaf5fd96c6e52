//! Ended well or killed at random moments, started again, and nothing is lost or told twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use jiff::SignedDuration;
use tests::random::Random;
use tests::{Api, Delivery, Order, Shop, api::at_least, eventually_eq, now};

use crate::{shopify, start_with_shop, whole_segment};

const PEOPLE: u64 = 20;
const ORDERS: u64 = 60;
const KILLS: usize = 8;
const AT_ONCE: usize = 4;

/// Metric, order id, line id: what tells one event from another.
type Key = (String, String, String);

/// What the shop knows to have happened, and in what it tells that.
struct World {
    deliveries: Vec<Delivery>,
    told: BTreeMap<String, Vec<Key>>,
    bought_twice: Vec<String>,
}

fn world(random: &mut Random) -> World {
    let mut deliveries = Vec::new();
    let mut told: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    let mut orders: BTreeMap<String, u32> = BTreeMap::new();
    let start = now() - SignedDuration::from_hours(5);
    for id in 1..=ORDERS {
        let email = format!("person{}@example.com", random.below(PEOPLE));
        let placed_at = start + SignedDuration::from_secs(i64::try_from(id).unwrap());
        let order = Order::new(id, &email, placed_at);
        *orders.entry(email.clone()).or_default() += 1;
        let mut happened = vec![("Placed Order", ""), ("Ordered Product", "1"), ("Ordered Product", "2")];
        let mut said = vec![order.created()];
        if random.below(2) == 0 {
            happened.extend([("Fulfilled Order", ""), ("Shipped Order", ""), ("Refunded Order", "")]);
            said.push(order.sent_and_partly_refunded());
            if random.below(2) == 0 {
                happened.push(("Cancelled Order", ""));
                said.push(order.cancelled());
            }
        }
        // The platform repeats itself.
        if random.below(3) == 0 {
            said.push(said[0].clone());
        }
        deliveries.extend(said);
        let keys =
            happened.into_iter().map(|(metric, line)| (metric.to_owned(), id.to_string(), line.to_owned()));
        told.entry(email).or_default().extend(keys);
    }
    random.shuffle(&mut deliveries);
    let bought_twice = orders.into_iter().filter(|(_, count)| *count >= 2).map(|(email, _)| email).collect();
    World { deliveries, told, bought_twice }
}

/// What is missing from the histories, and what is too much.
async fn differences(api: &Api, expected: &BTreeMap<String, Vec<Key>>) -> Vec<String> {
    let mut differences = Vec::new();
    for (email, expected) in expected {
        let mut missing = expected.clone();
        for event in api.history(email).await {
            let text = |name: &str| event.property(name).as_str().unwrap_or_default().to_owned();
            let key = (event.metric.clone(), text("OrderId"), text("LineId"));
            match missing.iter().position(|expected| *expected == key) {
                Some(index) => drop(missing.swap_remove(index)),
                None => differences.push(format!("{email} has too much: {key:?}")),
            }
        }
        differences.extend(missing.iter().map(|key| format!("{email} lacks: {key:?}")));
    }
    differences
}

/// Sends what was not answered yet, some at a time, and notes what was answered.
async fn send(api: &Api, shop: &Shop, deliveries: &[Delivery], answered: &Mutex<BTreeSet<usize>>) {
    let open: Vec<usize> =
        (0..deliveries.len()).filter(|index| !answered.lock().unwrap().contains(index)).collect();
    let send = |index: usize| async move {
        // No answer, or 503: the platform will try again.
        if shop.try_deliver(api, &deliveries[index]).await.is_ok_and(|status| status == 200) {
            answered.lock().unwrap().insert(index);
        }
    };
    stream::iter(open).map(send).buffer_unordered(AT_ONCE).collect::<()>().await;
}

#[allow(clippy::disallowed_methods, reason = "the one setting of a test")]
fn seed() -> u64 {
    let given = std::env::var("TILLSTREAM_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| u64::try_from(now().as_nanosecond() % i128::from(u32::MAX)).unwrap())
}

#[tokio::test]
async fn killed_at_any_moment_it_loses_nothing_and_tells_nothing_twice() {
    let seed = seed();
    println!("TILLSTREAM_SEED={seed}");
    let mut random = Random(seed);
    let World { deliveries, told: expected, bought_twice } = world(&mut random);
    let twice = |days| at_least(2, &shopify("Placed Order"), days, "day");
    let (mut stack, shop) = start_with_shop().await;
    let before = whole_segment(stack.api(), "Before", &twice(30)).await;
    let mut during = None;

    let answered = Mutex::default();
    for kill in 0..KILLS {
        // Each round has something to send, the later ones ever more to work off.
        let released = deliveries.len() * (kill + 1) / KILLS;
        if kill == KILLS / 2 {
            // Its backfill runs into the next kill.
            during = Some(stack.api().create_segment("During", &twice(29)).await);
        }
        // In the short ones nothing is finished, in the long ones something is.
        let longest = if kill % 2 == 0 { 380 } else { 2000 };
        let pause = Duration::from_millis(20 + random.below(longest));
        let round = async {
            send(stack.api(), &shop, &deliveries[..released], &answered).await;
            // What is left of the time, the work behind the queue goes on.
            std::future::pending::<()>().await;
        };
        let _ = tokio::time::timeout(pause, round).await;
        stack.kill();
        stack.restart().await;
    }
    while answered.lock().unwrap().len() < deliveries.len() {
        send(stack.api(), &shop, &deliveries, &answered).await;
    }
    stack.settled().await;
    // What was under way at the fifth kill counts as poison. It is set aside, not lost.
    let poison = stack.dead_letters().await;
    assert!(poison.iter().all(|letter| letter.message_attributes.is_none()), "{poison:?}");
    stack.replay_dead_letters().await;

    let api = stack.api();
    eventually_eq("all is told once", &Vec::new(), async || differences(api, &expected).await).await;
    assert_eq!(api.all("/api/profiles", &[]).await.len(), expected.len());
    let after = whole_segment(api, "After", &twice(31)).await;
    for segment in [&before, during.as_ref().unwrap(), &after] {
        api.segment_is_whole(segment).await;
        eventually_eq("who bought twice is a member", &bought_twice, async || api.members(segment).await)
            .await;
    }
    for queue in ["RawDeliveriesDeadLetterQueue", "EvaluatorFailuresQueue"] {
        assert_eq!(stack.depth(queue).await, 0, "{queue}");
    }
}

#[tokio::test]
async fn history_and_memberships_survive_an_orderly_restart() {
    let (mut stack, shop) = start_with_shop().await;
    let buyers =
        whole_segment(stack.api(), "Buyers", &at_least(1, &shopify("Placed Order"), 30, "day")).await;
    shop.deliver(stack.api(), &Order::new(1, "ann@example.com", now()).created()).await;
    eventually_eq("ann is a member", &1, async || stack.api().members(&buyers).await.len()).await;
    let history = stack.api().history("ann@example.com").await;

    assert!(stack.terminate());
    stack.restart().await;
    let api = stack.api();
    assert_eq!(api.members(&buyers).await, ["ann@example.com"]);
    assert_eq!(api.history("ann@example.com").await, history);
    // And it goes on, with the connection and its secret.
    shop.deliver(api, &Order::new(2, "bob@example.com", now()).created()).await;
    eventually_eq("bob is a member", &2, async || api.members(&buyers).await.len()).await;
}
