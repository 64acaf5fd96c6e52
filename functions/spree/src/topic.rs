//! The events that are understood.

/// What a delivery is about, as far as its reading differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// An order or a cart, and what its event says beyond the record.
    Order(Step),
    /// One parcel.
    Shipment,
    /// A line of a cart: only its order is read.
    LineItem,
    Refund,
    /// Goods came back and were paid for: only its order is read.
    Reimbursed,
    Customer,
    CustomerDeleted,
    Subscriber,
    SubscriberDeleted,
    Product,
    ProductDeleted,
    Variant,
    /// Known, but without anything that is kept: the reason for the counter.
    Nothing(&'static str),
}

/// What the event itself says of an order: bodies since 5.4 have no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing beyond its body.
    Changed,
    /// All of it was cancelled.
    Canceled,
    /// All of it was sent.
    Fulfilled,
}

/// The topic of an order that was polled. No delivery has it.
pub(crate) const POLLED: &str = "order.polled";
/// As [`POLLED`], of a customer.
pub(crate) const POLLED_CUSTOMER: &str = "customer.polled";

impl Topic {
    /// Reads an event's name: of releases before 5.3 (`order.update`), of 5.3 and later (`order.updated`), of the
    /// documentation (`customer.updated`) and of the code (`user.updated`).
    /// Sources: <https://spreecommerce.org/docs/api-reference/webhooks-events> and the repository spree/spree.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (record, event) = name.split_once('.')?;
        let removed = matches!(event, "deleted" | "delete");
        let changed = matches!(event, "created" | "create" | "updated" | "update");
        Some(match record {
            "order" if removed => Self::Nothing("order_deleted"),
            "cart" if removed => Self::Nothing("cart_deleted"),
            "order" => Self::Order(match event {
                "placed" | "completed" | "paid" | "approved" | "resumed" | "resend_confirmation_email" => {
                    Step::Changed
                }
                "canceled" => Step::Canceled,
                "shipped" | "fulfilled" | "delivered" => Step::Fulfilled,
                _ if changed => Step::Changed,
                _ => return None,
            }),
            "cart" if changed => Self::Order(Step::Changed),
            "shipment" | "fulfillment" if removed => Self::Nothing("shipment_deleted"),
            "shipment" | "fulfillment" => Self::Shipment,
            "line_item" => Self::LineItem,
            "refund" if removed => Self::Nothing("refund_deleted"),
            "refund" if changed => Self::Refund,
            "reimbursement" if event == "reimbursed" => Self::Reimbursed,
            "reimbursement" => Self::Nothing("reimbursement_not_paid"),
            // Orders bring what there is to say about payments; refunds come as refunds.
            "payment" | "payment_session" => Self::Nothing("payment_is_not_kept"),
            "user" | "customer" if removed => Self::CustomerDeleted,
            "user" | "customer" if changed => Self::Customer,
            "admin" => Self::Nothing("staff"),
            "newsletter_subscriber" if removed => Self::SubscriberDeleted,
            // Not every event: one that is not known must not become a consent.
            "newsletter_subscriber"
                if changed || matches!(event, "verified" | "subscribed" | "subscription_requested") =>
            {
                Self::Subscriber
            }
            "product" if removed => Self::ProductDeleted,
            "product" => Self::Product,
            "variant" => Self::Variant,
            "price" => Self::Nothing("price_without_product"),
            "webhook" if event == "test" => Self::Nothing("test"),
            _ => return None,
        })
    }
}
