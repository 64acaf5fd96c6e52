//! The `SQLite` file that holds queues, parameters and checkpoints.

use std::fs::{OpenOptions, Permissions};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Error};

/// A handle to the state file. Cloning shares the connection.
#[derive(Clone)]
pub(crate) struct State {
    connection: Arc<Mutex<Connection>>,
}

/// Why the state file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be created or protected.
    #[error("cannot create {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the file system said.
        source: io::Error,
    },
    /// `SQLite` refuses it.
    #[error("cannot open {path}: {source}")]
    Database {
        /// The file.
        path: String,
        /// What `SQLite` said.
        source: Error,
    },
}

impl State {
    /// Opens or creates the file, readable by its owner alone because it holds secrets, and makes
    /// the tables in `schemas` (each idempotent SQL).
    pub(crate) fn open(path: &Path, schemas: &[&str]) -> Result<Self, OpenError> {
        let name = path.display().to_string();
        protect(path).map_err(|source| OpenError::File { path: name.clone(), source })?;
        let open = || {
            let connection = Connection::open(path)?;
            // A killed process loses nothing in this mode; only a power cut can lose the last commits.
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
            for schema in schemas {
                connection.execute_batch(schema)?;
            }
            Ok(connection)
        };
        let connection = open().map_err(|source| OpenError::Database { path: name, source })?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs `job` with the connection, off the asynchronous threads.
    pub(crate) async fn call<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        let task = tokio::task::spawn_blocking(move || {
            // An open transaction rolls back when it unwinds, so a poisoned connection is sound.
            job(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match task.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is going down; nothing was done.
            Err(_) => Err(Error::ExecuteReturnedResults.into()),
        }
    }
}

fn protect(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    drop(file);
    Ok(())
}
