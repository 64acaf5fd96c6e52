//! How much a platform says that it will still take, from its answers' headers: one table for all dialects. Pure: the
//! clock is a parameter.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use platform::{Fetched, Headers};

/// The longest that any header can hold requests up.
pub(crate) const LONGEST_MS: i64 = 15 * 60_000;
/// What is left untouched: requests that are under way may not be counted yet, and the shop's other programs ask too.
const RESERVE: i64 = 2;

/// What the number in a header of the reset means.
#[derive(Clone, Copy)]
enum Reset {
    Milliseconds,
    Seconds,
    /// Seconds, or an instant in seconds or milliseconds since 1970: everybody does it differently.
    SecondsOrInstant,
}

/// How many requests are left, and when there are more again.
const WINDOWS: [(&str, &str, Reset); 3] = [
    // BigCommerce.
    ("x-rate-limit-requests-left", "x-rate-limit-time-reset-ms", Reset::Milliseconds),
    // The IETF's draft, up to its version 6.
    ("ratelimit-remaining", "ratelimit-reset", Reset::Seconds),
    ("x-ratelimit-remaining", "x-ratelimit-reset", Reset::SecondsOrInstant),
];

/// How fast a leaky bucket, `used/size`, runs empty.
#[derive(Clone, Copy)]
enum Leak {
    /// Within a time, however large it is.
    EmptyIn(i64),
    /// By what a second header says per second; by one if it does not.
    PerSecond(&'static str),
    /// All at once, at the end of a second.
    EachSecond,
}

const BUCKETS: [(&str, Leak); 4] = [
    ("x-shopify-shop-api-call-limit", Leak::EmptyIn(20_000)),
    ("x-sb-shop-api-call-limit", Leak::EmptyIn(20_000)),
    // Lightspeed, whose requests cost different amounts: levels are broken, and may exceed the size.
    ("x-ls-api-bucket-level", Leak::PerSecond("x-ls-api-drip-rate")),
    ("x-ls-api-burst-level", Leak::EachSecond),
];

/// Whether a refusal by its text means a later time, although its status does not: Lightspeed's, known by its headers.
pub(crate) fn is_later_in_disguise(fetched: &Fetched) -> bool {
    const TEXT: &[u8] = b"Please try again later.";
    fetched.status == 400
        && fetched.headers.get("x-ls-api-bucket-level").is_some()
        && fetched.body.len() <= 1024
        && fetched.body.windows(TEXT.len()).any(|part| part == TEXT)
}

/// For how many milliseconds no further request should be made; `None` if there is no need to wait.
pub(crate) fn wait_ms(headers: &Headers, now_ms: i64) -> Option<i64> {
    let windows = WINDOWS.iter().filter_map(|(remaining, reset, kind)| {
        let is_spent = number(headers.get(remaining)?)? <= RESERVE;
        is_spent.then_some(until_ms(number(headers.get(reset)?)?, *kind, now_ms))
    });
    let policies = headers.get("ratelimit").into_iter().flat_map(policies);
    let buckets = BUCKETS.iter().filter_map(|(name, leak)| bucket(headers.get(name)?, *leak, headers));
    windows.chain(policies).chain(buckets).filter(|wait| *wait > 0).max().map(|wait| wait.min(LONGEST_MS))
}

/// What `Retry-After` asks for, in milliseconds: seconds, or a date.
pub(crate) fn retry_after_ms(headers: &Headers, now_ms: i64) -> Option<i64> {
    let text = headers.get("retry-after")?.trim();
    let wait_ms = match number(text) {
        Some(seconds) => seconds.saturating_mul(1000),
        None => at(text)?.as_millisecond() - now_ms,
    };
    Some(wait_ms.clamp(0, LONGEST_MS))
}

fn at(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

fn until_ms(reset: i64, kind: Reset, now_ms: i64) -> i64 {
    match kind {
        Reset::Milliseconds => reset,
        Reset::SecondsOrInstant if reset >= 1_000_000_000_000 => reset.saturating_sub(now_ms),
        Reset::SecondsOrInstant if reset >= 1_000_000_000 => {
            reset.saturating_mul(1000).saturating_sub(now_ms)
        }
        Reset::Seconds | Reset::SecondsOrInstant => reset.saturating_mul(1000),
    }
}

/// The waits of the IETF's draft from version 8 on: `"burst";r=0;t=3, "daily";r=100;t=4000`.
fn policies(text: &str) -> impl Iterator<Item = i64> {
    text.split(',').filter_map(|policy| {
        let parameter = |wanted: &str| {
            policy.split(';').find_map(|part| {
                let (name, value) = part.trim().split_once('=')?;
                (name == wanted).then(|| number(value)).flatten()
            })
        };
        (parameter("r")? <= RESERVE).then_some(parameter("t")?.saturating_mul(1000))
    })
}

/// Until more than the reserve has leaked out.
fn bucket(text: &str, leak: Leak, headers: &Headers) -> Option<i64> {
    let (used, size) = text.split_once('/')?;
    let (used, size) = (thousandths(used)?, thousandths(size)?.max(1000));
    let missing = ((RESERVE + 1) * 1000).saturating_sub(size.saturating_sub(used));
    let wait_ms = match leak {
        Leak::EmptyIn(time_ms) => missing.saturating_mul(time_ms) / size,
        Leak::PerSecond(rate) => {
            let rate = headers.get(rate).and_then(thousandths).filter(|rate| *rate > 0).unwrap_or(1000);
            missing.saturating_mul(1000) / rate
        }
        Leak::EachSecond => 1000,
    };
    (missing > 0).then_some(wait_ms)
}

/// A number in thousandths; what is smaller is rounded up.
fn thousandths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    if fraction.len() <= 3 {
        return number(&format!("{whole}{fraction:0<3}"));
    }
    let (kept, rest) = fraction.split_at_checked(3)?;
    number(&format!("{whole}{kept}.{rest}"))
}

/// A whole number; a broken one is rounded up.
fn number(text: &str) -> Option<i64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    Some(if fraction.bytes().any(|digit| digit != b'0') { whole.saturating_add(1) } else { whole })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    /// 2026-06-17T12:00:00Z.
    const NOW_MS: i64 = 1_781_697_600_000;

    #[test]
    fn every_dialect() {
        let table: [(Pairs<'_>, Option<i64>); 31] = [
            (&[], None),
            (&[("X-Rate-Limit-Requests-Left", "149"), ("X-Rate-Limit-Time-Reset-Ms", "15000")], None),
            (&[("X-Rate-Limit-Requests-Left", "2"), ("X-Rate-Limit-Time-Reset-Ms", "15000")], Some(15_000)),
            (&[("X-Rate-Limit-Requests-Left", "0")], None),
            (&[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "7")], Some(7_000)),
            (&[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "0.3")], Some(1_000)),
            (&[("RateLimit", "\"default\";r=50;t=30")], None),
            (&[("RateLimit", "\"default\";r=0;t=30")], Some(30_000)),
            (&[("RateLimit", "\"burst\";r=0;t=3, \"daily\"; r=1; t=60")], Some(60_000)),
            (&[("X-RateLimit-Remaining", "1"), ("X-RateLimit-Reset", "12")], Some(12_000)),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1781697605")], Some(5_000)),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1781697605500")], Some(5_500)),
            // Over, by our clock.
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1781697599")], None),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "99999")], Some(LONGEST_MS)),
            (&[("X-RateLimit-Remaining", "none"), ("X-RateLimit-Reset", "5")], None),
            (&[("X-Shopify-Shop-Api-Call-Limit", "10/40")], None),
            (&[("X-Shopify-Shop-Api-Call-Limit", "40/40")], Some(1_500)),
            (&[("X-Sb-Shop-Api-Call-Limit", "38/40")], Some(500)),
            (&[("X-Sb-Shop-Api-Call-Limit", "full")], None),
            (&[("X-Sb-Shop-Api-Call-Limit", "/40")], None),
            (&[("X-LS-Api-Bucket-Level", "1/90"), ("X-LS-Api-Drip-Rate", "1")], None),
            (&[("X-LS-Api-Bucket-Level", "86.9/90"), ("X-LS-Api-Drip-Rate", "1")], None),
            (&[("X-LS-Api-Bucket-Level", "87.5/90"), ("X-LS-Api-Drip-Rate", "1")], Some(500)),
            (&[("X-LS-Api-Bucket-Level", "92.57/90"), ("X-LS-Api-Drip-Rate", "1")], Some(5_570)),
            (&[("X-LS-Api-Bucket-Level", "92.57/90"), ("X-LS-Api-Drip-Rate", "2.5")], Some(2_228)),
            (&[("X-LS-Api-Bucket-Level", "92.57/90")], Some(5_570)),
            (&[("X-LS-Api-Bucket-Level", "60.0001/60"), ("X-LS-Api-Drip-Rate", "0")], Some(3_001)),
            (&[("X-LS-Api-Bucket-Level", "99999/90"), ("X-LS-Api-Drip-Rate", "1")], Some(LONGEST_MS)),
            (&[("X-LS-API-Burst-Level", "17/20")], None),
            (&[("X-LS-API-Burst-Level", "18/20")], Some(1_000)),
            (
                &[
                    ("X-LS-Api-Bucket-Level", "95/90"),
                    ("X-LS-Api-Drip-Rate", "4"),
                    ("X-LS-API-Burst-Level", "20/20"),
                ],
                Some(2_000),
            ),
        ];
        for (headers, expected) in table {
            let headers: Headers = headers.iter().copied().collect();
            assert_eq!(wait_ms(&headers, NOW_MS), expected, "{headers:?}");
        }
    }

    #[test]
    fn only_lightspeed_says_later_by_a_text() {
        let body = br#"{"httpCode":"400","message":"Please try again later."}"#;
        let refusal = |status, headers: Pairs<'_>, body: &[u8]| Fetched {
            status,
            headers: headers.iter().copied().collect(),
            body: body.to_vec(),
        };
        let lightspeed: Pairs<'_> = &[("X-LS-Api-Bucket-Level", "1/90")];
        assert!(is_later_in_disguise(&refusal(400, lightspeed, body)));
        assert!(!is_later_in_disguise(&refusal(400, &[], body)));
        assert!(!is_later_in_disguise(&refusal(422, lightspeed, body)));
        assert!(!is_later_in_disguise(&refusal(400, lightspeed, br#"{"message":"Invalid query"}"#)));
        assert!(!is_later_in_disguise(&refusal(400, lightspeed, &[&[b' '; 1024][..], body].concat())));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (text, expected) in [
            ("30", Some(30_000)),
            ("0", Some(0)),
            ("86400", Some(LONGEST_MS)),
            ("Wed, 17 Jun 2026 12:01:00 GMT", Some(60_000)),
            ("Wed, 17 Jun 2026 11:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ] {
            let headers: Headers = [("Retry-After", text)].into_iter().collect();
            assert_eq!(retry_after_ms(&headers, NOW_MS), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics_or_waits_for_longer_than_the_bound(text in "[-0-9./;,=rt\" ]{0,40}") {
            let names = ["ratelimit", "retry-after", "x-ls-api-drip-rate"].into_iter();
            let names = names.chain(BUCKETS.iter().map(|(name, _)| *name));
            let windows = WINDOWS.iter().flat_map(|(remaining, reset, _)| [*remaining, *reset]);
            let headers: Headers = names.chain(windows).map(|name| (name, text.clone())).collect();
            prop_assert!(wait_ms(&headers, NOW_MS).is_none_or(|wait| (1..=LONGEST_MS).contains(&wait)));
            prop_assert!(retry_after_ms(&headers, NOW_MS).is_none_or(|wait| (0..=LONGEST_MS).contains(&wait)));
        }
    }
}
