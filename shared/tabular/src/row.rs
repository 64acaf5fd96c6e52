//! One row of CSV (RFC 4180). Strict about quotation marks: a reader that makes the best of a misplaced one swallows the
//! rows behind it, up to the next. Here only the line that it stands in is lost, and told of.

use csv::ByteRecord;

/// The longest row, in bytes.
const MAX_ROW_BYTES: usize = 1024 * 1024;

/// What a block of a file begins with.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// Its cells, none of a blank line; or why it cannot be read. It then is no more than its first line.
    pub cells: Result<ByteRecord, &'static str>,
    /// How many bytes it has.
    pub bytes: usize,
    /// How many lines it ends.
    pub lines: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Begun,
    Plain,
    Quoted,
    /// Behind a quotation mark that ends the cell, or is the first of two that stand for one.
    Closed,
    /// Behind blanks that follow a quoted cell.
    Ended,
}

/// The first row of a block; `None` if it may go on behind the block, or if there is none.
pub fn row(block: &[u8], is_last: bool) -> Option<Row> {
    let (mut cells, mut cell) = (ByteRecord::new(), Vec::new());
    let (mut state, mut at, mut lines) = (State::Begun, 0, 0);
    while let Some(&byte) = block.get(at) {
        if at == MAX_ROW_BYTES {
            return broken(block, is_last, "longer than 1 MiB, or a quotation mark is missing");
        }
        at += 1;
        state = match (state, byte) {
            (State::Quoted, b'"') => State::Closed,
            (State::Begun, b'"') => State::Quoted,
            (State::Quoted, _) | (State::Closed, b'"') => {
                lines += u64::from(byte == b'\n');
                cell.push(byte);
                State::Quoted
            }
            (_, b'\r') if at == block.len() && !is_last => return None,
            (_, b'\r' | b'\n') => {
                at += usize::from(byte == b'\r' && block.get(at) == Some(&b'\n'));
                lines += 1;
                return Some(ended(cells, &cell, state, at, lines));
            }
            (_, b',') => {
                cells.push_field(&cell);
                cell.clear();
                State::Begun
            }
            (State::Closed | State::Ended, b' ' | b'\t') => State::Ended,
            (State::Closed | State::Ended, _) => {
                return broken(block, is_last, "a quotation mark is out of place");
            }
            (State::Begun | State::Plain, _) => {
                cell.push(byte);
                State::Plain
            }
        };
    }
    if !is_last || block.is_empty() {
        return None;
    }
    if state == State::Quoted {
        return broken(block, is_last, "a quotation mark is missing");
    }
    Some(ended(cells, &cell, state, at, lines))
}

fn ended(mut cells: ByteRecord, cell: &[u8], state: State, bytes: usize, lines: u64) -> Row {
    let is_blank = state == State::Begun && cells.is_empty();
    if !is_blank {
        cells.push_field(cell);
    }
    Row { cells: Ok(cells), bytes, lines }
}

fn broken(block: &[u8], is_last: bool, reason: &'static str) -> Option<Row> {
    let newline = block.iter().position(|byte| *byte == b'\n');
    let bytes = newline.map(|newline| newline + 1).or(is_last.then_some(block.len()))?;
    Some(Row { cells: Err(reason), bytes, lines: newline.is_some().into() })
}

/// How many bytes at the beginning of a file only say that it is UTF-8.
pub fn mark(file: &[u8]) -> usize {
    let mark = "\u{feff}".as_bytes();
    if file.starts_with(mark) { mark.len() } else { 0 }
}
