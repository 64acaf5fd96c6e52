//! Secrets: from files, standard input or the environment, never from the command line, where others can see them.

use std::io::Read as _;

use runtime::Config;

use super::Failure;

/// The value that `@FILE`, `-` or `env:NAME` stands for, without the line break at its end; `None` if it is
/// none of them.
pub(super) fn read(source: &str) -> Result<Option<String>, Failure> {
    let value = if source == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        text
    } else if let Some(file) = source.strip_prefix('@') {
        std::fs::read_to_string(file).map_err(|error| Failure::Usage(format!("{file}: {error}")))?
    } else if let Some(name) = source.strip_prefix("env:") {
        let value = Config::from_env().optional(name);
        value.ok_or_else(|| Failure::Usage(format!("{name} is not set")))?
    } else {
        return Ok(None);
    };
    let value = value.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(Failure::Usage("a secret is empty".to_owned()));
    }
    Ok(Some(value.to_owned()))
}

/// `NAME=SOURCE`, where the source must not be the secret itself.
pub(super) fn named(argument: &str) -> Result<(String, String), Failure> {
    let wrong = || Failure::Usage("a secret is given as NAME=@FILE, NAME=- or NAME=env:VARIABLE".to_owned());
    let (name, source) = argument.split_once('=').ok_or_else(wrong)?;
    let value = read(source)?.ok_or_else(wrong)?;
    Ok((name.to_owned(), value))
}
