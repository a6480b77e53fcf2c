//! What the documents name exists.

use std::fs;

use crate::tidy::{all_rust_files, root, rust_files};

#[test]
fn every_invariant_names_an_existing_test() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let tests = all_code();
    let invariants: Vec<&str> = architecture.lines().filter(|l| l.starts_with("- **")).collect();
    assert!(invariants.len() >= 10, "ARCHITECTURE.md lists its invariants as lines that begin with `- **`");
    for line in invariants {
        let (_, named) = line.rsplit_once("— ").unwrap_or_else(|| panic!("no test named in: {line}"));
        let mut any = false;
        for name in named.split('`').skip(1).step_by(2) {
            any = true;
            assert!(
                tests.contains(&format!("fn {name}(")),
                "`{name}` does not exist, but is named in: {line}"
            );
        }
        assert!(any, "no test named in: {line}");
    }
}

#[test]
fn every_test_that_an_adr_or_a_page_about_security_names_exists() {
    let pages = ["docs/threat-model.md", "docs/reference/strangers.md", "docs/reference/conformance-ssf.md"];
    let names_tests = |document: &str| document.starts_with("docs/adr/") || pages.contains(&document);
    let tests = all_code();
    let mut named = 0;
    for (document, text) in documents().iter().filter(|(document, _)| names_tests(document)) {
        for name in quoted(text).filter(|word| is_test_name(word)) {
            named += 1;
            assert!(
                tests.contains(&format!("fn {name}(")),
                "{document} names the test `{name}`, which does not exist"
            );
        }
    }
    assert!(named > 50, "these documents name only {named} tests");
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut named = 0;
    for (document, text) in &documents() {
        for path in quoted(text).filter(|word| is_path(word)) {
            named += 1;
            assert!(root().join(path).exists(), "{document} names `{path}`, which does not exist");
        }
    }
    assert!(named > 20, "the documents name only {named} paths");
}

#[test]
fn every_decision_that_is_hard_to_undo_is_listed() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for entry in fs::read_dir(root().join("docs/adr")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(architecture.contains(&name), "ARCHITECTURE.md does not link `docs/adr/{name}`");
    }
}

/// The documents, by their path from the root.
fn documents() -> Vec<(String, String)> {
    let mut names =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned).to_vec();
    let mut pending = vec!["docs".to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true => pending.push(name),
                false if name.ends_with(".md") => names.push(name),
                false => {}
            }
        }
    }
    names.into_iter().map(|name| (name.clone(), fs::read_to_string(root().join(&name)).unwrap())).collect()
}

fn all_code() -> String {
    let foreign = ["interop/src", "interop/tests"].into_iter().flat_map(rust_files);
    all_rust_files().into_iter().chain(foreign).map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// What stands between backticks within one line.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// A convention of these documents: an identifier of at least three words is the name of a test.
fn is_test_name(word: &str) -> bool {
    let is_identifier = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    is_identifier && word.matches('_').count() >= 2
}

/// Whether `word` is a path of this repository, and not a pattern or a command.
fn is_path(word: &str) -> bool {
    let roots = ["src/", "crates/", "tests/", "docs/", "examples/", "interop/"];
    roots.iter().any(|root| word.starts_with(root)) && !word.contains(['*', '<', '{', ' '])
}
