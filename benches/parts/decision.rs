//! The decisions of one call, from the parsed request to the evaluation.

use criterion::Criterion;

use crate::call::{Bench, SIZES};

pub(crate) fn decision(criterion: &mut Criterion) {
    let bench = Bench::open();
    let mut group = criterion.benchmark_group("decision");
    for (size, ..) in SIZES {
        group.bench_function(size, |bencher| bench.stage("decide", size, &mut |run| bencher.iter(run)));
    }
}
