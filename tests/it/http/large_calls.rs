//! Calls that cost as much as a call may: they are answered, and the server answers others meanwhile.

use std::fmt::Write as _;

use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::CHECK;

/// A policy for which every role and every action must be asked about every rule.
fn costly_policy() -> String {
    let mut policy =
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: doc\n  version: default\n  rules:\n"
            .to_owned();
    for _ in 0..60 {
        let rule = "{actions: ['*'], roles: ['*'], effect: EFFECT_ALLOW, condition: {match: {expr: 'P.id == R.id'}}}";
        writeln!(policy, "    - {rule}").unwrap();
    }
    policy
}

fn costly_check() -> Value {
    let actions: Vec<_> = (0..50).map(|n| format!("view{n}")).collect();
    let resource = |n| json!({"actions": actions, "resource": {"kind": "doc", "id": format!("r{n}")}});
    let roles: Vec<_> = (0..500).map(|n| format!("role{n}")).collect();
    json!({
        "requestId": "large",
        "principal": {"id": "alice", "roles": roles},
        "resources": (0..50).map(resource).collect::<Vec<_>>(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_answers_while_calls_as_large_as_they_may_be_run() {
    let directory = TempDir::new("large-calls");
    directory.write("policies/doc.yaml", costly_policy());
    let policies = directory.path().join("policies");
    let spec = ServerSpec::new(env!("CARGO_BIN_EXE_procura"), &policies, directory.path().join("data"));
    let server = spec.start().await.unwrap();
    // More than there are processors, so that without care every worker is busy.
    let callers = std::thread::available_parallelism().unwrap().get() + 1;
    let body = costly_check().to_string().into_bytes();
    let mut calls = JoinSet::new();
    for _ in 0..callers {
        let (mut connection, body) = (server.connect().await.unwrap(), body.clone());
        calls.spawn(async move { connection.post_json(CHECK, &body).await.unwrap() });
    }

    let mut meanwhile = 0;
    let mut connection = server.connect().await.unwrap();
    let first = loop {
        if let Some(answered) = calls.try_join_next() {
            break answered.unwrap();
        }
        assert_eq!(connection.get("/healthz").await.unwrap().status, 200);
        meanwhile += 1;
    };
    // A worker that is kept for the whole of a call would leave one or two answers before the first call ends.
    assert!(meanwhile > 10, "{meanwhile}");
    assert_eq!(first.status, 200);
    assert_eq!(first.json().unwrap()["results"].as_array().unwrap().len(), 50);
}
