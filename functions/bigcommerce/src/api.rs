//! Asking BigCommerce's API: requests, and the answers in the order they were asked for.

use platform::lenient::{self, Field, Object, Objects};
use platform::reading::{Reader, Silence};
use platform::{ApiRequest, Connection, Fetched};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::payload::{Entities, Entity};

/// Records of one page: the most that the API gives.
pub(crate) const PAGE_SIZE: usize = 250;
/// Pages of one list that are read: an order of 1000 lines is not sold to a person.
const MAX_PAGES: usize = 4;
const API_URL: &str = "https://api.bigcommerce.com";

/// One store's API.
pub(crate) struct Api(String);

impl Api {
    /// By the connection's settings; `None` if they name no store.
    pub(crate) fn of(connection: &Connection) -> Option<Self> {
        let store = connection.text("store_hash").filter(|hash| is_word(hash))?;
        let host = connection.text("api_url").unwrap_or(API_URL).trim_end_matches('/');
        let http = host.starts_with("https://") || host.starts_with("http://");
        http.then(|| Self(format!("{host}/stores/{store}")))
    }

    /// The path of an address below this store's.
    pub(crate) fn path<'a>(&self, url: &'a str) -> Option<&'a str> {
        url.strip_prefix(&self.0)?.strip_prefix('/')
    }

    pub(crate) fn get(&self, path: &str) -> ApiRequest {
        authorized(ApiRequest::get(format!("{}/{path}", self.0)))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> ApiRequest {
        authorized(ApiRequest::post(format!("{}/{path}", self.0), body))
    }
}

fn authorized(request: ApiRequest) -> ApiRequest {
    request.header("x-auth-token", "{secret:access_token}")
}

/// Something that belongs to a record.
pub(crate) enum Listing {
    /// A list of API v2, in pages.
    Pages(String),
    /// What comes in one answer.
    Whole(String),
    /// Not needed.
    Skipped,
}

impl Listing {
    fn request(&self, api: &Api, page: usize) -> Option<ApiRequest> {
        match self {
            Self::Pages(path) => Some(api.get(&format!("{path}?limit={PAGE_SIZE}&page={page}"))),
            Self::Whole(path) if page == 1 => Some(api.get(path)),
            Self::Whole(_) | Self::Skipped => None,
        }
    }
}

/// A delivery while it is read, with the answers that have come so far.
pub(crate) struct Session<'a> {
    pub(crate) reader: Reader<'a>,
    pub(crate) api: Api,
    answers: std::slice::Iter<'a, Fetched>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(reader: Reader<'a>, api: Api, answers: &'a [Fetched]) -> Self {
        Self { reader, api, answers: answers.iter() }
    }

    /// The answers to these requests; while there are none, the wish to make them.
    fn ask(&mut self, requests: Vec<ApiRequest>) -> Result<&'a [Fetched], Silence> {
        let rest = self.answers.as_slice();
        match rest.split_at_checked(requests.len()) {
            Some((answers, rest)) => {
                self.answers = rest.iter();
                Ok(answers)
            }
            None => Err(Silence::Fetch(requests)),
        }
    }

    /// The answer to one request.
    pub(crate) fn ask_for(&mut self, request: ApiRequest) -> Result<Option<&'a Fetched>, Silence> {
        self.ask(vec![request]).map(<[Fetched]>::first)
    }

    /// All pages of several lists, in as few rounds as possible.
    pub(crate) fn listings<const N: usize>(
        &mut self,
        listings: &[Listing; N],
    ) -> Result<[Vec<&'a Fetched>; N], Silence> {
        let mut pages: [Vec<&Fetched>; N] = std::array::from_fn(|_| Vec::new());
        let mut open: Vec<usize> = (0..N).collect();
        for page in 1..=MAX_PAGES {
            let wanted: Vec<(usize, ApiRequest)> = open
                .iter()
                .filter_map(|&index| Some((index, listings[index].request(&self.api, page)?)))
                .collect();
            let (indices, requests): (Vec<usize>, Vec<ApiRequest>) = wanted.into_iter().unzip();
            if requests.is_empty() {
                return Ok(pages);
            }
            for (&index, answer) in indices.iter().zip(self.ask(requests)?) {
                pages[index].push(answer);
            }
            open = indices;
            open.retain(|&index| pages[index].last().is_some_and(|answer| is_full(answer)));
        }
        if !open.is_empty() {
            self.reader.dropped.note("pages");
        }
        Ok(pages)
    }
}

fn is_full(answer: &Fetched) -> bool {
    serde_json::from_slice::<Vec<IgnoredAny>>(&answer.body).is_ok_and(|list| list.len() >= PAGE_SIZE)
}

/// What an answer holds. `None` when there is nothing: 404 and 410, and 204, which API v2 gives for an empty list.
fn content(answer: &Fetched) -> Result<Option<&[u8]>, Silence> {
    match answer.status {
        200..=299 => Ok(Some(answer.body.as_slice()).filter(|body| !body.trim_ascii().is_empty())),
        404 | 410 => Ok(None),
        status => Err(Silence::Malformed(format!("the API answered {status}"))),
    }
}

/// A record of API v2.
pub(crate) fn object<T: DeserializeOwned>(answer: Option<&Fetched>) -> Result<Option<T>, Silence> {
    let body = answer.map(content).transpose()?.flatten();
    let record = body.map(lenient::object).transpose();
    record.map_err(|error| Silence::Malformed(format!("of the answer: {error}")))
}

/// A record of API v3, which is in `data`.
pub(crate) fn entity<T: DeserializeOwned + Default>(answer: Option<&Fetched>) -> Result<Option<T>, Silence> {
    let envelope: Option<Entity<T>> = object(answer)?;
    Ok(envelope.and_then(|envelope| envelope.data.ok()).map(|Object(record)| record))
}

/// The records of API v3, which are in `data`.
pub(crate) fn entities<T: DeserializeOwned + Default>(
    answer: Option<&Fetched>,
) -> Result<Objects<T>, Silence> {
    let envelope: Option<Entities<T>> = object(answer)?;
    Ok(envelope.unwrap_or_default().data)
}

/// The records of all pages of a list of API v2.
pub(crate) fn list<T: DeserializeOwned>(pages: &[&Fetched]) -> Result<Objects<T>, Silence> {
    let mut records = Vec::new();
    for page in pages {
        let Some(body) = content(page)? else { continue };
        match serde_json::from_slice::<Objects<T>>(body) {
            Ok(Field::Is(list)) => records.extend(list),
            Ok(Field::Absent) => {}
            _ => return Err(Silence::Malformed("the answer is not a list".to_owned())),
        }
    }
    Ok(Field::Is(records))
}

/// An id that may become a part of an address: digits.
pub(crate) fn is_number(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// A name that may become a part of an address: letters, digits, hyphens, underscores.
pub(crate) fn is_word(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=128).contains(&name.len()) && name.bytes().all(plain)
}

/// Takes the first of several ids that is there and may become a part of an address.
pub(crate) fn id<const N: usize>(
    reader: &mut Reader<'_>,
    name: &'static str,
    ids: [Field<lenient::Id>; N],
    sound: fn(&str) -> bool,
) -> Result<String, Silence> {
    let found = ids.into_iter().find_map(|id| reader.dropped.take(name, id));
    let usable = found.map(|lenient::Id(id)| id).filter(|id| sound(id));
    usable.ok_or_else(|| Silence::Malformed(format!("no usable {name}")))
}
