//! The operations of Klaviyo's API, covered or not.

static LIST: &str = include_str!("../klaviyo/operations.tsv");

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) method: &'static str,
    /// With `{…}` where an id stands.
    pub(crate) path: &'static str,
    /// Its `operationId`.
    pub(crate) name: &'static str,
    /// With commas between them, or a dash.
    scopes: &'static str,
    /// Requests that are admitted in a second.
    pub(crate) burst: u32,
    /// Requests that are admitted in a minute.
    pub(crate) steady: u32,
}

impl Known {
    fn read(line: &'static str) -> Option<Self> {
        let mut columns = line.split('\t');
        let mut next = || columns.next();
        let (method, path, name, scopes) = (next()?, next()?, next()?, next()?);
        Some(Self { method, path, name, scopes, burst: next()?.parse().ok()?, steady: next()?.parse().ok()? })
    }

    /// What a key must be allowed to do, sorted.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = &'static str> {
        self.scopes.split(',').filter(|scope| *scope != "-")
    }
}

/// All of them.
pub(crate) fn operations() -> impl Iterator<Item = Known> {
    LIST.lines().filter(|line| !line.starts_with('#')).filter_map(Known::read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_read() {
        let lines = LIST.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!((operations().count(), lines), (345, 345));
        let create_event = operations().find(|known| known.name == "create_event").unwrap();
        assert_eq!((create_event.method, create_event.path), ("POST", "/api/events"));
        assert_eq!((create_event.burst, create_event.steady), (350, 3500));
        assert_eq!(create_event.scopes().collect::<Vec<_>>(), ["events:write"]);
        let reviews = operations().find(|known| known.name == "get_client_reviews").unwrap();
        assert_eq!(reviews.scopes().count(), 0);
    }
}
