//! Which function a request goes to, and with which path parameters.

use std::collections::BTreeMap;

use crate::template::Route;

/// The routes of the HTTP API.
pub(super) struct Router {
    routes: Vec<Compiled>,
}

struct Compiled {
    route: Route,
    segments: Vec<Segment>,
}

/// In order of precedence: a fixed segment before a parameter before a greedy parameter.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Fixed(String),
    Parameter(String),
    Greedy(String),
}

/// A request's route.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Match<'a> {
    pub(super) function: &'a str,
    /// `POST /webhooks/{platform}`, as the function sees it.
    pub(super) route_key: String,
    pub(super) parameters: BTreeMap<String, String>,
}

impl Router {
    pub(super) fn new(routes: Vec<Route>) -> Self {
        let mut routes: Vec<_> = routes
            .into_iter()
            .map(|route| Compiled { segments: route.path.split('/').map(segment).collect(), route })
            .collect();
        // The first match is then the most specific one; a method of its own before `ANY`.
        routes.sort_by(|left, right| {
            let kinds = |compiled: &Compiled| compiled.segments.iter().map(kind).collect::<Vec<_>>();
            let rank = |compiled: &Compiled| {
                (compiled.route.path == "$default", kinds(compiled), compiled.route.method == "ANY")
            };
            rank(left).cmp(&rank(right))
        });
        Self { routes }
    }

    pub(super) fn find(&self, method: &str, path: &str) -> Option<Match<'_>> {
        self.routes.iter().find_map(|compiled| {
            let Route { method: allowed, path: pattern, function } = &compiled.route;
            if pattern == "$default" {
                let (route_key, parameters) = ("$default".to_owned(), BTreeMap::new());
                return Some(Match { function, route_key, parameters });
            }
            if allowed != "ANY" && allowed != method {
                return None;
            }
            let parameters = parameters(&compiled.segments, path)?;
            Some(Match { function, route_key: format!("{allowed} {pattern}"), parameters })
        })
    }
}

fn kind(segment: &Segment) -> u8 {
    match segment {
        Segment::Fixed(_) => 0,
        Segment::Parameter(_) => 1,
        Segment::Greedy(_) => 2,
    }
}

fn segment(text: &str) -> Segment {
    match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        None => Segment::Fixed(text.to_owned()),
        Some(name) => match name.strip_suffix('+') {
            Some(name) => Segment::Greedy(name.to_owned()),
            None => Segment::Parameter(name.to_owned()),
        },
    }
}

fn parameters(segments: &[Segment], path: &str) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    let mut rest = Some(path);
    for segment in segments {
        let text = rest?;
        let (head, tail) = match text.split_once('/') {
            Some((head, tail)) => (head, Some(tail)),
            None => (text, None),
        };
        match segment {
            Segment::Fixed(fixed) if fixed == head => rest = tail,
            Segment::Parameter(name) if !head.is_empty() => {
                parameters.insert(name.clone(), decode(head));
                rest = tail;
            }
            Segment::Greedy(name) if !text.is_empty() => {
                parameters.insert(name.clone(), decode(text));
                rest = None;
            }
            _ => return None,
        }
    }
    rest.is_none().then_some(parameters)
}

/// Undoes percent encoding; what is malformed stays as it is.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let escaped = escaped.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let escaped = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> Router {
        let route = |method: &str, path: &str| Route {
            method: method.to_owned(),
            path: path.to_owned(),
            function: format!("{method} {path}"),
        };
        Router::new(vec![
            route("ANY", "/api/{proxy+}"),
            route("GET", "/api/connections/{id}"),
            route("POST", "/webhooks/{platform}/{connection}"),
            route("POST", "/webhooks/shopify/{connection}"),
            route("GET", "/healthz"),
        ])
    }

    #[test]
    fn the_most_specific_route_wins() {
        let router = router();
        for (method, path, expected) in [
            ("POST", "/webhooks/shopify/c1", Some("POST /webhooks/shopify/{connection}")),
            ("POST", "/webhooks/wix/c1", Some("POST /webhooks/{platform}/{connection}")),
            ("GET", "/webhooks/wix/c1", None),
            ("GET", "/api/connections/7", Some("GET /api/connections/{id}")),
            ("DELETE", "/api/connections/7", Some("ANY /api/{proxy+}")),
            ("GET", "/api/", None),
            ("GET", "/healthz", Some("GET /healthz")),
            ("GET", "/healthz/deep", None),
            ("GET", "/", None),
        ] {
            assert_eq!(router.find(method, path).map(|found| found.function), expected, "{method} {path}");
        }
    }

    #[test]
    fn path_parameters_are_decoded() {
        let router = router();
        let found = router.find("GET", "/api/profiles/a%20b/events").unwrap();
        assert_eq!(found.parameters["proxy"], "profiles/a b/events");
        assert_eq!(found.route_key, "ANY /api/{proxy+}");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%41"), "%zzA");
    }

    #[test]
    fn a_default_route_takes_what_is_left() {
        let route = Route { method: "ANY".to_owned(), path: "$default".to_owned(), function: "F".to_owned() };
        assert_eq!(Router::new(vec![route]).find("PUT", "/x/y").unwrap().route_key, "$default");
    }
}
