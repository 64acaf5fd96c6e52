//! From a stream record to a change of a profile.

use std::collections::HashMap;

use aws_lambda_events::dynamodb::EventRecord;
use evaluation::{Change, ChangeKind};
use store::{Error, ItemKind, ProfileImage};

/// The profile and what changed; `None` for a record that is nobody's business here (the filter of the event source
/// lets none through, but a filter is a saving and not a guarantee).
pub(crate) fn read(record: EventRecord) -> Result<Option<(String, Change)>, Error> {
    let keys: HashMap<String, String> = texts(record.change.keys)?;
    let (Some(partition), Some(sort)) = (keys.get("pk"), keys.get("sk")) else { return Ok(None) };
    let Some(profile) = store::profile_of_key(partition).map(str::to_owned) else { return Ok(None) };
    let removed = record.event_name == "REMOVE";
    let kind = match ItemKind::of(sort) {
        ItemKind::Event if removed => ChangeKind::EventRemoved,
        ItemKind::Event if record.event_name == "INSERT" => {
            let image = record.change.new_image;
            ChangeKind::Event(store::read_event_image(image.into())?)
        }
        ItemKind::Profile if !removed => {
            let image = record.change.new_image;
            match store::read_profile_image(image.into())? {
                ProfileImage::Profile(_) if record.event_name == "INSERT" => ChangeKind::ProfileCreated,
                ProfileImage::Profile(_) => ChangeKind::ProfileChanged,
                ProfileImage::Merged | ProfileImage::Erased => ChangeKind::ProfileGone,
            }
        }
        ItemKind::Profile => ChangeKind::ProfileGone,
        ItemKind::Tick if !removed => {
            let image = record.change.new_image;
            ChangeKind::Tick { touched_ms: store::read_tick_image(&image.into()) }
        }
        ItemKind::Event | ItemKind::Tick | ItemKind::Other => return Ok(None),
    };
    let sequence = record.change.sequence_number.unwrap_or_default();
    let position =
        sequence.parse().map_err(|_| Error::Corrupt("stream record", "sequence number".to_owned()))?;
    Ok(Some((profile, Change { position, kind })))
}

fn texts(item: serde_dynamo::Item) -> Result<HashMap<String, String>, Error> {
    serde_dynamo::from_item(item).map_err(|error| Error::Corrupt("stream record", error.to_string()))
}
