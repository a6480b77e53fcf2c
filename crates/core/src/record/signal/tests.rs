use std::sync::Arc;

use super::*;
use crate::engine::{Settings, decide};
use crate::model::{Demand, Evaluation, Ground, Presented, Reason, Request, Signals};
use crate::policy::compile;
use crate::record::sentence;
use crate::record::{Basis, Call, CallRecord, DemandRecord, EncodedBasis, PresentedInput, Record, Vouchers};
use crate::value::Map;

fn fact(subject: Vec<Entity<'static>>) -> Fact {
    let data = Map::from_entries(vec![("level".into(), Value::String("high".into()))]).unwrap();
    Fact {
        subject: Subject::new(subject).unwrap(),
        name: "risk-level-change".into(),
        slot: "risk/user".into(),
        value: Some(Value::Map(data)),
        source: "idp".into(),
        id: "e1".into(),
        at: "2026-11-22T01:02:03.5Z".parse().unwrap(),
        received: "2026-11-22T01:02:04Z".parse().unwrap(),
        expires: Some("2026-12-22T01:02:03Z".parse().unwrap()),
        rank: 0,
    }
}

#[test]
fn fact_is_read_back_from_its_record() {
    let subjects = [
        vec![Entity::new(EntityKind::Principal, "alice"), Entity::new(EntityKind::Session, "s1")],
        vec![Entity::within(EntityKind::Resource, "ticket", "a\nb"), Entity::new(EntityKind::Tenant, "acme")],
        vec![Entity::within(EntityKind::Token, "https://idp.example", "t1")],
    ];
    for subject in subjects {
        let plain = Fact { slot: "risk-level-change".into(), expires: None, ..fact(subject.clone()) };
        for fact in [fact(subject), plain] {
            let text = serde_json::to_string(&FactRecord::new(&fact)).unwrap();
            let read: FactRecord<'_> = serde_json::from_str(&text).unwrap();
            assert_eq!(read.fact().as_ref(), Some(&fact), "{text}");
        }
    }
}

#[test]
fn fact_of_a_later_release_is_none() {
    let fact = fact(vec![Entity::new(EntityKind::Principal, "alice")]);
    let mut record = FactRecord::new(&fact);
    record.subject.insert("spaceship".into(), "x".into());
    assert_eq!(record.fact(), None);
    let record = FactRecord { expires: Some("soon".into()), ..FactRecord::new(&fact) };
    assert_eq!(record.fact(), None);
}

#[test]
fn call_is_written_with_its_facts_and_read_back() {
    let snapshot = compile(&[]).snapshot.unwrap();
    let presented = Presented {
        session: Some("s1".into()),
        device: None,
        began: Some("2026-11-22T01:00:00Z".parse().unwrap()),
        methods: Some(vec!["pwd".into()]),
    };
    let facts = vec![Arc::new(fact(vec![Entity::new(EntityKind::Principal, "")]))];
    let request = Request {
        signals: Signals { too_many: false, facts, presented },
        items: [crate::model::Item { actions: ["view".into()].into(), ..Default::default() }].into(),
        ..Request::default()
    };
    let at = "2026-11-22T01:02:10Z".parse().unwrap();
    let mut evaluation = decide(&snapshot, &request, &Settings::default(), at);
    let demand = Demand { signal: "x".into(), max_age: 7, capability: "c.yaml:1:1".into() };
    let decision = &mut evaluation.resources[0].actions[0];
    decision.reason = Reason::StaleState;
    decision.ground = Some(Ground { signal: Some(0), demand: Some(demand.clone()) }.into());
    let bytes = written(&request, &evaluation, at);
    let Record::Decision(record) = Record::decode(&bytes).unwrap() else { panic!("no decision") };
    assert_eq!(Record::encode(&Record::Decision(record.clone())).unwrap(), bytes);
    assert_eq!(record.signals, [FactRecord::new(&request.signals.facts[0])]);
    assert_eq!(record.presented, PresentedInput::new(&request.signals));
    assert_eq!(record.presented.as_ref().unwrap().presented(), request.signals.presented);
    let decision = record.decisions().next().unwrap();
    assert_eq!((decision.signal, decision.demand), (Some(0), Some(&DemandRecord::new(&demand))));
    let off = record.basis.standing;
    assert!(!off.accounts && off.sessions);
}

#[test]
fn sentence_names_the_signals_and_the_one_that_a_denial_rests_on() {
    let snapshot = compile(&[]).snapshot.unwrap();
    let about = |kind, id| vec![Entity::new(kind, id)];
    let revoked = Fact {
        name: "session-revoked".into(),
        at: "2026-11-22T01:00:00Z".parse().unwrap(),
        ..fact(about(EntityKind::Session, "s\n1"))
    };
    let risk = fact(about(EntityKind::Principal, "alice"));
    let other = fact(vec![Entity::within(EntityKind::Resource, "doc", "other")]);
    let item = crate::model::Item { actions: ["view".into()].into(), ..Default::default() };
    let request = Request {
        principal: crate::model::Principal { id: "alice".into(), ..Default::default() },
        signals: Signals { facts: [risk, other, revoked].map(Arc::new).into(), ..Signals::default() },
        items: [item].into(),
        ..Request::default()
    };
    let at = "2026-11-22T01:02:13.5Z".parse().unwrap();
    let told = |evaluation: &Evaluation| {
        let bytes = written(&request, evaluation, at);
        let Record::Decision(record) = Record::decode(&bytes).unwrap() else { panic!("no decision") };
        sentence(&record, &record.decisions().next().unwrap())
    };
    let mut evaluation = decide(&snapshot, &request, &Settings::default(), at);
    let with = "principal `alice` attempted `view` on `:` with signals `risk-level-change` of `idp` 10 s before and \
        `session-revoked` of `idp` 2 min before and was denied because ";
    let denied = "`session-revoked` of `idp` says that the session was revoked at 2026-11-22T01:00:00Z: it is about \
        session `s:1`";
    assert_eq!(told(&evaluation), format!("{with}{denied}"));
    let decision = &mut evaluation.resources[0].actions[0];
    decision.reason = Reason::StaleState;
    let demand = Demand { signal: "posture".into(), max_age: 1, capability: "c.yaml:1:1".into() };
    decision.ground = Some(Ground { signal: None, demand: Some(demand) }.into());
    let stale =
        "the capability at `c.yaml:1:1` asks for a `posture` that is at most 1 second old, and there is none";
    assert_eq!(told(&evaluation), format!("{with}{stale}"));
    evaluation.resources[0].actions[0].ground.as_mut().unwrap().signal = Some(0);
    assert!(told(&evaluation).ends_with("and the newest, of `idp`, is from 10 s before"));
}

fn written(request: &Request<'_>, evaluation: &Evaluation, at: Timestamp) -> Vec<u8> {
    let standing = crate::engine::Standing { accounts: false, ..Default::default() };
    let basis: Basis<'_> = serde_json::from_str(
        r#"{"engine":"0","policyRevision":"r","policyGeneration":1,"onError":"closed","durability":"durable"}"#,
    )
    .unwrap();
    let basis = EncodedBasis::new(&Basis { standing, ..basis });
    let call = Call { id: "c1".into(), api: "check".into(), ..Call::default() };
    let vouchers = Vouchers::default();
    let record: CallRecord<'_> =
        CallRecord { at, call: &call, basis: &basis, request, vouchers: &vouchers, evaluation };
    record.encode().unwrap()
}
