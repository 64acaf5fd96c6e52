//! How far each mapping has read its stream.

use rusqlite::{Error, OptionalExtension as _, params};

use crate::state::State;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS stream_checkpoints (
        mapping TEXT PRIMARY KEY,
        stream_arn TEXT NOT NULL,
        sequence_number TEXT NOT NULL
    );
";

/// The positions of all mappings, in the state file.
#[derive(Clone)]
pub(crate) struct Checkpoints {
    state: State,
}

impl Checkpoints {
    pub(crate) fn new(state: State) -> Self {
        Self { state }
    }

    /// The last sequence number done. A stream made anew starts anew.
    pub(crate) async fn load(&self, mapping: &str, stream_arn: &str) -> Result<Option<String>, Error> {
        let (mapping, stream_arn) = (mapping.to_owned(), stream_arn.to_owned());
        self.state
            .call(move |connection| {
                let sql =
                    "SELECT sequence_number FROM stream_checkpoints WHERE mapping = ?1 AND stream_arn = ?2";
                connection.query_row(sql, params![mapping, stream_arn], |row| row.get(0)).optional()
            })
            .await
    }

    pub(crate) async fn save(
        &self,
        mapping: &str,
        stream_arn: &str,
        sequence_number: &str,
    ) -> Result<(), Error> {
        let row = [mapping, stream_arn, sequence_number].map(str::to_owned);
        self.state
            .call(move |connection| {
                connection
                    .prepare_cached("INSERT OR REPLACE INTO stream_checkpoints VALUES (?1, ?2, ?3)")?
                    .execute(row)
                    .map(|_| ())
            })
            .await
    }
}
