//! The way of one call through the process, without sockets and disk: body bytes, decisions, answer bytes.
//!
//! `cargo bench --bench path` prints time and allocations of each stage for the sizes of call in `SIZES`;
//! `cargo bench --bench path -- STAGE SIZE COUNT` runs one stage that often and prints nothing, for a profiler:
//! the difference between two counts is what one call takes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a command for people at a terminal"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use procura::http::RequestLimits;
use procura::http::cerbos::{CheckCall, CheckResponse};
use procura_core::engine::{OnError, Settings, decide};
use procura_core::model::{Evaluation, Timestamp};
use procura_core::policy::{Snapshot, SourceFile, compile};
use serde_json::{Value, json};

/// Name, resources, actions and scope of the calls that are measured.
const SIZES: [(&str, usize, usize, &str); 4] =
    [("1x1", 1, 1, ""), ("1x4", 1, 4, ""), ("10x4", 10, 4, ""), ("scopes", 1, 4, "acme.hr")];
const STAGES: [&str; 4] = ["parse", "decide", "respond", "whole"];
const ROUNDS: usize = 15;
const PER_ROUND: u32 = 2_000;
const CALL_ID: &str = "0193a4c0-0000-7000-8000-000000000000";

#[global_allocator]
static ALLOCATOR: Counting = Counting;
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The allocator of the server, counting.
struct Counting;

#[expect(unsafe_code, reason = "an allocator cannot be written otherwise; every call goes on unchanged")]
// SAFETY: both functions forward to an allocator with the arguments they were given.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { mimalloc::MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` was allocated above with this layout.
        unsafe { mimalloc::MiMalloc.dealloc(at, layout) }
    }
}

struct Bench {
    snapshot: Snapshot,
    settings: Settings,
    limits: RequestLimits,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let store = std::env::var_os("PROCURA_BENCH_STORE").map(PathBuf::from);
    let store = store.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/store"));
    let bench = Bench::open(&store);
    if let [stage, size, count] = &arguments[..] {
        let body = body(size);
        bench.stage(stage, &body, &mut |run| (0..count.parse().unwrap()).for_each(|_| run()));
        return;
    }
    println!("| call | stage | ns | allocations |\n|---|---|---:|---:|");
    for (size, ..) in SIZES {
        let body = body(size);
        for stage in STAGES {
            bench.stage(stage, &body, &mut |run| {
                let (ns, allocations) = measured(run);
                println!("| {size} | {stage} | {ns:.0} | {allocations} |");
            });
        }
    }
}

impl Bench {
    fn open(store: &Path) -> Self {
        let mut files: Vec<_> = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let file = |path: &PathBuf| SourceFile {
            path: path.file_name().unwrap().to_str().unwrap().into(),
            text: fs::read_to_string(path).unwrap().into(),
        };
        let compiled = compile(&files.iter().map(file).collect::<Vec<_>>());
        let settings = Settings { on_error: OnError::Cerbos, ..Settings::default() };
        let snapshot = compiled.snapshot.unwrap_or_else(|| panic!("{:#?}", compiled.diagnostics));
        Self { snapshot, settings, limits: RequestLimits::default() }
    }

    /// Calls `run` with what the stage does once.
    fn stage(&self, stage: &str, body: &[u8], run: &mut dyn FnMut(&dyn Fn())) {
        let check = self.parse(body);
        let evaluation = self.decide(&check);
        match stage {
            "parse" => run(&|| drop(black_box(self.parse(black_box(body))))),
            "decide" => run(&|| drop(black_box(self.decide(black_box(&check))))),
            "respond" => run(&|| drop(black_box(respond(black_box(&check), black_box(&evaluation))))),
            "whole" => run(&|| {
                let check = self.parse(black_box(body));
                drop(black_box(respond(&check, &self.decide(&check))));
            }),
            _ => panic!("the stages are {STAGES:?}"),
        }
    }

    fn parse<'a>(&self, body: &'a [u8]) -> CheckCall<'a> {
        CheckCall::parse(body, &self.limits).unwrap()
    }

    fn decide(&self, check: &CheckCall<'_>) -> Evaluation {
        decide(&self.snapshot, &check.call.request, &self.settings, Timestamp::UNIX_EPOCH)
    }
}

fn respond(check: &CheckCall<'_>, evaluation: &Evaluation) -> Vec<u8> {
    CheckResponse::new(check, evaluation, CALL_ID).to_json().unwrap()
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
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    run();
    (rounds[ROUNDS / 2], ALLOCATIONS.load(Ordering::Relaxed) - before)
}

fn body(size: &str) -> Vec<u8> {
    let known = SIZES.iter().find(|(name, ..)| *name == size);
    let &(_, resources, actions, scope) = known.unwrap_or_else(|| panic!("the sizes are {SIZES:?}"));
    let actions = &["view", "create", "approve", "delete"][..actions];
    let resource = |n: usize| {
        let attr = json!({
            "owner": if n % 2 == 0 { "ada" } else { "bob" }, "department": "marketing", "geography": "GB",
            "id": format!("LR-{n}"), "team": "design", "locked": false, "status": "PENDING", "tags": [],
        });
        json!({"actions": actions, "resource": with_scope(json!(
            {"kind": "leave_request", "policyVersion": "default", "id": format!("LR-{n}"), "attr": attr}), scope)})
    };
    let principal = json!({
        "id": "ada", "policyVersion": "default", "roles": ["employee"],
        "attr": {"department": "marketing", "geography": "GB", "team": "design",
                 "manages": ["marketing", "finance"], "address": "10.20.5.5"},
    });
    let resources: Vec<_> = (0..resources).map(resource).collect();
    let request_id = "call-1";
    json!({"requestId": request_id, "includeMeta": false, "principal": with_scope(principal, scope), "resources": resources})
        .to_string()
        .into_bytes()
}

fn with_scope(mut value: Value, scope: &str) -> Value {
    if !scope.is_empty() {
        value["scope"] = scope.into();
    }
    value
}
