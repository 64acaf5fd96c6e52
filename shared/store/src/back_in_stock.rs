//! Who wants to hear when a variant of the catalog is back in stock. Lies with the profile, and in the index of members
//! under the variant.

use canonical::Instant;
use serde::{Deserialize, Serialize};

use crate::page::Page;
use crate::table::{self, Item, from_item, to_item};
use crate::{Cursor, Error, Result, Store, keys};

/// A way to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum NewsChannel {
    /// E-mail.
    Email,
    /// Messages of an app.
    Push,
    /// Text messages.
    Sms,
    /// `WhatsApp` messages.
    Whatsapp,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackInStock {
    /// Whose.
    pub profile_id: String,
    /// The external id of the variant.
    pub variant: String,
    /// How they want to be told.
    pub channels: Vec<NewsChannel>,
    /// When they last said so.
    pub subscribed_at: Instant,
}

#[derive(Serialize, Deserialize)]
struct BackInStockItem {
    pk: String,
    sk: String,
    /// The variant: the partition key of the index of members.
    seg: String,
    /// Time and profile: the index's sort key.
    joined: String,
    joined_ms: i64,
    channels: Vec<NewsChannel>,
}

impl Store {
    /// Notes a subscription; a newer one replaces it.
    pub async fn put_back_in_stock(&self, subscription: &BackInStock) -> Result<()> {
        let BackInStock { profile_id, variant, channels, subscribed_at } = subscription;
        let item = to_item(&BackInStockItem {
            pk: keys::profile(profile_id),
            sk: keys::back_in_stock(variant),
            seg: group(variant),
            joined: keys::timed(subscribed_at.as_millis(), profile_id),
            joined_ms: subscribed_at.as_millis(),
            channels: channels.clone(),
        })?;
        self.put(&self.profiles, item, None).await
    }

    /// A page of who waits for a variant, the longest first.
    pub async fn back_in_stock(
        &self,
        variant: &str,
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<BackInStock>> {
        let page = self.group(group(variant), false, (None, None), after, size).await?;
        let items = page.items.into_iter().map(read).collect::<Result<_>>()?;
        Ok(Page { items, next: page.next })
    }

    /// Gives the subscriptions of a profile that has merged to the one it became.
    pub(crate) async fn move_back_in_stock(&self, id: &str, into: &str) -> Result<()> {
        let items = self.subscriptions(id).await?;
        for item in &items {
            let subscription = read(item.clone())?;
            self.put_back_in_stock(&BackInStock { profile_id: into.to_owned(), ..subscription }).await?;
        }
        self.batch_delete(&self.profiles, items.iter().filter_map(table::key_of).collect()).await
    }

    /// Removes the subscriptions of a profile that was erased.
    pub(crate) async fn delete_back_in_stock(&self, id: &str) -> Result<()> {
        let items = self.subscriptions(id).await?;
        self.batch_delete(&self.profiles, items.iter().filter_map(table::key_of).collect()).await
    }

    async fn subscriptions(&self, id: &str) -> Result<Vec<Item>> {
        self.partition(&self.profiles, &keys::profile(id), keys::BACK_IN_STOCK_PREFIX).await
    }
}

/// A variant in the index of members, where segments stand under their bare ids.
fn group(variant: &str) -> String {
    format!("back-in-stock#{variant}")
}

fn read(item: Item) -> Result<BackInStock> {
    let item: BackInStockItem = from_item("back in stock", item)?;
    Ok(BackInStock {
        profile_id: keys::profile_of_key(&item.pk).unwrap_or_default().to_owned(),
        variant: item.sk.strip_prefix(keys::BACK_IN_STOCK_PREFIX).unwrap_or_default().to_owned(),
        channels: item.channels,
        subscribed_at: Instant::from_millis(item.joined_ms)
            .ok_or_else(|| Error::corrupt("back in stock", "no instant"))?,
    })
}
