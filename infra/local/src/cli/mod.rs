//! What is done to a running Tillstream, here or elsewhere, through its HTTP API.
//!
//! Results go to standard output (as JSON with `--json`), progress and complaints to standard error. The process
//! ends with 0 if all went well, 1 if something failed or differs, 2 if it was called wrongly.

mod chunks;
mod client;
mod connections;
mod dead_letters;
mod deliveries;
mod explain;
mod export;
mod import;
mod keys;
mod output;
mod parity;
mod secret;
mod upload;

use clap::{Args, Subcommand};

use self::client::Client;
use self::output::Output;

/// Where Tillstream is, and how results are shown.
#[derive(Args, Clone, Debug, Default)]
pub struct Remote {
    /// Address of the API, else `TILLSTREAM_URL`, else this machine's port 8080.
    #[arg(long)]
    pub url: Option<String>,
    /// API key, else `TILLSTREAM_API_KEY`, else `pk_local` on this machine; `@FILE` or `-` (standard input) read it.
    #[arg(long)]
    pub key: Option<String>,
    /// Prints results as JSON.
    #[arg(long)]
    pub json: bool,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Shops that are connected.
    #[command(subcommand)]
    Connections(connections::Connections),
    /// Keys to the API: who may ask for what, and how often.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Reads what a connected platform knew before, and waits until it is in.
    Import(import::Import),
    /// Sends a file of profiles or events, CSV or NDJSON.
    Upload(upload::Upload),
    /// Puts deliveries that were set aside back into their queues.
    ReplayDlq(dead_letters::Replay),
    /// What became of a delivery: its events, profiles, memberships.
    Delivery(deliveries::Delivery),
    /// Reads archived deliveries again.
    Replay(deliveries::Replay),
    /// Compares what is stored with what the platform says, day by day.
    Parity(parity::Parity),
    /// Why somebody is in a segment, or not.
    Explain(explain::Explain),
    /// All that is kept of one person, as JSON.
    Export(export::Export),
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Good,
    /// It was done, but something failed or differs.
    Bad,
}

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It was called wrongly.
    #[error("{0}")]
    Usage(String),
    /// Something did not work.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

pub(crate) type Done = Result<Outcome, Failure>;

/// Does what a command says.
pub async fn run(command: Command) -> Done {
    match command {
        Command::Connections(command) => command.run().await,
        Command::Keys(command) => command.run().await,
        Command::Import(command) => command.run().await,
        Command::Upload(command) => command.run().await,
        Command::ReplayDlq(command) => command.run().await,
        Command::Delivery(command) => command.run().await,
        Command::Replay(command) => command.run().await,
        Command::Parity(command) => command.run().await,
        Command::Explain(command) => command.run().await,
        Command::Export(command) => command.run().await,
    }
}

impl Remote {
    fn open(&self) -> Result<(Client, Output), Failure> {
        Ok((Client::new(self)?, Output::new(self.json)))
    }
}
