//! What the key of an object says.

/// Where files are put.
const DROP: &str = "drop/";
/// Where reports of them are put.
const REPORTS: &str = "reports/";
/// A folder whose files are the past: they fire nothing.
const HISTORY: &str = "history/";

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One fact a line.
    Ndjson,
    /// Customers or orders, one row each.
    Csv,
}

/// Whose file it is, and how it is to be read: `drop/{connection}/name.ndjson`, `drop/{connection}/history/name.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The connection's id.
    pub connection: String,
    /// From the past.
    pub is_history: bool,
    /// By the end of its name.
    pub format: Format,
}

impl Place {
    /// Out of a key; an error is a reason.
    pub fn of(key: &str) -> Result<Self, &'static str> {
        let path = key.strip_prefix(DROP).ok_or("not below drop/")?;
        let (connection, name) = path.split_once('/').ok_or("not in the folder of a connection")?;
        let is_id = (1..=64).contains(&connection.len())
            && connection.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !is_id {
            return Err("the folder is not named by a connection's id");
        }
        // Whatever keeps objects as files must not be led out of the folder.
        if name.split('/').any(|part| part == "." || part == "..") {
            return Err("the key has dots for a folder");
        }
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let format = match extension.as_deref() {
            Some("ndjson" | "jsonl") => Format::Ndjson,
            Some("csv") => Format::Csv,
            _ => return Err("neither .ndjson nor .csv"),
        };
        Ok(Self { connection: connection.to_owned(), is_history: name.starts_with(HISTORY), format })
    }

    /// Where a part of the report about an object is put, from its first line on.
    pub fn report(key: &str, etag: &str, line: u64) -> String {
        let path = key.strip_prefix(DROP).unwrap_or(key);
        let etag: String = etag.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{REPORTS}{path}/{etag}/{line}.ndjson")
    }
}
