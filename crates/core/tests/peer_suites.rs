//! The peer's policy tests: the report is the peer's, word for word, unless listed with a reason.
//!
//! The files lie beside the repository, or where `PROCURA_CONFORMANCE` says; without them the tests say so and
//! pass.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "the suites are files, and a setting says where")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use procura_core::engine::{OnError, SchemaEnforcement, Settings};
use procura_core::policy::{SourceFile, compile};
use procura_core::suite::{Filter, run};
use procura_samples::peer_corpus::{conformance, entries, file};
use serde_json::{Map, Value};

#[test]
fn suites_of_the_peer_have_its_results() {
    let Some(root) = conformance() else { return };
    let on_error = OnError::Cerbos;
    let schema_enforcement = SchemaEnforcement::Reject;
    let settings = Settings { on_error, schema_enforcement, ..Settings::default() };
    let (mut passed, mut wrong) = (0, Vec::new());
    for path in entries(&root.join("compile/test_framework")) {
        let case: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let name = case["name"].as_str().unwrap();
        let mut files = case["base_store"].as_str().map_or_else(Vec::new, |store| policies(&root, store));
        let own: BTreeMap<String, String> = serde_json::from_value(case["files"].clone()).unwrap();
        files.extend(own.iter().map(|(path, text)| file(path, text)));
        let compiled = compile(&files);
        let Some(snapshot) = compiled.snapshot else {
            panic!("{name} does not compile: {:?}", compiled.diagnostics);
        };
        let report = run(&files, &snapshot, &settings, &Filter::default());
        let ours = comparable(serde_json::to_value(&report).unwrap());
        let theirs = comparable(case["expected"]["test_results"].clone());
        if ours == theirs {
            passed += 1;
        } else {
            wrong.push(format!("{name}\n  ours:   {ours}\n  theirs: {theirs}"));
        }
    }
    println!("{passed} passed, {} failed", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Traces and reasons for skipping are free, and so is the order of outputs.
fn comparable(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let free =
                |key: &String| matches!(key.as_str(), "skipReason" | "engineTrace" | "engineTraceBatch");
            let entry = |(key, value): (String, Value)| {
                let mut value = comparable(value);
                if let (true, Value::Array(outputs)) = (key == "outputs", &mut value) {
                    outputs.sort_by_key(Value::to_string);
                }
                (key, value)
            };
            Value::Object(map.into_iter().filter(|(key, _)| !free(key)).map(entry).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(comparable).collect()),
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        other => other,
    }
}

/// The policies of a store without its tests.
fn policies(root: &Path, store: &str) -> Vec<SourceFile> {
    let root = root.join("stores").join(store);
    let mut files = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(path) = open.pop() {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            open.extend(
                entries(&path)
                    .into_iter()
                    .filter(|path| !path.ends_with("testdata") && !path.ends_with("tests")),
            );
        } else if !name.ends_with("_test.yaml") {
            files.push(file(&name, &fs::read_to_string(&path).unwrap()));
        }
    }
    files
}
