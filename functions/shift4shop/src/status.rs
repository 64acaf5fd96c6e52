//! What a status means. Its text is the merchant's to edit; the id is what it is defined as.

use platform::lenient::{Dropped, Field, Id};

use crate::store::Store;

/// What an order's status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The buyer has not finished: no order yet.
    NotCompleted,
    /// An offer.
    Quote,
    /// An order.
    Placed,
    /// An order of which a part is on its way.
    PartlyShipped,
    /// An order that is on its way.
    Shipped,
    /// An order that was called off.
    Cancelled,
}

impl Status {
    /// Takes a status id: as the connection's `statuses` say, else as it is defined. `None` where there is none.
    /// Source: <https://apirest.3dcart.com/v2/orderstatus/index.html>.
    pub(crate) fn take(
        store: &Store<'_>,
        dropped: &mut Dropped,
        name: &'static str,
        id: Field<Id>,
    ) -> Option<Self> {
        let Id(id) = dropped.take(name, id)?;
        let own = store.status(&id).and_then(Self::named);
        own.or_else(|| Self::defined(&id))
    }

    /// As settings name it.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "not_completed" => Self::NotCompleted,
            "quote" => Self::Quote,
            "placed" => Self::Placed,
            "partly_shipped" => Self::PartlyShipped,
            "shipped" => Self::Shipped,
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }

    fn defined(id: &str) -> Option<Self> {
        Some(match id.parse::<u32>().ok()? {
            0 => return None,
            3 => Self::PartlyShipped,
            4 => Self::Shipped,
            5 => Self::Cancelled,
            7 => Self::NotCompleted,
            21 => Self::Quote,
            // 1 new, 2 processing, 6 on hold, 8 to 10 the merchant's own, 11 unpaid, 12 in review; and what may be new.
            _ => Self::Placed,
        })
    }
}
