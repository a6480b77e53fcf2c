//! Conditions E1 to E6: this evaluator beside that of the `cel` crate, parsing and evaluation apart.
//!
//! `cargo bench --bench expressions` prints medians of rounds in which the two take turns; trust the ratios.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a command for people at a terminal"
)]

use std::hint::black_box;
use std::time::Instant;

use procura_core::expr::{self, Budget, FailedVariable, Frame, Inputs, Names, Scope};
use procura_core::limits::{CALL_COST, EXPR_COST};
use procura_core::model::{AuxData, Principal, Resource, Timestamp};
use procura_core::value::{Map, Value};

const ROUNDS: usize = 21;
const PER_ROUND: u32 = 2_000;

const CONDITIONS: [(&str, &str); 6] = [
    ("E1", "R.attr.owner == P.id"),
    ("E2", "R.attr.status in ['OPEN', 'PENDING', 'REVIEW'] && R.attr.department == P.attr.department"),
    ("E3", "R.attr.amount < 1000.0 && timestamp('2026-01-01T00:00:00Z') < timestamp(R.attr.expires)"),
    ("E4", "has(R.attr.geo) && P.attr.ip.startsWith('10.')"),
    ("E5", "P.attr.teams.exists(t, t == R.attr.team)"),
    ("E6", "(R.attr.owner == P.id || P.attr.level > 3.0) && R.attr.status == 'OPEN' && !(R.attr.locked)"),
];

const PRINCIPAL: &str =
    r#"{"department": "design", "ip": "10.1.2.3", "level": 4, "teams": ["a", "b", "c", "d", "web"]}"#;
const RESOURCE: &str = r#"{"owner": "ada", "status": "OPEN", "department": "design", "amount": 120,
    "expires": "2030-01-01T00:00:00Z", "geo": "de", "team": "web", "locked": false}"#;

fn main() {
    println!("ns, medians of {ROUNDS} rounds of {PER_ROUND}");
    println!(
        "| condition | parse and compile: ours | the `cel` crate: parse | ratio | evaluate: ours | the `cel` crate | ratio |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for (name, source) in CONDITIONS {
        let parse = median_pair(
            || drop(black_box(expr::compile(source, Names::default()).unwrap())),
            || drop(black_box(cel::Program::compile(source).unwrap())),
            PER_ROUND / 20,
        );
        let eval = evaluation(source);
        println!(
            "| {name} | {:.0} | {:.0} | {:.1} | {:.0} | {:.0} | {:.1} |",
            parse.0,
            parse.1,
            parse.1 / parse.0,
            eval.0,
            eval.1,
            eval.1 / eval.0
        );
    }
}

fn evaluation(source: &str) -> (f64, f64) {
    let (principal, resource) = (principal(), resource());
    let program = expr::compile(source, Names::default()).unwrap();
    let frame = Frame::default();
    let now = Timestamp::UNIX_EPOCH;
    let inputs = Inputs {
        principal: &principal,
        resource: &resource,
        context: None,
        aux_data: &AuxData::default(),
        globals: &Map::default(),
        failed_variable: FailedVariable::IsAbsent,
        now,
        derived_roles: None,
    };
    let ours = || {
        let budget = Budget::new(CALL_COST, EXPR_COST);
        let scope = Scope::new(inputs, &frame, &budget);
        assert_eq!(program.eval(&scope).unwrap().as_bool(), Some(true));
    };

    let theirs = cel::Program::compile(source).unwrap();
    let mut context = cel::Context::default();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    context.add_variable("P", serde_json::json!({"id": "ada", "attr": json(PRINCIPAL)})).unwrap();
    context.add_variable("R", serde_json::json!({"id": "D-1", "attr": json(RESOURCE)})).unwrap();
    median_pair(ours, || assert_eq!(theirs.execute(&context).unwrap(), true.into()), PER_ROUND)
}

/// Medians of the nanoseconds that one call of each takes.
fn median_pair(a: impl Fn(), b: impl Fn(), per_round: u32) -> (f64, f64) {
    let time = |f: &dyn Fn()| {
        let started = Instant::now();
        (0..per_round).for_each(|_| f());
        started.elapsed().as_nanos() as f64 / f64::from(per_round)
    };
    let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (time(&a), time(&b))).collect();
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[ROUNDS / 2]
    };
    (median(rounds.iter().map(|r| r.0).collect()), median(rounds.iter().map(|r| r.1).collect()))
}

fn principal() -> Principal<'static> {
    Principal {
        id: "ada".into(),
        roles: ["employee".into()].into(),
        attr: map(PRINCIPAL),
        policy_version: "".into(),
        scope: "".into(),
    }
}

fn resource() -> Resource<'static> {
    Resource {
        kind: "document".into(),
        id: "D-1".into(),
        attr: map(RESOURCE),
        policy_version: "".into(),
        scope: "".into(),
    }
}

fn map(json: &'static str) -> Map<'static> {
    let Value::Map(map) = serde_json::from_str(json).unwrap() else {
        return Map::default();
    };
    map
}
