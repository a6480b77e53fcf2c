//! The tests that did not pass, one by one, for people.

use std::fmt;

use super::report::{ActionCase, Outcome, OutputFailure, OutputFailureKind, Report, SuiteReport};
use crate::model::Effect;
use crate::policy::{Position, printable};
use crate::value::Value;

/// A decision that is not as expected, or a suite or decision that could not be tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTest {
    /// Where the expectation is written, or what keeps the suite from running.
    pub position: Position,
    /// The suite.
    pub suite: String,
    /// The test; empty, like all names that follow, if the suite could not be run.
    pub test: String,
    /// The fixture of the principal.
    pub principal: String,
    /// The fixture of the resource.
    pub resource: String,
    /// The action.
    pub action: String,
    /// The effect expected; `None` if there was no decision.
    pub expected: Option<Effect>,
    /// The effect decided; `None` if there was no decision.
    pub actual: Option<Effect>,
    /// What is wrong, in a sentence.
    pub reason: String,
}

impl Report {
    /// Every test that did not pass, ordered by file.
    pub fn failed(&self) -> impl Iterator<Item = FailedTest> {
        self.suites.iter().flat_map(|suite| {
            let error = suite.error.iter().map(|error| could_not_run(suite, error));
            let failed = suite.decisions().filter_map(|(test, principal, resource, action)| {
                let names = [&test.name, &principal.name, &resource.name].map(String::as_str);
                failed(suite, names, action)
            });
            error.chain(failed)
        })
    }
}

fn could_not_run(suite: &SuiteReport, error: &str) -> FailedTest {
    FailedTest {
        position: suite.position.clone(),
        suite: suite.name.clone(),
        test: String::new(),
        principal: String::new(),
        resource: String::new(),
        action: String::new(),
        expected: None,
        actual: None,
        reason: error.to_owned(),
    }
}

fn failed(
    suite: &SuiteReport,
    [test, principal, resource]: [&str; 3],
    action: &ActionCase,
) -> Option<FailedTest> {
    let (expected, actual, reason) = match &action.details.outcome {
        Outcome::Success(_) | Outcome::SkipReason(_) => return None,
        Outcome::Error(error) => (None, None, error.clone()),
        Outcome::Failure(failure) => {
            let reason = match failure.outputs.first() {
                Some(output) => output_reason(output),
                None => {
                    let (expected, actual) = (failure.expected.wire_name(), failure.actual.wire_name());
                    format!("expected {expected}, got {actual}")
                }
            };
            (Some(failure.expected), Some(failure.actual), reason)
        }
    };
    Some(FailedTest {
        position: action.position.clone(),
        suite: suite.name.clone(),
        test: test.to_owned(),
        principal: principal.to_owned(),
        resource: resource.to_owned(),
        action: action.name.clone(),
        expected,
        actual,
        reason,
    })
}

fn output_reason(OutputFailure { src, kind }: &OutputFailure) -> String {
    let json = |value: &Value<'_>| serde_json::to_string(value).unwrap_or_default();
    let wanted = |value: &Option<Value<'_>>| value.as_ref().map_or_else(|| "no value".to_owned(), json);
    match kind {
        OutputFailureKind::Mismatched { expected, actual } => {
            format!("output of `{src}`: expected {}, got {}", wanted(expected), json(actual))
        }
        OutputFailureKind::Missing { expected } => {
            format!("output of `{src}`: expected {}, got none", wanted(expected))
        }
        OutputFailureKind::Errored { expected, error } => {
            format!("output of `{src}`: expected {}, but {error}", wanted(expected))
        }
    }
}

/// One short line, whatever the names are.
impl fmt::Display for FailedTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [&self.suite, &self.test, &self.principal, &self.resource, &self.action];
        let names: Vec<&str> =
            names.into_iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        let reason = self.reason.replace(":\n", ": ").replace('\n', "; ");
        f.write_str(&printable(&format!("{}: {}: {reason}", self.position, names.join(" / "))))
    }
}
