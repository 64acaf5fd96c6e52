//! What a shop is asked for, and how its pages go on.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use platform::{ApiRequest, Connection, Feed, Fetched, Page, Period, Span};

use crate::join::{self, Shop, Stop};
use crate::webservice::{Webservice, id, rows};

/// Rows of one page.
const PAGE_SIZE: usize = 100;
/// What stands before the id that a page begins after. The id comes last: the next page has another.
const AFTER: &str = "%3E[";

/// One list that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Orders,
    /// Slips of refunds, for their orders: a slip does not always change its order's row.
    Refunds,
    Customers,
    /// Customers who subscribed: the newsletter's form does not change the time of the customer's row.
    Subscribers,
    Carts,
    Products,
}

impl Source {
    const ALL: [Self; 6] =
        [Self::Products, Self::Customers, Self::Subscribers, Self::Carts, Self::Orders, Self::Refunds];

    fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Refunds => "refunds",
            Self::Customers => "customers",
            Self::Subscribers => "subscribers",
            Self::Carts => "carts",
            Self::Products => "products",
        }
    }

    /// By what a period is asked for; `None` where it need not be.
    fn time(self, span: Span) -> Option<&'static str> {
        match (self, span) {
            (Self::Refunds | Self::Subscribers, Span::History) => None,
            (Self::Subscribers, Span::Changes) => Some("newsletter_date_add"),
            (_, Span::Changes) => Some("date_upd"),
            (_, Span::History) => Some("date_add"),
        }
    }

    /// The resource, and what of it.
    fn query(self) -> (&'static str, String) {
        match self {
            // Associations come only with everything.
            Self::Orders => ("orders", "display=full".to_owned()),
            Self::Refunds => ("order_slip", "display=[id,id_order]".to_owned()),
            Self::Customers | Self::Subscribers => ("customers", join::display(join::CUSTOMER)),
            Self::Carts => ("carts", "display=full&filter[id_customer]=%3E[0]".to_owned()),
            Self::Products => ("products", join::product_query()),
        }
    }
}

/// The lists of a period. Each begins with the shop's configuration, which names its time zone: the webservice takes
/// and gives local times. A fragment, which is never sent, keeps the period until then.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let polled = period.span == Span::History || connection.flag("poll", true);
    let Some(shop) = Webservice::of(connection).filter(|_| polled) else { return Vec::new() };
    let carts = connection.flag("poll_carts", true);
    let feeds =
        Source::ALL.into_iter().filter(|source| carts || *source != Source::Carts).filter_map(|source| {
            let mut request = join::configuration(&shop);
            request.url =
                format!("{}#{}/{}/{}", request.url, source.time(period.span)?, period.since, period.until);
            Some(Feed { name: source.name(), request })
        });
    feeds.collect()
}

/// Reads an answer: the configuration, or a page of a list with what is joined to it.
pub(crate) fn page(
    connection: &Connection,
    feed: &Feed,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let webservice = Webservice::of(connection).ok_or("the connection names no shop")?;
    let source = Source::ALL.into_iter().find(|source| source.name() == feed.name);
    let source = source.ok_or("there is no such feed")?;
    let rows = rows(answer)?;
    if let Some((_, period)) = feed.request.url.split_once('#') {
        let zone = join::zone(connection, &rows)?.1;
        let next = first_page(&webservice, source, period, &zone)?;
        return Ok(Page { next: Some(next), ..Page::default() });
    }
    let next = next_page(&feed.request, &rows)?;
    match Shop::new(connection, &webservice, joined).records(source, rows) {
        Ok(records) => Ok(Page { records, next, ..Page::default() }),
        Err(Stop::Ask(joins)) => Ok(Page { joins, ..Page::default() }),
        Err(Stop::Bad(error)) => Err(error),
    }
}

/// Pages are not numbered but continued after the last id: a row that changes while pages are read leaves the period,
/// and would move the others across the border between two numbered pages. The next period has it.
fn first_page(
    webservice: &Webservice<'_>,
    source: Source,
    period: &str,
    zone: &TimeZone,
) -> Result<ApiRequest, String> {
    let mut parts = period.split('/');
    let mut part = || parts.next().ok_or("the request has lost its period");
    let (field, since, until) = (part()?, part()?, part()?);
    let time = |text: &str| text.parse().map_err(|_| "the request has lost its period");
    let (from, to) = local(time(since)?, time(until)?, zone);
    let (resource, query) = source.query();
    Ok(webservice.get(
        resource,
        &format!(
            "{query}&date=1&filter[{field}]=[{from},{to}]&sort=[id_ASC]&limit={PAGE_SIZE}&filter[id]={AFTER}0]"
        ),
    ))
}

/// A period in the shop's local time, in whole seconds, both included. Where clocks are turned within it, it is an hour
/// wider, so that whatever they showed is in it.
fn local(since: Timestamp, until: Timestamp, zone: &TimeZone) -> (String, String) {
    let (first, last) = (zone.to_offset(since), zone.to_offset(until));
    let write = |time: Timestamp, offset: jiff::tz::Offset| {
        offset.to_datetime(time).strftime("%Y-%m-%d%%20%H:%M:%S").to_string()
    };
    (write(since, first.min(last)), write(until, first.max(last)))
}

fn next_page(request: &ApiRequest, rows: &[crate::webservice::Row]) -> Result<Option<ApiRequest>, String> {
    let (front, after) = request.url.rsplit_once(AFTER).ok_or("the request names no id")?;
    let after: u64 = after.trim_end_matches(']').parse().map_err(|_| "the request names no id")?;
    if rows.len() < PAGE_SIZE {
        return Ok(None);
    }
    let last = rows.iter().filter_map(|row| id(row, "id")).max().unwrap_or_default();
    if last <= after {
        return Err("the page does not go on after the last one".to_owned());
    }
    Ok(Some(ApiRequest { url: format!("{front}{AFTER}{last}]"), ..request.clone() }))
}
