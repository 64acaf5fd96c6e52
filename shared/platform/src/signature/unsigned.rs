//! Platforms that can neither sign nor carry a token.

use super::Proof;

/// No proof at all: whoever knows the connection's address is believed. Only for releases of a platform that send
/// nothing else to check, and only where the connection's owner has chosen it with a setting.
pub fn accept_by_owners_choice() -> Proof {
    Proof(())
}
