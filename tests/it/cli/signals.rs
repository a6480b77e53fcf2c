//! `procura signals` against a running server.

use std::io::{BufRead, BufReader};
use std::iter;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use procura_testkit::http::Connection;
use procura_testkit::issuer::webhook_signature;
use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

use super::{BINARY, GOOD, PATIENCE};

const SECRET: &str = "0123456789abcdef";

fn command(server: &Server, words: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("signals").args(words).args(["--server", &format!("http://{}", server.address())]);
    command
}

fn told(output: &Output) -> (Option<i32>, String) {
    let text = [&*output.stdout, &*output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn signals(server: &Server, words: &[&str]) -> (Option<i32>, String) {
    told(&command(server, words).output().unwrap())
}

async fn start(dir: &TempDir) -> anyhow::Result<Server> {
    start_with(dir, str::to_owned).await
}

async fn start_with(dir: &TempDir, change: impl Fn(&str) -> String) -> anyhow::Result<Server> {
    dir.write("policies/album.yaml", GOOD);
    dir.write("secret", change(SECRET));
    let webhooks = json!([{
        "name": "tickets",
        "hmac": {"header": "X-Sign", "secret": {"file": dir.path().join("secret")}},
        "facts": change("[{'type': 'ticket-' + body.state, 'subject': {'principal': body.who}}]"),
        "states": ["ticket-*"],
        "kinds": ["principal"],
    }]);
    let spec = ServerSpec::new(BINARY, dir.path().join("policies"), dir.path().join("data"));
    spec.arg(format!("--set=signals.webhooks={webhooks}")).start().await
}

async fn hook(connection: &mut Connection, body: &Value, secret: &str) -> u16 {
    let body = body.to_string();
    let headers = [("x-sign", &*webhook_signature(secret, body.as_bytes()))];
    connection.send("POST", "/api/signals/webhooks/tickets", &headers, body.as_bytes()).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_set_shown_and_unset_and_stay_across_restarts() {
    let dir = TempDir::new("cli-signals");
    let mut server = start(&dir).await.unwrap();
    let (code, text) =
        signals(&server, &["set", "principal:ada l", "on-call", "--data", r#"{"shift":"night"}"#]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("set: on-call about principal `ada l` since "), "{text}");
    assert!(text.ends_with(", says operator: {\"shift\":\"night\"}\n"), "{text}");
    assert_eq!(signals(&server, &["set", "resource:album/a/1", "locked"]).0, Some(0));
    server.kill().await.unwrap();

    let server = start(&dir).await.unwrap();
    let (code, text) = signals(&server, &["subject", "resource:album/a/1", "-o", "json"]);
    let fact: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &fact["subject"]), (Some(0), &json!({"resource": {"kind": "album", "id": "a/1"}})));
    let (code, text) = signals(&server, &["unset", "principal:ada l", "on-call"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = signals(&server, &["unset", "principal:ada l", "on-call"]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with("error: operators state no `on-call` about `principal:ada l`"), "{text}");
    assert_eq!(signals(&server, &["subject", "principal:ada l"]), (Some(0), String::new()));

    for (words, part) in [
        (&["set", "ada", "x"][..], "expected KIND:ID"),
        (&["set", "resource:album:a1", "x"], "a resource is `resource:KIND/ID`"),
        (&["subject", "resource:album:a1"], "a resource is `resource:KIND/ID`"),
        (&["set", "person:ada", "x"], "`kind`"),
        (&["set", "resource:album", "x"], "`resource:KIND/ID`"),
        (&["set", "principal:ada", "x", "--data", "{"], "`--data` is not JSON"),
        (&["set", "principal:ada", "x", "--expires", "soon"], "`expires`"),
        (&["verify", "okta"], "there is no stream `okta`"),
    ] {
        let (code, text) = signals(&server, words);
        assert!(code == Some(1) && text.contains(part), "{words:?}: {text}");
    }
    assert_eq!(signals(&server, &["set", "principal:ada"]).0, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_heard_is_shown_as_it_comes_and_counted() {
    let dir = TempDir::new("cli-signals-tail");
    let server = start(&dir).await.unwrap();
    let mut tail = command(&server, &["tail"]).stdout(Stdio::piped()).spawn().unwrap();
    let (lines, heard) = mpsc::channel();
    let reader = BufReader::new(tail.stdout.take().unwrap());
    let reading = thread::spawn(move || {
        reader.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)).unwrap_or_default();
    });
    let mut connection = server.connect().await.unwrap();
    // It begins with what comes in once it listens, so there is more until it hears something.
    let mut number = 0;
    let first = loop {
        number += 1;
        let body = json!({"state": "open", "who": "ada", "number": number});
        assert_eq!(hook(&mut connection, &body, SECRET).await, 200);
        if let Ok(line) = heard.recv_timeout(Duration::from_millis(100)) {
            break line;
        }
    };
    assert!(first.contains("`tickets`") && first.contains("ticket-open"), "{first}");
    assert_eq!(hook(&mut connection, &json!({}), "a forged one of 16").await, 401);
    assert_eq!(hook(&mut connection, &json!({"state": "closed", "who": "ada"}), SECRET).await, 200);
    let mut rest = iter::from_fn(|| heard.recv_timeout(PATIENCE).ok());
    assert!(rest.any(|line| line.contains("authentication_failed")), "the refusal is told");
    tail.kill().unwrap();
    tail.wait().unwrap();
    reading.join().unwrap();

    let (code, text) = signals(&server, &["status"]);
    assert_eq!(code, Some(0));
    let counts = format!("{} taken, 0 ignored, 0 repeated, 1 refused", number + 1);
    let source = text.lines().find(|line| line.starts_with("tickets (webhook): last "));
    assert!(source.is_some_and(|line| line.ends_with(&counts)), "{text}");
    assert!(text.contains("refused 1 times: authentication_failed\n"), "{text}");
    let (_, text) = signals(&server, &["status", "-o", "json"]);
    let status: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status["facts"]["held"], 2, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_a_webhook_stop_the_start_with_their_place_and_without_the_secret() {
    for (from, to, part) in
        [("body.who", "P.id", "line 1, column "), (SECRET, "0123456789abcde", "fewer than 16 bytes")]
    {
        let dir = TempDir::new("cli-signals-wrong");
        let refused = start_with(&dir, |text| text.replace(from, to)).await.err().unwrap();
        let refused = format!("{refused:#}");
        assert!(refused.contains("`tickets`") && refused.contains(part), "{refused}");
        assert!(!refused.contains("0123456789"), "{refused}");
    }
}
