//! Bytes of a file in, facts and problems out. Pure, and it never holds more of the file than it is given: what is not
//! complete yet is left to be given again with what follows.

use canonical::Fact;
use canonical::fact::CustomerSnapshot;
use csv::{ByteRecord, ReaderBuilder, StringRecord};
use jiff::Timestamp;
use platform::{Connection, Delivery, Headers, Mapping};
use tabular::ProfileColumns;

use crate::order::Columns;
use crate::place::Format;

/// What a line, or the lines of one order, became.
#[derive(Debug, PartialEq)]
pub struct Item {
    /// Where it begins, from 1.
    pub line: u64,
    /// The facts as JSON, each by itself, or why there are none, without content.
    pub facts: Result<Vec<String>, String>,
}

/// What was read of a block.
#[derive(Debug, Default, PartialEq)]
pub struct Taken {
    /// Bytes that need not be given again.
    pub bytes: usize,
    /// What they held.
    pub items: Vec<Item>,
}

/// Reads a file, block by block.
pub struct Parser {
    connection: Connection,
    format: Format,
    header: Option<Header>,
    /// The line that the next block begins at.
    line: u64,
}

struct Header {
    cells: usize,
    kind: Kind,
}

/// An order whose rows may go on.
struct Open {
    id: String,
    line: u64,
    begin: usize,
    rows: Result<Vec<StringRecord>, String>,
}

enum Kind {
    Customers(ProfileColumns),
    Orders(Columns),
}

impl Parser {
    /// At the beginning of a connection's file.
    pub fn new(connection: Connection, format: Format) -> Self {
        Self { connection, format, header: None, line: 1 }
    }

    /// The line that the next block begins at.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Goes on at another line than the one after the header.
    pub fn skip_to(&mut self, line: u64) {
        self.line = line;
    }

    /// Whether the columns are known by now; lines of NDJSON need none.
    pub fn has_header(&self) -> bool {
        self.header.is_some() || self.format == Format::Ndjson
    }

    /// Reads the header alone; an error is a reason that ends the file.
    pub fn take_header(&mut self, block: &[u8], is_last: bool) -> Result<usize, String> {
        let mut rows = rows(block);
        let mut bytes = ByteRecord::new();
        let is_row = rows.read_byte_record(&mut bytes).map_err(|_| "the header cannot be read".to_owned())?;
        let end = position(&rows);
        if !is_last && end >= block.len() {
            return Ok(0);
        }
        if !is_row {
            return Err("the file is empty".to_owned());
        }
        let cells = bytes.len();
        let header = tabular::record(bytes, cells)?;
        let kind = if Columns::fits(&header) {
            Kind::Orders(Columns::of(&header)?)
        } else {
            Kind::Customers(ProfileColumns::of(&header)?)
        };
        self.line += rows.position().line() - 1;
        self.header = Some(Header { cells, kind });
        Ok(end)
    }

    /// Reads as much of a block as is complete; all of it if it is the last.
    pub fn take(&mut self, block: &[u8], is_last: bool) -> Taken {
        let taken = match &self.header {
            None => self.lines(block, is_last),
            Some(header) => match &header.kind {
                Kind::Customers(columns) => self.customers(columns, header.cells, block, is_last),
                Kind::Orders(columns) => self.orders(columns, header.cells, block, is_last),
            },
        };
        self.line += taken.1;
        taken.0
    }

    fn lines(&self, block: &[u8], is_last: bool) -> (Taken, u64) {
        let end = if is_last {
            block.len()
        } else {
            block.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1)
        };
        let mut taken = Taken { bytes: end, items: Vec::new() };
        let mut passed = 0;
        for line in block[..end].split_inclusive(|byte| *byte == b'\n') {
            let text = line.trim_ascii();
            if !text.is_empty() {
                taken.items.push(Item { line: self.line + passed, facts: self.checked(text.to_vec()) });
            }
            passed += 1;
        }
        (taken, passed)
    }

    fn customers(&self, columns: &ProfileColumns, cells: usize, block: &[u8], is_last: bool) -> (Taken, u64) {
        let mut taken = Taken::default();
        let passed = self.complete(block, is_last, &mut taken.bytes, |line, _, row| {
            let person = tabular::record(row, cells).and_then(|cells| columns.row(line, &cells));
            let facts = person.and_then(|row| {
                let customer = CustomerSnapshot { person: row.person, ..CustomerSnapshot::default() };
                self.written(&Fact::Customer(customer))
            });
            taken.items.push(Item { line, facts });
        });
        (taken, passed)
    }

    /// Rows of one order stand together, so an order is complete once another begins. A row that cannot be read costs the
    /// whole order: one line less would be another order.
    fn orders(&self, columns: &Columns, cells: usize, block: &[u8], is_last: bool) -> (Taken, u64) {
        let mut taken = Taken::default();
        let mut open: Option<Open> = None;
        let close = |order: Open| Item {
            line: order.line,
            facts: order
                .rows
                .and_then(|rows| columns.order(&rows))
                .and_then(|order| self.written(&Fact::Order(order))),
        };
        let mut read = 0;
        let mut passed = self.complete(block, is_last, &mut read, |line, begin, row| {
            let Some(id) = columns.order_id(&row).map(str::to_owned) else {
                taken.items.extend(open.take().map(close));
                taken.items.push(Item { line, facts: Err("no order_id".to_owned()) });
                return;
            };
            if open.as_ref().is_none_or(|open| open.id != id) {
                let next = Open { id, line, begin, rows: Ok(Vec::new()) };
                taken.items.extend(open.replace(next).map(close));
            }
            if let Some(open) = &mut open
                && let Ok(rows) = &mut open.rows
            {
                match tabular::record(row, cells) {
                    Ok(row) => rows.push(row),
                    Err(reason) => open.rows = Err(format!("{reason} (line {line})")),
                }
            }
        });
        match open {
            // It may go on behind the block: it is read again with what follows.
            Some(open) if !is_last => (read, passed) = (open.begin, open.line - self.line),
            open => taken.items.extend(open.map(close)),
        }
        taken.bytes = read;
        (taken, passed)
    }

    /// Calls for each row that is complete, with its line and where it begins. Says how many bytes they are, and returns
    /// how many lines.
    fn complete(
        &self,
        block: &[u8],
        is_last: bool,
        bytes: &mut usize,
        mut each: impl FnMut(u64, usize, ByteRecord),
    ) -> u64 {
        let mut rows = rows(block);
        let mut row = ByteRecord::new();
        let mut passed = 0;
        while rows.read_byte_record(&mut row).unwrap_or(false) {
            let end = position(&rows);
            // What ends with the block may go on behind it.
            if end >= block.len() && !is_last {
                break;
            }
            let begin = row.position().map_or((1, 0), |place| (place.line(), place.byte()));
            let line = self.line + begin.0 - 1;
            each(line, usize::try_from(begin.1).unwrap_or(usize::MAX), std::mem::take(&mut row));
            *bytes = end;
            passed = rows.position().line() - 1;
        }
        if is_last {
            *bytes = block.len();
        }
        passed
    }

    fn written(&self, fact: &Fact) -> Result<Vec<String>, String> {
        self.checked(serde_json::to_vec(fact).map_err(|_| "cannot be written".to_owned())?)
    }

    /// The facts that the contract finds in a body.
    fn checked(&self, body: Vec<u8>) -> Result<Vec<String>, String> {
        let delivery = Delivery {
            platform: self.connection.platform.clone(),
            connection: self.connection.id.clone(),
            topic: contract::TOPIC.to_owned(),
            delivery_id: String::new(),
            received_at: Timestamp::UNIX_EPOCH,
            headers: Headers::default(),
            backfill: false,
            body,
        };
        match contract::facts(&delivery, &self.connection) {
            Mapping::Facts { facts, .. } => facts
                .iter()
                .map(|fact| serde_json::to_string(fact).map_err(|_| "cannot be written".to_owned()))
                .collect(),
            Mapping::Ignore(_) => Ok(Vec::new()),
            Mapping::Malformed(reason) => Err(reason),
            Mapping::Fetch(_) => Err("not as the contract says".to_owned()),
        }
    }
}

fn rows(block: &[u8]) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).from_reader(block)
}

fn position(rows: &csv::Reader<&[u8]>) -> usize {
    usize::try_from(rows.position().byte()).unwrap_or(usize::MAX)
}
