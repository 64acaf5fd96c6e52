//! What can be asked about consent.

use super::suppress::Direction::{Suppress, Unsuppress};
use crate::client::COMPANY;
use crate::operation::{EQUALS, Operation, Tier};
use crate::shapes;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::post("bulk_subscribe_profiles", "/api/profile-subscription-bulk-create-jobs", WRITES)
        .takes::<shapes::Subscribing>("profile-subscription-bulk-create-job")
        .related_to::<shapes::OfList>()
        .gives_nothing(202)
        .by(|call| Box::pin(call.api.subscribe_profiles(call.asked, call.body))),
    Operation::post("bulk_unsubscribe_profiles", "/api/profile-subscription-bulk-delete-jobs", WRITES)
        .takes::<shapes::Unsubscribing>("profile-subscription-bulk-delete-job")
        .related_to::<shapes::OfList>()
        .gives_nothing(202)
        .by(|call| Box::pin(call.api.unsubscribe_profiles(call.body))),
    // As it was called until 2023-06-15.
    Operation::post("unsubscribe_profiles", "/api/profile-unsubscription-bulk-create-jobs", WRITES)
        .takes::<shapes::Unsubscribing>("profile-unsubscription-bulk-create-job")
        .related_to::<shapes::OfList>()
        .gives_nothing(202)
        .by(|call| Box::pin(call.api.unsubscribe_profiles(call.body))),
    Operation::get("get_bulk_suppress_profiles_jobs", "/api/profile-suppression-bulk-create-jobs", READS)
        .filters(&[("status", EQUALS), ("list_id", EQUALS), ("segment_id", EQUALS)])
        .sorts(&["created"])
        .fields(&["profile-suppression-bulk-create-job"])
        .cursor()
        .gives_page::<shapes::SuppressionJob>("profile-suppression-bulk-create-job")
        .by(|call| Box::pin(call.api.list_suppression_jobs(call.asked, Suppress))),
    Operation::post(
        "bulk_suppress_profiles",
        "/api/profile-suppression-bulk-create-jobs",
        &["profiles:write", "subscriptions:write"],
    )
    .fields(&["profile-suppression-bulk-create-job"])
    .takes::<shapes::Suppressing>("profile-suppression-bulk-create-job")
    .related_to::<shapes::OfGroup>()
    .gives_one::<shapes::SuppressionJob>(202, "profile-suppression-bulk-create-job")
    .by(|call| Box::pin(call.api.create_suppression_job(call.asked, Suppress, call.body))),
    Operation::get(
        "get_bulk_suppress_profiles_job",
        "/api/profile-suppression-bulk-create-jobs/{job_id}",
        READS,
    )
    .fields(&["profile-suppression-bulk-create-job"])
    .gives_one::<shapes::SuppressionJob>(200, "profile-suppression-bulk-create-job")
    .by(|call| Box::pin(call.api.get_suppression_job(call.asked, Suppress, call.id))),
    Operation::get("get_bulk_unsuppress_profiles_jobs", "/api/profile-suppression-bulk-delete-jobs", READS)
        .filters(&[("status", EQUALS), ("list_id", EQUALS), ("segment_id", EQUALS)])
        .sorts(&["created"])
        .fields(&["profile-suppression-bulk-delete-job"])
        .cursor()
        .gives_page::<shapes::SuppressionJob>("profile-suppression-bulk-delete-job")
        .by(|call| Box::pin(call.api.list_suppression_jobs(call.asked, Unsuppress))),
    Operation::post(
        "bulk_unsuppress_profiles",
        "/api/profile-suppression-bulk-delete-jobs",
        &["subscriptions:write"],
    )
    .fields(&["profile-suppression-bulk-delete-job"])
    .takes::<shapes::Suppressing>("profile-suppression-bulk-delete-job")
    .related_to::<shapes::OfGroup>()
    .gives_one::<shapes::SuppressionJob>(202, "profile-suppression-bulk-delete-job")
    .by(|call| Box::pin(call.api.create_suppression_job(call.asked, Unsuppress, call.body))),
    // As it was called until 2023-06-15.
    Operation::post(
        "unsuppress_profiles",
        "/api/profile-unsuppression-bulk-create-jobs",
        &["subscriptions:write"],
    )
    .takes::<shapes::Suppressing>("profile-unsuppression-bulk-create-job")
    .related_to::<shapes::OfGroup>()
    .gives_one::<shapes::SuppressionJob>(202, "profile-suppression-bulk-delete-job")
    .by(|call| Box::pin(call.api.create_suppression_job(call.asked, Unsuppress, call.body))),
    Operation::get(
        "get_bulk_unsuppress_profiles_job",
        "/api/profile-suppression-bulk-delete-jobs/{job_id}",
        READS,
    )
    .fields(&["profile-suppression-bulk-delete-job"])
    .gives_one::<shapes::SuppressionJob>(200, "profile-suppression-bulk-delete-job")
    .by(|call| Box::pin(call.api.get_suppression_job(call.asked, Unsuppress, call.id))),
    Operation::post("create_client_subscription", "/client/subscriptions", &["subscriptions:write"])
        .open()
        .limited(Tier::ExtraLarge)
        .parameters(&[COMPANY])
        .takes::<shapes::VisitorSubscribing>("subscription")
        .related_to::<shapes::OfList>()
        .gives_nothing(202)
        .by(|call| Box::pin(call.api.create_client_subscription(call.asked, call.body))),
];

const READS: &[&str] = &["subscriptions:read"];
const WRITES: &[&str] = &["lists:write", "profiles:write", "subscriptions:write"];
