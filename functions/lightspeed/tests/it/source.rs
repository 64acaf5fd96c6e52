//! R-Series in memory: lists with filters, sorting and keyset paging, as its documentation describes them.

use std::collections::HashMap;

use lightspeed::Lightspeed;
use platform::{ApiRequest, Connection, Feed, Fetched, Period, Platform, Record};
use serde_json::{Map, Value, json};

pub(crate) const HOST: &str = "https://api.lightspeedapp.com";
pub(crate) const ACCOUNT: &str = "/API/V3/Account/120650";
/// How often whoever reads a feed lets a page ask for more.
const MAX_ROUNDS: usize = 12;

/// An account's records by entity, and what was asked for.
#[derive(Default)]
pub(crate) struct Source {
    pub(crate) lists: HashMap<&'static str, Vec<Value>>,
    /// Addresses in the order of the requests; a kept answer is asked for once.
    pub(crate) asked: Vec<String>,
    kept: HashMap<String, Fetched>,
}

pub(crate) fn connection(settings: &Value) -> Connection {
    let mut all = json!({ "account_id": "120650" });
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    Connection {
        id: "conn-1".to_owned(),
        platform: "lightspeed".to_owned(),
        settings: all.as_object().unwrap().clone(),
    }
}

pub(crate) fn answer(status: u16, body: &Value) -> Fetched {
    Fetched { status, body: serde_json::to_vec(body).unwrap(), ..Fetched::default() }
}

pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let (hex, after) = rest.split_at(2);
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap());
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The name of a request's list, and its parameters.
pub(crate) fn parts(url: &str) -> (String, Vec<(String, String)>) {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let entity = path.strip_prefix(HOST).unwrap().strip_prefix(ACCOUNT).unwrap();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let parameters = pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
    (entity.trim_start_matches('/').trim_end_matches(".json").to_owned(), parameters)
}

impl Source {
    /// Answers like the API.
    pub(crate) fn ask(&mut self, request: &ApiRequest) -> Fetched {
        assert_eq!(request.method, "GET");
        let bearer = ("authorization".to_owned(), "Bearer {secret:access_token}".to_owned());
        assert!(request.headers.contains(&bearer));
        // What stands behind the address is not sent.
        let url = request.url.split('#').next().unwrap();
        if let Some(kept) = self.kept.get(url) {
            return kept.clone();
        }
        self.asked.push(url.to_owned());
        let fetched = answer(200, &self.body(url));
        if request.keep.is_some() {
            self.kept.insert(url.to_owned(), fetched.clone());
        }
        fetched
    }

    fn body(&self, url: &str) -> Value {
        let (entity, parameters) = parts(url);
        if entity.is_empty() {
            return json!({ "name": "Larch & Linen", "defaultCurrency": { "code": "CAD", "symbol": "$" } });
        }
        let parameter =
            |name: &str| parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let id = format!("{}{}ID", entity[..1].to_lowercase(), &entity[1..]);
        let sort = parameter("sort").unwrap_or(&id).to_owned();
        let mut found: Vec<&Value> = self.lists.get(entity.as_str()).into_iter().flatten().collect();
        for (name, value) in &parameters {
            if let Some(range) = value.strip_prefix("><,") {
                let (from, to) = range.split_once(',').unwrap();
                let (from, to) = (from.replace("-00:00", "+00:00"), to.replace("-00:00", "+00:00"));
                found.retain(|record| {
                    (from.as_str()..=to.as_str()).contains(&record[name].as_str().unwrap_or_default())
                });
            } else if let Some(ids) = value.strip_prefix("IN,") {
                let ids: Vec<u64> = serde_json::from_str(ids).unwrap();
                assert!((1..=100).contains(&ids.len()));
                found.retain(|record| ids.contains(&record[name].as_str().unwrap().parse().unwrap()));
            }
        }
        let key = |record: &Value| {
            let id: u64 = record[&id].as_str().unwrap().parse().unwrap();
            let by = record[&sort].as_str().unwrap_or_default();
            if sort.ends_with("ID") { format!("{id:020}") } else { format!("{by}/{id:020}") }
        };
        found.sort_by_key(|record| key(record));
        if let Some(after) = parameter("after") {
            found.retain(|record| key(record).as_str() > after);
        }
        let limit: usize = parameter("limit").unwrap().parse().unwrap();
        let is_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| is_more).map(|last| {
            let url = url.split("&after=").next().unwrap();
            format!("{url}&after={}", key(last).replace('/', "%2F").replace('+', "%2B").replace(':', "%3A"))
        });
        let mut body = Map::new();
        body.insert("@attributes".to_owned(), json!({ "next": next.unwrap_or_default(), "previous": "" }));
        match found.as_slice() {
            [] => {}
            [one] => drop(body.insert(entity, (*one).clone())),
            several => drop(body.insert(entity, several.iter().copied().cloned().collect())),
        }
        body.into()
    }

    /// Pages through a feed to its end; `between` happens after each page.
    pub(crate) fn read(
        &mut self,
        connection: &Connection,
        mut feed: Feed,
        mut between: impl FnMut(&mut Self),
    ) -> Vec<Record> {
        let mut records = Vec::new();
        loop {
            let answer = self.ask(&feed.request);
            let (mut joined, mut rounds) = (Vec::new(), 0);
            let page = loop {
                rounds += 1;
                assert!(rounds <= MAX_ROUNDS, "a page asks too often");
                let page = Lightspeed.page(connection, &feed, &answer, &joined).unwrap();
                if page.joins.is_empty() {
                    break page;
                }
                assert!(page.records.is_empty() && page.next.is_none());
                joined.extend(page.joins.iter().map(|request| self.ask(request)));
            };
            records.extend(page.records);
            between(self);
            match page.next {
                Some(next) => feed.request = next,
                None => return records,
            }
        }
    }

    /// One of the feeds of a period, to its end.
    pub(crate) fn feed(&mut self, connection: &Connection, period: &Period, name: &str) -> Vec<Record> {
        let feeds = Lightspeed.feeds(connection, period);
        let feed = feeds.into_iter().find(|feed| feed.name == name).unwrap();
        self.read(connection, feed, |_| {})
    }
}
