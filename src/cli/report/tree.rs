//! The report as a tree: what did not pass, or everything.

use procura_core::model::OutputValue;
use procura_core::suite::{
    ActionCase, Details, Failure, Outcome, OutputFailure, OutputFailureKind, Report, Success, SuiteReport,
    Summary, TestCase, TestResult,
};
use procura_core::value::Value;

use super::Style;
use crate::cli::explanation;

/// How the levels of the tree are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// By lines.
    Drawn,
    /// By indentation.
    Indented,
}

/// One entry and what is below it.
struct Branch {
    label: String,
    below: Vec<Branch>,
}

/// The whole report.
pub(super) fn text(report: &Report, lines: Lines, style: Style) -> String {
    let branches: Vec<_> = report.suites.iter().filter_map(|suite| suite_branch(suite, style)).collect();
    let mut text = "Test results\n".to_owned();
    match lines {
        Lines::Drawn => draw(&branches, "", &mut text),
        Lines::Indented => indent(&branches, 0, &mut text),
    }
    let counts = counts(&report.summary, style);
    text.push_str(&format!("\n{} tests executed{counts}\n", report.summary.tests_count));
    text
}

fn suite_branch(suite: &SuiteReport, style: Style) -> Option<Branch> {
    let label = format!("{} ({})", suite.name, suite.file);
    if let Some(error) = &suite.error {
        let label = format!("{label} {}", result(TestResult::Errored, style));
        let mut below = vec![Branch::leaf(error.clone()), Branch::leaf(format!("AT: {}", suite.position))];
        if !suite.help.is_empty() {
            below.push(Branch::leaf(format!("HELP: {}", suite.help)));
        }
        return Some(Branch { label, below });
    }
    if suite.summary.overall_result == TestResult::Skipped && suite.test_cases.is_empty() {
        let reason = skip_reason(&suite.skip_reason);
        let label = format!("{label} {}{reason}", result(TestResult::Skipped, style));
        return Some(Branch { label, below: Vec::new() });
    }
    let label = format!("{label}{}", counts(&suite.summary, style));
    let below: Vec<_> = suite.test_cases.iter().filter_map(|case| case_branch(case, style)).collect();
    (suite.summary.tests_count > 0).then_some(Branch { label, below })
}

fn case_branch(case: &TestCase, style: Style) -> Option<Branch> {
    let principals = case.principals.iter().filter_map(|principal| {
        let resources = principal.resources.iter().filter_map(|resource| {
            let actions = resource.actions.iter().filter_map(|action| action_branch(action, style));
            Branch::of(&resource.name, actions.collect())
        });
        Branch::of(&principal.name, resources.collect())
    });
    Branch::of(&case.name, principals.collect())
}

fn action_branch(case: &ActionCase, style: Style) -> Option<Branch> {
    let Details { result: came, outcome } = &case.details;
    if case.is_left_out || (*came == TestResult::Passed && !style.verbose) {
        return None;
    }
    let mut label = format!("{} {}", case.name, result(*came, style));
    let mut below = match outcome {
        Outcome::Failure(failure) => failure_branches(failure),
        Outcome::Error(error) => vec![Branch::leaf(error.clone())],
        Outcome::Success(success) => success_branches(success),
        Outcome::SkipReason(reason) => {
            label.push_str(&skip_reason(reason));
            Vec::new()
        }
    };
    let trace =
        case.trace.as_ref().map(|trace| Branch::leaf(format!("TRACE:\n{}", explanation::trace(trace))));
    below.extend(trace);
    Some(Branch { label, below })
}

fn failure_branches(failure: &Failure) -> Vec<Branch> {
    if failure.outputs.is_empty() {
        let (expected, actual) = (failure.expected.wire_name(), failure.actual.wire_name());
        return vec![Branch::leaf(format!("OUTCOME: expected: {expected}, actual: {actual}"))];
    }
    let outputs = failure.outputs.iter().map(|OutputFailure { src, kind }| {
        let lines = match kind {
            OutputFailureKind::Mismatched { expected, actual } => {
                vec![
                    format!("EXPECTED: {}", shown(expected.as_ref())),
                    format!("ACTUAL: {}", shown(Some(actual))),
                ]
            }
            OutputFailureKind::Missing { expected } => {
                vec![format!("EXPECTED: {}", shown(expected.as_ref())), "ACTUAL: no output".to_owned()]
            }
            OutputFailureKind::Errored { expected, error } => {
                vec![format!("EXPECTED: {}", shown(expected.as_ref())), format!("ERROR: {error}")]
            }
        };
        Branch { label: src.clone(), below: lines.into_iter().map(Branch::leaf).collect() }
    });
    vec![Branch { label: "OUTPUTS:".to_owned(), below: outputs.collect() }]
}

fn success_branches(success: &Success) -> Vec<Branch> {
    let mut branches = vec![Branch::leaf(format!("RESULT: {}", success.effect.wire_name()))];
    let outputs: Vec<_> = success
        .outputs
        .iter()
        .map(|entry| {
            let value = match &entry.value {
                OutputValue::Value(value) => json(value),
                OutputValue::Error(error) => error.clone(),
            };
            Branch { label: entry.src.to_string(), below: vec![Branch::leaf(value)] }
        })
        .collect();
    branches.extend(Branch::of("OUTPUTS:", outputs));
    branches
}

impl Branch {
    fn leaf(label: String) -> Self {
        Self { label, below: Vec::new() }
    }

    /// `label` with `below`; nothing if there is nothing below it.
    fn of(label: &str, below: Vec<Branch>) -> Option<Self> {
        (!below.is_empty()).then(|| Self { label: label.to_owned(), below })
    }
}

fn draw(branches: &[Branch], lead: &str, text: &mut String) {
    for (index, branch) in branches.iter().enumerate() {
        let is_last = index + 1 == branches.len();
        let (corner, rail) = if is_last { ("└─", "  ") } else { ("├─", "│ ") };
        let fork = if branch.below.is_empty() { "─" } else { "┬" };
        let label = branch.label.replace('\n', &format!("\n{lead}{rail}  "));
        text.push_str(&format!("{lead}{corner}{fork}{label}\n"));
        draw(&branch.below, &format!("{lead}{rail}"), text);
    }
}

fn indent(branches: &[Branch], depth: usize, text: &mut String) {
    for branch in branches {
        let lead = "  ".repeat(depth);
        let label = branch.label.replace('\n', &format!("\n{lead}"));
        text.push_str(&format!("{lead}{label}\n"));
        indent(&branch.below, depth + 1, text);
    }
}

/// ` [1 SKIPPED] [4 OK]`
fn counts(summary: &Summary, style: Style) -> String {
    let count = |tally: &procura_core::suite::Tally| {
        format!(" {}", paint(&format!("[{} {}]", tally.count, word(tally.result)), tally.result, style))
    };
    summary.result_counts.iter().map(count).collect()
}

fn result(result: TestResult, style: Style) -> String {
    paint(&format!("[{}]", word(result)), result, style)
}

const fn word(result: TestResult) -> &'static str {
    match result {
        TestResult::Unspecified => "NOT RUN",
        TestResult::Skipped => "SKIPPED",
        TestResult::Passed => "OK",
        TestResult::Failed => "FAILED",
        TestResult::Errored => "ERROR",
    }
}

fn paint(text: &str, result: TestResult, style: Style) -> String {
    let colour = match result {
        _ if !style.colour => return text.to_owned(),
        TestResult::Unspecified | TestResult::Skipped => 33,
        TestResult::Passed => 32,
        TestResult::Failed | TestResult::Errored => 31,
    };
    format!("\u{1b}[{colour}m{text}\u{1b}[0m")
}

fn skip_reason(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// A value as JSON, or that there is none.
fn shown(value: Option<&Value<'_>>) -> String {
    value.map_or_else(|| "none".to_owned(), json)
}

fn json(value: &Value<'_>) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
