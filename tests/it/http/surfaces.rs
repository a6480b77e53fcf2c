//! The shape of each answer.

use std::fs;

use procura::http::RequestLimits;
use procura_core::limits::RECORD_BYTES;
use procura_testkit::http::{Connection, Response};
use serde_json::{Value, json};

use super::{CHECK, EVALUATION, Setup, TestServer, good_check, good_evaluation, with};

async fn post(connection: &mut Connection, path: &str, body: &Value) -> Response {
    connection.post_json(path, body.to_string().as_bytes()).await.unwrap()
}

async fn get_json(connection: &mut Connection, path: &str) -> Value {
    let response = connection.get(path).await.unwrap();
    assert_eq!(response.status, 200, "{path}: {}", String::from_utf8_lossy(&response.body));
    response.json().unwrap()
}

#[tokio::test]
async fn check_is_answered_as_the_peer_does() {
    let server = TestServer::start().await;
    let body = with(good_check(), "/includeMeta", json!(true));
    let body = with(body, "/principal/id", json!("bob"));
    let body = with(body, "/resources/0/resource/attr", json!({"owner": "alice", "public": true}));
    let response = post(&mut server.connect().await, CHECK, &body).await;

    let mut answer = response.json().unwrap();
    let call_id = answer.as_object_mut().unwrap().remove("cerbosCallId").unwrap();
    assert_eq!(response.header("procura-call-id"), call_id.as_str());
    assert_eq!(call_id.as_str().unwrap().as_bytes()[14], b'7', "{call_id} is not a UUIDv7");
    assert_eq!(response.header("procura-policy-revision").unwrap().len(), 64);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let policy = json!({"matchedPolicy": "resource.album.vdefault"});
    let result = json!({
        "resource": {"id": "a1", "kind": "album"},
        "actions": {"view": "EFFECT_ALLOW", "delete": "EFFECT_DENY"},
        "meta": {"actions": {"view": policy, "delete": policy}},
    });
    assert_eq!(answer, json!({"requestId": "r-1", "results": [result]}));
}

#[tokio::test]
async fn outputs_and_snake_case_and_context_work() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let body = json!({
        "request_id": "r-2",
        "principal": {"id": "alice", "roles": ["user"], "policy_version": "default"},
        "resources": [
            {"actions": ["view"], "resource": {"kind": "album", "id": "a1", "attr": {"owner": "alice"}}},
            {"actions": ["share"], "resource": {"kind": "album", "id": "a2", "attr": {"owner": "bob"}}},
        ],
        "context": {"place": "home"},
        "aux_data": {"jwts": {}},
        "request_context": {"annotations": {"a": 1}},
    });
    let answer = post(&mut connection, CHECK, &body).await.json().unwrap();
    let output = json!({
        "src": "resource.album.vdefault#owner-may-all", "action": "view", "val": "granted to alice",
    });
    assert_eq!(answer["results"][0]["outputs"], json!([output]), "{answer}");
    assert_eq!(answer["results"][1]["actions"], json!({"share": "EFFECT_ALLOW"}), "{answer}");
}

#[tokio::test]
async fn call_is_found_by_its_id_as_soon_as_it_is_answered() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let response = post(&mut connection, CHECK, &good_check()).await;
    let call_id = response.header("procura-call-id").unwrap().to_owned();

    let found = get_json(&mut connection, &format!("/api/decisions/{call_id}")).await;
    let record = &found["record"];
    assert_eq!(record["kind"], "decision");
    assert_eq!(record["call"]["id"], call_id);
    assert_eq!(record["call"]["requestId"], "r-1");
    assert_eq!(record["call"]["api"], "check_resources");
    assert!(record["call"]["caller"]["address"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(record["basis"]["policyRevision"], response.header("procura-policy-revision").unwrap());
    assert_eq!(record["basis"]["onError"], "closed");
    assert_eq!(record["basis"]["durability"], "durable");
    assert_eq!(record["principal"]["attr"], json!({"team": "red"}));
    assert_eq!(record["results"][0]["decisions"][1]["action"], "delete");

    for path in [format!("/api/decisions/{call_id}/2"), format!("/api/decisions/{call_id}%2F2")] {
        let found = get_json(&mut connection, &path).await;
        assert_eq!(found["decision"]["id"], format!("{call_id}/2"), "{path}");
        assert_eq!(found["decision"]["action"], "delete", "{path}");
        assert_eq!(found["decision"]["resource"], record["resources"][0], "{path}");
        assert_eq!(found["decision"]["policy"], record["results"][0]["policy"], "{path}");
    }
    for id in [
        format!("{call_id}/3"),
        format!("{call_id}/0"),
        "01900000-0000-7000-8000-000000000000".into(),
        "x".into(),
    ] {
        let response = connection.get(&format!("/api/decisions/{id}")).await.unwrap();
        assert_eq!(response.status, 404, "{id}");
        assert_eq!(response.json().unwrap()["code"], "not_found");
    }
}

#[tokio::test]
async fn decisions_are_found_by_what_they_are_about() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for n in 0..5 {
        let body = with(good_check(), "/principal/id", json!(format!("p{n}")));
        let body = with(body, "/resources/0/resource/attr/owner", json!("p1"));
        assert_eq!(post(&mut connection, CHECK, &body).await.status, 200);
    }
    for (query, expected) in [
        ("principal=p3", 1),
        ("principal=nobody", 0),
        ("resourceKind=album&resourceId=a1&action=delete", 5),
        ("action=delete&effect=EFFECT_ALLOW", 1),
        ("effect=EFFECT_DENY", 4),
        ("since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z", 0),
        ("since=2026-01-01T00:00:00Z&principal=p0", 1),
    ] {
        let page = get_json(&mut connection, &format!("/api/decisions?{query}")).await;
        assert_eq!(page["decisions"].as_array().unwrap().len(), expected, "{query}: {page}");
    }
}

#[tokio::test]
async fn pages_follow_one_another_without_gap() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        let response = post(&mut connection, CHECK, &good_check()).await;
        made.push(response.header("procura-call-id").unwrap().to_owned());
    }
    let mut seen = Vec::new();
    let mut path = "/api/decisions?limit=2&principal=alice".to_owned();
    for _ in 0..10 {
        let page = get_json(&mut connection, &path).await;
        let ids = page["decisions"].as_array().unwrap().iter().map(|found| &found["record"]["call"]["id"]);
        seen.extend(ids.map(|id| id.as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/api/decisions?limit=2&principal=alice&cursor={cursor}");
    }
    made.reverse();
    assert_eq!(seen, made);
}

#[tokio::test]
async fn bad_query_is_told_where_and_why() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for (query, expected) in [
        (
            "bogus=1",
            "`bogus`: no such parameter; there are `filter`, `callId`, `since`, `until`, `limit`, `cursor`, `kind`",
        ),
        ("principal=a&principal=b", "`principal`: given more than once"),
        ("limit=0", "`limit`: expected a number from 1 to 500"),
        ("limit=501", "`limit`: expected a number from 1 to 500"),
        ("limit=x", "`limit`"),
        ("effect=maybe", "`effect`: expected `EFFECT_ALLOW` or `EFFECT_DENY`"),
        ("since=yesterday", "`since`: expected an instant"),
        ("until=5", "`until`"),
        ("cursor=17", "`cursor`"),
    ] {
        let response = connection.get(&format!("/api/decisions?{query}")).await.unwrap();
        assert_eq!(response.status, 400, "{query}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        let problem = response.json().unwrap();
        assert_eq!(problem["code"], "invalid_request");
        assert_eq!(problem["status"], 400);
        assert!(problem["detail"].as_str().unwrap().contains(expected), "{query}: {problem}");
    }
}

#[tokio::test]
async fn evaluation_is_a_decision() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for (owner, decision) in [("alice", true), ("bob", false)] {
        let body = with(good_evaluation(), "/resource/properties/owner", json!(owner));
        let response = post(&mut connection, EVALUATION, &body).await;
        assert_eq!(response.json().unwrap(), json!({ "decision": decision }));
        assert!(response.header("procura-call-id").is_some());
        assert!(response.header("procura-policy-revision").is_some());
    }
    let body = with(good_evaluation(), "/resource/properties/owner", json!("bob"));
    let body = with(body, "/action/name", json!("share"));
    let body = with(body, "/context", json!({"place": "home"}));
    assert_eq!(post(&mut connection, EVALUATION, &body).await.json().unwrap(), json!({"decision": true}));
}

#[tokio::test]
async fn evaluation_carries_the_check_response_for_whom_speaks_the_peers_words() {
    let server = TestServer::start().await;
    let context = json!({"cerbos.requestId": "r-3", "cerbos.includeMeta": true, "cerbos.auxData": {}});
    let body = with(good_evaluation(), "/context", context);
    let properties = json!({"cerbos.roles": ["user"], "cerbos.policyVersion": "default", "team": "red"});
    let body = with(body, "/subject/properties", properties);
    let body = with(body, "/subject/type", json!("person"));
    let mut connection = server.connect().await;
    let response = post(&mut connection, EVALUATION, &body).await;
    let answer = response.json().unwrap();
    assert_eq!(answer["decision"], true, "{answer}");
    let check = &answer["context"]["cerbos.response"];
    assert_eq!(check["requestId"], "r-3");
    assert_eq!(check["results"][0]["actions"], json!({"view": "EFFECT_ALLOW"}));
    assert_eq!(check["results"][0]["meta"]["actions"]["view"]["matchedPolicy"], "resource.album.vdefault");

    let call_id = response.header("procura-call-id").unwrap();
    let found = get_json(&mut connection, &format!("/api/decisions/{call_id}")).await;
    assert_eq!(found["record"]["principal"]["attr"], json!({"team": "red"}));
    assert_eq!(found["record"]["principal"]["roles"], json!(["user"]));
    assert_eq!(found["record"]["context"], json!({}));
}

#[tokio::test]
async fn request_id_comes_back_and_is_recorded() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let headers = [("content-type", "application/json"), ("x-request-id", "trace 7/A")];
    let body = good_evaluation().to_string();
    let response = connection.send("POST", EVALUATION, &headers, body.as_bytes()).await.unwrap();
    assert_eq!(response.header("x-request-id"), Some("trace 7/A"));
    let call_id = response.header("procura-call-id").unwrap();
    let found = get_json(&mut connection, &format!("/api/decisions/{call_id}")).await;
    assert_eq!(found["record"]["call"]["requestId"], "trace 7/A");
    let refused = connection.send("POST", EVALUATION, &headers, b"{}").await.unwrap();
    assert_eq!((refused.status, refused.header("x-request-id")), (400, Some("trace 7/A")));
}

#[tokio::test]
async fn metadata_name_the_endpoints_there_are() {
    let server = TestServer::start().await;
    let answer = get_json(&mut server.connect().await, "/.well-known/authzen-configuration").await;
    let base = format!("https://{}", server.address);
    let expected = json!({
        "policy_decision_point": base,
        "access_evaluation_endpoint": format!("{base}/access/v1/evaluation"),
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn health_readiness_and_metrics_are_there() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    assert_eq!(post(&mut connection, CHECK, &good_check()).await.status, 200);
    assert_eq!(get_json(&mut connection, "/healthz").await, json!({"status": "alive"}));
    assert_eq!(get_json(&mut connection, "/_cerbos/health").await, json!({"status": "SERVING"}));
    let ready = get_json(&mut connection, "/readyz").await;
    assert_eq!(ready["status"], "ready");
    assert!(ready["checks"].as_array().unwrap().iter().all(|check| check["state"] == "good"), "{ready}");
    assert_eq!(get_json(&mut connection, "/api/server_info").await["version"], env!("CARGO_PKG_VERSION"));
    for path in ["/metrics", "/_cerbos/metrics"] {
        let response = connection.get(path).await.unwrap();
        let text = String::from_utf8(response.body).unwrap();
        for line in [
            "procura_calls_total{api=\"check_resources\",outcome=\"answered\"} 1",
            "procura_decisions_total{effect=\"allow\"} 2",
        ] {
            assert!(text.contains(line), "{line} is not in {path}:\n{text}");
        }
    }
}

#[tokio::test]
async fn operator_reloads_and_sees_what_came_of_it() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let unchanged = post(&mut connection, "/admin/policies/reload", &json!({})).await;
    assert_eq!((unchanged.status, unchanged.json().unwrap()), (200, json!({"outcome": "unchanged"})));

    server.directory.write("policies/broken.yaml", "apiVersion: api.cerbos.dev/v1\nnonsense: [\n");
    let rejected = post(&mut connection, "/admin/policies/reload", &json!({})).await;
    assert_eq!(rejected.status, 422);
    let rejected = rejected.json().unwrap();
    assert_eq!(rejected["outcome"], "rejected");
    let finding = &rejected["diagnostics"][0];
    assert_eq!((&finding["severity"], &finding["file"]), (&json!("error"), &json!("broken.yaml")));

    let status = get_json(&mut connection, "/admin/policies/status").await;
    assert_eq!(status["stale"], true);
    assert_eq!(status["live"]["generation"], 1);
    assert_eq!(status["lastAttempt"]["cause"], "admin");
    assert_eq!(status["lastAttempt"]["diagnostics"], rejected["diagnostics"]);
    let ready = connection.get("/readyz").await.unwrap();
    assert_eq!(ready.status, 200);
    assert!(String::from_utf8_lossy(&ready.body).contains("degraded"));
    assert_eq!(post(&mut connection, CHECK, &good_check()).await.status, 200);

    let mended = "apiVersion: api.cerbos.dev/v1\nexportConstants: {name: mended}\n";
    server.directory.write("policies/broken.yaml", mended);
    let activated = post(&mut connection, "/admin/policies/reload", &json!({})).await;
    assert_eq!(activated.status, 200, "{}", String::from_utf8_lossy(&activated.body));
    assert_eq!(activated.json().unwrap()["generation"], 2);
}

#[tokio::test]
async fn strangers_find_neither_administration_nor_the_log() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let relayed = [("x-forwarded-for", "10.1.2.3")];
    for (method, path) in [
        ("GET", "/api/decisions"),
        ("GET", "/api/decisions/x"),
        ("GET", "/admin/policies/status"),
        ("POST", "/admin/policies/reload"),
        ("POST", "/api/explain"),
    ] {
        let response = connection.send(method, path, &relayed, b"").await.unwrap();
        assert_eq!(response.status, 401, "{path}");
        assert_eq!(response.json().unwrap()["code"], "unauthenticated");
    }
    let body = good_check().to_string();
    assert_eq!(connection.send("POST", CHECK, &relayed, body.as_bytes()).await.unwrap().status, 401);
}

#[tokio::test]
async fn decision_that_cannot_be_recorded_is_not_told() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    server.log.close();
    for (path, body) in [(CHECK, good_check()), (EVALUATION, good_evaluation())] {
        let response = post(&mut connection, path, &body).await;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, 503, "{path}: {text}");
        assert!(text.contains("decision_log_unavailable"), "{path}: {text}");
        assert!(!text.contains("EFFECT_") && !text.contains("\"decision\""), "{path}: {text}");
        assert!(response.header("retry-after").is_some(), "{path}");
    }
    assert_eq!(connection.get("/readyz").await.unwrap().status, 503);
    assert_eq!(connection.get("/healthz").await.unwrap().status, 200);
}

#[tokio::test]
async fn decision_that_can_never_be_recorded_asks_nobody_to_try_again() {
    let limits = RequestLimits { max_body_bytes: 2 * RECORD_BYTES, ..RequestLimits::default() };
    let server = TestServer::with_limits(limits).await;
    let mut connection = server.connect().await;
    let large = json!("a".repeat(RECORD_BYTES));
    let check = with(good_check(), "/resources/0/resource/attr/large", large.clone());
    let evaluation = with(good_evaluation(), "/resource/properties/large", large);
    for (path, body, good) in [(CHECK, check, good_check()), (EVALUATION, evaluation, good_evaluation())] {
        let response = post(&mut connection, path, &body).await;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, 500, "{path}: {text}");
        assert!(text.contains("decision_unrecordable: "), "{path}: {text}");
        assert!(!text.contains("EFFECT_") && !text.contains("\"decision\""), "{path}: {text}");
        assert_eq!(response.header("retry-after"), None, "{path}");
        assert_eq!(post(&mut connection, path, &good).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn log_that_cannot_be_read_is_not_said_to_be_unwritable() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let answered = post(&mut connection, CHECK, &good_check()).await;
    let call_id = answered.header("procura-call-id").unwrap();
    fs::remove_file(server.directory.path().join("log/log-00000000000000000001.seg")).unwrap();
    for path in ["/api/decisions".to_owned(), format!("/api/decisions/{call_id}")] {
        let response = connection.get(&path).await.unwrap();
        assert_eq!(response.status, 503, "{path}");
        let problem = response.json().unwrap();
        assert_eq!(problem["code"], "decision_log_unavailable", "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().starts_with("the decision log cannot be read: "),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn nothing_is_decided_before_there_are_policies() {
    let server = TestServer::with(Setup { loaded: false, ..Setup::default() }).await;
    let mut connection = server.connect().await;
    for (path, body) in [(CHECK, good_check()), (EVALUATION, good_evaluation())] {
        let response = post(&mut connection, path, &body).await;
        assert_eq!(response.status, 503, "{path}");
        assert!(String::from_utf8_lossy(&response.body).contains("no_policy_set"), "{path}");
        assert!(response.header("retry-after").is_some(), "{path}");
    }
    let serving = connection.get("/_cerbos/health").await.unwrap();
    assert_eq!((serving.status, serving.json().unwrap()), (503, json!({"status": "NOT_SERVING"})));
}
