//! The recorded answers of the real Cerbos, where the shared vectors are present.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Cases that need what is not evaluated yet: scopes and lenient scope search.
const NEED_SCOPES: &[&str] = &[
    "cel_eval/request/e01",
    "cel_eval/request/e02",
    "cel_eval/request/e04",
    "cel_eval/request/e05",
    "cel_eval/request/e06",
    "cel_eval/request/e07",
];

#[test]
fn recorded_answers_of_the_peer_are_reproduced() {
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/cerbos/run.py");
    if !runner.exists() {
        println!("skipped: the shared conformance vectors are not present");
        return;
    }
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: `python3` is not installed");
        return;
    }
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peer_conformance.json");
    // A report of an earlier run must never be judged.
    let _ = fs::remove_file(&report);
    let start = format!(
        "exec {} serve --config={{config}} --set=engine.onError=cerbos --data-dir={{tmp}}/data",
        env!("CARGO_BIN_EXE_procura")
    );
    let out = Command::new("python3")
        .arg(&runner)
        .args(["--start", &start, "--suite", "docs_cel", "--suite", "cel_eval", "-v", "--json"])
        .arg(&report)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&out.stdout);
    let results: Vec<Value> = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let failed: BTreeSet<&str> =
        results.iter().filter(|r| r["ok"] == false).map(|r| r["name"].as_str().unwrap()).collect();
    let expected: BTreeSet<&str> = NEED_SCOPES.iter().copied().collect();
    println!("{} passed, {} left out", results.len() - failed.len(), failed.len());
    assert!(results.len() > 150, "the vectors are incomplete:\n{log}");
    assert_eq!(failed, expected, "\n{log}");
}
