//! Rows of a file, one after the other.

use std::io::Read;

use csv::{ByteRecord, StringRecord};

use crate::row::{mark, row};

/// Bytes that are read at once.
const BLOCK_BYTES: u64 = 256 * 1024;

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// The line it begins at, from 1.
    pub line: u64,
    /// Why, without its content.
    pub reason: String,
}

impl RowError {
    pub(crate) fn new(line: u64, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }
}

/// How the rows of one kind are read, by the header of their file.
pub(crate) trait Columns: Sized {
    /// What a row becomes.
    type Row;

    /// The columns by the header; an error is a reason without content.
    fn of(header: &StringRecord) -> Result<Self, String>;

    /// One row of as many cells as the header.
    fn row(&self, line: u64, cells: &StringRecord) -> Result<Self::Row, String>;
}

/// A row as text with as many cells as the header has columns.
pub fn record(bytes: ByteRecord, columns: usize) -> Result<StringRecord, String> {
    let record = StringRecord::from_byte_record(bytes).map_err(|_| "not UTF-8".to_owned())?;
    if record.len() == columns {
        return Ok(record);
    }
    Err(format!("{} cells, but the header has {columns}", record.len()))
}

/// All rows of a file. A header that cannot be read is the only item.
pub(crate) fn rows<C: Columns, R: Read>(reader: R) -> impl Iterator<Item = Result<C::Row, RowError>> {
    let mut rows = Rows { reader, buffer: Vec::new(), at: 0, line: 1, is_last: false };
    let mut columns: Option<(C, usize)> = None;
    let mut done = false;
    std::iter::from_fn(move || {
        while !done {
            let line = rows.line;
            let bytes = match rows.next() {
                Ok(Some(Ok(bytes))) if bytes.is_empty() => continue,
                Ok(Some(Ok(bytes))) => bytes,
                Ok(Some(Err(reason))) => {
                    done = columns.is_none();
                    return Some(Err(RowError::new(line, reason)));
                }
                Ok(None) => {
                    done = true;
                    return columns.is_none().then(|| Err(RowError::new(1, "the file is empty")));
                }
                Err(_) => {
                    done = true;
                    return Some(Err(RowError::new(line, "the file cannot be read further")));
                }
            };
            let Some((columns, count)) = &columns else {
                let count = bytes.len();
                match record(bytes, count).and_then(|header| C::of(&header)) {
                    Ok(read) => columns = Some((read, count)),
                    Err(reason) => {
                        done = true;
                        return Some(Err(RowError::new(line, reason)));
                    }
                }
                continue;
            };
            let row = record(bytes, *count).and_then(|cells| columns.row(line, &cells));
            return Some(row.map_err(|reason| RowError::new(line, reason)));
        }
        None
    })
}

/// A file while its rows are read.
struct Rows<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Where in the buffer the next row begins.
    at: usize,
    /// The line that it begins at.
    line: u64,
    is_last: bool,
}

impl<R: Read> Rows<R> {
    fn next(&mut self) -> std::io::Result<Option<Result<ByteRecord, &'static str>>> {
        loop {
            if let Some(row) = row(&self.buffer[self.at..], self.is_last) {
                self.at += row.bytes;
                self.line += row.lines;
                return Ok(Some(row.cells));
            }
            if self.is_last {
                return Ok(None);
            }
            self.buffer.drain(..self.at);
            let is_first = self.line == 1 && self.buffer.is_empty();
            let block = self.reader.by_ref().take(BLOCK_BYTES).read_to_end(&mut self.buffer)?;
            self.is_last = (block as u64) < BLOCK_BYTES;
            self.at = if is_first { mark(&self.buffer) } else { 0 };
        }
    }
}
