#![doc = include_str!("../README.md")]

use platform::Platform;

/// Every platform: the one line that registers each.
pub const PLATFORMS: &[&dyn Platform] = &[
    &bigcommerce::Bigcommerce,
    &custom::Custom,
    &dutchie::Dutchie,
    &lightspeed::Lightspeed,
    &magento1::Magento1,
    &magento2::Magento2,
    &mi9::Mi9,
    &opencart::Opencart,
    &prestashop::Prestashop,
    &salesforce_commerce_cloud::SalesforceCommerceCloud,
    &shift4shop::Shift4shop,
    &shopbase::Shopbase,
    &shopify::Shopify,
    &smile::Smile,
    &spree::Spree,
    &volusion::Volusion,
    &wix::Wix,
    &woocommerce::Woocommerce,
];

/// The adapter of a platform.
pub fn platform(name: &str) -> Option<&'static dyn Platform> {
    PLATFORMS.iter().copied().find(|platform| platform.name() == name)
}
