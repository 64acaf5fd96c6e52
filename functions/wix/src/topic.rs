//! The events that are understood.

/// What a delivery is about, as far as its reading differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Order,
    Fulfillments,
    Transactions,
    AbandonedCheckout,
    Checkout,
    Cart,
    Contact,
    ContactDeleted,
    Member,
    EmailSubscription,
    ProductCreated,
    ProductChanged,
    ProductDeleted,
    /// An event of the Stores Orders API of old, which is taken for "this order changed".
    LegacyOrder,
    Removed,
    /// Known, but without anything that is kept: the reason for the counter.
    Nothing(&'static str),
}

impl Topic {
    /// Reads an event's name: its domain, a dot, the entity, an underscore and what happened; older ones
    /// are a Java class, of which the documentation shows the last part only.
    /// Source: <https://dev.wix.com/docs/rest/articles/getting-started/webhooks>.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (domain, name) = name.rsplit_once('.').unwrap_or(("", name));
        match domain {
            "wix.ecom.v1" => Self::ecommerce(name),
            "wix.contacts.v4" => Self::contact(name),
            "wix.members.v1" => Self::member(name),
            "wix.stores.catalog.v3" => Some(Self::Nothing("catalog_v3_not_read")),
            "" => Self::class(name),
            _ if domain.starts_with("com.wix") => Self::class(name),
            _ => None,
        }
    }

    fn ecommerce(name: &str) -> Option<Self> {
        Some(match name {
            "order_approved"
            | "order_created"
            | "order_updated"
            | "order_canceled"
            | "order_fulfilled"
            | "order_payment_status_updated" => Self::Order,
            "fulfillments_updated" => Self::Fulfillments,
            "order_transactions_refund_completed"
            | "order_transactions_details_updated"
            | "order_transactions_updated" => Self::Transactions,
            "abandoned_checkout_created" | "abandoned_checkout_updated" | "abandoned_checkout_recovered" => {
                Self::AbandonedCheckout
            }
            "checkout_created" | "checkout_updated" | "checkout_completed" => Self::Checkout,
            "cart_created" | "cart_updated" => Self::Cart,
            // What was begun was begun, and a cart goes when it becomes an order.
            "abandoned_checkout_deleted" | "checkout_deleted" => Self::Nothing("checkout_deleted"),
            "cart_deleted" => Self::Nothing("cart_deleted"),
            _ => return None,
        })
    }

    fn contact(name: &str) -> Option<Self> {
        Some(match name {
            "contact_created" | "contact_updated" | "contact_submitted" | "contact_merged" => Self::Contact,
            "contact_deleted" => Self::ContactDeleted,
            _ => return None,
        })
    }

    fn member(name: &str) -> Option<Self> {
        Some(match name {
            "member_created" | "member_updated" => Self::Member,
            // The contact behind the member stays.
            "member_deleted" => Self::Nothing("member_deleted"),
            _ if name.starts_with("member_") => Self::Nothing("member_status"),
            _ => return None,
        })
    }

    fn class(name: &str) -> Option<Self> {
        Some(match name {
            "AppRemoved" | "AppInstanceRemoved" => Self::Removed,
            "AppInstalled" | "AppInstanceInstalled" => Self::Nothing("app_installed"),
            "EmailSubscriptionChanged" => Self::EmailSubscription,
            "ProductCreated" => Self::ProductCreated,
            // Which of a product's prices changed is not said: the whole product is asked for.
            "ProductChanged" | "VariantsChanged" => Self::ProductChanged,
            "ProductDeleted" => Self::ProductDeleted,
            "OrderEvent" | "OrderCreated" | "OrderPaid" | "OrderCanceled" | "OrderRefunded"
            | "FulfillmentCreated" | "FulfillmentUpdated" | "FulfillmentDeleted" => Self::LegacyOrder,
            // Which products are in a collection is not said.
            "CollectionCreated" | "CollectionChanged" | "CollectionDeleted" => {
                Self::Nothing("collection_without_products")
            }
            // Which variant's stock changed is not named by the ids that lines have.
            "InventoryVariantsChanged" => Self::Nothing("inventory_without_variant"),
            _ => return None,
        })
    }
}
