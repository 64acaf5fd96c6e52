//! A file in pieces that fit a request.

use std::io::{self, BufRead};

/// Larger bodies than this, in base 64, do not pass API Gateway and Lambda.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// No single record is larger.
const MAX_RECORD_BYTES: usize = 2 * 1024 * 1024;

/// A piece: whole records, of CSV with the header in front.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    /// How many bytes of the file it stands for.
    pub(super) of_file: u64,
    /// What is added to a line's number within the piece to have it in the file.
    pub(super) offset: u64,
}

/// Cuts a file between its records.
pub(super) struct Chunks<R> {
    reader: R,
    is_csv: bool,
    max_records: usize,
    /// The header, and how many lines it has.
    header: Option<(Vec<u8>, u64)>,
    /// Lines before the record at hand.
    lines_read: u64,
    /// A record that the chunk before had no room for, and its lines.
    held: Option<(Vec<u8>, u64)>,
}

impl<R: BufRead> Chunks<R> {
    pub(super) fn new(reader: R, is_csv: bool, max_records: usize) -> Self {
        Self { reader, is_csv, max_records, header: None, lines_read: 0, held: None }
    }

    /// The next piece; `None` at the end of the file.
    pub(super) fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        let mut of_file = 0;
        if self.is_csv && self.header.is_none() {
            let header = self.record()?.unwrap_or_default();
            of_file = header.0.len() as u64;
            self.lines_read = header.1;
            self.header = Some(header);
        }
        let (mut bytes, header_lines) = self.header.clone().unwrap_or_default();
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        let offset = self.lines_read - header_lines;
        let mut records = 0;
        while records < self.max_records {
            let record = match self.held.take() {
                Some(held) => Some(held),
                None => self.record()?,
            };
            let Some((record, lines)) = record else { break };
            if records > 0 && bytes.len() + record.len() > MAX_BYTES {
                self.held = Some((record, lines));
                break;
            }
            of_file += record.len() as u64;
            self.lines_read += lines;
            records += usize::from(!record.trim_ascii().is_empty());
            bytes.extend(record);
        }
        Ok((records > 0).then_some(Chunk { bytes, of_file, offset }))
    }

    /// A record with its line break, and its number of lines. A line break within quotes is a part of the record.
    fn record(&mut self) -> io::Result<Option<(Vec<u8>, u64)>> {
        let (mut record, mut lines) = (Vec::new(), 0);
        let mut is_quoted = false;
        loop {
            let start = record.len();
            if self.reader.read_until(b'\n', &mut record)? == 0 {
                return Ok(Some((record, lines)).filter(|(record, _)| !record.is_empty()));
            }
            lines += 1;
            let is_odd = record[start..].iter().fold(false, |odd, byte| odd ^ (*byte == b'"'));
            is_quoted ^= self.is_csv && is_odd;
            if !is_quoted {
                return Ok(Some((record, lines)));
            }
            if record.len() > MAX_RECORD_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a quoted cell has no end"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, is_csv: bool, records: usize) -> Vec<(String, u64)> {
        let mut chunks = Chunks::new(text.as_bytes(), is_csv, records);
        let mut all = Vec::new();
        let mut of_file = 0;
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            of_file += chunk.of_file;
            all.push((String::from_utf8(chunk.bytes).unwrap(), chunk.offset));
        }
        assert!(of_file <= text.len() as u64);
        all
    }

    #[test]
    fn each_piece_has_the_header_and_whole_records() {
        let piece = |text: &str, offset| (text.to_owned(), offset);
        assert_eq!(
            pieces("a,b\n1,2\n\"3\n3\",4\n5,\"6\"\"\n\"\n7,8", true, 2),
            [piece("a,b\n1,2\n\"3\n3\",4\n", 0), piece("a,b\n5,\"6\"\"\n\"\n7,8", 3)]
        );
        assert_eq!(pieces("{}\n\n{}\n{}", false, 2), [piece("{}\n\n{}\n", 0), piece("{}", 3)]);
        assert!(pieces("a,b\n", true, 2).is_empty());
        assert!(pieces("", false, 2).is_empty());
    }

    #[test]
    fn no_piece_is_too_large() {
        let line = format!("{}\n", "x".repeat(1024 * 1024));
        let pieces = pieces(&line.repeat(9), false, 1000);
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces.iter().map(|(text, _)| text.len()).sum::<usize>(), line.len() * 9);
        assert_eq!(pieces.iter().map(|(_, offset)| *offset).collect::<Vec<_>>(), [0, 3, 6]);
    }

    #[test]
    fn a_quote_that_never_closes_is_an_error() {
        let text = format!("a\n\"{}", "x\n".repeat(MAX_RECORD_BYTES));
        let mut chunks = Chunks::new(text.as_bytes(), true, 10);
        assert!(chunks.next_chunk().is_err());
    }
}
