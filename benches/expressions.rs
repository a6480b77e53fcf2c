//! Conditions E1 to E6: this evaluator beside that of the `cel` crate, parsing and evaluation apart.
//!
//! `cargo bench --bench expressions` prints medians of rounds in which the two take turns; trust the ratios. It fails if
//! an evaluation allocates more often than its condition may, and says how many bytes a compiled condition takes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a command for people at a terminal"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use procura_core::expr::{self, Budget, FailedVariable, Frame, Inputs, Names, Scope};
use procura_core::limits::{CALL_COST, EXPR_COST};
use procura_core::model::{AuxData, Principal, Resource, Timestamp};
use procura_core::value::{Map, Value};

const ROUNDS: usize = 21;
const PER_ROUND: u32 = 2_000;

/// Name, text, and how often an evaluation may allocate: once where a macro introduces a variable.
const CONDITIONS: [(&str, &str, usize); 6] = [
    ("E1", "R.attr.owner == P.id", 0),
    ("E2", "R.attr.status in ['OPEN', 'PENDING', 'REVIEW'] && R.attr.department == P.attr.department", 0),
    ("E3", "R.attr.amount < 1000.0 && timestamp('2026-01-01T00:00:00Z') < timestamp(R.attr.expires)", 0),
    ("E4", "has(R.attr.geo) && P.attr.ip.startsWith('10.')", 0),
    ("E5", "P.attr.teams.exists(t, t == R.attr.team)", 1),
    ("E6", "(R.attr.owner == P.id || P.attr.level > 3.0) && R.attr.status == 'OPEN' && !(R.attr.locked)", 0),
];

const PRINCIPAL: &str =
    r#"{"department": "design", "ip": "10.1.2.3", "level": 4, "teams": ["a", "b", "c", "d", "web"]}"#;
const RESOURCE: &str = r#"{"owner": "ada", "status": "OPEN", "department": "design", "amount": 120,
    "expires": "2030-01-01T00:00:00Z", "geo": "de", "team": "web", "locked": false}"#;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// The allocator of the system, counting.
struct Counting;

#[expect(unsafe_code, reason = "an allocator cannot be written otherwise; every call goes on unchanged")]
// SAFETY: both functions forward to an allocator with the arguments they were given.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `at` was allocated above with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

fn main() {
    println!("ns, medians of {ROUNDS} rounds of {PER_ROUND}");
    println!(
        "| condition | parse and compile: ours | the `cel` crate: parse | ratio | evaluate: ours | the `cel` crate | ratio | allocations | budget | bytes |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (name, source, budget) in CONDITIONS {
        let parse = median_pair(
            || drop(black_box(expr::compile(source, Names::default()).unwrap())),
            || drop(black_box(cel::Program::compile(source).unwrap())),
            PER_ROUND / 20,
        );
        let Evaluation { ours, theirs, allocations } = evaluation(source);
        println!(
            "| {name} | {:.0} | {:.0} | {:.1} | {ours:.0} | {theirs:.0} | {:.1} | {allocations} | {budget} | {} |",
            parse.0,
            parse.1,
            parse.1 / parse.0,
            theirs / ours,
            bytes(source),
        );
        assert!(allocations <= budget, "{name} allocates more often than it may");
    }
}

/// What a compiled condition takes, its own text included.
fn bytes(source: &str) -> usize {
    let before = BYTES.load(Ordering::Relaxed);
    let program = Box::new(expr::compile(source, Names::default()).unwrap());
    let bytes = BYTES.load(Ordering::Relaxed) - before;
    drop(black_box(program));
    bytes
}

/// Nanoseconds of one evaluation by each, and how often ours allocates.
struct Evaluation {
    ours: f64,
    theirs: f64,
    allocations: usize,
}

fn evaluation(source: &str) -> Evaluation {
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
        assert_eq!(black_box(&program).holds(&scope).unwrap(), Some(true));
    };
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    ours();
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;

    let theirs = cel::Program::compile(source).unwrap();
    let mut context = cel::Context::default();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    context.add_variable("P", serde_json::json!({"id": "ada", "attr": json(PRINCIPAL)})).unwrap();
    context.add_variable("R", serde_json::json!({"id": "D-1", "attr": json(RESOURCE)})).unwrap();
    let (ours, theirs) =
        median_pair(ours, || assert_eq!(theirs.execute(&context).unwrap(), true.into()), PER_ROUND);
    Evaluation { ours, theirs, allocations }
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
