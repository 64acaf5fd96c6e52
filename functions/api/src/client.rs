//! What browsers send. They know the account's public id and no key: they are told nothing, and nobody's identifiers
//! change by what they say.

use canonical::identity::Identifiers;
use canonical::{Person, Profile};
use http::StatusCode;
use serde_json::{Map, Value};

use crate::Api;
use crate::back_in_stock::Subscription;
use crate::body::{self, Fields, ProfileInput};
use crate::bulk_events::EventsOf;
use crate::document::Answer;
use crate::error::{ApiError, ApiResult};
use crate::event_body::read_event;
use crate::operation::{Operation, Tier};
use crate::ports::Queue;
use crate::profiles::apply;
use crate::request::Asked;
use crate::shapes;

/// The parameter that names the account.
pub(crate) const COMPANY: &str = "company_id";
/// The largest body of one event or profile, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;
/// The largest body of several events, in bytes.
const MAX_BULK_BYTES: usize = 1024 * 1024;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::post("create_client_event", "/client/events", &["events:write"])
        .open()
        .limited(Tier::ExtraLarge)
        .parameters(&[COMPANY])
        .takes::<shapes::NewEvent>("event")
        .gives_nothing(202)
        .by(|call| Box::pin(call.api.create_client_event(call.asked, call.body))),
    Operation::post("bulk_create_client_events", "/client/event-bulk-create", &["events:write"])
        .open()
        .limited(Tier::Medium)
        .parameters(&[COMPANY])
        .takes::<shapes::NewClientEvents>("event-bulk-create")
        .gives_nothing(202)
        .by(|call| Box::pin(call.api.create_client_events(call.asked, call.body))),
    Operation::post("create_client_profile", "/client/profiles", &["profiles:write"])
        .open()
        .limited(Tier::ExtraLarge)
        .parameters(&[COMPANY])
        .takes::<shapes::NewProfile>("profile")
        .with_id()
        .with_meta::<shapes::ProfileMeta>()
        .gives_nothing(202)
        .by(|call| Box::pin(call.api.create_client_profile(call.asked, call.body))),
    Operation::post(
        "create_client_back_in_stock_subscription",
        "/client/back-in-stock-subscriptions",
        &["catalogs:write", "profiles:write"],
    )
    .open()
    .limited(Tier::ExtraLarge)
    .parameters(&[COMPANY])
    .takes::<shapes::NewBackInStock>("back-in-stock-subscription")
    .related_to::<shapes::OfVariant>()
    .gives_nothing(202)
    .by(|call| Box::pin(call.api.create_client_back_in_stock_subscription(call.asked, call.body))),
];

impl Api {
    /// `POST /client/events`: 202 once the queue has it, whether or not the profile is there.
    pub(crate) async fn create_client_event(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = self.sent_by_browser(asked, bytes, MAX_BODY_BYTES)?;
        let now = self.now();
        let data = body::data(&body, "event")?;
        data.only(&["type", "attributes", "id"])?;
        let mut event = read_event(&data.required("attributes")?.object()?, now)?;
        event.public = true;
        let message = self.event_message(&event, now)?;
        self.outbox.send(Queue::RawDeliveries, message).await.map_err(ApiError::unavailable)?;
        Ok(Answer::empty(StatusCode::ACCEPTED))
    }

    /// `POST /client/event-bulk-create`: events of one profile, all of them or none.
    pub(crate) async fn create_client_events(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = self.sent_by_browser(asked, bytes, MAX_BULK_BYTES)?;
        let now = self.now();
        let mut events = EventsOf::new("/data/attributes/events/data");
        events.read(&body::data(&body, "event-bulk-create")?, now)?;
        let mut events = events.all()?;
        for event in &mut events {
            event.public = true;
        }
        self.enqueue(events, now).await?;
        Ok(Answer::empty(StatusCode::ACCEPTED))
    }

    /// `POST /client/profiles`.
    pub(crate) async fn create_client_profile(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = self.sent_by_browser(asked, bytes, MAX_BODY_BYTES)?;
        let data = body::data(&body, "profile")?;
        let input = body::profile(&data)?;
        if input.id.is_none() && !input.identifies() {
            let detail =
                "At least one identifier is required: id, email, phone_number, external_id or anonymous_id.";
            return Err(ApiError::invalid("/data/attributes", detail));
        }
        self.put_visitor(input).await?;
        Ok(Answer::empty(StatusCode::ACCEPTED))
    }

    /// `POST /client/back-in-stock-subscriptions`.
    pub(crate) async fn create_client_back_in_stock_subscription(
        &self,
        asked: &Asked,
        bytes: &[u8],
    ) -> ApiResult<Answer> {
        let body = self.sent_by_browser(asked, bytes, MAX_BODY_BYTES)?;
        self.subscribe_to_back_in_stock(&Subscription::of(&body)?, true).await
    }

    /// Writes what anybody says about a profile. What cannot be written is passed over in silence: a refusal would
    /// tell who is there.
    pub(crate) async fn put_visitor(&self, input: ProfileInput) -> ApiResult<()> {
        let identifiers = Identifiers::of(&input.person, "").0;
        let ProfileInput { id, person, patch, .. } = input;
        let attributes = Person { attributes: person.attributes, ..Person::default() };
        let said = ProfileInput { person: attributes, patch, ..ProfileInput::default() };
        if let Some(id) = id {
            let data = Fields { map: &Map::new(), pointer: "/data".to_owned() };
            match self.patch_profile(&id, &data, &said).await {
                Err(error) if error.status == StatusCode::NOT_FOUND => {}
                Err(error) if error.status.is_server_error() => return Err(error),
                _ => return Ok(()),
            }
        }
        let now = self.now();
        let change = |profile: &mut Profile| apply(profile, &said, now).unwrap_or_default();
        self.store.update_visitor(&identifiers, None, now, change).await?;
        Ok(())
    }

    /// A body that was sent to this account, and is small enough.
    pub(crate) fn sent_by_browser(&self, asked: &Asked, bytes: &[u8], most: usize) -> ApiResult<Value> {
        let given = asked.parameter(COMPANY).ok_or_else(|| {
            ApiError::parameter(COMPANY, "The parameter 'company_id' is required: the account's public id.")
        })?;
        if !self.is_company(given) {
            return Err(ApiError::parameter(COMPANY, "There is no account with this public id."));
        }
        if bytes.len() > most {
            return Err(ApiError::too_large(format!("A body must not be larger than {} KB.", most / 1024)));
        }
        let mut body = body::parse(bytes)?;
        forget_identifier_patches(&mut body);
        Ok(body)
    }

    /// Whether this is the account's public id.
    pub(crate) fn is_company(&self, given: &str) -> bool {
        self.company_id.as_deref() == Some(given)
    }
}

/// What is to be done to identifiers is accepted and not done.
fn forget_identifier_patches(body: &mut Value) {
    for profile in ["/data", "/data/attributes/profile/data"] {
        for meta in ["meta", "attributes/meta"] {
            if let Some(Value::Object(meta)) = body.pointer_mut(&format!("{profile}/{meta}")) {
                meta.remove("patch_identifiers");
            }
        }
    }
}
