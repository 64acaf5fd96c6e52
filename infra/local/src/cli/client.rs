//! The way to the API.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode, Url};
use runtime::Config;
use serde_json::Value;

use super::{Failure, Remote, secret};
use crate::functions::LOCAL_KEY;

const LOCAL_URL: &str = "http://127.0.0.1:8080";
/// Longer than any answer takes: the gateway gives up after 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(35);
/// How often something is tried that may work the next time, and how long is waited after the first time.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(250);
pub(super) const JSON: &str = "application/vnd.api+json";

pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Client {
    pub(super) fn new(remote: &Remote) -> Result<Self, Failure> {
        let environment = Config::from_env();
        let from_environment = |name: &str| environment.optional(name);
        let url = remote.url.clone().or_else(|| from_environment("TILLSTREAM_URL"));
        let url = url.unwrap_or_else(|| LOCAL_URL.to_owned());
        let parsed: Url = url.parse().map_err(|_| Failure::Usage(format!("{url} is no address")))?;
        let is_local = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let key = match remote.key.clone().or_else(|| from_environment("TILLSTREAM_API_KEY")) {
            Some(key) => secret::read(&key)?.unwrap_or(key),
            None if is_local => LOCAL_KEY.to_owned(),
            None => {
                let detail = "an API key is needed: TILLSTREAM_API_KEY or --key";
                return Err(Failure::Usage(detail.to_owned()));
            }
        };
        // The key goes where it was sent, not where an answer points.
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(Policy::none());
        let http = if parsed.scheme() == "http" { http.tls_certs_only([]) } else { http };
        let http = if is_local { http.no_proxy() } else { http };
        let http = http.build().context("no HTTP client")?;
        Ok(Self { http, base: url.trim_end_matches('/').to_owned(), key })
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.patiently(Method::GET, path, "", Vec::new()).await
    }

    /// Sends a document once.
    pub(super) async fn send(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.once(&method, path, JSON, body.to_string().into_bytes()).await.map_err(|failed| failed.error)
    }

    /// Sends what may be sent twice, until it is taken.
    pub(super) async fn upload(&self, path: &str, media_type: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        self.patiently(Method::POST, path, media_type, body).await
    }

    /// All resources of a listing, page after page.
    pub(super) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut path = path.to_owned();
        let mut all = Vec::new();
        loop {
            let mut page = self.get(&path).await?;
            if let Value::Array(resources) = page["data"].take() {
                all.extend(resources);
            }
            // The rest of the address is how the server sees itself.
            let next = page["links"]["next"].as_str().and_then(|next| Some(&next[next.find("/api/")?..]));
            let Some(next) = next else { return Ok(all) };
            next.clone_into(&mut path);
        }
    }

    /// The id of a profile, which may be named by its e-mail address.
    pub(super) async fn profile_id(&self, named: String) -> Result<String, Failure> {
        if !named.contains('@') {
            return Ok(named);
        }
        if named.contains(['\'', '"', '\\']) {
            return Err(Failure::Usage("that is no e-mail address".to_owned()));
        }
        let filter = encode(&format!("equals(email,'{named}')"));
        let found = self.list(&format!("/api/profiles?filter={filter}")).await?;
        let id = found.first().and_then(|profile| profile["id"].as_str()).map(str::to_owned);
        Ok(id.ok_or_else(|| anyhow!("nobody has this address"))?)
    }

    async fn patiently(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<Value> {
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS {
            match self.once(&method, path, media_type, body.clone()).await {
                Err(failed) if failed.may_pass => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                outcome => return outcome.map_err(|failed| failed.error),
            }
        }
        self.once(&method, path, media_type, body).await.map_err(|failed| failed.error)
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
    ) -> Result<Value, Failed> {
        let url = format!("{}{path}", self.base);
        let asked = format!("{method} {url}");
        let request = self.http.request(method.clone(), url);
        let mut request = request.header(AUTHORIZATION, format!("Klaviyo-API-Key {}", self.key));
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, media_type).body(body);
        }
        let response = request.send().await.map_err(|error| Failed::passing(error, &asked))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| Failed::passing(error, &asked))?;
        if status.is_success() {
            let body = if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text) };
            return body.map_err(|error| Failed { error: anyhow!(error).context(asked), may_pass: false });
        }
        let error = anyhow!("{asked} was answered with {status}{}", complaint(&text));
        let passing = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        Err(Failed { error, may_pass: passing.contains(&status) })
    }
}

struct Failed {
    error: anyhow::Error,
    /// Whether it may work the next time.
    may_pass: bool,
}

impl Failed {
    fn passing(error: reqwest::Error, asked: &str) -> Self {
        Self { error: anyhow::Error::new(error).context(asked.to_owned()), may_pass: true }
    }
}

/// What an answer complains of, and where.
fn complaint(text: &str) -> String {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let errors = body["errors"].as_array().into_iter().flatten().filter_map(|error| {
        let detail = error["detail"].as_str()?;
        let source = &error["source"];
        let place = source["pointer"].as_str().or(source["parameter"].as_str());
        Some(place.map_or_else(|| format!(": {detail}"), |place| format!(": {detail} ({place})")))
    });
    errors.collect()
}

/// A part of a path, or a value of a query.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(["%".to_owned(), format!("{byte:02X}")]);
        }
    }
    encoded
}

/// The resource of a document.
pub(super) fn resource(mut document: Value) -> anyhow::Result<Value> {
    match document["data"].take() {
        data @ Value::Object(_) => Ok(data),
        _ => bail!("the answer has no resource"),
    }
}
