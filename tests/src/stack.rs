//! The product as a process.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::api::Api;
use crate::running::{Place, Running};

/// A local stack. Dropping it kills the process and removes its data.
pub struct Stack {
    executable: PathBuf,
    /// Of the template, as `NAME=VALUE`.
    parameters: Vec<String>,
    data: TempDir,
    /// What goes wrong on purpose, as `seed=7,rate=20`.
    faults: Option<String>,
    process: Option<Child>,
    running: Running,
}

impl Deref for Stack {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}

/// What the process prints when it is ready.
struct Printed {
    address: String,
    key: String,
    endpoints: [String; 3],
}

impl Stack {
    /// Starts the executable with an empty data directory.
    pub async fn start(executable: impl AsRef<Path>) -> Self {
        Self::start_with(executable, &[]).await
    }

    /// The same with parameters of the template, as `NAME=VALUE`.
    pub async fn start_with(executable: impl AsRef<Path>, parameters: &[&str]) -> Self {
        let data = TempDir::with_prefix("tillstream-test-").unwrap();
        let executable = executable.as_ref().to_owned();
        let parameters: Vec<String> = parameters.iter().map(|&parameter| parameter.to_owned()).collect();
        let (process, running) = spawn(&executable, data.path(), &parameters, None).await;
        Self { executable, parameters, data, faults: None, process: Some(process), running }
    }

    /// A second one, which goes on from where this one is. Both are started anew.
    pub async fn twin(&mut self) -> Self {
        assert!(self.terminate());
        let data = TempDir::with_prefix("tillstream-test-").unwrap();
        for file in std::fs::read_dir(self.data.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), data.path().join(file.file_name())).unwrap();
        }
        self.restart().await;
        let (executable, parameters) = (self.executable.clone(), self.parameters.clone());
        let (process, running) = spawn(&executable, data.path(), &parameters, None).await;
        Self { executable, parameters, data, faults: None, process: Some(process), running }
    }

    /// From the next start on, things go wrong on purpose, as `seed=7,rate=20`, or nothing does.
    pub fn set_faults(&mut self, faults: Option<String>) {
        self.faults = faults;
    }

    /// Where the process keeps its data and its log.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// Kills the process as it is (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Asks the process to end (SIGTERM) and waits until it did. Returns whether it ended well.
    #[must_use]
    pub fn terminate(&mut self) -> bool {
        let Some(mut process) = self.process.take() else { return false };
        let asked = Command::new("kill").arg("-TERM").arg(process.id().to_string()).status().unwrap();
        assert!(asked.success());
        process.wait().unwrap().success()
    }

    /// Starts it again with the same data, on another port.
    pub async fn restart(&mut self) {
        self.kill();
        let faults = self.faults.as_deref();
        let (process, running) = spawn(&self.executable, self.data.path(), &self.parameters, faults).await;
        self.process = Some(process);
        self.running = running;
    }

    /// What the process has in memory, in kilobytes.
    pub fn resident_kb(&self) -> u64 {
        let id = self.process.as_ref().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            print_end(&self.data.path().join("log"));
        }
    }
}

/// Shows the end of a log.
pub(crate) fn print_end(log: &Path) {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    eprintln!("the end of the log:\n{}", lines[lines.len().saturating_sub(100)..].join("\n"));
}

async fn spawn(
    executable: &Path,
    data: &Path,
    parameters: &[String],
    faults: Option<&str>,
) -> (Child, Running) {
    let log = File::options().create(true).append(true).open(data.join("log")).unwrap();
    let mut command = Command::new(executable);
    command.args(["up", "--port", "0", "--data-dir"]).arg(data).stdout(Stdio::piped()).stderr(log);
    command.args(parameters.iter().flat_map(|parameter| ["--parameter", parameter]));
    command.args(faults.into_iter().flat_map(|faults| ["--faults", faults]));
    command.env("RUST_LOG", "info");
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut next = || match lines.next() {
        Some(line) => line.unwrap().rsplit(' ').next().unwrap().to_owned(),
        None => panic!("the process ended: {}", std::fs::read_to_string(data.join("log")).unwrap()),
    };
    let printed = Printed { address: next(), key: next(), endpoints: [next(), next(), next()] };
    let [dynamodb, sqs, ssm] = printed.endpoints;
    let clients = runtime::Clients::local(&runtime::Endpoints { dynamodb, sqs, ssm }).await;
    (process, Running { api: Api::new(printed.address, printed.key), clients, place: Place::Local })
}
