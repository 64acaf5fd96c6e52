//! What arrives from platforms: proofs, deliveries, answers, pages.

use canonical::fact::Fact;
use canonical::{Source, activity, cart, checkout, order, profile};
use platform::{
    ApiRequest, Connection, Feed, Fetched, Mapping, Page, Period, Platform, Request, Secrets, Unverified,
    Verdict,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sheet::{Sheet, now};

/// An RSA key of which nobody has the other half.
const PUBLIC_KEY: &str = include_str!("public_key.pem");
/// Rounds of requests for one delivery or page.
const MAX_ROUNDS: usize = 6;
/// The one host that only inputs name.
const ELSEWHERE: &str = "evil.example";

/// Nothing is accepted that is signed by a secret that nobody knows, or where there is no secret at all.
pub(crate) fn verdict(input: &[u8]) {
    let Some(sheet) = Sheet::read(input) else { return };
    refuses(&sheet, &unknown_secrets(sheet.platform));
    // Some releases of Spree sign nothing; their owners may say so.
    if !sheet.connection.flag("accept_unsigned", false) {
        refuses(&sheet, &Secrets::default());
    }
}

fn refuses(sheet: &Sheet, secrets: &Secrets) {
    let verdict = |request: &Request| {
        let body = Unverified::new(sheet.body.clone());
        sheet.platform.verify(request, body, &sheet.connection, secrets, now())
    };
    let outcome = match verdict(&sheet.request) {
        Verdict::Keys(addresses) => {
            assert!(!addresses.is_empty(), "asks for no key");
            for address in &addresses {
                let host = host(address);
                assert!(!host.contains(ELSEWHERE), "a key is asked for at {host}");
            }
            let keys = addresses.into_iter().map(|address| (address, PUBLIC_KEY.to_owned())).collect();
            verdict(&Request { keys, ..sheet.request.clone() })
        }
        outcome => outcome,
    };
    assert!(!matches!(outcome, Verdict::Accept(_)), "accepted without a signature: {outcome:?}");
}

fn unknown_secrets(platform: &dyn Platform) -> Secrets {
    let mut secrets = Secrets::default();
    let description = platform.description();
    for (name, _) in description.secrets["properties"].as_object().into_iter().flatten() {
        let secret =
            if name.ends_with("public_key") { PUBLIC_KEY } else { "kZ3vQ9xT0cLr7WmB2sYhN5pJ8aDfG1eU" };
        secrets.rotate(name, secret.to_owned());
    }
    secrets
}

/// The same bytes give the same facts, which are read as they are written, and so are the ledgers they make.
pub(crate) fn reading(input: &[u8]) {
    let Some(sheet) = Sheet::read(input) else { return };
    let delivery = sheet.delivery();
    let mut fetched = Vec::new();
    let mut answers = sheet.answers.iter();
    for _ in 0..MAX_ROUNDS {
        let mapping = sheet.platform.facts(&delivery, &sheet.connection, &fetched);
        assert_eq!(mapping, sheet.platform.facts(&delivery, &sheet.connection, &fetched), "twice");
        match mapping {
            Mapping::Fetch(requests) => {
                asked_of_the_platform(&requests, &sheet.connection);
                let answered = fetched.len();
                fetched.extend(answers.by_ref().take(requests.len()).cloned());
                if fetched.len() < answered + requests.len() {
                    return;
                }
            }
            Mapping::Facts { facts, .. } => return facts.iter().for_each(told),
            Mapping::Ignore(_) | Mapping::Malformed(_) => return,
        }
    }
}

/// What a fact leads to.
fn told(fact: &Fact) {
    comes_back(fact);
    let source = Source {
        platform: "shopify".to_owned(),
        connection: "conn-1".to_owned(),
        topic: "topic".to_owned(),
        delivery_id: "d-1".to_owned(),
    };
    match fact {
        Fact::Order(snapshot) => {
            let (ledger, _) = order::advance(&order::Ledger::default(), snapshot, &source);
            comes_back(&ledger);
            assert_eq!(order::advance(&ledger, snapshot, &source).0, ledger, "told twice");
        }
        Fact::Checkout(snapshot) => {
            comes_back(&checkout::advance(&checkout::Ledger::default(), snapshot, &source).0);
        }
        Fact::Cart(snapshot) => comes_back(&cart::advance(&cart::Ledger::default(), snapshot, &source).0),
        Fact::ProductView(view) => comes_back(&activity::viewed_product(view, &source)),
        Fact::Loyalty(loyalty) => comes_back(&activity::loyalty(loyalty, &source)),
        Fact::Consent(change) => {
            profile::consent_event(change, &source).iter().for_each(comes_back);
        }
        Fact::Customer(_)
        | Fact::Catalog(_)
        | Fact::Erasure(_)
        | Fact::DataRequest(_)
        | Fact::Disconnected { .. } => {}
    }
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(written: &T) {
    let json = serde_json::to_string(written).expect("it can be written");
    let read: T = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(*written, read, "{json}");
}

/// A page is read, and whatever it holds, what is asked for next is asked of the platform.
pub(crate) fn page(input: &[u8]) {
    let Some(sheet) = Sheet::read(input) else { return };
    let Some((answer, joined)) = sheet.answers.split_first() else { return };
    let since = "2026-03-01T00:00:00Z".parse().unwrap();
    let period = match &*sheet.request.method {
        "history" => Period::history(since, now()),
        _ => Period::changes(since, now()),
    };
    let feeds = sheet.platform.feeds(&sheet.connection, &period);
    let Some(feed) = feeds.into_iter().find(|feed| feed.name == sheet.topic) else { return };
    if let Some(next) = page_of(&sheet, &feed, answer, joined).and_then(|page| page.next) {
        let feed = Feed { request: next, ..feed };
        page_of(&sheet, &feed, answer, joined);
    }
    if let Some(oauth) = sheet.platform.oauth(&sheet.connection) {
        let token = serde_json::from_slice(&sheet.body).unwrap_or_default();
        let _ = (oauth.learn)(&token, sheet.answers.first());
    }
}

fn page_of(sheet: &Sheet, feed: &Feed, answer: &Fetched, joined: &[Fetched]) -> Option<Page> {
    let mut given = 0;
    for _ in 0..MAX_ROUNDS {
        let page = sheet.platform.page(&sheet.connection, feed, answer, &joined[..given]).ok()?;
        asked_of_the_platform(&page.joins, &sheet.connection);
        asked_of_the_platform(page.next.as_slice(), &sheet.connection);
        if page.joins.is_empty() {
            return Some(page);
        }
        given += page.joins.len();
        if given > joined.len() {
            return None;
        }
    }
    None
}

fn asked_of_the_platform(requests: &[ApiRequest], connection: &Connection) {
    // Whoever owns the connection may be anywhere.
    let is_own = serde_json::to_string(&connection.settings).unwrap().contains(ELSEWHERE);
    for request in requests.iter().filter(|_| !is_own) {
        let host = host(&request.url);
        assert!(!host.contains(ELSEWHERE), "{host} is asked");
    }
}

/// The authority of an address.
fn host(address: &str) -> &str {
    let (_, rest) = address.split_once("://").unwrap_or(("", address));
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}
