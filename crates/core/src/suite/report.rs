//! What running policy tests found. The JSON form is the peer's (`cerbos compile -o json`): absent means zero or empty.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::engine::ExplainedResource;
use crate::model::{Effect, OutputEntry, OutputValue};
use crate::policy::Position;
use crate::value::Value;

/// The results of all suites that were run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// One entry per suite, ordered by file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suites: Vec<SuiteReport>,
    /// All suites together.
    pub summary: Summary,
}

/// The results of one suite.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SuiteReport {
    /// Path of the file within the set.
    pub file: String,
    /// Its name, `Unknown` if it could not be read.
    pub name: String,
    /// Its tests together.
    pub summary: Summary,
    /// Why it could not be run; then it has no test cases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its tests, in the order of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test_cases: Vec<TestCase>,
    /// What it is about, empty if it does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Why it was skipped, if it was and says why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub skip_reason: String,
    /// How to mend what kept it from being run; empty if that is not known. The peer says nothing of the kind.
    #[serde(skip)]
    pub help: String,
    /// Where the first problem is if it could not be run, otherwise where it begins; may be in a fixture.
    #[serde(skip)]
    pub position: Position,
}

/// How many decisions were tested with which result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The worst result; `Unspecified` if nothing was tested.
    #[serde(skip_serializing_if = "TestResult::is_unspecified")]
    pub overall_result: TestResult,
    /// Decisions tested, those of skipped tests included, those that the filter leaves out not.
    #[serde(skip_serializing_if = "is_zero")]
    pub tests_count: usize,
    /// How many of them by result, in the order of [`TestResult`], none with zero.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub result_counts: Vec<Tally>,
}

/// How many decisions were tested with one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// The result.
    pub result: TestResult,
    /// How many.
    pub count: usize,
}

/// What came of a test, from best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum TestResult {
    /// Nothing was tested.
    #[default]
    #[serde(rename = "RESULT_UNSPECIFIED")]
    Unspecified,
    /// It was not run, because the suite, the test or the filter says so.
    #[serde(rename = "RESULT_SKIPPED")]
    Skipped,
    /// The answer is as expected.
    #[serde(rename = "RESULT_PASSED")]
    Passed,
    /// The answer is not as expected.
    #[serde(rename = "RESULT_FAILED")]
    Failed,
    /// It could not be run.
    #[serde(rename = "RESULT_ERRORED")]
    Errored,
}

/// The results of one test: every principal, each with every resource, each with every action.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestCase {
    /// Its name.
    pub name: String,
    /// In the order of the test, those of groups after those named one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<PrincipalCase>,
    /// Where it is written.
    #[serde(skip)]
    pub position: Position,
}

/// The results of one test for one principal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrincipalCase {
    /// The name of the fixture.
    pub name: String,
    /// In the order of the test.
    pub resources: Vec<ResourceCase>,
}

/// The results of one test for one principal and resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourceCase {
    /// The name of the fixture.
    pub name: String,
    /// In the order of the test.
    pub actions: Vec<ActionCase>,
}

/// The result of one decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActionCase {
    /// The action.
    pub name: String,
    /// What came of it.
    pub details: Details,
    /// Why it is not as expected, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Box<ExplainedResource>>,
    /// Whether the filter leaves it out; then it is not counted.
    #[serde(skip)]
    pub is_left_out: bool,
    /// Where the expectation is written; where the test is if nothing is written.
    #[serde(skip)]
    pub position: Position,
}

/// What came of one decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Details {
    /// The result in one word.
    pub result: TestResult,
    /// The result in full.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The result of one decision in full.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is not as expected.
    Failure(Failure),
    /// It could not be made.
    Error(String),
    /// It is as expected.
    Success(Success),
    /// It was skipped for this reason, which may be empty.
    SkipReason(String),
}

/// A decision that is not as expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// The effect that the test expects.
    #[serde(serialize_with = "wire_name")]
    pub expected: Effect,
    /// The effect that was decided.
    #[serde(serialize_with = "wire_name")]
    pub actual: Effect,
    /// The outputs that are not as expected; never empty if the effect is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputFailure>,
}

/// An output that is not as expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputFailure {
    /// The rule it is expected of: `<policy>#<rule name>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub src: String,
    /// In which way.
    #[serde(flatten)]
    pub kind: OutputFailureKind,
}

/// In which way an output is not as expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum OutputFailureKind {
    /// It has another value.
    Mismatched {
        /// The value that the test expects, if it says one.
        #[serde(skip_serializing_if = "Option::is_none")]
        expected: Option<Value<'static>>,
        /// The value that was put out.
        actual: Value<'static>,
    },
    /// The rule put nothing out for this action.
    Missing {
        /// The value that the test expects, if it says one.
        #[serde(skip_serializing_if = "Option::is_none")]
        expected: Option<Value<'static>>,
    },
    /// Its expression could not be evaluated.
    Errored {
        /// The value that the test expects, if it says one.
        #[serde(skip_serializing_if = "Option::is_none")]
        expected: Option<Value<'static>>,
        /// What went wrong.
        error: String,
    },
}

/// A decision that is as expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Success {
    /// The effect.
    #[serde(serialize_with = "wire_name")]
    pub effect: Effect,
    /// Everything that was put out for this action.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "output_entries")]
    pub outputs: Vec<OutputEntry>,
}

impl Report {
    /// Whether no decision failed and everything could be run.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.summary.overall_result <= TestResult::Passed
    }
}

impl Summary {
    /// How many decisions came out as expected.
    #[must_use]
    pub fn passed(&self) -> usize {
        let passed = self.result_counts.iter().filter(|tally| tally.result == TestResult::Passed);
        passed.map(|tally| tally.count).sum()
    }
}

/// Why a suite cannot be run.
pub(super) struct Fault {
    /// In the peer's words.
    pub(super) message: String,
    /// Where; may be in a fixture.
    pub(super) position: Position,
    /// How to mend it; empty if that is not known.
    pub(super) help: String,
}

impl SuiteReport {
    /// Every decision of the suite, with the test, the principal and the resource that it belongs to.
    pub fn decisions(&self) -> impl Iterator<Item = (&TestCase, &PrincipalCase, &ResourceCase, &ActionCase)> {
        self.test_cases.iter().flat_map(|test| {
            test.principals.iter().flat_map(move |principal| {
                principal.resources.iter().flat_map(move |resource| {
                    resource.actions.iter().map(move |action| (test, principal, resource, action))
                })
            })
        })
    }

    /// A suite that was run.
    pub(super) fn of(file: &str, name: &str, summary: Summary, test_cases: Vec<TestCase>) -> Self {
        Self {
            file: file.to_owned(),
            name: name.to_owned(),
            summary,
            error: None,
            test_cases,
            description: String::new(),
            skip_reason: String::new(),
            help: String::new(),
            position: Position { file: file.into(), line: 1, column: 1 },
        }
    }

    /// A suite that could not be run.
    pub(super) fn errored(file: &str, name: &str, fault: Fault) -> Self {
        let summary = Summary { overall_result: TestResult::Errored, ..Summary::default() };
        let Fault { message, position, help } = fault;
        Self { error: Some(message), position, help, ..Self::of(file, name, summary, Vec::new()) }
    }
}

impl Summary {
    /// Of a suite that is skipped as a whole.
    pub(super) fn skipped() -> Self {
        Self { overall_result: TestResult::Skipped, ..Self::default() }
    }

    /// Of several suites.
    pub(super) fn of_all<'s>(summaries: impl Iterator<Item = &'s Summary>) -> Self {
        let mut all = Tallying::default();
        for Summary { overall_result, result_counts, .. } in summaries {
            all.worst = all.worst.max(*overall_result);
            for Tally { result, count } in result_counts {
                *all.counts.entry(*result).or_default() += count;
            }
        }
        all.summary()
    }
}

/// A summary that is being made.
#[derive(Default)]
pub(super) struct Tallying {
    worst: TestResult,
    counts: BTreeMap<TestResult, usize>,
}

impl Tallying {
    /// Counts one decision.
    pub(super) fn count(&mut self, result: TestResult) {
        self.worst = self.worst.max(result);
        *self.counts.entry(result).or_default() += 1;
    }

    /// Notes that the filter left something out.
    pub(super) fn leave_out(&mut self) {
        self.worst = self.worst.max(TestResult::Skipped);
    }

    pub(super) fn summary(self) -> Summary {
        let result_counts: Vec<Tally> =
            self.counts.into_iter().map(|(result, count)| Tally { result, count }).collect();
        let tests_count = result_counts.iter().map(|tally| tally.count).sum();
        Summary { overall_result: self.worst, tests_count, result_counts }
    }
}

impl TestResult {
    /// The name in the JSON form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TestResult::Unspecified => "RESULT_UNSPECIFIED",
            TestResult::Skipped => "RESULT_SKIPPED",
            TestResult::Passed => "RESULT_PASSED",
            TestResult::Failed => "RESULT_FAILED",
            TestResult::Errored => "RESULT_ERRORED",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    fn is_unspecified(&self) -> bool {
        *self == TestResult::Unspecified
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn wire_name<S: Serializer>(effect: &Effect, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(effect.wire_name())
}

fn output_entries<S: Serializer>(entries: &[OutputEntry], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter().map(OutputJson::of))
}

/// An output entry as the check API writes it.
#[derive(Serialize)]
struct OutputJson<'e> {
    src: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    val: Option<&'e Value<'static>>,
    action: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'e str>,
}

impl<'e> OutputJson<'e> {
    fn of(entry: &'e OutputEntry) -> Self {
        let (val, error) = match &entry.value {
            OutputValue::Value(value) => (Some(value), None),
            OutputValue::Error(error) => (None, Some(error.as_str())),
        };
        Self { src: &entry.src, val, action: &entry.action, error }
    }
}
