//! Requests to the shop's own API, for what its webhooks leave out.

use std::time::Duration;

use platform::lenient::{self, Field};
use platform::reading::Silence;
use platform::{ApiRequest, Connection, Fetched};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::document::{self, Shape};

/// What an order is asked for together with.
pub(crate) const ADMIN_EXPAND: &str =
    "items.variant,fulfillments,payments,discounts,billing_address,shipping_address,customer";
/// As [`ADMIN_EXPAND`].
const PLATFORM_INCLUDE: &str = "line_items.variant,bill_address.country,bill_address.state,ship_address.country,\
     ship_address.state,shipments,user,order_promotions,payments.refunds";

/// For how long a token of the Platform API is used; it lasts for two hours, unless a shop sets less.
const TOKEN_KEPT: Duration = Duration::from_mins(10);

/// An API that the connection has credentials for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Api<'a> {
    kind: Kind,
    base: &'a str,
}

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Admin API v3, since 5.5: a key.
    Admin,
    /// Platform API v2, 4.x to 5.4: OAuth 2 with client credentials.
    Platform,
}

impl<'a> Api<'a> {
    /// The API that the settings name, if they name its address as well.
    pub(crate) fn of(connection: &'a Connection) -> Option<Self> {
        let kind = match connection.text("api")? {
            "admin" => Kind::Admin,
            "platform" => Kind::Platform,
            _ => return None,
        };
        Some(Self { kind, base: site(connection, "store_url")? })
    }

    /// Which API it is.
    pub(crate) fn kind(self) -> Kind {
        self.kind
    }

    /// The shape of its records.
    pub(crate) fn shape(self) -> Shape {
        match self.kind {
            Kind::Admin => Shape::Bare,
            Kind::Platform => Shape::JsonApi,
        }
    }

    /// Orders by one attribute. `None` where its value is nothing that belongs into an address.
    pub(crate) fn orders_by(self, attribute: &str, value: &str) -> Option<String> {
        let value = word(value)?;
        Some(match self.kind {
            Kind::Admin => format!("orders?q%5B{attribute}_eq%5D={value}&expand={ADMIN_EXPAND}"),
            Kind::Platform => format!("orders?filter%5B{attribute}_eq%5D={value}&include={PLATFORM_INCLUDE}"),
        })
    }

    /// The order with an id.
    pub(crate) fn order(self, id: &str) -> Option<String> {
        let id = word(id)?;
        Some(match self.kind {
            Kind::Admin => format!("orders/{id}?expand={ADMIN_EXPAND}"),
            Kind::Platform => format!("orders/{id}?include={PLATFORM_INCLUDE}"),
        })
    }

    /// The refunds of the order with an id, where the order itself does not hold them.
    pub(crate) fn refunds(self, order_id: &str) -> Option<String> {
        let id = word(order_id)?;
        (self.kind == Kind::Admin).then(|| format!("orders/{id}/refunds?limit=100"))
    }

    /// The payment with an id and its order, as the Platform API has them.
    pub(crate) fn payment(id: &str) -> Option<String> {
        let id = word(id)?;
        Some(format!("payments/{id}?include=order"))
    }

    /// The product with an id and its variants.
    pub(crate) fn product(self, id: &str) -> Option<String> {
        let id = word(id)?;
        Some(match self.kind {
            Kind::Admin => format!("products/{id}?expand=variants,categories"),
            Kind::Platform => format!("products/{id}?include=variants,taxons"),
        })
    }

    /// A request for one of the paths above. The Platform API's token is asked for first.
    pub(crate) fn get(self, path: &str) -> ApiRequest {
        let base = self.base;
        match self.kind {
            Kind::Admin => ApiRequest::get(format!("{base}/api/v3/admin/{path}"))
                .header("x-spree-api-key", "{secret:api_key}"),
            Kind::Platform => ApiRequest::get(format!("{base}/api/v2/platform/{path}")),
        }
    }

    /// The answers to these paths, once they have been fetched.
    pub(crate) fn answers(self, paths: &[String], fetched: &'a [Fetched]) -> Result<&'a [Fetched], Silence> {
        let (token, answers) = match (self.kind, fetched) {
            (Kind::Admin, answers) => (None, answers),
            (Kind::Platform, []) => return Err(Silence::Fetch(vec![self.token_request()])),
            (Kind::Platform, [token, answers @ ..]) => (Some(token), answers),
        };
        if answers.len() >= paths.len() {
            return Ok(answers);
        }
        let authorization = token.map(bearer).transpose()?;
        let requests = paths.iter().map(|path| match &authorization {
            Some(bearer) => self.get(path).header("authorization", bearer.as_str()),
            None => self.get(path),
        });
        Err(Silence::Fetch(requests.collect()))
    }

    /// Source: <https://spreecommerce.org/docs/api-reference/platform/authentication>.
    fn token_request(self) -> ApiRequest {
        let credentials = json!({
            "grant_type": "client_credentials",
            "client_id": "{secret:client_id}",
            "client_secret": "{secret:client_secret}",
            "scope": "admin"
        });
        ApiRequest::post(format!("{}/spree_oauth/token", self.base), &credentials).kept_for(TOKEN_KEPT)
    }

    /// The records of an answer; none of a refusal.
    pub(crate) fn records<T: DeserializeOwned>(self, answer: Option<&Fetched>) -> Vec<T> {
        match answer {
            Some(answer) if (200..300).contains(&answer.status) => {
                document::records(self.shape(), &answer.body)
            }
            _ => Vec::new(),
        }
    }
}

fn bearer(answer: &Fetched) -> Result<String, Silence> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Token {
        access_token: Field<String>,
    }
    // RFC 6750; nothing else may get into a header.
    let plain =
        |text: &String| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
    let token = lenient::object::<Token>(&answer.body).ok().and_then(|token| token.access_token.ok());
    let token = token.filter(plain).ok_or_else(|| Silence::Malformed("no usable access token".to_owned()))?;
    Ok(format!("Bearer {token}"))
}

/// The address of a site that a setting names, without a slash at its end.
pub(crate) fn site<'a>(connection: &'a Connection, setting: &str) -> Option<&'a str> {
    let text = connection.text(setting)?.trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
    (!rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(plain)).then_some(text)
}

/// A text that can stand in an address as it is.
fn word(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (!text.is_empty() && text.bytes().all(plain)).then_some(text)
}
