//! Secrets of connections in Parameter Store: one `SecureString` per connection, and one beside it for its grant.

use aws_sdk_ssm::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::adapter::Secrets;

/// Reads and writes the secrets of connections.
#[derive(Clone, Debug)]
pub struct SecretStore {
    client: aws_sdk_ssm::Client,
    path: String,
}

/// Parameter Store failed, or holds what is not a connection's secrets. The text holds no secret.
#[derive(Debug, thiserror::Error)]
#[error("secrets: {0}")]
pub struct SecretError(String);

impl SecretStore {
    /// Below a path such as `/tillstream/prod`.
    pub fn new(client: aws_sdk_ssm::Client, path: &str) -> Self {
        Self { client, path: path.trim_end_matches('/').to_owned() }
    }

    /// A connection's secrets; none if there are none.
    pub async fn get(&self, connection: &str) -> Result<Secrets, SecretError> {
        match self.read(self.name(connection)).await? {
            Some(value) => parse(&value),
            None => Ok(Secrets::default()),
        }
    }

    /// Replaces a connection's secrets.
    pub async fn put(&self, connection: &str, secrets: &Secrets) -> Result<(), SecretError> {
        self.write(self.name(connection), secrets, None).await
    }

    /// Removes a connection's secrets.
    pub async fn delete(&self, connection: &str) -> Result<(), SecretError> {
        self.remove(self.name(connection)).await
    }

    /// What a connection was granted, as it was put there.
    pub async fn grant<T: DeserializeOwned>(&self, connection: &str) -> Result<Option<T>, SecretError> {
        self.read(self.grant_name(connection)).await?.map(|value| parse(&value)).transpose()
    }

    /// Replaces what a connection was granted. How long tokens are is the platform's business: what is larger than the
    /// standard tier's 4 KB goes to the advanced tier, which costs something, and what is larger than its 8 KB nowhere.
    pub async fn put_grant(&self, connection: &str, grant: &impl Serialize) -> Result<(), SecretError> {
        self.write(self.grant_name(connection), grant, Some(ParameterTier::IntelligentTiering)).await
    }

    /// Removes what a connection was granted.
    pub async fn delete_grant(&self, connection: &str) -> Result<(), SecretError> {
        self.remove(self.grant_name(connection)).await
    }

    async fn read(&self, name: String) -> Result<Option<String>, SecretError> {
        match self.client.get_parameter().name(name).with_decryption(true).send().await {
            Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value)),
            Err(error) if error.code() == Some("ParameterNotFound") => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn write(
        &self,
        name: String,
        value: &impl Serialize,
        tier: Option<ParameterTier>,
    ) -> Result<(), SecretError> {
        let value = serde_json::to_string(value).map_err(|error| SecretError(error.to_string()))?;
        let request = self
            .client
            .put_parameter()
            .name(name)
            .r#type(ParameterType::SecureString)
            .set_tier(tier)
            .overwrite(true)
            .value(value);
        request.send().await.map(drop).map_err(|error| failed(&error))
    }

    async fn remove(&self, name: String) -> Result<(), SecretError> {
        match self.client.delete_parameter().name(name).send().await {
            Err(error) if error.code() != Some("ParameterNotFound") => Err(failed(&error)),
            _ => Ok(()),
        }
    }

    fn grant_name(&self, connection: &str) -> String {
        format!("{}/grant", self.name(connection))
    }

    fn name(&self, connection: &str) -> String {
        format!("{}/connections/{connection}", self.path)
    }
}

fn parse<T: DeserializeOwned>(value: &str) -> Result<T, SecretError> {
    serde_json::from_str(value).map_err(|_| SecretError("parameter is not JSON".to_owned()))
}

fn failed<E, R>(error: &SdkError<E, R>) -> SecretError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    SecretError(DisplayErrorContext(error).to_string())
}
