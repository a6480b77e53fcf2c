//! The body of a call, from bytes to the request.

use criterion::Criterion;

use crate::call::{Bench, SIZES};

pub(crate) fn parse(criterion: &mut Criterion) {
    let bench = Bench::open();
    let mut group = criterion.benchmark_group("parse");
    for (size, ..) in SIZES {
        group.bench_function(size, |bencher| bench.stage("parse", size, &mut |run| bencher.iter(run)));
    }
}
