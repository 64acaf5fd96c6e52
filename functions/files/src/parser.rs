//! Bytes of a file in, facts and problems out. Pure, and it never holds more of the file than it is given: what is not
//! complete yet is left to be given again with what follows.

use canonical::fact::CustomerSnapshot;
use canonical::identity::Identifiers;
use canonical::{Fact, Person};
use csv::{ByteRecord, StringRecord};
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
    /// The row before it, by its line, if it may have been of any order.
    stray: Option<u64>,
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
    stray: Option<u64>,
}

enum Kind {
    Customers(ProfileColumns),
    Orders(Columns),
}

impl Parser {
    /// At the beginning of a connection's file.
    pub fn new(connection: Connection, format: Format) -> Self {
        Self { connection, format, header: None, line: 1, stray: None }
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
        let mut end = tabular::mark(block);
        let mut line = self.line;
        let bytes = loop {
            let Some(row) = tabular::row(&block[end..], is_last) else {
                return if is_last { Err("the file is empty".to_owned()) } else { Ok(0) };
            };
            (end, line) = (end + row.bytes, line + row.lines);
            let cells = row.cells?;
            if !cells.is_empty() {
                break cells;
            }
        };
        let cells = bytes.len();
        let header = tabular::record(bytes, cells)?;
        let kind = if Columns::fits(&header) {
            Kind::Orders(Columns::of(&header)?)
        } else {
            Kind::Customers(ProfileColumns::of(&header)?)
        };
        self.line = line;
        self.header = Some(Header { cells, kind });
        Ok(end)
    }

    /// Reads as much of a block as is complete; all of it if it is the last.
    pub fn take(&mut self, block: &[u8], is_last: bool) -> Taken {
        let mut stray = self.stray;
        let (taken, passed) = match &self.header {
            None => self.lines(block, is_last),
            Some(header) => match &header.kind {
                Kind::Customers(columns) => self.customers(columns, header.cells, block, is_last),
                Kind::Orders(columns) => self.orders(columns, header.cells, block, is_last, &mut stray),
            },
        };
        (self.stray, self.line) = (stray, self.line + passed);
        taken
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
            let begin = if self.line + passed == 1 { tabular::mark(line) } else { 0 };
            let text = line[begin..].trim_ascii();
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
            let row = row.map_err(str::to_owned).and_then(|row| tabular::record(row, cells));
            let facts = row.and_then(|cells| columns.row(line, &cells)).and_then(|row| {
                self.known(&row.person)?;
                let customer = CustomerSnapshot { person: row.person, ..CustomerSnapshot::default() };
                self.written(&Fact::Customer(customer))
            });
            taken.items.push(Item { line, facts });
        });
        (taken, passed)
    }

    /// Rows of one order stand together, so an order is complete once another begins. A row that cannot be read costs the
    /// whole order: one line less would be another order. If it does not even say which, it costs both it stands between.
    fn orders(
        &self,
        columns: &Columns,
        cells: usize,
        block: &[u8],
        is_last: bool,
        stray: &mut Option<u64>,
    ) -> (Taken, u64) {
        let mut taken = Taken::default();
        let mut open: Option<Open> = None;
        let close = |order: Open| {
            let order_of = |rows: Vec<StringRecord>| {
                let order = columns.order(&rows, &self.connection)?;
                self.known(&order.person)?;
                self.written(&Fact::Order(order))
            };
            Item { line: order.line, facts: order.rows.and_then(order_of) }
        };
        let beside = |line: u64| format!("beside a row that may be of this order (line {line})");
        let mut read = 0;
        let mut passed = self.complete(block, is_last, &mut read, |line, begin, row| {
            let named = row.and_then(|row| {
                let id = columns.order_id(&row).map(str::to_owned).ok_or("no order_id")?;
                Ok((row, id))
            });
            let (row, id) = match named {
                Ok(named) => named,
                Err(reason) => {
                    let before = open.take().map(|open| Open { rows: Err(beside(line)), ..open });
                    taken.items.extend(before.map(close));
                    taken.items.push(Item { line, facts: Err(reason.to_owned()) });
                    *stray = Some(line);
                    return;
                }
            };
            if open.as_ref().is_none_or(|open| open.id != id) {
                let stray = stray.take();
                let rows = stray.map_or(Ok(Vec::new()), |line| Err(beside(line)));
                taken.items.extend(open.replace(Open { id, line, begin, rows, stray }).map(close));
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
            Some(open) if !is_last => {
                (read, passed, *stray) = (open.begin, open.line - self.line, open.stray);
            }
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
        mut each: impl FnMut(u64, usize, Result<ByteRecord, &'static str>),
    ) -> u64 {
        let (mut at, mut passed) = (0, 0);
        while let Some(row) = tabular::row(&block[at..], is_last) {
            if !row.cells.as_ref().is_ok_and(ByteRecord::is_empty) {
                each(self.line + passed, at, row.cells);
            }
            (at, passed) = (at + row.bytes, passed + row.lines);
        }
        *bytes = at;
        passed
    }

    /// That somebody can be known by what a row says of who it is, if it says anything.
    fn known(&self, person: &Person) -> Result<(), String> {
        let (identifiers, dropped) = Identifiers::of(person, &self.connection.id);
        if dropped.is_empty() || !identifiers.ranked().is_empty() || identifiers.customer.is_some() {
            return Ok(());
        }
        Err(format!("nobody is named: {} cannot be one", dropped.join(", ")))
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
