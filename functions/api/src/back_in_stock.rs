//! Who wants to hear when a variant of the catalog is back in stock: noted, and told to the history as an event.

use canonical::identity::Identifiers;
use canonical::{ApiEvent, Person};
use http::StatusCode;
use serde_json::{Map, Value};
use store::{BackInStock, CatalogKind, CatalogRecord, NewsChannel, Resolved};

use crate::Api;
use crate::body::{self, Fields, Node, ProfileInput};
use crate::catalog::type_of;
use crate::document::Answer;
use crate::error::{ApiError, ApiResult};
use crate::event_body::read_profile;
use crate::operation::{Operation, Tier};
use crate::ports::Queue;
use crate::shapes;

/// Klaviyo's name of what happens.
const METRIC: &str = "Subscribed to Back in Stock";
const CHANNELS: [(&str, NewsChannel); 4] = [
    ("EMAIL", NewsChannel::Email),
    ("PUSH", NewsChannel::Push),
    ("SMS", NewsChannel::Sms),
    ("WHATSAPP", NewsChannel::Whatsapp),
];

pub(crate) static OPERATIONS: &[Operation] = &[Operation::post(
    "create_back_in_stock_subscription",
    "/api/back-in-stock-subscriptions",
    &["catalogs:write", "profiles:write"],
)
.limited(Tier::ExtraLarge)
.takes::<shapes::NewBackInStock>("back-in-stock-subscription")
.related_to::<shapes::OfVariant>()
.gives_nothing(202)
.by(|call| Box::pin(call.api.create_back_in_stock_subscription(call.body)))];

/// What a request asks for.
pub(crate) struct Subscription<'a> {
    channels: Vec<NewsChannel>,
    profile: ProfileInput,
    variant: Node<'a>,
}

impl<'a> Subscription<'a> {
    /// Reads the body of a request, from a server or from a client.
    pub(crate) fn of(body: &'a Value) -> ApiResult<Self> {
        let data = body::data(body, "back-in-stock-subscription")?;
        data.only(&["type", "attributes", "relationships"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["channels", "profile"])?;
        let relationships = data.required("relationships")?.object()?;
        relationships.only(&["variant"])?;
        let variant = relationships.required("variant")?.object()?.required("data")?;
        Ok(Self {
            channels: channels(&attributes)?,
            profile: read_profile(&attributes)?,
            variant: variant.id(type_of(CatalogKind::Variant))?,
        })
    }
}

fn channels(attributes: &Fields<'_>) -> ApiResult<Vec<NewsChannel>> {
    let node = attributes.required("channels")?;
    let mut channels = Vec::new();
    for item in node.items()? {
        let name = item.text()?;
        let Some((_, channel)) = CHANNELS.iter().find(|(known, _)| *known == name) else {
            return Err(item.invalid("A channel must be EMAIL, PUSH, SMS or WHATSAPP."));
        };
        if !channels.contains(channel) {
            channels.push(*channel);
        }
    }
    if channels.is_empty() {
        return Err(node.invalid("At least one channel is required."));
    }
    Ok(channels)
}

impl Api {
    /// `POST /api/back-in-stock-subscriptions`.
    pub(crate) async fn create_back_in_stock_subscription(&self, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        self.subscribe_to_back_in_stock(&Subscription::of(&body)?, false).await
    }

    /// Notes a subscription and hands its event to the queue: 202. Doing it again changes nothing but the time; within
    /// a second, it is the same event. If it is `public`, anybody may have sent it.
    pub(crate) async fn subscribe_to_back_in_stock(
        &self,
        subscription: &Subscription<'_>,
        public: bool,
    ) -> ApiResult<Answer> {
        let Subscription { channels, profile, variant } = subscription;
        let now = self.now();
        let found = self.named_records(CatalogKind::Variant, std::slice::from_ref(variant)).await?.pop();
        let variant = found.ok_or_else(|| variant.invalid("A variant is expected."))?;
        let item = match &variant.item {
            Some(item) => self.store.catalog_record(CatalogKind::Item, item.external_id()).await?,
            None => None,
        };
        let Some(profile_id) = self.subscriber(profile, public).await? else {
            return Ok(Answer::empty(StatusCode::ACCEPTED));
        };
        self.store
            .put_back_in_stock(&BackInStock {
                profile_id: profile_id.clone(),
                variant: variant.external_id.clone(),
                channels: channels.clone(),
                subscribed_at: now,
            })
            .await?;
        let event = ApiEvent {
            profile_id: Some(profile_id),
            person: Person { attributes: profile.person.attributes.clone(), ..Person::default() },
            metric: METRIC.to_owned(),
            // One event per second would not do: somebody may subscribe to several variants at once.
            unique_id: Some(format!("{}:{}", variant.external_id, now.timestamp().as_second())),
            time: Some(now.truncated_to_second()),
            properties: properties(&variant, item.as_ref(), channels),
            patch: profile.patch.clone(),
            service: None,
            value: None,
            backfill: false,
            public,
        };
        let message = self.event_message(&event, now)?;
        self.outbox.send(Queue::RawDeliveries, message).await.map_err(ApiError::unavailable)?;
        Ok(Answer::empty(StatusCode::ACCEPTED))
    }

    /// The id of the profile that subscribes, which is made if it is new. Nobody, where the public names an id that is
    /// not there: it is not told so.
    async fn subscriber(&self, input: &ProfileInput, public: bool) -> ApiResult<Option<String>> {
        if let Some(id) = &input.id {
            if let Some(profile) = self.store.profile(id).await? {
                return Ok(Some(profile.value.id));
            }
            if !input.identifies() {
                if public {
                    return Ok(None);
                }
                let detail =
                    format!("A profile with id {id} does not exist, and there is no other identifier.");
                return Err(ApiError::invalid("/data/attributes/profile/data/id", detail));
            }
        }
        let identifiers = Identifiers::of(&input.person, "").0;
        let now = self.now();
        let resolved = if public {
            self.store.update_visitor(&identifiers, None, now, |_| false).await?
        } else {
            self.store.update_person(&identifiers, None, now, |_| false).await?
        };
        match resolved {
            Resolved::Profile { profile, .. } => Ok(Some(profile.id)),
            Resolved::Nobody | Resolved::Erased => Err(ApiError::unavailable("the profile was not made")),
        }
    }
}

/// What messages about it need to know, in the names that Klaviyo gives to what is viewed or bought.
fn properties(
    variant: &CatalogRecord,
    item: Option<&CatalogRecord>,
    channels: &[NewsChannel],
) -> Map<String, Value> {
    let of_variant = |name: &str| variant.attributes.get(name).filter(|value| !value.is_null()).cloned();
    let of_item = |name: &str| item?.attributes.get(name).filter(|value| !value.is_null()).cloned();
    let either = |name: &str| of_variant(name).filter(|value| value != "").or_else(|| of_item(name));
    let names = CHANNELS.iter().filter(|(_, channel)| channels.contains(channel));
    let properties = [
        ("ProductID", item.map(|item| item.external_id.as_str().into())),
        ("ProductName", of_item("title")),
        ("VariantID", Some(variant.external_id.as_str().into())),
        ("VariantName", of_variant("title")),
        ("SKU", of_variant("sku")),
        ("Price", of_variant("price")),
        ("URL", either("url")),
        ("ImageURL", either("image_full_url")),
        ("Channels", Some(names.map(|(name, _)| Value::from(*name)).collect())),
    ];
    properties.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
