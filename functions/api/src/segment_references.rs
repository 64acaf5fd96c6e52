//! What segments ask about each other: no segment asks about itself, whatever the way, about one that is not
//! evaluated, or about nothing.

use jiff::tz::TimeZone;
use segments::{CompileError, Definition, Program, Segment};
use serde_json::Map;
use store::SegmentRecord;

use crate::Api;
use crate::error::{ApiError, ApiResult};

impl Api {
    /// Refuses a definition that cannot be evaluated among the others. `id` is that of the segment it is for, `pointer`
    /// where it stands.
    pub(crate) async fn check_references(
        &self,
        id: &str,
        definition: &Definition,
        segments: &[SegmentRecord],
        pointer: &str,
    ) -> ApiResult<()> {
        let mut unknown = Vec::new();
        for (place, group, is_dated) in definition.group_ids() {
            let Some(found) = segments.iter().find(|segment| segment.id == group) else {
                if group != id {
                    unknown.push((place, group));
                }
                continue;
            };
            if is_dated {
                let condition = place.strip_suffix("/group_ids").unwrap_or(&place);
                let detail = format!(
                    "{group} is a segment: whether somebody belongs to it can be asked, not since when. \
                     That is kept for lists."
                );
                return Err(ApiError::invalid(format!("{pointer}{condition}/timeframe_filter"), detail));
            }
            if !found.is_active && group != id {
                let detail = format!("The segment {group} is not active, so nobody knows who belongs to it.");
                return Err(ApiError::invalid(format!("{pointer}{place}"), detail));
            }
        }
        if !unknown.is_empty() {
            let lists = self.store.lists().await?;
            if let Some((place, group)) =
                unknown.iter().find(|(_, group)| lists.iter().all(|list| list.id != *group))
            {
                let detail = format!("There is no list and no segment with the id {group}.");
                return Err(ApiError::invalid(format!("{pointer}{place}"), detail));
            }
        }
        check_program(id, definition, segments, pointer)
    }
}

/// Refuses what would keep the program from being compiled: nothing would be evaluated any more.
fn check_program(
    id: &str,
    definition: &Definition,
    segments: &[SegmentRecord],
    pointer: &str,
) -> ApiResult<()> {
    let others = segments.iter().filter(|segment| segment.is_active && segment.id != id);
    let others = others.filter_map(|segment| Some((segment.id.clone(), parsed(segment)?)));
    let all = others.chain([(id.to_owned(), definition.clone())]);
    let all = all.map(|(id, definition)| Segment { id, version: 1, definition }).collect();
    match Program::compile(1, all, TimeZone::UTC) {
        Ok(_) => Ok(()),
        Err(CompileError::Cycle(mut way)) => {
            // It begins anywhere and ends where it began.
            way.pop();
            let start = way.iter().position(|segment| segment == id).unwrap_or_default();
            way.rotate_left(start);
            way.push(id.to_owned());
            let next = way.get(1).map(String::as_str);
            let place = definition.group_ids().find(|(_, group, _)| Some(*group) == next);
            let place = place.map(|(place, ..)| place).unwrap_or_default();
            let detail = format!("Segments would ask about each other: {}.", way.join(" -> "));
            Err(ApiError::invalid(format!("{pointer}{place}"), detail))
        }
        Err(error) => {
            Err(ApiError::invalid(pointer, format!("The definition cannot be evaluated: {error}.")))
        }
    }
}

/// Refuses that a segment or a list goes while others ask about it.
pub(crate) fn refuse_if_asked<'a>(
    id: &str,
    code: &'static str,
    segments: impl Iterator<Item = &'a SegmentRecord>,
) -> ApiResult<()> {
    let asks = |segment: &&SegmentRecord| {
        segment.id != id
            && parsed(segment)
                .is_some_and(|definition| definition.group_ids().any(|(_, group, _)| group == id))
    };
    let asking: Vec<&SegmentRecord> = segments.filter(asks).collect();
    if asking.is_empty() {
        return Ok(());
    }
    let names: Vec<String> =
        asking.iter().map(|segment| format!("{} ({})", segment.id, segment.name)).collect();
    let detail = format!("Segments ask about it: {}.", names.join(", "));
    let ids: Vec<&str> = asking.iter().map(|segment| segment.id.as_str()).collect();
    let meta = Map::from_iter([("segment_ids".to_owned(), ids.into())]);
    let error = ApiError::conflict(code, detail);
    Err(ApiError { meta: Some(Box::new(meta)), ..error })
}

fn parsed(segment: &SegmentRecord) -> Option<Definition> {
    Definition::parse(&segment.definition).ok()
}
