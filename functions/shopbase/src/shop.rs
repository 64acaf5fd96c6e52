//! Which shop a delivery is of, and the end of a connection.

use canonical::Fact;
use platform::lenient;
use platform::reading::{Reader, Reading, Silence};
use platform::{Connection, Delivery};

use crate::payload;

/// The header that names the shop.
pub(crate) const SHOP: &str = "x-shopbase-shop-domain";
/// What every shop's own domain ends with.
const HOST: &str = ".onshopbase.com";

/// The shop's domain, as the delivery says, else as the connection does.
pub(crate) fn of<'a>(delivery: &'a Delivery, connection: &'a Connection) -> Option<&'a str> {
    let named = delivery.headers.get(SHOP).map(str::trim).filter(|shop| !shop.is_empty());
    named.or_else(|| connection.text("shop_domain"))
}

/// Whether a domain is another shop's than the connection's. Only domains below `onshopbase.com` say so: a shop may
/// have further ones of its own.
pub(crate) fn is_other(domain: &str, connection: &Connection) -> bool {
    let domain = domain.to_ascii_lowercase();
    let own = connection.text("shop_domain");
    own.is_some_and(|own| domain.ends_with(HOST) && domain != own.to_ascii_lowercase())
}

/// The connection's shop, if it is a name below `onshopbase.com` and nothing else.
fn host(connection: &Connection) -> Option<String> {
    let domain = connection.text("shop_domain")?.to_ascii_lowercase();
    let name = domain.strip_suffix(HOST)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (!name.is_empty() && name.bytes().all(plain)).then_some(domain)
}

/// Where requests go: to the connection's shop, or to what stands in for it.
pub(crate) fn api(connection: &Connection) -> Option<String> {
    let host = host(connection)?;
    let Some(url) = connection.text("api_url") else { return Some(format!("https://{host}")) };
    let http = url.starts_with("https://") || url.starts_with("http://");
    http.then(|| url.trim_end_matches('/').to_owned())
}

/// `app/uninstalled`: the credentials are void. The header that names the shop is not signed and this cannot be
/// undone, so the shop that the signed body names counts too.
pub(crate) fn uninstalled(reader: &mut Reader<'_>) -> Reading {
    let shop: payload::Shop = lenient::object(&reader.delivery.body)?;
    let mut named = [shop.domain.ok(), shop.shop_domain.ok()].into_iter().flatten();
    if named.any(|domain| is_other(&domain, reader.connection)) {
        return Err(Silence::Ignore("other_shop"));
    }
    Ok(vec![Fact::Disconnected { at: Some(reader.received_at()) }])
}
