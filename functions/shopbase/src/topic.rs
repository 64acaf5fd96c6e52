//! The topics that are understood.

/// What a delivery is about, as far as its reading differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Order,
    Fulfillment,
    Refund,
    Checkout,
    Cart,
    Customer,
    CustomerDeleted,
    Product,
    ProductDeleted,
    Uninstalled,
    /// Known, but without anything that is kept: the reason for the counter.
    Nothing(&'static str),
}

impl Topic {
    /// Reads the topic header.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "orders/create"
            | "orders/updated"
            | "orders/paid"
            | "orders/cancelled"
            | "orders/fulfilled"
            | "orders/partially_fulfilled" => Self::Order,
            "fulfillments/create" | "fulfillments/update" => Self::Fulfillment,
            "refunds/create" => Self::Refund,
            "checkouts/create" | "checkouts/update" => Self::Checkout,
            "carts/create" | "carts/update" => Self::Cart,
            "customers/create" | "customers/update" => Self::Customer,
            "customers/delete" => Self::CustomerDeleted,
            "products/create" | "products/update" => Self::Product,
            "products/delete" => Self::ProductDeleted,
            "app/uninstalled" => Self::Uninstalled,
            // The history stays.
            "orders/delete" => Self::Nothing("order_deleted"),
            "checkouts/delete" => Self::Nothing("checkout_deleted"),
            // A payment's attempt; orders/updated brings what came of it.
            "order_transactions/create" => Self::Nothing("transaction_is_thin"),
            // Which products are in a collection is not said.
            "collections/create" | "collections/update" | "collections/delete" => {
                Self::Nothing("collection_without_products")
            }
            "shop/update" => Self::Nothing("shop_settings"),
            _ => return None,
        })
    }
}
