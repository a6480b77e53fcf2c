//! One decision in the process: ours, Cedar's and Rego's about the same leave request, with everything that can be
//! prepared prepared: policies, request or input, entities.
//!
//! `cargo run --release` in `benches/peers` prints medians of rounds in which the engines take turns; all of them must
//! give the same answers first.

mod engines;
mod questions;

use std::hint::black_box;
use std::time::Instant;

use engines::Engine;
use questions::{QUESTIONS, Question};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 21;
const PER_ROUND: u32 = 2_000;

fn main() {
    let mut engines: [Box<dyn Engine>; 3] =
        [Box::new(engines::Ours::new()), Box::new(engines::Cedar::new()), Box::new(engines::Rego::new())];
    for (number, question) in QUESTIONS.iter().enumerate() {
        let answers: Vec<bool> = engines.iter_mut().map(|engine| engine.is_allowed(number)).collect();
        assert_eq!(answers, vec![question.allowed; engines.len()], "{question:?}");
    }
    println!("ns for one decision, medians of {ROUNDS} rounds of {PER_ROUND}\n");
    println!("| question | ours | `cedar-policy` | `regorus` |\n|---|---:|---:|---:|");
    let mut sums = vec![0.0; engines.len()];
    for (number, Question { roles, action, status, .. }) in QUESTIONS.iter().enumerate() {
        let medians = medians(&mut engines, number);
        println!("| {action} {status} as {} |{}", roles.join(" and "), cells(&medians));
        sums.iter_mut().zip(&medians).for_each(|(sum, median)| *sum += median / QUESTIONS.len() as f64);
    }
    println!("| all |{}", cells(&sums));
}

/// Of each engine the median nanoseconds that it takes for this question.
fn medians(engines: &mut [Box<dyn Engine>], question: usize) -> Vec<f64> {
    let mut rounds = vec![Vec::with_capacity(ROUNDS); engines.len()];
    for _ in 0..ROUNDS {
        for (engine, times) in engines.iter_mut().zip(&mut rounds) {
            let started = Instant::now();
            for _ in 0..PER_ROUND {
                black_box(engine.is_allowed(black_box(question)));
            }
            times.push(started.elapsed().as_nanos() as f64 / f64::from(PER_ROUND));
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    };
    rounds.into_iter().map(median).collect()
}

fn cells(values: &[f64]) -> String {
    values.iter().map(|value| format!(" {value:.0} |")).collect()
}
