//! The topics that are understood.

/// What a record is about, as far as its reading differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Order,
    /// While the order is being placed: it may have no id yet.
    OrderPlacement,
    Creditmemo,
    Shipment,
    Track,
    Customer,
    CustomerDeleted,
    Subscriber,
    Quote,
    /// A quote to which something was just added, and which may not be saved yet.
    CartAddition,
    Product,
    ProductDeleted,
    /// The Added To Cart of Klaviyo's module.
    KlaviyoCart,
    /// Known, but without anything that is kept: the reason for the counter.
    Nothing(&'static str),
}

impl Topic {
    /// Reads a name: the code of an event (`com.adobe.commerce.observer.sales_order_save_after`, with or without what
    /// is in front of its last part), a name of this adapter's own (`order`), or what modules send.
    /// Source: <https://developer.adobe.com/commerce/extensibility/events/>.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        let name = name.strip_prefix(COMMERCE).unwrap_or(name);
        let name = ["observer.", "plugin."].iter().find_map(|kind| name.strip_prefix(kind)).unwrap_or(name);
        Some(match name {
            "order"
            | "new_order_comment"
            | "sales_order_save_after"
            | "sales_order_save_commit_after"
            | "sales_order_place_after"
            | "checkout_submit_all_after"
            | "sales.api.order_repository.save" => Self::Order,
            "sales.api.order_management.place" | "magento.sales.api.order_management.place" => {
                Self::OrderPlacement
            }
            "creditmemo"
            | "new_creditmemo"
            | "sales_order_creditmemo_save_after"
            | "sales_order_creditmemo_save_commit_after" => Self::Creditmemo,
            "shipment"
            | "new_shipment"
            | "sales_order_shipment_save_after"
            | "sales_order_shipment_save_commit_after" => Self::Shipment,
            "shipment_track"
            | "sales_order_shipment_track_save_after"
            | "sales_order_shipment_track_save_commit_after" => Self::Track,
            "customer"
            | "new_customer"
            | "update_customer"
            | "customer_login"
            | "customer_save_after"
            | "customer_save_commit_after"
            | "customer_register_success" => Self::Customer,
            "customer_delete"
            | "delete_customer"
            | "customer_delete_after"
            | "customer_delete_commit_after" => Self::CustomerDeleted,
            "subscriber" | "newsletter_subscriber_save_after" | "newsletter_subscriber_save_commit_after" => {
                Self::Subscriber
            }
            "quote" | "abandoned_cart" | "sales_quote_save_after" | "sales_quote_save_commit_after" => {
                Self::Quote
            }
            "checkout_cart_product_add_after" => Self::CartAddition,
            "product"
            | "new_product"
            | "update_product"
            | "product/save"
            | "catalog_product_save_after"
            | "catalog_product_save_commit_after" => Self::Product,
            "product_delete"
            | "delete_product"
            | "product/delete"
            | "catalog_product_delete_after"
            | "catalog_product_delete_commit_after" => Self::ProductDeleted,
            "Added To Cart" | "added_to_cart" => Self::KlaviyoCart,
            // What changes of the order is in the order, which is saved with it.
            "invoice"
            | "new_invoice"
            | "sales_order_invoice_save_after"
            | "sales_order_invoice_save_commit_after"
            | "sales_order_invoice_pay" => Self::Nothing("invoice_without_order"),
            "sales_order_status_history_save_after" => Self::Nothing("comment_without_order"),
            // Nothing has happened yet, and it may be prevented.
            name if name.ends_with("_before") => Self::Nothing("not_happened_yet"),
            _ => return None,
        })
    }

    /// What Magento calls such a record where it is a part of something else.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Order | Self::OrderPlacement => "order",
            Self::Creditmemo => "creditmemo",
            Self::Shipment => "shipment",
            Self::Track => "track",
            Self::Customer | Self::CustomerDeleted => "customer",
            Self::Subscriber => "subscriber",
            Self::Quote | Self::CartAddition => "quote",
            Self::Product | Self::ProductDeleted => "product",
            Self::KlaviyoCart | Self::Nothing(_) => "properties",
        }
    }
}

/// What the types of Adobe Commerce's events begin with.
pub(crate) const COMMERCE: &str = "com.adobe.commerce.";
/// The topic of a delivery with several events.
pub(crate) const BATCH: &str = "com.adobe.commerce.batch";
