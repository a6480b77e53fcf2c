//! A changed file on disk, until the new set is live: read, compiled, kept in the archive, activated. Without the
//! quiet period and without the log.

use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion};
use procura::pap::{Archive, Disk};
use procura::pdp::{Cause, ReloadHandle, ReloadOutcome, ReloadParts, ReloadTiming};
use procura::telemetry::Metrics;
use procura_testkit::clock::SteppingClock;
use procura_testkit::temp_dir::TempDir;
use tokio::runtime::Runtime;

use crate::policies::policies;

pub(crate) fn reload(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("reload");
    for count in [100, 1000] {
        let dir = TempDir::new("bench-reload");
        let files = policies(count);
        for file in &files {
            dir.write(&format!("policies/{}", file.path), file.text.as_bytes());
        }
        let handle = runtime.block_on(async { ReloadHandle::start(parts(&dir), Arc::default()) }).unwrap();
        let activate = |cause| {
            let outcome = runtime.block_on(handle.reload(cause));
            assert!(matches!(outcome, ReloadOutcome::Activated { .. }), "{outcome:?}");
        };
        activate(Cause::Start);
        let changed = &files[0];
        let mut change = 0;
        group.sample_size(10);
        group.bench_function(BenchmarkId::new("one changed of", count), |bencher| {
            bencher.iter_batched(
                || {
                    change += 1;
                    let text = format!("{}# change {change}\n", &*changed.text);
                    dir.write(&format!("policies/{}", changed.path), text);
                },
                |()| activate(Cause::Admin),
                BatchSize::PerIteration,
            );
        });
    }
}

fn parts(dir: &TempDir) -> ReloadParts {
    ReloadParts {
        source: Arc::new(Disk::new(dir.path().join("policies"))),
        archive: Arc::new(Archive::new(dir.path().join("archive"))),
        log: None,
        clock: Arc::new(SteppingClock::default()),
        metrics: Arc::new(Metrics::new().unwrap()),
        timing: ReloadTiming { quiet: Duration::ZERO, poll: None, ..ReloadTiming::default() },
        tests: None,
        gate: None,
        give_back: || {},
    }
}
