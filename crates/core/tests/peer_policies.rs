//! The peer's policy files: what it refuses we refuse, what it accepts we accept, unless listed with a reason.
//!
//! The files lie beside the repository, or where `PROCURA_CONFORMANCE` says; without them the tests say so and
//! pass.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "the policies are files, and a setting says where")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use procura_core::policy::{Code, Compiled, Severity, SourceFile, compile, render};

#[test]
fn stores_of_the_peer_compile() {
    let Some(root) = conformance() else { return };
    let stores = [
        "docs_cel",
        "cel_eval",
        "cel_eval_any",
        "cel_eval_none",
        "cel_eval_request",
        "probe",
        "query_planner",
    ];
    for store in stores {
        let compiled = compile(&directory(&root.join("stores").join(store)));
        assert!(compiled.snapshot.is_some(), "{store}:\n{}", text(&compiled));
    }
}

#[test]
fn stores_that_need_more_are_refused_for_that_reason_only() {
    let Some(root) = conformance() else { return };
    for store in ["main", "schema_cases"] {
        let compiled = compile(&directory(&root.join("stores").join(store)));
        assert!(needs_more(&compiled), "{store}:\n{}", text(&compiled));
    }
}

#[test]
fn cases_of_the_peer_are_judged_alike() {
    let Some(root) = conformance() else { return };
    let suites = [
        "parser_negative",
        "parser_positive",
        "index_negative",
        "index_positive",
        "compile_negative",
        "compile_positive",
        "probe_policy_validation",
        "policy_formats",
    ];
    let mut wrong = Vec::new();
    for path in suites.iter().flat_map(|suite| entries(&root.join("compile").join(suite))) {
        let case: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let files: BTreeMap<String, String> = serde_json::from_value(case["files"].clone()).unwrap();
        let files: Vec<_> = files.iter().map(|(path, text)| file(path, text)).collect();
        let compiled = compile(&files);
        let accepted_by_peer = case["expected"]["exit_code"] == 0;
        let accepted = compiled.snapshot.is_some();
        let alike = accepted == accepted_by_peer || (accepted_by_peer && needs_more(&compiled));
        if !alike {
            wrong.push(format!(
                "{}: accepted by peer: {accepted_by_peer}\n{}",
                path.display(),
                text(&compiled)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the set is refused, and only for what is not evaluated yet.
fn needs_more(compiled: &Compiled) -> bool {
    let mut errors = compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    compiled.snapshot.is_none() && errors.all(|error| error.code == Code::NotEvaluatedYet)
}

fn text(compiled: &Compiled) -> String {
    compiled.diagnostics.iter().map(render).collect()
}

fn directory(root: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(entries(&path));
        } else {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.push(file(&name, &fs::read_to_string(&path).unwrap()));
        }
    }
    files
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.into(), text: text.into() }
}

fn conformance() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let root = std::env::var_os("PROCURA_CONFORMANCE").map_or(beside, PathBuf::from).join("cerbos");
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no conformance corpus at {}", root.display());
    None
}
