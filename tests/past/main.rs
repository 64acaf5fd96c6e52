//! Every platform's history, read by its adapter from a server that never fails: every order once, and how many requests
//! that took against the fewest there can be.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that prints what it measured")]
#![allow(clippy::cast_precision_loss, reason = "a ratio for people")]

use std::collections::{BTreeMap, HashMap};

use canonical::{Fact, Source, order};
use fetch::Fetcher;
use platform::{ApiRequest, Connection, Delivery, Fetched, Mapping, Period, Platform, Record, Secrets};
use runtime::{Clock, Config};
use serde_json::Value;
use tests::now;
use tests::past::{Past, SHOPS, Shop};

const ORDERS: usize = 1000;
/// Rounds of joins and of requests of a thin record.
const ROUNDS: usize = 12;

/// An adapter at work.
struct Reader {
    fetcher: Fetcher,
    platform: &'static dyn Platform,
    connection: Connection,
    secrets: Secrets,
}

impl Reader {
    fn new(shop: &Shop, address: &str) -> Self {
        let config = Config::from_map([("FETCH_PRIVATE_HOSTS".to_owned(), "true".to_owned())].into());
        let attributes = shop.connection(address)["data"]["attributes"].clone();
        let mut secrets = Secrets::default();
        for (name, value) in attributes["secrets"].as_object().unwrap() {
            secrets.rotate(name, value.as_str().unwrap().to_owned());
        }
        let settings = attributes["settings"].as_object().unwrap().clone();
        Self {
            fetcher: Fetcher::new(&config, Clock::system()),
            platform: platforms::platform(shop.platform).unwrap(),
            connection: Connection { id: "C1".to_owned(), platform: shop.platform.to_owned(), settings },
            secrets,
        }
    }

    async fn ask(&self, request: &ApiRequest) -> Fetched {
        loop {
            match self.fetcher.fetch(&self.connection.id, request, &self.secrets).await {
                Ok(answer) => return answer,
                // A limit of the platform's.
                Err(fetch::Error::Later { after: Some(after), .. }) => tokio::time::sleep(after).await,
                Err(error) => panic!("{}: {} {error}", self.connection.platform, request.url),
            }
        }
    }

    async fn records(&self, period: &Period) -> Vec<Record> {
        let feeds = self.platform.feeds(&self.connection, period);
        assert!(!feeds.is_empty(), "{} has no history", self.connection.platform);
        let mut records = Vec::new();
        for mut feed in feeds {
            loop {
                let answer = self.ask(&feed.request).await;
                let mut joined = Vec::new();
                let mut page = self.platform.page(&self.connection, &feed, &answer, &joined).unwrap();
                for _ in 0..ROUNDS {
                    if page.joins.is_empty() {
                        break;
                    }
                    for request in &page.joins {
                        joined.push(self.ask(request).await);
                    }
                    page = self.platform.page(&self.connection, &feed, &answer, &joined).unwrap();
                }
                records.extend(page.records);
                let Some(next) = page.next else { break };
                feed.request = next;
            }
        }
        records
    }

    async fn facts(&self, record: Record) -> Vec<Fact> {
        let delivery = Delivery {
            platform: self.connection.platform.clone(),
            connection: self.connection.id.clone(),
            topic: record.topic,
            delivery_id: record.delivery_id,
            received_at: now(),
            headers: record.headers,
            backfill: true,
            body: record.body,
        };
        let mut fetched = Vec::new();
        for _ in 0..ROUNDS {
            match self.platform.facts(&delivery, &self.connection, &fetched) {
                Mapping::Facts { facts, dropped } => {
                    assert!(dropped.is_empty(), "{} drops {dropped:?}", self.connection.platform);
                    return facts;
                }
                Mapping::Ignore(_) => return Vec::new(),
                Mapping::Malformed(reason) => panic!("{}: {reason}", self.connection.platform),
                Mapping::Fetch(requests) => {
                    for request in &requests {
                        fetched.push(self.ask(request).await);
                    }
                }
            }
        }
        panic!("{} asks without end", self.connection.platform)
    }
}

#[allow(clippy::disallowed_methods, reason = "the settings of a test")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[tokio::test]
async fn every_platforms_history_is_read_whole_and_in_few_requests() {
    println!("{:<26} {:>7} {:>9} {:>7} {:>6}", "platform", "orders", "requests", "fewest", "ratio");
    let only = setting("PAST_PLATFORMS");
    for shop in SHOPS {
        if only.as_ref().is_some_and(|only| !only.split(',').any(|name| name == shop.platform)) {
            continue;
        }
        let past = Past::new(ORDERS, 7, now());
        let open = shop.open_calmly(past).await;
        let reader = Reader::new(shop, &open.address);
        let period = Period::history(open.past.begin(), now());
        let mut ledgers: HashMap<String, order::Ledger> = HashMap::new();
        let mut placed: BTreeMap<String, (String, Value)> = BTreeMap::new();
        for record in reader.records(&period).await {
            for fact in reader.facts(record).await {
                let Fact::Order(snapshot) = fact else { continue };
                let source = Source {
                    platform: shop.platform.to_owned(),
                    connection: "C1".to_owned(),
                    topic: String::new(),
                    delivery_id: String::new(),
                };
                let ledger = ledgers.entry(snapshot.order_id.clone()).or_default();
                let (advanced, events) = order::advance(ledger, &snapshot, &source);
                *ledger = advanced;
                for event in events.iter().filter(|event| event.metric == "Placed Order") {
                    let value = event.value.map(|money| money.amount.normalize().to_string());
                    let at = event.occurred_at.timestamp().as_second();
                    placed.insert(snapshot.order_id.clone(), (value.unwrap_or_default(), at.into()));
                }
            }
        }
        let (requests, _) = open.trouble.requests();
        let fewest = (shop.least_requests)(ORDERS);
        let ratio = requests as f64 / fewest as f64;
        println!("{:<26} {ORDERS:>7} {requests:>9} {fewest:>7} {ratio:>6.2}", shop.platform);
        let expected: BTreeMap<String, (String, Value)> = open
            .past
            .orders
            .iter()
            .map(|order| {
                let total = order.total().parse::<rust_decimal::Decimal>().unwrap().normalize().to_string();
                ((shop.order_id)(order.number), (total, order.at.as_second().into()))
            })
            .collect();
        assert_eq!(placed, expected, "{}", shop.platform);
    }
}
