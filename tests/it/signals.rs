//! Signals that reach a real server: what they change, what is refused, and what of both is recorded.

use std::path::Path;
use std::time::Duration;

use procura_testkit::http::{Connection, Response};
use procura_testkit::live::{AUTHORIZATION, House, STREAM, flood, kill, latency, linear, may_open, push};
use procura_testkit::transmitter;
use serde_json::{Value, json};

const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
const UPDATED: &str = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated";

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_procura"))
}

async fn house() -> House {
    House::open(binary(), |_| (), &[]).await.unwrap()
}

/// The code of a refusal as of RFC 8935, section 2.3.
fn refusal(answer: &Response) -> String {
    assert_eq!(answer.status, 400, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-language"), Some("en"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let told = answer.json().unwrap();
    assert!(!told["description"].as_str().unwrap().is_empty());
    told["err"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn pushed_event_counts_from_its_answer_on_is_recorded_and_outlives_a_kill() {
    let mut house = house().await;
    let mut connection = house.server.connect().await.unwrap();
    assert!(may_open(&mut connection, "alice", "s-1").await.unwrap());
    let set = house.revoked("alice", "s-1");
    for _ in 0..2 {
        let answer = push(&mut connection, &set).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (202, 0), "{}", String::from_utf8_lossy(&answer.body));
        assert!(!may_open(&mut connection, "alice", "s-1").await.unwrap());
    }
    for (user, session) in [("alice", "s-2"), ("bob", "s-1")] {
        assert!(may_open(&mut connection, user, session).await.unwrap(), "{user} in {session}");
    }
    let records = house.records("signal").await.unwrap();
    assert_eq!(records.len(), 1, "what comes again is recorded once: {records:?}");
    let record = &records[0];
    assert_eq!((&record["source"], &record["via"]), (&json!("idp"), &json!("push")), "{record}");
    assert_eq!(record["facts"][0]["type"], "session-revoked");
    assert_eq!(record["facts"][0]["subject"], json!({"principal": "alice", "session": "s-1"}));

    let ready = connection.get("/readyz").await.unwrap();
    assert!(String::from_utf8_lossy(&ready.body).contains("1 of 1000000 facts are held"));
    let metrics = String::from_utf8(connection.get("/metrics").await.unwrap().body).unwrap();
    for line in ["procura_signals_total{outcome=\"taken\",source=\"idp\"} 1", "procura_facts 1"] {
        assert!(metrics.contains(line), "{line}");
    }
    house.server.kill().await.unwrap();
    let again = house.start_again().await.unwrap();
    let mut connection = again.connect().await.unwrap();
    assert!(!may_open(&mut connection, "alice", "s-1").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_good_set_is_refused_with_the_code_of_the_standard_and_changes_nothing() {
    let house = house().await;
    let mut connection = house.server.connect().await.unwrap();
    let good = house.claims("session-revoked", &house.session("alice", "s-1"), &json!({}));
    let with = |member: &str, value: Value| {
        let mut claims = good.clone();
        claims[member] = value;
        house.transmitter.sign(&claims)
    };
    let header = |header: Value| house.transmitter.sign_as(&header, &good);
    let set = house.transmitter.sign(&good);
    let (signed, _) = set.rsplit_once('.').unwrap();
    let cases = [
        ("no SET", "x".to_owned(), "invalid_request"),
        ("too large", "x".repeat(70_000), "invalid_request"),
        ("unsigned", format!("{signed}."), "invalid_key"),
        ("forged", format!("{signed}.{}", "A".repeat(342)), "invalid_key"),
        ("another type", header(json!({"alg": "RS256", "kid": "first", "typ": "JWT"})), "invalid_request"),
        ("another issuer", with("iss", json!("https://elsewhere.test")), "invalid_issuer"),
        ("for somebody else", with("aud", json!("https://elsewhere.test")), "invalid_audience"),
        ("exp", with("exp", json!(4_000_000_000_u64)), "invalid_request"),
        ("sub", with("sub", json!("alice")), "invalid_request"),
        ("from the future", with("iat", json!(4_000_000_000_u64)), "invalid_request"),
        ("no subject", with("sub_id", json!({})), "invalid_request"),
        ("no events", with("events", json!({})), "invalid_request"),
    ];
    for (what, set, code) in &cases {
        let answer = push(&mut connection, set).await.unwrap();
        assert_eq!(refusal(&answer), *code, "{what}");
        assert!(may_open(&mut connection, "alice", "s-1").await.unwrap(), "{what}");
    }
    let unknown_key = header(json!({"alg": "RS256", "kid": "other", "typ": "secevent+jwt"}));
    let answer = push(&mut connection, &unknown_key).await.unwrap();
    let told = (answer.status, answer.header("retry-after"));
    assert_eq!(
        told,
        (503, Some("1")),
        "keys were fetched a moment ago: nobody knows yet whether there is a newer one"
    );
    let json = [("content-type", "application/json"), ("authorization", AUTHORIZATION)];
    let answer = connection.send("POST", STREAM, &json, set.as_bytes()).await.unwrap();
    assert_eq!(refusal(&answer), "invalid_request");
    assert_eq!(house.records("signal").await.unwrap().len(), 0);
    let refused = house.records("signals_refused").await.unwrap();
    assert_eq!(refused.len(), 10, "one by one, and the rest counted later: {refused:?}");
    assert!(!format!("{refused:?}").contains("alice"));
    assert_eq!(push(&mut connection, &set).await.unwrap().status, 202);
    assert!(!may_open(&mut connection, "alice", "s-1").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_whoever_shows_the_secret_of_the_stream_may_push_and_strangers_learn_nothing() {
    let house = house().await;
    let mut connection = house.server.connect().await.unwrap();
    let set = house.revoked("alice", "s-1");
    let shown =
        [None, Some("Bearer x"), Some("bearer the-secret-of-the-stream"), Some("the-secret-of-the-stream")];
    let relayed = ("x-forwarded-for", "10.1.2.3");
    let plain = [("content-type", "application/secevent+jwt"), relayed];
    let nowhere = connection.send("POST", "/api/signals/streams/none", &plain, set.as_bytes()).await.unwrap();
    assert_eq!(refusal(&nowhere), "authentication_failed");
    for shown in shown {
        for path in [STREAM, "/api/signals/streams/other"] {
            let mut headers = vec![("content-type", "application/secevent+jwt"), relayed];
            headers.extend(shown.map(|value| ("authorization", value)));
            let answer = connection.send("POST", path, &headers, set.as_bytes()).await.unwrap();
            let at = format!("{shown:?} at {path}");
            assert_eq!((answer.status, &answer.body), (400, &nowhere.body), "{at}");
        }
    }
    let secret = [("authorization", AUTHORIZATION), relayed];
    let other = connection.send("POST", "/api/signals/streams/other", &secret, set.as_bytes()).await.unwrap();
    assert_eq!((other.status, &other.body), (400, &nowhere.body), "the secret of another stream");
    let elsewhere = connection.send("GET", "/api/decisions", &secret, b"").await.unwrap();
    assert_eq!(elsewhere.status, 401, "the secret opens no other path");
    let headers = [("content-type", "application/secevent+jwt"), secret[0], relayed];
    assert!(may_open(&mut connection, "alice", "s-1").await.unwrap());
    let taken = connection.send("POST", STREAM, &headers, set.as_bytes()).await.unwrap();
    assert_eq!(taken.status, 202, "{}", String::from_utf8_lossy(&taken.body));
    assert!(!may_open(&mut connection, "alice", "s-1").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_about_the_stream_are_heard_and_state_nothing() {
    let house = house().await;
    let mut connection = house.server.connect().await.unwrap();
    let stream = json!({"format": "opaque", "id": "idp"});
    let about = |kind: &str, event: Value| house.transmitter.sign(&house.claims_of(kind, &stream, &event));
    let unasked = push(&mut connection, &about(VERIFICATION, json!({}))).await.unwrap();
    assert_eq!(unasked.status, 202, "{}", String::from_utf8_lossy(&unasked.body));
    let unknown =
        push(&mut connection, &about(VERIFICATION, json!({"state": "nobody asked"}))).await.unwrap();
    assert_eq!(refusal(&unknown), "invalid_state");
    let unheard = "https://example.test/event-type/unheard-of";
    let ignored = push(&mut connection, &about(unheard, json!({}))).await.unwrap();
    assert_eq!(ignored.status, 202);
    let records = house.records("signal").await.unwrap();
    let ignored: Vec<_> = records.iter().map(|record| record["ignored"].as_str().unwrap()).collect();
    assert_eq!(ignored, ["unknown_type", "no_fact"]);

    let paused = about(UPDATED, json!({"status": "paused", "reason": "upkeep"}));
    assert_eq!(push(&mut connection, &paused).await.unwrap().status, 202);
    let ready = connection.get("/readyz").await.unwrap();
    assert!(String::from_utf8_lossy(&ready.body).contains("`idp`: is paused by its transmitter"));
    assert_eq!(ready.status, 200, "decisions go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stream_may_not_state_is_recorded_and_changes_nothing() {
    let only_risk = |stream: &mut Value| stream["facts"] = json!(["risk-*"]);
    let house = House::open(binary(), only_risk, &[]).await.unwrap();
    let mut connection = house.server.connect().await.unwrap();
    assert_eq!(push(&mut connection, &house.revoked("alice", "s-1")).await.unwrap().status, 202);
    let saml = json!({"format": "ip-addresses", "ip-addresses": ["10.0.0.1"]});
    let risk = json!({"principal": "USER", "current_level": "HIGH"});
    let unknown = house.transmitter.sign(&house.claims("risk-level-change", &saml, &risk));
    assert_eq!(push(&mut connection, &unknown).await.unwrap().status, 202);
    assert!(may_open(&mut connection, "alice", "s-1").await.unwrap());
    let records = house.records("signal").await.unwrap();
    let ignored: Vec<_> = records.iter().map(|record| record["ignored"].as_str().unwrap()).collect();
    assert_eq!(ignored, ["unknown_subject", "not_entitled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_stream_is_told_by_readiness() {
    let soon = |stream: &mut Value| stream["maxSilence"] = json!("1s");
    let house = House::open(binary(), soon, &[]).await.unwrap();
    let mut connection = house.server.connect().await.unwrap();
    let told = async |connection: &mut Connection, text: &str| {
        let body = connection.get("/readyz").await.unwrap().body;
        String::from_utf8_lossy(&body).contains(text)
    };
    let wait = async {
        while !told(&mut connection, "has been silent for").await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("silence is never told");
    assert_eq!(push(&mut connection, &house.revoked("alice", "s-1")).await.unwrap().status, 202);
    assert!(told(&mut connection, "facts are held").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_key_of_the_transmitter_is_found_when_it_signs() {
    let house = house().await;
    let mut connection = house.server.connect().await.unwrap();
    let old = house.revoked("alice", "s-1");
    assert_eq!(push(&mut connection, &old).await.unwrap().status, 202);
    house.transmitter.rotate("RS256", "second");
    let new = house.revoked("alice", "s-2");
    let url = format!("http://{}{STREAM}", house.server.address());
    let wait = async {
        // Keys are not fetched more often than every few seconds.
        loop {
            let status = transmitter::push(&url, Some(AUTHORIZATION), &new).await.unwrap().status;
            if status == 202 {
                break;
            }
            assert_eq!(status, 503, "refused, it would not come again");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the new key is never found");
    assert!(!may_open(&mut connection, "alice", "s-2").await.unwrap());
}

/// Short form; `cargo run -p procura-testkit -- live linear` is the long one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_after_an_acknowledgement_sees_the_facts_before_it() {
    let outcome = linear::run(linear::Trial { binary: binary(), events: 60, callers: 4 }).await.unwrap();
    assert!(outcome.after > 100 && outcome.meanwhile > 50, "{outcome}");
}

/// Short form; `cargo run -p procura-testkit -- live latency` is the long one, which also holds the times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_part_of_the_way_of_a_signal_is_measured() {
    let outcome = latency::run(binary(), 30).await.unwrap();
    let parts: Vec<_> = outcome.parts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((outcome.signals.len(), parts), (30, vec!["verify", "record", "journal"]), "{outcome}");
    assert!(outcome.parts.iter().all(|(_, seconds)| *seconds > 0.0), "{outcome}");
}

/// Short form; `cargo run -p procura-testkit -- live flood` is the long one, which also holds the times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_signals_change_nothing_and_leave_few_records() {
    let time = Duration::from_secs(2);
    let outcome = flood::run(flood::Trial { binary: binary(), time, forgers: 16 }, |_, _| {}).await.unwrap();
    assert!(outcome.refused > 100 && outcome.shed > 20, "{outcome}");
    assert!(outcome.alone == 10 && outcome.counting <= 1, "{outcome}");
}

/// Short form; `cargo run -p procura-testkit -- live kill` is the long one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_server_holds_what_an_uninterrupted_one_would_and_nothing_twice() {
    let trial = kill::Trial { binary: binary(), events: 300, kills: 3, seed: 1 };
    let outcome = kill::run(trial, |_| ()).await.unwrap();
    assert_eq!((outcome.kills, outcome.acknowledged), (3, 300), "{outcome}");
    assert!(outcome.repeated > 5 && outcome.changes > 100, "{outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_when_nothing_is_heard_of_what_capabilities_demand() {
    let house = house().await;
    let mut connection = house.server.connect().await.unwrap();
    let mut signals = async |shown: &str| {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let ready = connection.get("/readyz").await.unwrap().body;
            if String::from_utf8_lossy(&ready).contains(shown) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{}", String::from_utf8_lossy(&ready));
        }
    };
    signals("0 of 1000000 facts are held").await;
    house.dir.write(
        "policies/doors.yaml",
        "apiVersion: procura.dev/v1\ncapabilities:\n  system: doors\n  entries:\n    - {resource: door, actions: [open], owner: \
         gate, risk: low, signals: [{type: device-compliance-change, maxAge: 1s}]}\n",
    );
    signals("capabilities demand `device-compliance-change`, and `idp` said nothing for too long").await;
}
