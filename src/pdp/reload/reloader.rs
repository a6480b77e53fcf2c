//! The reload thread: one attempt after the other, each from reading to activation.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use procura_core::model::Timestamp;
use procura_core::policy::{Compiled, Diagnostic, Revision, Severity, Snapshot};
use procura_core::record::{PolicyChange, PolicySet, Record, RecordError};
use procura_core::suite::{self, Filter};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::gate::GateError;
use super::{Ask, Compile, Message, ReloadParts};
use crate::background::yield_to_others;
use crate::pdp::caller::sender;
use crate::pdp::settle::{SettleError, Settled, settle};
use crate::pdp::{
    Active, Attempt, Caller, Cause, FAILED_TESTS, FewerTests, Force, LiveSet, ReloadOutcome, ReloadStatus,
    RolledBack, Running, status,
};
use crate::ports::{ArchiveError, Extent, LogError, NewRecord, Notice};
use crate::telemetry::Where;
use crate::telemetry::events::{
    self, ChangesRefused, PanicCaught, PolicySetEmpty, ReloadFailed, ReloadRejected, ReloadUnchanged,
    SnapshotActivated, TestsFailed, TestsFewer, WatchDegraded,
};

/// Owns reloading: the only place that activates a set.
pub(super) struct Reloader {
    pub(super) parts: ReloadParts,
    pub(super) active: Arc<ArcSwapOption<Active>>,
    pub(super) status: Arc<ArcSwap<ReloadStatus>>,
    pub(super) change_waits: Arc<AtomicBool>,
    pub(super) runtime: Handle,
    pub(super) compile: Box<dyn Compile>,
    /// The newest set that was refused, and why: the same text has the same faults and is not looked at again.
    pub(super) refused: Option<(Revision, ReloadOutcome)>,
    /// Sets that answered before, while calls may still read them.
    pub(super) retired: Vec<Arc<Active>>,
    /// The newest set that was read at the source.
    pub(super) source: Option<Revision>,
    /// The set that answered before the live one.
    pub(super) before: Option<Revision>,
    /// Set while the live set was asked for in the place of the one at the source.
    pub(super) rolled_back: Option<RolledBack>,
    /// How many tests the live set passed, if they had to.
    pub(super) tests: Option<usize>,
    /// Set while that is fewer than the set before it passed.
    pub(super) fewer_tests: Option<FewerTests>,
}

/// How often it is looked whether a set that answered before is still read.
const RETIREMENT: Duration = Duration::from_millis(100);

impl Reloader {
    /// Serves messages until nobody can send any more.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let Some(mut asked) = self.wait(messages) else {
                return;
            };
            while let Ok(message) = messages.try_recv() {
                self.take(message, &mut asked);
            }
            if let Some(ask) = asked.reload {
                let outcome = self.attempt(ask, Self::load);
                // Once there are calls to answer, they come first.
                yield_to_others();
                for reply in asked.replies {
                    // Whoever asked may have gone away.
                    let _ = reply.send(outcome.clone());
                }
            }
            for (caller, wanted, reply) in asked.rollbacks {
                let ask = Ask { cause: Cause::Rollback, caller: Some(caller), force: None };
                let outcome = self.attempt(ask, |reloader, tried| reloader.roll_back(tried, wanted));
                let _ = reply.send(outcome);
            }
            (self.parts.give_back)();
        }
    }

    /// Waits for a message or the next poll; `None` when nobody can send messages any more.
    fn wait(&mut self, messages: &Receiver<Message>) -> Option<Asked> {
        let mut asked = Asked::default();
        let poll_at = self.parts.timing.poll.map(|interval| Instant::now() + interval);
        loop {
            self.free_retired();
            let until_poll = poll_at.map(|at| at.saturating_duration_since(Instant::now()));
            let patience = if self.retired.is_empty() { None } else { Some(RETIREMENT) };
            let message = match until_poll.into_iter().chain(patience).min() {
                Some(patience) => messages.recv_timeout(patience),
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match message {
                Ok(message) => self.take(message, &mut asked),
                Err(RecvTimeoutError::Timeout) if poll_at.is_some_and(|at| Instant::now() >= at) => {
                    asked.reload = Some(Ask::from(Cause::Poll));
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return None,
            }
            return Some(asked);
        }
    }

    /// Frees the sets that nobody reads any more. It takes long, and whoever lets go of a set last has to do it: never
    /// a thread that answers calls, since this one holds on to each set until then.
    fn free_retired(&mut self) {
        let before = self.retired.len();
        self.retired.retain(|set| Arc::strong_count(set) > 1);
        if self.retired.len() < before {
            (self.parts.give_back)();
        }
    }

    fn take(&self, message: Message, asked: &mut Asked) {
        match message {
            Message::Reload(ask, reply) => {
                let force = asked.reload.take().and_then(|before| before.force);
                asked.reload = Some(Ask { force: ask.force.clone().or(force), ..ask });
                asked.replies.push(reply);
            }
            Message::Rollback(caller, wanted, reply) => asked.rollbacks.push((caller, wanted, reply)),
            Message::Notice(Notice::Changed) => {
                // From here on a change may come too late for this attempt and needs a notice of its own.
                self.change_waits.store(false, Ordering::Release);
                asked.reload.get_or_insert(Ask::from(Cause::Watch));
            }
            Message::Notice(Notice::WatchDown(error)) => {
                WatchDegraded { error: &error }.emit();
                self.update(|status| status.watch_down = Some(error.to_string()));
            }
            Message::Notice(Notice::WatchUp) => self.update(|status| status.watch_down = None),
        }
    }

    /// One attempt from reading to activation, reported as event, metric and status.
    fn attempt(
        &mut self,
        ask: Ask,
        go: impl FnOnce(&mut Self, &mut Tried) -> Result<ReloadOutcome, LoadError>,
    ) -> ReloadOutcome {
        let at = self.parts.clock.now();
        let began = Instant::now();
        let Ask { cause, caller, force } = ask;
        let mut tried = Tried { cause, caller, force, at, began, revision: None, forced: false };
        self.update(|status| status.running = Some(Running { at, began, cause }));
        // A panic here is a defect, and no reason to stop answering with the set that is live.
        let loaded = panic::catch_unwind(AssertUnwindSafe(|| go(self, &mut tried)));
        let outcome = loaded
            .unwrap_or_else(|_| {
                PanicCaught { place: Where::Reload }.emit(&self.parts.metrics);
                Err(LoadError::Panicked)
            })
            .unwrap_or_else(|error| self.failed(cause, &error));
        let attempt =
            Attempt { at, cause, took: began.elapsed(), revision: tried.revision, outcome: outcome.clone() };
        let live = self.active.load().as_deref().map(LiveSet::of);
        let (rolled_back, fewer_tests) = (self.rolled_back.clone(), self.fewer_tests);
        self.update(|status| {
            status.live = live;
            status.rolled_back = rolled_back;
            status.fewer_tests = fewer_tests;
            status.push(attempt);
        });
        outcome
    }

    fn load(&mut self, tried: &mut Tried) -> Result<ReloadOutcome, LoadError> {
        let live = self.live_revision();
        // Who rolled back wants nothing of the source until it changes, or somebody asks for it.
        let replaced = self.rolled_back.as_ref().map(|back| &back.source).filter(|_| !tried.cause.is_asked());
        let known = |revision: &Revision| Some(revision) == live.as_ref() || Some(revision) == replaced;
        let extent = if tried.cause == Cause::Watch { Extent::Changes } else { Extent::Whole };
        // Most changes are small and have come to rest: they are compiled while that is waited for.
        let (compile, refused, mut early) = (&mut self.compile, &self.refused, None);
        let look = |set: &Settled| {
            if refused.as_ref().is_none_or(|(refused, _)| *refused != set.revision) {
                early = compile.changes(&set.files).map(|compiled| (set.revision.clone(), compiled));
            }
        };
        let set = settle(self.parts.source.as_ref(), extent, self.parts.timing.quiet, known, look)?;
        tried.revision = Some(set.revision.clone());
        self.source = Some(set.revision.clone());
        if known(&set.revision) {
            self.rolled_back.take_if(|_| Some(&set.revision) == live.as_ref());
            let at = unix_seconds(tried.at);
            ReloadUnchanged { cause: tried.cause.as_str(), at }.emit(&self.parts.metrics);
            return Ok(ReloadOutcome::Unchanged);
        }
        let same = |(revision, outcome): &mut (Revision, ReloadOutcome)| {
            let may_pass = self.parts.gate.is_some() && outcome.may_change_by_itself();
            *revision == set.revision && !(tried.cause.is_asked() && may_pass)
        };
        if let Some((_, outcome)) = self.refused.take_if(same) {
            return Ok(self.refuse(tried.cause, set.revision, outcome));
        }
        let compiled = match early {
            Some((revision, compiled)) if revision == set.revision => compiled,
            _ => self.compile.whole(&set.files),
        };
        let Compiled { snapshot, diagnostics, .. } = compiled;
        let Some(snapshot) = snapshot else {
            return Ok(self.refuse(tried.cause, set.revision, ReloadOutcome::Rejected { diagnostics }));
        };
        let tests = match self.passed_tests(tried.cause, &set, &snapshot) {
            Ok(tests) => tests,
            Err(outcome) => return Ok(self.refuse(tried.cause, set.revision, outcome)),
        };
        if let Some(outcome) = self.too_many_changes(tried, &snapshot) {
            return Ok(self.refuse(tried.cause, set.revision, outcome));
        }
        let outcome = self.activate(tried, &set, snapshot, diagnostics)?;
        self.rolled_back = None;
        self.compare_tests(tests, &set.revision);
        Ok(outcome)
    }

    /// Warns if the set that just went live passed fewer tests than the one before it: deleted and skipped tests fail not.
    fn compare_tests(&mut self, now: Option<usize>, revision: &Revision) {
        let before = std::mem::replace(&mut self.tests, now);
        let both = before.zip(now).map(|(before, now)| FewerTests { before, now });
        self.fewer_tests = both.filter(|tests| tests.now < tests.before);
        if let Some(FewerTests { before, now }) = self.fewer_tests {
            TestsFewer { revision: revision.as_str(), before, now }.emit();
        }
    }

    /// What is said of a set that would change more recorded decisions than it may. Where nothing is live there is
    /// nothing to change.
    fn too_many_changes(&self, tried: &mut Tried, candidate: &Snapshot) -> Option<ReloadOutcome> {
        let (gate, live) = (self.parts.gate.as_ref()?, self.active.load_full()?);
        tried.forced = tried.force.as_ref().is_some_and(|force| force.is_for(&candidate.revision));
        if tried.forced {
            return None;
        }
        match gate.report(candidate, &live.snapshot, tried.at) {
            Ok(report) if gate.holds(&report) => {
                Some(ReloadOutcome::WouldChange { report: Arc::new(report) })
            }
            Ok(_) => None,
            Err(error) => Some(self.failed(tried.cause, &LoadError::Replay(error))),
        }
    }

    /// How many tests passed, if they have to; what is said of the set if they do not.
    fn passed_tests(
        &self,
        cause: Cause,
        set: &Settled,
        snapshot: &Snapshot,
    ) -> Result<Option<usize>, ReloadOutcome> {
        let Some(settings) = &self.parts.tests else { return Ok(None) };
        let (began, limit) = (Instant::now(), self.parts.timing.tests);
        let mut go_on = || began.elapsed() < limit;
        let Some(report) = suite::run_while(&set.files, snapshot, settings, &Filter::default(), &mut go_on)
        else {
            return Err(self.failed(cause, &LoadError::TestsTooLong(limit)));
        };
        if report.is_success() {
            return Ok(Some(report.summary.passed()));
        }
        let count = report.failed().count();
        Err(ReloadOutcome::TestsFailed { count, first: report.failed().take(FAILED_TESTS).collect() })
    }

    /// Reports that an attempt failed.
    fn failed(&self, cause: Cause, error: &LoadError) -> ReloadOutcome {
        let live = self.live_revision();
        let live = live.as_ref().map(Revision::as_str);
        ReloadFailed { cause: cause.as_str(), error, live }.emit(&self.parts.metrics);
        ReloadOutcome::Failed { reason: events::chain(error) }
    }

    /// Keeps the set, records the change, and only then lets the set answer.
    ///
    /// INVARIANT(change_before_use): in the log, the change to a set comes before every decision made with it.
    pub(super) fn activate(
        &mut self,
        tried: &Tried,
        set: &Settled,
        snapshot: Snapshot,
        warnings: Vec<Diagnostic>,
    ) -> Result<ReloadOutcome, LoadError> {
        let before = self.active.load_full();
        let generation = before.as_ref().map_or(0, |active| active.generation) + 1;
        let since = self.parts.clock.now();
        self.parts.archive.keep(&set.revision, &set.files).map_err(LoadError::Archive)?;
        let active = Active::new(snapshot, generation, since);
        self.record(tried, before.as_deref(), &active)?;
        SnapshotActivated {
            revision: set.revision.as_str(),
            from: before.as_deref().map(|active| active.snapshot.revision.as_str()),
            generation,
            policies: active.snapshot.count(),
            files: active.snapshot.files,
            warnings: warnings.len(),
            first_warning: warnings.first().map(in_a_line).as_deref(),
            cause: tried.cause.as_str(),
            at: unix_seconds(since),
            took: tried.began.elapsed(),
        }
        .emit(&self.parts.metrics);
        if active.snapshot.files == 0 {
            PolicySetEmpty { location: &self.parts.source.location() }.emit();
        }
        let before = self.active.swap(Some(Arc::new(active)));
        self.before = before.as_ref().map(|before| before.snapshot.revision.clone());
        self.retired.extend(before);
        self.refused = None;
        Ok(ReloadOutcome::Activated { generation, warnings })
    }

    fn record(&self, tried: &Tried, before: Option<&Active>, after: &Active) -> Result<(), LoadError> {
        let Some(log) = &self.parts.log else { return Ok(()) };
        let change = PolicyChange {
            at: after.since,
            cause: tried.cause.as_str().into(),
            caller: tried.caller.as_ref().map(sender),
            from: before.map(policy_set),
            to: policy_set(after),
            files: after.snapshot.files,
            forced: tried.forced,
        };
        let payload = Record::PolicyChange(change).encode()?;
        let receipt = log.append(NewRecord { at: after.since, payload });
        Ok(self.runtime.block_on(receipt)?)
    }

    /// Leaves the live set as it is, says why, and remembers it.
    fn refuse(&mut self, cause: Cause, revision: Revision, outcome: ReloadOutcome) -> ReloadOutcome {
        let live = self.live_revision();
        let live = live.as_ref().map(Revision::as_str);
        let (cause, refused) = (cause.as_str(), revision.as_str());
        match &outcome {
            ReloadOutcome::Rejected { diagnostics } => {
                let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error);
                let first = errors.clone().next().map(in_a_line).unwrap_or_default();
                let errors = errors.count();
                ReloadRejected { cause, revision: refused, errors, first: &first, live }
                    .emit(&self.parts.metrics);
            }
            ReloadOutcome::TestsFailed { count, first } => {
                let first = first.first().map(ToString::to_string).unwrap_or_default();
                let failed = *count;
                TestsFailed { cause, revision: refused, failed, first: &first, live }
                    .emit(&self.parts.metrics);
            }
            ReloadOutcome::WouldChange { report } => {
                let decisions = report.decisions;
                let (changed, first) = (report.changed_decisions(), status::first_change(report));
                ChangesRefused { cause, revision: refused, changed, decisions, first: &first, live }
                    .emit(&self.parts.metrics);
            }
            ReloadOutcome::Activated { .. }
            | ReloadOutcome::Unchanged
            | ReloadOutcome::NotArchived { .. }
            | ReloadOutcome::Failed { .. } => {}
        }
        self.refused = Some((revision, outcome.clone()));
        outcome
    }

    pub(super) fn live_revision(&self) -> Option<Revision> {
        self.active.load().as_deref().map(|active| active.snapshot.revision.clone())
    }

    fn update(&self, change: impl FnOnce(&mut ReloadStatus)) {
        let mut status = ReloadStatus::clone(&self.status.load());
        change(&mut status);
        self.status.store(Arc::new(status));
    }
}

/// What the messages that were taken together ask for.
#[derive(Default)]
struct Asked {
    reload: Option<Ask>,
    replies: Vec<oneshot::Sender<ReloadOutcome>>,
    rollbacks: Vec<(Caller, Option<Revision>, oneshot::Sender<ReloadOutcome>)>,
}

/// What is known of an attempt that goes on.
pub(super) struct Tried {
    cause: Cause,
    caller: Option<Caller>,
    force: Option<Force>,
    pub(super) at: Timestamp,
    began: Instant,
    pub(super) revision: Option<Revision>,
    /// Whether the gate of recorded calls was passed by force.
    forced: bool,
}

fn in_a_line(found: &Diagnostic) -> String {
    format!("{}: {}", found.position, found.message)
}

fn policy_set(active: &Active) -> PolicySet<'_> {
    PolicySet { revision: active.snapshot.revision.as_str().into(), generation: active.generation }
}

fn unix_seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1e3
}

/// Why a set did not go live though nothing is known to be wrong with its text.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error(transparent)]
    Settle(#[from] SettleError),
    #[error("the policy set cannot be kept in the archive")]
    Archive(#[source] io::Error),
    #[error("the change of the policy set cannot be encoded")]
    Encode(#[from] RecordError),
    #[error("the change of the policy set cannot be recorded")]
    Record(#[from] LogError),
    #[error(
        "the tests beside the policies were stopped after {} seconds: make them cheaper, or turn \
         `reload.requireTests` off", .0.as_secs()
    )]
    TestsTooLong(Duration),
    #[error(transparent)]
    Replay(GateError),
    #[error(transparent)]
    Unarchived(ArchiveError),
    #[error("the policy set made the server fail while loading it: this is a defect, please report it")]
    Panicked,
}
