//! The bytes of a state, which are stored for everybody: no change of the engine changes them by accident.

use std::fmt::Write;

use segments::{Cause, Event, State};

use crate::typical;

/// A typical state under fifty segments, in hexadecimal digits.
const STORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/state.hex");

/// `BLESS=1` writes the file, after a change that is meant: one that counts up `FORMAT` in `state.rs`.
#[test]
fn a_state_is_written_and_read_as_its_format_says() {
    let program = typical::program(50, "Europe/Paris");
    let stored = typical::events(60, 400);
    let events: Vec<Event<'_>> = stored.iter().map(typical::Stored::event).collect();
    let mut state = State::new();
    program.rebuild(&mut state, &typical::profile(), Some(&events), Cause::Definition, typical::NOW);
    let mut today = String::new();
    for (place, byte) in state.encode().iter().enumerate() {
        let end = if place % 60 == 59 { "\n" } else { "" };
        write!(today, "{byte:02x}{end}").unwrap();
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(STORED, &today).unwrap();
    }
    let before = std::fs::read_to_string(STORED).unwrap();
    assert!(today == before, "states are written otherwise than in {STORED}: FORMAT must be counted up");

    let digits: Vec<char> = before.chars().filter(char::is_ascii_hexdigit).collect();
    let bytes = digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap());
    assert_eq!(State::decode(&bytes.collect::<Vec<_>>()), Ok(state));
}
