//! The platform.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{get, post};
use platform::{ApiRequest, ClientProof, Fetched, OAuth};
use runtime::Clock;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

const HOUR_MS: i64 = 3_600_000;

/// When a used refresh token is void.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// When the access token that came for it is first used, as at Lightspeed.
    #[default]
    AtFirstUse,
    /// At once.
    AtIssue,
}

/// Where a request to the token endpoint is held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Before it is worked on.
    Before,
    /// When the pair was issued, and only its answer is under way.
    After,
}

#[derive(Default)]
struct State {
    issued: usize,
    /// Access tokens: the refresh token that is void once it is used, and when it ends.
    access: BTreeMap<String, (Option<String>, i64)>,
    /// Refresh tokens that are good.
    refresh: Vec<String>,
    rotation: Rotation,
    gate: Option<Gate>,
    /// What the token endpoint answers instead, if anything.
    refusal: Option<(u16, String)>,
    /// Forms that the token endpoint got, and the `Authorization` of each.
    asked: Vec<(BTreeMap<String, String>, Option<String>)>,
    revoked: Vec<BTreeMap<String, String>>,
    account: String,
    extra: Map<String, Value>,
}

#[derive(Clone)]
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// Requests that are held up go on with its permits.
    pub(crate) gate: Arc<Semaphore>,
    /// Gets a permit for each request that is held up.
    pub(crate) waiting: Arc<Semaphore>,
    clock: Clock,
}

impl Server {
    pub(crate) async fn open(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(State { account: "77".to_owned(), ..State::default() })),
            gate: Arc::new(Semaphore::new(0)),
            waiting: Arc::new(Semaphore::new(0)),
            clock,
        };
        let (tokens, api, revoke) = (server.clone(), server.clone(), server.clone());
        let router = Router::new()
            .route("/token", post(move |request| async move { tokens.token(request).await }))
            .route("/revoke", post(move |request| async move { revoke.revoke(request).await }))
            .route("/api/Account.json", get(move |request| async move { api.api(&request) }));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn oauth(&self) -> OAuth {
        OAuth {
            authorize_url: self.url("/authorize?region=eu"),
            authorize_parameters: vec![("prompt", "consent".to_owned())],
            token_url: self.url("/token"),
            revoke_url: Some(self.url("/revoke")),
            scopes: vec!["sales", "customers"],
            scope_separator: " ",
            is_pkce: true,
            client_proof: ClientProof::Body,
            handed_back: &[],
            account: Some(
                ApiRequest::get(self.url("/api/Account.json"))
                    .header("authorization", "Bearer {secret:access_token}"),
            ),
            learn: |_, account: Option<&Fetched>| {
                let account: Value =
                    serde_json::from_slice(&account.ok_or("no account")?.body).map_err(|_| "no JSON")?;
                Ok(Map::from_iter([("account_id".to_owned(), account["id"].clone())]))
            },
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A pair, as of an authorisation long ago.
    pub(crate) fn issue(&self) -> (String, String) {
        self.state().issue(None, self.clock.now_ms())
    }

    pub(crate) fn rotate(&self, rotation: Rotation) {
        self.state().rotation = rotation;
    }

    /// Holds up the next request to the token endpoint.
    pub(crate) fn hold_up(&self, gate: Gate) {
        self.state().gate = Some(gate);
    }

    pub(crate) fn refuse(&self, refusal: Option<(u16, &str)>) {
        self.state().refusal = refusal.map(|(status, body)| (status, body.to_owned()));
    }

    pub(crate) fn say(&self, extra: Value) {
        self.state().extra = serde_json::from_value(extra).unwrap();
    }

    /// Ends everything, as the owner can.
    pub(crate) fn end_all(&self) {
        let mut state = self.state();
        state.refresh.clear();
        state.access.clear();
    }

    pub(crate) fn asked(&self) -> usize {
        self.state().asked.len()
    }

    pub(crate) fn last_asked(&self) -> (BTreeMap<String, String>, Option<String>) {
        self.state().asked.last().unwrap().clone()
    }

    pub(crate) fn revoked(&self) -> Vec<BTreeMap<String, String>> {
        self.state().revoked.clone()
    }

    async fn token(&self, request: Request) -> Response {
        let authorization =
            request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let form = form(request).await;
        let gate = {
            let mut state = self.state();
            state.asked.push((form.clone(), authorization));
            if let Some((status, body)) = &state.refusal {
                return answer(*status, body.clone());
            }
            state.gate.take()
        };
        if gate == Some(Gate::Before) {
            self.pass_gate().await;
        }
        let response = self.exchange(&form);
        if gate == Some(Gate::After) {
            self.pass_gate().await;
        }
        response
    }

    async fn pass_gate(&self) {
        self.waiting.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
    }

    fn exchange(&self, form: &BTreeMap<String, String>) -> Response {
        let refused = |code: &str| answer(400, json!({"error": code, "error_description": "x"}).to_string());
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        let (access, refresh) = match form["grant_type"].as_str() {
            "authorization_code" if form["code"].starts_with("code-") => state.issue(None, now_ms),
            "refresh_token" if state.refresh.contains(&form["refresh_token"]) => {
                state.issue(Some(form["refresh_token"].clone()), now_ms)
            }
            _ => return refused("invalid_grant"),
        };
        let mut body = json!({
            "access_token": access, "refresh_token": refresh, "expires_in": 3600, "token_type": "bearer",
            "scope": "sales customers",
        });
        body.as_object_mut().unwrap().extend(state.extra.clone());
        answer(200, body.to_string())
    }

    async fn revoke(&self, request: Request) -> Response {
        let form = form(request).await;
        let mut state = self.state();
        state.refresh.retain(|token| *token != form["token"]);
        state.revoked.push(form);
        answer(200, String::new())
    }

    fn api(&self, request: &Request) -> Response {
        let header = request.headers()["authorization"].to_str().unwrap().to_owned();
        let token = header.trim_start_matches("Bearer ");
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        let Some((old, _)) = state.access.get(token).filter(|(_, until)| now_ms < *until).cloned() else {
            return answer(401, String::new());
        };
        state.refresh.retain(|refresh| Some(refresh) != old.as_ref());
        answer(200, json!({"id": state.account}).to_string())
    }
}

impl State {
    fn issue(&mut self, old: Option<String>, now_ms: i64) -> (String, String) {
        self.issued += 1;
        let (access, refresh) = (format!("access-{}", self.issued), format!("refresh-{}", self.issued));
        if self.rotation == Rotation::AtIssue {
            self.refresh.retain(|refresh| Some(refresh) != old.as_ref());
        }
        self.access.insert(access.clone(), (old, now_ms + HOUR_MS));
        self.refresh.push(refresh.clone());
        (access, refresh)
    }
}

async fn form(request: Request) -> BTreeMap<String, String> {
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    parameters(&text)
}

/// The pairs of a form or a query.
pub(crate) fn parameters(text: &str) -> BTreeMap<String, String> {
    let url: oauth2::url::Url = format!("http://a.example/?{text}").parse().unwrap();
    url.query_pairs().into_owned().collect()
}

fn answer(status: u16, body: impl Into<Body>) -> Response {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(body.into()).unwrap()
}
