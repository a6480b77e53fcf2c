//! What is said about why decisions came out as they did: every text in `explanations/` is what the behaviour of that
//! name in the decision corpus yields, one line for each thing that is said. `UPDATE=1` writes the texts anew.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "the texts are files, and a setting asks to write them")]

use std::fs;
use std::path::Path;

use procura_core::engine::{decide, explain};
use procura_core::model::Timestamp;
use procura_core::policy::compile;
use procura_samples::corpus::{self, Behaviour};
use serde_json::Value;

#[test]
fn behaviours_yield_exactly_the_recorded_explanations() {
    let update = std::env::var_os("UPDATE").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explanations");
    let behaviours = corpus::behaviours();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let behaviour = behaviours.iter().find(|behaviour| behaviour.name == name);
        let told = told(behaviour.unwrap_or_else(|| panic!("{name} is no behaviour of the corpus")));
        if update {
            fs::write(&path, &told).unwrap();
        } else if fs::read_to_string(&path).unwrap() != told {
            wrong.push(format!("{name} differs, now:\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn told(behaviour: &Behaviour) -> String {
    let snapshot = compile(&behaviour.files()).snapshot.unwrap();
    let mut told = String::new();
    for case in &behaviour.cases {
        let body = case.body();
        let (request, settings) = (case.core_request(&body), case.settings());
        let explanation = explain(&snapshot, &request, &settings, Timestamp::UNIX_EPOCH);
        assert_eq!(explanation.evaluation, decide(&snapshot, &request, &settings, Timestamp::UNIX_EPOCH));
        told.push_str(&format!("# {}\n", case.name));
        add_lines(&mut told, 0, serde_json::to_value(&explanation).unwrap());
    }
    told
}

/// The thing itself, and in the lines below it the lists of things that belong to it.
fn add_lines(told: &mut String, depth: usize, mut thing: Value) {
    let indent = "  ".repeat(depth);
    let mut lists = Vec::new();
    for part in ["results", "derivedRoles", "actions", "rules", "opposite"] {
        let is_of_things = thing[part].get(0).is_some_and(Value::is_object);
        if is_of_things {
            lists.push((part, thing[part].take()));
        }
    }
    thing.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    told.push_str(&format!("{indent}{thing}\n"));
    for (part, list) in lists {
        told.push_str(&format!("{indent}{part}\n"));
        for thing in list.as_array().unwrap() {
            add_lines(told, depth + 1, thing.clone());
        }
    }
}
