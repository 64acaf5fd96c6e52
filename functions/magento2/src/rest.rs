//! Requests to Magento's REST interface, and what deliveries lack without them.

use platform::reading::Silence;
use platform::{ApiRequest, Authorization, Connection, Fetched};
use serde_json::{Map, Value};

use crate::record::Record;
use crate::topic::Topic;

/// Fields of modules that the database's row has and the REST resource may lack.
const ONLY_IN_ROWS: [&str; 2] = ["kl_email_consent", "kl_sms_consent"];

/// A shop's REST interface, as far as the settings name one.
pub(crate) struct Api<'a> {
    base_url: &'a str,
    store_code: &'a str,
    bearer: bool,
}

impl<'a> Api<'a> {
    /// `None` without an address, or with one that is no plain `https` address.
    pub(crate) fn of(connection: &'a Connection) -> Option<Self> {
        let store_code = connection.text("store_code").unwrap_or("all");
        let plain = store_code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let base_url = match connection.text("api_url") {
            Some(url) => {
                Some(url.trim_end_matches('/')).filter(|url| is_plain(url, &["https://", "http://"]))
            }
            None => base_url(connection),
        }?;
        plain.then_some(Self { base_url, store_code, bearer: connection.flag("bearer", false) })
    }

    /// A request with the connection's credentials. `path` must need no encoding.
    pub(crate) fn get(&self, path: &str) -> ApiRequest {
        let request = ApiRequest::get(format!("{}/rest/{}/V1/{path}", self.base_url, self.store_code));
        if self.bearer {
            return request.header("authorization", "Bearer {secret:access_token}");
        }
        let authorization = Authorization::OAuth1 {
            consumer_key: "{secret:consumer_key}".to_owned(),
            consumer_secret: "{secret:consumer_secret}".to_owned(),
            token: "{secret:access_token}".to_owned(),
            token_secret: "{secret:access_token_secret}".to_owned(),
        };
        ApiRequest { authorization, ..request }
    }

    /// What a record lacks: an order its lines, a shipment its parcels. Rows of the database hold neither.
    fn lacking(&self, record: &Record) -> Option<ApiRequest> {
        let fields = &record.fields;
        let (path, id) = match record.topic {
            Topic::Order | Topic::OrderPlacement => ("orders", id(fields, &["entity_id", "id"])?),
            Topic::Shipment => ("shipment", id(fields, &["entity_id", "id"])?),
            Topic::Track => ("shipment", id(fields, &["parent_id"])?),
            _ => return None,
        };
        let whole = record.topic != Topic::Track && fields.get("items").is_some_and(Value::is_array);
        (!whole).then(|| self.get(&format!("{path}/{id}")))
    }
}

/// The shop's address without a slash at its end.
pub(crate) fn base_url(connection: &Connection) -> Option<&str> {
    Some(connection.text("base_url")?.trim_end_matches('/')).filter(|url| is_plain(url, &["https://"]))
}

/// An address with one of these schemes, and nothing in it but a host and a path.
fn is_plain(url: &str, schemes: &[&str]) -> bool {
    let Some(rest) = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)) else { return false };
    let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:/".contains(&byte));
    plain && rest.starts_with(|first: char| first.is_ascii_alphanumeric()) && !rest.contains("..")
}

/// An id that goes into an address: digits.
fn id(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| digits(fields.get(*name)?))
}

/// An id of digits, written as text or number.
pub(crate) fn digits(value: &Value) -> Option<String> {
    let id = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!id.is_empty() && id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}

/// Replaces rows by the REST resources that were fetched for them. A resource that is gone leaves the row as it is.
pub(crate) fn complete(
    records: &mut [Option<Record>],
    connection: &Connection,
    fetched: &[Fetched],
) -> Result<(), Silence> {
    let Some(api) = Api::of(connection) else { return Ok(()) };
    let lacking: Vec<_> =
        records.iter().map(|record| record.as_ref().and_then(|record| api.lacking(record))).collect();
    let mut requests: Vec<ApiRequest> = Vec::new();
    for request in lacking.iter().flatten() {
        if !requests.contains(request) {
            requests.push(request.clone());
        }
    }
    if fetched.len() < requests.len() {
        return Err(Silence::Fetch(requests));
    }
    for (record, request) in records.iter_mut().zip(lacking) {
        let place = request.and_then(|request| requests.iter().position(|asked| *asked == request));
        if let (Some(record), Some(place)) = (record, place) {
            replace(record, &fetched[place]);
        }
    }
    Ok(())
}

fn replace(record: &mut Record, answer: &Fetched) {
    if answer.status != 200 {
        return;
    }
    let Ok(Value::Object(mut resource)) = serde_json::from_slice(&answer.body) else { return };
    let wanted = match record.topic {
        Topic::Track => id(&record.fields, &["parent_id"]),
        _ => id(&record.fields, &["entity_id", "id"]),
    };
    if id(&resource, &["entity_id"]) != wanted {
        return;
    }
    for name in ONLY_IN_ROWS {
        if let (false, Some(value)) = (resource.contains_key(name), record.fields.get(name)) {
            resource.insert(name.to_owned(), value.clone());
        }
    }
    if record.topic == Topic::Track {
        record.topic = Topic::Shipment;
    }
    record.fields = resource;
}
