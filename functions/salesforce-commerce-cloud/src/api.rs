//! Where a connection's orders are asked for, and how a token for it is had.

use std::time::Duration;

use jiff::Timestamp;
use platform::{ApiRequest, Connection};
use serde_json::json;

/// Orders of one answer: the most that both APIs give.
pub(crate) const PAGE_SIZE: u64 = 200;
/// Offset and page size together may not exceed this.
pub(crate) const MAX_OFFSET: u64 = 10_000;
const TOKEN_URL: &str = "https://account.demandware.com/dwsso/oauth2/access_token";
/// A token is valid for half an hour.
const TOKEN_KEPT: Duration = Duration::from_mins(20);
const OCAPI_VERSION: &str = "v23_2";

/// What a connection may ask, by its settings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access<'a> {
    /// Salesforce Commerce API, Orders.
    Scapi { short_code: &'a str, organization: &'a str, site: &'a str },
    /// Open Commerce API, Shop: `order_search`.
    Ocapi { host: &'a str, version: &'a str, site: &'a str },
}

/// Orders by one of their times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Change,
    Creation,
}

impl<'a> Access<'a> {
    /// `None` if settings are missing or cannot stand in an address.
    pub(crate) fn of(connection: &'a Connection) -> Option<Self> {
        let plain = |name: &str, others: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || others.as_bytes().contains(&byte);
            connection.text(name).filter(|text| text.len() <= 253 && text.bytes().all(allowed))
        };
        let site = plain("site_id", "-_")?;
        if connection.text("api") == Some("ocapi") {
            let version = match connection.text("ocapi_version") {
                Some(_) => plain("ocapi_version", "_")?,
                None => OCAPI_VERSION,
            };
            return Some(Self::Ocapi { host: plain("instance_host", "-.")?, version, site });
        }
        let (short_code, organization) = (plain("short_code", "-")?, plain("organization_id", "_")?);
        Some(Self::Scapi { short_code, organization, site })
    }

    /// The request for a token of the Account Manager.
    /// Source: <https://developer.salesforce.com/docs/commerce/commerce-api/guide/authorization-for-admin-apis.html>.
    pub(crate) fn token_request(&self, connection: &Connection) -> ApiRequest {
        let scope = match self {
            Self::Scapi { organization, .. } => {
                let tenant = organization.strip_prefix("f_ecom_").unwrap_or(organization);
                format!("&scope=SALESFORCE_COMMERCE_API%3A{tenant}%20sfcc.orders")
            }
            Self::Ocapi { .. } => String::new(),
        };
        let request = ApiRequest::get(connection.text("token_url").unwrap_or(TOKEN_URL))
            .header("content-type", "application/x-www-form-urlencoded")
            .basic("{secret:client_id}", "{secret:client_secret}");
        let body = Some(format!("grant_type=client_credentials{scope}"));
        ApiRequest { method: "POST".to_owned(), body, ..request }.kept_for(TOKEN_KEPT)
    }

    /// The request for a page of orders, the oldest first.
    pub(crate) fn orders(
        &self,
        connection: &Connection,
        by: By,
        [from, until]: [Timestamp; 2],
        offset: u64,
        token: &str,
    ) -> ApiRequest {
        let base = |default: String| {
            connection.text("api_url").map_or(default, |url| url.trim_end_matches('/').to_owned())
        };
        let request = match *self {
            Self::Scapi { short_code, organization, site } => {
                let host = base(format!("https://{short_code}.api.commercecloud.salesforce.com"));
                let (filter, sort) = match by {
                    By::Change => ("lastModifiedDate", "last_modified_date"),
                    By::Creation => ("creationDate", "creation_date"),
                };
                ApiRequest::get(format!(
                    "{host}/checkout/orders/v1/organizations/{organization}/orders?siteId={site}&{filter}From={from}\
                     &{filter}To={until}&sortBy={sort}&sortOrder=asc&limit={PAGE_SIZE}&offset={offset}"
                ))
            }
            Self::Ocapi { host, version, site } => {
                let host = base(format!("https://{host}"));
                let field = match by {
                    By::Change => "last_modified",
                    By::Creation => "creation_date",
                };
                let body = json!({
                    "query": { "filtered_query": {
                        "filter": { "range_filter": { "field": field, "from": from, "to": until } },
                        "query": { "match_all_query": {} },
                    } },
                    "select": "(**)",
                    "sorts": [{ "field": field, "sort_order": "asc" }],
                    "start": offset,
                    "count": PAGE_SIZE,
                });
                ApiRequest::post(format!("{host}/s/{site}/dw/shop/{version}/order_search"), &body)
                    .header("x-dw-client-id", "{secret:client_id}")
            }
        };
        request.header("authorization", format!("Bearer {token}"))
    }
}
