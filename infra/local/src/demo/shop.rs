//! An invented shop: who its customers are and what they did. Plain records, from which the deliveries are
//! written and, separately, what must come of them is computed.

use jiff::{SignedDuration, Timestamp};

use crate::random::Random;

/// The shop's domain, as its deliveries name it.
pub(crate) const DOMAIN: &str = "harbour-and-hearth.example";
/// What every order costs to send, in cents.
pub(super) const SHIPPING_CENTS: i64 = 490;

const FIRST_NAMES: [&str; 12] =
    ["Ada", "Bram", "Chiara", "Dimitri", "Elif", "Farid", "Greta", "Hana", "Ivo", "Jun", "Katya", "Lena"];
const LAST_NAMES: [&str; 6] = ["Almeida", "Brook", "Castell", "Dorn", "Ekman", "Fontaine"];
const CITIES: [&str; 6] = ["Bergen", "Ghent", "Leipzig", "Lyon", "Porto", "Turin"];
const MINUTES_A_DAY: u64 = 24 * 60;

/// What is sold: name, kind, price in cents.
pub(super) const PRODUCTS: [(&str, &str, i64); 8] = [
    ("Enamel mug", "Kitchen", 1450),
    ("Linen apron", "Kitchen", 3900),
    ("Oak board", "Kitchen", 5400),
    ("Wool blanket", "Home", 8900),
    ("Beeswax candle", "Home", 1290),
    ("Canvas tote", "Bags", 2400),
    ("Weekend bag", "Bags", 11900),
    ("Brass hook", "Home", 895),
];

pub(super) struct Customer {
    pub(super) first_name: &'static str,
    pub(super) last_name: &'static str,
    pub(super) email: String,
    /// Guests have no customer record and no id.
    pub(super) id: Option<u64>,
    /// Where they live, as of each version of their record.
    pub(super) cities: Vec<(Timestamp, &'static str)>,
    /// Their decisions about e-mail: when, and whether it was a yes.
    pub(super) consents: Vec<(Timestamp, bool)>,
}

pub(super) struct Line {
    pub(super) id: u64,
    /// Place in [`PRODUCTS`].
    pub(super) product: usize,
    pub(super) quantity: i64,
}

impl Line {
    pub(super) fn cents(&self) -> i64 {
        PRODUCTS[self.product].2 * self.quantity
    }
}

/// What became of an order.
pub(super) enum Fate {
    Open,
    /// All of it was sent in one parcel.
    Sent {
        at: Timestamp,
    },
    Cancelled {
        at: Timestamp,
    },
    /// Money went back: all of it, or a part.
    Refunded {
        at: Timestamp,
        cents: i64,
    },
}

pub(super) struct Order {
    pub(super) id: u64,
    /// Place in [`Shop::customers`].
    pub(super) customer: usize,
    pub(super) placed_at: Timestamp,
    pub(super) lines: Vec<Line>,
    pub(super) fate: Fate,
}

impl Order {
    pub(super) fn lines_cents(&self) -> i64 {
        self.lines.iter().map(Line::cents).sum()
    }

    pub(super) fn total_cents(&self) -> i64 {
        self.lines_cents() + SHIPPING_CENTS
    }
}

/// A checkout that was begun and left.
pub(super) struct Checkout {
    pub(super) id: u64,
    /// Place in [`Shop::customers`].
    pub(super) customer: usize,
    pub(super) started_at: Timestamp,
    pub(super) line: Line,
}

pub(super) struct Shop {
    pub(super) customers: Vec<Customer>,
    pub(super) orders: Vec<Order>,
    pub(super) checkouts: Vec<Checkout>,
}

impl Shop {
    /// Deals a shop whose history ends at `now`.
    pub(super) fn deal(random: &mut Random, now: Timestamp) -> Self {
        let mut shop = Self { customers: Vec::new(), orders: Vec::new(), checkouts: Vec::new() };
        for (family, last_name) in LAST_NAMES.into_iter().enumerate() {
            for (given, first_name) in FIRST_NAMES.into_iter().enumerate() {
                let number = shop.customers.len();
                let guest = random.chance(15);
                shop.customers.push(Customer {
                    first_name,
                    last_name,
                    email: format!("{first_name}.{last_name}@example.com").to_lowercase(),
                    id: (!guest).then_some(6_900_000_000_000 + number as u64),
                    cities: cities(random, now, guest, given + family),
                    consents: consents(random, now, guest),
                });
                let orders = match random.below(100) {
                    // A guest is known by an order alone.
                    0..30 => u64::from(guest),
                    30..60 => 1,
                    60..85 => 2,
                    _ => 4,
                };
                for _ in 0..orders {
                    shop.place_order(random, now, number);
                }
                if random.chance(30) {
                    shop.begin_checkout(random, now, number);
                }
            }
        }
        shop
    }

    fn place_order(&mut self, random: &mut Random, now: Timestamp, customer: usize) {
        // Not near the edge of the last 30 days: a midnight that passes meanwhile must not matter.
        let age_min = if random.chance(60) {
            60 + random.below(27 * MINUTES_A_DAY)
        } else {
            34 * MINUTES_A_DAY + random.below(300 * MINUTES_A_DAY)
        };
        let placed_at = minutes_before(now, age_min);
        let id = 5_500_000_000_000 + self.orders.len() as u64;
        let lines: Vec<_> = (0..=random.below(3))
            .map(|place| Line {
                id: id * 10 + place,
                product: random.index(PRODUCTS.len()),
                quantity: i64::from(random.chance(25)) + 1,
            })
            .collect();
        let total: i64 = lines.iter().map(Line::cents).sum::<i64>() + SHIPPING_CENTS;
        let at = between(placed_at, now, SignedDuration::from_hours(40));
        let fate = match random.below(100) {
            0..45 => Fate::Sent { at },
            45..55 => Fate::Cancelled { at },
            55..62 => Fate::Refunded { at, cents: total },
            62..70 => Fate::Refunded { at, cents: lines[0].cents() },
            _ => Fate::Open,
        };
        self.orders.push(Order { id, customer, placed_at, lines, fate });
    }

    fn begin_checkout(&mut self, random: &mut Random, now: Timestamp, customer: usize) {
        let id = 3_100_000_000_000 + self.checkouts.len() as u64;
        self.checkouts.push(Checkout {
            id,
            customer,
            started_at: minutes_before(now, 30 + random.below(60 * MINUTES_A_DAY)),
            line: Line { id, product: random.index(PRODUCTS.len()), quantity: 1 },
        });
    }
}

/// A first city, and for some a later one.
fn cities(random: &mut Random, now: Timestamp, guest: bool, start: usize) -> Vec<(Timestamp, &'static str)> {
    if guest {
        return Vec::new();
    }
    let moved = random.chance(40);
    let ages = [350, 3].into_iter().take(1 + usize::from(moved));
    ages.enumerate()
        .map(|(step, days)| {
            (minutes_before(now, days * MINUTES_A_DAY), CITIES[(start + step) % CITIES.len()])
        })
        .collect()
}

/// Half say yes at some time, and some of these no afterwards.
fn consents(random: &mut Random, now: Timestamp, guest: bool) -> Vec<(Timestamp, bool)> {
    if guest || !random.chance(55) {
        return Vec::new();
    }
    let yes_at = minutes_before(now, 10 * MINUTES_A_DAY + random.below(300 * MINUTES_A_DAY));
    let mut consents = vec![(yes_at, true)];
    if random.chance(25) {
        consents.push((minutes_before(now, 60 + random.below(9 * MINUTES_A_DAY)), false));
    }
    consents
}

fn minutes_before(now: Timestamp, minutes: u64) -> Timestamp {
    let minutes = i64::try_from(minutes).unwrap_or_default();
    now.saturating_sub(SignedDuration::from_mins(minutes)).unwrap_or(now)
}

/// Some time after, but not in the future.
fn between(earlier: Timestamp, now: Timestamp, after: SignedDuration) -> Timestamp {
    earlier.saturating_add(after).unwrap_or(now).min(now)
}
