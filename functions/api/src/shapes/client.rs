//! What browsers and old clients send.

use utoipa::ToSchema;

use super::{Many, NewEventRow, NewProfileDocument};

/// Events of one profile.
#[derive(ToSchema)]
pub(crate) struct NewClientEvents {
    /// Whether they are history, unless an event says something else.
    backfill: Option<bool>,
    profile: NewProfileDocument,
    /// 1000 at most.
    events: Many<NewEventRow>,
}

/// `1`: taken, or `0`: not.
#[derive(ToSchema)]
#[schema(value_type = u8)]
pub(crate) struct LegacyAnswer(u8);
