//! `/api/facts`: facts that operators state, withdraw and see.

use std::sync::Arc;
use std::time::Duration;

use procura::audit::DirFiles;
use procura::facts::{Limits, Store};
use procura::pdp::webhooks::{
    FactOffice, Mapping, MappingText, OPERATOR, Sender, Signature, SignatureSettings, Webhook,
};
use procura::pdp::{Intake, IntakeParts, Quarantines, SourceKind, SourceSettings};
use procura::pip::{TokenSettings, Verifier};
use procura::ports::{Clock, DecisionLog};
use procura::telemetry::Metrics;
use procura_core::model::EntityKind;
use procura_core::policy::Glob;
use procura_core::signal::Entitlement;
use procura_testkit::http::Connection;
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

use super::TestServer;
use super::tls::Site;

/// Most facts of a server, and most about one thing.
const LIMIT: usize = 40;

/// Most facts about one thing.
const ABOUT_ONE: usize = 20;

/// The secret of the webhook `tickets`.
pub(super) const SECRET: &str = "0123456789abcdef";

/// What it says: the facts in its body, and the name of the event, if there is one.
const FACTS: &str = "body.?facts.orValue([])";

/// Facts below `directory`, with the operators and the webhooks `tickets`, which signs, and `ci`, a caller.
pub(super) fn office(
    directory: &TempDir,
    log: Arc<dyn DecisionLog>,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
) -> FactOffice {
    let files = Arc::new(DirFiles::open(&directory.path().join("facts")).unwrap());
    let limits = Limits { facts: LIMIT, about_one: ABOUT_ONE, ..Limits::default() };
    let verifier =
        Verifier::start(&TokenSettings::default(), Arc::clone(clock), Arc::clone(metrics)).unwrap();
    let parts = IntakeParts {
        store: Arc::new(Store::open(files, limits).unwrap()),
        verifier: Arc::new(verifier),
        quarantine: Arc::new(Quarantines::default()),
        log: Some(log),
        masking: None,
        clock: Arc::clone(clock),
        metrics: Arc::clone(metrics),
    };
    let tickets = Entitlement {
        names: Some(vec![Glob::parse("ticket-*").unwrap()]),
        kinds: Some(vec![EntityKind::Resource, EntityKind::Principal]),
        tenants: None,
    };
    let source = |name: &str, kind, entitlement| SourceSettings {
        name: name.to_owned(),
        kind,
        entitlement,
        max_rate: 10_000,
        max_silence: Some(Duration::from_secs(3600)),
    };
    let sources = vec![
        source(OPERATOR, SourceKind::Operator, Entitlement::default()),
        source("tickets", SourceKind::Webhook, tickets),
        source("ci", SourceKind::Webhook, Entitlement::default()),
    ];
    let signature = SignatureSettings {
        header: "x-hub-signature-256".to_owned(),
        prefix: "sha256=".to_owned(),
        secrets: vec![SECRET.to_owned()],
        sent: None,
        signed: None,
    };
    let mapping = |name: &str| {
        let text = MappingText { when: None, facts: FACTS.to_owned(), id: None };
        Mapping::compile(name, &text).unwrap()
    };
    let webhook = |name: &str, sender| Webhook { name: name.to_owned(), sender, mapping: mapping(name) };
    let webhooks = vec![
        webhook("tickets", Sender::Signed(Signature::new(signature).unwrap())),
        webhook("ci", Sender::Caller("spiffe://acme.org/ns/prod/billing".to_owned())),
    ];
    FactOffice::new(Arc::new(Intake::new(parts, sources)), Arc::clone(clock), webhooks)
}

pub(super) async fn send(
    connection: &mut Connection,
    method: &str,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers = [("content-type", "application/json")];
    let response = connection.send(method, path, &headers, body.as_bytes()).await.unwrap();
    (response.status, response.json().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_is_there_from_its_answer_until_it_is_withdrawn_and_both_are_recorded() {
    let server = TestServer::start().await;
    let mut operator = server.connect().await;
    let (path, body) = ("/api/facts/principal/ada%20l/on-call", json!({"data": {"shift": "night"}}));
    let (status, stated) = send(&mut operator, "PUT", path, &body).await;
    assert_eq!(status, 200, "{stated}");
    let fact = &stated["facts"][0];
    assert_eq!(fact["subject"], json!({"principal": "ada l"}));
    let about = (&fact["type"], &fact["source"], &fact["data"], &fact["inForce"]);
    assert_eq!(about, (&json!("on-call"), &json!("operator"), &json!({"shift": "night"}), &json!(true)));

    // The same since the same instant changes nothing: it is the same event, and not recorded.
    let since = json!({"data": {"shift": "night"}, "at": fact["at"]});
    let (status, again) = send(&mut operator, "PUT", path, &since).await;
    assert_eq!((status, &again["facts"][0]["id"]), (200, &fact["id"]));
    let (_, other) = send(&mut operator, "PUT", path, &json!({"data": {"shift": "day"}})).await;
    assert_ne!(other["facts"][0]["id"], fact["id"]);
    let (_, listed) =
        send(&mut operator, "GET", "/api/facts?principal=ada%20l&principal=bob", &Value::Null).await;
    assert_eq!(listed["facts"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["facts"][0]["data"], json!({"shift": "day"}));

    assert_eq!(send(&mut operator, "DELETE", path, &Value::Null).await.0, 200);
    assert_eq!(send(&mut operator, "DELETE", path, &Value::Null).await.0, 404);
    let (_, listed) = send(&mut operator, "GET", "/api/facts?principal=ada%20l", &Value::Null).await;
    assert_eq!(listed, json!({"facts": []}));
    let (_, page) = send(&mut operator, "GET", "/api/decisions?kind=signal", &Value::Null).await;
    let records: Vec<_> =
        page["decisions"].as_array().unwrap().iter().map(|found| &found["record"]).collect();
    assert_eq!(records.len(), 3, "{page}");
    assert!(records.iter().all(|record| record["source"] == "operator" && record["via"] == "api"), "{page}");
    assert!(
        records[0]["facts"][0]["data"].is_null() && records[0]["caller"]["address"].is_string(),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_about_a_resource_and_those_that_standards_name_have_their_place() {
    let server = TestServer::start().await;
    let mut operator = server.connect().await;
    let (status, stated) =
        send(&mut operator, "PUT", "/api/facts/resource/album/a%2F1/locked", &Value::Null).await;
    assert_eq!(
        (status, &stated["facts"][0]["subject"]),
        (200, &json!({"resource": {"kind": "album", "id": "a/1"}}))
    );
    let (_, listed) = send(&mut operator, "GET", "/api/facts?resource=album%0Aa%2F1", &Value::Null).await;
    assert_eq!(listed["facts"][0]["data"], json!({}));

    // Names of one state take each other's place.
    for name in ["account-disabled", "account-enabled"] {
        let path = format!("/api/facts/principal/ada/{name}");
        let (_, stated) = send(&mut operator, "PUT", &path, &Value::Null).await;
        assert_eq!(stated["facts"][0]["slot"], "account", "{stated}");
    }
    let (_, listed) = send(&mut operator, "GET", "/api/facts?principal=ada", &Value::Null).await;
    assert_eq!(listed["facts"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["facts"][0]["type"], "account-enabled");
    assert_eq!(
        send(&mut operator, "DELETE", "/api/facts/principal/ada/account-disabled", &Value::Null).await.0,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_fact_is_refused_with_its_member() {
    let server = TestServer::start().await;
    let mut operator = server.connect().await;
    let long = "x".repeat(129);
    let deep = (0..20).fold(json!(1), |inner, _| json!([inner]));
    for (path, body, member) in [
        ("principal/ada/a%20b", json!({}), "`name`"),
        (&*format!("principal/ada/{long}"), json!({}), "`name`"),
        ("person/ada/x", json!({}), "`kind`"),
        ("resource/ada/x", json!({}), "`kind`"),
        ("token/ada/x", json!({}), "`kind`"),
        ("principal/a%0Ab/x", json!({}), "`id`"),
        ("principal/ada/x", json!([]), "`$`"),
        ("principal/ada/x", json!({"until": 1}), "`until`"),
        ("principal/ada/x", json!({"at": "yesterday"}), "`at`"),
        ("principal/ada/x", json!({"at": "2999-01-01T00:00:00Z"}), "`at`"),
        ("principal/ada/x", json!({"at": "2001-01-01T00:00:00Z", "expires": "2999-01-01T00:00:00Z"}), "`at`"),
        ("principal/ada/x", json!({"expires": "2001-01-01T00:00:00Z"}), "`expires`"),
        ("principal/ada/x", json!({"data": deep}), "`data`"),
        ("principal/ada/x", json!({"data": "x".repeat(17_000)}), "`data`"),
        ("principal/ada/credential-compromise", json!({}), "`data`"),
    ] {
        let (status, problem) = send(&mut operator, "PUT", &format!("/api/facts/{path}"), &body).await;
        assert_eq!(status, 400, "{path} {body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(member), "{path} {body}: {problem}");
    }
    for query in ["", "?person=ada", "?principal=", "?resource=album", "?principal=%ff"] {
        assert_eq!(
            send(&mut operator, "GET", &format!("/api/facts{query}"), &Value::Null).await.0,
            400,
            "{query}"
        );
    }
    let (_, status) = send(&mut operator, "GET", "/api/signals", &Value::Null).await;
    assert_eq!(status["facts"], json!({"held": 0, "limit": LIMIT}));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_clear_answer_where_there_is_no_room() {
    let server = TestServer::start().await;
    let mut operator = server.connect().await;
    let mut answers = Vec::new();
    for number in 0..=ABOUT_ONE {
        let path = format!("/api/facts/principal/ada/fact-{number}");
        answers.push(send(&mut operator, "PUT", &path, &Value::Null).await);
    }
    let (last, taken) = answers.split_last().unwrap();
    assert!(taken.iter().all(|(status, _)| *status == 200), "{answers:?}");
    assert_eq!((last.0, &last.1["code"]), (507, &json!("facts_full")), "{last:?}");
    for number in 0..LIMIT - ABOUT_ONE {
        let path = format!("/api/facts/principal/bob-{number}/x");
        assert_eq!(send(&mut operator, "PUT", &path, &Value::Null).await.0, 200);
    }
    let (status, full) = send(&mut operator, "PUT", "/api/facts/principal/eve/x", &Value::Null).await;
    assert_eq!((status, &full["code"]), (507, &json!("facts_full")), "{full}");
    let again = send(&mut operator, "PUT", "/api/facts/principal/bob-1/x", &json!({"data": 1})).await;
    assert_eq!(again.0, 200, "what is there can change: {}", again.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn for_a_caller_that_is_bound_to_tenants_there_are_the_facts_of_these() {
    let site = Site::start().await;
    let mut bound = site.connect(&site.workload()).await.unwrap();
    let (status, stated) = send(&mut bound, "PUT", "/api/facts/principal/ada/on-call", &Value::Null).await;
    assert_eq!(
        (status, &stated["facts"][0]["subject"]),
        (200, &json!({"principal": "ada", "tenant": "acme"}))
    );
    let (status, stated) = send(&mut bound, "PUT", "/api/facts/tenant/umbrella/closed", &Value::Null).await;
    assert_eq!((status, stated), (200, json!({"facts": []})), "it may not speak of others");

    let office = &site.server.office;
    let free = procura::pdp::Caller::unknown(None);
    let said = |name: &str| {
        let subject = procura_core::model::Subject::new(vec![procura_core::model::Entity::new(
            EntityKind::Principal,
            "ada",
        )]);
        let rest = procura_core::value::Map::default();
        procura::pdp::webhooks::Assertion::rest("", name.to_owned(), subject.unwrap(), rest).unwrap()
    };
    office.state(&free, &said("of-all")).await.unwrap();
    let (_, listed) = send(&mut bound, "GET", "/api/facts?principal=ada", &Value::Null).await;
    assert_eq!(listed["facts"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(send(&mut bound, "DELETE", "/api/facts/principal/ada/of-all", &Value::Null).await.0, 404);
    let (_, status) = send(&mut bound, "GET", "/api/signals", &Value::Null).await;
    assert_eq!(status["sources"], json!([]), "no source is of its tenants alone");
    assert_eq!(send(&mut bound, "DELETE", "/api/facts/principal/ada/on-call", &Value::Null).await.0, 200);
}

/// What an operator says again without an instant is true since then: a bug had answered with the fact of the first time.
#[tokio::test(flavor = "multi_thread")]
async fn revoking_again_ends_sessions_that_began_in_between() {
    let server = TestServer::start().await;
    let mut operator = server.connect().await;
    let path = "/api/facts/principal/alice/session-revoked";
    let (_, first) = send(&mut operator, "PUT", path, &json!({})).await;
    let (_, again) = send(&mut operator, "PUT", path, &json!({})).await;
    let [first, again] = [first, again].map(|answer| answer["facts"][0]["at"].as_str().unwrap().to_owned());
    assert!(again > first, "{again} is not after {first}");
    let (_, held) = send(&mut operator, "GET", "/api/facts?principal=alice", &Value::Null).await;
    assert_eq!((&held["facts"][0]["at"], held["facts"].as_array().unwrap().len()), (&json!(again), 1));
}
