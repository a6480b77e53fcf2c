//! Bodies of chance: whatever is sent, the answer comes, and it is never an error of ours.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::{CHECK, EVALUATION, TestServer, good_check, good_evaluation};

/// One change to the bytes of a body.
#[derive(Clone, Debug)]
enum Mutation {
    Replace(Index, u8),
    Insert(Index, &'static str),
    Cut(Index, u8),
    Copy(Index, Index, u8),
}

/// Pieces that parsers trip over.
const PIECES: [&str; 16] = [
    "{", "}", "[", "]", "\"", "\\u0000", "\\ud800", ":", ",", "null", "1e999", "-0", "\u{0}", "[[[[[[[[",
    "{\"a\":", "\u{feff}",
];

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (any::<Index>(), proptest::sample::select(PIECES.to_vec()))
            .prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Mutation::Cut(at, length)),
        (any::<Index>(), any::<Index>(), any::<u8>())
            .prop_map(|(from, to, length)| Mutation::Copy(from, to, length)),
    ]
}

fn apply(body: &mut Vec<u8>, mutation: &Mutation) {
    if body.is_empty() {
        return;
    }
    let end = |at: usize, length: u8| (at + usize::from(length)).min(body.len());
    match mutation {
        Mutation::Replace(at, byte) => {
            let at = at.index(body.len());
            body[at] = *byte;
        }
        Mutation::Insert(at, piece) => {
            let at = at.index(body.len());
            body.splice(at..at, piece.bytes());
        }
        Mutation::Cut(at, length) => {
            let at = at.index(body.len());
            body.drain(at..end(at, *length));
        }
        Mutation::Copy(from, to, length) => {
            let from = from.index(body.len());
            let piece = body[from..end(from, *length)].to_vec();
            let to = to.index(body.len());
            body.splice(to..to, piece);
        }
    }
}

fn mutated_bodies_are_always_answered(path: &'static str, seed_body: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(TestServer::start());
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let mutations = proptest::collection::vec(mutation(), 1..6);
    let outcome = runner.run(&mutations, |mutations| {
        let mut body = seed_body.as_bytes().to_vec();
        mutations.iter().for_each(|mutation| apply(&mut body, mutation));
        let answer = runtime.block_on(async {
            let mut connection = server.connect().await;
            tokio::time::timeout(Duration::from_secs(10), connection.post_json(path, &body)).await
        });
        let response = answer.expect("the server hangs").unwrap();
        let shown = String::from_utf8_lossy(&body);
        prop_assert!([200, 400].contains(&response.status), "{} for {shown}", response.status);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn mutated_check_is_always_answered() {
    let mut body = good_check();
    body["auxData"] = json!({"jwts": {}});
    body["context"] = json!({"place": "home", "list": [1, {"x": null}]});
    mutated_bodies_are_always_answered(CHECK, &body.to_string());
}

#[test]
fn mutated_evaluation_is_always_answered() {
    let mut body = good_evaluation();
    body["context"] = json!({"cerbos.requestId": "x", "cerbos.includeMeta": true, "place": "home"});
    body["subject"]["properties"] = json!({"cerbos.roles": ["user"], "cerbos.scope": "acme"});
    mutated_bodies_are_always_answered(EVALUATION, &body.to_string());
}

#[test]
fn mutated_deprecated_checks_are_always_answered() {
    let principal = json!({"id": "alice", "roles": ["user"], "attr": {"team": "red"}});
    let instances = json!({"a1": {"attr": {"owner": "alice"}}, "a2": {}});
    let set = json!({
        "requestId": "r-1",
        "includeMeta": true,
        "principal": principal,
        "actions": ["view", "delete"],
        "resource": {"kind": "album", "policyVersion": "default", "scope": "", "instances": instances},
    });
    mutated_bodies_are_always_answered("/api/check", &set.to_string());
    let mut batch = good_check();
    batch["aux_data"] = json!({});
    mutated_bodies_are_always_answered("/api/check_resource_batch", &batch.to_string());
}
