//! The targets under libFuzzer, one at a time: `FUZZ_TARGET` names it. See `run`.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "libFuzzer has the command line; the environment is left")]

use std::sync::LazyLock;

static TARGET: LazyLock<fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    fuzz::target(&name).unwrap_or_else(|| panic!("FUZZ_TARGET={name} is no target"))
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
