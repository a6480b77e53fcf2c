//! The policy sets that ship compile without a finding and pass the tests beside them.

use std::fs;
use std::path::{Path, PathBuf};

use procura_core::engine::{OnError, Settings};
use procura_core::policy::{self, SourceFile};
use procura_core::suite::{Filter, Outcome, Report, TestResult, run, run_covered};

const SETS: [&str; 4] = ["hr_leave", "saas_documents", "workloads", "agent_tools"];

fn failures(on_error: OnError) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let settings = Settings { on_error, ..Settings::default() };
    let mut failures = Vec::new();
    for set in SETS {
        let files = read(&root.join(set));
        let compiled = policy::compile(&files);
        let findings: Vec<String> = compiled.diagnostics.iter().map(policy::render).collect();
        assert!(findings.is_empty(), "{}", findings.join("\n"));
        let report = run(&files, &compiled.snapshot.unwrap(), &settings, &Filter::default());
        let unmet = unmet(&report);
        println!("{set}: {:?}", report.summary);
        assert!(report.summary.tests_count > 0, "{set} has no tests: {unmet:#?}");
        failures.extend(unmet);
    }
    failures
}

/// One line for each decision that is not as expected, and for each suite that could not be run.
fn unmet(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for suite in &report.suites {
        lines.extend(suite.error.iter().map(|error| format!("{}: {error}", suite.file)));
        for (test, principal, resource, action) in suite.decisions() {
            let details = &action.details;
            if details.result > TestResult::Passed {
                let at = [&test.name, &principal.name, &action.name, &resource.name].map(String::as_str);
                lines.push(format!("{}: {:?}", at.join(" / "), details.outcome));
            }
            assert!(!matches!(details.outcome, Outcome::SkipReason(_)), "{} is skipped", test.name);
        }
    }
    lines
}

fn read(dir: &Path) -> Vec<SourceFile> {
    let mut pending: Vec<PathBuf> = vec![dir.to_owned()];
    let mut files = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            files.push(SourceFile { path: name.into(), text: text.into() });
        }
    }
    files
}

#[test]
fn shipped_policies_pass_the_tests_beside_them() {
    assert_eq!(failures(OnError::Closed), Vec::<String>::new());
}

#[test]
fn shipped_tests_let_every_rule_apply_and_make_every_condition_true_and_false() {
    for set in SETS {
        let files = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(set));
        let snapshot = policy::compile(&files).snapshot.unwrap();
        let (_, coverage) = run_covered(&files, &snapshot, &Settings::default(), &Filter::default());
        let gaps: Vec<_> = coverage.files.iter().flat_map(|file| &file.gaps).collect();
        assert!(gaps.is_empty(), "{set}: {gaps:#?}");
        assert_eq!(coverage.percent(), 100);
        assert!(coverage.rules.total > 3 && coverage.conditions.total > 10, "{set}: {coverage:#?}");
    }
}

/// What the default is for: a deny rule that reads a missing attribute stops denying in the peer's semantics.
#[test]
fn the_peers_error_semantics_let_one_of_these_tests_fail_open() {
    let failures = failures(OnError::Cerbos);
    let [only] = failures.as_slice() else { panic!("{failures:#?}") };
    assert!(
        only.contains("a request without an employee is approved by nobody / hedy / approve / incomplete"),
        "{only}"
    );
}
