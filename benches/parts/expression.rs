//! Conditions: made from their text, and evaluated.

use std::hint::black_box;

use criterion::Criterion;
use procura_core::expr::{self, Names};

use crate::conditions::{CONDITIONS, evaluation};

pub(crate) fn expression(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("expression");
    for (name, source) in CONDITIONS {
        group.bench_function(format!("compile {name}"), |bencher| {
            bencher.iter(|| expr::compile(black_box(source), Names::default()).unwrap());
        });
        group.bench_function(format!("evaluate {name}"), |bencher| {
            evaluation(name, &mut |run| bencher.iter(run));
        });
    }
}
