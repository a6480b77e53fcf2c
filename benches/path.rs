//! The way of one call through the process, without sockets and disk: body bytes, decisions, answer bytes; and the
//! conditions E1 to E6 by themselves.
//!
//! `cargo bench --bench path` prints time and allocations of each stage for the sizes of call in `SIZES`;
//! `cargo bench --bench path -- STAGE SIZE COUNT` runs one stage that often and prints nothing, for a profiler:
//! the difference between two counts is what one call takes. The stage `evaluate` takes a condition instead of a size.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a command for people at a terminal"
)]

#[path = "common/call.rs"]
mod call;
#[path = "common/conditions.rs"]
mod conditions;
#[path = "common/counting.rs"]
mod counting;

use std::time::Instant;

use call::{Bench, SIZES, STAGES};
use conditions::CONDITIONS;
use counting::{Counting, allocations};
use mimalloc::MiMalloc;

const ROUNDS: usize = 15;
const PER_ROUND: u32 = 2_000;

/// The allocator of the server, counting.
#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting(MiMalloc);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let bench = Bench::open();
    if let [stage, size, count] = &arguments[..] {
        let count = count.parse().unwrap();
        stage_of(&bench, stage, size, &mut |run| (0..count).for_each(|_| run()));
        return;
    }
    println!("| call or condition | stage | ns | allocations |\n|---|---|---:|---:|");
    let calls = SIZES.iter().flat_map(|(size, ..)| STAGES.map(|stage| (stage, *size)));
    for (stage, size) in calls.chain(CONDITIONS.map(|(name, _)| ("evaluate", name))) {
        stage_of(&bench, stage, size, &mut |run| {
            let (ns, allocations) = measured(run);
            println!("| {size} | {stage} | {ns:.0} | {allocations} |");
        });
    }
}

/// Calls `run` with what the stage does once to a call of this size, or to this condition.
fn stage_of(bench: &Bench, stage: &str, size: &str, run: &mut dyn FnMut(&dyn Fn())) {
    match stage {
        "evaluate" => conditions::evaluation(size, run),
        _ => bench.stage(stage, size, run),
    }
}

/// Median nanoseconds of rounds, and the allocations of one run.
fn measured(run: &dyn Fn()) -> (f64, usize) {
    let mut rounds: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            (0..PER_ROUND).for_each(|_| run());
            started.elapsed().as_nanos() as f64 / f64::from(PER_ROUND)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    (rounds[ROUNDS / 2], allocations(run))
}
