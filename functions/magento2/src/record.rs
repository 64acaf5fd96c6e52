//! Deliveries as records: an event of Adobe I/O wraps one, a batch several, a webhook and a module wrap one in their own ways.

use canonical::Instant;
use platform::lenient::{BodyError, Field, Id, Lenient, Moment, Object};
use platform::reading::Silence;
use platform::{Delivery, Headers};
use serde::de::{DeserializeOwned, SeqAccess};
use serde_json::{Map, Value};

use crate::payload::{CloudEvent, EventData};
use crate::topic::{BATCH, COMMERCE, Topic};

/// The header that repeats a single event's type.
pub(crate) const EVENT_CODE: &str = "x-adobe-event-code";
/// Wrappers to look through: more are no wrappers.
const MAX_DEPTH: usize = 3;

/// One record of a delivery.
pub(crate) struct Record {
    pub(crate) topic: Topic,
    pub(crate) fields: Map<String, Value>,
    /// When the event was sent, where its envelope says.
    pub(crate) sent_at: Option<Instant>,
}

impl Record {
    /// The record's fields as a struct.
    pub(crate) fn read<T: DeserializeOwned>(&mut self) -> Result<T, Silence> {
        let fields = Value::Object(std::mem::take(&mut self.fields));
        T::deserialize(fields).map_err(|_| Silence::Malformed("the record cannot be read".to_owned()))
    }
}

/// One event, or several.
pub(crate) enum Events {
    One(Box<CloudEvent>),
    /// Elements that are no objects are bad.
    Batch(Vec<Field<Object<CloudEvent>>>),
}

impl<'de> Lenient<'de> for Events {
    fn from_object<A: serde::de::MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        Ok(Object::from_object(object)?.map(|Object(event)| Self::One(Box::new(event))))
    }

    fn from_array<A: SeqAccess<'de>>(array: A) -> Result<Option<Self>, A::Error> {
        Ok(Vec::from_array(array)?.map(Self::Batch))
    }
}

impl Events {
    /// Reads the body of a delivery of Adobe I/O Events.
    pub(crate) fn read(body: &[u8]) -> Result<Self, BodyError> {
        match serde_json::from_slice(body) {
            Ok(Field::Is(events)) => Ok(events),
            Ok(Field::Absent | Field::Bad) => Err(BodyError::NotAnObject),
            Err(error) => Err(BodyError::Syntax { line: error.line(), column: error.column() }),
        }
    }
}

impl CloudEvent {
    /// Its id, by which repetitions are known.
    pub(crate) fn id(&self) -> Option<&str> {
        let named = [&self.id, &self.eventid, &self.event_id];
        named.into_iter().find_map(|id| if let Field::Is(Id(id)) = id { Some(id.as_str()) } else { None })
    }

    /// Whom Adobe has sent it to.
    pub(crate) fn recipient(&self) -> Option<&str> {
        text(&self.recipientclientid).or_else(|| text(&self.recipient_client_id))
    }

    /// Its type.
    pub(crate) fn code<'a>(&'a self, headers: &'a Headers) -> Option<&'a str> {
        text(&self.kind).or_else(|| headers.get(EVENT_CODE))
    }
}

fn text(field: &Field<String>) -> Option<&str> {
    if let Field::Is(text) = field { Some(text) } else { None }
}

/// The records of a delivery. Those of a batch that cannot be read are `None`.
pub(crate) fn records(delivery: &Delivery) -> Result<Vec<Option<Record>>, Silence> {
    if !delivery.topic.starts_with(COMMERCE) {
        let topic = known(Some(&delivery.topic))?;
        let fields = platform::lenient::object(&delivery.body)?;
        return Ok(vec![Some(Record { topic, fields: unwrapped(topic, fields), sent_at: None })]);
    }
    match Events::read(&delivery.body)? {
        Events::One(event) => {
            let topic = known(event.code(&delivery.headers))?;
            let record = record(topic, *event);
            let record = record.ok_or_else(|| Silence::Malformed("the event has no data".to_owned()))?;
            Ok(vec![Some(record)])
        }
        Events::Batch(events) => Ok(events
            .into_iter()
            .filter_map(|event| match event.ok() {
                // An event of another kind is nothing bad.
                Some(Object(event)) => Some(record(known(text(&event.kind)).ok()?, event)),
                None => Some(None),
            })
            .collect()),
    }
}

fn known(name: Option<&str>) -> Result<Topic, Silence> {
    match name.and_then(Topic::parse) {
        Some(Topic::Nothing(reason)) => Err(Silence::Ignore(reason)),
        Some(topic) => Ok(topic),
        None => Err(Silence::Ignore("unknown_topic")),
    }
}

fn record(topic: Topic, event: CloudEvent) -> Option<Record> {
    let sent_at = event.time.ok().and_then(Moment::in_utc);
    let wrapped = || event.event.ok().and_then(|Object(event)| event.data.ok());
    let Object(EventData { value }) = event.data.ok().or_else(wrapped)?;
    let Object(fields) = value.ok()?;
    Some(Record { topic, fields: unwrapped(topic, fields), sent_at })
}

/// The record itself: an order comes as `{"order": {…}, "quote": {…}}` from some events, as `{"eventName": …, "data":
/// {"order": {…}}}` from webhooks, as `{"item": {…}}` from templates.
fn unwrapped(topic: Topic, mut fields: Map<String, Value>) -> Map<String, Value> {
    const IDS: [&str; 5] = ["entity_id", "id", "subscriber_id", "product_id", "QuoteId"];
    const WRAPPERS: [&str; 3] = ["item", "data_object", "data"];
    for _ in 0..MAX_DEPTH {
        if IDS.iter().any(|id| fields.contains_key(*id)) {
            break;
        }
        let inner =
            std::iter::once(topic.noun()).chain(WRAPPERS).find_map(|name| match fields.get_mut(name) {
                Some(Value::Object(inner)) => Some(std::mem::take(inner)),
                _ => None,
            });
        match inner {
            Some(inner) => fields = inner,
            None => break,
        }
    }
    fields
}

/// The topic of a delivery of Adobe I/O Events.
pub(crate) fn delivery_topic(events: &Events, headers: &Headers) -> Option<String> {
    match events {
        Events::One(event) => event.code(headers).map(str::to_owned),
        Events::Batch(_) => Some(BATCH.to_owned()),
    }
}
