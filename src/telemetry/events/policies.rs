//! Policy sets: what came of loading them.

use std::error::Error;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::chain;
use crate::telemetry::labels::ReloadOutcome;
use crate::telemetry::metrics::Metrics;

/// A policy set went live.
#[derive(Debug)]
pub struct SnapshotActivated<'a> {
    /// Content hash of the set.
    pub revision: &'a str,
    /// Content hash of the set before, if there was one.
    pub from: Option<&'a str>,
    /// Running number.
    pub generation: u64,
    /// Policies in the set.
    pub policies: usize,
    /// Files in the set.
    pub files: usize,
    /// How many warnings it has.
    pub warnings: usize,
    /// The first of them, with its place.
    pub first_warning: Option<&'a str>,
    /// What asked for the attempt.
    pub cause: &'a str,
    /// When, in Unix seconds.
    pub at: f64,
    /// Time to read and compile.
    pub took: Duration,
}

impl SnapshotActivated<'_> {
    /// Writes the log line and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        info!(
            event = "snapshot_activated",
            revision = self.revision,
            from = self.from,
            generation = self.generation,
            policies = self.policies,
            files = self.files,
            warnings = self.warnings,
            first_warning = self.first_warning,
            cause = self.cause,
            took_ms = (self.took.as_secs_f64() * 1e6).round() / 1e3,
            "policy set is live"
        );
        metrics.reloads.inc(ReloadOutcome::Activated);
        metrics.generation.set(i64::try_from(self.generation).unwrap_or(i64::MAX));
        metrics.policies.set(i64::try_from(self.policies).unwrap_or(i64::MAX));
        metrics.policy_files.set(i64::try_from(self.files).unwrap_or(i64::MAX));
        metrics.diagnostics.set(0);
        metrics.failed_tests.set(0);
        metrics.changed_decisions.set(0);
        metrics.reload_success.set(self.at);
    }
}

/// A policy set without any file went live.
#[derive(Debug)]
pub struct PolicySetEmpty<'a> {
    /// Where the files would be.
    pub location: &'a str,
}

impl PolicySetEmpty<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        warn!(
            event = "policy_set_empty",
            "no policy file in `{}`: every request will be denied", self.location
        );
    }
}

/// The files are those of the live set.
#[derive(Debug)]
pub struct ReloadUnchanged<'a> {
    /// What asked for the attempt.
    pub cause: &'a str,
    /// When, in Unix seconds.
    pub at: f64,
}

impl ReloadUnchanged<'_> {
    /// Writes the log line (level debug) and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        debug!(event = "reload_unchanged", cause = self.cause, "policies are unchanged");
        metrics.reloads.inc(ReloadOutcome::Unchanged);
        metrics.diagnostics.set(0);
        metrics.failed_tests.set(0);
        metrics.changed_decisions.set(0);
        metrics.reload_success.set(self.at);
    }
}

/// A set has errors; the live one stays, if there is one.
#[derive(Debug)]
pub struct ReloadRejected<'a> {
    /// What asked for the attempt.
    pub cause: &'a str,
    /// Content hash of the refused set.
    pub revision: &'a str,
    /// How many errors it has.
    pub errors: usize,
    /// The first of them, with its place.
    pub first: &'a str,
    /// Content hash of the set that stays; none while the server starts.
    pub live: Option<&'a str>,
}

impl ReloadRejected<'_> {
    /// Writes the log line and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        error!(
            event = "reload_rejected",
            cause = self.cause,
            revision = self.revision,
            errors = self.errors,
            first = self.first,
            live = self.live,
            "policy set has errors, {}",
            what_stays(self.live)
        );
        metrics.reloads.inc(ReloadOutcome::Rejected);
        metrics.diagnostics.set(i64::try_from(self.errors).unwrap_or(i64::MAX));
        metrics.failed_tests.set(0);
        metrics.changed_decisions.set(0);
    }
}

/// Tests beside the policies do not pass; the live set stays, if there is one.
#[derive(Debug)]
pub struct TestsFailed<'a> {
    /// What asked for the attempt.
    pub cause: &'a str,
    /// Content hash of the refused set.
    pub revision: &'a str,
    /// How many tests do not pass.
    pub failed: usize,
    /// The first of them, with its place.
    pub first: &'a str,
    /// Content hash of the set that stays; none while the server starts.
    pub live: Option<&'a str>,
}

impl TestsFailed<'_> {
    /// Writes the log line and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        error!(
            event = "tests_failed",
            cause = self.cause,
            revision = self.revision,
            failed = self.failed,
            first = self.first,
            live = self.live,
            "tests of the policy set fail, {}",
            what_stays(self.live)
        );
        metrics.reloads.inc(ReloadOutcome::TestsFailed);
        metrics.diagnostics.set(0);
        metrics.failed_tests.set(i64::try_from(self.failed).unwrap_or(i64::MAX));
        metrics.changed_decisions.set(0);
    }
}

/// The set that went live passed fewer tests than the one before it: some are deleted or skipped.
#[derive(Debug)]
pub struct TestsFewer<'a> {
    /// Content hash of the live set.
    pub revision: &'a str,
    /// How many tests the set before passed.
    pub before: usize,
    /// How many the live set passed.
    pub now: usize,
}

impl TestsFewer<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        warn!(
            event = "tests_fewer",
            revision = self.revision,
            before = self.before,
            now = self.now,
            "the live policy set has fewer tests than the set before"
        );
    }
}

/// The set would change more recorded decisions than it may; the live set stays.
#[derive(Debug)]
pub struct ChangesRefused<'a> {
    /// What asked for the attempt.
    pub cause: &'a str,
    /// Content hash of the refused set.
    pub revision: &'a str,
    /// How many decisions it would change.
    pub changed: u64,
    /// Of how many.
    pub decisions: u64,
    /// The first of them: its id, what was decided and what would be.
    pub first: &'a str,
    /// Content hash of the set that stays.
    pub live: Option<&'a str>,
}

impl ChangesRefused<'_> {
    /// Writes the log line and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        error!(
            event = "changes_refused",
            cause = self.cause,
            revision = self.revision,
            changed = self.changed,
            decisions = self.decisions,
            first = self.first,
            live = self.live,
            "policy set would change recorded decisions, {}",
            what_stays(self.live)
        );
        metrics.reloads.inc(ReloadOutcome::WouldChange);
        metrics.diagnostics.set(0);
        metrics.failed_tests.set(0);
        metrics.changed_decisions.set(i64::try_from(self.changed).unwrap_or(i64::MAX));
    }
}

/// The set could not be read or compiled at all; the live one stays, if there is one.
#[derive(Debug)]
pub struct ReloadFailed<'a> {
    /// What asked for the attempt.
    pub cause: &'a str,
    /// Why it failed.
    pub error: &'a (dyn Error + 'static),
    /// Content hash of the set that stays; none while the server starts.
    pub live: Option<&'a str>,
}

impl ReloadFailed<'_> {
    /// Writes the log line and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        error!(
            event = "reload_failed",
            cause = self.cause,
            error = chain(self.error),
            live = self.live,
            "policies cannot be loaded, {}",
            what_stays(self.live)
        );
        metrics.reloads.inc(ReloadOutcome::Failed);
    }
}

/// Nothing is served before the first set.
const fn what_stays(live: Option<&str>) -> &'static str {
    if live.is_some() { "the old set stays" } else { "the server does not start" }
}

/// The policy directory cannot be watched; changes are found by the poll alone.
#[derive(Debug)]
pub struct WatchDegraded<'a> {
    /// Why.
    pub error: &'a (dyn Error + 'static),
}

impl WatchDegraded<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        warn!(event = "watch_degraded", error = chain(self.error), "cannot watch the policies, polling only");
    }
}

/// A candidate set decides beside the live one from now on.
#[derive(Debug)]
pub struct ShadowLoaded<'a> {
    /// Content hash of the candidate.
    pub revision: &'a str,
    /// Files in it.
    pub files: usize,
}

impl ShadowLoaded<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        info!(
            event = "shadow_loaded",
            revision = self.revision,
            files = self.files,
            "candidate set decides beside the live one"
        );
    }
}

/// A candidate set cannot be used, or recorded calls cannot be read for it.
#[derive(Debug)]
pub struct ShadowFailed<'a> {
    /// Why.
    pub problem: &'a str,
}

impl ShadowFailed<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        warn!(
            event = "shadow_failed",
            problem = self.problem,
            "no candidate set decides beside the live one"
        );
    }
}
