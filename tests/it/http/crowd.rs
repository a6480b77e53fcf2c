//! Many callers at once: what they send and do not read stays within bounds, and everyone else is served.

use std::time::Duration;

use procura::http::Capacity;
use procura_testkit::http::{Connection, Response};
use serde_json::json;
use tokio::time::timeout;

use super::{CHECK, EVALUATION, Setup, TestServer, good_check, good_evaluation, with};

const PATIENCE: Duration = Duration::from_millis(20);
const PAGE: &str = "/api/decisions?limit=500";

const UNREAD_PAGES: usize = 12;

/// How often a test asks again for what comes about in its own time.
const ATTEMPTS: usize = 500;

async fn server_with(capacity: Capacity) -> TestServer {
    TestServer::with(Setup { capacity, ..Setup::default() }).await
}

/// A call of `bytes` of text.
fn large_check(bytes: usize) -> Vec<u8> {
    with(good_check(), "/principal/attr/text", json!("x".repeat(bytes))).to_string().into_bytes()
}

/// Sends the request until its answer has `status`. An empty body makes it a GET.
async fn until(status: u16, server: &TestServer, path: &str, body: &[u8]) -> Response {
    let mut seen = Vec::new();
    for _ in 0..ATTEMPTS {
        let mut connection = server.connect().await;
        let method = if body.is_empty() { "GET" } else { "POST" };
        let headers = [("content-type", "application/json")];
        let response = connection.send(method, path, &headers, body).await.unwrap();
        if response.status == status {
            return response;
        }
        seen.push(response.status);
    }
    panic!("{path} was never answered {status}, but {seen:?}");
}

fn assert_overloaded(response: &Response, beginning: &str) {
    let text = String::from_utf8_lossy(&response.body);
    assert_eq!(response.status, 503, "{text}");
    assert_eq!(response.header("retry-after"), Some("1"), "{text}");
    assert!(text.starts_with(beginning), "{text}");
}

/// Asks for more pages than the buffers of a connection hold.
async fn ask_without_reading(server: &TestServer) -> Connection {
    let mut connection = server.connect().await;
    let request = format!("GET {PAGE} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    connection.send_raw(request.repeat(UNREAD_PAGES).as_bytes()).await.unwrap();
    connection
}

#[tokio::test]
async fn partial_bodies_of_many_callers_do_not_fill_the_memory() {
    let capacity = Capacity { in_flight_bytes: 600_000, patience: PATIENCE, ..Capacity::default() };
    let server = server_with(capacity).await;
    let mut slow = server.connect().await;
    let head = format!("POST {CHECK} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500000\r\n\r\n");
    slow.send_raw(head.as_bytes()).await.unwrap();
    slow.send_raw(&[b' '; 450_000]).await.unwrap();

    let check = large_check(400_000);
    let refused = until(503, &server, CHECK, &check).await;
    assert_overloaded(&refused, r#"{"code":14,"message":"overloaded: "#);
    let evaluation = with(good_evaluation(), "/subject/properties", json!({"text": "x".repeat(400_000)}));
    let mut connection = server.connect().await;
    let refused = connection.post_json(EVALUATION, evaluation.to_string().as_bytes()).await.unwrap();
    assert_overloaded(&refused, "overloaded: ");
    let small = connection.post_json(CHECK, good_check().to_string().as_bytes()).await.unwrap();
    assert_eq!(small.status, 200, "small calls go on, on the connection that was refused, too");

    drop(slow);
    until(200, &server, CHECK, &check).await;
}

#[tokio::test]
async fn unread_pages_of_the_log_do_not_fill_the_memory() {
    let capacity = Capacity { in_flight_bytes: 4_000_000, patience: PATIENCE, ..Capacity::default() };
    let server = server_with(capacity).await;
    until(200, &server, CHECK, &large_check(3_500_000)).await;
    let unread = ask_without_reading(&server).await;
    let refused = until(503, &server, PAGE, b"").await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.json().unwrap()["code"], "overloaded");
    until(200, &server, CHECK, good_check().to_string().as_bytes()).await;
    drop(unread);
    until(200, &server, PAGE, b"").await;
}

#[tokio::test]
async fn caller_that_never_reads_its_answer_is_given_up() {
    let answer_timeout = Duration::from_millis(200);
    let capacity =
        Capacity { in_flight_bytes: 4_000_000, patience: PATIENCE, answer_timeout, ..Capacity::default() };
    let server = server_with(capacity).await;
    until(200, &server, CHECK, &large_check(3_500_000)).await;
    let mut unread = ask_without_reading(&server).await;
    until(503, &server, PAGE, b"").await;
    until(200, &server, PAGE, b"").await;
    let mut read = 0;
    while unread.read_response().await.is_ok() {
        read += 1;
    }
    assert!(read < UNREAD_PAGES);
}

#[tokio::test]
async fn page_of_large_records_ends_early_with_a_cursor() {
    let server = TestServer::start().await;
    for _ in 0..4 {
        until(200, &server, CHECK, &large_check(1_500_000)).await;
    }
    let page = until(200, &server, PAGE, b"").await;
    assert!(page.body.len() < 6_000_000, "{} bytes", page.body.len());
    let page = page.json().unwrap();
    assert_eq!(page["decisions"].as_array().unwrap().len(), 3);
    let next = format!("{PAGE}&cursor={}", page["nextCursor"].as_str().unwrap());
    let rest = until(200, &server, &next, b"").await.json().unwrap();
    assert_eq!(rest["decisions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_one_to_end() {
    let server = server_with(Capacity { connections: 1, ..Capacity::default() }).await;
    let mut first = server.connect().await;
    assert_eq!(first.get("/healthz").await.unwrap().status, 200);
    let head = format!(
        "POST {CHECK} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"
    );
    first.send_raw(head.as_bytes()).await.unwrap();
    assert_eq!(first.read_response().await.unwrap().status, 100, "it waits for the body and is not idle");
    let mut second = server.connect().await;
    assert!(timeout(PATIENCE, second.get("/healthz")).await.is_err());
    drop(first);
    assert_eq!(second.read_response().await.unwrap().status, 200);
}
