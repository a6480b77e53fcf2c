//! What is refused, each with its path and limit, and that the same connection then answers a good request.

use procura::http::RequestLimits;
use serde_json::{Value, json};

use super::{CHECK, EVALUATION, TestServer, good_check, good_evaluation, with};

/// Posts each body, expects 400 with all the texts in the body, then a good answer on the same connection.
pub(super) async fn refused_then_served(path: &str, good: &Value, cases: Vec<(Vec<u8>, &[&str])>) {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for (body, expected) in cases {
        let shown = String::from_utf8_lossy(&body).chars().take(200).collect::<String>();
        let response = connection.post_json(path, &body).await.unwrap();
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, 400, "{shown}: {text}");
        for part in expected {
            assert!(text.contains(part), "`{part}` is not in the answer to {shown}: {text}");
        }
        assert!(text.len() < 2000, "the answer to {shown} repeats too much of it");
        let after = connection.post_json(path, good.to_string().as_bytes()).await.unwrap();
        assert_eq!(after.status, 200, "after {shown}: {}", String::from_utf8_lossy(&after.body));
    }
}

#[tokio::test]
async fn bad_check_request_is_told_where_and_why() {
    let bad = |at: &str, to: Value| with(good_check(), at, to).to_string().into_bytes();
    let action = "/resources/0/actions";
    let names = |n: usize| (0..n).map(|i| json!(format!("n{i}"))).collect::<Value>();
    let resources = |n: usize| vec![good_check()["resources"][0].clone(); n].into();
    let nested = |n: usize| (0..n).fold(json!(1), |inner, _| json!({ "a": inner }));
    let brackets = format!(r#"{{"principal":{}"#, "[".repeat(100_000)).into_bytes();
    let twice = br#"{"principal":{"id":"a","id":"b"}}"#.to_vec();
    let attr_twice =
        br#"{"principal":{"id":"a","roles":["r"],"attr":{"x":1,"x":2}},"resources":[]}"#.to_vec();
    let cases: Vec<(Vec<u8>, &[&str])> = vec![
        (b"".to_vec(), &["`$`", "empty"]),
        (b"{".to_vec(), &["`$`", "EOF"]),
        (b"nonsense".to_vec(), &["`$`", "line 1 column 2"]),
        (b"[]".to_vec(), &["`$`", "expected an object"]),
        (b"null".to_vec(), &["`$`", "expected an object"]),
        (b"{} {}".to_vec(), &["`$`", "trailing characters"]),
        (b"{}".to_vec(), &["`principal`", "required"]),
        (b"{\"principal\":{\"id\":\"\xff\"}}".to_vec(), &["`principal.id`", "unicode"]),
        (brackets, &["`principal`", "expected an object"]),
        (twice, &["`principal`", "duplicate field `id`"]),
        (attr_twice, &["`principal.attr`", "duplicate key `x`"]),
        (bad("/bogus", json!(1)), &["unknown field `bogus`"]),
        (bad("/principal/bogus", json!(1)), &["`principal", "unknown field `bogus`"]),
        (bad("/resources/0/resource/bogus", json!(1)), &["`resources[0].resource", "unknown field `bogus`"]),
        (bad("/principal", Value::Null), &["`principal`", "required"]),
        (bad("/principal", json!(["alice", ["user"]])), &["`principal`", "expected an object"]),
        (bad("/principal/id", json!(5)), &["`principal.id`", "expected a string"]),
        (bad("/principal/id", json!("")), &["`principal.id`", "required"]),
        (bad("/principal/id", json!("x".repeat(4097))), &["`principal.id`", "4097", "4096"]),
        (bad("/principal/roles", json!("user")), &["`principal.roles`", "expected a list"]),
        (bad("/principal/roles", json!([])), &["`principal.roles`", "at least one"]),
        (bad("/principal/roles", json!(["a", "b", "a"])), &["`principal.roles[2]`", "twice"]),
        (bad("/principal/roles", json!([""])), &["`principal.roles[0]`", "required"]),
        (bad("/principal/roles", names(501)), &["`principal.roles`", "501", "500"]),
        (bad("/principal/attr", json!([])), &["`principal.attr`", "expected an object"]),
        (bad("/principal/attr", nested(40)), &["`principal.attr.a.a", "deeper than 32"]),
        (bad("/principal/policyVersion", json!("v 1")), &["`principal.policyVersion`", "letters"]),
        (bad("/principal/scope", json!("a..b")), &["`principal.scope`", "segments"]),
        (bad("/resources", json!({})), &["`resources`", "expected a list"]),
        (bad("/resources", json!([])), &["`resources`", "at least one"]),
        (bad("/resources", json!([1])), &["`resources[0]`", "expected an object"]),
        (bad("/resources", resources(51)), &["`resources`", "51", "50"]),
        (bad("/resources", vec![json!({}); 50_000].into()), &["`resources`", "more than 1000"]),
        (bad("/resources/0/resource", Value::Null), &["`resources[0].resource`", "required"]),
        (bad("/resources/0/resource/kind", json!("")), &["`resources[0].resource.kind`", "required"]),
        (bad("/resources/0/resource/id", json!(true)), &["`resources[0].resource.id`", "expected a string"]),
        (bad("/resources/0/resource/scope", json!("acme.")), &["`resources[0].resource.scope`"]),
        (bad(action, json!([])), &["`resources[0].actions`", "at least one"]),
        (bad(action, json!(["a", "a"])), &["`resources[0].actions[1]`", "twice"]),
        (bad(action, json!(["a", ""])), &["`resources[0].actions[1]`", "required"]),
        (bad(action, names(51)), &["`resources[0].actions`", "51", "50"]),
        (bad(action, json!(["x".repeat(5000)])), &["`resources[0].actions[0]`", "5000", "4096"]),
        (bad("/includeMeta", json!("yes")), &["`includeMeta`", "boolean"]),
        (bad("/context", json!("here")), &["`context`", "expected an object"]),
        (
            bad("/auxData", json!({"jwt": {"token": "t"}, "jwts": {"a": {"token": "t"}}})),
            &["`auxData`", "only one"],
        ),
        (bad("/auxData", json!({"jwt": {"tokens": "t"}})), &["`auxData.jwt", "expected"]),
        (bad("/requestContext", json!({"annotations": 1})), &["`requestContext.annotations`"]),
    ];
    refused_then_served(CHECK, &good_check(), cases).await;
}

#[tokio::test]
async fn bad_number_is_refused() {
    let body = br#"{"principal":{"id":"a","roles":["r"],"attr":{"x":1e999}},"resources":[]}"#.to_vec();
    refused_then_served(CHECK, &good_check(), vec![(body, &["`principal.attr.x`", "out of range"])]).await;
}

#[tokio::test]
async fn error_of_the_check_api_has_the_shape_of_the_peer() {
    let server = TestServer::start().await;
    let response = server.connect().await.post_json(CHECK, b"{}").await.unwrap();
    let expected = json!({"code": 3, "message": "`principal`: a value is required", "details": []});
    assert_eq!(response.json().unwrap(), expected);
    assert_eq!(response.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn bad_evaluation_is_told_where_and_why() {
    let bad = |at: &str, to: Value| with(good_evaluation(), at, to).to_string().into_bytes();
    let properties = |name: &str, value: Value| bad("/subject/properties", json!({ name: value }));
    let cases: Vec<(Vec<u8>, &[&str])> = vec![
        (b"".to_vec(), &["empty"]),
        (br#"{"subject": {"type": "user", "id": "#.to_vec(), &["subject.id", "EOF"]),
        (bad("/subject", json!("alice")), &["`subject`", "expected an object"]),
        (bad("/subject", Value::Null), &["`subject`", "required"]),
        (bad("/action", json!({})), &["`action.name`", "required"]),
        (bad("/action/name", json!(7)), &["`action.name`", "expected a string"]),
        (bad("/resource", json!({"id": "r"})), &["`resource.type`", "required"]),
        (bad("/resource", json!({"type": "r"})), &["`resource.id`", "required"]),
        (bad("/context", json!([])), &["`context`", "expected an object"]),
        (bad("/context", json!({"cerbos.includeMeta": "yes"})), &["`context.cerbos.includeMeta`"]),
        (bad("/context", json!({"cerbos.requestId": 1})), &["`context.cerbos.requestId`"]),
        (properties("cerbos.roles", json!("user")), &["`subject.properties.cerbos.roles`", "list"]),
        (properties("cerbos.roles", json!([1])), &["`subject.properties.cerbos.roles`", "list of strings"]),
        (properties("cerbos.roles", json!([])), &["`subject.properties.cerbos.roles`", "at least one"]),
        (properties("cerbos.scope", json!("..")), &["`subject.properties.cerbos.scope`"]),
        (properties("cerbos.policyVersion", json!("a-b")), &["`subject.properties.cerbos.policyVersion`"]),
    ];
    refused_then_served(EVALUATION, &good_evaluation(), cases).await;
}

#[tokio::test]
async fn evaluation_that_is_not_declared_as_json_is_refused() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let body = good_evaluation().to_string();
    for (content_type, status) in
        [("text/plain", 400), ("application/json; charset=utf-8", 200), ("Application/JSON", 200)]
    {
        let headers = [("content-type", content_type)];
        let response = connection.send("POST", EVALUATION, &headers, body.as_bytes()).await.unwrap();
        assert_eq!(response.status, status, "{content_type}");
    }
}

#[tokio::test]
async fn evaluation_ignores_members_it_does_not_know() {
    let server = TestServer::start().await;
    let body = with(good_evaluation(), "/future", json!({"nested": [1, {"deep": true}]}));
    let body = with(body, "/subject/more", json!(1));
    let response = server.connect().await.post_json(EVALUATION, body.to_string().as_bytes()).await.unwrap();
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
}

#[tokio::test]
async fn configured_limits_hold() {
    let limits = RequestLimits {
        max_actions_per_resource: 1,
        max_resources_per_request: 1,
        ..RequestLimits::default()
    };
    let server = TestServer::with_limits(limits).await;
    let mut connection = server.connect().await;
    let response = connection.post_json(CHECK, good_check().to_string().as_bytes()).await.unwrap();
    assert_eq!(response.status, 400);
    assert!(
        String::from_utf8_lossy(&response.body).contains("`resources[0].actions`: 2 entries, the limit is 1")
    );
}

#[tokio::test]
async fn body_of_very_many_tiny_values_is_refused() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let many = format!("[{}0]", "[0],".repeat(100_000));
    for (path, good, member) in [
        (CHECK, good_check(), "/resources/0/resource/attr"),
        (EVALUATION, good_evaluation(), "/resource/properties"),
    ] {
        let body = with(good.clone(), &format!("{member}/many"), json!("@")).to_string();
        let response = connection.post_json(path, body.replace("\"@\"", &many).as_bytes()).await.unwrap();
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, 400, "{path}: {text}");
        assert!(text.contains("more than 200000 of `{`, `[`, `:` and `,`"), "{path}: {text}");

        let long_text = with(good, &format!("{member}/many"), json!(",[:{\"\\".repeat(100_000)));
        let response = connection.post_json(path, long_text.to_string().as_bytes()).await.unwrap();
        assert_eq!(response.status, 200, "{path}: {}", String::from_utf8_lossy(&response.body));
    }
}

#[tokio::test]
async fn query_that_can_match_nothing_is_refused_by_its_parameter() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for (path, parameter) in [
        ("/api/decisions?principal=%ff", "principal"),
        ("/api/decisions?action=view&resourceId=a%C3", "resourceId"),
        ("/api/decisions?principal=", "principal"),
        ("/api/decisions?resourceKind=", "resourceKind"),
        ("/api/decisions?resourceId=", "resourceId"),
        ("/api/decisions?action=", "action"),
        ("/api/decisions?callId", "callId"),
        ("/api/decisions/%ff", "id"),
        ("/api/decisions/%ff/1", "id"),
    ] {
        let response = connection.get(path).await.unwrap();
        assert_eq!(response.status, 400, "{path}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "{path}");
        let detail = response.json().unwrap()["detail"].to_string();
        assert!(detail.contains(&format!("`{parameter}`: ")), "{path}: {detail}");
    }
    assert_eq!(connection.get("/api/decisions?principal=%c3%a4%25").await.unwrap().status, 200);
}
