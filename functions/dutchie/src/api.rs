//! Requests to Dutchie's API, one key for each location, and what its answers hold.

use std::time::Duration;

use platform::{ApiRequest, Connection, Fetched};
use serde_json::Value;

/// The documented host.
pub(crate) const API_URL: &str = "https://api.pos.dutchie.com";
/// Keys that one connection can have.
pub(crate) const MAX_LOCATIONS: u32 = 10;
/// What Dutchie is known to take from everybody.
pub(crate) const REQUESTS_PER_MINUTE: u32 = 60;
/// For how long lists that hardly change are kept, and customers that were just asked for.
pub(crate) const KEPT: Duration = Duration::from_hours(1);

/// The name of the secret that is a location's key; locations are counted from 1.
pub(crate) fn secret_of(location: u32) -> String {
    if location == 1 { "api_key".to_owned() } else { format!("api_key_{location}") }
}

/// How many locations a connection has.
pub(crate) fn locations(connection: &Connection) -> u32 {
    whole(connection, "locations").unwrap_or(1).clamp(1, MAX_LOCATIONS)
}

fn whole(connection: &Connection, setting: &str) -> Option<u32> {
    connection.settings.get(setting)?.as_u64()?.try_into().ok()
}

/// Which list of products is asked for; `None` if none is wanted.
pub(crate) fn product_list(connection: &Connection) -> Option<&'static str> {
    match connection.text("products") {
        Some("none") => None,
        Some("all") => Some("reporting/products"),
        _ => Some("products"),
    }
}

/// The API as one location's key sees it.
pub(crate) struct Api<'a> {
    connection: &'a Connection,
    host: &'a str,
    location: u32,
}

impl<'a> Api<'a> {
    /// `None` if the connection's setting is no address.
    pub(crate) fn of(connection: &'a Connection, location: u32) -> Option<Self> {
        let host = connection.text("api_url").unwrap_or(API_URL).trim_end_matches('/');
        let http = host.starts_with("https://") || host.starts_with("http://");
        http.then_some(Self { connection, host, location })
    }

    /// A request for a path with its query.
    pub(crate) fn get(&self, path: &str) -> ApiRequest {
        let user = format!("{{secret:{}}}", secret_of(self.location));
        let password =
            if self.connection.flag("integrator_key", false) { "{secret:integrator_key}" } else { "" };
        let pace = whole(self.connection, "requests_per_minute").unwrap_or(REQUESTS_PER_MINUTE).max(1);
        let request = ApiRequest::get(format!("{}/{path}", self.host));
        request.basic(&user, password).paced(pace, Duration::from_mins(1))
    }

    /// Which location the key belongs to.
    pub(crate) fn whoami(&self) -> ApiRequest {
        self.get("whoami").kept_for(KEPT)
    }

    /// The names of products, if they are wanted.
    pub(crate) fn products(&self) -> Option<ApiRequest> {
        Some(self.get(product_list(self.connection)?).kept_for(KEPT))
    }

    /// One customer: Dutchie cannot be asked for several by their ids.
    pub(crate) fn customer(&self, id: u64) -> ApiRequest {
        self.get(&format!("customer/customers?customerID={id}")).kept_for(KEPT)
    }
}

/// A field of an answer: the documentation writes `camelCase`, some answers have `PascalCase`.
pub(crate) fn field<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| {
        let (first, rest) = name.split_at_checked(1)?;
        object.get(first.to_ascii_uppercase() + rest)
    })
}

/// A field that holds an id: a positive whole number. 0 stands for none.
pub(crate) fn id(object: &Value, name: &str) -> Option<u64> {
    let value = field(object, name)?;
    let id = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    id.filter(|id| *id > 0)
}

/// The records of an answer: a list, or an object that holds one.
pub(crate) fn list(answer: &Fetched) -> Result<Vec<Value>, String> {
    match answer.status {
        204 => return Ok(Vec::new()),
        200..=299 => {}
        status => return Err(format!("the API answered {status}")),
    }
    let body: Value = serde_json::from_slice(&answer.body).map_err(|_| "the answer is not JSON")?;
    let list = match body {
        Value::Array(list) => Some(list),
        Value::Null => Some(Vec::new()),
        Value::Object(object) => object.into_iter().find_map(|(_, value)| match value {
            Value::Array(list) => Some(list),
            _ => None,
        }),
        _ => None,
    };
    list.ok_or_else(|| "the answer is not a list".to_owned())
}

/// The one record of an answer; `None` where there is none.
pub(crate) fn one(answer: &Fetched) -> Option<Value> {
    let body: Value = match answer.status {
        200..=299 => serde_json::from_slice(&answer.body).ok()?,
        _ => return None,
    };
    match body {
        Value::Array(list) => list.into_iter().next(),
        Value::Object(_) => Some(body),
        _ => None,
    }
}
