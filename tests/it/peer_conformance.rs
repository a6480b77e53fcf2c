//! The recorded answers of the real Cerbos, where the shared vectors are present.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What a running server is asked.
const ANSWERS: &[&str] = &[
    "engine*",
    "cel_eval",
    "docs_cel",
    "schema_*",
    "server_checks",
    "probe",
    "probe_default_*",
    "probe_lenient",
    "probe_strict",
];

/// Directories that `procura compile` is given.
const COMPILED: &[&str] = &[
    "compile_*",
    "index_*",
    "parser_*",
    "policy_formats",
    "probe_expr_typecheck",
    "probe_policy_validation",
    "test_framework",
];

/// What is not served yet: query plans, and several AuthZEN evaluations in one request.
const NOT_SERVED: &[&str] = &["/api/plan/resources", "/access/v1/evaluations"];

/// Also what its decision log tells of them.
#[test]
fn recorded_answers_of_the_peer_are_reproduced() {
    let binary = env!("CARGO_BIN_EXE_procura");
    let start = format!(
        "exec {binary} serve --config={{config}} --set=engine.onError=cerbos --data-dir={{tmp}}/data"
    );
    let arguments = ["--start", &start].into_iter();
    let not_served = NOT_SERVED.iter().flat_map(|path| ["--not-endpoint", path]);
    let arguments = arguments.chain(not_served).chain(["--audit"]).collect();
    reproduces("answers", ANSWERS, arguments, 718);
}

#[test]
fn recorded_results_of_compiling_are_reproduced() {
    let compile = format!("{} compile {{args}} -o json {{dir}}", env!("CARGO_BIN_EXE_procura"));
    reproduces("compiled", COMPILED, vec!["--compile-cmd", &compile], 150);
}

/// Plays every case of `suites` and fails on the first report that has a difference or fewer cases than `least`.
fn reproduces(name: &str, suites: &[&str], arguments: Vec<&str>, least: usize) {
    let Some(runner) = runner() else { return };
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("peer_{name}.json"));
    // A report of an earlier run must never be judged.
    let _ = fs::remove_file(&report);
    let out = Command::new("python3")
        .arg(&runner)
        .args(suites.iter().flat_map(|suite| ["--suite", suite]))
        .args(arguments)
        .args(["-v", "--json"])
        .arg(&report)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&out.stdout);
    let results: Vec<Value> = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let failed: BTreeSet<&str> =
        results.iter().filter(|r| r["ok"] == false).map(|r| r["name"].as_str().unwrap()).collect();
    println!("{} of {} reproduced", results.len() - failed.len(), results.len());
    assert!(results.len() >= least, "the vectors are incomplete:\n{log}");
    assert!(failed.is_empty(), "{failed:?}\n{log}");
}

/// The program that plays the cases; nothing if that cannot be.
fn runner() -> Option<PathBuf> {
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/cerbos/run.py");
    if !runner.exists() {
        println!("skipped: the shared conformance vectors are not present");
        return None;
    }
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: `python3` is not installed");
        return None;
    }
    Some(runner)
}
