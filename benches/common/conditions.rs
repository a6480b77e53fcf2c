//! Conditions E1 to E6: what policies ask most, from one comparison to four.

use std::hint::black_box;

use procura_core::expr::{self, Budget, FailedVariable, Frame, Inputs, Names, Scope};
use procura_core::limits::{CALL_COST, EXPR_COST};
use procura_core::model::{AuxData, Principal, Resource, Timestamp};
use procura_core::value::{Map, Value};

/// Name and source; each is true of a principal `ada` and a resource `D-1` with the attributes below.
pub(crate) const CONDITIONS: [(&str, &str); 6] = [
    ("E1", "R.attr.owner == P.id"),
    ("E2", "R.attr.status in ['OPEN', 'PENDING', 'REVIEW'] && R.attr.department == P.attr.department"),
    ("E3", "R.attr.amount < 1000.0 && timestamp('2026-01-01T00:00:00Z') < timestamp(R.attr.expires)"),
    ("E4", "has(R.attr.geo) && P.attr.ip.startsWith('10.')"),
    ("E5", "P.attr.teams.exists(t, t == R.attr.team)"),
    ("E6", "(R.attr.owner == P.id || P.attr.level > 3.0) && R.attr.status == 'OPEN' && !(R.attr.locked)"),
];
/// Attributes, as JSON.
pub(crate) const PRINCIPAL: &str =
    r#"{"department": "design", "ip": "10.1.2.3", "level": 4, "teams": ["a", "b", "c", "d", "web"]}"#;
pub(crate) const RESOURCE: &str = r#"{"owner": "ada", "status": "OPEN", "department": "design", "amount": 120,
    "expires": "2030-01-01T00:00:00Z", "geo": "de", "team": "web", "locked": false}"#;

/// Calls `run` with one evaluation of the condition of this name.
pub(crate) fn evaluation(name: &str, run: &mut dyn FnMut(&dyn Fn())) {
    let known = CONDITIONS.iter().find(|(known, _)| *known == name);
    let (_, source) = known.unwrap_or_else(|| panic!("the conditions are E1 to E6, not `{name}`"));
    let principal = Principal {
        id: "ada".into(),
        roles: ["employee".into()].into(),
        attr: map(PRINCIPAL),
        policy_version: "".into(),
        scope: "".into(),
    };
    let resource = Resource {
        kind: "document".into(),
        id: "D-1".into(),
        attr: map(RESOURCE),
        policy_version: "".into(),
        scope: "".into(),
    };
    let program = expr::compile(source, Names::default()).unwrap();
    let frame = Frame::default();
    let inputs = Inputs {
        principal: &principal,
        resource: &resource,
        context: None,
        aux_data: &AuxData::default(),
        globals: &Map::default(),
        failed_variable: FailedVariable::IsAbsent,
        now: Timestamp::UNIX_EPOCH,
        derived_roles: None,
        signals: None,
    };
    run(&|| {
        let budget = Budget::new(CALL_COST, EXPR_COST);
        let scope = Scope::new(inputs, &frame, &budget);
        assert_eq!(black_box(&program).holds(&scope).unwrap(), Some(true));
    });
}

fn map(json: &'static str) -> Map<'static> {
    let Value::Map(map) = serde_json::from_str(json).unwrap() else {
        return Map::default();
    };
    map
}
