//! PHP's serialization, read only: `product_options` of an order's lines. Objects and references are not read, lengths are
//! checked, depth and size are bounded.

use std::collections::BTreeMap;

/// How deep arrays may be nested.
const MAX_DEPTH: usize = 16;
/// The largest text that is looked at.
const MAX_BYTES: usize = 256 * 1024;

/// A value: of numbers only their digits are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Php {
    Null,
    Text(String),
    Array(BTreeMap<String, Php>),
}

impl Php {
    /// Reads a whole text.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut rest = text.as_bytes();
        let value = value(&mut rest, 0)?;
        rest.is_empty().then_some(value)
    }

    /// An element of an array.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        if let Self::Array(elements) = self { elements.get(key) } else { None }
    }

    /// The elements of a list, in the order of their numbers.
    pub(crate) fn list(&self) -> Vec<&Self> {
        let Self::Array(elements) = self else { return Vec::new() };
        let mut numbered: Vec<_> =
            elements.iter().filter_map(|(key, value)| Some((key.parse::<u64>().ok()?, value))).collect();
        numbered.sort_by_key(|(number, _)| *number);
        numbered.into_iter().map(|(_, value)| value).collect()
    }

    /// A text or a number.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

fn value(rest: &mut &[u8], depth: usize) -> Option<Php> {
    if depth > MAX_DEPTH {
        return None;
    }
    match take(rest, 2)? {
        b"N;" => Some(Php::Null),
        b"b:" | b"i:" | b"d:" => Some(Php::Text(String::from_utf8(until(rest, b';')?.to_vec()).ok()?)),
        b"s:" => {
            let length: usize = number(until(rest, b':')?)?;
            let quoted = take(rest, length.checked_add(3)?)?;
            let text = quoted.strip_prefix(b"\"")?.strip_suffix(b"\";")?;
            // Lengths are those of bytes.
            Some(Php::Text(String::from_utf8_lossy(text).into_owned()))
        }
        b"a:" => {
            let count: usize = number(until(rest, b':')?)?;
            (take(rest, 1)? == b"{").then_some(())?;
            let mut elements = BTreeMap::new();
            for _ in 0..count {
                let Php::Text(key) = value(rest, depth + 1)? else { return None };
                elements.insert(key, value(rest, depth + 1)?);
            }
            (take(rest, 1)? == b"}").then_some(Php::Array(elements))
        }
        _ => None,
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn until<'a>(rest: &mut &'a [u8], end: u8) -> Option<&'a [u8]> {
    let length = rest.iter().position(|byte| *byte == end)?;
    let taken = take(rest, length)?;
    take(rest, 1)?;
    Some(taken)
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_lengths_are_those_of_bytes() {
        let options =
            r#"a:3:{s:5:"label";s:6:"Größe";i:7;d:1.5;s:1:"x";a:2:{i:1;N;i:0;b:1;}}"#.replace("s:6:", "s:7:");
        let options = Php::read(&options).unwrap();
        assert_eq!(options.get("label").and_then(Php::text), Some("Größe"));
        assert_eq!(options.get("7").and_then(Php::text), Some("1.5"));
        assert_eq!(options.get("x").unwrap().list(), [&Php::Text("1".to_owned()), &Php::Null]);
    }

    #[test]
    fn texts_may_hold_what_looks_like_an_end() {
        assert_eq!(Php::read("s:6:\"a\";}:{\";"), Some(Php::Text("a\";}:{".to_owned())));
    }

    #[test]
    fn what_is_broken_or_beyond_bounds_is_nothing() {
        let deep = |depth: usize| format!("{}N;{}", "a:1:{i:0;".repeat(depth), "}".repeat(depth));
        assert!(Php::read(&deep(MAX_DEPTH)).is_some());
        for broken in [
            "",
            "N",
            "N;N;",
            "s:5:\"abc\";",
            "s:99999999999999999999:\"\";",
            "s:18446744073709551615:\"\";",
            "s:3:\"é\";x",
            "a:2:{i:0;N;}",
            "a:99999999999:{}",
            "a:1:{a:0:{}N;}",
            "a:1:{N;N;}",
            "O:8:\"stdClass\":0:{}",
            "R:1;",
            "i:5",
            "i:\u{7f};"[..3].trim_end(),
            &deep(MAX_DEPTH + 1),
            &format!("s:{}:\"{}\";", MAX_BYTES, "x".repeat(MAX_BYTES)),
        ] {
            assert_eq!(Php::read(broken), None, "{broken:.40}");
        }
    }
}
