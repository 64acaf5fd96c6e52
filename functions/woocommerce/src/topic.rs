//! The topics that are understood.

/// What a delivery is about, as far as its reading differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Order,
    Customer,
    CustomerDeleted,
    Product,
    ProductDeleted,
    /// Known, but without anything that is kept: the reason for the counter.
    Nothing(&'static str),
}

impl Topic {
    /// Reads the topic header.
    /// Source: <https://woocommerce.github.io/woocommerce-rest-api-docs/#webhooks>.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "order.created" | "order.updated" | "order.restored" => Self::Order,
            "customer.created" | "customer.updated" => Self::Customer,
            "customer.deleted" => Self::CustomerDeleted,
            "product.created" | "product.updated" | "product.restored" => Self::Product,
            "product.deleted" => Self::ProductDeleted,
            // What happened to a customer stays, whatever becomes of the shop's record of it.
            "order.deleted" => Self::Nothing("order_deleted"),
            "coupon.created" | "coupon.updated" | "coupon.deleted" | "coupon.restored" => {
                Self::Nothing("coupon")
            }
            // A subscription is no order; each of its renewals is one, and comes as one.
            "subscription.created"
            | "subscription.updated"
            | "subscription.deleted"
            | "subscription.switched" => Self::Nothing("subscription"),
            // Names a hook of WordPress and its first argument, mostly an id.
            name if name.starts_with("action.") => Self::Nothing("action"),
            _ => return None,
        })
    }
}
