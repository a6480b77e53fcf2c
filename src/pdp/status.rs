//! What the reload task has done: the live set, the last attempt, and the attempts before it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use procura_core::model::Timestamp;
use procura_core::policy::{Diagnostic, Revision, Severity};
use procura_core::replay::Report;
use procura_core::suite::FailedTest;

use super::Active;

/// The state of reloading at one moment; replaced as a whole after each attempt.
#[derive(Clone, Debug)]
pub struct ReloadStatus {
    /// Where the policies come from, for people.
    pub source: String,
    /// The set that answers now; `None` before the first load.
    pub live: Option<LiveSet>,
    /// The attempt that has not ended yet.
    pub running: Option<Running>,
    /// The newest attempt that has ended.
    pub last: Option<Arc<Attempt>>,
    /// Attempts that found something new, newest first, at most [`HISTORY`].
    pub history: VecDeque<Arc<Attempt>>,
    /// Set while an archived set answers because somebody asked for it.
    pub rolled_back: Option<RolledBack>,
    /// Set while the live set passed fewer tests than the set before it.
    pub fewer_tests: Option<FewerTests>,
    /// Why changes are noticed by polling only, if the watch is down.
    pub watch_down: Option<String>,
}

/// How many attempts are kept.
pub const HISTORY: usize = 50;

/// How many failed tests an attempt names: enough to mend them, while a set with thousands stays small in the status.
pub const FAILED_TESTS: usize = 100;

/// The set that answers now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSet {
    /// Content hash of the set.
    pub revision: Revision,
    /// Running number within this process, from 1.
    pub generation: u64,
    /// When it went live.
    pub since: Timestamp,
    /// How many files it has.
    pub files: usize,
}

/// An archived set answers until the policies at the source change or are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// The set at the source, which does not answer.
    pub source: Revision,
    /// Since when.
    pub since: Timestamp,
}

/// How many tests two sets passed that went live one after the other, where tests have to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FewerTests {
    /// The set before.
    pub before: usize,
    /// The live set: some of the tests are deleted or skipped.
    pub now: usize,
}

/// An attempt that goes on.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    /// When it began.
    pub at: Timestamp,
    /// When it began, on a clock that nobody sets.
    pub began: Instant,
    /// What asked for it.
    pub cause: Cause,
}

/// How long an attempt may go on before somebody should look: its waiting for the source to hold still ends much
/// earlier, and compiling the largest sets takes seconds.
const SLOW: Duration = Duration::from_secs(30);

/// One attempt to bring the policies at the source live.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// What asked for it.
    pub cause: Cause,
    /// How long it took, quiet period included.
    pub took: Duration,
    /// The set that was tried; `None` if it could not be read.
    pub revision: Option<Revision>,
    /// What came of it.
    pub outcome: ReloadOutcome,
}

/// What asks for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The server starts.
    Start,
    /// The watch noticed a change.
    Watch,
    /// The slow poll came round; it reads everything and needs no watch.
    Poll,
    /// SIGHUP.
    Signal,
    /// The admin API.
    Admin,
    /// The admin API, for an archived set.
    Rollback,
}

impl Cause {
    /// The name in records, events and on the admin API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Start => "start",
            Cause::Watch => "watch",
            Cause::Poll => "poll",
            Cause::Signal => "signal",
            Cause::Admin => "admin",
            Cause::Rollback => "rollback",
        }
    }

    /// Whether somebody asks for the policies at the source.
    pub(super) const fn is_asked(self) -> bool {
        matches!(self, Cause::Signal | Cause::Admin)
    }
}

/// What came of an attempt. Unless it is `Activated`, the set that was live before still answers.
#[derive(Clone, Debug)]
pub enum ReloadOutcome {
    /// The set went live.
    Activated {
        /// Its running number.
        generation: u64,
        /// Findings that do not keep a set from going live.
        warnings: Vec<Diagnostic>,
    },
    /// The policies at the source are those that are live.
    Unchanged,
    /// The set has errors.
    Rejected {
        /// All findings in all files, errors and warnings.
        diagnostics: Vec<Diagnostic>,
    },
    /// The set has no errors, but tests beside it that do not pass.
    TestsFailed {
        /// How many.
        count: usize,
        /// The first of them, at most [`FAILED_TESTS`].
        first: Vec<FailedTest>,
    },
    /// The set would change more recorded decisions than it may.
    WouldChange {
        /// What it would change.
        report: Arc<Report>,
    },
    /// The archive has no such set, or not undamaged.
    NotArchived {
        /// Which, and what is wrong.
        reason: String,
    },
    /// The set could not be read, kept or recorded.
    Failed {
        /// What went wrong and where.
        reason: String,
    },
}

impl ReloadOutcome {
    /// The name in metrics and on the admin API.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            ReloadOutcome::Activated { .. } => "activated",
            ReloadOutcome::Unchanged => "unchanged",
            ReloadOutcome::Rejected { .. } => "rejected",
            ReloadOutcome::TestsFailed { .. } => "tests_failed",
            ReloadOutcome::WouldChange { .. } => "would_change",
            ReloadOutcome::NotArchived { .. } => "not_archived",
            ReloadOutcome::Failed { .. } => "failed",
        }
    }

    /// Whether the same set may be found good later: records come and grow old.
    pub(super) const fn may_change_by_itself(&self) -> bool {
        matches!(self, ReloadOutcome::WouldChange { .. } | ReloadOutcome::Failed { .. })
    }
}

impl ReloadStatus {
    pub(super) fn of(source: String) -> Self {
        let history = VecDeque::new();
        Self {
            source,
            live: None,
            running: None,
            last: None,
            history,
            rolled_back: None,
            fewer_tests: None,
            watch_down: None,
        }
    }

    /// Whether the newest attempt failed or does not end, so that the live set may be older than the policies at the
    /// source.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.why_stale().is_some()
    }

    /// Why the live set may be older than the policies at the source, if it may.
    #[must_use]
    pub fn why_stale(&self) -> Option<String> {
        if let Some(Running { at, .. }) = self.running.filter(|running| running.began.elapsed() > SLOW) {
            return Some(format!(
                "the reload that began at {at} has not ended: the live set may be older than the source"
            ));
        }
        match &self.last.as_ref()?.outcome {
            ReloadOutcome::Activated { .. } | ReloadOutcome::Unchanged => {
                let RolledBack { since, .. } = self.rolled_back.as_ref()?;
                Some(format!(
                    "an archived set answers, as was asked for at {since}, until the policies at the source change"
                ))
            }
            ReloadOutcome::Rejected { diagnostics } => {
                let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
                Some(format!("the policies at the source have {errors} errors, an older set answers"))
            }
            ReloadOutcome::TestsFailed { count, first } => {
                let first = first.first().map(|test| format!(": {test}")).unwrap_or_default();
                Some(format!("{count} tests of the policies at the source fail, an older set answers{first}"))
            }
            ReloadOutcome::WouldChange { report } => Some(format!(
                "the policies at the source would change {} of {} recorded decisions, an older set answers: {}",
                report.changed_decisions(),
                report.decisions,
                first_change(report)
            )),
            ReloadOutcome::NotArchived { reason } | ReloadOutcome::Failed { reason } => Some(reason.clone()),
        }
    }

    /// Takes up `attempt`, which has ended. One that only repeats the attempt before it is not kept in the history, so that a poll
    /// does not wash out what led to the present state.
    pub(super) fn push(&mut self, attempt: Attempt) {
        let attempt = Arc::new(attempt);
        self.running = None;
        let is_live = matches!(attempt.outcome, ReloadOutcome::Activated { .. });
        if attempt.cause == Cause::Rollback && !is_live {
            // It says nothing about the policies at the source.
            self.history.push_front(attempt);
            self.history.truncate(HISTORY);
            return;
        }
        let repeats = match &attempt.outcome {
            ReloadOutcome::Activated { .. } => false,
            ReloadOutcome::Unchanged => !self.is_stale(),
            ReloadOutcome::Rejected { .. }
            | ReloadOutcome::TestsFailed { .. }
            | ReloadOutcome::WouldChange { .. }
            | ReloadOutcome::NotArchived { .. }
            | ReloadOutcome::Failed { .. } => {
                self.last.as_ref().is_some_and(|last| last.same_finding(&attempt))
            }
        };
        if !repeats {
            self.history.push_front(Arc::clone(&attempt));
            self.history.truncate(HISTORY);
        }
        self.last = Some(attempt);
    }
}

impl Attempt {
    fn same_finding(&self, other: &Self) -> bool {
        match (&self.outcome, &other.outcome) {
            (ReloadOutcome::Rejected { .. }, ReloadOutcome::Rejected { .. })
            | (ReloadOutcome::TestsFailed { .. }, ReloadOutcome::TestsFailed { .. })
            | (ReloadOutcome::WouldChange { .. }, ReloadOutcome::WouldChange { .. }) => {
                self.revision == other.revision
            }
            (ReloadOutcome::Failed { reason: one }, ReloadOutcome::Failed { reason: two }) => one == two,
            _ => false,
        }
    }
}

/// A decision that would change, for people.
pub(super) fn first_change(report: &Report) -> String {
    let examples = report.groups.values().flat_map(|group| &group.examples);
    let first = examples
        .min()
        .map(|example| format!("{}: {}; then {}", example.decision, example.before, example.after));
    first.unwrap_or_default()
}

impl LiveSet {
    pub(super) fn of(active: &Active) -> Self {
        Self {
            revision: active.snapshot.revision.clone(),
            generation: active.generation,
            since: active.since,
            files: active.snapshot.files,
        }
    }
}
