//! The JSON protocol that SQS and Parameter Store share: `POST /` with the operation in
//! `X-Amz-Target`, a JSON object in, a JSON object or a typed error out.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

/// The largest request body accepted: a full SQS batch with every character escaped.
pub(crate) const BODY_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// A service behind the JSON protocol.
pub(crate) trait JsonService: Send + Sync + 'static {
    /// What comes before the operation in `X-Amz-Target`, without the dot.
    const TARGET: &'static str;
    /// `application/x-amz-json-1.0` or `-1.1`.
    const CONTENT_TYPE: &'static str;
    /// The name under which its requests are counted.
    const NAME: &'static str;

    /// Answers one operation.
    fn call<'a>(&'a self, operation: &'a str, input: Value) -> BoxFuture<'a, Result<Value, ApiError>>;
}

/// An error as the SDK clients read it.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// The error's shape, for instance `com.amazonaws.sqs#QueueDoesNotExist`.
    pub(crate) kind: String,
    /// The code of the older query protocol, where clients still expect it.
    pub(crate) query_code: Option<String>,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn invalid(kind: &str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: kind.to_owned(),
            query_code: None,
            message: message.into(),
        }
    }

    pub(crate) fn unknown_operation(operation: &str) -> Self {
        Self::invalid("UnknownOperationException", format!("the operation {operation} is not emulated"))
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "InternalServerError".to_owned(),
            query_code: None,
            message: message.into(),
        }
    }
}

/// Reads an operation's input.
pub(crate) fn input<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_json::from_value(value)
        .map_err(|error| ApiError::invalid("SerializationException", error.to_string()))
}

/// The HTTP face of a service.
pub(crate) fn router<S: JsonService>(service: Arc<S>) -> Router {
    Router::new()
        .route("/", post(handle::<S>))
        // Old clients post to the queue's own path.
        .route("/{account}/{name}", post(handle::<S>))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(service)
}

async fn handle<S: JsonService>(State(service): State<Arc<S>>, headers: HeaderMap, body: Bytes) -> Response {
    let result = dispatch(&*service, &headers, &body).await;
    let (status, query_code, body) = match result {
        Ok(value) => (StatusCode::OK, None, value),
        Err(error) => {
            (error.status, error.query_code, json!({"__type": error.kind, "message": error.message}))
        }
    };
    let fault = if status.is_server_error() { "Receiver" } else { "Sender" };
    let mut response = (
        status,
        [
            (header::CONTENT_TYPE, S::CONTENT_TYPE.to_owned()),
            (HeaderName::from_static("x-amzn-requestid"), Uuid::new_v4().to_string()),
        ],
        body.to_string(),
    )
        .into_response();
    if let Some(value) = query_code.and_then(|code| format!("{code};{fault}").parse().ok()) {
        response.headers_mut().insert(HeaderName::from_static("x-amzn-query-error"), value);
    }
    response
}

async fn dispatch<S: JsonService>(service: &S, headers: &HeaderMap, body: &[u8]) -> Result<Value, ApiError> {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target
        .strip_prefix(S::TARGET)
        .and_then(|rest| rest.strip_prefix('.'))
        .ok_or_else(|| ApiError::unknown_operation(target))?;
    let value = if body.is_empty() { Ok(json!({})) } else { serde_json::from_slice(body) };
    let value = value.map_err(|error| ApiError::invalid("SerializationException", error.to_string()))?;
    let result = service.call(operation, value).await;
    let outcome = if result.is_ok() { "ok" } else { "error" };
    metrics::counter!(
        "aws_requests_total", "service" => S::NAME, "operation" => operation.to_owned(), "outcome" => outcome
    )
    .increment(1);
    result
}
