//! A policy set, from its texts to a snapshot, on one thread of the caller.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use procura_core::policy;

use crate::policies::policies;

pub(crate) fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    for count in [5, 100, 1000] {
        group.throughput(Throughput::Elements(count as u64)).sample_size(10);
        group.bench_function(BenchmarkId::new("policies", count), |bencher| {
            bencher.iter_batched(
                // Anew each time, because a text remembers its hash.
                || policies(count),
                |files| {
                    let compiled = policy::compile(black_box(&files));
                    assert!(compiled.snapshot.is_some(), "{:#?}", compiled.diagnostics);
                    compiled
                },
                BatchSize::PerIteration,
            );
        });
    }
}
