//! Expressions as the peer answers them, recorded from its version 0.55.0: values, the texts of errors, and what it
//! refuses to load. The table is `peer_expressions.tsv`; where we answer differently on purpose, it says so.
//!
//! | first column | then |
//! |---|---|
//! | `value` | the expression and its value as JSON |
//! | `error` | the expression and the text of the error |
//! | `refused` | the expression and the kind of the error, as the peer's compiler prints it |
//! | `differs` | the expression, the answer of the peer, and ours |
#![cfg(test)]

use std::collections::BTreeSet;

use procura_core::expr::{
    Budget, Constants, ExprDiagnostic, ExprFault, FailedVariable, Frame, Inputs, Names, Program, Scope,
    compile,
};
use procura_core::limits;
use procura_core::model::{AuxData, Principal, Resource, Timestamp};
use procura_core::value::{Map, Value};

const TABLE: &str = include_str!("peer_expressions.tsv");

#[test]
fn expressions_answer_as_the_peer_does() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (expression, expected) in rows() {
        count += 1;
        let found = answer(expression);
        if found != expected {
            wrong.push(format!("{expression}\n    expected {expected}\n    found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_expression_occurs_once() {
    let mut seen = BTreeSet::new();
    for (expression, _) in rows() {
        assert!(seen.insert(expression), "{expression}");
    }
}

/// Each expression of the table, and what we must answer.
fn rows() -> impl Iterator<Item = (&'static str, String)> {
    TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields.as_slice() {
            ["differs", expression, _, ours] => (*expression, (*ours).to_owned()),
            [outcome, expression, detail] => (*expression, format!("{outcome}: {detail}")),
            _ => panic!("not a row: {line}"),
        }
    })
}

/// What we say, in the words of the table.
fn answer(expression: &str) -> String {
    let constants = Constants::new(&map(r#"{"one": 1, "s": "x", "l": [1, 2], "m": {"a": 1}}"#));
    let variables = [("ok", "1"), ("bad", "R.attr.missing"), ("s", "\"str\"")];
    let names = variables.map(|(name, _)| name);
    let mut frame = Frame::default();
    for (slot, (name, source)) in variables.into_iter().enumerate() {
        let program = program(source, &names[..slot], &constants).unwrap();
        frame.variables.push((name.into(), program));
    }
    match program(expression, &names, &constants) {
        Ok(program) => evaluate(&program, &frame),
        Err(findings) => format!("refused: {}", kind(&findings)),
    }
}

fn program(source: &str, variables: &[&str], constants: &Constants) -> Result<Program, Vec<ExprDiagnostic>> {
    compile(source, Names { variables, constants: Some(constants), patterns: None })
}

/// As the peer sees it: types first, then names.
fn kind(findings: &[ExprDiagnostic]) -> &'static str {
    let faults: Vec<_> = findings.iter().map(|finding| finding.fault).collect();
    match faults.as_slice() {
        faults if faults.contains(&ExprFault::Invalid) => "invalid expression",
        [ExprFault::UndefinedConstant, ..] => "undefined constant",
        _ => "undefined variable",
    }
}

fn evaluate(program: &Program, frame: &Frame) -> String {
    let principal = Principal {
        id: "p".into(),
        roles: ["user".into()].into(),
        attr: map(r#"{"a": 1, "dept": "x"}"#),
        policy_version: "".into(),
        scope: "".into(),
    };
    let resource = Resource {
        kind: "t".into(),
        id: "1".into(),
        attr: map(include_str!("peer_expressions.json")),
        policy_version: "".into(),
        scope: "".into(),
    };
    let aux_data = AuxData {
        jwt: map(r#"{"sub": "alice", "n": 3, "aud": ["x"], "deep": {"a": 1}}"#),
        ..AuxData::default()
    };
    let globals = map(r#"{"env": "prod", "num": 5, "m": {"a": 1}}"#);
    let inputs = Inputs {
        principal: &principal,
        resource: &resource,
        context: None,
        aux_data: &aux_data,
        globals: &globals,
        failed_variable: FailedVariable::IsAbsent,
        now: "2026-11-22T05:08:00Z".parse::<Timestamp>().unwrap(),
        derived_roles: Some(&[]),
        signals: None,
    };
    let budget = Budget::new(limits::CALL_COST, limits::EXPR_COST);
    let value = program.eval(&Scope::new(inputs, frame, &budget)).map_err(|error| error.message);
    match value.and_then(|value| value.to_json(&budget)) {
        Ok(value) => format!("value: {}", text(&value)),
        Err(message) => format!("error: {}", message.replace('\n', "\\n")),
    }
}

fn text(value: &Value<'_>) -> String {
    serde_json::to_string(value).unwrap()
}

fn map(json: &'static str) -> Map<'static> {
    serde_json::from_str(json).unwrap()
}
