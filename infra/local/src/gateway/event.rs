//! A request as the event of payload format 2.0, and the function's response as an HTTP response.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, request::Parts};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::route::{Match, decode};
use crate::ACCOUNT_ID;

/// The event for a request.
pub(super) fn event(
    parts: &Parts,
    body: &Bytes,
    peer: SocketAddr,
    found: &Match<'_>,
    now: Timestamp,
) -> Value {
    let headers = headers(&parts.headers, peer);
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let text = |name: HeaderName| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": found.route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.split('.').next().unwrap_or_default(),
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", parts.version),
                "sourceIp": peer.ip().to_string(),
                "userAgent": text(header::USER_AGENT),
            },
            "requestId": Uuid::new_v4().to_string(),
            "routeKey": found.route_key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.as_millisecond(),
        },
        "isBase64Encoded": false,
    });
    let cookies: Vec<_> = parts
        .headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split("; "))
        .collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = Value::Object(query_parameters(query));
    }
    if !found.parameters.is_empty() {
        event["pathParameters"] = json!(found.parameters);
    }
    if !body.is_empty() {
        let readable = std::str::from_utf8(body).ok().filter(|_| is_text(&text(header::CONTENT_TYPE)));
        event["isBase64Encoded"] = json!(readable.is_none());
        event["body"] = json!(readable.map_or_else(|| STANDARD.encode(body), str::to_owned));
    }
    event
}

/// Names in lower case, several values joined by commas, cookies in a field of their own.
fn headers(headers: &HeaderMap, peer: SocketAddr) -> Map<String, Value> {
    let mut map = Map::new();
    for name in headers.keys().filter(|name| *name != header::COOKIE) {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        map.insert(name.as_str().to_owned(), json!(values.collect::<Vec<_>>().join(",")));
    }
    map.insert("x-forwarded-for".to_owned(), json!(peer.ip().to_string()));
    map.insert("x-forwarded-proto".to_owned(), json!("http"));
    map
}

fn query_parameters(query: &str) -> Map<String, Value> {
    let mut parameters: Map<String, Value> = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain = |text: &str| decode(&text.replace('+', " "));
        let (name, value) = (plain(name), plain(value));
        match parameters.get_mut(&name) {
            Some(Value::String(values)) => {
                values.push(',');
                values.push_str(&value);
            }
            _ => {
                parameters.insert(name, Value::String(value));
            }
        }
    }
    parameters
}

/// The gateway passes text on as it is and everything else in base64.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(kind.as_str(), "application/json" | "application/xml" | "application/javascript")
}

/// The HTTP response a function's response means. One without a status code is the body of a 200.
pub(super) fn response(value: &Value) -> Response<Body> {
    let Some(status) = value.get("statusCode") else {
        let body = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return build(StatusCode::OK, body.into_bytes(), |headers| {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        });
    };
    let status = status.as_u64().and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
    let Some(status) = status else { return failure(StatusCode::INTERNAL_SERVER_ERROR) };
    let body = value["body"].as_str().unwrap_or_default();
    let body = if value["isBase64Encoded"] == true {
        STANDARD.decode(body).ok()
    } else {
        Some(body.as_bytes().to_vec())
    };
    let Some(body) = body else { return failure(StatusCode::INTERNAL_SERVER_ERROR) };
    build(status, body, |headers| {
        let many = value["multiValueHeaders"].as_object().into_iter().flatten();
        let one = value["headers"].as_object().into_iter().flatten();
        for (name, value) in one.chain(many) {
            let Ok(name) = HeaderName::try_from(name.as_str()) else { continue };
            // The body's length is set from the body.
            if name == header::CONTENT_LENGTH || name == header::TRANSFER_ENCODING {
                continue;
            }
            headers.remove(&name);
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                headers.extend(HeaderValue::try_from(text).ok().map(|value| (name.clone(), value)));
            }
        }
        for cookie in value["cookies"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            headers.extend(HeaderValue::try_from(cookie).ok().map(|value| (header::SET_COOKIE, value)));
        }
        if !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
        }
    })
}

/// The gateway's own answer to what it cannot pass on.
pub(super) fn failure(status: StatusCode) -> Response<Body> {
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        _ => status.canonical_reason().unwrap_or("Error"),
    };
    build(status, json!({"message": message}).to_string().into_bytes(), |headers| {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    })
}

fn build(status: StatusCode, body: Vec<u8>, headers: impl FnOnce(&mut HeaderMap)) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    headers(response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use axum::http::Request;

    use super::*;

    fn of(request: Request<()>, body: &'static [u8]) -> Value {
        let (parts, ()) = request.into_parts();
        let found = Match {
            function: "ReceiverFunction",
            route_key: "POST /hooks/{shop}".to_owned(),
            parameters: BTreeMap::from([("shop".to_owned(), "corner".to_owned())]),
        };
        let now: Timestamp = "2026-03-12T19:03:58Z".parse().unwrap();
        event(&parts, &Bytes::from_static(body), "127.0.0.1:5".parse().unwrap(), &found, now)
    }

    #[test]
    fn an_event_has_the_shape_of_payload_format_2() {
        let request = Request::post("/hooks/corner?tag=a&tag=b%20c&flag")
            .header("Host", "shop.example.com:8080")
            .header("Content-Type", "application/json; charset=utf-8")
            .header("User-Agent", "store/1.0")
            .header("X-Topic", "orders/create")
            .header("X-Topic", "again")
            .header("Cookie", "a=1; b=2")
            .body(())
            .unwrap();
        let mut event = of(request, b"{\"id\":1}");
        assert!(event["requestContext"]["requestId"].is_string());
        event["requestContext"]["requestId"] = json!("r");
        assert_eq!(
            event,
            json!({
                "version": "2.0",
                "routeKey": "POST /hooks/{shop}",
                "rawPath": "/hooks/corner",
                "rawQueryString": "tag=a&tag=b%20c&flag",
                "cookies": ["a=1", "b=2"],
                "headers": {
                    "host": "shop.example.com:8080",
                    "content-type": "application/json; charset=utf-8",
                    "user-agent": "store/1.0",
                    "x-topic": "orders/create,again",
                    "x-forwarded-for": "127.0.0.1",
                    "x-forwarded-proto": "http",
                },
                "queryStringParameters": {"tag": "a,b c", "flag": ""},
                "pathParameters": {"shop": "corner"},
                "requestContext": {
                    "accountId": "000000000000",
                    "apiId": "local",
                    "domainName": "shop.example.com",
                    "domainPrefix": "shop",
                    "http": {
                        "method": "POST",
                        "path": "/hooks/corner",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "127.0.0.1",
                        "userAgent": "store/1.0",
                    },
                    "requestId": "r",
                    "routeKey": "POST /hooks/{shop}",
                    "stage": "$default",
                    "time": "12/Mar/2026:19:03:58 +0000",
                    "timeEpoch": 1_773_342_238_000_i64,
                },
                "body": "{\"id\":1}",
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn what_is_not_text_is_base64() {
        for (content_type, body, expected) in [
            ("application/octet-stream", &b"\xff\x00"[..], "/wA="),
            ("application/x-www-form-urlencoded", b"a=1", "YT0x"),
            ("application/json", b"\xff", "/w=="),
        ] {
            let request = Request::post("/").header("Content-Type", content_type).body(()).unwrap();
            let event = of(request, body);
            assert_eq!(event["body"], expected, "{content_type}");
            assert_eq!(event["isBase64Encoded"], true, "{content_type}");
        }
    }

    #[tokio::test]
    async fn a_response_becomes_status_headers_cookies_and_body() {
        let answer = response(&json!({
            "statusCode": 202,
            "headers": {"x-one": "1", "Content-Type": "application/vnd.api+json"},
            "multiValueHeaders": {"x-two": ["a", "b"]},
            "cookies": ["k=v; Secure"],
            "body": "/wA=",
            "isBase64Encoded": true,
        }));
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let all = |name: &str| -> Vec<_> {
            answer.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(all("x-two"), ["a", "b"]);
        assert_eq!(all("set-cookie"), ["k=v; Secure"]);
        assert_eq!(all("content-type"), ["application/vnd.api+json"]);
        let body = axum::body::to_bytes(answer.into_body(), 100).await.unwrap();
        assert_eq!(&body[..], b"\xff\x00");
        assert_eq!(response(&json!({"ok": true})).status(), StatusCode::OK);
        assert_eq!(response(&json!({"statusCode": "teapot"})).status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
