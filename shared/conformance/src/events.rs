//! The events that facts lead to, by the ledgers alone: nobody's identity is looked up.

use std::collections::BTreeMap;

use canonical::{Event, Fact, Source, activity, cart, checkout, order, profile};

/// Ledgers, and the events that they have told so far.
#[derive(Default)]
pub(crate) struct History {
    orders: BTreeMap<String, order::Ledger>,
    checkouts: BTreeMap<String, checkout::Ledger>,
    carts: BTreeMap<String, cart::Ledger>,
    /// By id; the first one with an id is the one that counts.
    events: BTreeMap<String, Event>,
}

impl History {
    /// Works a delivery's facts off.
    pub(crate) fn tell(&mut self, facts: Vec<Fact>, source: &Source) {
        for fact in facts {
            let events = match fact {
                Fact::Order(order) => {
                    let ledger = self.orders.entry(order.order_id.clone()).or_default();
                    replace(ledger, order::advance(ledger, &order, source))
                }
                Fact::Checkout(checkout) => {
                    let ledger = self.checkouts.entry(checkout.checkout_id.clone()).or_default();
                    replace(ledger, checkout::advance(ledger, &checkout, source))
                }
                Fact::Cart(cart) => {
                    let ledger = self.carts.entry(cart.cart_id.clone()).or_default();
                    replace(ledger, cart::advance(ledger, &cart, source))
                }
                Fact::ProductView(view) => vec![activity::viewed_product(&view, source)],
                // Whether it happened only a profile shows, and there is none here.
                Fact::Loyalty(loyalty) if loyalty.changes.is_some() => Vec::new(),
                Fact::Loyalty(loyalty) => vec![activity::loyalty(&loyalty, source)],
                Fact::Consent(change) => profile::consent_event(&change, source).into_iter().collect(),
                Fact::Customer(_)
                | Fact::Catalog(_)
                | Fact::Erasure(_)
                | Fact::DataRequest(_)
                | Fact::Disconnected { .. } => Vec::new(),
            };
            for event in events {
                self.events.entry(event.id.clone()).or_insert(event);
            }
        }
    }

    /// All events by id, each in one line.
    pub(crate) fn summaries(&self) -> BTreeMap<String, String> {
        self.events.iter().map(|(id, event)| (id.clone(), summary(event))).collect()
    }
}

fn replace<L>(ledger: &mut L, (after, events): (L, Vec<Event>)) -> Vec<Event> {
    *ledger = after;
    events
}

/// An event in one line, such as `2026-03-14T09:26:53Z Placed Order 49.00 EUR`.
pub fn summary(event: &Event) -> String {
    let mut line = format!("{} {}", event.occurred_at.to_utc_string(), event.metric);
    if let Some(value) = event.value {
        line = format!("{line} {}", value.amount);
        if let Some(currency) = value.currency {
            line = format!("{line} {currency}");
        }
    }
    line
}

/// The line of an event without its currency.
pub fn without_currency(line: &str) -> &str {
    let code = |word: &str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    line.rsplit_once(' ').filter(|(_, last)| code(last)).map_or(line, |(rest, _)| rest)
}
