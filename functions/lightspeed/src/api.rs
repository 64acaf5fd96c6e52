//! Requests to the R-Series API, and how its answers name the next page.
//! Sources: <https://developers.lightspeedhq.com/retail/introduction/parameters/>,
//! <https://developers.lightspeedhq.com/retail/introduction/pagination/>.

use std::fmt::Write;

use platform::{ApiRequest, Connection, Fetched};
use serde_json::Value;

/// The API's own address, which the links to next pages name.
const API: &str = "https://api.lightspeedapp.com";
/// Most records of a page, and most values of an `IN`.
pub(crate) const PAGE_SIZE: usize = 100;

/// Where requests go without the path: the documented host, unless the connection names another.
pub(crate) fn base(connection: &Connection) -> &str {
    connection.text("api_url").unwrap_or(API).trim_end_matches('/')
}

/// A GET request with the connection's token.
pub(crate) fn get(url: String) -> ApiRequest {
    ApiRequest::get(url).header("authorization", "Bearer {secret:access_token}")
}

/// The API of one account.
#[derive(Clone, Copy)]
pub(crate) struct Api<'a> {
    base: &'a str,
    account: &'a str,
}

impl<'a> Api<'a> {
    /// `None` as long as the account is not known.
    pub(crate) fn of(connection: &'a Connection) -> Option<Self> {
        let account = connection.text("account_id").filter(|id| is_id(id))?;
        Some(Self { base: base(connection), account })
    }

    /// The account itself, which knows its currency.
    pub(crate) fn account(self) -> ApiRequest {
        get(format!("{}/API/V3/Account/{}.json", self.base, self.account))
    }

    /// The first page of a list.
    pub(crate) fn list(self, entity: &str, parameters: &[(&str, &str)]) -> ApiRequest {
        let mut url = format!("{}{}.json?limit={PAGE_SIZE}", self.base, self.path(entity));
        for (name, value) in parameters {
            let _ = write!(url, "&{name}={}", encoded(value));
        }
        get(url)
    }

    fn path(self, entity: &str) -> String {
        format!("/API/V3/Account/{}/{entity}", self.account)
    }

    /// The request of the page after this one, "as is" but for the host: a link that leads elsewhere than to the same
    /// list is refused, for the token would go there too.
    pub(crate) fn next(self, request: &ApiRequest, body: &Value) -> Result<Option<ApiRequest>, String> {
        let link = body["@attributes"]["next"].as_str().map(str::trim).unwrap_or_default();
        if link.is_empty() {
            return Ok(None);
        }
        let local = [self.base, API].iter().find_map(|host| link.strip_prefix(host)).unwrap_or(link);
        let here = request.url.strip_prefix(self.base).unwrap_or_default();
        let is_same_list = match (local.split_once('?'), here.split_once('?')) {
            (Some((path, _)), Some((asked, _))) => path == asked,
            _ => false,
        };
        if !is_same_list || !link.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err("the next page is not one of the same list".to_owned());
        }
        if local == here {
            return Err("the next page is the same page".to_owned());
        }
        Ok(Some(ApiRequest { url: format!("{}{local}", self.base), ..request.clone() }))
    }
}

/// Ids are numbers; `0` stands for none.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit()) && text != "0"
}

/// An answer's body; errors do not say what was in it.
pub(crate) fn body(answer: &Fetched) -> Result<Value, String> {
    if !(200..300).contains(&answer.status) {
        return Err(format!("the API answered {}", answer.status));
    }
    let body: Value =
        serde_json::from_slice(&answer.body).map_err(|_| "the answer is not JSON".to_owned())?;
    if body.is_object() { Ok(body) } else { Err("the answer is not an object".to_owned()) }
}

/// The elements of a list: several are an array, one is an object, none is an empty text or nothing.
pub(crate) fn many(list: &Value) -> &[Value] {
    match list {
        Value::Array(elements) => elements,
        Value::Object(_) => std::slice::from_ref(list),
        _ => &[],
    }
}

/// An id within a record.
pub(crate) fn id<'v>(record: &'v Value, name: &str) -> Option<&'v str> {
    record[name].as_str().map(str::trim).filter(|id| is_id(id))
}

/// `IN,[1,2,3]`.
pub(crate) fn any_of(ids: &[&str]) -> String {
    format!("IN,[{}]", ids.join(","))
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
