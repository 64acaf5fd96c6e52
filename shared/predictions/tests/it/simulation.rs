//! Customers who behave as the model says, from random numbers that are the same in every run.

use predictions::Orders;
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;

/// The parameters of a shop.
pub(crate) struct Truth {
    pub(crate) r: f64,
    pub(crate) alpha: f64,
    pub(crate) a: f64,
    pub(crate) b: f64,
    pub(crate) p: f64,
    pub(crate) q: f64,
    pub(crate) gamma: f64,
}

pub(crate) struct Customer {
    /// Days of the orders until today, and what they were worth.
    past: Vec<(f64, f64)>,
    /// What the orders of the year after are worth.
    pub(crate) next_year: Vec<f64>,
    /// Whether none will ever come again after today.
    pub(crate) left: bool,
}

impl Customer {
    pub(crate) fn orders(&self) -> Orders {
        let day = |order: Option<&(f64, f64)>| order.unwrap().0.floor() as i64;
        let sum = self.past.iter().map(|(_, value)| value).sum::<f64>();
        Orders {
            count: self.past.len() as u64,
            sum: Decimal::from_f64(sum).unwrap().round_dp(2),
            first_day: day(self.past.first()),
            last_day: day(self.past.last()),
        }
    }
}

/// Days until the last of some orders, and from there to the next one.
pub(crate) struct Gaps {
    pub(crate) span: i64,
    pub(crate) next: i64,
}

/// Steele, Lea and Flood's `SplitMix64`.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, rate: f64) -> f64 {
        -(1.0 - self.uniform()).ln() / rate
    }

    /// Box and Muller's.
    fn normal(&mut self) -> f64 {
        (2.0 * self.exponential(1.0)).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Marsaglia and Tsang's.
    fn gamma(&mut self, shape: f64, rate: f64) -> f64 {
        if shape < 1.0 {
            let smaller = (1.0 - self.uniform()).powf(1.0 / shape);
            return self.gamma(shape + 1.0, rate) * smaller;
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v / rate;
            }
        }
    }

    fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (one, other) = (self.gamma(a, 1.0), self.gamma(b, 1.0));
        one / (one + other)
    }
}

/// Customers whose first orders are spread over the days until today.
pub(crate) fn customers(truth: &Truth, number: usize, today: i64, seed: u64) -> Vec<Customer> {
    let mut random = Random(seed);
    (0..number).map(|_| customer(truth, today as f64, &mut random)).collect()
}

fn customer(truth: &Truth, today: f64, random: &mut Random) -> Customer {
    let rate = random.gamma(truth.r, truth.alpha);
    let leaves = random.beta(truth.a, truth.b);
    let spends = random.gamma(truth.q, truth.gamma);
    let mut customer = Customer { past: Vec::new(), next_year: Vec::new(), left: false };
    let mut day = random.uniform() * today;
    while day < today + 365.0 {
        let value = random.gamma(truth.p, spends).max(0.01);
        if day < today {
            customer.past.push((day, value));
        } else {
            customer.next_year.push(value);
        }
        if random.uniform() < leaves {
            customer.left = day < today;
            break;
        }
        day += random.exponential(rate);
    }
    customer
}

/// Of customers who order again after their first orders.
pub(crate) fn gaps_after(truth: &Truth, repeats: usize, number: usize) -> Vec<Gaps> {
    let mut random = Random(4);
    std::iter::repeat_with(|| {
        let rate = random.gamma(truth.r, truth.alpha);
        let span: f64 = (0..repeats).map(|_| random.exponential(rate)).sum();
        Gaps { span: span.round() as i64, next: random.exponential(rate).round() as i64 }
    })
    .filter(|gaps| gaps.span < 100_000)
    .take(number)
    .collect()
}
