#![doc = include_str!("../README.md")]

use platform::Platform;

/// Every platform: the one line that registers each.
pub const PLATFORMS: &[&dyn Platform] = &[&shopify::Shopify];

/// The adapter of a platform.
pub fn platform(name: &str) -> Option<&'static dyn Platform> {
    PLATFORMS.iter().copied().find(|platform| platform.name() == name)
}
