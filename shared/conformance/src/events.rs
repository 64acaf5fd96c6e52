//! The events that facts lead to, by the ledgers and a plain register of people: who shares an identifier is one
//! person.

use std::collections::{BTreeMap, BTreeSet};

use canonical::identity::Identifiers;
use canonical::{Event, Fact, Instant, Person, Profile, Source, activity, cart, checkout, order, profile};

/// Events before 1990 or more than a year ahead are somebody's broken clock: the mapper drops them, too.
const EARLIEST_MS: i64 = 631_152_000_000;
const AHEAD_MS: i64 = 366 * 24 * 3600 * 1000;

/// An order, a checkout or a cart.
type Subject = (&'static str, String);

/// Ledgers, people, and the events that they have told so far.
#[derive(Default)]
pub(crate) struct History {
    orders: BTreeMap<String, order::Ledger>,
    checkouts: BTreeMap<String, checkout::Ledger>,
    carts: BTreeMap<String, cart::Ledger>,
    people: People,
    /// Ledgers whose person is known,
    owned: BTreeSet<Subject>,
    /// and those that wait until a customer is.
    parked: BTreeSet<(String, Subject)>,
    /// By id; the first one with an id is the one that counts. Those of a ledger without a person are not told yet.
    events: BTreeMap<String, (Option<Subject>, Event)>,
}

impl History {
    /// Works a delivery's facts off.
    pub(crate) fn tell(&mut self, facts: Vec<Fact>, source: &Source, received_at: Instant) {
        for fact in facts {
            let (subject, events) = match fact {
                Fact::Order(order) => {
                    let subject = ("order", order.order_id.clone());
                    self.own(&subject, &order.person, source, order.updated_at.unwrap_or(received_at));
                    let ledger = self.orders.entry(order.order_id.clone()).or_default();
                    (Some(subject), replace(ledger, order::advance(ledger, &order, source)))
                }
                Fact::Checkout(checkout) => {
                    let subject = ("checkout", checkout.checkout_id.clone());
                    let at = checkout.updated_at.unwrap_or(received_at);
                    let is_known = self.own(&subject, &checkout.person, source, at);
                    if let Some(cart) = checkout.cart_id.as_ref().filter(|_| is_known) {
                        self.owned.insert(("cart", cart.clone()));
                    }
                    let ledger = self.checkouts.entry(checkout.checkout_id.clone()).or_default();
                    (Some(subject), replace(ledger, checkout::advance(ledger, &checkout, source)))
                }
                Fact::Cart(cart) => {
                    let subject = ("cart", cart.cart_id.clone());
                    self.own(&subject, &cart.person, source, cart.updated_at.unwrap_or(received_at));
                    let ledger = self.carts.entry(cart.cart_id.clone()).or_default();
                    (Some(subject), replace(ledger, cart::advance(ledger, &cart, source)))
                }
                Fact::ProductView(view) => {
                    let is_known = self.meet(&view.person, source, view.at);
                    (None, is_known.then(|| activity::viewed_product(&view, source)).into_iter().collect())
                }
                Fact::Loyalty(loyalty) => {
                    let is_new = loyalty.changes.as_ref().is_none_or(|change| {
                        let profile = self.people.find(&loyalty.person, source);
                        profile.is_some_and(|profile| profile.undergoes(change, loyalty.at.as_millis()))
                    });
                    let is_told = is_new && self.meet(&loyalty.person, source, loyalty.at);
                    (None, is_told.then(|| activity::loyalty(&loyalty, source)).into_iter().collect())
                }
                Fact::Consent(change) => {
                    let is_known = self.meet(&change.person, source, change.at);
                    let event = profile::consent_event(&change, source).filter(|_| is_known);
                    (None, event.into_iter().collect())
                }
                Fact::Customer(customer) if customer.deleted => {
                    self.people.forget(&customer.person);
                    continue;
                }
                Fact::Customer(customer) => {
                    self.meet(&customer.person, source, customer.updated_at.unwrap_or(received_at));
                    continue;
                }
                Fact::Catalog(_) | Fact::Erasure(_) | Fact::DataRequest(_) | Fact::Disconnected { .. } => {
                    continue;
                }
            };
            let timely = EARLIEST_MS..=received_at.as_millis() + AHEAD_MS;
            for event in events.into_iter().filter(|event| timely.contains(&event.occurred_at.as_millis())) {
                self.events.entry(event.id.clone()).or_insert_with(|| (subject.clone(), event));
            }
        }
    }

    /// The events of people who are known, by id, each in one line.
    pub(crate) fn summaries(&self) -> BTreeMap<String, String> {
        let is_told = |subject: &Option<Subject>| subject.as_ref().is_none_or(|own| self.owned.contains(own));
        let told = self.events.iter().filter(|(_, (subject, _))| is_told(subject));
        told.map(|(id, (_, event))| (id.clone(), summary(event))).collect()
    }

    /// Meets the person of a ledger, which is theirs from then on, or waits for the customer.
    fn own(&mut self, subject: &Subject, person: &Person, source: &Source, at: Instant) -> bool {
        let is_known = self.meet(person, source, at);
        if is_known {
            self.owned.insert(subject.clone());
        } else if let Some(customer) = customer(person) {
            self.parked.insert((customer, subject.clone()));
        }
        is_known
    }

    /// Notes what a fact says of a person; whether it is somebody.
    fn meet(&mut self, person: &Person, source: &Source, at: Instant) -> bool {
        let is_known = self.people.meet(person, source, at);
        if let Some(customer) = customer(person).filter(|_| is_known) {
            let waiting = self.parked.iter().filter(|(awaited, _)| *awaited == customer);
            self.owned.extend(waiting.map(|(_, subject)| subject.clone()));
        }
        is_known
    }
}

/// Profiles by what names them. None are merged, and none are erased: a scenario is about events.
#[derive(Default)]
struct People {
    profiles: Vec<Profile>,
    by_name: BTreeMap<String, usize>,
}

impl People {
    fn find(&self, person: &Person, source: &Source) -> Option<&Profile> {
        names(person, source).iter().find_map(|name| self.profiles.get(*self.by_name.get(name)?))
    }

    fn meet(&mut self, person: &Person, source: &Source, at: Instant) -> bool {
        let names = names(person, source);
        let known = names.iter().find_map(|name| self.by_name.get(name).copied());
        // A customer's id alone makes nobody.
        let is_named = names.len() > usize::from(customer(person).is_some());
        let Some(place) = known.or_else(|| is_named.then_some(self.profiles.len())) else { return false };
        if place == self.profiles.len() {
            self.profiles.push(Profile::new(place.to_string(), at));
        }
        for name in names {
            self.by_name.entry(name).or_insert(place);
        }
        let _ = self.profiles[place].apply_attributes(&person.attributes, at.as_millis());
        true
    }

    /// The platform deleted the customer's record.
    fn forget(&mut self, person: &Person) {
        if let Some(customer) = customer(person) {
            self.by_name.remove(&customer);
        }
    }
}

/// All that names a person, the strongest first, and the customer's id last.
fn names(person: &Person, source: &Source) -> Vec<String> {
    let (identifiers, _) = Identifiers::of(person, &source.connection);
    let ranked = identifiers.ranked().into_iter().map(|identifier| identifier.key());
    ranked.chain(customer(person)).collect()
}

fn customer(person: &Person) -> Option<String> {
    let id = person.customer_id.as_deref().map(str::trim).filter(|id| !id.is_empty())?;
    Some(format!("customer#{id}"))
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
