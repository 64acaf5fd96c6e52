#![doc = include_str!("../README.md")]

use platform::Platform;

/// Every platform: the one line that registers each.
pub const PLATFORMS: &[&dyn Platform] = &[
    &bigcommerce::Bigcommerce,
    &custom::Custom,
    &magento2::Magento2,
    &shift4shop::Shift4shop,
    &shopbase::Shopbase,
    &shopify::Shopify,
    &spree::Spree,
    &volusion::Volusion,
    &wix::Wix,
    &woocommerce::Woocommerce,
];

/// The adapter of a platform.
pub fn platform(name: &str) -> Option<&'static dyn Platform> {
    PLATFORMS.iter().copied().find(|platform| platform.name() == name)
}
