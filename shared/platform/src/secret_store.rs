//! Secrets of connections in Parameter Store: one `SecureString` per connection.

use aws_sdk_ssm::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_ssm::types::ParameterType;

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
        let request = self.client.get_parameter().name(self.name(connection)).with_decryption(true);
        match request.send().await {
            Ok(answer) => {
                let value = answer.parameter.and_then(|parameter| parameter.value).unwrap_or_default();
                serde_json::from_str(&value).map_err(|_| SecretError("parameter is not JSON".to_owned()))
            }
            Err(error) if error.code() == Some("ParameterNotFound") => Ok(Secrets::default()),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Replaces a connection's secrets.
    pub async fn put(&self, connection: &str, secrets: &Secrets) -> Result<(), SecretError> {
        let value = serde_json::to_string(secrets).map_err(|error| SecretError(error.to_string()))?;
        let request = self
            .client
            .put_parameter()
            .name(self.name(connection))
            .r#type(ParameterType::SecureString)
            .overwrite(true)
            .value(value);
        request.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Removes a connection's secrets.
    pub async fn delete(&self, connection: &str) -> Result<(), SecretError> {
        match self.client.delete_parameter().name(self.name(connection)).send().await {
            Err(error) if error.code() != Some("ParameterNotFound") => Err(failed(&error)),
            _ => Ok(()),
        }
    }

    fn name(&self, connection: &str) -> String {
        format!("{}/connections/{connection}", self.path)
    }
}

fn failed<E, R>(error: &SdkError<E, R>) -> SecretError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    SecretError(DisplayErrorContext(error).to_string())
}
