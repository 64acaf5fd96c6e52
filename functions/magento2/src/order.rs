//! Orders.

use canonical::fact::{
    Cancellation, Channel, ConsentChange, ConsentStatus, OrderDetail, OrderSnapshot, RefundPolicy,
};
use canonical::money::{Decimal, decimal_to_json};
use canonical::{Fact, Instant, Money, Person};
use platform::address::Address;
use platform::lenient::{Dropped, Field, Id, Moment, Object, Objects};
use platform::reading::{Reader, Reading, Silence};

use crate::line::{self, Origin};
use crate::payload::{self, Flag};
use crate::person::{self, Buyer, amount, either};
use crate::record::Record;

/// An order: the REST resource, or a row without its lines.
pub(crate) fn order(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let mut order: payload::Order = record.read()?;
    let id = either(std::mem::take(&mut order.entity_id), std::mem::take(&mut order.id));
    let order_id = reader.identity("entity_id", id)?;
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;

    let Object(extension) =
        dropped.take("extension_attributes", order.extension_attributes).unwrap_or_default();
    let mut addresses = dropped.take("addresses", order.addresses).unwrap_or_default();
    let billing = person::address(dropped, "billing_address", order.billing_address)
        .or_else(|| person::address(dropped, "addresses", addresses.take("billing")));
    let shipping = shipping(dropped, extension.shipping_assignments)
        .or_else(|| person::address(dropped, "shipping_address", order.shipping_address))
        .or_else(|| person::address(dropped, "addresses", addresses.take("shipping")));
    let buyer = Buyer {
        customer_id: order.customer_id,
        is_guest: order.customer_is_guest,
        email: order.customer_email,
        first_name: order.customer_firstname,
        last_name: order.customer_lastname,
        billing: billing.as_ref(),
        shipping: shipping.as_ref(),
    };
    let person = buyer.person(dropped);
    let lines = line::lines(dropped, Origin::Order, order.items);

    let created_at = time(dropped, "created_at", order.created_at);
    let updated_at = time(dropped, "updated_at", order.updated_at).or(record.sent_at);
    let standing = Standing {
        state: word(dropped, "state", order.state),
        status: word(dropped, "status", order.status),
        held: word(dropped, "hold_before_state", order.hold_before_state),
        history: history(dropped, order.status_histories),
        confirmed: dropped.take("email_sent", order.email_sent) == Some(Flag(true)),
        paid: [
            amount(dropped, "total_paid", order.total_paid),
            amount(dropped, "total_invoiced", order.total_invoiced),
            dropped
                .take("payment", order.payment)
                .and_then(|Object(payment)| amount(dropped, "payment", payment.amount_authorized)),
        ]
        .into_iter()
        .flatten()
        .any(|paid| paid > Decimal::ZERO),
    };
    // Whoever writes no history says with the last change when the last change was.
    let last_change = updated_at.unwrap_or(received_at);

    let currency = dropped.take("order_currency_code", order.order_currency_code);
    let total = amount(dropped, "grand_total", order.grand_total).map(|amount| Money { amount, currency });
    let base_currency = dropped.take("base_currency_code", order.base_currency_code);
    let base_total = amount(dropped, "base_grand_total", order.base_grand_total);
    let other_base = base_currency.filter(|base| Some(*base) != currency);
    let number = dropped.take("increment_id", order.increment_id);
    let original = dropped.take("original_increment_id", order.original_increment_id);
    let extra = [
        ("Base Total", base_total.filter(|_| other_base.is_some()).map(decimal_to_json)),
        ("Base Currency", other_base.map(|base| base.as_str().into())),
        // An order that is edited is cancelled and placed again under a number of its own.
        (
            "Original Order Number",
            original.filter(|original| Some(original) != number.as_ref()).map(Into::into),
        ),
    ];
    let detail = OrderDetail {
        number,
        total,
        total_discounts: amount(dropped, "discount_amount", order.discount_amount).map(|amount| amount.abs()),
        discount_codes: dropped.take("coupon_code", order.coupon_code).into_iter().collect(),
        lines,
        billing_address: billing.map(Address::into_property),
        shipping_address: shipping.map(Address::into_property),
        shop: dropped.take("store_name", order.store_name).map(|name| shop_name(&name)),
        shop_id: dropped.take("store_id", order.store_id).map(|Id(id)| id),
        extra: extra.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect(),
        ..OrderDetail::default()
    };
    let replaced = dropped.take("relation_child_id", order.relation_child_id).is_some_and(|Id(id)| id != "0");
    let consents = [
        (Channel::Email, either_flag(order.kl_email_consent, extension.kl_email_consent)),
        (Channel::Sms, either_flag(order.kl_sms_consent, extension.kl_sms_consent)),
    ];
    // Without the time of the order nobody knows when: any other could undo a later unsubscription.
    let consents: Vec<_> = consents
        .into_iter()
        .filter(|(_, given)| *given)
        .filter_map(|(channel, _)| consent(&person, channel, created_at?))
        .collect();

    let mut facts = vec![Fact::Order(OrderSnapshot {
        order_id,
        person,
        updated_at,
        placed_at: created_at.filter(|_| standing.is_placed()),
        detail: Some(detail),
        cancelled: standing.is_cancelled().then(|| Cancellation {
            at: standing.since("canceled").unwrap_or(last_change),
            reason: replaced.then(|| "edited".to_owned()),
        }),
        fulfilled_at: standing.fulfilled_at(last_change),
        fully_refunded: standing.state.as_deref() == Some("closed"),
        refund_policy: RefundPolicy::Each,
        ..OrderSnapshot::default()
    })];
    facts.extend(consents);
    Ok(facts)
}

/// An order while it is being placed.
pub(crate) fn placement(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let id = ["entity_id", "id"].iter().any(|name| record.fields.get(*name).is_some_and(|id| !id.is_null()));
    if id { order(reader, record) } else { Err(Silence::Ignore("order_not_saved")) }
}

/// Where an order stands. The state is Magento's own; what a status is called, the shop may change.
/// Source: <https://experienceleague.adobe.com/en/docs/commerce-admin/stores-sales/order-management/orders/order-status>.
struct Standing {
    state: Option<String>,
    status: Option<String>,
    held: Option<String>,
    history: Vec<(String, Option<Instant>)>,
    /// The confirmation was sent.
    confirmed: bool,
    /// Money was authorised, invoiced or paid.
    paid: bool,
}

impl Standing {
    /// The state, or what the status says of it where there is none; of an order on hold, the one before.
    fn state(&self) -> Option<&str> {
        let state = self.state.as_deref().or(self.status.as_deref())?;
        Some(if state == "holded" { self.held.as_deref().unwrap_or(state) } else { state })
    }

    /// As Klaviyo counts: every order but one that waits for its payment. One that was cancelled may never have left
    /// that state, so it counts if something shows that it did.
    fn is_placed(&self) -> bool {
        match self.state() {
            None | Some("pending_payment") => false,
            Some("canceled" | "pay_aborted") => {
                let waited = |status: &str| matches!(status, "pending_payment" | "canceled" | "pay_aborted");
                let was_more =
                    |(status, _): &(String, _)| !waited(status) && Some(status) != self.status.as_ref();
                self.confirmed || self.paid || self.history.iter().any(was_more)
            }
            Some(_) => true,
        }
    }

    fn is_cancelled(&self) -> bool {
        matches!(self.state(), Some("canceled" | "pay_aborted"))
            || self.status.as_deref() == Some("pay_aborted")
    }

    fn fulfilled_at(&self, last_change: Instant) -> Option<Instant> {
        match self.state() {
            Some("complete") => Some(self.since("complete").unwrap_or(last_change)),
            // Refunded since: only the history still knows.
            Some("closed") => self.first(|status| status == "complete"),
            _ => None,
        }
    }

    /// Since when the order has been in its state: the first time that the history shows the state's own status, or
    /// the one it has now.
    fn since(&self, status: &str) -> Option<Instant> {
        self.first(|entry| entry == status || Some(entry) == self.status.as_deref())
    }

    fn first(&self, wanted: impl Fn(&str) -> bool) -> Option<Instant> {
        self.history.iter().filter(|(status, _)| wanted(status)).filter_map(|(_, at)| *at).min()
    }
}

fn history(
    dropped: &mut Dropped,
    entries: Objects<payload::StatusHistory>,
) -> Vec<(String, Option<Instant>)> {
    let entries = dropped.list("status_histories", entries);
    let entries = entries.into_iter().filter_map(|Object(entry)| {
        let at = time(dropped, "status_histories.created_at", entry.created_at);
        Some((word(dropped, "status_histories.status", entry.status)?, at))
    });
    entries.collect()
}

fn shipping(dropped: &mut Dropped, assignments: Objects<payload::ShippingAssignment>) -> Option<Address> {
    let assignments = dropped.list("shipping_assignments", assignments);
    let Object(assignment) = assignments.into_iter().next()?;
    let Object(shipping) = dropped.take("shipping_assignments", assignment.shipping)?;
    person::address(dropped, "shipping_assignments", shipping.address)
}

/// A box that was ticked at the checkout, which Klaviyo's module keeps with the order. One that was not ticked is no
/// decision.
fn consent(buyer: &Person, channel: Channel, at: Instant) -> Option<Fact> {
    let mut person = Person { customer_id: buyer.customer_id.clone(), ..Person::default() };
    if channel == Channel::Email {
        person.email = Some(buyer.email.clone()?);
    } else {
        person.email.clone_from(&buyer.email);
        person.phone = Some(buyer.phone.clone()?);
        person.phone_country.clone_from(&buyer.phone_country);
    }
    Some(Fact::Consent(ConsentChange {
        person,
        channel,
        status: ConsentStatus::Subscribed,
        at,
        method: "checkout".to_owned(),
        double_opt_in: false,
    }))
}

fn either_flag(first: Field<Flag>, second: Field<Flag>) -> bool {
    [first, second].contains(&Field::Is(Flag(true)))
}

/// Website, store and view stand in lines of their own.
fn shop_name(name: &str) -> String {
    let parts: Vec<_> = name.lines().map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join(" / ")
}

fn word(dropped: &mut Dropped, name: &'static str, field: Field<String>) -> Option<String> {
    dropped.take(name, field).map(|word| word.to_ascii_lowercase())
}

/// A time; Magento writes UTC without saying so.
pub(crate) fn time(dropped: &mut Dropped, name: &'static str, field: Field<Moment>) -> Option<Instant> {
    dropped.take(name, field)?.in_utc()
}
