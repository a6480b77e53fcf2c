//! Filters, counts and the live tail of the decision log.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{CHECK, TestServer, good_check, with};

/// A server that was asked for alice twice and for bob once; each call views and deletes.
async fn asked() -> TestServer {
    let server = TestServer::start().await;
    for principal in ["alice", "alice", "bob"] {
        check(&server, principal).await;
    }
    server
}

async fn check(server: &TestServer, principal: &str) {
    let body = with(good_check(), "/principal/id", json!(principal)).to_string();
    assert_eq!(server.connect().await.post_json(CHECK, body.as_bytes()).await.unwrap().status, 200);
}

async fn get(server: &TestServer, path: &str) -> (u16, Value) {
    let response = server.connect().await.get(path).await.unwrap();
    (response.status, response.json().unwrap())
}

#[tokio::test]
async fn filters_find_what_holds_for_one_decision() {
    let server = asked().await;
    for (query, expected) in [
        ("filter=principal%20==%20'alice'", 2),
        ("filter=principal==%22bob%22%20%26%26%20action==%22delete%22", 1),
        ("filter=action=='view'%26%26effect=='deny'%26%26principal=='alice'", 0),
        ("filter=principal.startsWith('al')&requestId=r-1", 2),
        ("filter=kind=='policy_change'", 1),
        ("role=user&api=check_resources&caller=127.0.0.1", 3),
    ] {
        let (status, page) = get(&server, &format!("/api/decisions?{query}")).await;
        assert_eq!(status, 200, "{query}: {page}");
        assert_eq!(page["decisions"].as_array().unwrap().len(), expected, "{query}");
    }
    for (query, detail) in [
        ("?filter=principal=", "`filter`: at character 10: expected `==`"),
        ("?filter=effect=='maybe'", "`filter`: at character 9: expected the effect"),
        ("?by=action", "`by`: no such parameter"),
        ("/stats?by=nothing", "`by`: expected at most 4 of `kind`"),
        ("/stats?by=role,action,role", "each once"),
        ("/stats?limit=10001", "`limit`: expected a number from 1 to 10000"),
        ("/tail?limit=1", "`limit`: no such parameter"),
    ] {
        let (status, problem) = get(&server, &format!("/api/decisions{query}")).await;
        assert_eq!(status, 400, "{query}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{query}: {problem}");
    }
}

#[tokio::test]
async fn decisions_are_counted_by_the_values_of_fields() {
    let server = asked().await;
    let (_, stats) = get(&server, "/api/decisions/stats?by=principal,action&filter=action=='view'").await;
    let alice = json!({"count": 2, "values": {"principal": "alice", "action": "view"}});
    let bob = json!({"count": 1, "values": {"principal": "bob", "action": "view"}});
    assert_eq!(stats, json!({"total": 3, "groupCount": 2, "groups": [alice, bob]}));
    let (_, stats) = get(&server, "/api/decisions/stats?principal=bob").await;
    assert_eq!(stats, json!({"total": 2, "groupCount": 0, "groups": []}));
}

/// Reads a tail until it has `count` events; their ids.
async fn events(stream: &mut TcpStream, count: usize) -> Vec<String> {
    let mut text = String::new();
    loop {
        let ids: Vec<String> =
            text.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect();
        if ids.len() >= count && text.trim_end().ends_with('}') {
            assert!(text.contains("content-type: text/event-stream"), "{text}");
            return ids;
        }
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(read > 0, "the tail ended: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
}

async fn listen(server: &TestServer, query: &str, header: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("GET /api/decisions/tail{query} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_tells_what_comes_in_and_goes_on_where_it_was() {
    let mut server = asked().await;
    let mut all = listen(&server, "", "last-event-id: 1\r\n").await;
    assert_eq!(events(&mut all, 3).await, ["2", "3", "4"]);
    let mut bob = listen(&server, "?filter=principal=='bob'", "last-event-id: 2\r\n").await;
    assert_eq!(events(&mut bob, 1).await, ["4"]);
    for principal in ["alice", "bob"] {
        check(&server, principal).await;
    }
    assert_eq!(events_after(&mut bob).await, "6");

    let (status, _) = get(&server, "/api/decisions/tail?filter=x").await;
    assert_eq!(status, 400);
    server.stop.take().unwrap().send(()).unwrap();
    (&mut server.served).await.unwrap();
    let mut rest = Vec::new();
    all.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "the tail ends with the server");
}

/// The id of the next event.
async fn events_after(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        if let Some(id) = text.lines().find_map(|line| line.strip_prefix("id: ")) {
            return id.to_owned();
        }
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
}
