//! Requests to the shop's webservice, and the shapes of its answers.
//! Source: <https://devdocs.prestashop-project.org/9/webservice/>.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use platform::{ApiRequest, Connection, Fetched};
use serde_json::{Map, Value};

/// One resource as the webservice writes it: a row of the database.
pub(crate) type Row = Map<String, Value>;

/// No limit is documented; this keeps a small server free for its buyers.
const REQUESTS_PER_SECOND: u32 = 5;
/// How long lists that hardly change are kept.
const KEPT: Duration = Duration::from_hours(1);

/// A shop's webservice, as far as the settings name one.
pub(crate) struct Webservice<'a> {
    base_url: &'a str,
    key_in_address: bool,
}

impl<'a> Webservice<'a> {
    /// `None` without an address, or with one that is no plain `https` address.
    pub(crate) fn of(connection: &'a Connection) -> Option<Self> {
        let key_in_address = connection.flag("key_in_address", false);
        let base_url = match connection.text("api_url") {
            Some(url) => plain(url, &["https://", "http://"]),
            None => shop_url(connection),
        }?;
        Some(Self { base_url, key_in_address })
    }

    /// A request for a resource. The key is the user, the password is empty; or the key is in the query, for servers
    /// that keep the header from PHP. `query` must need no encoding.
    pub(crate) fn get(&self, resource: &str, query: &str) -> ApiRequest {
        let front = format!("{}/api/{resource}?output_format=JSON", self.base_url);
        let request = if self.key_in_address {
            ApiRequest::get(format!("{front}&ws_key={{secret:webservice_key}}&{query}"))
        } else {
            ApiRequest::get(format!("{front}&{query}")).basic("{secret:webservice_key}", "")
        };
        request.paced(REQUESTS_PER_SECOND, Duration::from_secs(1))
    }

    /// A request for a list that hardly changes.
    pub(crate) fn list(&self, resource: &str, query: &str) -> ApiRequest {
        self.get(resource, query).kept_for(KEPT)
    }
}

/// The shop's address without a slash at its end.
pub(crate) fn shop_url(connection: &Connection) -> Option<&str> {
    plain(connection.text("shop_url")?, &["https://"])
}

/// An address of such a scheme that needs no encoding, without a slash at its end.
fn plain<'u>(url: &'u str, schemes: &[&str]) -> Option<&'u str> {
    let url = url.trim_end_matches('/');
    let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme))?;
    let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte));
    (plain && rest.starts_with(|first: char| first.is_ascii_alphanumeric()) && !rest.contains(".."))
        .then_some(url)
}

/// A filter for one of several ids: `filter[id]=[1|2]`.
pub(crate) fn any_of<'i>(field: &str, ids: impl IntoIterator<Item = &'i u64>) -> String {
    let mut filter = format!("filter[{field}]=[");
    for (index, id) in ids.into_iter().enumerate() {
        let separator = if index == 0 { "" } else { "%7C" };
        let _ = write!(filter, "{separator}{id}");
    }
    filter.push(']');
    filter
}

/// The rows of an answer: a list under the resource's plural, one row under its singular, or a bare `[]` for none.
pub(crate) fn rows(answer: &Fetched) -> Result<Vec<Row>, String> {
    if answer.status != 200 {
        return Err(format!("answered with status {}", answer.status));
    }
    let body: Value = serde_json::from_slice(&answer.body).map_err(|error| {
        format!("the answer is not JSON (line {}, column {})", error.line(), error.column())
    })?;
    let list = match body {
        Value::Array(list) => list,
        Value::Object(fields) if fields.contains_key("errors") => {
            return Err("the webservice answered with errors".to_owned());
        }
        Value::Object(fields) => match fields.into_iter().next() {
            Some((_, Value::Array(list))) => list,
            Some((_, row @ Value::Object(_))) => vec![row],
            None | Some((_, Value::Null)) => Vec::new(),
            Some(_) => return Err("the answer holds no rows".to_owned()),
        },
        _ => return Err("the answer holds no rows".to_owned()),
    };
    Ok(list
        .into_iter()
        .filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None })
        .collect())
}

/// An id within a row; 0 stands for none.
pub(crate) fn id(row: &Row, name: &str) -> Option<u64> {
    let id = match row.get(name)? {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_u64(),
        _ => None,
    };
    id.filter(|id| *id != 0)
}

/// All ids that rows have under some names.
pub(crate) fn ids<'r>(rows: impl IntoIterator<Item = &'r Row>, names: &[&str]) -> BTreeSet<u64> {
    rows.into_iter().flat_map(|row| names.iter().filter_map(|name| id(row, name))).collect()
}

/// A text within a row.
pub(crate) fn text<'r>(row: &'r Row, name: &str) -> Option<&'r str> {
    row.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The rows of an association of a row, such as an order's lines.
pub(crate) fn associated<'r>(row: &'r Row, name: &str) -> impl Iterator<Item = &'r Row> {
    let list = row.get("associations").and_then(|associations| associations.get(name));
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}
