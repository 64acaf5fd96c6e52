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
    EmailConsent,
    SmsConsent,
    TagsAdded,
    TagsRemoved,
    PurchasingSummary,
    Product,
    ProductDeleted,
    Uninstalled,
    DataRequest,
    CustomerRedact,
    ShopRedact,
    /// Known, but without anything that is kept: the reason for the counter.
    Nothing(&'static str),
}

impl Topic {
    /// Reads the topic header. The consent topics are accepted under the names of the changelog and
    /// under those that are really delivered.
    /// Source: <https://shopify.dev/docs/api/webhooks>.
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
            "customers/create" | "customers/update" | "customers/enable" | "customers/disable" => {
                Self::Customer
            }
            "customers/delete" => Self::CustomerDeleted,
            "customers_email_marketing_consent/update" | "customers/email_marketing_consent_update" => {
                Self::EmailConsent
            }
            "customers_marketing_consent/update" | "customers/marketing_consent_update" => Self::SmsConsent,
            "customer.tags_added" => Self::TagsAdded,
            "customer.tags_removed" => Self::TagsRemoved,
            "customers/purchasing_summary" => Self::PurchasingSummary,
            "products/create" | "products/update" => Self::Product,
            "products/delete" => Self::ProductDeleted,
            "app/uninstalled" => Self::Uninstalled,
            "customers/data_request" => Self::DataRequest,
            "customers/redact" => Self::CustomerRedact,
            "shop/redact" => Self::ShopRedact,
            // A list of line changes, not an order; orders/updated brings the order.
            "orders/edited" => Self::Nothing("order_edit_is_thin"),
            // Only cancelled, archived and test orders can be deleted: the history stays.
            "orders/delete" => Self::Nothing("order_deleted"),
            "checkouts/delete" => Self::Nothing("checkout_deleted"),
            // Which products are in a collection is not said.
            "collections/create" | "collections/update" | "collections/delete" => {
                Self::Nothing("collection_without_products")
            }
            // Names an inventory item and a location, neither of which is known; products/update brings stock.
            "inventory_levels/update" => Self::Nothing("inventory_without_variant"),
            _ => return None,
        })
    }
}
