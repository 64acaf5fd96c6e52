use std::collections::BTreeMap;

/// Names of the resources a function works on, from its environment variables.
///
/// | variable | what | who reads it |
/// |---|---|---|
/// | `PROFILES_TABLE` | table of profiles, events, states and memberships | mapper, segment-evaluator, clock, jobs, api |
/// | `ORDERS_TABLE` | table of order, checkout and cart ledgers, and of large bodies | receivers, poller, mapper, jobs, api |
/// | `REGISTRY_TABLE` | table of connections, metrics, segments, keys, jobs, catalog | all |
/// | `RAW_DELIVERIES_QUEUE_URL` | queue from receivers, poller and API to the mapper | receivers, poller, files, mapper, jobs, api |
/// | `RAW_DELIVERIES_DLQ_URL` | where the mapper sets aside what can never succeed | mapper, api |
/// | `ARCHIVE_BUCKET` | where deliveries are archived; nowhere if absent | mapper, jobs, api |
/// | `JOBS_DLQ_URL`, `POLLS_DLQ_URL`, `FILES_DLQ_URL` | where chunks of jobs, turns of connections and announcements of files are set aside | api; the last also files |
/// | `JOBS_QUEUE_URL` | queue of job chunks | api, clock, jobs |
/// | `POLLS_QUEUE_URL` | queue of connections' turns to be asked | api, poller |
/// | `FILES_QUEUE_URL`, `FILES_BUCKET` | queue of announcements of files, and where they lie | files; the queue also api |
/// | `SECRETS_PATH` | path in Parameter Store under which secrets live | receivers, poller, mapper, api |
/// | `FETCH_PRIVATE_HOSTS` | `true` lets requests to platforms go to private hosts and by HTTP; only for tests and the local stack | poller, mapper, api |
/// | `PUBLIC_URL` | address of the API as the outside sees it; the request's own host if absent | api |
/// | `RATE_LIMITS` | how often one key may call one operation: `klaviyo` (also if absent), `off`, or a factor | api |
/// | `TIME_ZONE` | the account's IANA time zone for day windows; UTC if absent | segment-evaluator, clock, jobs, api |
/// | `JOB_PROFILES_PER_SECOND` | profiles that one job goes over in a second at most; 500 if absent | jobs |
/// | `TICKS_PER_SECOND` | profiles that are touched in a second at most; 1000 if absent | clock |
/// | `STACK` | the stack's name, which ends the namespace of the counters: `Tillstream/<stack>` | all |
/// | `RUST_LOG` | the least severe records that are written; `info` if absent | all |
#[derive(Clone, Debug, Default)]
pub struct Config(BTreeMap<String, String>);

/// A variable that the function needs is absent or empty.
#[derive(Debug, thiserror::Error)]
#[error("environment variable {0} is not set")]
pub struct MissingVariable(&'static str);

impl Config {
    /// From the process's environment.
    pub fn from_env() -> Self {
        Self(std::env::vars().collect())
    }

    /// From given variables: how the local stack and tests configure a function.
    pub fn from_map(variables: BTreeMap<String, String>) -> Self {
        Self(variables)
    }

    /// A variable that must be there and not empty.
    pub fn required(&self, name: &'static str) -> Result<String, MissingVariable> {
        self.optional(name).ok_or(MissingVariable(name))
    }

    /// A variable that may be absent; empty counts as absent.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }
}
