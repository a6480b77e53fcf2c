//! The decision log in the shape of the peer's Admin API.

use procura_testkit::http::Connection;
use serde_json::{Value, json};

use super::{CHECK, TestServer, good_check, with};

const LIST: &str = "/admin/auditlog/list/KIND_DECISION";

/// The lines of the list that `query` asks for.
async fn lines(connection: &mut Connection, query: &str) -> Vec<Value> {
    let response = connection.get(&format!("{LIST}?{query}")).await.unwrap();
    assert_eq!(response.status, 200, "{query}: {}", String::from_utf8_lossy(&response.body));
    let text = String::from_utf8(response.body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn call(connection: &mut Connection, body: &Value) -> String {
    let response = connection.post_json(CHECK, body.to_string().as_bytes()).await.unwrap();
    response.header("procura-call-id").unwrap().to_owned()
}

fn ids(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["result"]["decisionLogEntry"]["callId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn call_is_listed_in_the_shape_of_the_peer() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let id = call(&mut connection, &good_check()).await;

    let mut found = lines(&mut connection, &format!("lookup={id}")).await;
    let mut entry = found.remove(0)["result"]["decisionLogEntry"].take();
    assert!(found.is_empty());
    assert_eq!(entry["callId"], id);
    assert!(entry["peer"]["address"].as_str().unwrap().starts_with("127.0.0.1:"));
    let policy = "resource.album.vdefault";
    let put_out = |action| json!({"src": format!("{policy}#owner-may-all"), "action": action, "val": "granted to alice"});
    assert_eq!(
        entry["checkResources"].take(),
        json!({
            "inputs": [{
                "requestId": "r-1",
                "principal": {"id": "alice", "roles": ["user"], "attr": {"team": "red"}},
                "resource": {"kind": "album", "id": "a1", "attr": {"owner": "alice", "public": false}},
                "actions": ["view", "delete"],
            }],
            "outputs": [{
                "requestId": "r-1",
                "resourceId": "a1",
                "actions": {
                    "view": {"effect": "EFFECT_ALLOW", "policy": policy},
                    "delete": {"effect": "EFFECT_ALLOW", "policy": policy},
                },
                "outputs": [put_out("view"), put_out("delete")],
            }],
        })
    );
    let from = json!({"driver": "disk", "source": "album.yaml"});
    assert_eq!(entry["auditTrail"], json!({"effectivePolicies": {policy: {"attributes": from}}}));
}

#[tokio::test]
async fn entries_are_listed_newest_first_page_after_page() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let mut called = Vec::new();
    for _ in 0..230 {
        called.push(call(&mut connection, &good_check()).await);
    }
    called.reverse();
    assert_eq!(ids(&lines(&mut connection, "tail=1000").await), called);
    assert_eq!(ids(&lines(&mut connection, "tail=105").await), called[..105]);
    assert_eq!(ids(&lines(&mut connection, "since=1h").await), called);
    let all = "between.start=2020-01-01T00:00:00Z&between.end=2100-01-01T00:00:00Z";
    assert_eq!(ids(&lines(&mut connection, all).await), called);
    let none = "between.start=2020-01-01T00:00:00Z&between.end=2020-01-02T00:00:00Z";
    assert!(lines(&mut connection, none).await.is_empty());
    assert!(lines(&mut connection, "lookup=01BX5ZZKBKACTAV9WEVGEMMVRZ").await.is_empty());
    let access = connection.get("/admin/auditlog/list/KIND_ACCESS?tail=5").await.unwrap();
    assert_eq!((access.status, access.body.len()), (200, 0));
}

#[tokio::test]
async fn entry_that_repeats_too_much_says_so_instead() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let resource = good_check()["resources"][0].clone();
    let body = with(good_check(), "/resources", vec![resource; 50].into());
    let body = with(body, "/principal/attr/large", json!("x".repeat(1024 * 1024)));
    call(&mut connection, &body).await;

    let entry = lines(&mut connection, "tail=1").await.remove(0)["result"]["decisionLogEntry"].take();
    assert_eq!(entry["oversized"], true);
    assert!(entry.get("checkResources").is_none());
}

#[tokio::test]
async fn policies_of_an_older_set_are_named_by_the_record() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    call(&mut connection, &good_check()).await;
    server.directory.write("policies/more.yaml", super::ALBUM_POLICY.replace("album", "other"));
    assert_eq!(connection.post_json("/admin/policies/reload", b"").await.unwrap().status, 200);

    let entry = lines(&mut connection, "tail=1").await.remove(0)["result"]["decisionLogEntry"].take();
    let policies = json!({"resource.album.vdefault": {"attributes": {"driver": "disk"}}});
    assert_eq!(entry["auditTrail"]["effectivePolicies"], policies);
}

#[tokio::test]
async fn wrong_questions_are_refused_in_the_shape_of_the_peer() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for (path, status) in [
        ("/admin/auditlog/list/KIND_DECISION", 400),
        ("/admin/auditlog/list/KIND_DECISION?tail=0", 400),
        ("/admin/auditlog/list/KIND_OTHER?tail=1", 400),
        ("/admin/auditlog/list", 404),
    ] {
        let response = connection.get(path).await.unwrap();
        assert_eq!(response.status, status, "{path}");
        assert!(response.json().unwrap()["code"].is_number() || status == 404, "{path}");
    }
}
