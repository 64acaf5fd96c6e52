#![doc = include_str!("../README.md")]

mod api_keys;
mod authorizations;
mod back_in_stock;
mod bulk;
mod catalog;
mod catalog_jobs;
mod claims;
mod confirmations;
mod erase;
mod erased;
mod error;
mod events;
mod health;
mod identity;
mod imports;
mod jobs;
mod keys;
mod ledgers;
mod lists;
mod memberships;
mod merge;
mod metric_settings;
mod page;
mod polls;
mod predictions;
mod profiles;
mod quotas;
mod registry;
mod segments;
mod shelves;
mod suppressions;
mod table;
mod tags;
mod trust;

pub use api_keys::{Allowance, ApiKey, NoAllowance};
pub use authorizations::{Authorization, GrantLease, Ticket};
pub use back_in_stock::{BackInStock, NewsChannel};
pub use bulk::{BulkError, BulkImport, BulkOutcome, BulkPlace, BulkProgress, BulkRow};
pub use catalog::{CatalogKind, CatalogPlace, CatalogRecord};
pub use catalog_jobs::{CatalogAction, CatalogError, CatalogJob, CatalogProgress, CatalogRow};
pub use confirmations::Confirmation;
pub use erased::{name_of, name_of_profile, names_of, names_of_profile};
pub use error::{Error, Result};
pub use events::{EventFilter, EventKey, EventOrder, Put, StoredEvent, read_event_image};
pub use health::{Health, OTHER};
pub use identity::Resolved;
pub use imports::{Import, ImportStatus};
pub use jobs::{Choice, Job, JobKind, JobMessage, JobState, JobStatus, Progress, STUCK_MS, Step};
pub use keys::{ItemKind, METRIC_PARTS, PROFILE_SHARDS, metric_id, profile_of_key};
pub use ledgers::{Subject, SubjectKey};
pub use lists::{Joined, ListRecord, Listed, OptIn};
pub use memberships::{HISTORY_DAYS, Member, MembershipChange, Staged, Told};
pub use metric_settings::{CustomMetricRecord, MappedMetricRecord, MetricSettings};
pub use page::{Cursor, Page};
pub use polls::{MAX_RUNS, Poll, PollRun, Tally};
pub use predictions::{PredictionsRecord, SamplePart};
pub use profiles::{ProfileImage, ProfileSort, Versioned, read_profile_image};
pub use quotas::Quota;
pub use registry::{
    CatalogEntry, ConnectionRecord, ConnectionStatus, MetricRecord, ProgramRecord, SegmentRecord,
};
pub use segments::{Evaluation, StateRecord, read_tick_image};
pub use shelves::Shelf;
pub use suppressions::{SuppressedGroup, SuppressionJob, SuppressionProgress};
pub use table::Item;
pub use tags::{Tag, TagBook, TagGroup, Taggable};

/// The three tables.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) profiles: String,
    pub(crate) orders: String,
    pub(crate) registry: String,
}

impl Store {
    /// Over the tables of these names.
    pub fn new(client: aws_sdk_dynamodb::Client, profiles: String, orders: String, registry: String) -> Self {
        Self { client, profiles, orders, registry }
    }
}
