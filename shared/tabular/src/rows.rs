//! Rows of a file, one after the other.

use std::io::Read;

use csv::{ByteRecord, StringRecord};

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
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(reader);
    let mut columns: Option<(C, usize)> = None;
    let mut done = false;
    std::iter::from_fn(move || {
        while !done {
            let mut bytes = ByteRecord::new();
            match reader.read_byte_record(&mut bytes) {
                Ok(true) => {}
                Ok(false) => {
                    done = true;
                    return columns.is_none().then(|| Err(RowError::new(1, "the file is empty")));
                }
                Err(error) => {
                    done = true;
                    let line = error.position().or(Some(reader.position())).map_or(1, csv::Position::line);
                    return Some(Err(RowError::new(line, "the file cannot be read further")));
                }
            }
            let line = bytes.position().map_or(1, csv::Position::line);
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
