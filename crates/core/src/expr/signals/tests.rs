use super::*;
use crate::expr::{FailedVariable, Frame, Inputs, Names, Program, Scope, compile};
use crate::limits::{CALL_COST, EXPR_COST, SIGNALS};
use crate::model::{AuxData, Entity, Principal, Resource, Subject};
use crate::value::{Map, Value};

fn program(source: &str) -> Program {
    compile(source, Names::default()).unwrap_or_else(|found| panic!("{source}: {found:#?}"))
}

fn fact(data: Value<'static>) -> Fact {
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    Fact {
        subject: Subject::new(vec![Entity::new(EntityKind::Session, "s1")]).unwrap(),
        name: "risk".into(),
        slot: "risk".into(),
        value: Some(data),
        source: "idp".into(),
        id: "e1".into(),
        at,
        received: at,
        expires: None,
        rank: 0,
    }
}

/// What `source` comes to with these facts in force, and what it costs.
fn evaluated(source: &Program, in_force: Option<&InForce<'_>>) -> (Option<bool>, u64) {
    let (principal, resource) = (Principal::default(), Resource::default());
    let (aux_data, globals, frame) = (AuxData::default(), Map::default(), Frame::default());
    let inputs = Inputs {
        principal: &principal,
        resource: &resource,
        context: None,
        aux_data: &aux_data,
        globals: &globals,
        failed_variable: FailedVariable::Errs,
        now: "2026-01-01T00:01:00Z".parse().unwrap(),
        derived_roles: None,
        signals: in_force,
    };
    let budget = Budget::new(CALL_COST, EXPR_COST);
    let holds = source.holds(&Scope::new(inputs, &frame, &budget)).ok().flatten();
    (holds, CALL_COST - budget.left())
}

#[test]
fn expressions_see_every_member_of_a_fact_and_an_empty_list_without_facts() {
    let fact = fact(Value::List(vec![Value::Bool(true)]));
    let in_force = InForce::new(vec![(0, &fact)]);
    for source in [
        "S == signals && S.size() == 1 && S[0].type == 'risk' && S[0].subject == 's1' && S[0].source == 'idp'",
        "S[0].about == {'session': 's1'} && S[0].id == 'e1' && S[0].data[0] && S[0].at == S[0].received",
        "age(S[0]) == duration('1m') && S[0].age() == timeSince(S[0].at)",
        "latest(S, 'risk').value().id == 'e1' && S.latest('risk').?data[?0].orValue(false)",
        "!latest(S.filter(s, s.source == 'edr'), 'risk').hasValue()",
    ] {
        assert_eq!(evaluated(&program(source), Some(&in_force)).0, Some(true), "{source}");
    }
    for source in ["S == [] && signals.size() == 0", "latest(S, 'risk').?data.level.orValue('low') == 'low'"]
    {
        assert_eq!(evaluated(&program(source), None).0, Some(true), "{source}");
    }
}

#[test]
fn mistakes_are_found_before_evaluation() {
    for (source, part) in [
        ("S[0].typ == 'x'", "unknown field `typ`"),
        ("S[0].type == 1", "does not take (string, int)"),
        ("S.exists(s, s.at > '2026')", "does not take (timestamp, string)"),
        ("latest(S, 'x').?dat.hasValue()", "unknown field `dat`"),
        ("signal.size() > 0", "unknown name `signal`"),
        ("S.type == 'x'", "has no field `type`"),
    ] {
        let found = compile(source, Names::default()).err().unwrap_or_else(|| panic!("{source} compiles"));
        assert!(format!("{found:?}").contains(part), "{source}: {found:?}");
    }
}

#[test]
fn list_costs_the_same_whoever_reads_it_first_and_is_bounded() {
    let fact = fact(Value::String("x".repeat(1_000).into()));
    let facts: Vec<_> = (0..SIGNALS).map(|place| (place, &fact)).collect();
    let in_force = InForce::new(facts.clone());
    let size = program("S.size() > 0");
    let first = evaluated(&size, Some(&in_force));
    assert_eq!(first.0, Some(true));
    assert!(first.1 > 60 * SIGNALS as u64, "{}", first.1);
    assert_eq!(evaluated(&size, Some(&in_force)), first);
    let huge = self::fact(Value::String("x".repeat(32_000).into()));
    let huge = InForce::new(vec![(0, &huge); SIGNALS]);
    assert_eq!(evaluated(&size, Some(&huge)).0, None);
}
