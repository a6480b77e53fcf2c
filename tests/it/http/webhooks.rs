//! `POST /api/signals/webhooks/{source}`: who may send, what becomes of what is sent, and what is recorded of it.

use procura_testkit::http::Connection;
use procura_testkit::issuer::webhook_signature;
use serde_json::{Value, json};

use super::facts::{SECRET, send};
use super::tls::Site;
use super::{CHECK, TestServer};

const TICKETS: &str = "/api/signals/webhooks/tickets";

async fn post(connection: &mut Connection, path: &str, signature: &str, body: &str) -> (u16, Value) {
    let headers = [("content-type", "application/json"), ("x-hub-signature-256", signature)];
    let response = connection.send("POST", path, &headers, body.as_bytes()).await.unwrap();
    (response.status, response.json().unwrap_or_default())
}

async fn post_signed(connection: &mut Connection, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let signature = format!("sha256={}", webhook_signature(SECRET, body.as_bytes()));
    post(connection, TICKETS, &signature, &body).await
}

/// The records of this kind, newest first.
async fn records(connection: &mut Connection, kind: &str) -> Vec<Value> {
    let path = format!("/api/decisions?limit=500&kind={kind}");
    let (_, page) = send(connection, "GET", &path, &Value::Null).await;
    page["decisions"].as_array().unwrap().iter().map(|found| found["record"].clone()).collect()
}

/// The records of refusals, of which nobody is told when they are written: what is recorded after them is waited for.
async fn refusals(connection: &mut Connection) -> Vec<Value> {
    let path = "/api/facts/principal/nobody/after";
    assert_eq!(send(connection, "PUT", path, &Value::Null).await.0, 200);
    records(connection, "signals_refused").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_source_states_is_true_from_its_answer_on_and_once() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let fact = json!({"type": "ticket-open", "subject": {"resource": {"kind": "album", "id": "a1"}}, "data": {"key": "T-1"}});
    let body = json!({"facts": [fact]});
    let (status, taken) = post_signed(&mut connection, &body).await;
    assert_eq!((status, &taken["became"]), (200, &json!("changed")), "{taken}");
    let (_, again) = post_signed(&mut connection, &body).await;
    assert_eq!(again, json!({"id": taken["id"], "became": "repeated"}));
    let (_, listed) = send(&mut connection, "GET", "/api/facts?resource=album%0Aa1", &Value::Null).await;
    assert_eq!(
        (&listed["facts"][0]["source"], &listed["facts"][0]["data"]),
        (&json!("tickets"), &json!({"key": "T-1"}))
    );
    let records = records(&mut connection, "signal").await;
    assert_eq!(records.len(), 1);
    assert_eq!((&records[0]["via"], &records[0]["events"]), (&json!("webhook"), &json!(["ticket-open"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_source_may_not_state_is_recorded_and_changes_nothing() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for (facts, why) in [
        (json!([{"type": "account-disabled", "subject": {"principal": "alice"}}]), "not_entitled"),
        (json!([{"type": "ticket-open", "subject": {"session": "s"}}]), "not_entitled"),
        (json!([{"type": "ticket-open", "subject": {"principal": "alice", "session": "s"}}]), "not_entitled"),
        (json!([]), "no_fact"),
    ] {
        let (status, taken) = post_signed(&mut connection, &json!({"facts": facts})).await;
        assert_eq!(
            (status, &taken["became"], &taken["ignored"]),
            (200, &json!("ignored"), &json!(why)),
            "{facts}"
        );
    }
    assert_eq!(server.office.store().count(), 0);
    assert_eq!(records(&mut connection, "signal").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_nothing_good_learns_nothing_and_changes_nothing() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let body = json!({"facts": [{"type": "ticket-open", "subject": {"principal": "alice"}}]}).to_string();
    let good = format!("sha256={}", webhook_signature(SECRET, body.as_bytes()));
    let forged = format!("sha256={}", webhook_signature("another secret of some length", body.as_bytes()));
    let nowhere = post(&mut connection, "/api/signals/webhooks/nowhere", &good, &body).await;
    assert_eq!(nowhere.0, 401, "{}", nowhere.1);
    for (path, signature, body) in [
        (TICKETS, &*forged, &*body),
        (TICKETS, "", &*body),
        (TICKETS, "sha256=", &*body),
        (TICKETS, &*good, "{}"),
        ("/api/signals/webhooks/ci", &*good, &*body),
        ("/api/signals/webhooks/operator", &*good, &*body),
    ] {
        assert_eq!(post(&mut connection, path, signature, body).await, nowhere, "{path} {signature}");
    }
    assert_eq!(server.office.store().count(), 0);
    let refused = refusals(&mut connection).await;
    assert_eq!(refused.len(), 5, "{refused:?}");
    assert!(
        refused.iter().all(|record| record["refused"] == json!({"authentication_failed": 1})),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_webhooks_at_full_speed_cannot_fill_the_log() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for number in 0..200 {
        assert_eq!(post(&mut connection, TICKETS, "sha256=00", &number.to_string()).await.0, 401);
    }
    server.office.intake().close();
    let refused = refusals(&mut connection).await;
    let counted: u64 =
        refused.iter().filter_map(|record| record["refused"]["authentication_failed"].as_u64()).sum();
    assert_eq!(counted, 200, "{refused:?}");
    assert!(refused.len() <= 40, "{} records", refused.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn body_that_is_not_what_the_mapping_is_made_for_is_refused_and_recorded() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    for (body, part) in [
        (json!({"facts": "x"}), "`facts`"),
        (json!({"facts": [{"type": "ticket-open"}]}), "`facts[0].subject`"),
        (
            json!({"facts": [{"type": "ticket-open", "subject": {"principal": "a"}, "at": "2999-01-01T00:00:00Z"}]}),
            "future",
        ),
        (json!("text"), "`facts`"),
    ] {
        let (status, problem) = post_signed(&mut connection, &body).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")), "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{body}: {problem}");
    }
    let refused = refusals(&mut connection).await;
    assert!(refused.iter().all(|record| record["refused"] == json!({"invalid_request": 1})), "{refused:?}");
    assert_eq!(refused.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn source_may_be_a_caller_and_only_that_one() {
    let site = Site::start().await;
    let body = json!({"facts": [{"type": "deployed", "subject": {"application": "shop"}}]}).to_string();
    let mut caller = site.connect(&site.workload()).await.unwrap();
    let mut other = site.connect(&site.operator()).await.unwrap();
    let path = "/api/signals/webhooks/ci";
    assert_eq!(post(&mut other, path, "", &body).await.0, 401);
    let (status, taken) = post(&mut caller, path, "", &body).await;
    assert_eq!((status, &taken["became"]), (200, &json!("changed")), "{taken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn decision_after_the_answer_knows_what_was_stated() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let effect = async |connection: &mut Connection| {
        let answer = connection.post_json(CHECK, super::good_check().to_string().as_bytes()).await.unwrap();
        answer.json().unwrap()["results"][0]["actions"]["view"].clone()
    };
    assert_eq!(effect(&mut connection).await, "EFFECT_ALLOW");
    let path = "/api/facts/principal/alice/account-disabled";
    assert_eq!(send(&mut connection, "PUT", path, &Value::Null).await.0, 200);
    assert_eq!(effect(&mut connection).await, "EFFECT_DENY");
    assert_eq!(send(&mut connection, "DELETE", path, &Value::Null).await.0, 200);
    assert_eq!(effect(&mut connection).await, "EFFECT_ALLOW");
}
