#![doc = include_str!("../README.md")]

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};

/// How deep elements may be nested.
pub const MAX_DEPTH: usize = 64;
/// Elements of a document: what an answer of 5 MB has at most that holds anything.
pub const MAX_ELEMENTS: usize = 500_000;

/// An element without its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name, as it is written.
    pub name: String,
    /// All the text that is directly in it.
    pub text: String,
    /// The elements in it.
    pub children: Vec<Element>,
}

/// Why a document cannot be read; names a place, never content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not XML from this byte on, or cut off.
    #[error("the answer is not XML (byte {0})")]
    Syntax(u64),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the answer is nested too deeply")]
    Depth,
    /// More elements than [`MAX_ELEMENTS`].
    #[error("the answer has too many elements")]
    Size,
}

impl Element {
    /// Reads a document. A byte order mark and blanks before the declaration are passed over, bytes that are no UTF-8 are
    /// replaced; entities of a document's own are left as they are written.
    pub fn parse(document: &[u8]) -> Result<Self, XmlError> {
        let document = String::from_utf8_lossy(document);
        let mut reader = Reader::from_str(document.trim_start_matches('\u{feff}').trim_start());
        // The bottom stands for the document.
        let mut open = vec![Self::default()];
        let mut elements = 0;
        loop {
            let event = reader.read_event().map_err(|_| XmlError::Syntax(reader.error_position()))?;
            let broken = XmlError::Syntax(reader.buffer_position());
            let Some(top) = open.last_mut() else { return Err(broken) };
            elements += usize::from(matches!(event, Event::Start(_) | Event::Empty(_)));
            if elements > MAX_ELEMENTS {
                return Err(XmlError::Size);
            }
            match event {
                Event::Start(tag) => {
                    if open.len() > MAX_DEPTH {
                        return Err(XmlError::Depth);
                    }
                    open.push(Self::named(tag.name().as_ref()));
                }
                Event::Empty(tag) => top.children.push(Self::named(tag.name().as_ref())),
                Event::End(_) => {
                    let Some(element) = open.pop() else { return Err(broken) };
                    open.last_mut().ok_or(broken)?.children.push(element);
                }
                Event::Text(text) => top.text.push_str(&text.decode().map_err(|_| broken)?),
                Event::CData(text) => top.text.push_str(&text.decode().map_err(|_| broken)?),
                Event::GeneralRef(reference) => top.refer(&reference).ok_or(broken)?,
                Event::Eof => {
                    let whole = if open.len() == 1 { open.pop() } else { None };
                    return whole.and_then(|document| document.children.into_iter().next()).ok_or(broken);
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }

    /// The first element of a name in it.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    fn named(name: &[u8]) -> Self {
        Self { name: String::from_utf8_lossy(name).into_owned(), ..Self::default() }
    }

    /// `&amp;` and `&#38;` are what they stand for.
    fn refer(&mut self, reference: &BytesRef<'_>) -> Option<()> {
        if let Ok(Some(character)) = reference.resolve_char_ref() {
            self.text.push(character);
            return Some(());
        }
        let name = reference.decode().ok()?;
        match resolve_predefined_entity(&name) {
            Some(character) => self.text.push_str(character),
            None => self.text.extend(["&", &name, ";"]),
        }
        Some(())
    }
}

/// A text as the text of an element.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(document: &str) -> Result<String, XmlError> {
        Element::parse(document.as_bytes()).map(|root| root.text)
    }

    #[test]
    fn elements_keep_their_order_and_their_text() {
        let root = Element::parse(
            b"\xef\xbb\xbf\n<?xml version=\"1.0\"?><!-- c --><a><b>1</b><b/><c>2<d/>3</c></a>\n",
        );
        let root = root.unwrap();
        let children: Vec<_> = root.children.iter().map(|child| (&*child.name, &*child.text)).collect();
        assert_eq!(children, [("b", "1"), ("b", ""), ("c", "23")]);
        assert_eq!(root.child("c").unwrap().children.len(), 1);
        assert_eq!(root.child("nothing"), None);
    }

    #[test]
    fn text_is_what_it_stands_for() {
        assert_eq!(text("<a>&lt;b&gt; &amp; &#65;&#x42; &quot;</a>").unwrap(), "<b> & AB \"");
        assert_eq!(text("<a> <![CDATA[<x>&amp;]]> </a>").unwrap(), " <x>&amp; ");
        assert_eq!(text("<a>caf\u{e9}</a>").unwrap(), "café");
        assert_eq!(Element::parse(b"<a>caf\xe9</a>").unwrap().text, "caf\u{fffd}");
        assert_eq!(text(&format!("<a>{}</a>", escaped("<&>\"'"))).unwrap(), "<&>\"'");
    }

    #[test]
    fn entities_of_a_document_are_not_expanded() {
        let bomb =
            "<!DOCTYPE a [<!ENTITY x \"xx\"><!ENTITY f SYSTEM \"file:///etc/hosts\">]><a>&x;&f;&nbsp;</a>";
        assert_eq!(text(bomb).unwrap(), "&x;&f;&nbsp;");
    }

    #[test]
    fn what_is_no_whole_document_is_an_error() {
        for broken in
            ["", " ", "text", "<a>", "<a><b></a>", "</a>", "<a>&#x110000;", "<a", "<?xml version='1.0'?>"]
        {
            assert!(matches!(text(broken), Err(XmlError::Syntax(_))), "{broken}");
        }
        let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(text(&deep(MAX_DEPTH)).is_ok());
        assert_eq!(text(&deep(MAX_DEPTH + 1)), Err(XmlError::Depth));
        let wide = |elements: usize| format!("<a>{}</a>", "<b/>".repeat(elements - 1));
        assert!(text(&wide(MAX_ELEMENTS)).is_ok());
        assert_eq!(text(&wide(MAX_ELEMENTS + 1)), Err(XmlError::Size));
    }
}
