//! Conditions E1 to E6: this evaluator beside that of the `cel` crate, parsing and evaluation apart.
//!
//! `cargo bench --bench expressions` prints medians of rounds in which the two take turns; trust the ratios. It fails if
//! an evaluation allocates more often than its condition may, and says how many bytes a compiled condition takes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a command for people at a terminal"
)]

#[path = "common/conditions.rs"]
mod conditions;
#[path = "common/counting.rs"]
mod counting;

use std::alloc::System;
use std::hint::black_box;
use std::sync::atomic::Ordering;
use std::time::Instant;

use conditions::{CONDITIONS, PRINCIPAL, RESOURCE, evaluation};
use counting::{BYTES, Counting, allocations};
use procura_core::expr::{self, Names};

const ROUNDS: usize = 21;
const PER_ROUND: u32 = 2_000;

/// The condition whose evaluation may allocate, once: a macro in it introduces a variable.
const ALLOCATES: &str = "E5";

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting(System);

fn main() {
    println!("ns, medians of {ROUNDS} rounds of {PER_ROUND}");
    println!(
        "| condition | parse and compile: ours | the `cel` crate: parse | ratio | evaluate: ours | the `cel` crate | ratio | allocations | budget | bytes |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (name, source) in CONDITIONS {
        let budget = usize::from(name == ALLOCATES);
        let parse = median_pair(
            || drop(black_box(expr::compile(source, Names::default()).unwrap())),
            || drop(black_box(cel::Program::compile(source).unwrap())),
            PER_ROUND / 20,
        );
        let Evaluation { ours, theirs, allocations } = measured(name, source);
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

fn measured(name: &str, source: &str) -> Evaluation {
    let theirs = cel::Program::compile(source).unwrap();
    let mut context = cel::Context::default();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    context.add_variable("P", serde_json::json!({"id": "ada", "attr": json(PRINCIPAL)})).unwrap();
    context.add_variable("R", serde_json::json!({"id": "D-1", "attr": json(RESOURCE)})).unwrap();
    let theirs = || assert_eq!(theirs.execute(&context).unwrap(), true.into());
    let mut found = Evaluation { ours: 0.0, theirs: 0.0, allocations: 0 };
    evaluation(name, &mut |ours| {
        found.allocations = allocations(ours);
        (found.ours, found.theirs) = median_pair(ours, theirs, PER_ROUND);
    });
    found
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
