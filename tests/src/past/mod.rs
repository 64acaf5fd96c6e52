//! Shops with a past, one on each platform that can be asked for it: small servers that answer as the platforms'
//! documentation says, and now and then do not answer at all.

mod bigcommerce;
mod dutchie;
mod lightspeed;
mod magento1;
mod magento2;
mod opencart;
mod prestashop;
mod salesforce_commerce_cloud;
mod shift4shop;
mod shopbase;
mod shopify;
mod spree;
mod trouble;
mod volusion;
mod wix;
mod woocommerce;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) use crate::past::shopbase::order as shopbase;
pub use crate::past::trouble::Trouble;
pub(crate) use crate::past::woocommerce::order as woocommerce;
use crate::random::Random;

/// How far back the orders go, in days.
const DAYS: i64 = 90;
/// Customers: some have many orders.
const PEOPLE: u64 = 200;

/// What a shop has sold.
#[derive(Debug)]
pub struct Past {
    /// Its orders, oldest first; `number` counts from 1.
    pub orders: Vec<Bought>,
}

/// One order: one line, paid at once.
#[derive(Debug)]
pub struct Bought {
    /// Its number.
    pub number: u64,
    /// The buyer's, from 1.
    pub customer: u64,
    /// The buyer's.
    pub email: String,
    /// When it was placed, in whole seconds.
    pub at: Timestamp,
    /// What one piece cost, in cents. There are no taxes, discounts or costs of shipping.
    pub price_cents: i64,
    /// Pieces.
    pub quantity: i64,
    /// When it was changed last, in seconds since 1970.
    changed_s: AtomicI64,
}

impl Bought {
    /// When it was changed last.
    pub fn changed_at(&self) -> Timestamp {
        Timestamp::from_second(self.changed_s.load(Ordering::SeqCst)).unwrap()
    }

    /// The total, such as `12.50`.
    pub fn total(&self) -> String {
        decimal(self.price_cents * self.quantity)
    }

    /// The price of one piece.
    pub fn price(&self) -> String {
        decimal(self.price_cents)
    }
}

fn decimal(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

impl Past {
    /// So many orders, the same for the same seed.
    pub fn new(orders: usize, seed: u64, now: Timestamp) -> Arc<Self> {
        let mut random = Random(seed);
        let span_s = DAYS * 24 * 3600;
        let mut times: Vec<i64> =
            (0..orders).map(|_| i64::try_from(random.below(span_s.unsigned_abs())).unwrap()).collect();
        times.sort_unstable();
        let begin = Timestamp::from_second(now.as_second() - span_s - 3600).unwrap();
        let orders = times.into_iter().zip(1..).map(|(second, number)| {
            let customer = 1 + random.below(PEOPLE);
            let at = begin + SignedDuration::from_secs(second);
            Bought {
                number,
                customer,
                email: format!("buyer{customer}@example.com"),
                at,
                price_cents: 100 + i64::try_from(random.below(20_000)).unwrap(),
                quantity: 1 + i64::try_from(random.below(3)).unwrap(),
                changed_s: AtomicI64::new(at.as_second()),
            }
        });
        Arc::new(Self { orders: orders.collect() })
    }

    /// The first of its days, less a day, in UTC.
    pub fn begin(&self) -> Timestamp {
        self.orders.first().map_or(Timestamp::UNIX_EPOCH, |first| first.at) - SignedDuration::from_hours(24)
    }

    /// Somebody looks at an order in the back office: its time of change is now.
    pub fn touch(&self, index: u64, now: Timestamp) {
        let count = self.orders.len() as u64;
        if let Some(order) =
            usize::try_from(index % count.max(1)).ok().and_then(|index| self.orders.get(index))
        {
            order.changed_s.store(now.as_second(), Ordering::SeqCst);
        }
    }

    /// Orders of each day in UTC.
    pub fn days(&self) -> BTreeMap<Date, usize> {
        let mut days = BTreeMap::new();
        for order in &self.orders {
            *days.entry(order.at.to_zoned(TimeZone::UTC).date()).or_default() += 1;
        }
        days
    }
}

/// What a platform's server needs to say of itself.
pub struct Shop {
    /// The platform's name.
    pub platform: &'static str,
    /// The connection's settings, given the address of the server.
    pub settings: fn(address: &str) -> Value,
    /// The connection's secrets.
    pub secrets: fn() -> Value,
    /// The API over a past.
    pub router: fn(Arc<Past>) -> Router,
    /// The fewest requests in which this many orders, with all that belongs to them, can be read.
    pub least_requests: fn(orders: usize) -> usize,
    /// What the adapter names an order, given its number.
    pub order_id: fn(number: u64) -> String,
}

/// All of them.
pub const SHOPS: &[Shop] = &[
    bigcommerce::SHOP,
    dutchie::SHOP,
    lightspeed::SHOP,
    magento1::SHOP,
    magento2::SHOP,
    opencart::SHOP,
    prestashop::SHOP,
    salesforce_commerce_cloud::SHOP,
    shift4shop::SHOP,
    shopbase::SHOP,
    shopify::SHOP,
    spree::SHOP,
    volusion::SHOP,
    wix::SHOP,
    woocommerce::SHOP,
];

/// A shop that is open.
pub struct Open {
    /// What it has sold.
    pub past: Arc<Past>,
    /// What goes wrong.
    pub trouble: Arc<Trouble>,
    /// The server's address.
    pub address: String,
}

impl Shop {
    /// Starts the server, which now and then fails, and whose orders change.
    pub async fn open(&self, past: Arc<Past>, seed: u64) -> Open {
        self.serve(Arc::clone(&past), Trouble::new(seed, past)).await
    }

    /// Starts the server; nothing goes wrong.
    pub async fn open_calmly(&self, past: Arc<Past>) -> Open {
        self.serve(Arc::clone(&past), Trouble::none(past)).await
    }

    async fn serve(&self, past: Arc<Past>, trouble: Trouble) -> Open {
        let trouble = Arc::new(trouble);
        let router = trouble::with((self.router)(Arc::clone(&past)), Arc::clone(&trouble));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Open { past, trouble, address }
    }

    /// The connection to it, for `POST /api/connections`.
    pub fn connection(&self, address: &str) -> Value {
        json!({"data": {"type": "connection", "attributes": {
            "platform": self.platform,
            "name": format!("Past {}", self.platform),
            "settings": (self.settings)(address),
            "secrets": (self.secrets)(),
        }}})
    }
}

/// The parameters of a query, decoded; of a repeated one, the last.
pub(crate) type Query = axum::extract::Query<BTreeMap<String, String>>;

/// Whether a header is there with this value.
pub(crate) fn is(headers: &axum::http::HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|found| found == value)
}
