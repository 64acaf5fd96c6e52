//! Every saved input does no harm.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// What all inputs may weigh: they are checked out by everybody.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The inputs of a folder of targets.
fn inputs(folder: &str) -> Vec<(fuzz::Target, PathBuf)> {
    let targets = below(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let of = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let target = fuzz::target(name).unwrap_or_else(|| panic!("{name} is no target"));
        below(&path).into_iter().map(move |input| (target, input))
    };
    targets.into_iter().flat_map(of).collect()
}

fn run(inputs: &[(fuzz::Target, PathBuf)]) {
    let failed: Vec<_> = inputs
        .iter()
        .filter(|(target, path)| {
            let (target, input) = (*target, fs::read(path).unwrap());
            catch_unwind(move || target(&input)).is_err()
        })
        .map(|(_, path)| path.display().to_string())
        .collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), inputs.len(), failed.join("\n"));
}

#[test]
fn every_saved_input_does_no_harm() {
    run(&inputs("corpus"));
}

#[test]
fn what_was_found_once_does_no_harm_any_more() {
    run(&inputs("found"));
}

#[test]
fn every_target_has_saved_inputs_which_are_few_in_all() {
    let inputs = inputs("corpus");
    let with: BTreeSet<_> =
        inputs.iter().map(|(_, path)| path.parent().unwrap().file_name().unwrap()).collect();
    assert_eq!(with.len(), fuzz::TARGETS.len(), "only {with:?}");
    let bytes: u64 = inputs.iter().map(|(_, path)| fs::metadata(path).unwrap().len()).sum();
    assert!(bytes <= MAX_BYTES, "{bytes} bytes");
}
