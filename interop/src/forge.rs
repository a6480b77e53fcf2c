//! What no transmitter would send: each SET is a good one with one thing wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use easyssf_test::{TestSigningKey, TestTransmitter};
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value, json};

use crate::transmitter::Transmitter;

/// A SET that must be refused.
pub struct Forged {
    /// What is wrong with it.
    pub what: &'static str,
    /// The SET, or what stands in its place.
    pub set: String,
    /// The codes of RFC 8935, section 2.4, of which one must be the answer.
    pub codes: &'static [&'static str],
}

/// Each of these, made of `good` claims, which would change a decision if they were taken.
pub fn all(transmitter: &Transmitter, good: &Map<String, Value>) -> Vec<Forged> {
    [
        signatures(transmitter, good),
        headers(transmitter, good),
        claims(transmitter, good),
        texts(transmitter, good),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const KEY: &[&str] = &["invalid_key", "authentication_failed"];
const REQUEST: &[&str] = &["invalid_request"];

/// Who signed it.
fn signatures(transmitter: &Transmitter, good: &Map<String, Value>) -> Vec<Forged> {
    let key = transmitter.inner().key();
    let stranger = TestSigningKey::generate(2048, "stranger");
    let typ = Some(TestTransmitter::SECEVENT_JWT_TYPE);
    let signed = transmitter.sign(good);
    let (content, _) = signed.rsplit_once('.').expect("a compact JWS");
    let mut other = good.clone();
    other.insert("jti".to_owned(), "changed".into());
    let (_, foreign) =
        transmitter.sign(&other).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    vec![
        Forged {
            what: "alg none",
            set: TestTransmitter::unsigned(good),
            codes: &["invalid_key", "invalid_request"],
        },
        Forged {
            what: "without a signature",
            set: format!("{content}."),
            codes: &["invalid_key", "invalid_request"],
        },
        Forged { what: "signature of another SET", set: format!("{content}.{foreign}"), codes: KEY },
        Forged { what: "unknown key", set: TestTransmitter::sign(&stranger, typ, good), codes: KEY },
        Forged {
            what: "known name of a key that signed nothing",
            set: TestTransmitter::sign(&stranger.with_key_id(key.key_id()), typ, good),
            codes: KEY,
        },
        Forged {
            what: "weak key",
            set: TestTransmitter::sign(&TestSigningKey::generate(1024, "weak"), typ, good),
            codes: KEY,
        },
        Forged {
            what: "algorithm that is not taken",
            set: TestTransmitter::sign_with(key, Algorithm::PS512, typ, good),
            codes: KEY,
        },
    ]
}

/// What its header says.
fn headers(transmitter: &Transmitter, good: &Map<String, Value>) -> Vec<Forged> {
    let key = transmitter.inner().key();
    let typed = |typ| TestTransmitter::sign(key, typ, good);
    vec![
        Forged { what: "type of an access token", set: typed(Some("at+jwt")), codes: REQUEST },
        Forged { what: "type of any token", set: typed(Some("JWT")), codes: REQUEST },
        Forged { what: "no type", set: typed(None), codes: REQUEST },
    ]
}

/// What it says.
fn claims(transmitter: &Transmitter, good: &Map<String, Value>) -> Vec<Forged> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let revoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
    let event = |payload: Value| json!({(revoked): payload});
    let with = |what, name: &str, value: Value, codes| {
        let mut claims = good.clone();
        claims.insert("jti".to_owned(), format!("forged: {what}").into());
        if value.is_null() {
            claims.remove(name)
        } else {
            claims.insert(name.to_owned(), value)
        };
        Forged { what, set: transmitter.sign(&claims), codes }
    };
    let subject = |what, subject| with(what, "sub_id", subject, REQUEST);
    vec![
        with("another issuer", "iss", "https://elsewhere.example/".into(), &["invalid_issuer"]),
        with("no issuer", "iss", Value::Null, &["invalid_issuer", "invalid_request"]),
        with("for somebody else", "aud", "https://elsewhere.example/".into(), &["invalid_audience"]),
        with("for nobody", "aud", Value::Null, &["invalid_audience", "invalid_request"]),
        with("issued in the future", "iat", (now + 3600).into(), REQUEST),
        with("happened in the future", "events", event(json!({"event_timestamp": now + 3600})), REQUEST),
        with("time of happening in the future", "toe", (now + 3600).into(), REQUEST),
        with("no time", "iat", Value::Null, REQUEST),
        with("time that is text", "iat", "yesterday".into(), REQUEST),
        with("no name", "jti", Value::Null, REQUEST),
        with("an end", "exp", (now + 3600).into(), REQUEST),
        with("sub", "sub", "alice".into(), REQUEST),
        with("no events", "events", Value::Null, REQUEST),
        with("empty events", "events", json!({}), REQUEST),
        with("events that are a list", "events", json!([revoked]), REQUEST),
        with("an event that is text", "events", event("now".into()), REQUEST),
        subject("no subject", Value::Null),
        subject("subject that is text", "alice".into()),
        subject("subject without a format", json!({"id": "alice"})),
        subject("subject of an unknown format", json!({"format": "nickname", "nickname": "al"})),
        subject("subject without its member", json!({"format": "iss_sub", "iss": transmitter.issuer()})),
        subject("subject with a number", json!({"format": "opaque", "id": 7})),
        subject("empty complex subject", json!({"format": "complex"})),
        subject(
            "aliases in aliases",
            json!({"format": "aliases", "identifiers": [{"format": "aliases", "identifiers": []}]}),
        ),
    ]
}

/// Whether it is a SET at all.
fn texts(transmitter: &Transmitter, good: &Map<String, Value>) -> Vec<Forged> {
    let refused =
        |what, set: &str| Forged { what, set: set.to_owned(), codes: &["invalid_request", "invalid_key"] };
    let mut large = good.clone();
    large.insert("padding".to_owned(), "x".repeat(2 * 1024 * 1024).into());
    vec![
        refused("empty", ""),
        refused("no JWS", "signed, the administrator"),
        refused("two parts", "e30.e30"),
        refused("five parts, as if it were encrypted", "e30.e30.e30.e30.e30"),
        refused("JSON", r#"{"jti": "1"}"#),
        Forged { what: "oversized", set: transmitter.sign(&large), codes: &["invalid_request"] },
    ]
}
