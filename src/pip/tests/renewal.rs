//! Keys that come and go.

use std::sync::Arc;
use std::time::Duration;

use procura_testkit::key_server::{Behaviour, KeyServer};
use procura_testkit::temp_dir::TempDir;
use procura_testkit::transmitter::{Misconduct, Place, Transmitter};

use super::*;
use crate::discovery::TransmitterPlace;
use crate::ports::{SetError, SetVerifier};

/// A verifier of one remote key set, that asks as often as it likes.
fn remote(server: &KeyServer, pause: Duration) -> (Verifier, Arc<Metrics>) {
    let source = KeySource::Remote { url: server.url(), refresh_interval: Duration::from_secs(24 * 60 * 60) };
    let timing = RemoteTiming { deadline: Duration::from_millis(500), pause, longest_retry: Duration::MAX };
    let key_sets = vec![set("far", source, KeyRules::default())];
    start(&TokenSettings { key_sets, timing, ..TokenSettings::default() }).unwrap()
}

#[tokio::test]
async fn remote_keys_are_fetched_once_and_again_when_a_token_names_a_new_one() {
    let (old, new) = (SigningKey::generate("ES256", "old"), SigningKey::generate("ES256", "new"));
    let server = KeyServer::with_keys(jwks(&[old.jwk()])).await;
    let (verifier, metrics) = remote(&server, Duration::ZERO);
    for _ in 0..3 {
        claims(&verifier, &old.token(&json!({}))).await;
    }
    assert_eq!(server.requests(), 1);
    server.set(Behaviour::Answer(200, jwks(&[new.jwk()])));
    claims(&verifier, &new.token(&json!({}))).await;
    assert_eq!(server.requests(), 2);
    assert!(refusal(&verifier, &old.token(&json!({}))).await.contains("no key with the name"));
    assert_eq!(server.requests(), 3);
    let told = metrics.render();
    for line in [
        "procura_key_refreshes_total{outcome=\"succeeded\"} 3",
        &format!("procura_keys_oldest_success_timestamp_seconds {NOW}"),
    ] {
        assert!(told.contains(line), "{line} not in\n{told}");
    }
}

#[tokio::test]
async fn invented_key_names_do_not_flood_the_issuer() {
    let key = SigningKey::generate("ES256", "k");
    let server = KeyServer::with_keys(jwks(&[key.jwk()])).await;
    let (verifier, _) = remote(&server, Duration::from_secs(3600));
    claims(&verifier, &key.token(&json!({}))).await;
    for i in 0..20 {
        let token = SigningKey::generate("ES256", &format!("x{i}")).token(&json!({}));
        assert!(refusal(&verifier, &token).await.contains("no key with the name"));
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn signature_is_final_only_once_keys_were_fetched_after_it_came() {
    let (old, new) = (SigningKey::generate("ES256", "old"), SigningKey::generate("ES256", "new"));
    let server = KeyServer::with_keys(jwks(&[old.jwk()])).await;
    let set = new.token(&json!({}));
    let outdated = |verifier: &Verifier| matches!(verifier.vouch("far", &set), Err(SetError::Outdated(_)));
    let (patient, _) = remote(&server, Duration::from_secs(3600));
    claims(&patient, &old.token(&json!({}))).await;
    server.set(Behaviour::Answer(200, jwks(&[old.jwk(), new.jwk()])));
    assert!(outdated(&patient));
    assert!(!patient.refresh("far").await, "they were fetched a moment ago, and not since");
    assert!(outdated(&patient));

    server.set(Behaviour::Answer(200, jwks(&[old.jwk()])));
    let (verifier, _) = remote(&server, Duration::ZERO);
    claims(&verifier, &old.token(&json!({}))).await;
    server.set(Behaviour::Answer(503, String::new()));
    assert!(!verifier.refresh("far").await, "nobody knows what the newest keys are");
    server.set(Behaviour::Answer(200, jwks(&[old.jwk()])));
    assert!(verifier.refresh("far").await);
    assert!(outdated(&verifier), "and now it is final");
    server.set(Behaviour::Answer(200, jwks(&[new.jwk()])));
    assert!(verifier.refresh("far").await);
    assert!(verifier.vouch("far", &set).is_ok());
}

#[tokio::test]
async fn calls_that_miss_a_key_at_the_same_time_share_one_attempt() {
    let (old, new) = (SigningKey::generate("ES256", "old"), SigningKey::generate("ES256", "new"));
    let server = KeyServer::with_keys(jwks(&[old.jwk()])).await;
    let (verifier, _) = remote(&server, Duration::from_millis(50));
    claims(&verifier, &old.token(&json!({}))).await;
    server.set(Behaviour::Answer(200, jwks(&[new.jwk()])));
    let verifier = Arc::new(verifier);
    tokio::time::timeout(Duration::from_secs(30), async {
        // The first tries come before the pause is over.
        while ask(&verifier, &new.token(&json!({})), "").await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(server.requests(), 2);
    server.set(Behaviour::Answer(503, String::new()));
    let tries = (0..20).map(|_| {
        let verifier = Arc::clone(&verifier);
        let token = old.token(&json!({}));
        tokio::spawn(async move { ask(&verifier, &token, "").await.is_err() })
    });
    for refused in tries.collect::<Vec<_>>() {
        assert!(refused.await.unwrap());
    }
    assert!(server.requests() <= 3, "{}", server.requests());
}

#[tokio::test]
async fn old_keys_stay_whatever_the_issuer_does() {
    let key = SigningKey::generate("ES256", "k");
    let server = KeyServer::with_keys(jwks(&[key.jwk()])).await;
    let (verifier, metrics) = remote(&server, Duration::ZERO);
    claims(&verifier, &key.token(&json!({}))).await;
    let stranger = SigningKey::generate("ES256", "stranger").token(&json!({}));
    let failures = [
        Behaviour::Answer(500, jwks(&[])),
        Behaviour::Answer(200, "not keys".into()),
        Behaviour::Answer(200, jwks(&[])),
        Behaviour::Redirect(server.url()),
        Behaviour::Endless,
        Behaviour::Hang,
    ];
    for (i, behaviour) in failures.iter().enumerate() {
        server.set(behaviour.clone());
        assert!(refusal(&verifier, &stranger).await.contains("no key with the name"), "{behaviour:?}");
        assert_eq!(claims(&verifier, &key.token(&json!({}))).await, json!({}), "{behaviour:?}");
        let line = format!("procura_key_refreshes_total{{outcome=\"failed\"}} {}", i + 1);
        assert!(metrics.render().contains(&line), "{behaviour:?}");
    }
}

#[tokio::test]
async fn tokens_whose_keys_were_never_fetched_cannot_be_judged() {
    let key = SigningKey::generate("ES256", "k");
    let server = KeyServer::start(Behaviour::Hang).await;
    let (verifier, _) = remote(&server, Duration::ZERO);
    let unavailable = Err(TokenError::KeysUnavailable { key_set: "far".into() });
    assert_eq!(ask(&verifier, &key.token(&json!({})), "").await, unavailable);
    server.set(Behaviour::Answer(200, jwks(&[key.jwk()])));
    assert_eq!(claims(&verifier, &key.token(&json!({}))).await, json!({}));
}

#[tokio::test]
async fn keys_in_a_file_follow_it_and_a_bad_file_replaces_nothing() {
    let (old, new) = (SigningKey::generate("ES256", "old"), SigningKey::generate("ES256", "new"));
    let directory = TempDir::new("keys");
    directory.write("keys.json", jwks(&[old.jwk()]));
    let path = directory.path().join("keys.json");
    let settings = TokenSettings {
        key_sets: vec![set("near", KeySource::File { path, pem: false }, KeyRules::default())],
        ..TokenSettings::default()
    };
    let (verifier, metrics) = start(&settings).unwrap();
    claims(&verifier, &old.token(&json!({}))).await;
    directory.write("keys.json", "{");
    until(|| metrics.render().contains("procura_key_refreshes_total{outcome=\"failed\"} 1")).await;
    claims(&verifier, &old.token(&json!({}))).await;
    directory.write("keys.json", jwks(&[new.jwk()]));
    until(|| metrics.render().contains("procura_key_refreshes_total{outcome=\"succeeded\"} 2")).await;
    claims(&verifier, &new.token(&json!({}))).await;
    assert!(refusal(&verifier, &old.token(&json!({}))).await.contains("no key with the name"));

    let missing = KeySource::File { path: "/nonexistent/keys.json".into(), pem: false };
    let settings =
        TokenSettings { key_sets: vec![set("a", missing, KeyRules::default())], ..TokenSettings::default() };
    assert!(start(&settings).is_err());
}

async fn until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), met).await.unwrap();
}

/// A verifier of the keys that the metadata of `transmitter` lead to, if they are those of `issuer`.
fn discovered(transmitter: &Transmitter, issuer: &str) -> Verifier {
    let url = transmitter.issuer().to_owned();
    let place = TransmitterPlace { url, issuer: issuer.to_owned(), plain_http: false };
    let source =
        KeySource::Discovered { transmitter: place, refresh_interval: Duration::from_secs(24 * 60 * 60) };
    let timing = RemoteTiming {
        deadline: Duration::from_millis(500),
        pause: Duration::ZERO,
        longest_retry: Duration::from_millis(1),
    };
    let key_sets = vec![set("idp", source, KeyRules::default())];
    start(&TokenSettings { key_sets, timing, ..TokenSettings::default() }).unwrap().0
}

#[tokio::test]
async fn keys_are_found_by_the_metadata_of_their_transmitter_and_looked_up_again_when_they_change() {
    let transmitter = Transmitter::start().await;
    let verifier = discovered(&transmitter, transmitter.issuer());
    claims(&verifier, &transmitter.sign(&json!({}))).await;
    assert_eq!(transmitter.requests(Place::Metadata), 1);
    let old = transmitter.sign(&json!({}));
    transmitter.rotate("RS256", "second");
    claims(&verifier, &transmitter.sign(&json!({}))).await;
    claims(&verifier, &old).await;
    assert_eq!(transmitter.requests(Place::Metadata), 2);
    transmitter.forget_old_keys();
    transmitter.rotate("RS256", "third");
    claims(&verifier, &transmitter.sign(&json!({}))).await;
    assert!(refusal(&verifier, &old).await.contains("no key with the name"));
}

#[tokio::test]
async fn metadata_that_cannot_be_believed_lead_to_no_keys() {
    let transmitter = Transmitter::start().await;
    let stranger = discovered(&transmitter, "https://idp.example/");
    let set = transmitter.sign(&json!({}));
    assert!(matches!(ask(&stranger, &set, "").await, Err(TokenError::KeysUnavailable { .. })));
    assert_eq!(transmitter.requests(Place::Keys), 0);
    for conduct in [
        Misconduct::Status(500),
        Misconduct::Hang,
        Misconduct::Endless,
        Misconduct::Close,
        Misconduct::Answer(200, "text/html", "<html>".to_owned()),
        Misconduct::Answer(200, "application/json", "[".repeat(100_000)),
    ] {
        transmitter.misbehave(Place::Metadata, conduct.clone(), usize::MAX);
        let verifier = discovered(&transmitter, transmitter.issuer());
        let told = ask(&verifier, &set, "").await;
        assert!(matches!(told, Err(TokenError::KeysUnavailable { .. })), "{conduct:?}");
        transmitter.behave();
    }
    assert_eq!(transmitter.requests(Place::Keys), 0);
}
