//! `GET /api/changes` and `GET /api/signals/events`: what listeners are told.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::TestServer;
use super::facts::send;

/// Longest wait for an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who listens.
struct Ear {
    stream: TcpStream,
    heard: String,
}

/// An event: its name, its id and its data.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Ear {
    async fn new(server: &TestServer, path: &str, header: &str) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        Self { stream, heard: String::new() }
    }

    /// The next block that `wanted` makes something of.
    async fn next<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let wait = async {
            loop {
                while let Some((block, rest)) = self.heard.split_once("\n\n") {
                    let (found, rest) = (wanted(block), rest.to_owned());
                    self.heard = rest;
                    if let Some(found) = found {
                        return found;
                    }
                }
                let mut bytes = [0; 4096];
                let read = self.stream.read(&mut bytes).await.unwrap();
                assert!(read > 0, "the stream ended: {}", self.heard);
                self.heard.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("nothing is told")
    }

    async fn event(&mut self) -> Event {
        self.next(|block| {
            let line =
                |start: &str| block.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned);
            let data = serde_json::from_str(&line("data: ")?).unwrap();
            Some(Event { name: line("event: ").unwrap_or_default(), id: line("id: ").unwrap(), data })
        })
        .await
    }

    /// How far it is, told without an event.
    async fn place(&mut self) -> String {
        self.next(|block| block.lines().find_map(|line| line.strip_prefix("id: ")).map(str::to_owned)).await
    }
}

async fn state(server: &TestServer, about: &str, name: &str) {
    let path = format!("/api/facts/{about}/{name}");
    assert_eq!(send(&mut server.connect().await, "PUT", &path, &Value::Null).await.0, 200, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_are_told_what_they_ask_for_and_go_on_where_they_were() {
    let server = TestServer::start().await;
    let mut all = Ear::new(&server, "/api/changes", "").await;
    let start = all.place().await;
    let mut ada = Ear::new(&server, "/api/changes?principal=ada&session=s1", "").await;
    ada.place().await;
    state(&server, "principal/bob", "on-call").await;
    state(&server, "principal/ada", "on-call").await;
    state(&server, "session/s1", "session-revoked").await;
    let event = ada.event().await;
    assert_eq!((&*event.name, &event.data["about"]), ("change", &json!({"principal": "ada"})));
    assert_eq!((&event.data["type"], &event.data["source"]), (&json!("on-call"), &json!("operator")));
    assert_eq!(ada.event().await.data["about"], json!({"session": "s1"}));
    let told = [all.event().await, all.event().await, all.event().await];
    let numbers: Vec<u64> = told.iter().map(|event| event.data["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [numbers[0], numbers[0] + 1, numbers[0] + 2]);

    let mut back = Ear::new(&server, "/api/changes", &format!("last-event-id: {}\r\n", told[0].id)).await;
    assert_eq!(
        [back.event().await, back.event().await],
        [&told[1], &told[2]].map(|event| Event {
            name: event.name.clone(),
            id: event.id.clone(),
            data: event.data.clone(),
        })
    );
    let mut from_start = Ear::new(&server, "/api/changes", &format!("last-event-id: {start}\r\n")).await;
    assert_eq!(from_start.event().await.id, told[0].id);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_be_told_what_changed_is_told_to_ask_again() {
    let server = TestServer::start().await;
    let mut ear = Ear::new(&server, "/api/changes", "").await;
    let start = ear.place().await;
    let (_, world) = start.split_once('-').unwrap();
    // Of a future that this server does not know, and of other policies.
    let mut future = Ear::new(&server, "/api/changes", &format!("last-event-id: 99-{world}\r\n")).await;
    let event = future.event().await;
    assert_eq!((&*event.name, &event.data), ("reset", &json!({"seq": 0, "because": "forgotten"})));
    let mut other = Ear::new(&server, "/api/changes", "last-event-id: 0-0123456789ab\r\n").await;
    assert_eq!(other.event().await.data["because"], "policies");

    let body = json!({"issuer": "https://id.example", "reason": "its key was stolen"});
    assert_eq!(send(&mut server.connect().await, "PUT", "/admin/quarantine/one", &body).await.0, 200);
    let event = ear.event().await;
    assert_eq!((&*event.name, &event.data["because"]), ("reset", &json!("policies")));
    assert_ne!(event.id, start);
    for id in ["x", "1", "-", "1-2\u{e9}", "99999999999999999999-a"] {
        let mut refused = Ear::new(&server, "/api/changes", &format!("last-event-id: {id}\r\n")).await;
        let mut bytes = [0; 64];
        refused.stream.read_exact(&mut bytes).await.unwrap();
        assert!(bytes.starts_with(b"HTTP/1.1 400"), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listener_to_signals_is_told_what_was_taken_and_refused_and_nothing_else() {
    let server = TestServer::start().await;
    let mut ear = Ear::new(&server, "/api/signals/events", "last-event-id: 1\r\n").await;
    let caller = procura::pdp::Caller::unknown(None);
    server.decide(&caller, &[""]).await;
    state(&server, "principal/ada", "on-call").await;
    let mut connection = server.connect().await;
    let forged = connection.send("POST", "/api/signals/webhooks/tickets", &[], b"{}").await.unwrap();
    assert_eq!(forged.status, 401);
    assert_eq!(ear.event().await.data["record"]["source"], "operator");
    assert_eq!(ear.event().await.data["record"]["refused"], json!({"authentication_failed": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_ends_with_the_server() {
    let mut server = TestServer::start().await;
    let mut ear = Ear::new(&server, "/api/changes", "").await;
    ear.place().await;
    server.stop.take().unwrap().send(()).unwrap();
    (&mut server.served).await.unwrap();
    let mut rest = Vec::new();
    ear.stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
}
