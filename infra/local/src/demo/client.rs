//! The demo's way into the stack: HTTP, as a shop and as a client of the API.

use std::time::Duration;

use anyhow::{Context as _, bail};
use platform::signature::hmac_sha256_base64;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::delivery::Delivery;
use super::shop::DOMAIN;
use crate::functions::LOCAL_KEY;

/// Longer than any answer takes: the gateway gives up after 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(35);

pub(crate) struct Client {
    http: reqwest::Client,
    base_url: String,
}

impl Client {
    pub(crate) fn new(base_url: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // Nothing here is reached by TLS, so the machine needs no certificates.
            .tls_certs_only([])
            .no_proxy()
            .build()?;
        Ok(Self { http, base_url: base_url.to_owned() })
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, &format!("{}{path}", self.base_url), Some(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, &format!("{}{path}", self.base_url), None).await
    }

    /// All resources of a listing, page after page.
    pub(crate) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut page = self.get(path).await?;
        let mut all = Vec::new();
        loop {
            if let Value::Array(resources) = page["data"].take() {
                all.extend(resources);
            }
            let Some(next) = page["links"]["next"].as_str() else { return Ok(all) };
            page = self.call(Method::GET, next, None).await?;
        }
    }

    async fn call(&self, method: Method, url: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut request = self.http.request(method.clone(), url);
        request = request.header(AUTHORIZATION, format!("Klaviyo-API-Key {LOCAL_KEY}"));
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/vnd.api+json").body(body.to_string());
        }
        let asked = || format!("{method} {url}");
        let response = request.send().await.with_context(asked)?;
        let status = response.status();
        let text = response.text().await.with_context(asked)?;
        if !status.is_success() {
            bail!("{} was answered with {status}: {text}", asked());
        }
        serde_json::from_str(&text).with_context(asked)
    }

    /// Sends one delivery as Shopify does.
    pub(crate) async fn deliver(
        &self,
        webhook_url: &str,
        secret: &str,
        delivery: &Delivery,
    ) -> anyhow::Result<StatusCode> {
        let secret = if delivery.forged { "a guess" } else { secret };
        let response = self
            .http
            .post(webhook_url)
            .header(CONTENT_TYPE, "application/json")
            .header("X-Shopify-Topic", delivery.topic)
            .header("X-Shopify-Shop-Domain", DOMAIN)
            .header("X-Shopify-Webhook-Id", &delivery.webhook_id)
            .header("X-Shopify-Triggered-At", delivery.triggered_at.to_string())
            .header("X-Shopify-Hmac-SHA256", hmac_sha256_base64(secret, &delivery.body))
            .body(delivery.body.clone())
            .send()
            .await
            .with_context(|| format!("POST {webhook_url}"))?;
        Ok(response.status())
    }
}
