//! Authorising connections at their platforms: what happens in a browser. No key is needed: the link, then the state and
//! the cookie, are the proof. Every answer is a redirect to the platform or a plain page.

use axum::body::Body;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderName, LOCATION,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use oauth::{Callback, Problem, cookie_name};
use platform::{OAuth, Platform};
use runtime::metrics::count;
use serde_json::{Map, Value};
use store::{ConnectionRecord, ConnectionStatus};

use crate::Api;
use crate::authorize::{Authorizing, redirect_uri};
use crate::error::ApiError;
use crate::request::Asked;
use crate::schema;

/// Nothing is loaded, framed, or sent anywhere; nothing is kept, and no address is passed on.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// Why a browser gets no further.
enum Stop {
    /// In the flow.
    Problem(Problem),
    /// The connection is gone, or is not authorised this way any more.
    Gone,
    /// It is another account's than the connection's setting of this name says.
    Account(String),
    /// What the platform said about the account are no settings of it.
    Settings,
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Problem(error.into())
    }
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Problem(Problem::Unavailable(error.detail))
    }
}

/// Whether a path is opened by browsers.
pub(crate) fn is_meant(path: &str) -> bool {
    path.split('/').find(|part| !part.is_empty()) == Some("oauth")
}

impl Api {
    /// Everything below `/oauth`.
    pub(crate) async fn browse(&self, request: &Request<()>) -> Response<Body> {
        let asked = Asked::of(request, self.public_url.as_deref());
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        let ["oauth", platform, step @ ("start" | "callback")] = path[..] else {
            return page(StatusCode::NOT_FOUND, "Not found", "There is nothing at this address.");
        };
        if request.method() != Method::GET {
            let text = "This address is opened by a browser.";
            let mut response = page(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", text);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            return response;
        }
        let outcome = if step == "start" {
            self.start(&asked, platform).await
        } else {
            self.callback(&asked, request, platform).await
        };
        let known = self.platform(platform).map_or("unknown", |platform| platform.name());
        let name = match &outcome {
            Ok(_) => "passed",
            Err(stop) => stop.name(),
        };
        count("authorizations", known, name, 1);
        outcome.unwrap_or_else(|stop| stop.page())
    }

    /// `GET /oauth/{platform}/start`: from the link to the platform.
    async fn start(&self, asked: &Asked, named: &str) -> Result<Response<Body>, Stop> {
        let grants = &self.authorizing()?.grants;
        let ticket = asked.parameter("ticket").ok_or(Problem::Link)?;
        let id = grants.linked(ticket).await?;
        let (_, platform, oauth) = self.authorizable(&id).await?;
        if platform.name() != named {
            return Err(Problem::Link.into());
        }
        let begun = grants.begin(ticket, &id, &oauth, &redirect_uri(asked, platform)).await?;
        let cookie = cookie(&begun.cookie_name, &begun.cookie, begun.cookie_age_s);
        let mut response = page(StatusCode::FOUND, "On to the platform", "The platform asks you now.");
        let unsendable = |_| Problem::Platform("the platform's address is not valid".to_owned());
        let location = HeaderValue::from_str(&begun.location).map_err(unsendable)?;
        response.headers_mut().insert(LOCATION, location);
        response.headers_mut().insert(SET_COOKIE, HeaderValue::from_str(&cookie).map_err(unsendable)?);
        Ok(response)
    }

    /// `GET /oauth/{platform}/callback`: from the platform back here.
    async fn callback(
        &self,
        asked: &Asked,
        request: &Request<()>,
        named: &str,
    ) -> Result<Response<Body>, Stop> {
        let authorizing = self.authorizing()?;
        let state = asked.parameter("state").ok_or(Problem::Callback)?;
        let cookie = cookie_of(request, &cookie_name(state));
        let callback = authorizing.grants.recall(state, cookie.as_deref()).await?;
        let (_, platform, oauth) = self.authorizable(&callback.connection).await?;
        if platform.name() != named {
            return Err(Problem::Callback.into());
        }
        let outcome = self.conclude(asked, authorizing, &callback, platform, &oauth).await;
        if let Err(stop) = &outcome {
            tracing::warn!(connection = callback.connection, outcome = stop.name(), "not authorised");
        }
        outcome?;
        let text = "The connection is authorised. You can close this page.";
        Ok(page(StatusCode::OK, "Connected", text))
    }

    async fn conclude(
        &self,
        asked: &Asked,
        authorizing: &Authorizing,
        callback: &Callback,
        platform: &dyn Platform,
        oauth: &OAuth,
    ) -> Result<(), Stop> {
        let Authorizing { grants, fetcher } = authorizing;
        let (code, error) = (asked.parameter("code"), asked.parameter("error"));
        let (Some(code), None) = (code, error) else {
            return Err(grants.decline(callback, error.unwrap_or_default()).await?.into());
        };
        let handed_back: Vec<_> = oauth
            .handed_back
            .iter()
            .filter_map(|name| Some((*name, asked.parameter(name)?.to_owned())))
            .collect();
        let outcome = grants.exchange(callback, oauth, code, &handed_back, fetcher).await?;
        match self.settle(&callback.connection, platform, &outcome.settings).await {
            Ok(()) => Ok(grants.accept(outcome).await?),
            Err(stop) => {
                grants.reject(outcome, oauth).await;
                Err(stop)
            }
        }
    }

    /// Writes down what a grant decides. A connection stays with the account that it has: records of two shops must
    /// never mix.
    async fn settle(
        &self,
        id: &str,
        platform: &dyn Platform,
        learned: &Map<String, Value>,
    ) -> Result<(), Stop> {
        let (before, ..) = self.authorizable(id).await?;
        let mut after = before.clone();
        for (name, value) in learned {
            let known = before.settings.get(name).filter(|known| !known.is_null());
            if known.is_some_and(|known| known != value) {
                return Err(Stop::Account(name.clone()));
            }
            after.settings.insert(name.clone(), value.clone());
        }
        let settings = after.settings.clone().into();
        schema::check(&platform.description().settings, &settings, "").map_err(|_| Stop::Settings)?;
        if after.status == ConnectionStatus::Disconnected {
            after.status = ConnectionStatus::Active;
        }
        if after != before {
            after.updated_at = self.now().max(before.updated_at);
            self.store.update_connection(&after).await?;
        }
        Ok(())
    }

    async fn authorizable(&self, id: &str) -> Result<(ConnectionRecord, &'static dyn Platform, OAuth), Stop> {
        let connection = self.store.connection(id).await?.ok_or(Stop::Gone)?;
        let (platform, oauth) = self.oauth_of(&connection).ok_or(Stop::Gone)?;
        Ok((connection, platform, oauth))
    }
}

impl Stop {
    /// For counters and logs.
    fn name(&self) -> &'static str {
        match self {
            Self::Problem(Problem::Link) => "unknown_link",
            Self::Problem(Problem::Callback) => "unknown_callback",
            Self::Problem(Problem::Browser) => "other_browser",
            Self::Problem(Problem::Declined) => "declined",
            Self::Problem(Problem::Platform(_)) => "refused",
            Self::Problem(Problem::Unavailable(_)) => "unavailable",
            Self::Gone => "no_connection",
            Self::Account(_) => "other_account",
            Self::Settings => "bad_settings",
        }
    }

    fn page(&self) -> Response<Body> {
        let again = "Ask for a new link and try again.";
        let (status, title, text) = match self {
            Self::Problem(Problem::Link) => {
                let text =
                    "This link is not known, has been used, or is older than an hour. Ask for a new one.";
                (StatusCode::NOT_FOUND, "Link not valid", text.to_owned())
            }
            Self::Problem(Problem::Callback) => {
                let text = "This authorisation is not known, has been used, or took longer than ten minutes.";
                (StatusCode::BAD_REQUEST, "Not authorised", format!("{text} {again}"))
            }
            Self::Problem(Problem::Browser) => {
                let text = "This authorisation was begun in another browser. Open the link in this one.";
                (StatusCode::FORBIDDEN, "Not authorised", text.to_owned())
            }
            Self::Problem(Problem::Declined) => {
                let text = "The authorisation was declined; nothing has changed. The link still can be used.";
                (StatusCode::FORBIDDEN, "Declined", text.to_owned())
            }
            Self::Problem(Problem::Platform(reason)) => {
                (StatusCode::BAD_GATEWAY, "Not authorised", format!("It did not work: {reason}. {again}"))
            }
            Self::Problem(Problem::Unavailable(reason)) => {
                tracing::error!(reason, "a service that the authorisation needs failed");
                let text = format!("Something that is needed did not answer. {again}");
                (StatusCode::SERVICE_UNAVAILABLE, "Not authorised", text)
            }
            Self::Gone => {
                let text = "The connection was deleted, or is not authorised in a browser.";
                (StatusCode::NOT_FOUND, "No such connection", text.to_owned())
            }
            Self::Account(name) => {
                let text = format!(
                    "This is another account than the connection's ({name}). Authorise with that account, or make a \
                     connection for this one."
                );
                (StatusCode::CONFLICT, "Another account", text)
            }
            Self::Settings => {
                let text = format!("What the platform says about the account cannot be used. {again}");
                (StatusCode::BAD_GATEWAY, "Not authorised", text)
            }
        };
        page(status, title, &text)
    }
}

/// A page without anything but text.
pub(crate) fn page(status: StatusCode, title: &str, text: &str) -> Response<Body> {
    page_with(status, title, text, "")
}

/// A page with a button that sends the browser to its own address again, to do what opening it does not.
pub(crate) fn page_with_button(title: &str, text: &str, button: &str) -> Response<Body> {
    let button = format!("<form method=\"post\"><button>{}</button></form>", escaped(button));
    let mut response = page_with(StatusCode::OK, title, text, &button);
    response.headers_mut().insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
    );
    response
}

/// `more` is HTML.
fn page_with(status: StatusCode, title: &str, text: &str, more: &str) -> Response<Body> {
    let (title, text) = (escaped(title), escaped(text));
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p>{more}</body>\
         </html>\n"
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn cookie(name: &str, value: &str, age_s: i64) -> String {
    format!("{name}={value}; Path=/; Max-Age={age_s}; Secure; HttpOnly; SameSite=Lax")
}

fn cookie_of(request: &Request<()>, wanted: &str) -> Option<String> {
    let headers = request.headers().get_all(COOKIE).into_iter().filter_map(|header| header.to_str().ok());
    let mut pairs =
        headers.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned())
}
