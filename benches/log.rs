//! What the decision log costs, without a server: to encode a record, to queue, chain and write it in `async` mode, and
//! the rate and latency of receipts in `durable` mode.
//!
//! `cargo bench --bench log` measures all of it, on the disk of `PROCURA_BENCH_DIR` (the temporary directory if unset);
//! `cargo bench --bench log -- encode COUNT` only encodes, and prints nothing, for a profiler.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a command for people at a terminal"
)]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use procura::audit::{DirFiles, Log, LogSettings};
use procura::http::RequestLimits;
use procura::http::cerbos::CheckCall;
use procura::ports::{Clock, DecisionLog, Durability, LogError, NewRecord};
use procura::telemetry::Metrics;
use procura_core::engine::{OnError, Settings, decide};
use procura_core::model::{Evaluation, Timestamp};
use procura_core::policy::{SourceFile, compile};
use procura_core::record::{Basis, Call, CallRecord, Caller, EncodedBasis, Vouchers};

const BODY: &str = r#"{"requestId": "call-1", "principal": {"id": "ada", "policyVersion": "default", "roles": ["employee"],
    "attr": {"department": "marketing", "geography": "GB", "team": "design", "manages": ["marketing", "finance"]}},
    "resources": [{"actions": ["view", "create", "approve", "delete"], "resource": {"kind": "leave_request",
    "policyVersion": "default", "id": "LR-1", "attr": {"owner": "ada", "department": "marketing", "geography": "GB",
    "id": "LR-1", "team": "design", "locked": false, "status": "PENDING", "tags": []}}}]}"#;
const ENCODED: u32 = 20_000;
const WRITTEN: u32 = 200_000;
const ROUNDS: usize = 5;
const SECONDS: u64 = 3;

/// A call that was decided.
struct Decided<'a> {
    check: CheckCall<'a>,
    evaluation: Evaluation,
    basis: EncodedBasis,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let decided = Decided::new();
    if let [_, count] = &arguments[..] {
        return (0..count.parse().unwrap()).for_each(|_| drop(black_box(decided.record())));
    }
    let bytes = decided.record().payload.len();
    println!("a record of 1 resource x 4 actions has {bytes} bytes\n\n| what | result |\n|---|---|");
    println!("| encode | {:.0} ns |", median(|| decided.encode()));
    println!(
        "| queue, chain, write (`async`) | {:.2} us of processor a record |",
        median(|| decided.write())
    );
    for callers in [1, 32, 256] {
        println!("| `durable`, {callers} at once | {} |", decided.receipts(callers));
    }
}

impl Decided<'_> {
    fn new() -> Self {
        let limits = RequestLimits::default();
        let settings = Settings { on_error: OnError::Cerbos, ..Settings::default() };
        let check = CheckCall::parse(BODY.as_bytes(), &limits).unwrap();
        let mut files: Vec<_> =
            fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/store")).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().path());
        let file = |file: fs::DirEntry| SourceFile {
            path: file.file_name().to_str().unwrap().into(),
            text: fs::read_to_string(file.path()).unwrap().into(),
        };
        let files: Vec<_> = files.into_iter().map(|entry| file(entry.unwrap())).collect();
        let snapshot = compile(&files).snapshot.unwrap();
        let evaluation = decide(&snapshot, &check.call.request, &settings, Timestamp::UNIX_EPOCH);
        let basis = EncodedBasis::new(&Basis {
            standing: procura_core::engine::Standing::default(),
            engine: "0.1.0".into(),
            policy_revision: snapshot.revision.as_str().into(),
            policy_generation: 1,
            on_error: settings.on_error.as_str().into(),
            default_policy_version: settings.default_policy_version.into(),
            default_scope: settings.default_scope.into(),
            lenient_scope_search: false,
            strict_evaluation: false,
            schema_enforcement: settings.schema_enforcement.as_str().into(),
            globals: std::borrow::Cow::Owned(settings.globals),
            durability: "async".into(),
        });
        Self { check, evaluation, basis }
    }

    fn record(&self) -> NewRecord {
        let call = Call {
            id: "0193a4c0-0000-7000-8000-000000000000".into(),
            request_id: Some("call-1".into()),
            api: "check_resources".into(),
            caller: Caller { address: Some("127.0.0.1:50000".into()), ..Caller::default() },
            ..Call::default()
        };
        let at = Now.now();
        let record = CallRecord {
            at,
            call: &call,
            basis: &self.basis,
            request: &self.check.call.request,
            vouchers: &Vouchers::default(),
            evaluation: &self.evaluation,
        };
        NewRecord { at, payload: record.encode().unwrap() }
    }

    /// Nanoseconds to encode a record.
    fn encode(&self) -> f64 {
        let started = Instant::now();
        (0..ENCODED).for_each(|_| drop(black_box(self.record())));
        started.elapsed().as_nanos() as f64 / f64::from(ENCODED)
    }

    /// Microseconds of processor to queue, chain and write a record; its encoding is not counted.
    fn write(&self) -> f64 {
        let directory = Directory::new();
        let (log, _) = directory.open(Durability::Async);
        let encoding = {
            let before = processor();
            (0..WRITTEN).for_each(|_| drop(black_box(self.record())));
            processor() - before
        };
        let before = processor();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..WRITTEN {
                while let Err(error) = log.append(self.record()).await {
                    assert!(matches!(error, LogError::Overloaded), "{error}");
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        log.close();
        (processor() - before).saturating_sub(encoding).as_nanos() as f64 / 1e3 / f64::from(WRITTEN)
    }

    /// Rate and latency of receipts when so many callers write, each one record after the other.
    fn receipts(&self, callers: usize) -> String {
        let directory = Directory::new();
        let (log, metrics) = directory.open(Durability::Durable);
        let payload = self.record().payload;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let started = Instant::now();
        let mut took: Vec<Duration> = runtime.block_on(async {
            let tasks: Vec<_> = (0..callers)
                .map(|_| {
                    let (log, payload) = (Arc::clone(&log), payload.clone());
                    tokio::spawn(async move {
                        let mut took = Vec::new();
                        while started.elapsed() < Duration::from_secs(SECONDS) {
                            let before = Instant::now();
                            log.append(NewRecord { at: Now.now(), payload: payload.clone() }).await.unwrap();
                            took.push(before.elapsed());
                        }
                        took
                    })
                })
                .collect();
            let mut all = Vec::new();
            for task in tasks {
                all.extend(task.await.unwrap());
            }
            all
        });
        took.sort_unstable();
        let rate = took.len() as f64 / started.elapsed().as_secs_f64();
        let at = |share: usize| took[took.len() * share / 100].as_secs_f64() * 1e3;
        let page = metrics.render();
        let writes =
            page.lines().find_map(|line| line.strip_prefix("procura_log_batch_records_count ")).unwrap();
        let share = took.len() as f64 / writes.parse::<f64>().unwrap();
        format!("{rate:.0} records/s, p50 {:.2} ms, p99 {:.2} ms, {share:.1} records a sync", at(50), at(99))
    }
}

/// A directory for one log, removed afterwards.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let top = std::env::var_os("PROCURA_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        Self(top.join(format!("procura-bench-log-{}", std::process::id())))
    }

    fn open(&self, durability: Durability) -> (Arc<Log>, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new().unwrap());
        let settings = LogSettings { durability, ..LogSettings::default() };
        let files = Arc::new(DirFiles::open(&self.0).unwrap());
        (Log::open(files, &settings, Arc::new(Now), Arc::clone(&metrics)).unwrap().0, metrics)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The clock of the system.
struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_nanosecond(i128::try_from(since.as_nanos()).unwrap()).unwrap()
    }
}

/// Processor time of this process so far.
fn processor() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn median(mut run: impl FnMut() -> f64) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| run()).collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
