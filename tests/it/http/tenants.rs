//! What a caller that is bound to the tenant `acme` finds in the decision log.

use procura::pdp::Caller;
use procura_testkit::http::Connection;
use serde_json::Value;

use super::tls::Site;

/// The scopes of recorded calls, and whether the caller sees them.
const CALLS: [(&[&str], bool); 9] = [
    (&["acme"], true),
    (&["umbrella"], false),
    (&["acme.hr"], true),
    (&["acme", "acme.hr"], true),
    (&["acme", "umbrella"], false),
    (&["acme", ""], false),
    (&[""], false),
    (&["."], false),
    (&["acmes"], false),
];

async fn get(connection: &mut Connection, path: &str) -> (u16, Vec<u8>) {
    let response = connection.get(path).await.unwrap();
    (response.status, response.body)
}

async fn json(connection: &mut Connection, path: &str) -> Value {
    let (status, body) = get(connection, path).await;
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bound_caller_sees_exactly_the_calls_that_are_about_nothing_but_its_tenants() {
    let site = Site::start().await;
    let mut calls = Vec::new();
    for (scopes, is_seen) in CALLS {
        calls.push((site.server.decide(&Caller::unknown(None), scopes).await, is_seen));
    }
    let mut connection = site.connect(&site.workload()).await.unwrap();
    let seen = calls.iter().rev().filter(|(_, is_seen)| *is_seen);
    let expected: Vec<&str> = seen.map(|(id, _)| id.as_str()).collect();

    for query in ["", "?limit=500", "?filter=action==%22view%22%20||%20kind!=%22x%22"] {
        let page = json(&mut connection, &format!("/api/decisions{query}")).await;
        let found = page["decisions"].as_array().unwrap().iter();
        let found: Vec<_> = found.map(|found| found["record"]["call"]["id"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{query}");
    }
    for nothing in ["?tenant=umbrella", "?kind=policy_change", "?filter=tenant==%22%22"] {
        let page = json(&mut connection, &format!("/api/decisions{nothing}")).await;
        assert_eq!(page["decisions"], Value::Array(Vec::new()), "{nothing}");
    }
    let stats = json(&mut connection, "/api/decisions/stats?by=tenant").await;
    assert_eq!((&stats["total"], &stats["groupCount"]), (&4.into(), &1.into()), "{stats}");
    let (_, lines) = get(&mut connection, "/admin/auditlog/list/KIND_DECISION?tail=100").await;
    let lines = String::from_utf8(lines).unwrap();
    let listed: Vec<&str> = expected.iter().copied().filter(|id| lines.contains(id)).collect();
    assert_eq!((listed, lines.lines().count()), (expected, 3), "{lines}");

    let unknown = get(&mut connection, "/api/decisions/01a20123-ab0b-7f8d-a49e-eb04e5eb4399").await;
    assert_eq!(unknown.0, 404);
    for (id, is_seen) in &calls {
        for path in [format!("/api/decisions/{id}"), format!("/api/decisions/{id}/1")] {
            let answer = get(&mut connection, &path).await;
            assert!(if *is_seen { answer.0 == 200 } else { answer == unknown }, "{path}");
        }
        let lookup = format!("/admin/auditlog/list/KIND_DECISION?lookup={id}");
        assert_eq!(!get(&mut connection, &lookup).await.1.is_empty(), *is_seen, "{id}");
    }
}
