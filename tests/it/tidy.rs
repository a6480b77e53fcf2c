//! Rules about the tree that no compiler checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Most lines of code in one file; tests, comments and blank lines are not counted.
const MAX_CODE_LINES: usize = 400;

/// What each module of the server may import from its siblings.
const SERVER_EDGES: &[(&str, &[&str])] = &[
    ("ports", &[]),
    ("telemetry", &[]),
    ("durable", &[]),
    ("config", &["ports", "telemetry"]),
    ("pap", &["durable", "ports", "telemetry"]),
    ("audit", &["durable", "ports", "telemetry"]),
    ("pdp", &["ports", "telemetry"]),
    ("http", &["pdp", "ports", "telemetry"]),
    ("cli", &["audit", "config", "http", "pap", "pdp", "ports", "telemetry"]),
];

/// What each module of the core may import from its siblings.
const CORE_EDGES: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("value", &["limits"]),
    ("model", &["value", "limits"]),
    ("expr", &["value", "limits", "model"]),
    ("policy", &["value", "limits", "model", "expr"]),
    ("engine", &["value", "limits", "model", "expr", "policy"]),
    ("record", &["value", "limits", "model", "policy", "engine"]),
];

/// Each risky dependency and the only files that may name it.
const SOLE_IMPORTERS: &[(&str, &[&str])] = &[
    ("serde_saphyr", &["crates/core/src/policy/yaml.rs", "src/config/file.rs", "crates/testkit/src/yaml.rs"]),
    ("prometheus", &["src/telemetry/metrics.rs"]),
    ("notify", &["src/pap/watch.rs"]),
];

/// Crates that would give the core a runtime, files, a network, a clock or randomness.
const BANNED_IN_CORE: &[&str] = &[
    "tokio",
    "axum",
    "hyper",
    "mio",
    "notify",
    "socket2",
    "getrandom",
    "rand",
    "fastrand",
    "chrono",
    "time",
    "uuid",
    "tracing",
    "tempfile",
    "reqwest",
    "rusqlite",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![root().join(dir)];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn all_rust_files() -> Vec<PathBuf> {
    ["src", "crates", "tests", "benches", "examples"].into_iter().flat_map(rust_files).collect()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

/// The file without its test module and without comments.
fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.trim_start().starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
}

fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

#[test]
fn arrows_point_inwards() {
    let mut wrong = Vec::new();
    for (dir, edges) in [("src", SERVER_EDGES), ("crates/core/src", CORE_EDGES)] {
        for file in rust_files(dir) {
            let path = relative(&file);
            let inner = path.strip_prefix(dir).unwrap().trim_start_matches('/');
            let module = inner.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            let Some((_, allowed)) = edges.iter().find(|(name, _)| *name == module) else {
                assert!(
                    ["lib", "main"].contains(&module.as_str()),
                    "`{path}`: add `{module}` to the table of edges"
                );
                continue;
            };
            if is_test_file(&path) {
                continue;
            }
            for target in imported_modules(&fs::read_to_string(&file).unwrap()) {
                let known = edges.iter().any(|(name, _)| *name == target);
                if known && target != module && !allowed.contains(&target.as_str()) {
                    wrong.push(format!("{path} imports `{target}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "against the direction of the arrows:\n{}", wrong.join("\n"));
}

/// The names that follow `crate::` in code, also inside `use crate::{a, b::c}`.
fn imported_modules(text: &str) -> BTreeSet<String> {
    let code = code_lines(text).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        if let Some(group) = after.strip_prefix('{') {
            let mut depth = 1;
            let mut word = String::new();
            let mut at_start = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
                if depth == 1 && c == ',' {
                    at_start = true;
                } else if at_start && (c.is_alphanumeric() || c == '_') {
                    word.push(c);
                } else if !word.is_empty() {
                    found.insert(std::mem::take(&mut word));
                    at_start = false;
                }
            }
            if !word.is_empty() {
                found.insert(word);
            }
        } else {
            found.insert(after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

#[test]
fn files_are_short() {
    let long: Vec<String> = all_rust_files()
        .iter()
        .filter(|path| !is_test_file(&relative(path)))
        .map(|path| (code_lines(&fs::read_to_string(path).unwrap()).count(), relative(path)))
        .filter(|(lines, _)| *lines > MAX_CODE_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines of code"))
        .collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

#[test]
fn nothing_is_left_over() {
    let markers =
        ["TO", "FIX", "XX", "HA"].into_iter().zip(["DO", "ME", "X", "CK"]).map(|(a, b)| format!("{a}{b}"));
    let markers: Vec<String> =
        markers.chain([format!("#[ig{}", "nore"), format!("#[should_{}", "panic")]).collect();
    for path in all_rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        for marker in &markers {
            assert!(!text.contains(marker.as_str()), "`{}` contains `{marker}`", relative(&path));
        }
    }
}

#[test]
fn risky_dependencies_are_imported_in_one_place() {
    for path in all_rust_files() {
        let name = relative(&path);
        let text = fs::read_to_string(&path).unwrap();
        for (dependency, owners) in SOLE_IMPORTERS {
            let names_it = code_lines(&text).any(|l| {
                l.contains(&format!("use {dependency}::"))
                    || l.contains(&format!(" {dependency}::"))
                    || l.contains(&format!("<{dependency}::"))
            });
            let owned = owners.contains(&name.as_str()) || name == "tests/it/tidy.rs";
            assert!(!names_it || owned, "`{name}` names `{dependency}`, which only {owners:?} may do");
        }
    }
}

#[test]
fn the_core_depends_on_no_runtime_file_network_clock_or_random_crate() {
    let out = Command::new(env!("CARGO"))
        .args(["tree", "-p", "procura-core", "-e", "normal", "--prefix", "none", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let tree = String::from_utf8(out.stdout).unwrap();
    let names: BTreeSet<&str> = tree.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert!(names.contains("procura-core"), "{tree}");
    let banned: Vec<_> = BANNED_IN_CORE.iter().filter(|b| names.contains(**b)).collect();
    assert!(banned.is_empty(), "the core must not depend on {banned:?}");
}

#[test]
fn every_invariant_names_an_existing_test() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let tests: String = all_rust_files().iter().map(|p| fs::read_to_string(p).unwrap()).collect();
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
fn every_path_in_the_architecture_exists() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let quoted = architecture.split('`').skip(1).step_by(2);
    let paths: Vec<&str> =
        quoted.filter(|word| word.starts_with("src/") || word.starts_with("crates/")).collect();
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        assert!(root().join(path).exists(), "ARCHITECTURE.md names `{path}`, which does not exist");
    }
}

#[test]
fn every_decision_that_is_hard_to_undo_is_listed() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for entry in fs::read_dir(root().join("docs/adr")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(architecture.contains(&name), "ARCHITECTURE.md does not link `docs/adr/{name}`");
    }
}
