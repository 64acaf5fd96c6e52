//! What arrives as a file: CSV, NDJSON, XML.

use ::files::{Format, Item, Parser, Place};
use platform::Connection;
use xml::Element;

/// A dropped file is read the same in one piece and in two.
pub(crate) fn file(input: &[u8]) {
    let [place, file @ ..] = input else { return };
    let format = if place % 2 == 0 { Format::Csv } else { Format::Ndjson };
    let _ = Place::of(&String::from_utf8_lossy(file));
    let half = file.len() * usize::from(place / 2) / 128;
    assert_eq!(items(format, &[file]), items(format, &[&file[..half], &file[half..]]));
}

fn items(format: Format, blocks: &[&[u8]]) -> Vec<Item> {
    let connection =
        Connection { id: "conn-1".to_owned(), platform: "custom".to_owned(), ..Connection::default() };
    let mut parser = Parser::new(connection, format);
    let (mut left, mut items) = (Vec::new(), Vec::new());
    for (place, block) in blocks.iter().enumerate() {
        left.extend_from_slice(block);
        let taken = parser.take(&left, place + 1 == blocks.len());
        left.drain(..taken.bytes);
        items.extend(taken.items);
    }
    items
}

/// Rows of uploads; every error names a line that there is.
pub(crate) fn table(input: &[u8]) {
    let lines = 1 + u64::try_from(input.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count()).unwrap();
    let errors = [
        tabular::profiles(input).filter_map(Result::err).collect::<Vec<_>>(),
        tabular::events(input).filter_map(Result::err).collect(),
        tabular::event_lines(input).filter_map(Result::err).collect(),
    ];
    for error in errors.iter().flatten() {
        assert!((1..=lines).contains(&error.line), "{error:?} of {lines} lines");
    }
}

/// Whatever text an element has, it can be written and read again.
pub(crate) fn xml(input: &[u8]) {
    if let Ok(root) = Element::parse(input) {
        let written = format!("<a>{}</a>", xml::escaped(&root.text));
        assert_eq!(Element::parse(written.as_bytes()).map(|root| root.text), Ok(root.text));
    }
}
