//! The shop's Admin API: where it is, and how a connection is authorised for it.
//! Sources: <https://shopify.dev/docs/api/admin-rest>,
//! <https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/authorization-code-grant>.

use platform::{ApiRequest, ClientProof, Connection, OAuth, learn_nothing};

/// What every shop's own domain ends with.
const HOST: &str = ".myshopify.com";
/// A version that is no longer supported is answered as the oldest that is.
const VERSION: &str = "2025-10";

/// The address that requests may go to: the shop's own, if the setting is a name below `myshopify.com` and nothing
/// else, or the one that stands in for it.
fn base(connection: &Connection) -> Option<String> {
    let domain = connection.text("shop_domain")?.to_ascii_lowercase();
    let name = domain.strip_suffix(HOST)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.is_empty() || !name.bytes().all(plain) {
        return None;
    }
    let Some(url) = connection.text("api_url") else { return Some(format!("https://{domain}")) };
    let http = url.starts_with("https://") || url.starts_with("http://");
    http.then(|| url.trim_end_matches('/').to_owned())
}

/// A request, if the connection names its shop.
pub(crate) fn get(connection: &Connection, path: &str) -> Option<ApiRequest> {
    let base = base(connection)?;
    let request = ApiRequest::get(format!("{base}/admin/api/{VERSION}/{path}"));
    Some(request.header("x-shopify-access-token", "{secret:access_token}"))
}

/// The token that is granted does not expire.
pub(crate) fn oauth(connection: &Connection) -> Option<OAuth> {
    let base = base(connection)?;
    Some(OAuth {
        authorize_url: format!("{base}/admin/oauth/authorize"),
        authorize_parameters: Vec::new(),
        token_url: format!("{base}/admin/oauth/access_token"),
        revoke_url: None,
        scopes: vec!["read_orders", "read_all_orders", "read_customers", "read_products"],
        scope_separator: ",",
        is_pkce: false,
        client_proof: ClientProof::Body,
        handed_back: &[],
        account: None,
        learn: learn_nothing,
    })
}
