//! Tokens of every kind against keys of every kind.

mod cache;
mod proof;
mod renewal;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use procura_core::model::Timestamp;
use procura_core::value::Value as Claim;
use procura_testkit::issuer::{SigningKey, encode, hmac_token, jwks};
use serde_json::{Value, json};

use super::*;
use crate::ports::{Clock, Token, TokenError, TokenVerifier, VerifiedToken};
use crate::telemetry::Metrics;

/// The instant at which all tokens are verified.
const NOW: i64 = 1_795_305_600;

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }
}

fn start(settings: &TokenSettings) -> Result<(Verifier, Arc<Metrics>), StartError> {
    let metrics = Arc::new(Metrics::new().unwrap());
    Ok((Verifier::start(settings, Arc::new(FixedClock), Arc::clone(&metrics))?, metrics))
}

/// A verifier with one key set for each text, called `0`, `1` and so on.
fn with_keys(texts: &[&str]) -> Verifier {
    let sets = texts.iter().enumerate().map(|(i, text)| set(&i.to_string(), data(text), KeyRules::default()));
    start(&TokenSettings { key_sets: sets.collect(), ..TokenSettings::default() }).unwrap().0
}

fn set(id: &str, source: KeySource, rules: KeyRules) -> KeySetSettings {
    KeySetSettings { id: id.to_owned(), source, rules, tokens: TokenRules::default() }
}

fn data(text: &str) -> KeySource {
    KeySource::Data { text: text.as_bytes().to_vec(), pem: text.starts_with('-') }
}

async fn ask(verifier: &Verifier, token: &str, key_set: &str) -> Result<VerifiedToken, TokenError> {
    let token = Token { text: token.into(), key_set: key_set.into() };
    verifier.verify(&token, FixedClock.now()).await
}

async fn claims(verifier: &Verifier, token: &str) -> Value {
    serde_json::to_value(&*ask(verifier, token, "").await.unwrap().claims).unwrap()
}

async fn refusal(verifier: &Verifier, token: &str) -> String {
    ask(verifier, token, "").await.unwrap_err().to_string()
}

#[tokio::test]
async fn tokens_of_every_algorithm_are_verified_by_their_keys_only() {
    let algorithms = [
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
        "ES512", "EdDSA",
    ];
    let keys = algorithms.map(|alg| SigningKey::generate(alg, alg));
    let set = jwks(&keys.each_ref().map(SigningKey::jwk));
    let verifier = with_keys(&[&set]);
    let told = json!({"sub": "ada"});
    for key in &keys {
        assert_eq!(claims(&verifier, &key.token(&told)).await, told, "{}", key.alg);
        let stranger = SigningKey::generate(key.alg, key.alg);
        assert!(refusal(&verifier, &stranger.token(&told)).await.contains("signature"), "{}", key.alg);
        for other in algorithms.iter().filter(|alg| **alg != key.alg) {
            let header = json!({"alg": other, "kid": key.kid});
            let token = key.sign(&header, told.to_string().as_bytes());
            assert!(refusal(&verifier, &token).await.contains("algorithm"), "{} as {other}", key.alg);
        }
    }
}

#[tokio::test]
async fn hostile_tokens_are_refused_with_a_reason_and_never_repeated() {
    let key = SigningKey::generate("ES256", "k1");
    let rsa = SigningKey::generate("RS256", "k2");
    let verifier = with_keys(&[&jwks(&[key.jwk(), rsa.jwk()])]);
    let good = key.token(&json!({"sub": "s3cret"}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let signed_as = |header: Value| key.sign(&header, br#"{"sub": "s3cret"}"#);
    let other_payload = encode(br#"{"sub": "root"}"#);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(40), "}".repeat(40));
    let cases = [
        ("abc".to_owned(), "header, payload and signature"),
        ("a.b".to_owned(), "header, payload and signature"),
        ("..".to_owned(), "header of the token"),
        (format!("{good}.x"), "base64url"),
        (format!("Bearer {good}"), "base64url"),
        (format!("{good}="), "base64url"),
        (format!("{signed}."), "signature"),
        (format!("{header}.{other_payload}.{signature}"), "signature"),
        (format!("{signed}.{}", encode(&[0; 64])), "signature"),
        (format!("{header}.{payload}.{}", encode(&[])), "signature"),
        (format!("{}.{payload}.{signature}", encode(b"[]")), "header of the token"),
        (format!("{}.{payload}.{signature}", encode(br#"{"alg":"ES256","alg":"none"}"#)), "header"),
        (signed_as(json!({"kid": "k1"})), "header of the token"),
        (signed_as(json!({"alg": ["ES256"], "kid": "k1"})), "no text `alg`"),
        (signed_as(json!({"alg": "ES256", "kid": 1})), "`kid` that is not a text"),
        (signed_as(json!(["ES256", "k1"])), "not a JSON object"),
        (signed_as(json!({"alg": "none", "kid": "k1"})), "no supported algorithm"),
        (signed_as(json!({"alg": "None", "kid": "k1"})), "no supported algorithm"),
        (signed_as(json!({"alg": "ES256"})), "names no key"),
        (signed_as(json!({"alg": "ES256", "kid": "zz"})), "no key with the name"),
        (signed_as(json!({"alg": "RS256", "kid": "k1"})), "algorithm that its key is not for"),
        (signed_as(json!({"alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false})), "`crit`"),
        (signed_as(json!({"alg": "ES256", "kid": "k1", "crit": null})), "`crit`"),
        (hmac_token(rsa.pem().as_bytes(), &json!({"alg": "HS256", "kid": "k2"}), &json!({})), "algorithm"),
        (key.token(&json!({"pad": "x".repeat(20_000)})), "the limit is 16384"),
        (key.sign(&json!({"alg": "ES256", "kid": "k1"}), b"[1]"), "not a JSON object"),
        (key.sign(&json!({"alg": "ES256", "kid": "k1"}), b"\xff"), "not a JSON object"),
        (key.sign(&json!({"alg": "ES256", "kid": "k1"}), br#"{"a":1,"a":2}"#), "not a JSON object"),
        (key.sign(&json!({"alg": "ES256", "kid": "k1"}), deep.as_bytes()), "not a JSON object"),
    ];
    assert_eq!(claims(&verifier, &format!(" {good}\n")).await, json!({"sub": "s3cret"}));
    for (token, reason) in cases {
        let said = refusal(&verifier, &token).await;
        assert!(said.contains(reason), "{token}: {said}");
        assert!(!said.contains("s3cret") && !said.contains("zz") && !said.contains(signature), "{said}");
    }
    let shown = format!("{:?}", Token { text: good.clone().into(), key_set: "k".into() });
    assert!(!shown.contains(&good), "{shown}");
}

#[tokio::test]
async fn claims_are_in_force_between_their_instants() {
    let key = SigningKey::generate("EdDSA", "k");
    let settings = |skew| TokenSettings {
        skew: Duration::from_secs(skew),
        key_sets: vec![set("a", data(&jwks(&[key.jwk()])), KeyRules::default())],
        ..TokenSettings::default()
    };
    let (strict, lenient) = (start(&settings(0)).unwrap().0, start(&settings(10)).unwrap().0);
    for (claims, by_strict, by_lenient) in [
        (json!({"exp": NOW + 1, "nbf": NOW, "iat": NOW}), "", ""),
        (json!({"exp": NOW}), "expired", ""),
        (json!({"exp": NOW - 9}), "expired", ""),
        (json!({"exp": NOW - 10}), "expired", "expired"),
        (json!({"nbf": NOW + 1}), "not in force yet", ""),
        (json!({"nbf": NOW + 11}), "not in force yet", "not in force yet"),
        (json!({"iat": NOW + 10}), "issued in the future", ""),
        (json!({"iat": NOW + 11}), "issued in the future", "issued in the future"),
        (json!({"exp": 1e300}), "`exp` is not an instant", "`exp` is not an instant"),
        (json!({"exp": null}), "`exp` is not an instant", "`exp` is not an instant"),
        (json!({"exp": "soon"}), "`exp` is not an instant", "`exp` is not an instant"),
        (json!({"nbf": [1]}), "`nbf` is not an instant", "`nbf` is not an instant"),
        (json!({"exp": 253_402_207_200_u64, "nbf": -377_705_023_201_i64}), "", ""),
        (json!({"sub": 1}), "`sub` is not a text", "`sub` is not a text"),
        (json!({"iss": null}), "`iss` is not a text", "`iss` is not a text"),
        (json!({"aud": 1}), "`aud` is neither", "`aud` is neither"),
        (json!({"aud": ["a", 1]}), "`aud` is neither", "`aud` is neither"),
        (json!({}), "", ""),
    ] {
        for (verifier, want) in [(&strict, by_strict), (&lenient, by_lenient)] {
            match ask(verifier, &key.token(&claims), "").await {
                Ok(_) => assert_eq!(want, "", "{claims}"),
                Err(error) => {
                    let said = error.to_string();
                    assert!(!want.is_empty() && said.contains(want), "{claims}: {said}");
                }
            }
        }
    }
}

#[tokio::test]
async fn claims_have_the_form_that_conditions_of_the_peer_expect() {
    let key = SigningKey::generate("ES384", "k");
    let verifier = with_keys(&[&jwks(&[key.jwk()])]);
    let token = key.token(&json!({
        "aud": "one", "exp": NOW + 60, "iat": 1_795_305_599.9, "nbf": "1795305500", "n": 7, "list": ["a", {"b": null}],
    }));
    let told = ask(&verifier, &token, "0").await.unwrap();
    assert_eq!(told.key_set.as_deref(), Some("0"));
    assert_eq!(told.claims.get("n"), Some(&Claim::Number(7.0)));
    assert_eq!(
        serde_json::to_value(&*told.claims).unwrap(),
        json!({
            "aud": ["one"], "exp": "2026-11-22T00:01:00Z", "iat": "2026-11-21T23:59:59Z",
            "nbf": "2026-11-21T23:58:20Z", "n": 7, "list": ["a", {"b": null}],
        })
    );
}

#[tokio::test]
async fn key_sets_are_named_unless_there_is_only_one() {
    let (one, two) = (SigningKey::generate("ES256", "k"), SigningKey::generate("ES256", "k"));
    let (token, keys) = (one.token(&json!({})), [jwks(&[one.jwk()]), jwks(&[two.jwk()])]);
    let (none, single, both) = (with_keys(&[]), with_keys(&[&keys[0]]), with_keys(&[&keys[0], &keys[1]]));
    for (verifier, key_set, want) in [
        (&none, "", "no key set is configured"),
        (&none, "0", "no key set with the id"),
        (&single, "", ""),
        (&single, "0", ""),
        (&single, "1", "no key set with the id"),
        (&both, "", "there are several key sets"),
        (&both, "0", ""),
        (&both, "1", "signature"),
    ] {
        match ask(verifier, &token, key_set).await {
            Ok(_) => assert_eq!(want, "", "{key_set}"),
            Err(error) => assert!(!want.is_empty() && error.to_string().contains(want), "{key_set}: {error}"),
        }
    }
}

#[tokio::test]
async fn insecure_options_relax_key_names_and_algorithms_and_nothing_else() {
    let without = |key: &SigningKey, members: &[&str]| {
        let mut jwk = key.jwk();
        members.iter().for_each(|member| drop(jwk.as_object_mut().unwrap().remove(*member)));
        jwk
    };
    let rsa = SigningKey::generate("RS256", "k");
    let rules = |optional_alg, optional_kid| KeyRules { optional_alg, optional_kid };
    let named = json!({"kid": "k"});
    for (jwk, rules, header, alg, want) in [
        (without(&rsa, &["alg"]), rules(true, false), &named, "RS256", true),
        (without(&rsa, &["alg"]), rules(true, false), &named, "PS512", true),
        (without(&rsa, &["alg"]), rules(true, false), &json!({}), "RS256", false),
        (rsa.jwk(), rules(true, false), &named, "RS512", false),
        (without(&rsa, &["kid"]), rules(false, true), &json!({}), "RS256", true),
        (rsa.jwk(), rules(false, true), &json!({"kid": "zz"}), "RS256", true),
        (rsa.jwk(), rules(false, true), &json!({"kid": "zz"}), "RS512", false),
    ] {
        let settings = TokenSettings {
            key_sets: vec![set("a", data(&jwks(&[jwk])), rules)],
            ..TokenSettings::default()
        };
        let verifier = start(&settings).unwrap().0;
        let mut header = header.clone();
        header["alg"] = alg.into();
        let token = rsa.sign_as(alg, &header, b"{}");
        assert_eq!(ask(&verifier, &token, "").await.is_ok(), want, "{rules:?} {header}");
        let hmac = hmac_token(rsa.pem().as_bytes(), &json!({"alg": "HS256", "kid": "k"}), &json!({}));
        assert!(ask(&verifier, &hmac, "").await.is_err(), "a public key is no secret");
    }
}

#[tokio::test]
async fn keys_in_pem_have_neither_name_nor_algorithm() {
    let (ec, rsa) = (SigningKey::generate("ES512", "k"), SigningKey::generate("PS384", "k"));
    let both = format!("{}{}", ec.pem(), rsa.pem());
    let rules = KeyRules { optional_alg: true, optional_kid: true };
    let settings = |text: &str, rules| TokenSettings {
        key_sets: vec![set("a", data(text), rules)],
        ..TokenSettings::default()
    };
    let verifier = start(&settings(&both, rules)).unwrap().0;
    for key in [&ec, &rsa] {
        assert_eq!(claims(&verifier, &key.token(&json!({"a": 1}))).await, json!({"a": 1}));
    }
    assert!(start(&settings(&both, KeyRules { optional_kid: false, ..rules })).is_err());
    assert!(start(&settings(&both, KeyRules { optional_alg: false, ..rules })).is_err());
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_left_out_and_a_set_without_any_stops_the_start() {
    let good = SigningKey::generate("ES256", "good");
    let edited = |member: &str, value: Value| {
        let mut jwk = SigningKey::generate("ES256", "bad").jwk();
        jwk[member] = value;
        jwk
    };
    let small = json!({"kty": "RSA", "kid": "bad", "alg": "RS256", "n": encode(&[0xff; 128]), "e": "AQAB"});
    for bad in [
        json!({"kty": "new", "kid": "bad"}),
        json!("text"),
        edited("use", json!("enc")),
        edited("key_ops", json!(["encrypt"])),
        edited("alg", json!("ES384")),
        edited("alg", json!("RSA-OAEP")),
        edited("x", json!("AAAA")),
        edited("x", json!(encode(&[1; 32]))),
        edited("crv", json!("secp256k1")),
        small,
        json!({"kty": "oct", "kid": "bad", "alg": "HS256", "k": encode(&[1; 31])}),
    ] {
        let verifier = with_keys(&[&jwks(&[bad.clone(), good.jwk()])]);
        assert_eq!(claims(&verifier, &good.token(&json!({}))).await, json!({}), "{bad}");
        let settings = TokenSettings {
            key_sets: vec![set("a", data(&jwks(std::slice::from_ref(&bad))), KeyRules::default())],
            ..TokenSettings::default()
        };
        assert!(start(&settings).is_err(), "{bad}");
    }
    let private = edited("d", json!("AAAA"));
    for (text, want) in [
        (jwks(&[private]), "a private key"),
        ("{}".to_owned(), "no key of 1 can be used"),
        (jwks(&[]), "no key of 0 can be used"),
        ("nonsense".to_owned(), "not a JSON Web Key Set"),
        (jwks(&vec![good.jwk(); 101]), "101 keys, the limit is 100"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(), "a private key"),
        ("-----BEGIN PUBLIC KEY-----\n?\n-----END PUBLIC KEY-----\n".to_owned(), "not PEM"),
    ] {
        let settings = TokenSettings {
            key_sets: vec![set("a", data(&text), KeyRules::default())],
            ..TokenSettings::default()
        };
        let Err(StartError::Keys { key_set, cause }) = start(&settings) else { panic!("{text}") };
        assert!(key_set == "a" && cause.to_string().contains(want), "{text}: {cause}");
    }
}

#[tokio::test]
async fn without_verification_only_signatures_and_keys_are_not_looked_at() {
    let key = SigningKey::generate("ES256", "k");
    let settings = TokenSettings { unverified: true, ..TokenSettings::default() };
    let verifier = start(&settings).unwrap().0;
    let told = ask(&verifier, &key.token(&json!({"sub": "x"})), "any").await.unwrap();
    assert_eq!(told.key_set, None);
    for (token, reason) in [
        (key.token(&json!({"exp": NOW - 1})), "expired"),
        (key.sign(&json!({"alg": "none"}), b"{}"), "no supported algorithm"),
        ("abc".to_owned(), "header, payload and signature"),
    ] {
        assert!(refusal(&verifier, &token).await.contains(reason), "{token}");
    }
}
