//! Parameter Store: parameters with versions behind the JSON protocol, in the state file.
//!
//! A `SecureString` is kept as it is in a file that only its owner can read; without
//! `WithDecryption` a caller gets a digest in place of AWS's ciphertext.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws_json::{ApiError, JsonService, input};
use crate::clock::{Clock, now_ms};
use crate::sqs::body_md5;
use crate::state::State;
use crate::{ACCOUNT_ID, REGION};

pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS ssm_parameters (
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        type TEXT NOT NULL,
        value TEXT NOT NULL,
        modified_at_ms INTEGER NOT NULL,
        PRIMARY KEY (name, version)
    );
";

/// The size limit of a standard parameter; that of an advanced one is twice as much.
const STANDARD_LIMIT_BYTES: usize = 4 * 1024;

/// Parameter Store behind its JSON protocol.
pub(crate) struct SsmService {
    state: State,
    clock: Clock,
}

impl SsmService {
    pub(crate) fn new(state: State, clock: Clock) -> Self {
        Self { state, clock }
    }
}

impl JsonService for SsmService {
    const TARGET: &'static str = "AmazonSSM";
    const CONTENT_TYPE: &'static str = "application/x-amz-json-1.1";
    const NAME: &'static str = "ssm";

    fn call<'a>(&'a self, operation: &'a str, value: Value) -> BoxFuture<'a, Result<Value, ApiError>> {
        match operation {
            "PutParameter" => self.put(value).boxed(),
            "GetParameter" => self.get(value).boxed(),
            "GetParameters" => self.get_many(value).boxed(),
            "GetParametersByPath" => self.get_by_path(value).boxed(),
            "GetParameterHistory" => self.history(value).boxed(),
            "DeleteParameter" => self.delete(value).boxed(),
            "DeleteParameters" => self.delete_many(value).boxed(),
            other => {
                let error = ApiError::unknown_operation(other);
                async { Err(error) }.boxed()
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutInput {
    name: String,
    value: String,
    r#type: Option<String>,
    #[serde(default)]
    overwrite: bool,
    tier: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameInput {
    name: String,
    #[serde(default)]
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NamesInput {
    names: Vec<String>,
    #[serde(default)]
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PathInput {
    path: String,
    #[serde(default)]
    recursive: bool,
    #[serde(default)]
    with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
}

struct Parameter {
    name: String,
    version: i64,
    kind: String,
    value: String,
    modified_at_ms: i64,
}

const COLUMNS: &str = "name, version, type, value, modified_at_ms";

impl Parameter {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            name: row.get(0)?,
            version: row.get(1)?,
            kind: row.get(2)?,
            value: row.get(3)?,
            modified_at_ms: row.get(4)?,
        })
    }

    fn json(&self, with_decryption: bool) -> Value {
        let secret = self.kind == "SecureString" && !with_decryption;
        let slash = if self.name.starts_with('/') { "" } else { "/" };
        // Whole seconds with a fraction, as the protocol writes time.
        let modified = format!("{}.{:03}", self.modified_at_ms / 1000, self.modified_at_ms % 1000);
        json!({
            "Name": self.name,
            "Type": self.kind,
            "Value": if secret { body_md5(&self.value) } else { self.value.clone() },
            "Version": self.version,
            "LastModifiedDate": serde_json::from_str::<Value>(&modified).unwrap_or_default(),
            "ARN": format!("arn:aws:ssm:{REGION}:{ACCOUNT_ID}:parameter{slash}{}", self.name),
            "DataType": "text",
        })
    }
}

impl From<rusqlite::Error> for ApiError {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(error.to_string())
    }
}

fn not_found(name: &str) -> ApiError {
    ApiError::invalid("ParameterNotFound", format!("the parameter {name} does not exist"))
}

fn refuse(message: impl Into<String>) -> ApiError {
    ApiError::invalid("ValidationException", message)
}

/// Finds by name, or by `name:version`; without a version, the latest.
fn find(connection: &Connection, selector: &str) -> Result<Option<Parameter>, ApiError> {
    let (name, version) = match selector.rsplit_once(':') {
        Some((name, version)) => match version.parse::<i64>() {
            Ok(version) => (name, Some(version)),
            Err(_) => (selector, None),
        },
        None => (selector, None),
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM ssm_parameters
         WHERE name = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY version DESC LIMIT 1"
    );
    Ok(connection.prepare_cached(&sql)?.query_row(params![name, version], Parameter::read).optional()?)
}

impl SsmService {
    async fn put(&self, value: Value) -> Result<Value, ApiError> {
        let put: PutInput = input(value)?;
        let tier = put.tier.unwrap_or_else(|| "Standard".to_owned());
        let limit = if tier == "Standard" { STANDARD_LIMIT_BYTES } else { 2 * STANDARD_LIMIT_BYTES };
        if put.value.is_empty() || put.value.len() > limit {
            return Err(refuse(format!("a {tier} parameter has 1 to {limit} bytes")));
        }
        let allowed = |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
        let slashed = !put.name.contains('/') || put.name.starts_with('/');
        if put.name.is_empty() || put.name.len() > 1011 || !put.name.chars().all(allowed) || !slashed {
            return Err(refuse(format!("the parameter name {} is malformed", put.name)));
        }
        let now = now_ms(&self.clock);
        self.state
            .call(move |connection| {
                let transaction = connection.transaction()?;
                let existing = find(&transaction, &put.name)?;
                let (version, kind) = match (existing, put.r#type) {
                    (Some(_), _) if !put.overwrite => {
                        let message = format!("the parameter {} exists", put.name);
                        return Err(ApiError::invalid("ParameterAlreadyExists", message));
                    }
                    (Some(existing), kind) => (existing.version + 1, kind.unwrap_or(existing.kind)),
                    (None, Some(kind)) => (1, kind),
                    (None, None) => return Err(refuse("a new parameter needs a type")),
                };
                if !matches!(kind.as_str(), "String" | "StringList" | "SecureString") {
                    return Err(refuse(format!("{kind} is not a parameter type")));
                }
                transaction.execute(
                    "INSERT INTO ssm_parameters (name, version, type, value, modified_at_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![put.name, version, kind, put.value, now],
                )?;
                transaction.commit()?;
                Ok(json!({"Version": version, "Tier": tier}))
            })
            .await
    }

    async fn get(&self, value: Value) -> Result<Value, ApiError> {
        let NameInput { name, with_decryption } = input(value)?;
        self.state
            .call(move |connection| match find(connection, &name)? {
                Some(parameter) => Ok(json!({"Parameter": parameter.json(with_decryption)})),
                None => Err(not_found(&name)),
            })
            .await
    }

    async fn get_many(&self, value: Value) -> Result<Value, ApiError> {
        let NamesInput { names, with_decryption } = input(value)?;
        if !(1..=10).contains(&names.len()) {
            return Err(refuse("Names has 1 to 10 entries"));
        }
        self.state
            .call(move |connection| {
                let (mut found, mut invalid) = (Vec::new(), Vec::new());
                for name in names {
                    match find(connection, &name)? {
                        Some(parameter) => found.push(parameter.json(with_decryption)),
                        None => invalid.push(name),
                    }
                }
                Ok(json!({"Parameters": found, "InvalidParameters": invalid}))
            })
            .await
    }

    async fn get_by_path(&self, value: Value) -> Result<Value, ApiError> {
        let query: PathInput = input(value)?;
        let limit = query.max_results.unwrap_or(10);
        if !(1..=10).contains(&limit) {
            return Err(refuse("MaxResults is 1 to 10"));
        }
        if !query.path.starts_with('/') {
            return Err(refuse("a path starts with a slash"));
        }
        self.state
            .call(move |connection| {
                let prefix = format!("{}/", query.path.trim_end_matches('/'));
                let sql = format!(
                    "SELECT {COLUMNS} FROM ssm_parameters AS latest
                     WHERE substr(name, 1, length(?1)) = ?1 AND name > ?2 AND version =
                         (SELECT MAX(version) FROM ssm_parameters WHERE name = latest.name)
                     ORDER BY name"
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let after = query.next_token.unwrap_or_default();
                let mut page = Vec::new();
                for parameter in statement.query_map(params![prefix, after], Parameter::read)? {
                    let parameter = parameter?;
                    if query.recursive || !parameter.name[prefix.len()..].contains('/') {
                        page.push(parameter);
                    }
                    if page.len() > limit {
                        break;
                    }
                }
                let more = page.len() > limit;
                page.truncate(limit);
                let parameters: Vec<_> =
                    page.iter().map(|parameter| parameter.json(query.with_decryption)).collect();
                let mut output = json!({"Parameters": parameters});
                if let Some(last) = page.last().filter(|_| more) {
                    output["NextToken"] = json!(last.name);
                }
                Ok(output)
            })
            .await
    }

    async fn history(&self, value: Value) -> Result<Value, ApiError> {
        let NameInput { name, with_decryption } = input(value)?;
        self.state
            .call(move |connection| {
                let sql = format!("SELECT {COLUMNS} FROM ssm_parameters WHERE name = ?1 ORDER BY version");
                let mut statement = connection.prepare_cached(&sql)?;
                let versions = statement
                    .query_map([&name], Parameter::read)?
                    .map(|parameter| Ok(parameter?.json(with_decryption)))
                    .collect::<Result<Vec<_>, ApiError>>()?;
                if versions.is_empty() { Err(not_found(&name)) } else { Ok(json!({"Parameters": versions})) }
            })
            .await
    }

    async fn delete(&self, value: Value) -> Result<Value, ApiError> {
        let NameInput { name, .. } = input(value)?;
        let deleted = self.remove(vec![name.clone()]).await?;
        if deleted.is_empty() { Err(not_found(&name)) } else { Ok(json!({})) }
    }

    async fn delete_many(&self, value: Value) -> Result<Value, ApiError> {
        let NamesInput { names, .. } = input(value)?;
        let deleted = self.remove(names.clone()).await?;
        let invalid: Vec<_> = names.into_iter().filter(|name| !deleted.contains(name)).collect();
        Ok(json!({"DeletedParameters": deleted, "InvalidParameters": invalid}))
    }

    async fn remove(&self, names: Vec<String>) -> Result<Vec<String>, ApiError> {
        self.state
            .call(move |connection| {
                let mut deleted = Vec::new();
                for name in names {
                    if connection.execute("DELETE FROM ssm_parameters WHERE name = ?1", [&name])? > 0 {
                        deleted.push(name);
                    }
                }
                Ok(deleted)
            })
            .await
    }
}
