//! How long the mapper's own part takes on one core: from the bytes of a delivery, and of the answers it asks for, to
//! facts and to events. For each platform the largest order among its fixtures.

#![allow(missing_docs, reason = "benchmarks have no callers")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should say so")]
#![allow(clippy::print_stdout, reason = "what is measured is said before it is")]

use canonical::order::{Ledger, advance};
use canonical::{Event, Fact, Source};
use conformance::{Case, Suite};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use platform::{Connection, Delivery, Fetched, Mapping};
use serde_json::Value;

macro_rules! suites {
    ($($platform:ident $folder:literal $path:literal;)*) => {
        $(#[path = $path] mod $platform;)*

        fn suite(name: &str) -> Suite {
            match name {
                $($folder => Suite {
                    folder: concat!(env!("CARGO_MANIFEST_DIR"), "/../../functions/", $folder),
                    ..$platform::SUITE
                },)*
                _ => unreachable!(),
            }
        }

        const NAMES: &[&str] = &[$($folder),*];
    };
}

suites! {
    bigcommerce "bigcommerce" "../../../functions/bigcommerce/tests/it/suite.rs";
    custom "custom" "../../../functions/custom/tests/it/suite.rs";
    dutchie "dutchie" "../../../functions/dutchie/tests/it/suite.rs";
    lightspeed "lightspeed" "../../../functions/lightspeed/tests/it/suite.rs";
    magento1 "magento1" "../../../functions/magento1/tests/it/suite.rs";
    magento2 "magento2" "../../../functions/magento2/tests/it/suite.rs";
    mi9 "mi9" "../../../functions/mi9/tests/it/suite.rs";
    opencart "opencart" "../../../functions/opencart/tests/it/suite.rs";
    prestashop "prestashop" "../../../functions/prestashop/tests/it/suite.rs";
    salesforce_commerce_cloud "salesforce-commerce-cloud" "../../../functions/salesforce-commerce-cloud/tests/it/suite.rs";
    shift4shop "shift4shop" "../../../functions/shift4shop/tests/it/suite.rs";
    shopbase "shopbase" "../../../functions/shopbase/tests/it/suite.rs";
    shopify "shopify" "../../../functions/shopify/tests/it/suite.rs";
    smile "smile" "../../../functions/smile/tests/it/suite.rs";
    spree "spree" "../../../functions/spree/tests/it/suite.rs";
    volusion "volusion" "../../../functions/volusion/tests/it/suite.rs";
    wix "wix" "../../../functions/wix/tests/it/suite.rs";
    woocommerce "woocommerce" "../../../functions/woocommerce/tests/it/suite.rs";
}

fn main() {
    for name in NAMES {
        let order = Order::largest(name);
        println!("{name}: {} bytes, {} rounds of requests", order.bytes(), order.rounds.len());
    }
    println!("shopify, small: {} bytes", Order::small().bytes());
    divan::main();
}

/// A delivery about an order, and the answers that its reading asks for.
struct Order {
    suite: Suite,
    delivery: Delivery,
    connection: Connection,
    /// The answers that are at hand in each round.
    rounds: Vec<Vec<Fetched>>,
    source: Source,
}

impl Order {
    fn largest(name: &str) -> Self {
        let suite = suite(name);
        let orders = suite.cases().into_iter().filter_map(|case| Self::of(suite, &case));
        orders.max_by_key(Self::bytes).unwrap()
    }

    /// An order of one line without the parts that few shops use, as small as the orders that other software was
    /// measured with.
    fn small() -> Self {
        let mut case = suite("shopify").cases().into_iter().max_by_key(|case| case.body().len()).unwrap();
        let body = case.body.as_object_mut().unwrap();
        body["line_items"].as_array_mut().unwrap().truncate(1);
        let unused = ["shipping_lines", "tax_lines", "discount_applications", "client_details"];
        body.retain(|name, value| {
            !value.is_null() && !name.ends_with("_set") && !unused.contains(&name.as_str())
        });
        let line = body["line_items"][0].as_object_mut().unwrap();
        line.retain(|name, value: &mut Value| !value.is_null() && !name.ends_with("_set"));
        Self::of(suite("shopify"), &case).unwrap()
    }

    /// A fixture, if it is a whole order.
    fn of(suite: Suite, case: &Case) -> Option<Self> {
        let delivery = case.delivery(&suite).ok()?;
        let connection = case.connection(suite.platform);
        let source = Source {
            platform: delivery.platform.clone(),
            connection: delivery.connection.clone(),
            topic: delivery.topic.clone(),
            delivery_id: delivery.delivery_id.clone(),
        };
        let mut order = Self { suite, delivery, connection, rounds: Vec::new(), source };
        let mut fetched: Vec<Fetched> = Vec::new();
        loop {
            match suite.platform.facts(&order.delivery, &order.connection, &fetched) {
                Mapping::Fetch(requests) => {
                    for request in &requests {
                        fetched.push(case.answer(request)?);
                    }
                    order.rounds.push(fetched.clone());
                }
                Mapping::Facts { facts, .. } => {
                    let whole = |fact: &Fact| matches!(fact, Fact::Order(order) if order.placed_at.is_some() && order.detail.is_some());
                    return facts.iter().any(whole).then_some(order);
                }
                Mapping::Ignore(_) | Mapping::Malformed(_) => return None,
            }
        }
    }

    /// Of the body and of all answers.
    fn bytes(&self) -> usize {
        let answers = self.rounds.last().into_iter().flatten();
        self.delivery.body.len() + answers.map(|answer| answer.body.len()).sum::<usize>()
    }

    /// As often as the mapper asks the adapter: once, and once more after each round of requests.
    fn facts(&self) -> Vec<Fact> {
        let read = |fetched: &[Fetched]| {
            self.suite.platform.facts(black_box(&self.delivery), &self.connection, black_box(fetched))
        };
        let mut mapping = read(&[]);
        for round in &self.rounds {
            mapping = read(round);
        }
        match mapping {
            Mapping::Facts { facts, .. } => facts,
            other => unreachable!("{other:?}"),
        }
    }

    fn events(&self) -> Vec<Event> {
        let events = self.facts().into_iter().filter_map(|fact| match fact {
            Fact::Order(snapshot) => Some(advance(&Ledger::default(), &snapshot, &self.source).1),
            _ => None,
        });
        events.flatten().collect()
    }
}

#[divan::bench(args = NAMES)]
fn facts(bencher: Bencher<'_, '_>, name: &str) {
    let order = Order::largest(name);
    bencher.counter(ItemsCount::new(1_usize)).counter(BytesCount::new(order.bytes())).bench(|| order.facts());
}

#[divan::bench(args = NAMES)]
fn facts_and_events(bencher: Bencher<'_, '_>, name: &str) {
    let order = Order::largest(name);
    bencher.counter(ItemsCount::new(1_usize)).bench(|| order.events());
}

#[divan::bench]
fn small_shopify_order(bencher: Bencher<'_, '_>) {
    let order = Order::small();
    bencher.counter(ItemsCount::new(1_usize)).bench(|| order.events());
}
