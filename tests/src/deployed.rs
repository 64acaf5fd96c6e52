//! The template, deployed to an emulator of AWS.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::{Method, Url};
use store::ApiKey;
use tokio::sync::OnceCell;
use xml::Element;

use crate::api::Api;
use crate::running::{Place, Running};
use crate::stack::print_end;
use crate::{eventually, now, python};

/// The stack that `sam deploy` makes, as `infra/samconfig.toml` names it. Those of the tests are made of its template.
pub const BY_SAM: &str = "tillstream";
/// Of every stack: the machine it runs on, tables that can be deleted, and tests that ask as often as they like.
const PARAMETERS: [(&str, &str); 3] = [
    ("Architecture", if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }),
    ("Stage", "dev"),
    ("RateLimits", "off"),
];
const BUCKET: &str = "/templates";
const TEMPLATE: &str = "/templates/tillstream.yaml";
/// The emulator looks at no signature, but at the service that it is for.
const CLOUD_FORMATION: &str = "AWS4-HMAC-SHA256 \
    Credential=test/20260101/us-east-1/cloudformation/aws4_request, SignedHeaders=host, Signature=none";
/// The first key of each stack.
pub const KEY: &str = "pk_deployed";

/// A deployed stack. Dropping it deletes it.
pub struct Deployed {
    running: Running,
    emulator: &'static Emulator,
}

impl Deref for Deployed {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}

impl Deployed {
    /// Deploys another stack of the packages that `sam deploy` has sent, which receives from these platforms (named as in the
    /// template), or from all.
    pub async fn start(emulator: &'static Emulator, platforms: Option<&[&str]>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let template = emulator.template.get_or_init(|| emulator.publish_template()).await;
        let mut all = PARAMETERS.to_vec();
        if let Some(wanted) = platforms {
            let left_out = platforms_of(template).filter(|(_, platform)| !wanted.contains(platform));
            all.extend(left_out.map(|(parameter, _)| (parameter, "false")));
        }
        let mut form = vec![
            ("StackName".to_owned(), name.clone()),
            ("TemplateURL".to_owned(), format!("{}{TEMPLATE}", emulator.address)),
            ("Capabilities.member.1".to_owned(), "CAPABILITY_IAM".to_owned()),
            ("Capabilities.member.2".to_owned(), "CAPABILITY_AUTO_EXPAND".to_owned()),
        ];
        for (index, (key, value)) in (1..).zip(all) {
            form.push((format!("Parameters.member.{index}.ParameterKey"), key.to_owned()));
            form.push((format!("Parameters.member.{index}.ParameterValue"), value.to_owned()));
        }
        emulator.cloud_formation("CreateStack", &form).await;
        eventually("the stack is complete", async || {
            let described = emulator.cloud_formation("DescribeStacks", &[stack_name(&name)]).await;
            let stack = members(&described).next().unwrap();
            let status = text(stack, "StackStatus");
            assert!(!status.contains("FAILED") && !status.contains("ROLLBACK"), "{status}: {stack:?}");
            (status == "CREATE_COMPLETE").then_some(())
        })
        .await;
        let deployed = Self::of(emulator, name).await;
        deployed.create_key().await;
        deployed
    }

    /// The stack that `sam deploy` has made, with every function of the template. Its first key is not there yet.
    pub async fn by_sam(emulator: &'static Emulator) -> Self {
        Self::of(emulator, BY_SAM.to_owned()).await
    }

    /// The logical ids of the functions.
    pub fn functions(&self) -> Vec<String> {
        let Place::Deployed { resources, .. } = &self.running.place else { return Vec::new() };
        resources.keys().filter(|id| id.ends_with("Function")).cloned().collect()
    }

    /// The environment variables that a function has in this stack.
    pub async fn variables(&self, id: &str) -> BTreeMap<String, String> {
        let path = format!("/2015-03-31/functions/{}/configuration", self.running.name(id));
        let reply = self.emulator.services().get(&path, &[]).await;
        serde_json::from_value(reply.body["Environment"]["Variables"].clone()).unwrap()
    }

    /// A stack that is there.
    async fn of(emulator: &'static Emulator, name: String) -> Self {
        let described = emulator.cloud_formation("DescribeStackResources", &[stack_name(&name)]).await;
        let resource = |member| (text(member, "LogicalResourceId"), text(member, "PhysicalResourceId"));
        let resources: BTreeMap<String, String> = members(&described).map(resource).collect();
        let endpoint = || emulator.address.clone();
        let endpoints = runtime::Endpoints { dynamodb: endpoint(), sqs: endpoint(), ssm: endpoint() };
        let api = format!("http://{}.execute-api.localhost:{}", resources["HttpApi"], emulator.port());
        let running = Running {
            api: Api::new(api, KEY.to_owned()),
            clients: runtime::Clients::local(&endpoints).await,
            place: Place::Deployed { services: emulator.services(), name, resources },
        };
        Self { running, emulator }
    }

    /// What `infra/create-key` does.
    async fn create_key(&self) {
        let digest = canonical::hash::hex_digest(&["api-key", KEY]);
        let key = ApiKey {
            name: "first key".to_owned(),
            scopes: vec!["*".to_owned()],
            limit: None,
            created_at: now().into(),
        };
        self.store().put_api_key(&digest, &key).await.unwrap();
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        let Place::Deployed { name, .. } = &self.running.place else { return };
        if name != BY_SAM {
            self.emulator.delete_stack(name);
        }
        if std::thread::panicking() {
            print_end(&self.emulator.log);
        }
    }
}

/// A process of the emulator, and in it the stack that `sam deploy` made. It ends with the process that started it.
pub struct Emulator {
    address: String,
    log: PathBuf,
    /// Of an environment that has `sam` and `aws`.
    tools: PathBuf,
    /// The template of the stacks that tests make.
    template: OnceCell<String>,
    /// Its standard input is open as long as this process lives.
    _process: Child,
}

impl Emulator {
    /// Starts the emulator and deploys what `infra/build` has built into `build`. Installs both below `folder` if they are not
    /// there yet.
    pub fn start(folder: &Path, build: &Path) -> Self {
        assert!(build.join("template.yaml").exists(), "{} is not built: infra/build", build.display());
        let python = python::environment(&folder.join("emulator"), include_str!("../deployed/emulator.txt"));
        let sam = python::environment(&folder.join("sam"), include_str!("../deployed/sam.txt"));
        let log = folder.join("emulator.log");
        let mut command = Command::new(python);
        command.arg("-u").arg(sources().join("deployed/emulator.py"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut process = command.spawn().unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        assert!(!address.is_empty(), "the emulator ended: {}", std::fs::read_to_string(&log).unwrap());
        let tools = sam.parent().unwrap().to_owned();
        // Without being told on each call, the first version of the command line asks AWS for SQS, whatever the environment says.
        let script = format!("#!/bin/sh\nexec {}/aws --endpoint-url {address} \"$@\"\n", tools.display());
        let aws = folder.join("aws");
        std::fs::write(&aws, script).unwrap();
        std::fs::set_permissions(&aws, Permissions::from_mode(0o755)).unwrap();
        let emulator = Self { address, log, tools, template: OnceCell::new(), _process: process };
        emulator.sam_deploy(build);
        emulator
    }

    /// As the README says it, but with the answers that `--guided` asks for.
    fn sam_deploy(&self, build: &Path) {
        let parameters = PARAMETERS.map(|(key, value)| format!("{key}={value}"));
        let mut command = self.tool(self.tools.join("sam"));
        command.args(["deploy", "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides"]);
        command.args(parameters).arg("--config-file").arg(sources().join("../infra/samconfig.toml"));
        command.arg("--template-file").arg(build.join("template.yaml"));
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
        );
    }

    /// A command that asks the emulator instead of AWS: `sam`, or a script that needs `aws`.
    pub fn tool(&self, program: impl AsRef<OsStr>) -> Command {
        let system = ["/usr/bin", "/bin"].map(Path::new);
        let path =
            std::env::join_paths([self.log.parent().unwrap(), &self.tools, system[0], system[1]]).unwrap();
        let mut command = Command::new(program);
        command.env("PATH", path).env("SAM_CLI_TELEMETRY", "0").envs(self.variables());
        command
    }

    /// Where AWS is, for programs.
    pub fn variables(&self) -> [(&'static str, &str); 5] {
        [
            ("AWS_ENDPOINT_URL", &self.address),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_REGION", "us-east-1"),
        ]
    }

    /// The program of AWS's that SAM puts into its containers to feed a function's `bootstrap`.
    pub fn runtime_interface_emulator(&self) -> PathBuf {
        let output = Command::new(self.tools.join("python"))
            .args(["-c", "import samcli; print(samcli.__path__[0])"])
            .output();
        let samcli = String::from_utf8(output.unwrap().stdout).unwrap();
        let architecture = PARAMETERS[0].1;
        Path::new(samcli.trim()).join(format!("local/rapid/aws-lambda-rie-{architecture}"))
    }

    /// Puts the template, with the addresses of the packages, to where CloudFormation takes large ones from.
    async fn publish_template(&self) -> String {
        let query = [stack_name(BY_SAM), ("TemplateStage".to_owned(), "Original".to_owned())];
        let template = text(&self.cloud_formation("GetTemplate", &query).await, "TemplateBody");
        for (path, body) in [(BUCKET, String::new()), (TEMPLATE, template.clone())] {
            let reply = self.services().request(Method::PUT, path).body(body).send().await.unwrap();
            assert!(reply.status().is_success(), "{path}: {}", reply.status());
        }
        template
    }

    /// Asks CloudFormation. Returns the element that holds the result.
    async fn cloud_formation(&self, action: &str, form: &[(String, String)]) -> Element {
        let request = self.services().request(Method::POST, "/").body(query(action, form));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("authorization", CLOUD_FORMATION);
        let reply = request.send().await.unwrap();
        let (status, body) = (reply.status(), reply.bytes().await.unwrap());
        assert!(status.is_success(), "{action}: {}", String::from_utf8_lossy(&body));
        let mut document = Element::parse(&body).unwrap();
        document.children.swap_remove(0)
    }

    /// The same without waiting for anything but the answer: nothing can be awaited while a test ends.
    fn delete_stack(&self, name: &str) {
        let form = query("DeleteStack", &[stack_name(name)]);
        let mut connection = TcpStream::connect(self.address.trim_start_matches("http://")).unwrap();
        let length = form.len();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {CLOUD_FORMATION}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
        );
        connection.write_all((head + &form).as_bytes()).unwrap();
        connection.read_to_end(&mut Vec::new()).unwrap();
    }

    fn services(&self) -> Api {
        Api::new(self.address.clone(), String::new())
    }

    fn port(&self) -> u16 {
        Url::parse(&self.address).unwrap().port().unwrap()
    }
}

fn sources() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The parameters by which platforms are left out, and the platforms.
fn platforms_of(template: &str) -> impl Iterator<Item = (&str, &str)> {
    let parameters = template.lines().filter_map(|line| line.strip_suffix(':')?.strip_prefix("  "));
    parameters
        .filter_map(|parameter| Some((parameter, parameter.strip_prefix("Deploy")?)))
        .filter(|(parameter, _)| *parameter != "Deployment")
}

fn query(action: &str, form: &[(String, String)]) -> String {
    let fixed = [("Action".to_owned(), action.to_owned()), ("Version".to_owned(), "2010-05-15".to_owned())];
    Url::parse_with_params("http://localhost", fixed.iter().chain(form)).unwrap().query().unwrap().to_owned()
}

fn stack_name(name: &str) -> (String, String) {
    ("StackName".to_owned(), name.to_owned())
}

/// The elements of a result's one list.
fn members(result: &Element) -> impl Iterator<Item = &Element> {
    result.children.iter().flat_map(|list| &list.children).filter(|element| element.name == "member")
}

fn text(element: &Element, name: &str) -> String {
    element.child(name).unwrap().text.clone()
}
