//! How many snapshots of orders the ledger takes in per second.
#![allow(missing_docs, reason = "the bench macro makes public items")]

use canonical::fact::{Line, OrderDetail, OrderSnapshot};
use canonical::money::Decimal;
use canonical::order::{Ledger, advance};
use canonical::{Instant, Money, Person, Source};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

fn source() -> Source {
    Source {
        platform: "anyshop".into(),
        connection: "conn1".into(),
        topic: "orders/create".into(),
        delivery_id: "d-1".into(),
    }
}

fn order(lines: usize) -> OrderSnapshot {
    let line = |number: usize| Line {
        line_id: format!("1480000000{number:04}"),
        product_id: Some(format!("790000000{number:04}")),
        name: format!("Thing {number}"),
        quantity: Decimal::TWO,
        unit_price: Some(Decimal::new(1999, 2)),
        categories: vec!["Things".into()],
        brand: Some("Wool & Co".into()),
        ..Line::default()
    };
    OrderSnapshot {
        order_id: "5600000000001".into(),
        person: Person { email: Some("ada@example.com".into()), ..Person::default() },
        placed_at: Instant::from_millis(1_767_225_600_000),
        detail: Some(OrderDetail {
            number: Some("#1001".into()),
            total: "EUR".parse().ok().map(|currency| Money::new(Decimal::new(11994, 2), currency)),
            lines: (0..lines).map(line).collect(),
            ..OrderDetail::default()
        }),
        ..OrderSnapshot::default()
    }
}

/// Everything is new: Placed Order and one Ordered Product per line. Items are lines, so a figure that
/// stays the same from 3 to 500 lines says that the time grows with the lines and no faster.
#[divan::bench(args = [3, 50, 500])]
fn first_snapshot(bencher: Bencher<'_, '_>, lines: usize) {
    let (snapshot, source) = (order(lines), source());
    bencher
        .counter(ItemsCount::new(lines))
        .bench_local(|| advance(&Ledger::default(), black_box(&snapshot), &source));
}

/// Everything was told before.
#[divan::bench(args = [3, 50, 500])]
fn repeated_snapshot(bencher: Bencher<'_, '_>, lines: usize) {
    let (snapshot, source) = (order(lines), source());
    let (ledger, _) = advance(&Ledger::default(), &snapshot, &source);
    bencher.counter(ItemsCount::new(lines)).bench_local(|| advance(black_box(&ledger), &snapshot, &source));
}
