//! The members of segments and lists.

use std::collections::HashMap;

use canonical::{Instant, Profile};
use serde_json::Value;
use store::{Cursor, Page, Store};

use crate::Api;
use crate::document::{Answer, collection, fill_page, identifier, page_of, time};
use crate::error::ApiResult;
use crate::filter::Operator;
use crate::operation::{ANY, COMPARED, EQUALS, Operation};
use crate::profiles::{ADDITIONAL, Lookup};
use crate::request::{Asked, Bounds, invalid_cursor, unsupported};
use crate::shapes;

const PAGE: usize = 20;
const MAX_PAGE: usize = 100;
/// What members can be found by.
const FILTERS: &[(&str, &[Operator])] = &[
    ("profile_id", ANY),
    ("email", ANY),
    ("phone_number", ANY),
    ("push_token", ANY),
    ("_kx", EQUALS),
    ("joined_group_at", COMPARED),
];
/// Pages of the store that one request reads at most when members are gone.
const ROUNDS: usize = 20;

/// Between the place and the beginning of a walk, in its cursor. Not a letter of base64.
const MARK: char = '.';

impl Operation {
    /// Lists the members of a group, with their profiles.
    pub(crate) const fn gives_members(self) -> Self {
        self.lists_members()
            .additional(&[("profile", &ADDITIONAL)])
            .fields(&["profile"])
            .gives_page::<shapes::Member>("profile")
    }

    /// Lists the ids of the members of a group.
    pub(crate) const fn gives_member_ids(self) -> Self {
        self.lists_members().gives_ids("profile")
    }

    const fn lists_members(self) -> Self {
        self.filters(FILTERS).sorts(&["joined_group_at"]).pages(PAGE, MAX_PAGE)
    }
}

/// What somebody can be a member of.
#[derive(Clone, Copy)]
pub(crate) enum Group<'a> {
    List(&'a str),
    Segment(&'a str),
}

/// A member and, where it is asked for, the profile.
struct Member {
    profile_id: String,
    joined_at: Option<Instant>,
    profile: Option<Profile>,
}

/// A walk through all members. Whoever leaves and joins again meanwhile moves to the end: a walk that goes there ends with
/// those who were members when it began, so that it meets nobody twice.
struct Walk {
    after: Option<Cursor>,
    /// When the last of those joined who were members when it began, in milliseconds.
    until_ms: Option<i64>,
}

impl Walk {
    async fn of(asked: &Asked, store: &Store, group: Group<'_>, descending: bool) -> ApiResult<Self> {
        if descending {
            return Ok(Self { after: asked.cursor()?, until_ms: None });
        }
        let Some(text) = asked.cursor_text() else {
            // A clock would not do: members joined by those of others.
            let newest = group.page(store, true, (None, None), None, 1).await?.items.pop();
            let until_ms = newest.and_then(|newest| newest.joined_at).map(Instant::as_millis);
            return Ok(Self { after: asked.cursor()?, until_ms });
        };
        let read = |text: &str| {
            let (after, until_ms) = match text.split_once(MARK) {
                Some((after, until_ms)) => (after, Some(until_ms.parse().ok()?)),
                None => (text, None),
            };
            Some(Self { after: Some(Cursor::decode(after)?), until_ms })
        };
        read(&text).ok_or_else(invalid_cursor)
    }

    fn within(&self, mut joined: Bounds) -> Bounds {
        joined.to_ms = match (joined.to_ms, self.until_ms) {
            (Some(to_ms), Some(until_ms)) => Some(to_ms.min(until_ms)),
            (to_ms, until_ms) => to_ms.or(until_ms),
        };
        joined
    }

    fn cursor(&self, next: &Cursor) -> String {
        match self.until_ms {
            Some(until_ms) => format!("{}{MARK}{until_ms}", next.encode()),
            None => next.encode(),
        }
    }
}

impl Group<'_> {
    async fn page(
        self,
        store: &Store,
        descending: bool,
        bounds_ms: (Option<i64>, Option<i64>),
        after: Option<Cursor>,
        size: usize,
    ) -> store::Result<Page<Member>> {
        let member = |profile_id, joined_at| Member { profile_id, joined_at, profile: None };
        match self {
            Self::List(id) => {
                let page = store.listed(id, descending, bounds_ms, after, size).await?;
                let items = page.items.into_iter().map(|listed| member(listed.profile_id, listed.joined_at));
                Ok(Page { items: items.collect(), next: page.next })
            }
            Self::Segment(id) => {
                let page = store.members(id, descending, bounds_ms, after, size).await?;
                let items = page.items.into_iter().map(|joined| member(joined.profile_id, joined.joined_at));
                Ok(Page { items: items.collect(), next: page.next })
            }
        }
    }

    /// Since when a profile belongs to it, if it does.
    async fn joined(self, store: &Store, profile: &Profile) -> store::Result<Option<Instant>> {
        match self {
            Self::List(id) => Ok(profile.lists.get(id).copied()),
            Self::Segment(id) => {
                let membership = store.membership(&profile.id, id).await?;
                Ok(membership.filter(|member| member.current).and_then(|member| member.joined_at))
            }
        }
    }
}

impl Api {
    /// `GET /api/{group}/{id}/profiles` and its relationship.
    pub(crate) async fn group_profiles(
        &self,
        asked: &Asked,
        group: Group<'_>,
        only_ids: bool,
    ) -> ApiResult<Answer> {
        let mut lookups = Vec::new();
        let mut joined = Bounds::default();
        for filter in asked.filters() {
            match filter.field.as_str() {
                "joined_group_at" => joined.narrow_by_instant(filter)?,
                _ => {
                    lookups.push(Lookup::of(filter, "profile_id")?.ok_or_else(|| unsupported(filter))?);
                }
            }
        }
        let descending = asked.sort().is_none_or(|(_, descending)| descending);
        let size = asked.page_size();
        let (members, next) = if lookups.is_empty() {
            let walk = Walk::of(asked, &self.store, group, descending).await?;
            let bounds = walk.within(joined);
            let page = fill_page(walk.after.clone(), size, ROUNDS, async |cursor, size| {
                let mut page = group.page(&self.store, descending, bounds.pair(), cursor, size).await?;
                if !only_ids {
                    page.items = self.with_profiles(page.items).await?;
                }
                Ok(page)
            })
            .await?;
            (page.items, page.next.map(|cursor| walk.cursor(&cursor)))
        } else {
            let found = self.named_members(group, &lookups, joined).await?;
            let key = |member: &Member| {
                let millis = member.joined_at.map_or(0, Instant::as_millis);
                format!("{:014}#{}", millis.max(0), member.profile_id)
            };
            page_of(asked, found, key, descending, size)?
        };
        let data = if only_ids {
            members.iter().map(|member| identifier("profile", &member.profile_id)).collect()
        } else {
            self.member_resources(asked, &members).await?
        };
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    async fn member_resources(&self, asked: &Asked, members: &[Member]) -> ApiResult<Vec<Value>> {
        let (profiles, joined): (Vec<&Profile>, Vec<Option<Instant>>) =
            members.iter().filter_map(|member| Some((member.profile.as_ref()?, member.joined_at))).unzip();
        let views = self.profile_views(asked, &profiles).await?.into_iter().zip(joined);
        let resources =
            views.map(|(view, joined_at)| view.attribute("joined_group_at", joined_at.map(time)).build());
        Ok(resources.collect())
    }

    /// Members with their profiles; those whose profile is gone are left out.
    async fn with_profiles(&self, members: Vec<Member>) -> ApiResult<Vec<Member>> {
        let ids = members.iter().map(|member| member.profile_id.as_str());
        let mut profiles: HashMap<String, Profile> = self.store.profiles_by_id(ids).await?;
        let found = members.into_iter().filter_map(|member| {
            let profile = profiles.remove(&member.profile_id)?;
            Some(Member { profile: Some(profile), ..member })
        });
        Ok(found.collect())
    }

    /// The members that conditions on identifiers name.
    async fn named_members(
        &self,
        group: Group<'_>,
        lookups: &[Lookup],
        joined: Bounds,
    ) -> ApiResult<Vec<Member>> {
        let Some((first, others)) = lookups.split_first() else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for profile in self.look_up(first).await? {
            if others.iter().all(|lookup| lookup.matches(&profile))
                && let Some(since) = group.joined(&self.store, &profile).await?
                && joined.contain(since.as_millis())
            {
                let profile_id = profile.id.clone();
                found.push(Member { profile_id, joined_at: Some(since), profile: Some(profile) });
            }
        }
        Ok(found)
    }
}
