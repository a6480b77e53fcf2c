//! A server that is connected to a transmitter: what it hears changes its answers.

use std::process::Command;

use procura_testkit::server::{Server, ServerSpec};

use super::*;

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

const POLICY: &str = "apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - {actions: [view], roles: [user], effect: EFFECT_ALLOW}
";

/// What `server` answers to ada in this session.
async fn effect(server: &Server, session: &str) -> String {
    let call = json!({
        "principal": {"id": "ada", "roles": ["user"], "attr": {"sessionId": session}},
        "resources": [{"actions": ["view"], "resource": {"kind": "album", "id": "a1"}}],
    });
    let mut connection = server.connect().await.unwrap();
    let answer = connection.post_json("/api/check/resources", call.to_string().as_bytes()).await.unwrap();
    let answer = answer.json().unwrap();
    answer["results"][0]["actions"]["view"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// What `procura signals` prints.
fn signals(server: &Server, words: &[&str]) -> (bool, String) {
    let url = format!("http://{}", server.address());
    let output = Command::new(BINARY).arg("signals").args(words).args(["--server", &url]).output().unwrap();
    let text = [&*output.stdout, &*output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn revoke(transmitter: &Transmitter, id: &str, session: &str) -> String {
    let subject = json!({"format": "complex", "session": {"format": "opaque", "id": session}});
    transmitter.emit(id, REVOKED, &subject, &json!({"reason_admin": {"en": "stolen"}}))
}

async fn acknowledged(transmitter: &Transmitter, id: &str, jti: &str) {
    transmitter
        .until_stream(id, |stream| stream.acknowledged.iter().any(|known| known == jti))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn polled_events_change_answers_before_they_are_acknowledged_across_rotated_keys_and_kills() {
    let (transmitter, dir) = (Transmitter::start().await, TempDir::new("served"));
    transmitter.change(|state| state.configuration = json!({"aud": AUDIENCE}));
    dir.write("policies/album.yaml", POLICY);
    let stream = json!({
        "name": "idp", "issuer": transmitter.issuer(), "audiences": [AUDIENCE],
        "transmitter": {"create": true}, "poll": {},
    });
    dir.write("procura.yaml", json!({"signals": {"streams": [stream]}}).to_string());
    let (policies, data) = (dir.path().join("policies"), dir.path().join("data"));
    let config = format!("--config={}", dir.path().join("procura.yaml").display());
    let spec = ServerSpec::new(BINARY, &policies, &data).arg(config);
    let mut server = spec.start().await.unwrap();
    transmitter.until(|state| !state.streams.is_empty()).await.unwrap();
    let id = transmitter.only_stream().config["stream_id"].as_str().unwrap().to_owned();
    for round in 0..4 {
        let (revoked, other) = (format!("revoked-{round}"), format!("other-{round}"));
        assert_eq!(effect(&server, &revoked).await, "EFFECT_ALLOW");
        let jti = revoke(&transmitter, &id, &revoked);
        acknowledged(&transmitter, &id, &jti).await;
        assert_eq!(effect(&server, &revoked).await, "EFFECT_DENY", "{round}");
        assert_eq!(effect(&server, &other).await, "EFFECT_ALLOW", "{round}");
        // Heard by nobody but the server that comes next, and signed with a key that it has never seen.
        server.kill().await.unwrap();
        transmitter.rotate("RS256", &format!("key-{round}"));
        transmitter.forget_old_keys();
        let jti = revoke(&transmitter, &id, &other);
        server = spec.start().await.unwrap();
        assert_eq!(effect(&server, &revoked).await, "EFFECT_DENY", "{round}");
        acknowledged(&transmitter, &id, &jti).await;
        assert_eq!(effect(&server, &other).await, "EFFECT_DENY", "{round}");
    }
    let stream = transmitter.only_stream();
    assert_eq!(stream.errors, std::collections::BTreeMap::new());
    server.signal("TERM").await.unwrap();
    assert!(server.wait().await.unwrap().success(), "{}", server.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_of_an_authorization_server_hears_only_verifications_that_name_its_stream() {
    const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
    let (transmitter, dir) = (Transmitter::start().await, TempDir::new("client"));
    transmitter.change(|state| {
        state.configuration = json!({"aud": AUDIENCE});
        state.authorization = Some("Bearer none".to_owned());
        state.client = Some(("pdp".to_owned(), "s3cret".to_owned()));
    });
    dir.write("policies/album.yaml", POLICY);
    dir.write("secret", "s3cret\n");
    let oauth = json!({
        "tokenUrl": format!("{}/token", transmitter.issuer()), "clientId": "pdp",
        "secret": {"file": dir.path().join("secret")}, "scopes": ["ssf.manage", "ssf.read"],
    });
    let stream = json!({
        "name": "idp", "issuer": transmitter.issuer(), "audiences": [AUDIENCE],
        "transmitter": {"create": true, "oauth": oauth}, "poll": {},
    });
    dir.write("procura.yaml", json!({"signals": {"streams": [stream]}}).to_string());
    let (policies, data) = (dir.path().join("policies"), dir.path().join("data"));
    let config = format!("--config={}", dir.path().join("procura.yaml").display());
    let _server = ServerSpec::new(BINARY, &policies, &data).arg(config).start().await.unwrap();
    transmitter.until(|state| !state.streams.is_empty()).await.unwrap();
    let id = transmitter.only_stream().config["stream_id"].as_str().unwrap().to_owned();
    let naming = |named: &str| {
        let subject = json!({"format": "opaque", "id": named});
        transmitter.emit(&id, VERIFICATION, &subject, &json!({}))
    };
    let (other, own) = (naming("another"), naming(&id));
    acknowledged(&transmitter, &id, &own).await;
    transmitter.until_stream(&id, |stream| stream.pending.is_empty()).await.unwrap();
    let stream = transmitter.only_stream();
    assert_eq!(stream.errors[&other]["err"], "invalid_request", "{:?}", stream.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_events_are_refused_with_their_code_and_change_no_answer() {
    let (transmitter, dir) = (Transmitter::start().await, TempDir::new("forged"));
    transmitter.add_poll_stream("idp", AUDIENCE);
    dir.write("policies/album.yaml", POLICY);
    let stream = json!({
        "name": "idp", "issuer": transmitter.issuer(), "audiences": [AUDIENCE],
        "poll": {"url": transmitter.poll_url("idp")},
    });
    dir.write("procura.yaml", json!({"signals": {"streams": [stream]}}).to_string());
    let (policies, data) = (dir.path().join("policies"), dir.path().join("data"));
    let config = format!("--config={}", dir.path().join("procura.yaml").display());
    let server = ServerSpec::new(BINARY, &policies, &data).arg(config).start().await.unwrap();
    let subject = json!({"format": "complex", "session": {"format": "opaque", "id": "s-1"}});
    let with = |name: &str, value: Value| {
        let mut claims = transmitter.claims("idp", REVOKED, &subject, &json!({}));
        claims[name] = value;
        claims
    };
    let stranger = procura_testkit::issuer::SigningKey::generate("RS256", "first");
    let header = json!({"alg": "RS256", "kid": "first", "typ": "secevent+jwt"});
    let good = with("txn", json!("t"));
    let cases = [
        ("forged", stranger.sign(&header, good.to_string().as_bytes()), "invalid_key"),
        ("issuer", transmitter.sign(&with("iss", json!("https://evil.example"))), "invalid_issuer"),
        ("audience", transmitter.sign(&with("aud", json!("https://other.example"))), "invalid_audience"),
        ("expiry", transmitter.sign(&with("exp", json!(4_000_000_000_u64))), "invalid_request"),
        ("subject", transmitter.sign(&with("sub_id", json!("s-1"))), "invalid_request"),
        ("text", "no SET".to_owned(), "invalid_request"),
    ];
    for (jti, set, _) in &cases {
        transmitter.queue("idp", jti, set);
    }
    transmitter.until_stream("idp", |stream| stream.pending.is_empty()).await.unwrap();
    let stream = transmitter.stream("idp").unwrap();
    for (jti, _, code) in cases {
        assert_eq!(stream.errors[jti]["err"], code, "{jti}: {:?}", stream.errors);
    }
    assert_eq!(stream.acknowledged, [] as [&str; 0]);
    assert_eq!(effect(&server, "s-1").await, "EFFECT_ALLOW");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_ask_the_transmitter_of_a_stream_for_everything_it_does() {
    let (transmitter, dir) = (Transmitter::start().await, TempDir::new("asked"));
    transmitter.change(|state| state.configuration = json!({"aud": AUDIENCE}));
    dir.write("policies/album.yaml", POLICY);
    let stream = json!({
        "name": "idp", "issuer": transmitter.issuer(), "audiences": [AUDIENCE],
        "transmitter": {"create": true}, "poll": {},
    });
    dir.write("procura.yaml", json!({"signals": {"streams": [stream]}}).to_string());
    let (policies, data) = (dir.path().join("policies"), dir.path().join("data"));
    let config = format!("--config={}", dir.path().join("procura.yaml").display());
    let server = ServerSpec::new(BINARY, &policies, &data).arg(config).start().await.unwrap();
    transmitter.until_stream("stream-1", |stream| !stream.verifications.is_empty()).await.unwrap();
    let subject = r#"{"format": "email", "email": "ada@example.com"}"#;
    for (words, told) in [
        (&["pause", "idp", "--reason", "maintenance"][..], "answers: it is paused"),
        (&["disable", "idp"], "answers: it is disabled"),
        (&["enable", "idp"], "answers: it is enabled"),
        (&["subscribe", "idp", subject], "is to send the events about this subject"),
        (&["verify", "idp"], "is to send an event that shows that it works"),
    ] {
        let (is_done, text) = signals(&server, words);
        assert!(is_done && text == format!("the transmitter of `idp` {told}\n"), "{words:?}: {text}");
    }
    assert_eq!(transmitter.only_stream().status, "enabled");
    assert_eq!(transmitter.only_stream().subjects.len(), 1);
    assert!(signals(&server, &["unsubscribe", "idp", subject]).0);
    assert_eq!(transmitter.only_stream().subjects.len(), 0);

    let mut connection = server.connect().await.unwrap();
    for (path, body, told) in [
        ("status", r#"{"status": "off"}"#, "status"),
        ("status", r#"{"status": "paused", "until": 1}"#, "until"),
        ("status", r"[]", "$"),
        ("subjects/add", r#"{"subject": {"email": "x"}}"#, "subject.format"),
        ("subjects/add", r#"{"subject": "x"}"#, "subject"),
        ("subjects/remove", r#"{"subject": {"format": "opaque"}, "verified": true}"#, "verified"),
    ] {
        let path = format!("/api/signals/streams/idp/{path}");
        let method = if path.ends_with("status") { "PUT" } else { "POST" };
        let answer = connection.send(method, &path, &[], body.as_bytes()).await.unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status == 400 && text.contains(told), "{path} {body}: {} {text}", answer.status);
    }
    assert!(signals(&server, &["delete", "idp"]).0);
    assert!(transmitter.stream("stream-1").is_none());
    let (is_done, text) = signals(&server, &["pause", "idp"]);
    assert!(!is_done && text.contains("has not told of it yet"), "{text}");
}
