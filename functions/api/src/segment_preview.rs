//! A segment that is not stored: how many would belong to it, and who for example.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use canonical::hash;
use evaluation::Preview;
use serde_json::{Value, json};

use crate::Api;
use crate::body::{self, Node};
use crate::document::{Answer, single};
use crate::error::ApiResult;
use crate::operation::{Operation, Tier};
use crate::request::Asked;
use crate::segments::read_definition;
use crate::shapes;

/// How long profiles are looked at while the request waits, in milliseconds.
const LOOK_MS: i64 = 18_000;

pub(crate) static OPERATIONS: &[Operation] =
    &[Operation::post("preview_segment", "/api/segments/preview", &["profiles:read", "segments:read"])
        .limited(Tier::Medium)
        .takes::<shapes::NewPreview>("segment-preview")
        .gives_one::<shapes::Preview>(200, "segment-preview")
        .or(202)
        .by(|call| Box::pin(call.api.preview_segment(call.asked, call.body)))];

impl Api {
    /// `POST /api/segments/preview`.
    pub(crate) async fn preview_segment(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let until_ms = self.clock.now_ms() + LOOK_MS;
        let body = body::parse(bytes)?;
        let data = body::data(&body, "segment-preview")?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["definition", "continue"])?;
        let node = attributes.required("definition")?;
        let definition = read_definition(&node)?;
        let begun = match attributes.optional("continue") {
            Some(token) => decode(&token, node.value)?,
            None => Preview::default(),
        };
        let segments = self.store.segments().await?;
        self.check_references(Preview::ID, &definition, &segments, &node.pointer).await?;
        let preview = self.evaluator.preview(node.value, begun, until_ms).await?;
        let is_complete = preview.is_complete();
        let data = json!({
            "type": "segment-preview",
            "id": hash::long_id(&["segment preview", &node.value.to_string()]),
            "attributes": {
                "is_complete": is_complete,
                "count": preview.count,
                "sample": &preview.sample,
                "profiles_seen": preview.seen,
                "continue": (!is_complete).then(|| encode(&preview, node.value)),
            },
        });
        let document = single(asked, data, None);
        Ok(if is_complete { Answer::ok(document) } else { Answer::accepted(document) })
    }
}

/// All that is needed to go on, for the client to keep. Whoever alters it deceives nobody but himself: it holds what
/// was counted and where, and decides on nothing else.
fn encode(preview: &Preview, definition: &Value) -> String {
    let content = serde_json::to_string(preview).unwrap_or_default();
    format!("{}.{}", URL_SAFE_NO_PAD.encode(&content), check(&content, definition))
}

fn decode(token: &Node<'_>, definition: &Value) -> ApiResult<Preview> {
    let read = |text: &str| {
        let (content, given) = text.split_once('.')?;
        let content = String::from_utf8(URL_SAFE_NO_PAD.decode(content).ok()?).ok()?;
        let preview: Preview = serde_json::from_str(&content).ok()?;
        (given == check(&content, definition) && preview.is_valid()).then_some(preview)
    };
    read(token.text()?).ok_or_else(|| token.invalid("This is not what was given out for this definition."))
}

/// Guards against mistakes: another definition, a token that was cut off.
fn check(content: &str, definition: &Value) -> String {
    hash::long_id(&["segment preview", content, &definition.to_string()])
}
