//! `track` and `identify`, as Klaviyo had them before it had an API of resources: the account's public token within the
//! data, `1` or `0` in answer.
//!
//! What was sent is turned into the bodies of today and read by the same rules, with two exceptions for clients that
//! nobody changes any more: an identifier that cannot be one, and a value that is no number, stay as properties.

mod payload;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::Api;
use crate::body::{self, Fields};
use crate::client::MAX_BODY_BYTES;
use crate::document::Answer;
use crate::error::{ApiError, ApiResult};
use crate::event_body::read_event;
use crate::operation::{Operation, Tier};
use crate::ports::Queue;
use crate::request::Asked;
use crate::shapes;
use payload::Sent;

/// An event with this property happens once to a profile.
const ONCE: &str = "__track_once__";
const CURRENCY: [&str; 3] = ["$value_currency", "$currency_code", "$currency"];

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("legacy_track", "/api/track", &[])
        .open()
        .limited(Tier::ExtraLarge)
        .parameters(&["data", "test", "i"])
        .gives_text::<shapes::LegacyAnswer>(200)
        .by(|call| Box::pin(call.api.legacy(Call::Track, call.asked, call.body))),
    Operation::post("legacy_track_post", "/api/track", &[])
        .open()
        .limited(Tier::ExtraLarge)
        .parameters(&["data", "test", "i"])
        .gives_text::<shapes::LegacyAnswer>(200)
        .by(|call| Box::pin(call.api.legacy(Call::Track, call.asked, call.body))),
    Operation::get("legacy_identify", "/api/identify", &[])
        .open()
        .limited(Tier::ExtraLarge)
        .parameters(&["data", "test", "i"])
        .gives_text::<shapes::LegacyAnswer>(200)
        .by(|call| Box::pin(call.api.legacy(Call::Identify, call.asked, call.body))),
    Operation::post("legacy_identify_post", "/api/identify", &[])
        .open()
        .limited(Tier::ExtraLarge)
        .parameters(&["data", "test", "i"])
        .gives_text::<shapes::LegacyAnswer>(200)
        .by(|call| Box::pin(call.api.legacy(Call::Identify, call.asked, call.body))),
];

/// Which of the two.
#[derive(Clone, Copy)]
pub(crate) enum Call {
    Track,
    Identify,
}

impl Api {
    /// `GET` and `POST` of `/api/track` and `/api/identify`.
    pub(crate) async fn legacy(&self, call: Call, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        if bytes.len() > MAX_BODY_BYTES {
            return Ok(Answer::text(StatusCode::PAYLOAD_TOO_LARGE, "0"));
        }
        let sent = Sent::of(asked, bytes);
        let outcome = match &sent.payload {
            Some(payload) => self.take_legacy(call, payload, sent.is_test).await,
            None => Err(ApiError::invalid("/", "There is no data that can be read.")),
        };
        let status = match &outcome {
            // Worth another try.
            Err(error) if error.status.is_server_error() => error.status,
            _ => StatusCode::OK,
        };
        Ok(match (sent.wants_pixel, outcome) {
            (true, _) => Answer::pixel(status),
            (false, Ok(())) => Answer::text(status, "1"),
            (false, Err(_)) => Answer::text(status, "0"),
        })
    }

    async fn take_legacy(&self, call: Call, payload: &Map<String, Value>, is_test: bool) -> ApiResult<()> {
        let token = payload.get("token").and_then(Value::as_str).unwrap_or_default();
        if !self.is_company(token) {
            return Err(ApiError::invalid("/token", "There is no account with this token."));
        }
        match call {
            Call::Track => {
                let now = self.now();
                let attributes = event_attributes(payload)?;
                let mut event = read_event(&Fields { map: &attributes, pointer: String::new() }, now)?;
                event.public = true;
                let message = self.event_message(&event, now)?;
                if !is_test {
                    self.outbox.send(Queue::RawDeliveries, message).await.map_err(ApiError::unavailable)?;
                }
            }
            Call::Identify => {
                let profile = payload::profile(object(payload, "properties")?, payload.get("ip"));
                let input = body::profile(&Fields { map: &profile, pointer: String::new() })?;
                if !input.identifies() {
                    return Err(ApiError::invalid("/properties", "An identifier is required."));
                }
                if !is_test {
                    self.put_visitor(input).await?;
                }
            }
        }
        Ok(())
    }
}

/// An object that may be absent.
fn object<'a>(payload: &'a Map<String, Value>, name: &str) -> ApiResult<Option<&'a Map<String, Value>>> {
    match payload.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(ApiError::invalid(format!("/{name}"), "An object is expected.")),
    }
}

/// The attributes of an event, as `POST /api/events` takes them.
fn event_attributes(payload: &Map<String, Value>) -> ApiResult<Map<String, Value>> {
    let mut properties = object(payload, "properties")?.cloned().unwrap_or_default();
    let mut attributes = Map::new();
    let once = properties.remove(ONCE).is_some_and(|once| once == true || once == 1);
    let event_id = properties.remove("$event_id").as_ref().and_then(payload::text);
    let unique_id = if once { Some(ONCE.to_owned()) } else { event_id };
    if let Some(unique_id) = unique_id {
        attributes.insert("unique_id".to_owned(), unique_id.into());
    }
    if let Some(amount) = properties.get("$value").and_then(payload::amount) {
        attributes.insert("value".to_owned(), amount);
        properties.remove("$value");
        let name = CURRENCY.into_iter().find(|name| payload::is_currency(properties.get(*name)));
        if let Some(currency) = name.and_then(|name| properties.remove(name)) {
            attributes.insert("value_currency".to_owned(), currency);
        }
    }
    if let Some(time) = payload.get("time").filter(|time| !time.is_null()) {
        attributes.insert("time".to_owned(), payload::time(time));
    }
    attributes.insert("properties".to_owned(), properties.into());
    let metric = json!({"data": {"type": "metric", "attributes": {"name": payload.get("event")}}});
    attributes.insert("metric".to_owned(), metric);
    let profile = payload::profile(object(payload, "customer_properties")?, payload.get("ip"));
    attributes.insert("profile".to_owned(), json!({"data": profile}));
    Ok(attributes)
}
