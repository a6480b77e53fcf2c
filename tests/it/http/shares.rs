//! What one caller may take, and that another gets its share whatever the first one does.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use procura::http::{CallerLimits, Capacity, RequestLimits};
use procura_testkit::http::{Connection, Response};
use serde_json::json;

use super::{CHECK, EVALUATION, Setup, TestServer, good_check, good_evaluation, with};

const PATIENCE: Duration = Duration::from_millis(20);

async fn server_with(capacity: Capacity) -> TestServer {
    TestServer::with(Setup { capacity, ..Setup::default() }).await
}

/// A connection from 127.0.0.`caller`.
async fn connect_from(caller: u8, server: &TestServer) -> Connection {
    Connection::open_from(IpAddr::V4(Ipv4Addr::new(127, 0, 0, caller)), server.address).await.unwrap()
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

#[tokio::test]
async fn caller_that_asks_too_often_is_told_when_to_come_back_and_nobody_else_notices() {
    let caller =
        CallerLimits { requests_per_second: NonZeroU32::new(1), burst: 3, ..CallerLimits::default() };
    let server = server_with(Capacity { caller, ..Capacity::default() }).await;
    let (check, evaluation) = (good_check().to_string(), good_evaluation().to_string());
    let mut hasty = connect_from(2, &server).await;
    for _ in 0..3 {
        assert_eq!(hasty.post_json(CHECK, check.as_bytes()).await.unwrap().status, 200);
    }
    for (path, body, content_type, beginning) in [
        (CHECK, &check, "application/json", r#"{"code":8,"message":"rate_limited: "#),
        (EVALUATION, &evaluation, "text/plain; charset=utf-8", "rate_limited: "),
        (
            "/api/explain",
            &check,
            "application/problem+json",
            r#"{"type":"about:blank","title":"Too Many Requests","#,
        ),
        (
            "/nothing",
            &check,
            "application/problem+json",
            r#"{"type":"about:blank","title":"Too Many Requests","#,
        ),
    ] {
        let refused = hasty.post_json(path, body.as_bytes()).await.unwrap();
        assert_eq!(refused.status, 429, "{path}");
        assert_eq!(refused.header("retry-after"), Some("1"), "{path}");
        assert_eq!(refused.header("content-type"), Some(content_type), "{path}");
        assert!(text(&refused).starts_with(beginning), "{path}: {}", text(&refused));
    }
    let mut second = connect_from(2, &server).await;
    assert_eq!(second.post_json(CHECK, check.as_bytes()).await.unwrap().status, 429, "another connection");
    assert_eq!(hasty.get("/healthz").await.unwrap().status, 200);
    assert_eq!(hasty.get("/readyz").await.unwrap().status, 200);
    assert_eq!(hasty.get("/admin/policies/status").await.unwrap().status, 200);
    let mut other = connect_from(3, &server).await;
    assert_eq!(other.post_json(CHECK, check.as_bytes()).await.unwrap().status, 200);
    let metrics = text(&other.get("/metrics").await.unwrap());
    assert!(metrics.contains("procura_requests_shed_total{reason=\"rate\"} 5"), "{metrics}");
    assert!(
        metrics.contains("procura_calls_total{api=\"check_resources\",outcome=\"limited\"} 2"),
        "{metrics}"
    );
}

/// Sends `body` on so many connections at once; returns the statuses of the answers.
async fn all_at_once(server: &TestServer, connections: usize, body: &str) -> Vec<Response> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(connect_from(2, server).await);
    }
    let request =
        format!("POST {CHECK} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for connection in &mut open {
        connection.send_raw(request.as_bytes()).await.unwrap();
    }
    let mut answers = Vec::new();
    for connection in &mut open {
        answers.push(connection.read_response().await.unwrap());
    }
    answers
}

#[tokio::test]
async fn caller_with_too_many_calls_at_a_time_gets_whole_answers_or_429() {
    let caller = CallerLimits { concurrent: 1, ..CallerLimits::default() };
    let server = server_with(Capacity { caller, ..Capacity::default() }).await;
    let answers = all_at_once(&server, 16, &good_check().to_string()).await;
    for answer in &answers {
        match answer.status {
            200 => assert_eq!(answer.json().unwrap()["results"][0]["actions"]["view"], "EFFECT_ALLOW"),
            429 => {
                assert_eq!(answer.header("retry-after"), Some("1"));
                assert!(text(answer).starts_with(r#"{"code":8,"message":"concurrency_limited: "#));
            }
            other => panic!("{other}: {}", text(answer)),
        }
    }
    let answered = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((1..16).contains(&answered), "{answered} of 16 were answered");
    let mut after = connect_from(2, &server).await;
    assert_eq!(after.post_json(CHECK, good_check().to_string().as_bytes()).await.unwrap().status, 200);
}

#[tokio::test]
async fn full_server_refuses_with_503_and_answers_again_afterwards() {
    let capacity = Capacity { concurrent: 1, patience: Duration::ZERO, ..Capacity::default() };
    let server = server_with(capacity).await;
    let answers = all_at_once(&server, 16, &good_check().to_string()).await;
    let refused = answers.iter().filter(|answer| answer.status == 503).count();
    assert!((1..16).contains(&refused), "{refused} of 16 were refused");
    let answered = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(answered + refused, 16);
    assert!(
        answers.iter().all(|answer| (answer.status == 503) == (answer.header("retry-after") == Some("1")))
    );
    let mut after = connect_from(2, &server).await;
    assert_eq!(after.post_json(CHECK, good_check().to_string().as_bytes()).await.unwrap().status, 200);
}

#[tokio::test]
async fn slow_senders_of_one_address_hold_up_nobody_else() {
    let capacity = Capacity { in_flight_bytes: 1_000_000, patience: PATIENCE, ..Capacity::default() };
    let server = server_with(capacity).await;
    let head = format!("POST {CHECK} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500000\r\n\r\n");
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut connection = connect_from(2, &server).await;
        connection.send_raw(head.as_bytes()).await.unwrap();
        connection.send_raw(&[b' '; 300_000]).await.unwrap();
        slow.push(connection);
    }
    let large = with(good_check(), "/principal/attr/text", json!("x".repeat(200_000))).to_string();
    for _ in 0..20 {
        let mut other = connect_from(3, &server).await;
        let answer = other.post_json(CHECK, large.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", text(&answer));
    }
}

#[tokio::test]
async fn body_of_which_too_little_comes_is_given_up_before_its_time() {
    let limits = RequestLimits { body_timeout: Duration::from_secs(3), ..RequestLimits::default() };
    let server = TestServer::with_limits(limits).await;
    let begun = std::time::Instant::now();
    let mut slow = server.connect().await;
    let head = format!("POST {CHECK} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500000\r\n\r\n");
    slow.send_raw(head.as_bytes()).await.unwrap();
    slow.send_raw(&[b' '; 10_000]).await.unwrap();
    let response = slow.read_response().await.unwrap();
    assert_eq!(response.status, 408, "{}", text(&response));
    assert!(begun.elapsed() < Duration::from_secs(3), "it had a third of the time");
}

#[tokio::test]
async fn address_with_too_many_connections_gets_no_more_and_others_do() {
    let server = server_with(Capacity { connections_per_address: 2, ..Capacity::default() }).await;
    let mut first = connect_from(2, &server).await;
    let mut second = connect_from(2, &server).await;
    for connection in [&mut first, &mut second] {
        assert_eq!(connection.get("/healthz").await.unwrap().status, 200);
    }
    let mut third = connect_from(2, &server).await;
    assert!(third.get("/healthz").await.is_err());
    let mut other = connect_from(3, &server).await;
    let metrics = text(&other.get("/metrics").await.unwrap());
    assert!(metrics.contains("procura_requests_shed_total{reason=\"connections\"} 1"), "{metrics}");
    drop(first);
    while connect_from(2, &server).await.get("/healthz").await.is_err() {}
}

#[tokio::test]
async fn flood_of_idle_connections_makes_way_for_whoever_comes() {
    let server =
        server_with(Capacity { connections: 8, connections_per_address: 6, ..Capacity::default() }).await;
    let mut busy = connect_from(4, &server).await;
    assert_eq!(busy.get("/healthz").await.unwrap().status, 200);
    let mut flood = Vec::new();
    for _ in 0..6 {
        let mut connection = connect_from(2, &server).await;
        assert_eq!(connection.get("/healthz").await.unwrap().status, 200);
        flood.push(connection);
    }
    for _ in 0..4 {
        let mut newcomer = connect_from(3, &server).await;
        let answer = tokio::time::timeout(Duration::from_secs(5), newcomer.get("/healthz")).await;
        assert_eq!(answer.unwrap().unwrap().status, 200);
        flood.push(newcomer);
    }
    assert_eq!(busy.get("/healthz").await.unwrap().status, 200, "only the address with the most gave way");
}
