//! Authorising a connection, as a browser and a platform go about it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ::api::{Api, Authorizing, Parts, key_digest, router};
use ::platform::{
    ApiRequest, ClientProof, Connection, Delivery, Description, Fetched, Mapping, OAuth, Platform, Rejection,
    Request as Incoming, SecretStore, Secrets, Unverified, Verdict,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use fetch::{Client, Fetcher};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use oauth::Grants;
use serde_json::{Map, Value, json};
use store::{ApiKey, Health};
use testing::{SECRETS_PATH, World};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::{KEY, SharedOutbox};

/// Platforms that are authorised in a browser.
struct Shop(&'static str);

impl Platform for Shop {
    fn name(&self) -> &'static str {
        self.0
    }

    fn description(&self) -> Description {
        let text = json!({"type": "string"});
        Description {
            title: "Shop",
            settings: json!({"type": "object", "properties": {"address": text, "account_id": text}}),
            secrets: json!({"type": "object", "properties": {"client_id": text, "client_secret": text}}),
        }
    }

    fn verify(&self, _: &Incoming, _: Unverified, _: &Connection, _: &Secrets, _: Timestamp) -> Verdict {
        Verdict::Reject(Rejection::NoSecret)
    }

    fn facts(&self, _: &Delivery, _: &Connection, _: &[Fetched]) -> Mapping {
        Mapping::Ignore("test")
    }

    fn oauth(&self, connection: &Connection) -> Option<OAuth> {
        let address = connection.text("address")?;
        Some(OAuth {
            authorize_url: format!("{address}/authorize"),
            authorize_parameters: Vec::new(),
            token_url: format!("{address}/token"),
            revoke_url: Some(format!("{address}/revoke")),
            scopes: vec!["read"],
            scope_separator: " ",
            is_pkce: true,
            client_proof: ClientProof::Body,
            handed_back: &[],
            account: Some(ApiRequest::get(format!("{address}/account"))),
            learn: |_, account| {
                let account = account.map(|account| String::from_utf8_lossy(&account.body).into_owned());
                Ok(Map::from_iter([("account_id".to_owned(), json!(account))]))
            },
        })
    }
}

static PLATFORMS: &[&dyn Platform] = &[&Shop("lightshop"), &Shop("othershop")];

/// What the platform answers, and what was asked.
#[derive(Default)]
struct Office {
    account: String,
    token_status: u16,
    asked: Vec<String>,
}

struct Desk {
    world: World,
    router: Router,
    address: String,
    office: Arc<Mutex<Office>>,
}

/// What a browser gets.
struct Page {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Desk {
    async fn open() -> Self {
        let world = World::start().await;
        let office =
            Arc::new(Mutex::new(Office { account: "77".to_owned(), token_status: 200, ..Office::default() }));
        let shared = Arc::clone(&office);
        let platform = Router::new().fallback(move |request: Request<Body>| {
            let shared = Arc::clone(&shared);
            async move {
                let mut office = shared.lock().unwrap();
                let path = request.uri().path().to_owned();
                office.asked.push(path.clone());
                let token = json!({"access_token": "t0ken", "refresh_token": "r3fresh", "scope": "read"});
                let (status, body) = match path.as_str() {
                    "/token" if office.token_status == 200 => (200, token.to_string()),
                    "/token" => (office.token_status, json!({"error": "invalid_grant"}).to_string()),
                    "/account" => (200, office.account.clone()),
                    _ => (200, String::new()),
                };
                Response::builder().status(status).body(Body::from(body)).unwrap()
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, platform).await.unwrap() });
        let secrets = SecretStore::new(world.clients.ssm.clone(), SECRETS_PATH);
        let (config, store) = (world.config(), world.function_store());
        let grants = Grants::new(secrets.clone(), store.clone(), Client::new(&config), world.clock());
        let api = Api::new(Parts {
            store,
            outbox: Box::new(SharedOutbox(Arc::default())),
            vault: Box::new(secrets),
            platforms: PLATFORMS,
            clock: world.clock(),
            random: Box::new(|| uuid::Uuid::new_v4().as_u128()),
            public_url: Some("https://api.example.com".to_owned()),
            zone: TimeZone::UTC,
        });
        let fetcher = Fetcher::new(&config, world.clock());
        let router = router(Arc::new(api.authorizing_with(Authorizing { grants, fetcher })));
        for (key, scope) in [(KEY, "*"), ("pk_reader", "connections:read")] {
            let (name, scopes) = (key.to_owned(), vec![scope.to_owned()]);
            let record = ApiKey { name, scopes, limit: None, created_at: world.now() };
            world.store.put_api_key(&key_digest(key), &record).await.unwrap();
        }
        Self { world, router, address, office }
    }

    async fn send(&self, request: Request<Body>) -> Page {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        for secret in ["t0ken", "r3fresh", "app-secret"] {
            assert!(!text.contains(secret) && !format!("{:?}", parts.headers).contains(secret), "{text}");
        }
        Page { status: parts.status, headers: parts.headers, text }
    }

    async fn call(&self, key: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Klaviyo-API-Key {key}"));
        let page = self.send(request.body(Body::from(body.to_string())).unwrap()).await;
        (page.status.as_u16(), serde_json::from_str(&page.text).unwrap_or_default())
    }

    /// A connection that can be authorised.
    async fn connection(&self, secrets: Value) -> String {
        let attributes = json!({
            "platform": "lightshop", "name": "Main", "settings": {"address": self.address}, "secrets": secrets,
        });
        let body = json!({"data": {"type": "connection", "attributes": attributes}});
        let (status, body) = self.call(KEY, Method::POST, "/api/connections", body).await;
        assert_eq!(status, 201, "{body}");
        body["data"]["id"].as_str().unwrap().to_owned()
    }

    async fn ready(&self) -> String {
        self.connection(json!({"client_id": "app", "client_secret": "app-secret"})).await
    }

    async fn attributes(&self, id: &str) -> Value {
        let (_, body) =
            self.call("pk_reader", Method::GET, &format!("/api/connections/{id}"), Value::Null).await;
        body["data"]["attributes"].clone()
    }

    async fn link(&self, id: &str) -> String {
        let path = format!("/api/connections/{id}/authorize");
        let (status, body) = self.call(KEY, Method::POST, &path, Value::Null).await;
        assert_eq!(status, 201, "{body}");
        assert_eq!(body["data"]["attributes"]["expires"], "2026-06-17T13:00:00+00:00");
        let url = body["data"]["attributes"]["url"].as_str().unwrap().to_owned();
        url.strip_prefix("https://api.example.com").unwrap().to_owned()
    }

    async fn browse(&self, path: &str, cookie: Option<&str>) -> Page {
        let mut request = Request::get(path);
        if let Some(cookie) = cookie {
            request = request.header("cookie", format!("other=1; {cookie}"));
        }
        let page = self.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers["cache-control"], "no-store");
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        assert_eq!(page.headers["x-frame-options"], "DENY");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!page.text.contains("<script") && !page.text.contains("style="), "{}", page.text);
        page
    }

    /// Opens a link: the state that the platform was given, and the cookie.
    async fn start(&self, link: &str) -> (String, String) {
        let page = self.browse(link, None).await;
        assert_eq!(page.status, StatusCode::FOUND, "{}", page.text);
        let location = page.headers["location"].to_str().unwrap();
        let query = location.strip_prefix(&format!("{}/authorize?", self.address)).unwrap();
        let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let redirect_uri = "https%3A%2F%2Fapi.example.com%2Foauth%2Flightshop%2Fcallback";
        assert_eq!(query["redirect_uri"], redirect_uri);
        let cookie = page.headers["set-cookie"].to_str().unwrap();
        let (pair, rest) = cookie.split_once("; ").unwrap();
        assert!(pair.starts_with("__Host-"), "{pair}");
        assert_eq!(rest, "Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax");
        (query["state"].to_owned(), pair.to_owned())
    }

    async fn back(&self, state: &str, rest: &str, cookie: &str) -> Page {
        self.browse(&format!("/oauth/lightshop/callback?state={state}{rest}"), Some(cookie)).await
    }

    fn asked(&self, path: &str) -> usize {
        self.office.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }
}

#[tokio::test]
async fn a_link_authorises_a_connection_once() {
    let desk = Desk::open().await;
    let id = desk.ready().await;
    let redirect_uri = "https://api.example.com/oauth/lightshop/callback";
    let before = desk.attributes(&id).await;
    assert_eq!(
        before["oauth"],
        json!({"redirect_uri": redirect_uri, "authorized": false, "expires": null, "scopes": []})
    );
    let mut health = Health::default();
    health.fail(desk.world.now(), "the authorisation is over");
    desk.world.store.note_health(&id, &health).await.unwrap();

    let link = desk.link(&id).await;
    let (state, cookie) = desk.start(&link).await;
    let page = desk.back(&state, "&code=c0de", &cookie).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("The connection is authorised"));
    let after = desk.attributes(&id).await;
    assert_eq!(
        after["oauth"],
        json!({"redirect_uri": redirect_uri, "authorized": true, "expires": null, "scopes": ["read"]})
    );
    assert_eq!(after["settings"]["account_id"], "77");
    assert_eq!(after["health"]["last_error"], Value::Null);
    assert_eq!(desk.world.grant(&id).unwrap()["access_token"], "t0ken");

    // The same again is nobody's.
    assert_eq!(desk.back(&state, "&code=c0de", &cookie).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(desk.browse(&link, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.asked("/token"), 1);
    let items = format!("{:?}", desk.world.items("registry"));
    for secret in ["t0ken", "r3fresh", "c0de", &state, &cookie, link.rsplit_once('=').unwrap().1] {
        assert!(!items.contains(secret));
    }

    let path = format!("/api/connections/{id}/authorize");
    assert_eq!(desk.call(KEY, Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!((desk.asked("/revoke"), desk.world.grant(&id)), (1, None));
    assert_eq!(desk.attributes(&id).await["oauth"]["authorized"], false);
}

#[tokio::test]
async fn only_a_key_that_may_write_gets_a_link_and_only_where_it_leads_somewhere() {
    let desk = Desk::open().await;
    let id = desk.ready().await;
    let path = format!("/api/connections/{id}/authorize");
    assert_eq!(desk.call("pk_reader", Method::POST, &path, Value::Null).await.0, 403);
    assert_eq!(desk.call("pk_nobody", Method::POST, &path, Value::Null).await.0, 401);
    assert_eq!(desk.call("pk_reader", Method::DELETE, &path, Value::Null).await.0, 403);
    assert_eq!(desk.call(KEY, Method::POST, "/api/connections/none/authorize", Value::Null).await.0, 404);
    let bare = desk.connection(json!({})).await;
    let path = format!("/api/connections/{bare}/authorize");
    let (status, body) = desk.call(KEY, Method::POST, &path, Value::Null).await;
    assert_eq!((status, &body["errors"][0]["code"]), (409, &json!("client_missing")));
    let body = json!({"data": {"type": "connection", "attributes": {"settings": {"address": null}}}});
    desk.call(KEY, Method::PATCH, &format!("/api/connections/{bare}"), body).await;
    let (status, body) = desk.call(KEY, Method::POST, &path, Value::Null).await;
    assert_eq!((status, &body["errors"][0]["code"]), (409, &json!("not_authorizable")));
    assert!(desk.attributes(&bare).await.get("oauth").is_none());
}

#[tokio::test]
async fn a_start_takes_a_good_link_and_nothing_else() {
    let desk = Desk::open().await;
    let id = desk.ready().await;
    let link = desk.link(&id).await;
    let ticket = link.split_once('=').unwrap().1;
    for path in [
        "/oauth/lightshop/start".to_owned(),
        "/oauth/lightshop/start?ticket=".to_owned(),
        "/oauth/lightshop/start?ticket=guess".to_owned(),
        format!("/oauth/othershop/start?ticket={ticket}"),
        format!("/oauth/noshop/start?ticket={ticket}"),
        "/oauth/lightshop".to_owned(),
        "/oauth/lightshop/finish".to_owned(),
    ] {
        let page = desk.browse(&path, None).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.headers.get("location").is_none() && page.headers.get("set-cookie").is_none());
    }
    // Where it leads is not the address's to say.
    desk.start(&format!("{link}&redirect_uri=https://evil.example&authorize_url=https://evil.example")).await;
    let request = Request::post(link.as_str()).body(Body::empty()).unwrap();
    let page = desk.send(request).await;
    assert_eq!(
        (page.status, &page.headers["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET".parse().unwrap())
    );
    desk.world.pass(3_600_000);
    assert_eq!(desk.browse(&link, None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_callback_that_is_not_the_browser_s_own_changes_nothing() {
    let desk = Desk::open().await;
    let id = desk.ready().await;
    let link = desk.link(&id).await;
    let (state, cookie) = desk.start(&link).await;
    let (_, other_cookie) = desk.start(&link).await;
    let callback = |rest: &str| format!("/oauth/lightshop/callback?code=c0de{rest}");
    for (path, cookie, status) in [
        (callback(""), Some(cookie.as_str()), 400),
        (callback("&state=guess"), Some(&cookie), 400),
        (callback(&format!("&state={state}")), None, 403),
        (callback(&format!("&state={state}")), Some(&other_cookie), 403),
        (callback(&format!("&state={state}")).replace("lightshop", "othershop"), Some(&cookie), 400),
    ] {
        assert_eq!(desk.browse(&path, cookie).await.status.as_u16(), status, "{path} {cookie:?}");
    }
    assert_eq!((desk.asked("/token"), desk.world.grant(&id)), (0, None));
    // None of these used it up.
    assert_eq!(desk.back(&state, "&code=c0de", &cookie).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_failure_has_a_page_that_says_what_helps_and_keeps_no_grant() {
    let desk = Desk::open().await;
    let id = desk.ready().await;
    let said_no = "&error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E";
    let link = desk.link(&id).await;
    for (rest, status, text) in [
        (said_no, 403, "declined"),
        ("&error=%3Cscript%3E", 502, "error instead of a grant"),
        ("", 502, "error instead of a grant"),
        ("&code=c0de&error=server_error", 502, "error instead of a grant"),
    ] {
        let (state, cookie) = desk.start(&link).await;
        let page = desk.back(&state, rest, &cookie).await;
        assert_eq!(page.status.as_u16(), status, "{rest}: {}", page.text);
        assert!(page.text.contains(text), "{}", page.text);
        assert_eq!(desk.back(&state, "&code=c0de", &cookie).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(desk.asked("/token"), 0);
    for (token_status, status) in [(400, 502), (500, 503)] {
        desk.office.lock().unwrap().token_status = token_status;
        let (state, cookie) = desk.start(&desk.link(&id).await).await;
        assert_eq!(desk.back(&state, "&code=c0de", &cookie).await.status.as_u16(), status);
    }
    desk.office.lock().unwrap().token_status = 200;
    assert_eq!(desk.world.grant(&id), None);

    // Another account than before is given back, and the connection stays what it was.
    let (state, cookie) = desk.start(&desk.link(&id).await).await;
    assert_eq!(desk.back(&state, "&code=c0de", &cookie).await.status, StatusCode::OK);
    "88".clone_into(&mut desk.office.lock().unwrap().account);
    let (state, cookie) = desk.start(&desk.link(&id).await).await;
    let page = desk.back(&state, "&code=c0de", &cookie).await;
    assert!(page.status == StatusCode::CONFLICT && page.text.contains("another account"), "{}", page.text);
    assert_eq!(
        (desk.asked("/revoke"), desk.attributes(&id).await["settings"]["account_id"].clone()),
        (1, json!("77"))
    );
    assert!(desk.world.grant(&id).is_some());

    // A connection that is deleted meanwhile: its grant is given back, and its links lead nowhere.
    let link = desk.link(&id).await;
    let (state, cookie) = desk.start(&link).await;
    let path = format!("/api/connections/{id}");
    assert_eq!(desk.call(KEY, Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!((desk.asked("/revoke"), desk.world.grant(&id)), (2, None));
    assert_eq!(desk.back(&state, "&code=c0de", &cookie).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.browse(&link, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.world.grant(&id), None);
}
