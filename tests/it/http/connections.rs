//! Bodies that are too large or too slow, paths that are not there, and the end of the server.

use std::time::{Duration, Instant};

use procura::http::{Capacity, RequestLimits};
use procura_testkit::http::Response;
use serde_json::json;

use super::{CHECK, EVALUATION, Setup, TestServer, good_check};

fn small_bodies() -> RequestLimits {
    RequestLimits {
        max_body_bytes: 4096,
        body_timeout: Duration::from_millis(100),
        ..RequestLimits::default()
    }
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

#[tokio::test]
async fn body_over_the_limit_is_refused_and_the_connection_serves_on() {
    let server = TestServer::with_limits(small_bodies()).await;
    let mut connection = server.connect().await;
    for size in [4097, 16_000] {
        let response = connection.post_json(CHECK, &vec![b' '; size]).await.unwrap();
        assert_eq!(response.status, 413);
        assert!(text(&response).contains("4096 bytes, the limit"), "{}", text(&response));
        let after = connection.post_json(CHECK, good_check().to_string().as_bytes()).await.unwrap();
        assert_eq!(after.status, 200, "{}", text(&after));
    }
}

#[tokio::test]
async fn body_in_chunks_is_bounded_too() {
    let server = TestServer::with_limits(small_bodies()).await;
    let mut connection = server.connect().await;
    let head = format!("POST {CHECK} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
    connection.send_raw(format!("{head}{}0\r\n\r\n", chunk.repeat(5)).as_bytes()).await.unwrap();
    assert_eq!(connection.read_response().await.unwrap().status, 413);

    let body = good_check().to_string();
    let (first, second) = body.split_at(20);
    let chunks: String = [first, second].map(|part| format!("{:x}\r\n{part}\r\n", part.len())).concat();
    connection.send_raw(format!("{head}{chunks}0\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(connection.read_response().await.unwrap().status, 200);
}

#[tokio::test]
async fn announced_flood_is_refused_unread() {
    let server = TestServer::with_limits(small_bodies()).await;
    let mut connection = server.connect().await;
    let head = format!("POST {CHECK} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9999999999999\r\n\r\n");
    connection.send_raw(head.as_bytes()).await.unwrap();
    assert_eq!(connection.read_response().await.unwrap().status, 413);
}

#[tokio::test]
async fn body_that_waits_for_leave_is_refused_without_it() {
    let server = TestServer::with_limits(small_bodies()).await;
    let mut connection = server.connect().await;
    let head = format!(
        "POST {CHECK} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 5000\r\n\r\n"
    );
    connection.send_raw(head.as_bytes()).await.unwrap();
    assert_eq!(connection.read_response().await.unwrap().status, 413);
}

#[tokio::test]
async fn body_that_never_comes_is_given_up() {
    let server = TestServer::with_limits(small_bodies()).await;
    let mut connection = server.connect().await;
    let head = format!("POST {CHECK} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{{");
    connection.send_raw(head.as_bytes()).await.unwrap();
    let response = connection.read_response().await.unwrap();
    assert_eq!(response.status, 408);
    assert!(text(&response).contains("0.1 s, the limit"), "{}", text(&response));
}

#[tokio::test]
async fn unknown_path_and_method_have_the_shape_of_their_surface() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for (method, path, status, content_type) in [
        ("GET", CHECK, 405, "application/json"),
        ("POST", "/api/check/nothing", 404, "application/json"),
        ("GET", EVALUATION, 405, "text/plain; charset=utf-8"),
        ("POST", "/access/v1/nothing", 404, "text/plain; charset=utf-8"),
        ("POST", "/api/decisions", 405, "application/problem+json"),
        ("GET", "/nothing", 404, "application/problem+json"),
        ("OPTIONS", CHECK, 405, "application/json"),
    ] {
        let response = connection.send(method, path, &[], b"").await.unwrap();
        assert_eq!(response.status, status, "{method} {path}");
        assert_eq!(response.header("content-type"), Some(content_type), "{method} {path}");
        assert_eq!(response.header("allow").is_some(), status == 405, "{method} {path}");
    }
    assert_eq!(connection.get("/healthz").await.unwrap().status, 200);
}

#[tokio::test]
async fn query_plans_are_said_to_be_unsupported() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for method in ["GET", "POST"] {
        let response = connection.send(method, "/api/plan/resources", &[], b"").await.unwrap();
        assert_eq!(response.status, 404, "{method}");
        let message = "not_supported: `/api/plan/resources` (query plans) is not supported by this version";
        assert_eq!(
            response.json().unwrap(),
            json!({"code": 12, "message": message, "details": []}),
            "{method}"
        );
    }
}

#[tokio::test]
async fn connection_whose_caller_says_nothing_is_closed() {
    let head_timeout = Duration::from_millis(100);
    let capacity = Capacity { head_timeout, ..Capacity::default() };
    let server = TestServer::with(Setup { capacity, ..Setup::default() }).await;
    for beginning in ["", "GET /healthz HTT", "GET /healthz HTTP/1.1\r\nhost: localhost\r\n"] {
        let mut silent = server.connect().await;
        silent.send_raw(beginning.as_bytes()).await.unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(5), silent.read_response()).await;
        assert!(closed.unwrap().is_err(), "{beginning}");
    }
    let mut busy = server.connect().await;
    let begun = Instant::now();
    while begun.elapsed() < head_timeout * 4 {
        assert_eq!(busy.get("/healthz").await.unwrap().status, 200);
    }
    let closed = tokio::time::timeout(Duration::from_secs(5), busy.read_response()).await;
    assert!(closed.unwrap().is_err());
}

#[tokio::test]
async fn idle_connections_do_not_keep_a_stopping_server() {
    let mut server = TestServer::start().await;
    let mut idle = server.connect().await;
    assert_eq!(idle.get("/healthz").await.unwrap().status, 200);
    server.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), &mut server.served).await.unwrap().unwrap();
    assert!(idle.get("/healthz").await.is_err());
}
