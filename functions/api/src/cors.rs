//! Pages of other origins: which addresses they may use, and what they are told about it.
//!
//! What is open needs no key and no cookie, so that every origin may use it.

use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

/// What a page learns before it sends.
const ALLOWED: [(HeaderName, &str); 3] = [
    (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
    (ACCESS_CONTROL_ALLOW_HEADERS, "revision, content-type"),
    // Chromium's greatest: two hours.
    (ACCESS_CONTROL_MAX_AGE, "7200"),
];

/// Whether pages of other origins may use an address.
pub(crate) fn is_open(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    match (parts.next(), parts.next()) {
        (Some("client"), _) => true,
        (Some("api"), Some("track" | "identify")) => parts.next().is_none(),
        _ => false,
    }
}

/// The answer to a browser that asks whether a page may send, if that is what is asked.
pub(crate) fn preflight<B>(request: &Request<B>) -> Option<Response<Body>> {
    if request.method() != Method::OPTIONS || !is_open(request.uri().path()) {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    for (name, value) in ALLOWED {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    open(&mut response);
    Some(response)
}

/// Lets every page read an answer.
pub(crate) fn open(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = "ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after";
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_no_key_is_open() {
        for path in ["/client/events", "//client/profiles/", "/api/track", "/api/identify/"] {
            assert!(is_open(path), "{path}");
        }
        for path in ["/", "/api/events", "/api/track/x", "/api/client/events", "/webhooks/client"] {
            assert!(!is_open(path), "{path}");
        }
    }
}
