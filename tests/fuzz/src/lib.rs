#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what does not hold ends the target")]

mod api;
mod engine;
mod files;
mod message;
mod platforms;
mod sheet;
mod signatures;
mod values;

/// What is done with an input. Whatever the input, it returns, and soon.
pub type Target = fn(&[u8]);

/// Every target by the name of its folder in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("api", api::answer),
    ("definition", engine::definition),
    ("file", files::file),
    ("filter", values::filter),
    ("message", message::message),
    ("page", platforms::page),
    ("reading", platforms::reading),
    ("sample", engine::sample),
    ("signature", signatures::signature),
    ("state", engine::state),
    ("table", files::table),
    ("value", values::value),
    ("verdict", platforms::verdict),
    ("xml", files::xml),
];

/// The target of a name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}
