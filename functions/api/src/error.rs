//! Errors as JSON:API has them, in Klaviyo's words.

use axum::body::Body;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::document::MEDIA_TYPE;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// Stable, for programs.
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    /// For people. Holds no secret and nobody's address.
    pub(crate) detail: String,
    pub(crate) source: Option<Source>,
    pub(crate) meta: Option<Box<Map<String, Value>>>,
    /// What a status takes: the methods that a path knows with 405, when to try again with 429.
    pub(crate) header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// What of the request is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// JSON pointer into the body.
    Pointer(String),
    /// A parameter of the query.
    Parameter(String),
}

/// What handlers return.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let detail = detail.into();
        Self { status, code, title, detail, source: None, meta: None, header: None }
    }

    /// 400 about a place in the body.
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::BAD_REQUEST, "invalid", "Invalid input.", detail);
        Self { source: Some(Source::Pointer(pointer.into())), ..error }
    }

    /// 400 about a parameter of the query.
    pub(crate) fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::BAD_REQUEST, "invalid", "Invalid input.", detail);
        Self { source: Some(Source::Parameter(name.into())), ..error }
    }

    /// 404 for a resource.
    pub(crate) fn not_found(kind: &str, id: &str) -> Self {
        let detail = format!("A {kind} with id {id} does not exist.");
        let error = Self::new(StatusCode::NOT_FOUND, "not_found", "Not found.", detail);
        Self { source: Some(Source::Pointer("/data/".to_owned())), ..error }
    }

    /// 404 where deliveries are looked for that nobody keeps.
    pub(crate) fn nothing_archived() -> Self {
        let detail = "Deliveries are not archived: the stack's parameter ArchiveDays is 0.";
        Self::new(StatusCode::NOT_FOUND, "not_archived", "Not archived.", detail)
    }

    /// 404 for an id that is longer than any.
    pub(crate) fn nothing_so_long() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found.", "No id is as long as this.")
    }

    /// 409: possible, but not as things are.
    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, "Conflict.", detail)
    }

    /// 409 because an identifier names another profile.
    pub(crate) fn duplicate_profile(id: &str) -> Self {
        let detail = "A profile already exists with one of these identifiers.";
        let error = Self::conflict("duplicate_profile", detail);
        let meta = Map::from_iter([("duplicate_profile_id".to_owned(), id.into())]);
        let source = Some(Source::Pointer("/data/attributes".to_owned()));
        Self { source, meta: Some(Box::new(meta)), ..error }
    }

    /// 405: a path has other methods.
    pub(crate) fn method_not_allowed(allowed: &[&str], detail: impl Into<String>) -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let error = Self::new(status, "method_not_allowed", "Method not allowed.", detail);
        let allow = HeaderValue::from_str(&allowed.join(", ")).ok();
        Self { header: allow.map(|allow| Box::new((ALLOW, allow))), ..error }
    }

    /// 429: too often; may succeed in so many seconds.
    pub(crate) fn throttled(retry_after_s: u32) -> Self {
        let detail = format!("Request was throttled. Expected available in {retry_after_s} seconds.");
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled", "Request was throttled.", detail);
        Self { header: Some(Box::new((RETRY_AFTER, retry_after_s.into()))), ..error }
    }

    /// 413.
    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "Payload too large.", detail)
    }

    /// 503: may succeed when tried again.
    pub(crate) fn unavailable(cause: impl std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "a service that the request needs failed");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable",
            "Service unavailable.",
            "The request could not be completed. Try again.",
        )
    }

    /// As a response; `id` names the error in it.
    pub(crate) fn into_response(self, id: &str) -> Response<Body> {
        let mut error = json!({
            "id": id,
            "status": self.status.as_u16(),
            "code": self.code,
            "title": self.title,
            "detail": self.detail,
        });
        error["source"] = match self.source {
            Some(Source::Pointer(pointer)) => json!({"pointer": pointer}),
            Some(Source::Parameter(parameter)) => json!({"parameter": parameter}),
            None => json!({}),
        };
        error["links"] = json!({});
        error["meta"] = self.meta.map(|meta| *meta).unwrap_or_default().into();
        let mut response = Response::new(Body::from(json!({"errors": [error]}).to_string()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some((name, value)) = self.header.map(|header| *header) {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        Self::unavailable(error)
    }
}

impl From<evaluation::Error> for ApiError {
    fn from(error: evaluation::Error) -> Self {
        Self::unavailable(error)
    }
}

impl From<platform::SecretError> for ApiError {
    fn from(error: platform::SecretError) -> Self {
        Self::unavailable(error)
    }
}
