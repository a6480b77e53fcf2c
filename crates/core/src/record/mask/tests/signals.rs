use std::sync::Arc;

use super::*;
use crate::model::{Entity, EntityKind, Fact, Presented, Subject, Timestamp};
use crate::record::{FactRecord, SignalRecord};

fn fact() -> Fact {
    let at = "2026-11-22T01:00:00Z".parse().unwrap();
    Fact {
        subject: Subject::new(vec![
            Entity::new(EntityKind::Principal, "secret-alice"),
            Entity::new(EntityKind::Session, "secret-session"),
            Entity::within(EntityKind::Resource, "album", "secret-a1"),
        ])
        .unwrap(),
        name: "risk-level-change".into(),
        slot: "risk-level-change".into(),
        value: Some(value(&json!({"of": ["secret-mail", "other"], "note": "secret-note", "level": "high"}))),
        source: "idp".into(),
        id: "secret-alice".into(),
        at,
        received: at,
        expires: None,
        rank: 0,
    }
}

/// A call about which a fact is in force, which presents a session that a claim says.
fn call() -> Request<'static> {
    let mut call = request();
    call.aux_data.jwt = map(json!({"sid": "secret-session", "iss": "i"}));
    call.signals.facts = vec![Arc::new(fact())];
    call.signals.presented = Presented { session: Some("secret-session".into()), ..Presented::default() };
    call
}

fn masked_call(rules: &[(&str, Treatment)]) -> Json {
    let encode = |record: &CallRecord<'_>| record.encode_masked(&masks(rules), &keys());
    let payload = with_record(&call(), &evaluation(), encode).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

fn signal() -> SignalRecord<'static> {
    let at: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
    SignalRecord {
        at,
        source: "idp".into(),
        via: "push".into(),
        id: "e1".into(),
        txn: None,
        events: vec!["urn:x".into()],
        facts: vec![FactRecord::new(&fact()).into_owned()],
        ignored: None,
        caller: None,
    }
}

#[test]
fn members_of_facts_are_masked_as_their_rules_say() {
    let pseudonym = keys().pseudonym.unwrap();
    let of = |text: &str| digest(&pseudonym, json!(text));
    for (path, pointer, expected) in [
        ("principal.id", "/signals/0/subject/principal", of("secret-alice")),
        ("principal.id", "/signals/0/id", of("secret-alice")),
        ("presented.session", "/presented/session", of("secret-session")),
        ("presented.session", "/signals/0/subject/session", of("secret-session")),
        ("auxData.jwt.sid", "/presented/session", of("secret-session")),
        ("auxData.jwt.sid", "/signals/0/subject/session", of("secret-session")),
        ("principal.attr.email", "/signals/0/data/of", json!([of("secret-mail"), "other"])),
        ("signals.data.note", "/signals/0/data/note", of("secret-note")),
        ("signals.subject", "/signals/0/subject/principal", of("secret-alice")),
    ] {
        let record = masked_call(&[(path, Treatment::Pseudonym)]);
        assert_eq!(record.pointer(pointer), Some(&expected), "{path}: {record}");
        assert_eq!(record["replay"], "partial", "{path}");
    }
    let record = masked_call(&[("resource.id", Treatment::Pseudonym)]);
    let resource = record["signals"][0]["subject"]["resource"].as_str().unwrap();
    assert_eq!(resource, format!("album\n{}", of("secret-a1").as_str().unwrap()));
}

#[test]
fn nothing_masked_is_told_by_facts() {
    let everything = [
        ("principal.id", Treatment::Pseudonym),
        ("principal.attr.*", Treatment::Hash),
        ("resource.id", Treatment::Hash),
        ("resource.attr.*", Treatment::Remove),
        ("context.*", Treatment::Remove),
        ("auxData.jwt.sid", Treatment::Remove),
        ("auxData.jwts.*.*", Treatment::Hash),
        ("call.caller", Treatment::Hash),
        ("call.requestId", Treatment::Hash),
        ("signals.data.note", Treatment::Remove),
    ];
    let text = masked_call(&everything).to_string();
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn signal_shows_the_pseudonym_that_calls_show() {
    let rules = [
        ("principal.id", Treatment::Pseudonym),
        ("presented.session", Treatment::Hash),
        ("resource.id", Treatment::Hash),
        ("signals.data", Treatment::Remove),
    ];
    let signal = signal().masked(&masks(&rules), &keys());
    let of_call = masked_call(&rules);
    let subject = serde_json::to_value(&signal.facts[0].subject).unwrap();
    assert_eq!(of_call["signals"][0]["subject"], subject);
    assert_eq!(of_call["principal"]["id"], subject["principal"]);
    assert_eq!(serde_json::to_value(&signal.facts[0].data).unwrap(), json!({}));
    let kinds = vec!["invoice".to_owned()];
    let of_invoices =
        Masks::new(vec![MaskRule { kinds, ..rule("principal.id", Treatment::Pseudonym) }]).unwrap();
    let masked = self::signal().masked(&of_invoices, &keys());
    assert_ne!(masked.facts[0].subject["principal"], "secret-alice", "it may be about invoices as well");
}
