//! The check requests that the peer deprecates: the same decisions, in the shapes of old clients.

use procura::http::RequestLimits;
use procura_testkit::http::Response;
use serde_json::{Value, json};

use super::bad_input::refused_then_served;
use super::{TestServer, with};

const SET: &str = "/api/check";
const BATCH: &str = "/api/check_resource_batch";

fn good_set() -> Value {
    json!({
        "requestId": "r-1",
        "principal": {"id": "alice", "roles": ["user"]},
        "actions": ["view", "delete"],
        "resource": {
            "kind": "album",
            "instances": {
                "b": {"attr": {"owner": "bob", "public": true}},
                "a": {"attr": {"owner": "alice"}},
            },
        },
    })
}

fn good_batch() -> Value {
    json!({
        "requestId": "r-1",
        "principal": {"id": "alice", "roles": ["user"]},
        "resources": [
            {"actions": ["view"], "resource": {"kind": "album", "id": "b", "attr": {"public": true}}},
            {"actions": ["view", "delete"], "resource": {"kind": "album", "id": "a", "attr": {"owner": "alice"}}},
            {"actions": ["delete"], "resource": {"kind": "album", "id": "b"}},
        ],
    })
}

async fn post(server: &TestServer, path: &str, body: &Value) -> Response {
    server.connect().await.post_json(path, body.to_string().as_bytes()).await.unwrap()
}

#[tokio::test]
async fn set_is_answered_by_instance() {
    let server = TestServer::start().await;
    let instances = json!({
        "a": {"actions": {"view": "EFFECT_ALLOW", "delete": "EFFECT_ALLOW"}},
        "b": {"actions": {"view": "EFFECT_ALLOW", "delete": "EFFECT_DENY"}},
    });
    let answer = post(&server, SET, &good_set()).await.json().unwrap();
    assert_eq!(answer, json!({"requestId": "r-1", "resourceInstances": instances}));

    let snake = json!({
        "request_id": "r-2",
        "include_meta": true,
        "principal": {"id": "alice", "roles": ["user"], "policy_version": "default"},
        "actions": ["view"],
        "resource": {"kind": "album", "policy_version": "v9", "scope": ".", "instances": {"a": {"attr": null}}},
        "aux_data": {},
    });
    let answer = post(&server, SET, &snake).await.json().unwrap();
    let meta = json!({"a": {"actions": {"view": {"matchedPolicy": "NO_MATCH"}}}});
    let expected = json!({
        "requestId": "r-2",
        "resourceInstances": {"a": {"actions": {"view": "EFFECT_DENY"}}},
        "meta": {"resourceInstances": meta},
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn batch_is_answered_in_order_of_the_request() {
    let server = TestServer::start().await;
    let answer = post(&server, BATCH, &good_batch()).await.json().unwrap();
    let expected = json!({
        "requestId": "r-1",
        "results": [
            {"resourceId": "b", "actions": {"view": "EFFECT_ALLOW"}},
            {"resourceId": "a", "actions": {"view": "EFFECT_ALLOW", "delete": "EFFECT_ALLOW"}},
            {"resourceId": "b", "actions": {"delete": "EFFECT_DENY"}},
        ],
    });
    assert_eq!(answer, expected);
    let unnamed = with(good_batch(), "/requestId", Value::Null);
    assert_eq!(post(&server, BATCH, &unnamed).await.json().unwrap().get("requestId"), None);
}

#[tokio::test]
async fn their_calls_are_recorded_and_counted_like_any_other() {
    let server = TestServer::start().await;
    for (path, body, api, ids) in [
        (SET, good_set(), "check_resource_set", vec!["a", "b"]),
        (BATCH, good_batch(), "check_resource_batch", vec!["b", "a", "b"]),
    ] {
        let response = post(&server, path, &body).await;
        assert!(response.header("procura-policy-revision").is_some());
        let call = format!("/api/decisions/{}", response.header("procura-call-id").unwrap());
        let mut connection = server.connect().await;
        let record = &connection.get(&call).await.unwrap().json().unwrap()["record"];
        assert_eq!(record["call"]["api"], api);
        let recorded: Vec<_> = record["resources"].as_array().unwrap().iter().map(|r| &r["id"]).collect();
        assert_eq!(recorded, ids);
        let results = record["results"].as_array().unwrap().iter();
        assert_eq!(results.map(|result| result["decisions"].as_array().unwrap().len()).sum::<usize>(), 4);
        let metrics = String::from_utf8(connection.get("/metrics").await.unwrap().body).unwrap();
        assert!(metrics.contains(&format!("procura_calls_total{{api=\"{api}\",outcome=\"answered\"}} 1")));
    }
}

#[tokio::test]
async fn bad_set_is_told_where_and_why() {
    let bad = |at: &str, to: Value| with(good_set(), at, to).to_string().into_bytes();
    let instances = |n: usize| (0..n).map(|i| (format!("i{i}"), json!({}))).collect::<Value>();
    let names = |n: usize| (0..n).map(|i| json!(format!("n{i}"))).collect::<Value>();
    let at = "/resource/instances";
    let twice = good_set().to_string().replace("\"b\":", "\"a\":").into_bytes();
    let cases: Vec<(Vec<u8>, &[&str])> = vec![
        (b"".to_vec(), &["`$`", "empty"]),
        (b"{}".to_vec(), &["`principal`", "required"]),
        (b"[]".to_vec(), &["`$`", "expected an object"]),
        (bad("/principal", json!({"id": "a"})), &["`principal.roles`", "at least one"]),
        (bad("/bogus", Value::Null), &["unknown field `bogus`"]),
        (bad("/resources", json!([])), &["unknown field `resources`"]),
        (bad("/context", json!({})), &["unknown field `context`"]),
        (bad("/requestContext", json!({})), &["unknown field `requestContext`"]),
        (bad("/resource", Value::Null), &["`resource`", "required"]),
        (bad("/resource", json!([])), &["`resource`", "expected an object"]),
        (bad("/resource/id", json!("a")), &["`resource", "unknown field `id`"]),
        (bad("/resource/attr", json!({})), &["`resource", "unknown field `attr`"]),
        (bad("/resource/kind", json!("")), &["`resource.kind`", "required"]),
        (bad("/resource/scope", json!("a..b")), &["`resource.scope`", "segments"]),
        (bad("/resource/policyVersion", json!("a-b")), &["`resource.policyVersion`", "letters"]),
        (bad(at, Value::Null), &["`resource.instances`", "at least one"]),
        (bad(at, json!({})), &["`resource.instances`", "at least one"]),
        (bad(at, json!([])), &["`resource.instances`", "expected an object"]),
        (bad(at, json!({"a": null})), &["`resource.instances", "expected an object"]),
        (bad(at, json!({"a": "b"})), &["`resource.instances", "expected an object"]),
        (bad(at, json!({"a": {"attr": []}})), &["`resource.instances", "expected an object"]),
        (bad(at, json!({"a": {"id": "b"}})), &["`resource.instances", "unknown field `id`"]),
        (bad(at, json!({"": {}})), &["`resource.instances`", "required"]),
        (bad(at, json!({"x".repeat(4097): {}})), &["`resource.instances`", "4097"]),
        (bad(at, instances(51)), &["`resource.instances`", "51", "50"]),
        (bad(at, instances(2000)), &["`resource.instances", "more than 1000"]),
        (twice, &["`resource.instances", "`a` is there twice"]),
        (bad("/actions", Value::Null), &["`actions`", "at least one"]),
        (bad("/actions", json!([])), &["`actions`", "at least one"]),
        (bad("/actions", json!("view")), &["`actions`", "expected a list"]),
        (bad("/actions", json!([null])), &["`actions[0]`", "expected a string"]),
        (bad("/actions", json!([""])), &["`actions[0]`", "required"]),
        (bad("/actions", json!(["a", "a"])), &["`actions[1]`", "twice"]),
        (bad("/actions", names(51)), &["`actions`", "51", "50"]),
        (bad("/includeMeta", json!("true")), &["`includeMeta`", "boolean"]),
        (
            bad("/auxData", json!({"jwt": {"token": "t"}, "jwts": {"a": {"token": "t"}}})),
            &["`auxData`", "only one"],
        ),
    ];
    refused_then_served(SET, &good_set(), cases).await;
}

#[tokio::test]
async fn bad_batch_is_told_where_and_why() {
    let bad = |at: &str, to: Value| with(good_batch(), at, to).to_string().into_bytes();
    let cases: Vec<(Vec<u8>, &[&str])> = vec![
        (b"{}".to_vec(), &["`principal`", "required"]),
        (bad("/includeMeta", json!(true)), &["unknown field `includeMeta`"]),
        (bad("/requestContext", json!({})), &["unknown field `requestContext`"]),
        (bad("/actions", json!(["view"])), &["unknown field `actions`"]),
        (bad("/resources", Value::Null), &["`resources`", "at least one"]),
        (bad("/resources", json!([null])), &["`resources[0]`", "expected an object"]),
        (bad("/resources", json!([{}])), &["`resources[0].resource`", "required"]),
        (bad("/resources/0/bogus", json!(1)), &["`resources[0]", "unknown field `bogus`"]),
        (bad("/resources/0/actions", json!([])), &["`resources[0].actions`", "at least one"]),
        (bad("/resources/1/resource/id", json!("")), &["`resources[1].resource.id`", "required"]),
        (bad("/resources", vec![good_batch()["resources"][0].clone(); 51].into()), &["`resources`", "51"]),
    ];
    refused_then_served(BATCH, &good_batch(), cases).await;
}

#[tokio::test]
async fn short_set_cannot_ask_for_more_than_a_long_request() {
    let limits =
        RequestLimits { max_body_bytes: 50_000, max_structural_chars: 600, ..RequestLimits::default() };
    let server = TestServer::with_limits(limits).await;
    let set = |actions: usize, length: usize, instances: usize| {
        let actions: Vec<_> = (0..actions).map(|i| format!("{i:0length$}")).collect();
        let instances: Value = (0..instances).map(|i| (format!("i{i}"), json!({}))).collect();
        with(with(good_set(), "/actions", json!(actions)), "/resource/instances", instances)
    };
    for (body, status, told) in [
        (set(20, 10, 30), 200, "resourceInstances"),
        (set(20, 10, 31), 400, "620 decisions"),
        (set(10, 990, 5), 200, "resourceInstances"),
        (set(10, 1000, 5), 400, "50025 bytes"),
    ] {
        let response = post(&server, SET, &body).await;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, status, "{text}");
        assert!(text.contains(told), "{text}");
    }
}
