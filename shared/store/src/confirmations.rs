//! Subscriptions that wait to be confirmed. Of the link that confirms one only the digest is known here, and of the
//! address it goes to as well.

use aws_sdk_dynamodb::types::ReturnValue;
use canonical::Instant;
use canonical::fact::Channel;
use serde::{Deserialize, Serialize};

use crate::table::{self, Item, Unless, from_json, item_text, number, text, to_json};
use crate::{Error, Result, Store};

const CONFIRMATION: &str = "confirmation";

/// A subscription that waits to be confirmed, or has been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Whose it is.
    pub profile_id: String,
    /// The digest of the address that the link goes to: who has another by then confirms nothing.
    pub address: String,
    /// What is subscribed to.
    pub channels: Vec<Channel>,
    /// The list that is joined by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// Klaviyo's word for how it was asked for.
    pub method: String,
    /// What whoever asked calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it was asked for.
    pub requested_at: Instant,
    /// Until when it can be confirmed.
    pub expires_at: Instant,
    /// When it was confirmed first. Kept outside of the document.
    #[serde(skip)]
    pub confirmed_at: Option<Instant>,
}

impl Store {
    /// Writes down what the link of this digest confirms.
    pub async fn create_confirmation(&self, digest: &str, confirmation: &Confirmation) -> Result<()> {
        let mut item = table::key(&partition(digest), CONFIRMATION);
        item.insert("doc".to_owned(), text(to_json(confirmation)?));
        item.insert("expires".to_owned(), number(confirmation.expires_at.as_millis().div_euclid(1000)));
        self.put(&self.orders, item, Some(Unless::Exists)).await
    }

    /// What the link of this digest confirms. One that has expired may still be there.
    pub async fn confirmation(&self, digest: &str) -> Result<Option<Confirmation>> {
        let item = self.get(&self.orders, &partition(digest), CONFIRMATION).await?;
        item.as_ref().map(read).transpose()
    }

    /// Notes that it was confirmed, and returns it with the instant at which that happened first. `None` if it is gone.
    pub async fn confirm(&self, digest: &str, now: Instant) -> Result<Option<Confirmation>> {
        let request = self
            .client
            .update_item()
            .table_name(&self.orders)
            .set_key(Some(table::key(&partition(digest), CONFIRMATION)))
            .update_expression("SET confirmed = if_not_exists(confirmed, :now)")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", number(now.as_millis()))
            .return_values(ReturnValue::AllNew);
        match request.send().await.map_err(|error| Error::of(&error)) {
            Ok(answer) => answer.attributes.as_ref().map(read).transpose(),
            Err(Error::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn partition(digest: &str) -> String {
    format!("{CONFIRMATION}#{digest}")
}

fn read(item: &Item) -> Result<Confirmation> {
    let doc = item_text(item, "doc").ok_or_else(|| Error::corrupt(CONFIRMATION, "document missing"))?;
    let confirmation: Confirmation = from_json(CONFIRMATION, doc)?;
    let millis = item.get("confirmed").and_then(|value| value.as_n().ok()?.parse().ok());
    Ok(Confirmation { confirmed_at: millis.and_then(Instant::from_millis), ..confirmation })
}
