//! The command line against a server that says what it is told to, and that remembers what it was asked.

use std::collections::VecDeque;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Clone, Default)]
struct Server(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    answers: VecDeque<(u16, Value)>,
    /// Method and path, key, media type, body.
    asked: Vec<(String, String, String, String)>,
}

/// A server that gives these answers in turn, and its address.
async fn serve(answers: Vec<(u16, Value)>) -> (Server, String) {
    async fn answer(
        State(server): State<Server>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> (StatusCode, String) {
        let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let mut told = server.0.lock().unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        told.asked.push((format!("{method} {uri}"), header("authorization"), header("content-type"), body));
        let (status, body) = told.answers.pop_front().unwrap_or((404, Value::Null));
        (StatusCode::from_u16(status).unwrap(), body.to_string())
    }
    let server = Server(Arc::new(Mutex::new(Told { answers: answers.into(), asked: Vec::new() })));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (server, address)
}

impl Server {
    fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.iter().map(|(line, ..)| line.clone()).collect()
    }

    fn bodies(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.iter().map(|(.., body)| body.clone()).collect()
    }
}

async fn tillstream(url: &str, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tillstream"));
    command.args(arguments).env("TILLSTREAM_URL", url).env_remove("TILLSTREAM_API_KEY");
    command.env("SHOP_TOKEN", "from-the-environment");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input.to_owned();
    let run = move || {
        let mut child = command.spawn().unwrap();
        // Who asks for nothing may have ended before.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn data(id: &str, attributes: Value) -> Value {
    let mut data = json!({"data": {"type": "x", "id": id}});
    data["data"]["attributes"] = attributes;
    data
}

fn file(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[tokio::test]
async fn a_shop_is_connected_with_secrets_from_anywhere_but_the_command_line() {
    let made = data("C1", json!({"webhook_url": "http://x/webhooks/anyshop/C1"}));
    let (server, url) = serve(vec![(201, made)]).await;
    let (_directory, path) = file("secret", "from-a-file\n");
    let by_file = format!("webhook_secret=@{path}");
    let arguments = [
        "connections",
        "add",
        "anyshop",
        "--name",
        "Main",
        "--setting",
        "shop=main",
        "--setting",
        "days=3",
        "--secret",
        &by_file,
        "--secret",
        "token=-",
        "--secret",
        "other=env:SHOP_TOKEN",
    ];
    let output = tillstream(&url, &arguments, "from-the-input\n").await;
    assert_eq!(code(&output), 0, "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("C1") && text.contains("/webhooks/anyshop/C1"), "{text}");
    let told = server.0.lock().unwrap();
    let (line, key, media_type, body) = &told.asked[0];
    assert_eq!(line, "POST /api/connections");
    assert_eq!((key.as_str(), media_type.as_str()), ("Klaviyo-API-Key pk_local", "application/vnd.api+json"));
    let body: Value = serde_json::from_str(body).unwrap();
    let expected = json!({
        "platform": "anyshop", "name": "Main", "settings": {"shop": "main", "days": 3},
        "secrets": {
            "webhook_secret": "from-a-file", "token": "from-the-input", "other": "from-the-environment",
        },
    });
    assert_eq!(body["data"]["attributes"], expected);
}

#[tokio::test]
async fn what_is_called_wrongly_ends_with_two_and_shows_no_secret() {
    let (server, url) = serve(Vec::new()).await;
    for arguments in [
        &["connections", "add", "anyshop", "--secret", "token=hunter2"][..],
        &["connections", "add", "anyshop", "--secret", "a=-", "--secret", "b=-"],
        &["connections", "add", "anyshop", "--setting", "x"],
        &["connections", "list", "--url", "nowhere"],
        &["connections", "list", "--url", "https://tillstream.example"],
        &["upload", "profiles", "people.txt"],
        &["parity", "C1", "--from", "2026-01-02", "--to", "2026-01-01"],
        &["import", "C1", "--since", "yesterday"],
        &["explain", "S1", "o'hara@example.com"],
    ] {
        let output = tillstream(&url, arguments, "").await;
        assert_eq!(code(&output), 2, "{arguments:?} {output:?}");
        assert!(!format!("{output:?}").contains("hunter2"));
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn listings_are_read_to_their_end_and_complaints_are_shown() {
    let first = json!({
        "data": [{"id": "C1", "attributes": {"platform": "a", "name": "One", "health": {"status": "active"}}}],
        "links": {"next": "https://public.example/api/connections?page%5Bcursor%5D=x"},
    });
    let second = json!({"data": [{"id": "C2", "attributes": {}}], "links": {"next": null}});
    let busy = json!({"errors": [{"detail": "Busy."}]});
    let (server, url) = serve(vec![(503, busy), (200, first), (200, second)]).await;
    let output = tillstream(&url, &["connections", "list", "--json"], "").await;
    assert_eq!(report(&output).as_array().unwrap().len(), 2);
    let asked = ["GET /api/connections", "GET /api/connections", "GET /api/connections?page%5Bcursor%5D=x"];
    assert_eq!(server.asked(), asked);

    let refusal = json!({"errors": [{"detail": "No such thing.", "source": {"pointer": "/data/"}}]});
    let (_, url) = serve(vec![(404, refusal)]).await;
    let output = tillstream(&url, &["connections", "disable", "C/1"], "").await;
    assert_eq!(code(&output), 1);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("/api/connections/C%2F1") && complaint.contains("No such thing. (/data/)"));
}

#[tokio::test]
async fn a_test_of_a_connection_ends_as_the_test_does() {
    for (ok, expected) in [(true, 0), (false, 1)] {
        let (server, url) = serve(vec![(200, data("T", json!({"ok": ok, "detail": "so it is"})))]).await;
        let output = tillstream(&url, &["connections", "test", "C1"], "").await;
        assert_eq!(code(&output), expected);
        assert!(String::from_utf8(output.stdout).unwrap().contains("so it is"));
        assert_eq!(server.asked(), ["POST /api/connections/C1/test"]);
    }
}

#[tokio::test]
async fn an_import_is_followed_to_its_end() {
    for (status, expected) in [("complete", 0), ("failed", 1), ("cancelled", 1)] {
        let at = |status: &str, percent: u32| data("I1", json!({"status": status, "percent": percent}));
        let answers = vec![(202, at("queued", 0)), (200, at("running", 40)), (200, at(status, 100))];
        let (server, url) = serve(answers).await;
        let arguments =
            ["import", "C1", "--since", "2020-01-01", "--until", "2021-01-01T00:00:00Z", "--json"];
        let output = tillstream(&url, &arguments, "").await;
        assert_eq!(code(&output), expected, "{output:?}");
        assert_eq!(report(&output)["attributes"]["status"], status);
        assert_eq!(
            server.asked(),
            ["POST /api/connections/C1/import", "GET /api/imports/I1", "GET /api/imports/I1"]
        );
        let body: Value = serde_json::from_str(&server.bodies()[0]).unwrap();
        let period = json!({"since": "2020-01-01T00:00:00Z", "until": "2021-01-01T00:00:00Z"});
        assert_eq!(body["data"], json!({"type": "import", "attributes": period}));
    }
}

#[tokio::test]
async fn a_file_goes_up_in_pieces_and_bad_rows_are_named_by_their_line_in_the_file() {
    let rows = (0..1001).map(|row| format!("{{\"metric\":\"M\",\"unique_id\":\"{row}\"}}\n"));
    let rows = rows.collect::<Vec<_>>().concat();
    let (_directory, path) = file("events.ndjson", &rows);
    let counts = |total: u64, failed: u64| json!({"total_count": total, "completed_count": total - failed, "failed_count": failed});
    let mut second = data("J2", counts(1, 1));
    second["included"] = json!([{"attributes": {"source": {"line": 1}, "detail": "Bad."}}]);
    let answers = vec![(503, Value::Null), (202, data("J1", counts(1000, 0))), (202, second)];
    let (server, url) = serve(answers).await;
    let output = tillstream(&url, &["upload", "events", &path, "--backfill", "false", "--json"], "").await;
    assert_eq!(code(&output), 1, "{output:?}");
    let expected = json!({
        "total": 1001, "completed": 1000, "failed": 1, "errors": [{"line": 1001, "detail": "Bad."}],
    });
    assert_eq!(report(&output), expected);
    assert_eq!(server.asked(), ["POST /api/event-bulk-create-jobs?backfill=false"; 3]);
    assert_eq!(server.bodies()[1..].concat(), rows);

    let (_directory, path) = file("people.csv", "Email\na@example.com\nb\n");
    let mut counted = counts(2, 1);
    counted["status"] = "complete".into();
    let error = json!({"data": [{"attributes": {"source": {"line": 3}, "detail": "Bad."}}]});
    let queued = data("J1", json!({"status": "queued"}));
    let (server, url) = serve(vec![(202, queued), (200, data("J1", counted)), (200, error)]).await;
    let output = tillstream(&url, &["upload", "profiles", &path, "--json"], "").await;
    assert_eq!(report(&output)["errors"], json!([{"line": 3, "detail": "Bad."}]));
    assert_eq!(server.0.lock().unwrap().asked[0].2, "text/csv");
    assert_eq!(server.asked()[1], "GET /api/profile-bulk-import-jobs/J1");
}

#[tokio::test]
async fn days_are_compared_one_by_one() {
    for (equal, expected) in [(true, 0), (false, 1)] {
        let day = |date: &str, equal: bool| {
            let side = json!({"count": 1, "sum": {"EUR": "9.90"}});
            let missing = if equal { json!([]) } else { json!(["1001"]) };
            let day = json!({"date": date, "source": side, "stored": side, "missing": missing, "extra": []});
            data("P", json!({"time_zone": "Europe/Paris", "equal": equal, "days": [day]}))
        };
        let (server, url) =
            serve(vec![(200, day("2026-01-31", equal)), (200, day("2026-02-01", true))]).await;
        let arguments = ["parity", "C1", "--from", "2026-01-31", "--to", "2026-02-01"];
        let output = tillstream(&url, &arguments, "").await;
        assert_eq!(code(&output), expected, "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains("missing: 1001"), !equal, "{text}");
        assert!(text.contains("1 (9.90 EUR)"), "{text}");
        let path = "GET /api/connections/C1/parity?metric=Placed%20Order";
        let asked = ["2026-01-31", "2026-02-01"].map(|day| format!("{path}&from={day}&to={day}"));
        assert_eq!(server.asked(), asked);
    }
}

#[tokio::test]
async fn dead_letters_go_back_and_memberships_are_explained() {
    let queue = |count: u32| json!({"id": "jobs", "attributes": {"approximate_messages": count}});
    let answers = vec![(200, json!({"data": [queue(2)]})), (202, json!({"data": queue(2)}))];
    let (server, url) = serve(answers).await;
    let output = tillstream(&url, &["replay-dlq"], "").await;
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "jobs: about 2 go back\n");
    assert_eq!(server.asked(), ["GET /api/dead-letters", "POST /api/dead-letters/jobs/replay"]);

    let found = json!({"data": [{"id": "P1"}]});
    let (server, url) = serve(vec![(200, found), (200, data("S1", json!({"is_member": true})))]).await;
    let output = tillstream(&url, &["explain", "S1", "ann@example.com", "--json"], "").await;
    assert_eq!(report(&output)["attributes"]["is_member"], true);
    let filter = "GET /api/profiles?filter=equals%28email%2C%27ann%40example.com%27%29";
    assert_eq!(server.asked(), [filter, "GET /api/segments/S1/explain?profile=P1"]);
}

#[tokio::test]
async fn a_key_is_made_printed_once_listed_and_revoked() {
    let made = data(
        "K1",
        json!({"name": "Shop", "scopes": ["events:write", "lists:full"], "limit": "2", "key": "pk_new"}),
    );
    let other =
        json!({"id": "K2", "attributes": {"name": "Old", "scopes": ["*"], "limit": null, "created": "2026"}});
    let listed = json!({"data": [made["data"], other], "links": {"next": null}});
    let answers = vec![(201, made), (200, listed), (204, Value::Null), (404, Value::Null)];
    let (server, url) = serve(answers).await;
    let scopes = ["--scope", "events:write", "--scope", "lists:full", "--limit", "2"];
    let arguments: Vec<&str> = ["keys", "create", "Shop"].into_iter().chain(scopes).collect();
    let output = tillstream(&url, &arguments, "").await;
    assert_eq!((code(&output), output.stdout.as_slice()), (0, &b"pk_new\n"[..]), "{output:?}");
    let output = tillstream(&url, &["keys", "list"], "").await;
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("K1") && lines[0].ends_with("limits times 2  events:write lists:full"),
        "{text}"
    );
    assert!(lines[1].ends_with("Old  limits as everybody  *"), "{text}");
    assert_eq!(code(&tillstream(&url, &["keys", "revoke", "K/1"], "").await), 0);
    assert_eq!(code(&tillstream(&url, &["keys", "revoke", "K1"], "").await), 1, "it is there no more");
    assert_eq!(code(&tillstream(&url, &["keys", "create", "Shop"], "").await), 2, "scopes are not guessed");

    let asked = server.asked();
    assert_eq!(asked[..3], ["POST /api/api-keys", "GET /api/api-keys", "DELETE /api/api-keys/K%2F1"]);
    let body: Value = serde_json::from_str(&server.bodies()[0]).unwrap();
    assert_eq!(
        body["data"]["attributes"],
        json!({"name": "Shop", "scopes": ["events:write", "lists:full"], "limit": "2"})
    );
}
