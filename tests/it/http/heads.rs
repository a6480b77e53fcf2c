//! Heads and targets that servers read in different ways: each comes to one answer or to an end of the connection, and to
//! no handler under another name.

use std::time::Duration;

use procura_testkit::http::Connection;
use tokio::time::timeout;

use super::{CHECK, TestServer, good_check};

/// What follows on the connection: a request of its own if the first one ended where we think it did.
const PROBE: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-request-id: probe\r\n\r\n";

/// Statuses of all answers to `bytes`, and whether the last is the answer to [`PROBE`], which was sent after them.
async fn answers_to(server: &TestServer, bytes: &[u8]) -> (Vec<u16>, bool) {
    let mut connection = server.connect().await;
    // A server that has closed the connection already need not take the rest.
    let _ = connection.send_raw(bytes).await;
    let _ = connection.send_raw(PROBE.as_bytes()).await;
    let (mut statuses, mut is_probed) = (Vec::new(), false);
    while let Some(response) = next_answer(&mut connection).await {
        assert!(!is_probed, "an answer after the last: {response:?}");
        assert!(response.headers.iter().all(|(name, _)| !name.starts_with("access-control-")));
        is_probed = response.header("x-request-id") == Some("probe");
        statuses.push(response.status);
    }
    (statuses, is_probed)
}

/// The next answer; `None` if the connection ends, or nothing more comes because everything was answered.
async fn next_answer(connection: &mut Connection) -> Option<procura_testkit::http::Response> {
    timeout(Duration::from_millis(300), connection.read_response()).await.ok()?.ok()
}

fn post(headers: &str, body: &str) -> Vec<u8> {
    format!("POST {CHECK} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n{body}").into_bytes()
}

#[tokio::test]
async fn message_of_unclear_length_is_refused_and_nothing_after_it_is_read() {
    let server = TestServer::start().await;
    let body = good_check().to_string();
    let length = body.len();
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    for (name, request) in [
        ("two lengths", post(&format!("content-length: {length}\r\ncontent-length: 5\r\n"), &body)),
        ("list of lengths", post(&format!("content-length: {length}, {length}\r\n"), &body)),
        ("signed length", post(&format!("content-length: +{length}\r\n"), &body)),
        ("negative length", post("content-length: -1\r\n", &body)),
        ("length with a space", post("content-length: 1 0\r\n", &body)),
        ("hexadecimal length", post("content-length: 0x10\r\n", &body)),
        ("length that overflows", post("content-length: 99999999999999999999999\r\n", &body)),
        ("empty length", post("content-length: \r\n", &body)),
        ("coding before chunked", post("transfer-encoding: gzip, chunked\r\n", &chunked)),
        ("identity before chunked", post("transfer-encoding: identity, chunked\r\n", &chunked)),
        ("chunked twice", post("transfer-encoding: chunked, chunked\r\n", &chunked)),
        (
            "chunked on two lines",
            post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", &chunked),
        ),
        (
            "identity on a line before",
            post("transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n", &chunked),
        ),
        ("identity", post("transfer-encoding: identity\r\n", &chunked)),
        ("chunked before identity", post("transfer-encoding: chunked, identity\r\n", &chunked)),
        ("unknown coding", post("transfer-encoding: xchunked\r\n", &chunked)),
        ("quoted coding", post("transfer-encoding: \"chunked\"\r\n", &chunked)),
        ("coding with a parameter", post("transfer-encoding: chunked;q=1\r\n", &chunked)),
        ("coding with a vertical tab", post("transfer-encoding: \u{b}chunked\r\n", &chunked)),
        ("space before the colon", post("transfer-encoding : chunked\r\n", &chunked)),
        ("length with a space before the colon", post(&format!("content-length : {length}\r\n"), &body)),
        ("folded line", post("transfer-encoding:\r\n chunked\r\n", &chunked)),
        ("folded other line", post(&format!("x: a\r\n b\r\ncontent-length: {length}\r\n"), &body)),
        ("nul in a header", post(&format!("x: a\0b\r\ncontent-length: {length}\r\n"), &body)),
        ("bare return in a header", post(&format!("x: a\rb\r\ncontent-length: {length}\r\n"), &body)),
        ("header without a name", post(&format!(": a\r\ncontent-length: {length}\r\n"), &body)),
        ("line without a colon", post(&format!("x\r\ncontent-length: {length}\r\n"), &body)),
        ("space in a name", post(&format!("x y: a\r\ncontent-length: {length}\r\n"), &body)),
        ("chunk size that overflows", post("transfer-encoding: chunked\r\n", "ffffffffffffffffff\r\n")),
        ("chunk size with a sign", post("transfer-encoding: chunked\r\n", &format!("+{chunked}"))),
        ("chunk size with 0x", post("transfer-encoding: chunked\r\n", &format!("0x{chunked}"))),
        (
            "chunk size of nothing",
            post("transfer-encoding: chunked\r\n", &format!("\r\n{body}\r\n0\r\n\r\n")),
        ),
        (
            "chunk that ends in LF",
            post("transfer-encoding: chunked\r\n", &format!("{length:x}\n{body}\n0\n\n")),
        ),
        (
            "chunk longer than said",
            post("transfer-encoding: chunked\r\n", &format!("5\r\n{body}\r\n0\r\n\r\n")),
        ),
        (
            "huge chunk extension",
            post(
                "transfer-encoding: chunked\r\n",
                &format!("{length:x};{}\r\n{body}\r\n0\r\n\r\n", "a".repeat(40_000)),
            ),
        ),
        (
            "coding in HTTP/1.0",
            format!(
                "POST {CHECK} HTTP/1.0\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{chunked}"
            )
            .into(),
        ),
    ] {
        let (statuses, is_probed) = answers_to(&server, &request).await;
        assert!(!is_probed, "{name}: the connection goes on after {statuses:?}");
        assert!(matches!(statuses[..], [] | [400 | 413 | 431]), "{name}: {statuses:?}");
    }
}

#[tokio::test]
async fn message_with_length_and_coding_is_read_by_its_coding_and_is_the_last_one() {
    let server = TestServer::start().await;
    let body = good_check().to_string();
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for headers in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: chunked\r\ncontent-length: x\r\n",
    ] {
        let (statuses, is_probed) = answers_to(&server, &post(headers, &chunked)).await;
        assert!(!is_probed, "{headers}: the connection goes on after {statuses:?}");
        assert!(matches!(statuses[..], [200 | 400]), "{headers}: {statuses:?}");
    }
}

#[tokio::test]
async fn clear_message_is_answered_once_and_the_next_one_too() {
    let server = TestServer::start().await;
    let body = good_check().to_string();
    let length = body.len();
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let nested = format!("{length:X};name=\"value\"\r\n{body}\r\n0\r\ntrailer: x\r\n\r\n");
    let target = server.address;
    for (name, request, status) in [
        ("length", post(&format!("content-length: {length}\r\n"), &body), 200),
        ("same length twice", post(&format!("content-length: {length}\r\ncontent-length: {length}\r\n"), &body), 200),
        ("leading zeros", post(&format!("content-length: 000{length}\r\n"), &body), 200),
        ("chunked", post("transfer-encoding: chunked\r\n", &chunked), 200),
        ("chunked in capitals, with spaces", post("Transfer-Encoding:  CHUNKED  \r\n", &chunked), 200),
        ("extension and trailer", post("transfer-encoding: chunked\r\n", &nested), 200),
        ("body of another method", post("x-http-method-override: DELETE\r\ncontent-length: 2\r\n", "{}"), 400),
        ("no body", post("", ""), 400),
        ("expectation", post(&format!("expect: 100-continue\r\ncontent-length: {length}\r\n"), &body), 200),
        ("h2c", post(&format!("connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\ncontent-length: {length}\r\n"), &body), 200),
        ("websocket", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n".to_vec(), 200),
        ("empty lines before", b"\r\n\r\nGET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), 200),
        ("lines that end in LF", b"GET /healthz HTTP/1.1\nhost: localhost\n\n".to_vec(), 200),
        ("absolute target", format!("GET http://{target}/healthz HTTP/1.1\r\nhost: {target}\r\n\r\n").into(), 200),
        ("get with a body", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc".to_vec(), 200),
        ("trace", b"TRACE /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), 405),
        ("options of a path", format!("OPTIONS {CHECK} HTTP/1.1\r\nhost: localhost\r\norigin: https://example.org\r\naccess-control-request-method: POST\r\n\r\n").into(), 401),
        ("options of the server", b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), 404),
        ("unknown method", b"BREW /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), 405),
        ("method in small letters", format!("post {CHECK} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").into(), 405),
    ] {
        let (statuses, is_probed) = answers_to(&server, &request).await;
        // A body that nobody reads, or that came though nobody gave leave, may end the connection; nothing else does.
        let statuses: Vec<u16> = statuses.into_iter().filter(|status| *status != 100).collect();
        assert_eq!(statuses, [status, 200], "{name}");
        assert!(is_probed, "{name}");
    }
}

#[tokio::test]
async fn ambiguous_or_foreign_target_is_refused_and_the_connection_ends() {
    let server = TestServer::start().await;
    let address = server.address;
    for (name, request) in [
        ("no host", "GET /healthz HTTP/1.1\r\n\r\n".to_owned()),
        ("two hosts", "GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n".into()),
        ("host with a path", "GET /healthz HTTP/1.1\r\nhost: localhost/x\r\n\r\n".into()),
        ("host with a user", "GET /healthz HTTP/1.1\r\nhost: a@localhost\r\n\r\n".into()),
        ("host with a space", "GET /healthz HTTP/1.1\r\nhost: local host\r\n\r\n".into()),
        ("host that is not text", "GET /healthz HTTP/1.1\r\nhost: \u{e9}\r\n\r\n".into()),
        (
            "host of another target",
            format!("GET http://{address}/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ),
        ("user in the target", format!("GET http://a@{address}/healthz HTTP/1.1\r\nhost: {address}\r\n\r\n")),
        ("connect", "CONNECT localhost:80 HTTP/1.1\r\nhost: localhost:80\r\n\r\n".into()),
        ("authority of another method", "GET localhost:80 HTTP/1.1\r\nhost: localhost:80\r\n\r\n".into()),
        ("star of another method", "GET * HTTP/1.1\r\nhost: localhost\r\n\r\n".into()),
        ("no path", "GET healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".into()),
        ("other expectation", format!("POST {CHECK} HTTP/1.1\r\nhost: localhost\r\nexpect: 200-ok\r\n\r\n")),
        ("space in the target", "GET /health z HTTP/1.1\r\nhost: localhost\r\n\r\n".into()),
        ("nul in the target", "GET /healthz\0 HTTP/1.1\r\nhost: localhost\r\n\r\n".into()),
        ("version of nothing", "GET /healthz\r\nhost: localhost\r\n\r\n".into()),
        ("HTTP/0.9", "GET /healthz\r\n".into()),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into()),
        ("HTTP/1.2", "GET /healthz HTTP/1.2\r\nhost: localhost\r\n\r\n".into()),
        ("TLS", "\u{16}\u{3}\u{1}\0\u{5}hello".into()),
        ("two spaces", "GET  /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".into()),
        ("very long target", format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(70_000))),
        (
            "very long header",
            format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "a".repeat(70_000)),
        ),
        (
            "many headers",
            format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(500)),
        ),
    ] {
        let (statuses, is_probed) = answers_to(&server, request.as_bytes()).await;
        assert!(!is_probed, "{name}: the connection goes on after {statuses:?}");
        assert!(matches!(statuses[..], [] | [400 | 414 | 431]), "{name}: {statuses:?}");
    }
}

/// Other spellings of a path. None of them is another name for it.
const SPELLINGS: [fn(&str) -> String; 26] = [
    |path| format!("/{path}"),
    |path| format!("{path}/"),
    |path| format!("{path}."),
    |path| format!("{path}%20"),
    |path| format!("{path}%00"),
    |path| format!("{path}%0a"),
    |path| format!("{path};x=1"),
    |path| format!("{path};"),
    |path| format!("{path}%3b"),
    |path| format!("{path}%3fx"),
    |path| format!("{path}%23"),
    |path| format!("{path}/."),
    |path| format!("{path}/.."),
    |path| format!("{path}/../{}", path.rsplit('/').next().unwrap_or_default()),
    |path| format!("/.{path}"),
    |path| format!("/x/..{path}"),
    |path| format!("/%2e{path}"),
    |path| format!("/x/%2e%2e{path}"),
    |path| path.replacen('/', "%2f", 1).replacen("%2f", "/%2f", 1),
    |path| path.replace('/', "//"),
    |path| path.replace('/', "/./"),
    |path| format!("/{}", path.trim_start_matches('/').replace('/', "%2F")),
    |path| format!("/{}", path.trim_start_matches('/').replace('/', "\\")),
    |path| path.to_uppercase(),
    |path| path.replace('a', "%61").replace('e', "%65"),
    |path| path.replacen('/', "/%c0%af", 2),
];

#[tokio::test]
async fn no_path_has_another_name() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for (method, path) in [
        ("GET", "/admin/policies/status"),
        ("POST", "/admin/policies/reload"),
        ("GET", "/api/decisions/stats"),
        ("GET", "/api/decisions"),
        ("POST", "/api/explain"),
        ("POST", CHECK),
        ("POST", "/access/v1/evaluation"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
    ] {
        for spelling in SPELLINGS {
            let other = spelling(path);
            if other == path {
                continue;
            }
            let response = connection.send(method, &other, &[], b"").await.unwrap();
            // Below `/api/decisions/` everything is an id, which is looked up under the same guard.
            let is_id = other.starts_with("/api/decisions/") && response.status == 400;
            assert!(response.status == 404 || is_id, "{method} {other}: {}", response.status);
        }
        let spelled = connection.send(method, path, &[], b"").await.unwrap();
        assert_ne!(spelled.status, 404, "{method} {path}");
    }
}

#[tokio::test]
async fn requests_sent_in_one_piece_are_answered_in_their_order() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let body = good_check().to_string();
    let requests: String = (0..50)
        .map(|number| {
            let head = format!("POST {CHECK} HTTP/1.1\r\nhost: localhost\r\nx-request-id: {number}\r\n");
            format!("{head}content-length: {}\r\n\r\n{body}", body.len())
        })
        .collect();
    connection.send_raw(requests.as_bytes()).await.unwrap();
    for number in 0..50 {
        let response = connection.read_response().await.unwrap();
        assert_eq!(
            (response.status, response.header("x-request-id")),
            (200, Some(number.to_string().as_str()))
        );
    }
}

#[tokio::test]
async fn caller_of_http_1_0_gets_one_answer() {
    let server = TestServer::start().await;
    let (statuses, _) = answers_to(&server, b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!(statuses, [200]);
}

#[tokio::test]
async fn caller_of_http_1_0_is_not_taken_for_this_machine_since_proxies_speak_it() {
    let server = TestServer::start().await;
    for (version, expected) in [("1.1", 200), ("1.0", 401)] {
        let head = format!("GET /api/server_info HTTP/{version}\r\nhost: localhost\r\n\r\n");
        let (statuses, _) = answers_to(&server, head.as_bytes()).await;
        assert_eq!(statuses.first(), Some(&expected), "{version}");
    }
}
