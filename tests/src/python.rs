//! Environments of Python packages of fixed versions.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python of an environment that has these requirements (in the format of `pip install -r`) and nothing else. Made at its
/// first use, which needs Python 3 and its registry of packages. Tests of other processes may ask for it at the same time.
pub fn environment(directory: &Path, requirements: &str) -> PathBuf {
    let python = directory.join("bin/python");
    let installed = directory.join("installed.txt");
    once(directory, || {
        if std::fs::read_to_string(&installed).is_ok_and(|done| done == requirements) {
            return;
        }
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(directory));
        let wanted = directory.join("wanted.txt");
        std::fs::write(&wanted, requirements).unwrap();
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        run(Command::new(&python).args(install).arg(&wanted));
        std::fs::rename(&wanted, &installed).unwrap();
    });
    python
}

/// Does this while nobody else does it for the same directory.
pub fn once(directory: &Path, act: impl FnOnce()) {
    let lock = File::create(directory.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    act();
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
