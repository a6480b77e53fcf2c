//! The JSON shapes of policy administration.

use procura_core::model::{Effect, Timestamp};
use procura_core::policy::{Diagnostic, Revision};
use procura_core::replay::ReportJson;
use procura_core::suite::FailedTest;
use serde::{Serialize, Serializer};

use crate::http::Finding;
use crate::pdp::{Attempt, FewerTests, LiveSet, ReloadOutcome, ReloadStatus, ShadowStatus};

/// Body of `GET /admin/policies/status`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status<'s> {
    /// Where the policies come from.
    source: &'s str,
    /// The set that answers now; `null` before the first.
    live: Option<Live<'s>>,
    /// Whether the newest attempt failed or does not end.
    stale: bool,
    /// Set while an archived set answers because somebody asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rolled_back: Option<Back<'s>>,
    /// Set while the live set passed fewer tests than the one before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fewer_tests: Option<Fewer>,
    /// Why changes are found by polling only.
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_down: Option<&'s str>,
    /// The attempt that has not ended yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<UnderWay>,
    /// The newest attempt that has ended, whatever came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_attempt: Option<HistoryEntry<'s>>,
    /// Attempts that said something new, newest first.
    history: Vec<HistoryEntry<'s>>,
    /// The candidate set that decides beside the live one.
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<Beside<'s>>,
}

/// How many tests passed.
#[derive(Serialize)]
struct Fewer {
    before: usize,
    now: usize,
}

/// What a candidate set made of the calls since it is there.
#[derive(Serialize)]
struct Beside<'s> {
    source: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// Why there is no candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'s str>,
    same: u64,
    different: u64,
    partial: u64,
    skipped: u64,
    unrecorded: u64,
}

#[derive(Serialize)]
struct Live<'s> {
    revision: &'s str,
    generation: u64,
    #[serde(serialize_with = "display")]
    since: Timestamp,
    files: usize,
}

/// What stands back for the archived set that answers.
#[derive(Serialize)]
struct Back<'s> {
    /// The set at the source.
    source: &'s str,
    #[serde(serialize_with = "display")]
    since: Timestamp,
}

#[derive(Serialize)]
struct UnderWay {
    #[serde(serialize_with = "display")]
    at: Timestamp,
    cause: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HistoryEntry<'s> {
    #[serde(serialize_with = "display")]
    at: Timestamp,
    cause: &'static str,
    took_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'s str>,
    #[serde(flatten)]
    outcome: Outcome<'s>,
}

/// What came of an attempt; also the body of `POST /admin/policies/reload`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome<'s> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'s str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<Finding<'s>>,
    /// How many policy tests do not pass; `tests` has the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_tests: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tests: Vec<Test<'s>>,
    /// What the set would change of recorded decisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<ReportJson<'s>>,
}

/// Groups of changes that are shown; all of them are to be had by `procura replay`.
const GROUPS: usize = 20;

impl<'s> Status<'s> {
    /// The status of reloading, and of the shadow if there is one.
    pub(super) fn of(status: &'s ReloadStatus, shadow: Option<&'s ShadowStatus>) -> Self {
        Self {
            source: &status.source,
            live: status.live.as_ref().map(Live::from),
            stale: status.is_stale(),
            rolled_back: status
                .rolled_back
                .as_ref()
                .map(|back| Back { source: back.source.as_str(), since: back.since }),
            fewer_tests: status.fewer_tests.map(|FewerTests { before, now }| Fewer { before, now }),
            watch_down: status.watch_down.as_deref(),
            running: status.running.map(|running| UnderWay { at: running.at, cause: running.cause.as_str() }),
            last_attempt: status.last.as_deref().map(HistoryEntry::from),
            history: status.history.iter().map(|attempt| HistoryEntry::from(&**attempt)).collect(),
            shadow: shadow.map(Beside::from),
        }
    }
}

impl<'s> From<&'s ShadowStatus> for Beside<'s> {
    fn from(status: &'s ShadowStatus) -> Self {
        Self {
            source: &status.source,
            revision: status.candidate.as_ref().map(Revision::as_str),
            since: status.since.map(|since| since.to_string()),
            problem: status.problem.as_deref(),
            same: status.same,
            different: status.different,
            partial: status.partial,
            skipped: status.skipped,
            unrecorded: status.unrecorded,
        }
    }
}

impl<'s> From<&'s LiveSet> for Live<'s> {
    fn from(live: &'s LiveSet) -> Self {
        Self {
            revision: live.revision.as_str(),
            generation: live.generation,
            since: live.since,
            files: live.files,
        }
    }
}

impl<'s> From<&'s Attempt> for HistoryEntry<'s> {
    fn from(attempt: &'s Attempt) -> Self {
        Self {
            at: attempt.at,
            cause: attempt.cause.as_str(),
            took_ms: (attempt.took.as_secs_f64() * 1e6).round() / 1e3,
            revision: attempt.revision.as_ref().map(Revision::as_str),
            outcome: Outcome::from(&attempt.outcome),
        }
    }
}

impl<'s> From<&'s ReloadOutcome> for Outcome<'s> {
    fn from(outcome: &'s ReloadOutcome) -> Self {
        let name = outcome.as_str();
        let findings = |diagnostics: &'s [Diagnostic]| diagnostics.iter().map(Finding::from).collect();
        match outcome {
            ReloadOutcome::Activated { generation, warnings } => {
                Self { generation: Some(*generation), diagnostics: findings(warnings), ..Self::named(name) }
            }
            ReloadOutcome::Unchanged => Self::named(name),
            ReloadOutcome::Rejected { diagnostics } => {
                Self { diagnostics: findings(diagnostics), ..Self::named(name) }
            }
            ReloadOutcome::TestsFailed { count, first } => Self {
                failed_tests: Some(*count),
                tests: first.iter().map(Test::from).collect(),
                ..Self::named(name)
            },
            ReloadOutcome::WouldChange { report } => {
                Self { replay: Some(ReportJson::new(report, GROUPS)), ..Self::named(name) }
            }
            ReloadOutcome::NotArchived { reason } | ReloadOutcome::Failed { reason } => {
                Self { reason: Some(reason), ..Self::named(name) }
            }
        }
    }
}

impl Outcome<'_> {
    fn named(outcome: &'static str) -> Self {
        Self {
            outcome,
            generation: None,
            reason: None,
            diagnostics: Vec::new(),
            failed_tests: None,
            tests: Vec::new(),
            replay: None,
        }
    }
}

/// A policy test that does not pass.
#[derive(Serialize)]
struct Test<'s> {
    file: &'s str,
    line: u32,
    column: u32,
    suite: &'s str,
    #[serde(skip_serializing_if = "str::is_empty")]
    test: &'s str,
    #[serde(skip_serializing_if = "str::is_empty")]
    principal: &'s str,
    #[serde(skip_serializing_if = "str::is_empty")]
    resource: &'s str,
    #[serde(skip_serializing_if = "str::is_empty")]
    action: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<&'static str>,
    reason: &'s str,
}

impl<'s> From<&'s FailedTest> for Test<'s> {
    fn from(failed: &'s FailedTest) -> Self {
        Self {
            file: &failed.position.file,
            line: failed.position.line,
            column: failed.position.column,
            suite: &failed.suite,
            test: &failed.test,
            principal: &failed.principal,
            resource: &failed.resource,
            action: &failed.action,
            expected: failed.expected.map(Effect::wire_name),
            actual: failed.actual.map(Effect::wire_name),
            reason: &failed.reason,
        }
    }
}

fn display<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}
