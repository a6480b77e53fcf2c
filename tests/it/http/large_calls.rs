//! Calls that cost as much as a call may: they are answered, and the server answers others meanwhile.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

use super::CHECK;

/// As many as there are processors at least, so that without care every worker is busy.
const CALLERS: usize = 8;

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
    directory.write("policies/doc.yaml", &costly_policy());
    let policies = directory.path().join("policies");
    let spec = ServerSpec::new(env!("CARGO_BIN_EXE_procura"), &policies, directory.path().join("data"));
    let server = spec.start().await.unwrap();
    let body: Arc<[u8]> = costly_check().to_string().into_bytes().into();
    let answered = Arc::new(AtomicUsize::new(0));
    let mut calls = Vec::new();
    for _ in 0..CALLERS {
        let (mut connection, body) = (server.connect().await.unwrap(), Arc::clone(&body));
        let answered = Arc::clone(&answered);
        calls.push(tokio::spawn(async move {
            let response = connection.post_json(CHECK, &body).await.unwrap();
            answered.fetch_add(1, Ordering::SeqCst);
            response
        }));
    }

    let mut meanwhile = 0;
    let mut connection = server.connect().await.unwrap();
    while answered.load(Ordering::SeqCst) < CALLERS / 2 {
        assert_eq!(connection.get("/healthz").await.unwrap().status, 200);
        meanwhile += 1;
    }
    // A worker that is kept for the whole of a call would leave a handful of answers, one between any two calls.
    assert!(meanwhile > 4 * CALLERS, "{meanwhile}");
    for call in calls {
        let response = call.await.unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.json().unwrap()["results"].as_array().unwrap().len(), 50);
    }
}
