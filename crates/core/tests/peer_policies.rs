//! The peer's policy files: what it refuses we refuse, what it accepts we accept, unless listed with a reason.
//!
//! The files lie beside the repository, or where `PROCURA_CONFORMANCE` says; without them the tests say so and
//! pass.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "the policies are files, and a setting says where")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use procura_core::policy::{Code, Compiled, SourceFile, Subject, compile, render};
use procura_samples::peer_corpus::{conformance, entries, file};

#[test]
fn stores_of_the_peer_compile() {
    let Some(root) = conformance() else { return };
    let stores = [
        "docs_cel",
        "cel_eval",
        "cel_eval_any",
        "cel_eval_none",
        "cel_eval_request",
        "main",
        "probe",
        "query_planner",
        "schema_cases",
    ];
    for store in stores {
        let compiled = compile(&directory(&root.join("stores").join(store)));
        assert!(compiled.snapshot.is_some(), "{store}:\n{}", text(&compiled));
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
        if accepted(&compiled) != accepted_by_peer && !holds_an_empty_file(&compiled) {
            wrong.push(format!(
                "{}: accepted by peer: {accepted_by_peer}\n{}",
                path.display(),
                text(&compiled)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the peer's `compile` would take the set: it also refuses schemas that its server starts with.
fn accepted(compiled: &Compiled) -> bool {
    let has_unusable_schema = compiled.diagnostics.iter().any(|found| found.code == Code::UnusableSchema);
    compiled.snapshot.is_some() && !has_unusable_schema
}

/// Whether a file is without a policy, which is refused here and nothing to the peer.
fn holds_an_empty_file(compiled: &Compiled) -> bool {
    compiled.diagnostics.iter().any(|found| found.subject == Some(Subject::EmptyFile))
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
