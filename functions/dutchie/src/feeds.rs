//! What Dutchie is asked for, each location with its own key.
//!
//! **Transactions** come in windows of time, for they have no pages: wider ones where little is sold. What a window holds
//! is read in slices, oldest transaction first. Buyers are looked up in the list of the period's customers, of which more
//! pages are asked for as long as more buyers are missing than that takes requests; whoever is not listed then is asked for
//! alone, since Dutchie gives no other way.
//!
//! What was sold before the first poll is not told by any poll, however late it changes: the feed's mark says when that was.
//!
//! **Customers** are numbered pages. A poll asks for them without an end, so that one who changes meanwhile keeps a place
//! among them. Whom an import misses, the sales bring.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use platform::signature::token::query_parameter;
use platform::{ApiRequest, Connection, Feed, Fetched, Page, Period, Record, Span};
use serde_json::Value;

use crate::api::{Api, KEPT, MAX_LOCATIONS, field, id, list, locations, one, product_list};
use crate::record::{self, Location};

const CUSTOMERS: [&str; MAX_LOCATIONS as usize] = [
    "customers",
    "customers_2",
    "customers_3",
    "customers_4",
    "customers_5",
    "customers_6",
    "customers_7",
    "customers_8",
    "customers_9",
    "customers_10",
];
const TRANSACTIONS: [&str; MAX_LOCATIONS as usize] = [
    "transactions",
    "transactions_2",
    "transactions_3",
    "transactions_4",
    "transactions_5",
    "transactions_6",
    "transactions_7",
    "transactions_8",
    "transactions_9",
    "transactions_10",
];
const PRODUCTS: [&str; MAX_LOCATIONS as usize] = [
    "products",
    "products_2",
    "products_3",
    "products_4",
    "products_5",
    "products_6",
    "products_7",
    "products_8",
    "products_9",
    "products_10",
];

/// Hours of the first window of transactions, and most of any: Dutchie is said to take up to 60 days.
const FIRST_HOURS: i64 = 6;
const MOST_HOURS: i64 = 30 * 24;
/// Transactions of a window after which the next is twice as wide, or half: it should fit an answer, and not be asked for
/// again for many slices.
const FEW: usize = 50;
const MANY: usize = 250;
/// How far windows overlap: whether Dutchie counts their edges in is not documented.
const OVERLAP: SignedDuration = SignedDuration::from_secs(1);
/// Customers that are asked for before a slice of transactions is read.
const MAX_JOINED: usize = 50;
/// Pages of the period's customers that buyers are looked up in: 1, then 2, 4 and 8 more.
const MAX_LISTED: usize = 15;
/// Customers of a page, as asked for: so many are kept. Dutchie is said to give fewer at times, but never fewer than
/// [`SURE_PAGE`].
const PAGE_SIZE: usize = 500;
/// A page with fewer is the last.
const SURE_PAGE: usize = 100;

/// Customers by their ids.
type People = BTreeMap<u64, Value>;
/// Customers, and the answers that were not needed for them; or what must be asked first.
type Listed<'a> = Result<(People, &'a [Fetched]), Vec<ApiRequest>>;

/// What a connection is asked for in a period.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    if period.span == Span::Changes && !connection.flag("poll", true) {
        return Vec::new();
    }
    let apis =
        (1..=locations(connection)).filter_map(|location| Some((location, Api::of(connection, location)?)));
    apis.flat_map(|(location, api)| of_location(connection, location, &api, period)).collect()
}

fn of_location(connection: &Connection, location: u32, api: &Api<'_>, period: &Period) -> Vec<Feed> {
    let place = location as usize - 1;
    let begin = period.marks.get(TRANSACTIONS[place]).and_then(|mark| mark.parse().ok());
    let window = Window {
        begin: (period.span == Span::Changes).then(|| begin.unwrap_or(period.since)),
        since: period.since,
        from: period.since,
        until: period.until,
        hours: FIRST_HOURS,
        after: 0,
    };
    let since = date(period.since);
    let products = product_list(connection).map(|list| Feed {
        name: PRODUCTS[place],
        request: api.get(&format!("{list}?fromLastModifiedDateUTC={since}")),
    });
    let customers = Feed { name: CUSTOMERS[place], request: window.customers(api, false, 0) };
    let transactions = Feed { name: TRANSACTIONS[place], request: window.request(api) };
    [customers, transactions].into_iter().chain(products).collect()
}

/// One page of any feed.
pub(crate) fn page(
    connection: &Connection,
    feed: &Feed,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let place = |names: &[&str]| names.iter().position(|name| *name == feed.name);
    let api = |place: usize| {
        let location = u32::try_from(place + 1).unwrap_or(MAX_LOCATIONS);
        Api::of(connection, location).ok_or("the setting api_url is no address")
    };
    if let Some(place) = place(&TRANSACTIONS) {
        transactions(&api(place)?, &feed.request, answer, joined)
    } else if let Some(place) = place(&CUSTOMERS) {
        customers(&api(place)?, &feed.request, answer, joined)
    } else if place(&PRODUCTS).is_some() {
        let records = list(answer)?.iter().map(record::product).collect();
        Ok(Page { records, ..Page::default() })
    } else {
        Err("a feed that there is not".to_owned())
    }
}

/// A stretch of time in which transactions are asked for, and the transaction after which its next slice begins.
struct Window {
    /// When the first poll began; `None` in an import.
    begin: Option<Timestamp>,
    since: Timestamp,
    from: Timestamp,
    until: Timestamp,
    hours: i64,
    after: u64,
}

impl Window {
    /// The period, the width and the slice stand behind the address, where they are not sent.
    fn request(&self, api: &Api<'_>) -> ApiRequest {
        let (from, to) = (date(self.from), date(self.to()));
        let (names, begin) = match self.begin {
            Some(begin) => {
                (["FromLastModifiedDateUTC", "ToLastModifiedDateUTC"], format!("&begin={}", date(begin)))
            }
            None => (["FromDateUTC", "ToDateUTC"], String::new()),
        };
        api.get(&format!(
            "reporting/transactions?{}={from}&{}={to}&IncludeDetail=true&IncludeTaxes=true\
             #since={}&until={}&hours={}&after={}{begin}",
            names[0],
            names[1],
            date(self.since),
            date(self.until),
            self.hours,
            self.after
        ))
    }

    /// Reads back what [`Self::request`] wrote.
    fn of(request: &ApiRequest) -> Option<Self> {
        let (address, fragment) = request.url.split_once('#')?;
        let (_, query) = address.split_once('?')?;
        let from = query_parameter(query, "FromLastModifiedDateUTC");
        let from = from.or_else(|| query_parameter(query, "FromDateUTC"))?;
        let begin = query_parameter(fragment, "begin");
        Some(Self {
            begin: begin.map(str::parse).transpose().ok()?,
            since: query_parameter(fragment, "since")?.parse().ok()?,
            from: from.parse().ok()?,
            until: query_parameter(fragment, "until")?.parse().ok()?,
            hours: query_parameter(fragment, "hours")?.parse().ok()?,
            after: query_parameter(fragment, "after")?.parse().ok()?,
        })
    }

    /// A page of the period's customers.
    fn customers(&self, api: &Api<'_>, with_anonymous: bool, page: usize) -> ApiRequest {
        let until = self.begin.is_none().then(|| date(self.until));
        customers_request(api, &date(self.since), until.as_deref(), with_anonymous, page)
    }

    /// Kept here, but not in the feed of customers: a poll that is tried again must not miss who changed meanwhile. With
    /// those without a name, who need not be asked for then.
    fn listed(&self, api: &Api<'_>, page: usize) -> ApiRequest {
        self.customers(api, true, page).kept_for(KEPT)
    }

    fn to(&self) -> Timestamp {
        let width = SignedDuration::from_hours(self.hours);
        self.from.checked_add(width).unwrap_or(self.until).min(self.until)
    }

    /// The slice behind a transaction, or the window behind this one, which held so many.
    fn next(self, slice_ends_with: Option<u64>, count: usize) -> Option<Self> {
        if let Some(after) = slice_ends_with {
            return Some(Self { after, ..self });
        }
        let to = self.to();
        let hours = match count {
            ..FEW => self.hours.saturating_mul(2).min(MOST_HOURS),
            FEW..=MANY => self.hours,
            _ => (self.hours / 2).max(1),
        };
        (to < self.until).then(|| Self {
            from: to.checked_sub(OVERLAP).unwrap_or(to),
            hours,
            after: 0,
            ..self
        })
    }
}

fn transactions(
    api: &Api<'_>,
    request: &ApiRequest,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let window = Window::of(request).ok_or("a request that was not made here")?;
    let mut rows: Vec<(u64, Value)> =
        list(answer)?.into_iter().filter_map(|row| Some((id(&row, "transactionId")?, row))).collect();
    let count = rows.len();
    rows.retain(|(id, _)| *id > window.after);
    rows.sort_by_key(|(id, _)| *id);
    let mark = window.begin.map(date);
    if rows.is_empty() {
        let next = window.next(None, count).map(|window| window.request(api));
        return Ok(Page { next, mark, ..Page::default() });
    }

    let mut joins = vec![api.whoami(), window.listed(api, 0)];
    joins.extend(api.products());
    let Some((known, joined)) = joined.split_at_checked(joins.len()) else {
        return Ok(Page { joins, ..Page::default() });
    };
    let location = location(&known[0])?;
    let products = known.get(2).map(list).transpose()?.unwrap_or_default();
    let (mut people, joined) = match listed(api, &window, &rows, &known[1], joined)? {
        Ok(listed) => listed,
        Err(joins) => return Ok(Page { joins, ..Page::default() }),
    };
    let (unlisted, slice_ends_with) = unlisted(&mut rows, &people);
    let Some((buyers, merged)) = joined.split_at_checked(unlisted.len()) else {
        let joins = unlisted.iter().map(|id| api.customer(*id)).collect();
        return Ok(Page { joins, ..Page::default() });
    };
    people.extend(buyers.iter().filter_map(|answer| with_id(&one(answer)?)));
    let buyers = rows.iter().filter_map(|(_, row)| people.get(&id(row, "customerId")?));
    let targets = merged_into(buyers, &people);
    if targets.len() > merged.len() {
        return Ok(Page { joins: targets.iter().map(|id| api.customer(*id)).collect(), ..Page::default() });
    }
    people.extend(merged.iter().filter_map(|answer| with_id(&one(answer)?)));

    let records = rows.iter().map(|(_, row)| {
        let customer = id(row, "customerId").and_then(|id| person(&people, id));
        record::transaction(&location, row, customer, &products, mark.as_deref())
    });
    let records = records.collect();
    let next = window.next(slice_ends_with, count).map(|window| window.request(api));
    Ok(Page { records, next, mark, ..Page::default() })
}

/// The period's customers. Further pages are worth their requests while more buyers are missing than that.
fn listed<'a>(
    api: &Api<'_>,
    window: &Window,
    rows: &[(u64, Value)],
    first: &Fetched,
    mut joined: &'a [Fetched],
) -> Result<Listed<'a>, String> {
    let mut page = list(first)?;
    let mut people: People = page.iter().filter_map(with_id).collect();
    let mut pages = 1;
    while page.len() >= SURE_PAGE && pages < MAX_LISTED {
        let missing: BTreeSet<u64> = rows.iter().filter_map(|(_, row)| missing(row, &people)).collect();
        if missing.len() <= pages + 1 {
            break;
        }
        let Some((answers, rest)) = joined.split_at_checked(pages + 1) else {
            return Ok(Err((pages..=2 * pages).map(|page| window.listed(api, page)).collect()));
        };
        for answer in answers {
            page = list(answer)?;
            people.extend(page.iter().filter_map(with_id));
        }
        joined = rest;
        pages = 2 * pages + 1;
    }
    Ok(Ok((people, joined)))
}

/// The buyer of a transaction, if that is told and nobody has said who it is.
fn missing(row: &Value, people: &People) -> Option<u64> {
    let is_void = field(row, "isVoid") == Some(&Value::Bool(true));
    id(row, "customerId").filter(|id| !is_void && !people.contains_key(id))
}

/// Of thousands of customers only what is read is kept.
fn with_id(customer: &Value) -> Option<(u64, Value)> {
    Some((id(customer, "customerId")?, record::person(customer)))
}

/// The customers of as many rows as can be joined whom no list has, and after which row to go on if that is not all.
/// Rows beyond are taken away.
fn unlisted(rows: &mut Vec<(u64, Value)>, people: &People) -> (Vec<u64>, Option<u64>) {
    let mut customers = Vec::new();
    for place in 0..rows.len() {
        let customer = missing(&rows[place].1, people).filter(|id| !customers.contains(id));
        let Some(customer) = customer else { continue };
        if customers.len() == MAX_JOINED {
            rows.truncate(place);
            return (customers, rows.last().map(|(id, _)| *id));
        }
        customers.push(customer);
    }
    (customers, None)
}

/// Customers that some were merged into and that are not there themselves.
fn merged_into<'a>(merged: impl Iterator<Item = &'a Value>, people: &People) -> Vec<u64> {
    let mut targets: Vec<u64> = merged.filter_map(|customer| id(customer, "mergedIntoCustomerId")).collect();
    targets.sort_unstable();
    targets.dedup();
    targets.retain(|target| !people.contains_key(target));
    targets.truncate(MAX_JOINED);
    targets
}

/// The customer with an id, or the one that it was merged into.
fn person(people: &People, customer: u64) -> Option<&Value> {
    let found = people.get(&customer)?;
    id(found, "mergedIntoCustomerId").and_then(|into| people.get(&into)).or(Some(found))
}

fn location(whoami: &Fetched) -> Result<Location, String> {
    let whoami = one(whoami).ok_or("whoami has no answer")?;
    Location::of(&whoami).ok_or_else(|| "whoami names no location".to_owned())
}

fn customers_request(
    api: &Api<'_>,
    since: &str,
    until: Option<&str>,
    with_anonymous: bool,
    page: usize,
) -> ApiRequest {
    let until = until.map(|until| format!("&toLastModifiedDateUTC={until}")).unwrap_or_default();
    api.get(&format!(
        "customer/customers-paginated?fromLastModifiedDateUTC={since}{until}\
         &includeAnonymous={with_anonymous}&PageNumber={page}&PageSize={PAGE_SIZE}"
    ))
}

fn customers(
    api: &Api<'_>,
    request: &ApiRequest,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let rows = list(answer)?;
    let query = request.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let number = query_parameter(query, "PageNumber").and_then(|page| page.parse::<usize>().ok());
    let since = query_parameter(query, "fromLastModifiedDateUTC");
    let (Some(number), Some(since)) = (number, since) else {
        return Err("a request that was not made here".to_owned());
    };
    let until = query_parameter(query, "toLastModifiedDateUTC");
    let next = (rows.len() >= SURE_PAGE).then(|| customers_request(api, since, until, false, number + 1));
    if rows.is_empty() {
        return Ok(Page::default());
    }
    let mut joins = vec![api.whoami()];
    let mut people: People = rows.iter().filter_map(with_id).collect();
    joins.extend(merged_into(rows.iter(), &people).into_iter().map(|id| api.customer(id)));
    if joined.len() < joins.len() {
        return Ok(Page { joins, ..Page::default() });
    }
    let location = location(&joined[0])?;
    people.extend(joined[1..].iter().filter_map(|answer| with_id(&one(answer)?)));
    let records: Vec<Record> = rows
        .iter()
        .filter(|row| field(row, "customerId").is_some())
        .map(|row| {
            let into = id(row, "mergedIntoCustomerId").and_then(|into| person(&people, into));
            record::customer(&location, row, into)
        })
        .collect();
    Ok(Page { records, next, ..Page::default() })
}

/// As the API writes times: UTC, in milliseconds.
fn date(at: Timestamp) -> String {
    format!("{at:.3}")
}
