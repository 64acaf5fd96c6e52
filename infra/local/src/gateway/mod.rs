//! API Gateway: the public port. Beside the routes of the template it has Lambda's Invoke API and
//! the counters at `GET /metrics`.

mod event;
mod route;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::lambda::{Functions, InvokeError};
use crate::template::Route;

/// The gateway's limit for a request body.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const BODY_LIMIT_BYTES: usize = 10 * 1024 * 1024;
/// Lambda's limit for the event of a synchronous invocation.
const EVENT_LIMIT_BYTES: usize = 6 * 1024 * 1024;
/// After this time the gateway gives a function up.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Gateway {
    routes: route::Router,
    functions: Functions,
    clock: Clock,
    metrics: PrometheusHandle,
}

impl Gateway {
    pub(crate) fn new(
        routes: Vec<Route>,
        functions: Functions,
        clock: Clock,
        metrics: PrometheusHandle,
    ) -> Self {
        Self { routes: route::Router::new(routes), functions, clock, metrics }
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/2015-03-31/functions/{name}/invocations", post(invoke))
            .route("/metrics", get(metrics))
            .fallback(handle)
            .with_state(Arc::new(self))
    }
}

async fn handle(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Some(found) = gateway.routes.find(parts.method.as_str(), parts.uri.path()) else {
        return event::failure(StatusCode::NOT_FOUND);
    };
    let body = match to_bytes(body, BODY_LIMIT_BYTES).await {
        Ok(body) => body,
        Err(error) if is_too_large(&error) => return event::failure(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => return event::failure(StatusCode::BAD_REQUEST),
    };
    let event = event::event(&parts, &body, peer, &found, (gateway.clock)());
    // The body is what can make the event large: text as it is, the rest in base64.
    if event["body"].as_str().is_some_and(|body| body.len() > EVENT_LIMIT_BYTES) {
        return event::failure(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let invocation = gateway.functions.invoke(found.function, event);
    match tokio::time::timeout(INTEGRATION_TIMEOUT, invocation).await {
        Ok(Ok(value)) => event::response(&value),
        Ok(Err(_)) => event::failure(StatusCode::INTERNAL_SERVER_ERROR),
        Err(_) => event::failure(StatusCode::SERVICE_UNAVAILABLE),
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    // The error says which limit was met only in its text and its hidden source.
    error.to_string().contains("length limit exceeded")
}

async fn metrics(State(gateway): State<Arc<Gateway>>) -> String {
    gateway.metrics.render()
}

/// Lambda's Invoke: `X-Amz-Invocation-Type: Event` does not wait.
async fn invoke(
    State(gateway): State<Arc<Gateway>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    // As an ARN, the name is its last part.
    let name = name.rsplit(':').next().unwrap_or_default().to_owned();
    let event = if body.is_empty() { Ok(json!({})) } else { serde_json::from_slice::<Value>(&body) };
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            let message = json!({"__type": "InvalidRequestContentException", "message": error.to_string()});
            return (StatusCode::BAD_REQUEST, message.to_string()).into_response();
        }
    };
    if gateway.functions.name(&name).is_none() {
        let payload = InvokeError::Unknown(name).payload();
        return (StatusCode::NOT_FOUND, payload.to_string()).into_response();
    }
    if headers.get("x-amz-invocation-type").is_some_and(|kind| kind == "Event") {
        let functions = gateway.functions.clone();
        tokio::spawn(async move { functions.invoke(&name, event).await });
        return StatusCode::ACCEPTED.into_response();
    }
    match gateway.functions.invoke(&name, event).await {
        Ok(value) => value.to_string().into_response(),
        Err(error) => {
            let mut response = error.payload().to_string().into_response();
            let header = HeaderName::from_static("x-amz-function-error");
            response.headers_mut().insert(header, HeaderValue::from_static("Unhandled"));
            response
        }
    }
}
