//! JSON:API documents: resources, links, sparse fieldsets, pages.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use canonical::Instant;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};
use store::Page;

use crate::error::ApiResult;
use crate::request::{Asked, encode, invalid_cursor};
use crate::shapes::relationships;

/// The media type of every answer that is a document of JSON:API.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.api+json";
/// The media type of JSON Schemas.
const SCHEMA_MEDIA_TYPE: &str = "application/schema+json";

/// What can be included and is never there: nothing is sent from here, and nobody is written with.
pub(crate) const NOTHINGS: [&str; 3] = ["conversations", "flow-triggers", "push-tokens"];

/// What is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Content,
    media_type: &'static str,
}

#[derive(Debug)]
enum Content {
    Nothing,
    Json(Value),
    /// As it is.
    Raw(&'static [u8]),
}

/// An image of one pixel that cannot be seen.
const PIXEL: &[u8] =
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\
    \x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

impl Answer {
    fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body: Content::Json(body), media_type: MEDIA_TYPE }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::new(StatusCode::OK, body)
    }

    pub(crate) fn created(body: Value) -> Self {
        Self::new(StatusCode::CREATED, body)
    }

    pub(crate) fn accepted(body: Value) -> Self {
        Self::new(StatusCode::ACCEPTED, body)
    }

    /// Without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, body: Content::Nothing, media_type: MEDIA_TYPE }
    }

    /// A JSON Schema as it is, so that validators can be given the address.
    pub(crate) fn schema(schema: Value) -> Self {
        Self { media_type: SCHEMA_MEDIA_TYPE, ..Self::ok(schema) }
    }

    /// A plain text.
    pub(crate) fn text(status: StatusCode, text: &'static str) -> Self {
        Self { status, body: Content::Raw(text.as_bytes()), media_type: "text/plain; charset=utf-8" }
    }

    /// An image that shows nothing.
    pub(crate) fn pixel(status: StatusCode) -> Self {
        Self { status, body: Content::Raw(PIXEL), media_type: "image/gif" }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let body = match self.body {
            Content::Json(body) => Some(Body::from(body.to_string())),
            Content::Raw(bytes) => Some(Body::from(bytes)),
            Content::Nothing => None,
        };
        let has_body = body.is_some();
        let mut response = Response::new(body.unwrap_or_default());
        *response.status_mut() = self.status;
        if !has_body {
            return response;
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        response
    }
}

/// A resource under construction.
pub(crate) struct Resource<'a> {
    asked: &'a Asked,
    kind: &'static str,
    collection: &'static str,
    id: String,
    attributes: Map<String, Value>,
    relationships: Map<String, Value>,
}

impl<'a> Resource<'a> {
    /// A resource of a kind such as `profile`, which lives below a collection such as `profiles`.
    pub(crate) fn new(asked: &'a Asked, kind: &'static str, collection: &'static str, id: &str) -> Self {
        Self { asked, kind, collection, id: id.to_owned(), attributes: Map::new(), relationships: Map::new() }
    }

    pub(crate) fn attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// A relationship whose content is at hand.
    pub(crate) fn related(mut self, name: &'static str, data: Value) -> Self {
        let links = self.links_of(name);
        self.relationships.insert(name.to_owned(), object([("data", data), ("links", links)]));
        self
    }

    /// A relationship whose content is at hand and has no address.
    pub(crate) fn named(mut self, name: &'static str, data: Value) -> Self {
        self.relationships.insert(name.to_owned(), object([("data", data)]));
        self
    }

    /// A relationship that is only linked.
    pub(crate) fn linked(mut self, name: &'static str) -> Self {
        let links = self.links_of(name);
        self.relationships.insert(name.to_owned(), json!({"links": links}));
        self
    }

    /// A relationship whose identifiers cannot be asked for alone.
    pub(crate) fn linked_only_to(mut self, name: &'static str) -> Self {
        let links = json!({"related": self.address(&format!("{name}/"))});
        self.relationships.insert(name.to_owned(), json!({"links": links}));
        self
    }

    pub(crate) fn build(mut self) -> Value {
        let includes = self.asked.include();
        for related in relationships(self.kind) {
            if NOTHINGS.contains(&related.name) && includes.contains(&related.name) {
                self = self.related(related.name, json!([]));
            }
        }
        let attributes = match self.asked.fields(self.kind) {
            Some(fields) => project(&self.attributes, &fields),
            None => self.attributes.clone(),
        };
        let mut resource = json!({"type": self.kind, "id": self.id, "attributes": attributes});
        if !self.relationships.is_empty() {
            resource["relationships"] = self.relationships.clone().into();
        }
        resource["links"] = json!({"self": self.address("")});
        resource
    }

    fn links_of(&self, name: &str) -> Value {
        json!({
            "self": self.address(&format!("relationships/{name}/")),
            "related": self.address(&format!("{name}/")),
        })
    }

    fn address(&self, rest: &str) -> String {
        format!("{}/api/{}/{}/{rest}", self.asked.base, self.collection, encode(&self.id))
    }
}

/// A resource by name alone.
pub(crate) fn identifier(kind: &str, id: &str) -> Value {
    json!({"type": kind, "id": id})
}

/// A document of one resource.
pub(crate) fn single(asked: &Asked, data: Value, included: Option<Vec<Value>>) -> Value {
    document(asked, data, included, json!({"self": asked.self_link()}))
}

/// A document of a page of resources; `next` is the cursor of the next one.
pub(crate) fn collection(
    asked: &Asked,
    data: Vec<Value>,
    next: Option<&str>,
    included: Option<Vec<Value>>,
) -> Value {
    let links = json!({
        "self": asked.self_link(),
        "next": next.map(|cursor| asked.page_link(cursor)),
        "prev": null,
    });
    document(asked, data.into(), included, links)
}

fn document(asked: &Asked, data: Value, included: Option<Vec<Value>>, links: Value) -> Value {
    let included = included.or_else(|| (!asked.include().is_empty()).then(Vec::new));
    let included = included.map(|included| ("included", included.into()));
    object([("data", data)].into_iter().chain(included).chain([("links", links)]))
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}

/// A page of what is all at hand, in the order of a key that is unique. Returns the cursor of the next one. What
/// is added or removed between two pages shifts nothing.
pub(crate) fn page_of<T>(
    asked: &Asked,
    mut all: Vec<T>,
    key: impl Fn(&T) -> String,
    descending: bool,
    size: usize,
) -> ApiResult<(Vec<T>, Option<String>)> {
    let after = match asked.cursor_text() {
        Some(cursor) => {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
            Some(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid_cursor)?)
        }
        None => None,
    };
    all.sort_by(|a, b| if descending { key(b).cmp(&key(a)) } else { key(a).cmp(&key(b)) });
    if let Some(after) = after {
        all.retain(|item| if descending { key(item) < after } else { key(item) > after });
    }
    let more = all.len() > size;
    all.truncate(size);
    let next = all.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(key(last)));
    Ok((all, next))
}

/// Pages of a listing that is filtered afterwards, one after the other until enough is found. After `rounds` the
/// rest is left to the next request.
pub(crate) async fn fill_page<T, F>(
    cursor: Option<store::Cursor>,
    size: usize,
    rounds: usize,
    mut read: impl FnMut(Option<store::Cursor>, usize) -> F,
) -> ApiResult<Page<T>>
where
    F: Future<Output = ApiResult<Page<T>>>,
{
    let mut page = Page { items: Vec::new(), next: cursor };
    for _ in 0..rounds {
        let more = read(page.next.take(), size - page.items.len()).await?;
        page.items.extend(more.items);
        page.next = more.next;
        if page.next.is_none() || page.items.len() >= size {
            break;
        }
    }
    Ok(page)
}

/// `2026-01-02T03:04:05+00:00`, with microseconds if there are any.
pub(crate) fn time(instant: Instant) -> Value {
    let written = instant.timestamp().strftime("%Y-%m-%dT%H:%M:%S").to_string();
    match instant.as_millis().rem_euclid(1000) {
        0 => format!("{written}+00:00"),
        millis => format!("{written}.{millis:03}000+00:00"),
    }
    .into()
}

/// The named fields, each of which may be a path into an object, such as `location.city`.
fn project(attributes: &Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    let mut projected = Map::new();
    for field in fields {
        copy(attributes, &mut projected, field);
    }
    projected
}

fn copy(from: &Map<String, Value>, to: &mut Map<String, Value>, path: &str) {
    if let Some(value) = from.get(path) {
        to.insert(path.to_owned(), value.clone());
    } else if let Some((head, rest)) = path.split_once('.')
        && let Some(Value::Object(inner)) = from.get(head)
        && let Value::Object(target) = to.entry(head).or_insert_with(|| Map::new().into())
    {
        copy(inner, target, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_fields_reach_into_objects() {
        let attributes = json!({
            "email": "a@example.com",
            "location": {"city": "Lyon", "zip": "69001"},
            "properties": {"a.b": 1, "c": {"d": 2, "e": 3}},
        });
        let Value::Object(attributes) = attributes else { unreachable!() };
        let fields = ["location.city", "properties.a.b", "properties.c.d", "properties.none", "none"];
        assert_eq!(
            Value::from(project(&attributes, &fields)),
            json!({"location": {"city": "Lyon"}, "properties": {"a.b": 1, "c": {"d": 2}}})
        );
    }

    #[test]
    fn times_are_written_as_klaviyo_writes_them() {
        let written = |text: &str| time(text.parse().unwrap());
        assert_eq!(written("2026-01-02T03:04:05+02:00"), "2026-01-02T01:04:05+00:00");
        assert_eq!(written("2026-01-02T03:04:05.07Z"), "2026-01-02T03:04:05.070000+00:00");
    }
}
