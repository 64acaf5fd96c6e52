//! Which paths there are, and what a key must be allowed to do to use them.

use http::{Method, StatusCode};

use crate::error::{ApiError, ApiResult};

/// What a request wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Health,
    CreateEvent,
    ListEvents,
    GetEvent,
    EventMetric,
    EventMetricId,
    EventProfile,
    EventProfileId,
    ListMetrics,
    GetMetric,
    ListProfiles,
    CreateProfile,
    GetProfile,
    UpdateProfile,
    ImportProfile,
    CreateEvents,
    CreateBulkImport,
    ListBulkImports,
    GetBulkImport,
    BulkImportErrors,
    BulkImportProfiles,
    BulkImportProfileIds,
    ListDeadLetters,
    ReplayDeadLetters,
    ProfileSegments,
    ProfileSegmentIds,
    ProfileLists,
    ProfileListIds,
    ListLists,
    CreateList,
    GetList,
    UpdateList,
    DeleteList,
    ListMembers,
    ListMemberIds,
    AddToList,
    RemoveFromList,
    ProfileHistory,
    ListSegments,
    CreateSegment,
    GetSegment,
    UpdateSegment,
    DeleteSegment,
    SegmentProfiles,
    SegmentProfileIds,
    SegmentHistory,
    PreviewSegment,
    ExplainSegment,
    RecalculateSegment,
    ListSegmentJobs,
    GetSegmentJob,
    GetPredictions,
    FitPredictions,
    ListConnections,
    CreateConnection,
    GetConnection,
    UpdateConnection,
    DeleteConnection,
    AuthorizeConnection,
    RevokeConnection,
    TestConnection,
    Parity,
    CreateImport,
    ListImports,
    GetImport,
    CancelImport,
    ListPlatforms,
    GetPlatform,
    GetSchemas,
}

struct Route {
    method: Method,
    path: &'static str,
    /// Klaviyo's names; the key needs all of them.
    scopes: &'static [&'static str],
    endpoint: Endpoint,
}

const fn route(
    method: Method,
    path: &'static str,
    scopes: &'static [&'static str],
    endpoint: Endpoint,
) -> Route {
    Route { method, path, scopes, endpoint }
}

static ROUTES: &[Route] = &[
    route(Method::POST, "api/events", &["events:write"], Endpoint::CreateEvent),
    route(Method::GET, "api/events", &["events:read"], Endpoint::ListEvents),
    route(Method::GET, "api/events/{id}", &["events:read"], Endpoint::GetEvent),
    route(Method::GET, "api/events/{id}/metric", &["events:read", "metrics:read"], Endpoint::EventMetric),
    route(
        Method::GET,
        "api/events/{id}/relationships/metric",
        &["events:read", "metrics:read"],
        Endpoint::EventMetricId,
    ),
    route(Method::GET, "api/events/{id}/profile", &["events:read", "profiles:read"], Endpoint::EventProfile),
    route(
        Method::GET,
        "api/events/{id}/relationships/profile",
        &["events:read", "profiles:read"],
        Endpoint::EventProfileId,
    ),
    route(Method::GET, "api/metrics", &["metrics:read"], Endpoint::ListMetrics),
    route(Method::GET, "api/metrics/{id}", &["metrics:read"], Endpoint::GetMetric),
    route(Method::GET, "api/profiles", &["profiles:read"], Endpoint::ListProfiles),
    route(Method::POST, "api/profiles", &["profiles:write"], Endpoint::CreateProfile),
    route(Method::GET, "api/profiles/{id}", &["profiles:read"], Endpoint::GetProfile),
    route(Method::PATCH, "api/profiles/{id}", &["profiles:write"], Endpoint::UpdateProfile),
    route(Method::POST, "api/profile-import", &["profiles:write"], Endpoint::ImportProfile),
    route(Method::POST, "api/event-bulk-create-jobs", &["events:write"], Endpoint::CreateEvents),
    route(
        Method::POST,
        "api/profile-bulk-import-jobs",
        &["lists:write", "profiles:write"],
        Endpoint::CreateBulkImport,
    ),
    route(
        Method::GET,
        "api/profile-bulk-import-jobs",
        &["lists:read", "profiles:read"],
        Endpoint::ListBulkImports,
    ),
    route(
        Method::GET,
        "api/profile-bulk-import-jobs/{id}",
        &["lists:read", "profiles:read"],
        Endpoint::GetBulkImport,
    ),
    route(
        Method::GET,
        "api/profile-bulk-import-jobs/{id}/import-errors",
        &["profiles:read"],
        Endpoint::BulkImportErrors,
    ),
    route(
        Method::GET,
        "api/profile-bulk-import-jobs/{id}/profiles",
        &["profiles:read"],
        Endpoint::BulkImportProfiles,
    ),
    route(
        Method::GET,
        "api/profile-bulk-import-jobs/{id}/relationships/profiles",
        &["profiles:read"],
        Endpoint::BulkImportProfileIds,
    ),
    route(Method::GET, "api/dead-letters", &["connections:read"], Endpoint::ListDeadLetters),
    route(Method::POST, "api/dead-letters/{id}/replay", &["connections:write"], Endpoint::ReplayDeadLetters),
    route(
        Method::GET,
        "api/profiles/{id}/segments",
        &["profiles:read", "segments:read"],
        Endpoint::ProfileSegments,
    ),
    route(
        Method::GET,
        "api/profiles/{id}/relationships/segments",
        &["profiles:read", "segments:read"],
        Endpoint::ProfileSegmentIds,
    ),
    route(Method::GET, "api/profiles/{id}/lists", &["lists:read", "profiles:read"], Endpoint::ProfileLists),
    route(
        Method::GET,
        "api/profiles/{id}/relationships/lists",
        &["lists:read", "profiles:read"],
        Endpoint::ProfileListIds,
    ),
    route(Method::GET, "api/lists", &["lists:read"], Endpoint::ListLists),
    route(Method::POST, "api/lists", &["lists:write"], Endpoint::CreateList),
    route(Method::GET, "api/lists/{id}", &["lists:read"], Endpoint::GetList),
    route(Method::PATCH, "api/lists/{id}", &["lists:write"], Endpoint::UpdateList),
    route(Method::DELETE, "api/lists/{id}", &["lists:write"], Endpoint::DeleteList),
    route(Method::GET, "api/lists/{id}/profiles", &["lists:read", "profiles:read"], Endpoint::ListMembers),
    route(
        Method::GET,
        "api/lists/{id}/relationships/profiles",
        &["lists:read", "profiles:read"],
        Endpoint::ListMemberIds,
    ),
    route(
        Method::POST,
        "api/lists/{id}/relationships/profiles",
        &["lists:write", "profiles:write"],
        Endpoint::AddToList,
    ),
    route(
        Method::DELETE,
        "api/lists/{id}/relationships/profiles",
        &["lists:write", "profiles:write"],
        Endpoint::RemoveFromList,
    ),
    route(Method::GET, "api/segments", &["segments:read"], Endpoint::ListSegments),
    route(Method::POST, "api/segments", &["segments:write"], Endpoint::CreateSegment),
    route(Method::GET, "api/segments/{id}", &["segments:read"], Endpoint::GetSegment),
    route(Method::PATCH, "api/segments/{id}", &["segments:write"], Endpoint::UpdateSegment),
    route(Method::DELETE, "api/segments/{id}", &["segments:write"], Endpoint::DeleteSegment),
    route(
        Method::GET,
        "api/segments/{id}/profiles",
        &["profiles:read", "segments:read"],
        Endpoint::SegmentProfiles,
    ),
    route(
        Method::GET,
        "api/segments/{id}/relationships/profiles",
        &["profiles:read", "segments:read"],
        Endpoint::SegmentProfileIds,
    ),
    route(
        Method::GET,
        "api/profiles/{id}/segment-history",
        &["profiles:read", "segments:read"],
        Endpoint::ProfileHistory,
    ),
    route(
        Method::GET,
        "api/segments/{id}/history",
        &["profiles:read", "segments:read"],
        Endpoint::SegmentHistory,
    ),
    // Nothing is written.
    route(
        Method::POST,
        "api/segments/preview",
        &["profiles:read", "segments:read"],
        Endpoint::PreviewSegment,
    ),
    route(
        Method::GET,
        "api/segments/{id}/explain",
        &["profiles:read", "segments:read"],
        Endpoint::ExplainSegment,
    ),
    route(Method::GET, "api/predictions", &["segments:read"], Endpoint::GetPredictions),
    route(Method::POST, "api/predictions/fit", &["segments:write"], Endpoint::FitPredictions),
    route(Method::POST, "api/segments/{id}/recalculate", &["segments:write"], Endpoint::RecalculateSegment),
    route(Method::GET, "api/segment-jobs", &["segments:read"], Endpoint::ListSegmentJobs),
    route(Method::GET, "api/segment-jobs/{id}", &["segments:read"], Endpoint::GetSegmentJob),
    route(Method::GET, "api/connections", &["connections:read"], Endpoint::ListConnections),
    route(Method::POST, "api/connections", &["connections:write"], Endpoint::CreateConnection),
    route(Method::GET, "api/connections/{id}", &["connections:read"], Endpoint::GetConnection),
    route(Method::PATCH, "api/connections/{id}", &["connections:write"], Endpoint::UpdateConnection),
    route(Method::DELETE, "api/connections/{id}", &["connections:write"], Endpoint::DeleteConnection),
    route(
        Method::POST,
        "api/connections/{id}/authorize",
        &["connections:write"],
        Endpoint::AuthorizeConnection,
    ),
    route(
        Method::DELETE,
        "api/connections/{id}/authorize",
        &["connections:write"],
        Endpoint::RevokeConnection,
    ),
    route(Method::POST, "api/connections/{id}/test", &["connections:write"], Endpoint::TestConnection),
    route(Method::GET, "api/connections/{id}/parity", &["connections:read", "events:read"], Endpoint::Parity),
    route(Method::POST, "api/connections/{id}/import", &["connections:write"], Endpoint::CreateImport),
    route(Method::GET, "api/connections/{id}/imports", &["connections:read"], Endpoint::ListImports),
    route(Method::GET, "api/imports/{id}", &["connections:read"], Endpoint::GetImport),
    route(Method::DELETE, "api/imports/{id}", &["connections:write"], Endpoint::CancelImport),
    route(Method::GET, "api/platforms", &["connections:read"], Endpoint::ListPlatforms),
    route(Method::GET, "api/platforms/{id}", &["connections:read"], Endpoint::GetPlatform),
    route(Method::GET, "api/schemas", &["connections:read"], Endpoint::GetSchemas),
    route(Method::GET, "healthz", &[], Endpoint::Health),
];

/// What a request wants, whose id is in its path, and the scopes it takes. 404 for a path nobody knows, 405 for a
/// method that its path does not know.
pub(crate) fn find<'a>(
    method: &Method,
    path: &'a [String],
) -> ApiResult<(Endpoint, &'a str, &'static [&'static str])> {
    let mut allowed: Vec<&str> = Vec::new();
    for route in ROUTES {
        let Some(id) = matches(route.path, path) else { continue };
        if route.method == *method {
            return Ok((route.endpoint, id, route.scopes));
        }
        allowed.push(route.method.as_str());
    }
    if allowed.is_empty() {
        let detail = "There is nothing at this address.";
        return Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", "Not found.", detail));
    }
    let detail = format!("{method} is not allowed here.");
    let error =
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed.", detail);
    Err(ApiError { allow: Some(allowed.join(", ").into()), ..error })
}

/// The id in the path, empty if the route has none; `None` if it is another route's path.
fn matches<'a>(route: &str, path: &'a [String]) -> Option<&'a str> {
    let mut id = "";
    let mut parts = path.iter();
    for wanted in route.split('/') {
        let part = parts.next()?;
        if wanted == "{id}" {
            id = part;
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(id)
}
