//! What an order's `status_id` means. Merchants may rename a status, its number stays.
//! Source: <https://developer.bigcommerce.com/docs/rest-management/orders/order-status>.

use serde_json::Number;

/// A status that is known by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// 0: somebody reached the payment page and did not pay.
    Incomplete,
    /// 6: the payment, or the order, was turned down.
    Declined,
    /// 5.
    Cancelled,
    /// 2 and 10: all of it left, or was handed over.
    Fulfilled,
    /// 4: all of the money went back.
    Refunded,
    /// 14.
    PartlyRefunded,
    /// 1, 3, 7, 8, 9, 11, 12, 13: placed, and neither over nor complete.
    Open,
}

impl Status {
    pub(crate) fn parse(number: &Number) -> Option<Self> {
        Some(match number.as_u64()? {
            0 => Self::Incomplete,
            2 | 10 => Self::Fulfilled,
            4 => Self::Refunded,
            14 => Self::PartlyRefunded,
            5 => Self::Cancelled,
            6 => Self::Declined,
            1 | 3 | 7 | 8 | 9 | 11 | 12 | 13 => Self::Open,
            _ => return None,
        })
    }

    /// Whether an order must have been placed to be in this status. Only what was sold can be cancelled or refunded.
    pub(crate) fn is_placed(self) -> bool {
        !matches!(self, Self::Incomplete | Self::Declined)
    }
}
