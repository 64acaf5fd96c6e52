//! The product as a process.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use aws_sdk_sqs::types::{Message, QueueAttributeName as Attribute};
use serde_json::Value;
use store::Store;
use tempfile::TempDir;

use crate::api::Api;
use crate::eventually;

/// A running stack. Dropping it kills the process and removes its data.
pub struct Stack {
    executable: PathBuf,
    /// Of the template, as `NAME=VALUE`.
    parameters: Vec<String>,
    data: TempDir,
    process: Option<Child>,
    api: Api,
    clients: runtime::Clients,
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
        let (process, api, clients) = spawn(&executable, data.path(), &parameters).await;
        Self { executable, parameters, data, process: Some(process), api, clients }
    }

    /// Where the process keeps its data and its log.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// A client of the API, with the key that the process printed.
    pub fn api(&self) -> &Api {
        &self.api
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
        let (process, api, clients) = spawn(&self.executable, self.data.path(), &self.parameters).await;
        self.process = Some(process);
        self.api = api;
        self.clients = clients;
    }

    /// Waits until no turn of a connection and no delivery waits or is being worked on.
    pub async fn settled(&self) {
        for queue in ["PollsQueue", "RawDeliveriesQueue"] {
            eventually(queue, async || (self.depth(queue).await == 0).then_some(())).await;
        }
    }

    /// Messages in a queue, whatever their state.
    pub async fn depth(&self, queue: &str) -> u64 {
        let names = [
            Attribute::ApproximateNumberOfMessages,
            Attribute::ApproximateNumberOfMessagesNotVisible,
            Attribute::ApproximateNumberOfMessagesDelayed,
        ];
        let url = self.queue_url(queue).await;
        let request = self.clients.sqs.get_queue_attributes().queue_url(url);
        let reply = request.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
        reply.attributes.unwrap().values().map(|count| count.parse::<u64>().unwrap()).sum()
    }

    /// Deliveries that were set aside, ten at most.
    pub async fn dead_letters(&self) -> Vec<Message> {
        let url = self.queue_url("RawDeliveriesDeadLetterQueue").await;
        let request = self.clients.sqs.receive_message().queue_url(url).max_number_of_messages(10);
        let reply = request.message_attribute_names("All").visibility_timeout(0).send().await.unwrap();
        reply.messages.unwrap_or_default()
    }

    /// Sends what was set aside through the queue again, and waits until it is worked off.
    pub async fn replay_dead_letters(&self) {
        let url = self.queue_url("RawDeliveriesDeadLetterQueue").await;
        let request = self.clients.sqs.get_queue_attributes().queue_url(url);
        let reply = request.attribute_names(Attribute::QueueArn).send().await.unwrap();
        let arn = &reply.attributes.unwrap()[&Attribute::QueueArn];
        self.clients.sqs.start_message_move_task().source_arn(arn).send().await.unwrap();
        self.settled().await;
    }

    /// The tables behind the API, for what it does not tell.
    pub fn store(&self) -> Store {
        let client = self.clients.dynamodb.clone();
        let table = |id: &str| format!("tillstream-{id}");
        Store::new(client, table("ProfilesTable"), table("OrdersTable"), table("RegistryTable"))
    }

    /// Lets the clock's minute come now.
    pub async fn tick(&self) -> Value {
        self.invoke("clock").await
    }

    /// Runs a function once, without an event, and returns what it answers.
    pub async fn invoke(&self, function: &str) -> Value {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let reply = self.api.post(&path, &Value::Null).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    async fn queue_url(&self, id: &str) -> String {
        let name = format!("tillstream-{id}");
        self.clients.sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.data.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the end of the log:\n{}", lines[lines.len().saturating_sub(100)..].join("\n"));
        }
    }
}

async fn spawn(executable: &Path, data: &Path, parameters: &[String]) -> (Child, Api, runtime::Clients) {
    let log = File::options().create(true).append(true).open(data.join("log")).unwrap();
    let mut command = Command::new(executable);
    command.args(["up", "--port", "0", "--data-dir"]).arg(data).stdout(Stdio::piped()).stderr(log);
    command.args(parameters.iter().flat_map(|parameter| ["--parameter", parameter]));
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
    (process, Api::new(printed.address, printed.key), clients)
}
