//! The members of segments and lists.

use std::collections::HashMap;

use canonical::{Instant, Profile};
use store::{Page, Store};

use crate::Api;
use crate::document::{Answer, collection, fill_page, identifier, page_of, time};
use crate::error::ApiResult;
use crate::filter::Operator;
use crate::operation::{ANY, COMPARED};
use crate::profiles::Lookup;
use crate::request::{Asked, Bounds, unsupported};

/// The default size of a page of members.
pub(crate) const MEMBER_PAGE: usize = 20;
/// The greatest.
pub(crate) const MAX_MEMBER_PAGE: usize = 100;
/// What members can be found by.
pub(crate) const MEMBER_FILTERS: [(&str, &[Operator]); 4] =
    [("profile_id", ANY), ("email", ANY), ("phone_number", ANY), ("joined_group_at", COMPARED)];
/// Pages of the store that one request reads at most when members are gone.
const ROUNDS: usize = 20;

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

impl Group<'_> {
    async fn page(
        self,
        store: &Store,
        descending: bool,
        bounds_ms: (Option<i64>, Option<i64>),
        after: Option<store::Cursor>,
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
            let page = fill_page(asked.cursor()?, size, ROUNDS, async |cursor, size| {
                let mut page = group.page(&self.store, descending, joined.pair(), cursor, size).await?;
                if !only_ids {
                    page.items = self.with_profiles(page.items).await?;
                }
                Ok(page)
            })
            .await?;
            (page.items, page.next.map(|cursor| cursor.encode()))
        } else {
            let found = self.named_members(group, &lookups, joined).await?;
            let key = |member: &Member| {
                let millis = member.joined_at.map_or(0, Instant::as_millis);
                format!("{:014}#{}", millis.max(0), member.profile_id)
            };
            page_of(asked, found, key, descending, size)?
        };
        let mut data = Vec::with_capacity(members.len());
        for member in &members {
            data.push(match &member.profile {
                Some(profile) if !only_ids => self
                    .profile_resource(asked, profile)
                    .attribute("joined_group_at", member.joined_at.map(time))
                    .build(),
                _ => identifier("profile", &member.profile_id),
            });
        }
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
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
