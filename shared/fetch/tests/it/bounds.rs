//! How long, how much, and where to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use axum::body::{Body, Bytes};
use fetch::{Error, Fetcher, Hosts, PublicKeys};
use futures::stream;
use platform::receiver::KeySource;
use platform::{ApiRequest, Secrets};
use runtime::{Clock, Config};
use tokio::net::TcpListener;

use crate::{Shop, answer, hang, later};

fn never(reason: &str) -> Error {
    Error::Never { reason: reason.to_owned() }
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_does_not_end_is_not_waited_for() {
    let shop = Shop::open(|request| match request.uri().path() {
        "/never" => hang(),
        "/stuck" => answer(200, &[], Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())),
        _ => answer(
            200,
            &[],
            Body::from_stream(stream::iter([Ok(Bytes::from("half")), Err(std::io::Error::other("crash"))])),
        ),
    })
    .await;
    for path in ["/never", "/stuck"] {
        assert_eq!(shop.get(path).await, Err(later("127.0.0.1 did not answer in time", None)), "{path}");
    }
    assert_eq!(shop.get("/half").await, Err(later("127.0.0.1 broke off", None)));
}

#[tokio::test]
async fn a_shop_that_is_not_there_is_asked_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let shop = Shop::at(address, Arc::new(AtomicUsize::new(0)));
    assert_eq!(shop.get("/").await, Err(later("127.0.0.1 cannot be reached", None)));
}

#[tokio::test]
async fn an_answer_larger_than_the_bound_is_not_read() {
    let shop = Shop::open(|request| match request.uri().path() {
        "/announced" => answer(200, &[], vec![b' '; 64 * 1024 + 1]),
        "/endless" => {
            let chunk = || Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 1000]));
            answer(200, &[], Body::from_stream(stream::iter(std::iter::repeat_with(chunk))))
        }
        _ => answer(200, &[], vec![b' '; 64 * 1024]),
    })
    .await;
    for path in ["/announced", "/endless"] {
        let expected = never("127.0.0.1 answered with more than is read");
        assert_eq!(shop.get(path).await, Err(expected), "{path}");
    }
    assert_eq!(shop.get("/full").await.unwrap().body.len(), 64 * 1024);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let shop = Shop::open(|_| answer(302, &[("location", "/elsewhere")], "")).await;
    assert_eq!(shop.get("/").await.unwrap().status, 302);
    assert_eq!(shop.requests(), 1);
}

#[tokio::test]
async fn only_public_hosts_are_asked_and_only_by_https() {
    let shop = Shop::open(|_| answer(200, &[], "")).await;
    let port = shop.address.port();
    let config = |value: &str| {
        Config::from_map(BTreeMap::from([("FETCH_PRIVATE_HOSTS".to_owned(), value.to_owned())]))
    };
    for config in [Config::default(), config("false"), config("1")] {
        let fetcher = Fetcher::new(&config, Clock::system());
        for (url, reason) in [
            (format!("https://127.0.0.1:{port}/"), "127.0.0.1 is in a private network"),
            (format!("https://[::1]:{port}/"), "[::1] is in a private network"),
            (format!("https://[::ffff:127.0.0.1]:{port}/"), "[::ffff:7f00:1] is in a private network"),
            (format!("https://0x7f.1:{port}/"), "127.0.0.1 is in a private network"),
            ("https://169.254.169.254/latest/".to_owned(), "169.254.169.254 is in a private network"),
            (format!("https://localhost:{port}/"), "localhost is in a private network"),
            (format!("http://127.0.0.1:{port}/"), "the request's address is not one of HTTPS"),
            ("http://shop.example/".to_owned(), "the request's address is not one of HTTPS"),
            ("file:///etc/passwd".to_owned(), "the request's address is not one of HTTPS"),
            ("shop.example".to_owned(), "the request's address is not valid"),
        ] {
            let answer = fetcher.fetch("C1", &ApiRequest::get(&url), &Secrets::default()).await;
            assert_eq!(answer, Err(never(reason)), "{url}");
        }
    }
    assert_eq!(shop.requests(), 0);
    let fetcher = Fetcher::new(&config("true"), Clock::system());
    let request = ApiRequest::get(format!("http://localhost:{port}/"));
    assert_eq!(fetcher.fetch("C1", &request, &Secrets::default()).await.unwrap().status, 200);
}

#[tokio::test]
async fn public_keys_are_texts_of_a_bounded_size_from_public_hosts() {
    let shop = Shop::open(|request| match request.uri().path() {
        "/key.pem" => answer(200, &[], "-----BEGIN PUBLIC KEY-----"),
        "/moved" => answer(302, &[("location", "/key.pem")], ""),
        "/large" => answer(200, &[], vec![b'A'; 16 * 1024 + 1]),
        "/binary" => answer(200, &[], vec![0xff]),
        _ => answer(404, &[], ""),
    })
    .await;
    let keys = PublicKeys::of(Hosts::Any);
    assert_eq!(keys.fetch(&shop.url("/key.pem")).await.unwrap(), "-----BEGIN PUBLIC KEY-----");
    for (path, expected) in [
        ("/moved", "127.0.0.1 answered 302"),
        ("/large", "127.0.0.1 answered with more than a key"),
        ("/binary", "127.0.0.1 answered with what is no text"),
        ("/gone", "127.0.0.1 answered 404"),
    ] {
        assert_eq!(keys.fetch(&shop.url(path)).await.unwrap_err().to_string(), expected);
    }
    let asked = shop.requests();
    let public = PublicKeys::public();
    assert!(public.fetch(&shop.url("/key.pem")).await.is_err());
    assert!(public.fetch(&format!("https://localhost:{}/key.pem", shop.address.port())).await.is_err());
    assert_eq!(shop.requests(), asked);
}
