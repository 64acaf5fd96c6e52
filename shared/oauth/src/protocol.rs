//! The protocol, by the `oauth2` crate: the platform is asked by our own client, and its answers are read leniently, for
//! several platforms leave out what the standard demands (`token_type`).

use std::pin::Pin;
use std::sync::atomic::{AtomicU16, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fetch::Client;
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::url::form_urlencoded::{self, byte_serialize};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use platform::{ClientProof, OAuth, Secrets};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest life of a token that is believed: ten years.
const LONGEST_S: i64 = 10 * 365 * 24 * 3600;

/// An application at a platform.
type Application = oauth2::Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A token endpoint's answer.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) access_token: AccessToken,
    #[serde(default)]
    pub(crate) refresh_token: Option<RefreshToken>,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    scope: Value,
    /// What only some platforms say.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Answer")
    }
}

impl Answer {
    /// How long the access token lives: a number, or a text of one.
    pub(crate) fn lifetime_s(&self) -> Option<i64> {
        let text = self.expires_in.as_str().and_then(|text| text.trim().parse().ok());
        self.expires_in.as_i64().or(text).map(|lifetime_s: i64| lifetime_s.clamp(0, LONGEST_S))
    }

    /// What was granted, whatever stands between.
    pub(crate) fn scopes(&self) -> Vec<String> {
        let split = |text: &str| -> Vec<String> {
            let parts = text.split([' ', ',']).filter(|scope| !scope.is_empty());
            parts.map(str::to_owned).collect()
        };
        match &self.scope {
            Value::String(text) => split(text),
            Value::Array(list) => list.iter().filter_map(Value::as_str).flat_map(split).collect(),
            _ => Vec::new(),
        }
    }

    /// What an adapter may read: all but the tokens.
    pub(crate) fn told(&self) -> Value {
        let mut told = self.rest.clone();
        told.insert("scope".to_owned(), self.scope.clone());
        Value::Object(told)
    }

    /// Whether its tokens can be sent in a header.
    fn is_sound(&self) -> bool {
        let is_sound =
            |token: &str| !token.is_empty() && token.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        is_sound(self.access_token.secret())
            && self.refresh_token.as_ref().is_none_or(|token| is_sound(token.secret()))
    }
}

impl TokenResponse for Answer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<std::time::Duration> {
        self.lifetime_s().and_then(|seconds| u64::try_from(seconds).ok()).map(std::time::Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

/// Why there is no token. The texts hold no secret and nothing that the platform wrote but its error's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The code or the refresh token is not, or no longer, good.
    Ended(String),
    /// The application is refused, or its request: trying again changes nothing before somebody has put it right.
    Application(String),
    /// Nothing is known: trying again later may help.
    Later(String),
}

/// Where the browser is sent.
pub(crate) fn authorize_address(
    oauth: &OAuth,
    secrets: &Secrets,
    redirect_uri: &str,
    state: &str,
    verifier: &str,
) -> Result<String, Refusal> {
    let application = application(oauth, secrets, Some(redirect_uri))?;
    let mut request = application.authorize_url(|| CsrfToken::new(state.to_owned()));
    if !oauth.scopes.is_empty() {
        request = request.add_scope(Scope::new(oauth.scopes.join(oauth.scope_separator)));
    }
    for (name, value) in &oauth.authorize_parameters {
        request = request.add_extra_param(*name, value);
    }
    if oauth.is_pkce {
        let verifier = PkceCodeVerifier::new(verifier.to_owned());
        request = request.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    }
    Ok(request.url().0.into())
}

/// Exchanges the callback's code for tokens.
pub(crate) async fn exchange(
    client: &Client,
    oauth: &OAuth,
    secrets: &Secrets,
    redirect_uri: &str,
    code: &str,
    verifier: &str,
    handed_back: &[(&'static str, String)],
) -> Result<Answer, Refusal> {
    let application = application(oauth, secrets, Some(redirect_uri))?;
    let mut request = application.exchange_code(AuthorizationCode::new(code.to_owned()));
    if oauth.is_pkce {
        request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
    }
    for (name, value) in handed_back {
        request = request.add_extra_param(*name, value);
    }
    let asking = Asking::by(client);
    let answer = request.request_async(&asking).await;
    read(answer, asking.status.into_inner())
}

/// Exchanges a refresh token for the next tokens.
pub(crate) async fn refresh(
    client: &Client,
    oauth: &OAuth,
    secrets: &Secrets,
    refresh_token: &str,
) -> Result<Answer, Refusal> {
    let application = application(oauth, secrets, None)?;
    let token = RefreshToken::new(refresh_token.to_owned());
    let asking = Asking::by(client);
    let answer = application.exchange_refresh_token(&token).request_async(&asking).await;
    read(answer, asking.status.into_inner())
}

/// The form, and the header if there is one, with which a token is given back (RFC 7009).
pub(crate) fn revocation(
    oauth: &OAuth,
    secrets: &Secrets,
    token: &str,
    kind: &str,
) -> Option<(String, Option<String>)> {
    let client_id = secrets.valid("client_id").next()?;
    let client_secret = secrets.valid("client_secret").next();
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token).append_pair("token_type_hint", kind);
    let header = match (oauth.client_proof, client_secret) {
        (ClientProof::Basic, Some(secret)) => {
            Some(format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret)))))
        }
        (_, secret) => {
            form.append_pair("client_id", client_id);
            if let Some(secret) = secret {
                form.append_pair("client_secret", secret);
            }
            None
        }
    };
    Some((form.finish(), header))
}

fn application(oauth: &OAuth, secrets: &Secrets, redirect_uri: Option<&str>) -> Result<Application, Refusal> {
    let secret = |name: &str| secrets.valid(name).next().map(str::to_owned);
    let missing = || Refusal::Application("the connection has no client_id".to_owned());
    let invalid = |_| Refusal::Application("an address is not valid".to_owned());
    let mut application = oauth2::Client::new(ClientId::new(secret("client_id").ok_or_else(missing)?))
        .set_auth_uri(AuthUrl::new(oauth.authorize_url.clone()).map_err(invalid)?)
        .set_token_uri(TokenUrl::new(oauth.token_url.clone()).map_err(invalid)?)
        .set_auth_type(match oauth.client_proof {
            ClientProof::Basic => AuthType::BasicAuth,
            ClientProof::Body => AuthType::RequestBody,
        });
    if let Some(secret) = secret("client_secret") {
        application = application.set_client_secret(ClientSecret::new(secret));
    }
    if let Some(address) = redirect_uri {
        application = application.set_redirect_uri(RedirectUrl::new(address.to_owned()).map_err(invalid)?);
    }
    Ok(application)
}

/// Our own client, which notes the answer's status: the protocol's crate does not hand it on.
struct Asking<'a> {
    client: &'a Client,
    status: AtomicU16,
}

impl<'a> Asking<'a> {
    fn by(client: &'a Client) -> Self {
        Self { client, status: AtomicU16::new(0) }
    }
}

impl<'c> AsyncHttpClient<'c> for Asking<'_> {
    type Error = fetch::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, fetch::Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let response = self.client.send(request).await?;
            self.status.store(response.status().as_u16(), Ordering::Relaxed);
            Ok(response)
        })
    }
}

fn read(
    answer: Result<Answer, RequestTokenError<fetch::Error, BasicErrorResponse>>,
    status: u16,
) -> Result<Answer, Refusal> {
    let error = match answer {
        Ok(answer) if answer.is_sound() => return Ok(answer),
        Ok(_) => return Err(Refusal::Later("the platform answered with no token".to_owned())),
        Err(error) => error,
    };
    let is_passing = !(400..500).contains(&status) || matches!(status, 408 | 425 | 429);
    Err(match error {
        RequestTokenError::Request(fetch::Error::Never { reason }) => Refusal::Application(reason),
        RequestTokenError::Request(error) => Refusal::Later(error.to_string()),
        _ if is_passing => Refusal::Later(format!("the platform answered {status} instead of a token")),
        RequestTokenError::ServerResponse(error) => {
            let reason = format!("the platform answered {}", name(error.error().as_ref()));
            match error.error() {
                BasicErrorResponseType::InvalidGrant => Refusal::Ended(reason),
                _ => Refusal::Application(reason),
            }
        }
        _ => Refusal::Application(format!("the platform answered {status} instead of a token")),
    })
}

/// An error's name, if it is one.
fn name(code: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if (1..=40).contains(&code.len()) && code.bytes().all(is_plain) { code } else { "an unknown error" }
}
