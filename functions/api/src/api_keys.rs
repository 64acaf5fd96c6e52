//! Keys to the API itself: who has one may make others, which can do no more than it can.

use canonical::hash;
use http::StatusCode;
use store::{Allowance, ApiKey, Error};

use crate::auth::{Holder, allows, key_digest};
use crate::body::{self, Fields, Node};
use crate::document::{Answer, Resource, collection, single, time};
use crate::error::{ApiError, ApiResult};
use crate::operation::{Operation, Tier};
use crate::request::Asked;
use crate::{Api, klaviyo, operations, shapes};

const KIND: &str = "api-key";
const MAX_NAME: usize = 100;
const MAX_SCOPES: usize = 100;
/// Keys that an account has at most.
const MAX_KEYS: usize = 1000;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_api_keys", "/api/api-keys", &["api-keys:read"])
        .limited(Tier::Medium)
        .fields(&[KIND])
        .gives_page::<shapes::ApiKey>(KIND)
        .by(|call| Box::pin(call.api.list_api_keys(call.asked))),
    Operation::post("create_api_key", "/api/api-keys", &["api-keys:write"])
        .limited(Tier::Small)
        .takes::<shapes::NewApiKey>(KIND)
        .gives_one::<shapes::MadeApiKey>(201, KIND)
        .by(|call| Box::pin(call.api.create_api_key(call.asked, call.holder, call.body))),
    Operation::delete("revoke_api_key", "/api/api-keys/{id}", &["api-keys:write"])
        .limited(Tier::Small)
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.revoke_api_key(call.holder, call.id))),
];

impl Api {
    /// `GET /api/api-keys`.
    pub(crate) async fn list_api_keys(&self, asked: &Asked) -> ApiResult<Answer> {
        let mut keys = self.store.api_keys().await?;
        keys.sort_by(|(_, a), (_, b)| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
        let data = keys.iter().map(|(digest, key)| resource(asked, digest, key).build()).collect();
        Ok(Answer::ok(collection(asked, data, None, None)))
    }

    /// `POST /api/api-keys`. The answer is the only place where the key itself is told.
    pub(crate) async fn create_api_key(
        &self,
        asked: &Asked,
        holder: Option<&Holder>,
        bytes: &[u8],
    ) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, KIND)?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["name", "scopes", "limit"])?;
        let key = ApiKey {
            name: attributes.required("name")?.text_of(MAX_NAME)?.to_owned(),
            scopes: scopes(&attributes.required("scopes")?, known(holder)?)?,
            limit: limit(&attributes)?,
            created_at: self.now(),
        };
        if self.store.api_keys().await?.len() >= MAX_KEYS {
            let detail = format!("There are {MAX_KEYS} keys already: revoke one that is not used any more.");
            return Err(ApiError::conflict("too_many_keys", detail));
        }
        let secret = format!("pk_{:032x}", (self.random)());
        let digest = key_digest(&secret);
        match self.store.create_api_key(&digest, &key).await {
            Ok(()) => {
                let made = resource(asked, &digest, &key).attribute("key", secret).build();
                Ok(Answer::created(single(asked, made, None)))
            }
            Err(Error::Conflict) => Err(ApiError::unavailable("a random key was there before")),
            Err(error) => Err(error.into()),
        }
    }

    /// `DELETE /api/api-keys/{id}`.
    pub(crate) async fn revoke_api_key(&self, holder: Option<&Holder>, id: &str) -> ApiResult<Answer> {
        let keys = self.store.api_keys().await?;
        let found = keys.iter().find(|(digest, _)| id_of(digest) == id);
        let (digest, _) = found.ok_or_else(|| ApiError::not_found(KIND, id))?;
        if *digest == known(holder)?.digest {
            let detail = "A key does not revoke itself: use another one.";
            return Err(ApiError::conflict("key_in_use", detail));
        }
        self.store.delete_api_key(digest).await?;
        self.keys.forget(digest);
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }
}

/// Whose key it is: what is done here is never open.
fn known(holder: Option<&Holder>) -> ApiResult<&Holder> {
    holder.ok_or_else(|| ApiError::unavailable("an operation on keys is open"))
}

/// Shown instead of the digest: whoever sees it cannot try out what the key may be.
fn id_of(digest: &str) -> String {
    hash::long_id(&["api-key-id", digest])
}

fn resource<'a>(asked: &'a Asked, digest: &str, key: &ApiKey) -> Resource<'a> {
    Resource::new(asked, KIND, "api-keys", &id_of(digest))
        .attribute("name", key.name.as_str())
        .attribute("scopes", key.scopes.as_slice())
        .attribute("limit", key.limit.map(|limit| limit.to_string()))
        .attribute("created", time(key.created_at))
}

/// Scopes that there are, and that the caller has.
fn scopes(node: &Node<'_>, own: &Holder) -> ApiResult<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    for (place, item) in node.items()?.enumerate() {
        let scope = item.text()?;
        if place == MAX_SCOPES {
            return Err(node.invalid(format!("There must not be more than {MAX_SCOPES} scopes.")));
        }
        if !is_scope(scope) {
            return Err(item.invalid(format!("'{scope}' is not a scope.")));
        }
        if !allows(&own.key, scope) {
            return Err(item.invalid(format!("A key cannot give '{scope}', which it lacks.")));
        }
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    if scopes.is_empty() { Err(node.invalid("There must be a scope.")) } else { Ok(scopes) }
}

/// Whether some operation takes it, of those that are covered or of Klaviyo's others.
fn is_scope(scope: &str) -> bool {
    let name = |scope: &str| scope.split_once(':').map(|(name, _)| name.to_owned());
    let own = operations::all().flat_map(|operation| operation.scopes.iter().copied());
    let mut known = own.chain(klaviyo::operations().flat_map(|known| known.scopes().collect::<Vec<_>>()));
    match scope.strip_suffix(":full") {
        _ if scope == "*" => true,
        Some(full) => known.any(|known| name(known).as_deref() == Some(full)),
        None => known.any(|known| known == scope),
    }
}

fn limit(attributes: &Fields<'_>) -> ApiResult<Option<Allowance>> {
    let Some(node) = attributes.optional("limit") else { return Ok(None) };
    let wrong = |_| node.invalid("'unlimited' or a factor as a string, between 0.001 and 1000, is expected.");
    node.text()?.parse().map(Some).map_err(wrong)
}
