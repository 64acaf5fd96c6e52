//! Answers that may be used again, of what hardly changes. Pure: the clock is a parameter.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use platform::{ApiRequest, Fetched};

/// Answers and bytes that are kept: bounds, not tunings.
const MAX_ANSWERS: usize = 1_000;
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// A larger answer is not kept: it would push out all others.
const MAX_ANSWER_BYTES: usize = MAX_BYTES / 8;

/// The answers of a process, by connection and all of the request that is sent. It names secrets but does not hold them.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Answers>);

#[derive(Debug, Default)]
struct Answers {
    by_request: HashMap<(String, ApiRequest), Answer>,
    bytes: usize,
}

#[derive(Debug)]
struct Answer {
    until_ms: i64,
    fetched: Fetched,
}

impl Kept {
    /// The answer to a request, if there is one that still may be used.
    pub(crate) fn get(&self, connection: &str, request: &ApiRequest, now_ms: i64) -> Option<Fetched> {
        request.keep?;
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers.by_request.get(&key(connection, request))?;
        (now_ms < answer.until_ms).then(|| answer.fetched.clone())
    }

    /// Keeps an answer, if the request allows it, and it is a success.
    pub(crate) fn put(&self, connection: &str, request: &ApiRequest, fetched: &Fetched, now_ms: i64) {
        let Some(time) = request.keep.filter(|_| (200..300).contains(&fetched.status)) else { return };
        let bytes = fetched.body.len();
        if bytes > MAX_ANSWER_BYTES {
            return;
        }
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(connection, request);
        answers.remove(&key);
        answers.make_room(bytes, now_ms);
        let answer = Answer { until_ms: now_ms.saturating_add(millis(time)), fetched: fetched.clone() };
        answers.bytes += bytes;
        answers.by_request.insert(key, answer);
    }
}

impl Answers {
    fn remove(&mut self, key: &(String, ApiRequest)) {
        if let Some(answer) = self.by_request.remove(key) {
            self.bytes -= answer.fetched.body.len();
        }
    }

    /// Drops what is out of date; if that is not enough, everything.
    fn make_room(&mut self, bytes: usize, now_ms: i64) {
        let is_full =
            |answers: &Self| answers.by_request.len() >= MAX_ANSWERS || answers.bytes + bytes > MAX_BYTES;
        if is_full(self) {
            self.by_request.retain(|_, answer| now_ms < answer.until_ms);
            self.bytes = self.by_request.values().map(|answer| answer.fetched.body.len()).sum();
        }
        if is_full(self) {
            *self = Self::default();
        }
    }
}

/// What is not sent (a fragment) tells no two requests apart.
fn key(connection: &str, request: &ApiRequest) -> (String, ApiRequest) {
    let mut request = request.clone();
    if let Some((sent, _)) = request.url.split_once('#') {
        request.url = sent.to_owned();
    }
    (connection.to_owned(), request)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> ApiRequest {
        ApiRequest::get(url).kept_for(Duration::from_mins(1))
    }

    fn answer(status: u16, bytes: usize) -> Fetched {
        Fetched { status, body: vec![b'x'; bytes], ..Fetched::default() }
    }

    #[test]
    fn an_answer_is_used_again_for_as_long_as_the_request_says() {
        let kept = Kept::default();
        let list = request("https://a.example/currencies");
        assert_eq!(kept.get("C1", &list, 0), None);
        kept.put("C1", &list, &answer(200, 1), 0);
        assert_eq!(kept.get("C1", &list, 59_999), Some(answer(200, 1)));
        assert_eq!(kept.get("C1", &list, 60_000), None);
        kept.put("C1", &list, &answer(200, 2), 60_000);
        assert_eq!(kept.get("C1", &list, 60_001), Some(answer(200, 2)));
    }

    #[test]
    fn only_the_same_request_of_the_same_connection_has_the_answer() {
        let kept = Kept::default();
        let list = request("https://a.example/currencies");
        kept.put("C1", &list, &answer(200, 1), 0);
        for (connection, other) in [
            ("C2", list.clone()),
            ("C1", request("https://a.example/currencies?page=2")),
            ("C1", list.clone().header("x-version", "2")),
            ("C1", list.clone().basic("u", "{secret:token}")),
            ("C1", ApiRequest { method: "POST".to_owned(), ..list.clone() }),
            ("C1", ApiRequest { body: Some("{}".to_owned()), ..list.clone() }),
            ("C1", ApiRequest { keep: None, ..list }),
        ] {
            assert_eq!(kept.get(connection, &other, 1), None, "{connection} {other:?}");
        }
    }

    #[test]
    fn a_fragment_is_no_part_of_what_is_asked() {
        let kept = Kept::default();
        kept.put("C1", &request("https://a.example/currencies#first"), &answer(200, 1), 0);
        assert_eq!(kept.get("C1", &request("https://a.example/currencies#second"), 1), Some(answer(200, 1)));
        assert_eq!(kept.get("C1", &request("https://a.example/currencies"), 1), Some(answer(200, 1)));
    }

    #[test]
    fn only_a_success_that_may_be_kept_and_is_not_huge_is_kept() {
        let kept = Kept::default();
        let list = request("https://a.example/");
        for (request, fetched) in [
            (list.clone(), answer(404, 1)),
            (list.clone(), answer(302, 1)),
            (list.clone(), answer(200, MAX_ANSWER_BYTES + 1)),
            (ApiRequest { keep: None, ..list.clone() }, answer(200, 1)),
        ] {
            kept.put("C1", &request, &fetched, 0);
            assert!(kept.0.lock().unwrap().by_request.is_empty());
        }
        kept.put("C1", &list, &answer(204, 0), 0);
        assert_eq!(kept.get("C1", &list, 1), Some(answer(204, 0)));
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_bytes_and_what_is_out_of_date_goes_first() {
        for bytes in [1, MAX_ANSWER_BYTES] {
            let kept = Kept::default();
            for number in 0..3 * MAX_ANSWERS {
                kept.put("C1", &request(&format!("https://a.example/{number}")), &answer(200, bytes), 0);
                let answers = kept.0.lock().unwrap();
                assert!(answers.by_request.len() <= MAX_ANSWERS && answers.bytes <= MAX_BYTES);
                assert_eq!(answers.bytes, answers.by_request.len() * bytes);
            }
        }
        let kept = Kept::default();
        for number in 0..MAX_ANSWERS {
            let now_ms = if number == 7 { 50_000 } else { 0 };
            kept.put("C1", &request(&format!("https://a.example/{number}")), &answer(200, 1), now_ms);
        }
        kept.put("C1", &request("https://a.example/new"), &answer(200, 1), 60_000);
        assert_eq!(kept.get("C1", &request("https://a.example/7"), 60_000), Some(answer(200, 1)));
        assert_eq!(kept.0.lock().unwrap().by_request.len(), 2);
    }
}
