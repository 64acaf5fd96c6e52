//! The scopes that are understood.

/// What a delivery is about, as far as its reading differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// An order by its own id.
    Order,
    /// An order, whose refunds must be asked for.
    Refund,
    /// An order by `orderId`: the id is the shipment's.
    Shipment,
    /// An order by `orderId`: the id is the cart's.
    CartConverted,
    Cart,
    /// A cart by `cartId`: the id is the line's.
    CartLine,
    CartAbandoned,
    Customer,
    /// A customer by `address.customer_id`: the id is the address's.
    CustomerAddress,
    CustomerDeleted,
    Subscriber,
    Product,
    /// A product by `sku.product_id` or `inventory.product_id`: the id is the SKU's.
    Sku,
    ProductDeleted,
    Uninstalled,
    /// Known, but without anything that is kept: the reason for the counter.
    Nothing(&'static str),
}

impl Topic {
    /// Reads a scope. Those of one channel (`store/channel/{id}/…`) say the same as those of the store; some of
    /// them are written otherwise.
    /// Source: <https://developer.bigcommerce.com/docs/integrations/webhooks/events>.
    pub(crate) fn parse(scope: &str) -> Option<Self> {
        let path = scope.strip_prefix("store/")?.trim_end_matches('/');
        Some(match without_channel(path) {
            "order/created" | "order/updated" | "order/statusUpdated" => Self::Order,
            "order/refund/created" => Self::Refund,
            "shipment/created" | "shipment/updated" => Self::Shipment,
            "cart/created" | "cart/updated" | "cart/couponApplied" => Self::Cart,
            "cart/lineItem/created"
            | "cart/lineItem/updated"
            | "cart/lineItem/deleted"
            | "cart/lineItems/created"
            | "cart/lineItems/updated"
            | "cart/lineItems/deleted" => Self::CartLine,
            "cart/abandoned" => Self::CartAbandoned,
            "cart/converted" => Self::CartConverted,
            "customer/created" | "customer/updated" => Self::Customer,
            "customer/address/created"
            | "customer/address/updated"
            | "customer/address/update"
            | "customer/address/deleted" => Self::CustomerAddress,
            "customer/deleted" => Self::CustomerDeleted,
            "subscriber/created" | "subscriber/updated" => Self::Subscriber,
            "product/created"
            | "product/updated"
            | "product/inventory/updated"
            | "product/inventory/order/updated"
            | "product/assigned"
            | "product/unassigned"
            | "category/product/assigned"
            | "category/product/unassigned" => Self::Product,
            "sku/created"
            | "sku/updated"
            | "sku/deleted"
            | "sku/inventory/updated"
            | "sku/inventory/order/updated" => Self::Sku,
            "product/deleted" => Self::ProductDeleted,
            "app/uninstalled" => Self::Uninstalled,
            // Put away in the control panel; what happened to it stays.
            "order/archived" => Self::Nothing("order_archived"),
            "order/message/created" => Self::Nothing("order_message"),
            // A parcel that left stays told; the order's other scopes bring what it is now.
            "shipment/deleted" => Self::Nothing("shipment_deleted"),
            "cart/deleted" => Self::Nothing("cart_deleted"),
            // Names an id that nothing is known of and that can no longer be asked for.
            "subscriber/deleted" => Self::Nothing("subscriber_deleted"),
            "customer/payment/instrument/default/updated" => Self::Nothing("payment_instrument"),
            // Which products are in it is not said; product/updated brings their categories.
            "category/created" | "category/updated" | "category/deleted" => {
                Self::Nothing("category_without_products")
            }
            "information/updated" => Self::Nothing("store_information"),
            // BigCommerce could not deliver something: counted, so that somebody looks.
            "hook/deliveryException" => Self::Nothing("delivery_exception"),
            _ => return None,
        })
    }
}

fn without_channel(path: &str) -> &str {
    match path.strip_prefix("channel/").and_then(|rest| rest.split_once('/')) {
        Some((id, rest)) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => path,
    }
}
