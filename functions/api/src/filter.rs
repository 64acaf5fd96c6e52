//! The grammar of `filter`: `op(field,value)`, joined by commas or by `and(…)`.
//!
//! ```
//! use api::filter::{Operator, Value, parse};
//!
//! let filters = parse("any(email,['a@example.com']),greater-than(updated,2026-01-02T00:00:00Z)")?;
//! assert_eq!(filters[0].operator, Operator::Any);
//! assert_eq!(filters[0].field, "email");
//! assert_eq!(filters[0].value, Value::List(vec![Value::Text("a@example.com".into())]));
//! assert_eq!(filters[1].value, Value::Bare("2026-01-02T00:00:00Z".into()));
//! # Ok::<(), api::filter::FilterError>(())
//! ```

/// How deep `and(…)` and lists may be nested.
const MAX_DEPTH: usize = 8;
/// The longest text: what is looked up by it is a key of a table.
const MAX_TEXT_BYTES: usize = 1000;
/// The most conditions of one filter.
const MAX_CONDITIONS: usize = 100;

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// How the field is compared.
    pub operator: Operator,
    /// The field, such as `email` or `integration.name`.
    pub field: String,
    /// With what; [`Value::Nothing`] for `has(field)`.
    pub value: Value,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `equals`
    Equals,
    /// `less-than`
    LessThan,
    /// `less-or-equal`
    LessOrEqual,
    /// `greater-than`
    GreaterThan,
    /// `greater-or-equal`
    GreaterOrEqual,
    /// `contains`
    Contains,
    /// `contains-any`
    ContainsAny,
    /// `contains-all`
    ContainsAll,
    /// `starts-with`
    StartsWith,
    /// `ends-with`
    EndsWith,
    /// `any`
    Any,
    /// `has`
    Has,
}

impl Operator {
    const ALL: [(&'static str, Self); 12] = [
        ("equals", Self::Equals),
        ("less-than", Self::LessThan),
        ("less-or-equal", Self::LessOrEqual),
        ("greater-than", Self::GreaterThan),
        ("greater-or-equal", Self::GreaterOrEqual),
        ("contains", Self::Contains),
        ("contains-any", Self::ContainsAny),
        ("contains-all", Self::ContainsAll),
        ("starts-with", Self::StartsWith),
        ("ends-with", Self::EndsWith),
        ("any", Self::Any),
        ("has", Self::Has),
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, operator)| *operator == self).map_or("", |(name, _)| name)
    }
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// None was given.
    Nothing,
    /// In double or single quotes.
    Text(String),
    /// Without quotes: a time, a number, a boolean.
    Bare(String),
    /// In brackets.
    List(Vec<Value>),
}

impl Value {
    /// A text or a bare word.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Bare(text) => Some(text),
            Self::Nothing | Self::List(_) => None,
        }
    }

    /// The texts of a list, or the one text.
    pub fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::List(values) => values.iter().map(Self::text).collect(),
            one => Some(vec![one.text()?]),
        }
    }
}

/// Why a filter cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at character {position}")]
pub struct FilterError {
    /// What is wrong.
    pub problem: &'static str,
    /// Where, counted from 0.
    pub position: usize,
}

/// Reads a filter that is percent-decoded already. Empty text is no condition.
pub fn parse(text: &str) -> Result<Vec<Filter>, FilterError> {
    let mut parser = Parser { letters: text.chars().collect(), at: 0, conditions: Vec::new() };
    parser.skip_spaces();
    if parser.peek().is_some() {
        parser.conditions(0)?;
        if parser.peek().is_some() {
            return Err(parser.error("unexpected character"));
        }
    }
    Ok(parser.conditions)
}

struct Parser {
    letters: Vec<char>,
    at: usize,
    conditions: Vec<Filter>,
}

impl Parser {
    fn conditions(&mut self, depth: usize) -> Result<(), FilterError> {
        loop {
            self.condition(depth)?;
            if !self.take(',') {
                return Ok(());
            }
        }
    }

    fn condition(&mut self, depth: usize) -> Result<(), FilterError> {
        if depth > MAX_DEPTH || self.conditions.len() >= MAX_CONDITIONS {
            return Err(self.error("too many conditions"));
        }
        let start = self.at;
        let name = self.word(&['(', ')', ',']);
        self.expect('(', "an opening parenthesis is expected")?;
        if name == "and" {
            self.conditions(depth + 1)?;
            return self.expect(')', "a closing parenthesis is expected");
        }
        let Some((_, operator)) = Operator::ALL.iter().find(|(known, _)| *known == name) else {
            return Err(FilterError { problem: "unknown operator", position: start });
        };
        let field = self.word(&['(', ')', ',']);
        if field.is_empty() {
            return Err(self.error("a field is expected"));
        }
        let value = if self.take(',') { self.value(0)? } else { Value::Nothing };
        self.expect(')', "a closing parenthesis is expected")?;
        if (value == Value::Nothing) != (*operator == Operator::Has) {
            return Err(self.error(if value == Value::Nothing {
                "a value is expected"
            } else {
                "no value is expected"
            }));
        }
        self.conditions.push(Filter { operator: *operator, field, value });
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Value, FilterError> {
        self.skip_spaces();
        match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote).map(Value::Text),
            Some('[') if depth == 0 => self.list().map(Value::List),
            _ => {
                let word = self.word(&[',', ')', ']', '[', '(', '"']);
                match word.len() {
                    0 => Err(self.error("a value is expected")),
                    1..=MAX_TEXT_BYTES => Ok(Value::Bare(word)),
                    _ => Err(self.error("the value is too long")),
                }
            }
        }
    }

    fn list(&mut self) -> Result<Vec<Value>, FilterError> {
        self.at += 1;
        let mut values = Vec::new();
        if self.take(']') {
            return Ok(values);
        }
        loop {
            values.push(self.value(1)?);
            if !self.take(',') {
                self.expect(']', "a closing bracket is expected")?;
                return Ok(values);
            }
        }
    }

    /// Up to the same quotation mark; a backslash makes the next character an ordinary one.
    fn quoted(&mut self, quote: char) -> Result<String, FilterError> {
        self.at += 1;
        let mut text = String::new();
        while let Some(letter) = self.next() {
            match letter {
                '\\' => text.extend(self.next()),
                letter if letter == quote => {
                    self.skip_spaces();
                    if text.len() > MAX_TEXT_BYTES {
                        return Err(self.error("the text is too long"));
                    }
                    return Ok(text);
                }
                letter => text.push(letter),
            }
        }
        Err(self.error("a quotation mark is expected"))
    }

    /// Up to one of the ends, without spaces around it.
    fn word(&mut self, ends: &[char]) -> String {
        let mut word = String::new();
        while let Some(letter) = self.peek().filter(|letter| !ends.contains(letter)) {
            word.push(letter);
            self.at += 1;
        }
        word.trim().to_owned()
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_spaces();
        let found = self.peek() == Some(wanted);
        if found {
            self.at += 1;
            self.skip_spaces();
        }
        found
    }

    fn expect(&mut self, wanted: char, problem: &'static str) -> Result<(), FilterError> {
        if self.take(wanted) { Ok(()) } else { Err(self.error(problem)) }
    }

    fn error(&self, problem: &'static str) -> FilterError {
        FilterError { problem, position: self.at }
    }
}
