//! Quarantine over HTTP: begun, listed, lifted, recorded, and what had relied on it.

use procura::pdp::Caller;
use procura::ports::{Identity, Method, Origin, Quarantine};
use procura_testkit::http::Response;
use serde_json::{Value, json};

use super::{TestServer, with};

async fn send(server: &TestServer, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let json = [("content-type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let response: Response = server.connect().await.send(method, path, &json, body.as_bytes()).await.unwrap();
    (response.status, response.json().unwrap_or_default())
}

fn is_refused(server: &TestServer, issuer: &str) -> bool {
    server.quarantine.quarantines().is_quarantined(&Origin { issuer: Some(issuer), ..Origin::default() })
}

#[tokio::test]
async fn quarantine_counts_from_its_answer_until_it_is_lifted_and_both_are_recorded() {
    let server = TestServer::start().await;
    let epoch = server.quarantine.quarantines().epoch();
    let body = json!({"issuer": "https://id.example", "reason": "its key was stolen"});
    let (status, begun) = send(&server, "PUT", "/admin/quarantine/one", &body).await;
    assert_eq!(status, 200, "{begun}");
    assert!(is_refused(&server, "https://id.example") && !is_refused(&server, "https://other.example"));
    assert!(server.quarantine.quarantines().epoch() > epoch);

    // The same again changes nothing, something else under the same id is refused.
    assert_eq!(send(&server, "PUT", "/admin/quarantine/one", &body).await, (200, begun.clone()));
    let other = with(body.clone(), "/reason", json!("other"));
    assert_eq!(send(&server, "PUT", "/admin/quarantine/one", &other).await.0, 409);
    assert_eq!(send(&server, "GET", "/admin/quarantine/one", &Value::Null).await, (200, begun.clone()));
    let listed = send(&server, "GET", "/admin/quarantine", &Value::Null).await;
    assert_eq!(listed, (200, json!({"quarantines": [begun]})));

    assert_eq!(send(&server, "DELETE", "/admin/quarantine/one", &Value::Null).await, (200, begun));
    assert!(!is_refused(&server, "https://id.example"));
    for method in ["GET", "DELETE"] {
        assert_eq!(send(&server, method, "/admin/quarantine/one", &Value::Null).await.0, 404, "{method}");
    }
    let (_, page) = send(&server, "GET", "/api/decisions?kind=quarantine", &Value::Null).await;
    let events: Vec<_> = page["decisions"].as_array().unwrap().iter().map(|found| &found["record"]).collect();
    assert_eq!(events.len(), 2, "{page}");
    for (record, event) in events.iter().zip(["lifted", "begun"]) {
        assert_eq!((&record["event"], &record["issuer"]), (&json!(event), &json!("https://id.example")));
        assert!(record["caller"]["address"].is_string(), "{record}");
    }
}

#[tokio::test]
async fn quarantine_that_makes_no_sense_is_refused_with_its_member() {
    let server = TestServer::start().await;
    let good = json!({"issuer": "i", "reason": "r"});
    let long = "x".repeat(1025);
    for (id, body, member) in [
        ("a%20b", good.clone(), "`id`"),
        (&*"i".repeat(65), good.clone(), "`id`"),
        ("one", json!({"reason": "r"}), "`issuer`"),
        ("one", json!({"issuer": "", "reason": "r"}), "`issuer`"),
        ("one", json!({"key": long, "reason": "r"}), "`key`"),
        ("one", json!({"keySet": "s"}), "`reason`"),
        ("one", with(good.clone(), "/since", json!("yesterday")), "`since`"),
        ("one", with(good.clone(), "/since", json!("2999-01-01T00:00:00Z")), "`since`"),
        ("one", with(good.clone(), "/until", json!("x")), "until"),
        ("one", json!([]), "$"),
    ] {
        let (status, problem) = send(&server, "PUT", &format!("/admin/quarantine/{id}"), &body).await;
        assert_eq!(status, 400, "{id} {body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(member), "{id} {body}: {problem}");
    }
    assert!(server.quarantine.quarantines().all().is_empty());
}

/// The callers of the recorded calls below: name, issuer and key.
const CALLERS: [[&str; 3]; 5] = [
    ["shop", "https://id.example", "k1"],
    ["desk", "https://id.example", "k2"],
    ["mesh", "mesh.example", "k1"],
    ["job", "", "k1"],
    ["", "", ""],
];

#[tokio::test]
async fn affected_lists_exactly_what_had_relied_on_it_since_it_is_suspect() {
    let server = TestServer::start().await;
    for caller in CALLERS.iter().cycle().take(23) {
        server.decide(&identified(caller), &[""]).await;
    }
    let (_, all) = send(&server, "GET", "/api/decisions?limit=500", &Value::Null).await;
    let all: Vec<&Value> = all["decisions"].as_array().unwrap().iter().collect();
    let middle = all[10]["record"]["at"].as_str().unwrap();
    for (number, (suspect, since)) in [
        (json!({"issuer": "https://id.example"}), None),
        (json!({"issuer": "https://id.example"}), Some(middle)),
        (json!({"key": "k1"}), None),
        (json!({"issuer": "mesh.example", "key": "k1"}), None),
        (json!({"issuer": "mesh.example", "key": "k2"}), None),
        (json!({"keySet": "staff"}), None),
        (json!({"keySet": "https://id.example"}), None),
        (json!({"keySet": "mesh.example"}), None),
    ]
    .into_iter()
    .enumerate()
    {
        let since = since.unwrap_or("2020-01-01T00:00:00Z");
        let mut body = json!({"reason": "r", "since": since});
        body.as_object_mut().unwrap().extend(suspect.as_object().unwrap().clone());
        assert_eq!(send(&server, "PUT", &format!("/admin/quarantine/{number}"), &body).await.0, 200);
        let relied = |found: &&&Value| {
            let caller = &found["record"]["call"]["caller"];
            found["record"]["at"].as_str().unwrap() >= since
                && suspect.as_object().unwrap().iter().all(|(member, value)| match member.as_str() {
                    "keySet" => caller["method"] == "token" && &caller["issuer"] == value,
                    member => &caller[member] == value,
                })
        };
        let expected: Vec<_> = all.iter().filter(relied).map(|found| found["seq"].clone()).collect();
        let (mut listed, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/admin/quarantine/{number}/affected?limit=3{cursor}");
            let (status, page) = send(&server, "GET", &path, &Value::Null).await;
            assert_eq!(status, 200, "{page}");
            listed.extend(page["decisions"].as_array().unwrap().iter().map(|found| found["seq"].clone()));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(listed, expected, "{suspect} since {since}");
    }
}

fn identified([name, issuer, key]: &[&str; 3]) -> Caller {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    // The key set of an issuer whose tokens name callers has its name.
    let method = issuer.starts_with("https:").then_some(Method::Token);
    let (name, issuer, key) = (text(name), text(issuer), text(key));
    let identity = Identity { name, method, issuer, key, ..Identity::default() };
    Caller { identity: identity.into(), ..Caller::unknown(None) }
}
