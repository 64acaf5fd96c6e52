//! Each function alone, as `sam local invoke` runs it: SAM's own runtime interface emulator starts the package's `bootstrap`, with
//! the variables that the template gives it, and hands it the event of `infra/events`. Only the container is left out.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tests::{Api, Deployed, eventually};

use crate::{EMULATOR, build};

/// A function that waits for events.
struct Function {
    process: Child,
    invocations: Api,
}

impl Function {
    async fn start(bootstrap: &Path, variables: &BTreeMap<String, String>) -> Self {
        let [invocations, runtime] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [invocations, runtime] =
            [invocations, runtime].map(|free| free.local_addr().unwrap().to_string());
        let mut command = Command::new(EMULATOR.runtime_interface_emulator());
        command.args(["--runtime-interface-emulator-address", &invocations]);
        command.args(["--runtime-api-address", &runtime, "--log-level", "error"]).arg(bootstrap);
        command.envs(EMULATOR.variables()).envs(variables).stdout(Stdio::null());
        let process = command.spawn().unwrap();
        let invocations = Api::new(format!("http://{invocations}"), String::new());
        eventually("it listens", async || {
            invocations.request(reqwest::Method::GET, "/").send().await.ok().map(drop)
        })
        .await;
        Self { process, invocations }
    }

    async fn invoke(&self, event: &Value) -> Value {
        let reply = self.invocations.post("/2015-03-31/functions/function/invocations", event).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
async fn every_function_answers_its_event_as_it_is_built() {
    let stack = Deployed::start(&EMULATOR, None).await;
    let mut differing = Vec::new();
    for id in stack.functions() {
        let bootstrap = build().join(&id).join("bootstrap");
        let function = Function::start(&bootstrap, &stack.variables(&id).await).await;
        let (name, event) = event(&id);
        let mut answer = function.invoke(&event).await;
        if answer.get("statusCode").is_some() {
            answer = json!({"statusCode": answer["statusCode"]});
        }
        if answer != expected(&name) {
            differing.push(format!("{name}: {answer}"));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
}

/// The event of a function, and what both are called.
fn event(id: &str) -> (String, Value) {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/events");
    let mut files = std::fs::read_dir(events).unwrap().map(|entry| entry.unwrap().path());
    let is_its = |name: &str| name.replace('-', "") == id.trim_end_matches("Function").to_lowercase();
    let file = files.find(|path| is_its(path.file_stem().unwrap().to_str().unwrap()));
    let file = file.unwrap_or_else(|| panic!("{id} has no event"));
    let event = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    (file.file_stem().unwrap().to_str().unwrap().to_owned(), event)
}

/// What a stack answers in which nothing is connected.
fn expected(name: &str) -> Value {
    match name {
        "api" => json!({"statusCode": 200}),
        "clock" => {
            json!({"ticked": 0, "max_lag_ms": 0, "waiting": 0, "is_behind": false, "parts_sent": 0, "zone_changed": false})
        }
        "files" | "jobs" | "mapper" | "segment-evaluator" => json!({"batchItemFailures": []}),
        "poller" => json!({"due": 0}),
        _ => json!({"statusCode": 404}),
    }
}
