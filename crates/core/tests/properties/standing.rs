//! Random facts about random calls: what stands without a policy only narrows, and a record suffices to find it again.

use std::sync::Arc;

use procura_core::engine::OnError;
use procura_core::model::{
    Effect, Entity, EntityKind, Evaluation, Fact, Presented, Reason, Request, Signals, Subject, Timestamp,
};
use procura_core::record::Record;
use procura_core::replay::RecordedCall;
use procura_core::value::{Map, Value};
use procura_samples::engine::{Engine, request};
use procura_samples::generate::{self, Size};
use proptest::prelude::*;
use proptest::sample::Index;

/// What is said, and the slot.
const SAID: [(&str, &str); 9] = [
    ("session-revoked", "session-revoked"),
    ("sessions-revoked", "sessions-revoked"),
    ("session-established", "session-established"),
    ("account-disabled", "account"),
    ("account-enabled", "account"),
    ("credential-compromise", "credential/password"),
    ("credential-change", "credential/password"),
    ("credential-change", "credential/pin"),
    ("risk-level-change", "risk-level-change"),
];

const REASONS: [Reason; 3] = [Reason::SessionRevoked, Reason::AccountDisabled, Reason::CredentialCompromised];

/// A fact about some of what `request` presents, and `resource` of its resources.
#[derive(Clone, Debug)]
struct Draft {
    said: usize,
    revokes: bool,
    about: [bool; 3],
    resource: Option<Index>,
    source: bool,
    at: i64,
}

fn draft() -> impl Strategy<Value = Draft> {
    let about = (any::<[bool; 3]>(), prop::option::weighted(0.2, any::<Index>()));
    (0..SAID.len(), any::<bool>(), about, any::<bool>(), -9_i64..0).prop_map(
        |(said, revokes, (about, resource), source, at)| Draft { said, revokes, about, resource, source, at },
    )
}

fn fact(draft: &Draft, request: &Request<'_>) -> Option<Arc<Fact>> {
    let known = [
        Entity::new(EntityKind::Principal, request.principal.id.to_string()),
        Entity::new(EntityKind::Session, "s"),
        Entity::new(EntityKind::Device, "d"),
    ];
    let mut about: Vec<_> =
        known.into_iter().zip(draft.about).filter(|(_, is_in)| *is_in).map(|(entity, _)| entity).collect();
    if let Some(resource) = draft.resource.filter(|_| !request.items.is_empty()) {
        let of = &resource.get(&request.items).resource;
        about.push(Entity::within(EntityKind::Resource, of.kind.to_string(), of.id.to_string()));
    }
    let change = if draft.revokes { "revoke" } else { "update" };
    let data = Map::from_entries(vec![("change_type".into(), Value::String(change.into()))]).unwrap();
    let (name, slot) = SAID[draft.said];
    let at = Timestamp::from_second(draft.at).unwrap();
    Some(Arc::new(Fact {
        subject: Subject::new(about)?,
        name: name.into(),
        slot: slot.into(),
        value: Some(Value::Map(data)),
        source: if draft.source { "idp" } else { "edr" }.into(),
        id: "e".into(),
        at,
        received: at,
        expires: None,
        rank: 0,
    }))
}

fn effects(evaluation: &Evaluation) -> Vec<Effect> {
    let decisions = evaluation.resources.iter().flat_map(|resource| &resource.actions);
    decisions.map(|decision| decision.effect).collect()
}

/// By decision: the fact on which it rests, if it is denied by a rule that stands.
fn grounds(evaluation: &Evaluation) -> Vec<Option<usize>> {
    let decisions = evaluation.resources.iter().flat_map(|resource| &resource.actions);
    let stands = decisions.map(|decision| {
        REASONS.contains(&decision.reason).then(|| decision.ground.as_ref().unwrap().signal.unwrap())
    });
    stands.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn facts_never_turn_a_deny_into_an_allow_and_only_the_one_it_rests_on_turns_it_back(
        seed: u64,
        drafts in prop::collection::vec(draft(), 0..6),
        began in prop::option::of(-9_i64..0),
        methods in prop::option::of(prop::sample::subsequence(vec!["pwd", "pin", "hwk", "mfa"], 0..3)),
    ) {
        let store = generate::store(seed, Size { sets: 1, asks: 4 });
        let engine = Engine::load(&store, OnError::Closed).unwrap();
        for ask in &store.sets[0].asks {
            let mut request = request(ask);
            let (without, _) = engine.decided(&request);
            let mut facts: Vec<_> = drafts.iter().filter_map(|draft| fact(draft, &request)).collect();
            facts.sort_by_key(|fact| std::cmp::Reverse(fact.at));
            request.signals = Signals {
                too_many: false,
                facts: facts.clone(),
                presented: Presented {
                    session: Some("s".into()),
                    device: Some("d".into()),
                    began: began.map(|second| Timestamp::from_second(second).unwrap()),
                    methods: methods.as_ref().map(|methods| methods.iter().map(|name| (*name).into()).collect()),
                },
            };
            let (with, record) = engine.decided(&request);
            for ((before, after), ground) in effects(&without).into_iter().zip(effects(&with)).zip(grounds(&with)) {
                prop_assert!(before == after || after == Effect::Deny);
                prop_assert_eq!(before != after, ground.is_some() && before == Effect::Allow);
            }
            assert_is_made_again(&record, &engine, &request);
            for removed in 0..facts.len() {
                let mut fewer = facts.clone();
                fewer.remove(removed);
                let signals = Signals { facts: fewer, ..request.signals.clone() };
                let (fewer, _) = engine.decided(&Request { signals, ..request.clone() });
                for (ground, after) in grounds(&with).into_iter().zip(effects(&fewer)) {
                    prop_assert!(ground.is_none_or(|ground| ground == removed) || after == Effect::Deny);
                }
            }
        }
    }
}

/// Fails unless what is in the record leads to what is in the record.
fn assert_is_made_again(record: &[u8], engine: &Engine, request: &Request<'_>) {
    let Record::Decision(record) = Record::decode(record).unwrap() else { panic!("no decision") };
    let call = RecordedCall::of(&record).unwrap();
    assert_eq!(call.request.signals, request.signals);
    assert_eq!(call.results(engine.snapshot()), record.results);
}
