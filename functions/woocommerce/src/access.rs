//! Requests to the shop's own API.

use platform::{ApiRequest, Connection};

/// Longest list that the API gives at once.
pub(crate) const PER_PAGE: usize = 100;

/// Where the shop's API is.
pub(crate) struct Access {
    base: String,
}

impl Access {
    /// Of a connection that wants the shop asked regularly.
    pub(crate) fn of(connection: &Connection) -> Option<Self> {
        Self::any(connection).filter(|_| connection.flag("poll", false))
    }

    /// Of a connection that has a usable address: https, for the key goes with every request. What stands in for it
    /// in tests may do without.
    pub(crate) fn any(connection: &Connection) -> Option<Self> {
        let shop = connection.text("shop_url")?;
        let (scheme, rest) = shop.split_at_checked("https://".len())?;
        let rest = rest.trim_end_matches('/');
        let (host, folder) = rest.split_once('/').unwrap_or((rest, ""));
        let usable = scheme.eq_ignore_ascii_case("https://")
            && host.starts_with(|first: char| first.is_ascii_alphanumeric())
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte))
            && folder.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.-_~".contains(&byte))
            && !folder.split('/').any(|part| part.starts_with('.'));
        let shop = match connection.text("api_url").map(|url| url.trim_end_matches('/')) {
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => url.to_owned(),
            Some(_) => return None,
            None => format!("https://{rest}"),
        };
        usable.then(|| Self { base: format!("{shop}/wp-json/wc/v3") })
    }

    /// A request for a path with a query; both are made here, of fixed words, digits and dates.
    pub(crate) fn get(&self, path: &str) -> ApiRequest {
        ApiRequest::get(format!("{}/{path}", self.base))
            .basic("{secret:consumer_key}", "{secret:consumer_secret}")
    }

    /// A request for what belongs to a record. `None` if the record's id is no number.
    pub(crate) fn below(&self, collection: &str, id: &str, what: &str) -> Option<ApiRequest> {
        let digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| self.get(&format!("{collection}/{id}/{what}?per_page={PER_PAGE}")))
    }
}

/// An address without its scheme and last slash.
pub(crate) fn without_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/')
}
