//! Findings as SARIF 2.1.0 (OASIS), with a place for each.

use std::path::Path;

use procura_core::model::Effect;
use procura_core::policy::{Diagnostic, Position, Severity};
use procura_core::suite::{ActionCase, Coverage, Failure, Outcome, Report, SuiteReport};
use serde_json::{Value, json};

use super::coverage;
use crate::cli::explanation;

/// One result of a SARIF run.
#[derive(Debug)]
pub(super) struct Finding {
    rule: &'static str,
    level: &'static str,
    message: String,
    position: Position,
}

impl Finding {
    fn new(rule: &'static str, level: &'static str, message: &str, position: &Position) -> Self {
        Self { rule, level, message: message.to_owned(), position: position.clone() }
    }

    fn result(&self, directory: &Path) -> Value {
        let file = directory.join(&*self.position.file);
        let (line, column) = (self.position.line.max(1), self.position.column.max(1));
        json!({
            "ruleId": self.rule,
            "level": self.level,
            "message": { "text": self.message },
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": { "uri": uri(&file) },
                    "region": { "startLine": line, "startColumn": column },
                }
            }],
        })
    }
}

/// A path as a reference, relative as it was given: what is not plain is written in percent.
fn uri(path: &Path) -> String {
    let mut uri = String::new();
    for byte in path.to_string_lossy().trim_start_matches("./").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into());
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// A SARIF log with one run about files of `directory`.
pub(super) fn text(findings: &[Finding], directory: &Path) -> anyhow::Result<String> {
    let results: Vec<_> = findings.iter().map(|finding| finding.result(directory)).collect();
    let mut rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    let rules: Vec<_> = rules.into_iter().map(|id| json!({ "id": id })).collect();
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "procura", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

/// What is wrong with policies.
pub(super) fn of_diagnostics(diagnostics: &[Diagnostic]) -> Vec<Finding> {
    let finding = |found: &Diagnostic| {
        let level = match found.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let hint = found.hint.as_deref().or_else(|| found.code.advice());
        let message = hint.map_or_else(|| found.message.clone(), |hint| format!("{}: {hint}", found.message));
        Finding::new(found.code.as_str(), level, &message, &found.position)
    };
    diagnostics.iter().map(finding).collect()
}

/// What no test covers.
pub(super) fn of_coverage(coverage: &Coverage) -> Vec<Finding> {
    let gaps = coverage.files.iter().flat_map(|file| &file.gaps);
    gaps.map(|gap| Finding::new("test-coverage", "note", &coverage::gap(gap), &gap.position)).collect()
}

/// The tests that fail or cannot be run.
pub(super) fn of_tests(report: &Report) -> Vec<Finding> {
    report.suites.iter().flat_map(of_suite).collect()
}

fn of_suite(suite: &SuiteReport) -> Vec<Finding> {
    if let Some(error) = &suite.error {
        return vec![Finding::new("test-error", "error", error, &suite.position)];
    }
    let mut findings = Vec::new();
    for case in &suite.test_cases {
        for principal in &case.principals {
            for resource in &principal.resources {
                for action in &resource.actions {
                    let of = format!(
                        "test `{}`: `{}` may `{}` on `{}`",
                        case.name, principal.name, action.name, resource.name
                    );
                    findings.extend(of_action(action, &of));
                }
            }
        }
    }
    findings
}

fn of_action(case: &ActionCase, of: &str) -> Option<Finding> {
    match &case.details.outcome {
        Outcome::Failure(failure) => {
            let trace = case.trace.as_ref().map(|trace| format!("\n{}", explanation::trace(trace)));
            let message = format!("{of}: {}{}", difference(failure), trace.unwrap_or_default());
            Some(Finding::new("test-failed", "error", &message, &case.position))
        }
        Outcome::Error(error) => {
            Some(Finding::new("test-error", "error", &format!("{of}: {error}"), &case.position))
        }
        Outcome::Success(_) | Outcome::SkipReason(_) => None,
    }
}

fn difference(failure: &Failure) -> String {
    if failure.outputs.is_empty() {
        let word = |effect| if effect == Effect::Allow { "allow" } else { "deny" };
        return format!("expected {}, but it is {}", word(failure.expected), word(failure.actual));
    }
    let sources: Vec<_> = failure.outputs.iter().map(|output| output.src.as_str()).collect();
    format!("the outputs of `{}` are not as expected", sources.join("`, `"))
}
