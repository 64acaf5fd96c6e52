//! Subscribing in a browser: by anybody, who is told nothing about anybody.

use http::StatusCode;
use serde_json::{Map, Value};

use super::{METHOD, Terms, read};
use crate::Api;
use crate::body::{self, Fields};
use crate::client::MAX_BODY_BYTES;
use crate::document::Answer;
use crate::error::ApiResult;
use crate::request::Asked;

impl Api {
    /// `POST /client/subscriptions`: 202 once it is done, or has to be confirmed.
    pub(crate) async fn create_client_subscription(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = self.sent_by_browser(asked, bytes, MAX_BODY_BYTES)?;
        let visit = read::visiting(&body)?;
        let list = self.list_at(Some(&visit.list)).await?;
        // What else they say about themselves.
        let profile = Map::from_iter([("attributes".to_owned(), Value::from(visit.attributes))]);
        let said = body::profile(&Fields { map: &profile, pointer: visit.pointer })?;
        self.put_visitor(said).await?;
        let custom_source = visit.custom_source;
        let terms = Terms { list, custom_source, method: METHOD, is_historical: false, is_public: true };
        self.subscribe(asked, vec![visit.subscriber], &terms).await?;
        Ok(Answer::empty(StatusCode::ACCEPTED))
    }
}
