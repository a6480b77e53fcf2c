//! Shadow: a candidate set decides every recorded call as well, and what it would answer otherwise is recorded.
//!
//! It follows the log: a call is looked at when it has been answered, so the shadow neither delays nor changes an answer.
//! It takes second place to everything else; where it falls too far behind it passes calls over and counts them.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use procura_core::limits::COMPILE_STACK_BYTES;
use procura_core::model::Timestamp;
use procura_core::policy::{Compiled, Compiler, Revision, Severity, Snapshot};
use procura_core::record::{
    DecisionDifference, DecisionRecord, PolicySet, Record, ShadowDifference, Verdict,
};
use procura_core::replay::{Aspect, Change, DecidedBy, Recorded, RecordedCall, Weight, changes};
use tokio::runtime::Handle;

use super::settle::settle;
use crate::background::{give_back, yield_to_others};
use crate::ports::{
    Clock, DecisionLog, Extent, NewRecord, Notice, PolicySource, Receipt, RecordCursor, RecordSource,
};
use crate::telemetry::events::{PanicCaught, ShadowFailed, ShadowLoaded, chain};
use crate::telemetry::{Metrics, ShadowCall, Where};

/// Records that the shadow may be behind before it passes over those that it has not come to.
const LAG: u64 = 10_000;

/// How long it waits for records before it looks whether the candidate has changed.
const PATIENCE: Duration = Duration::from_millis(200);

/// Most decisions of a call whose differences are recorded one by one.
const DIFFERENCES: usize = 100;

/// What the shadow needs.
pub struct ShadowParts {
    /// The candidate policies.
    pub source: Arc<dyn PolicySource>,
    /// The calls.
    pub records: Arc<dyn RecordSource>,
    /// Where differences are recorded.
    pub log: Arc<dyn DecisionLog>,
    /// Stamps them.
    pub clock: Arc<dyn Clock>,
    /// Count calls.
    pub metrics: Arc<Metrics>,
    /// Two readings of the candidate must agree across this pause.
    pub quiet: Duration,
}

/// A running shadow; it ends when this is dropped.
pub struct Shadow {
    status: Arc<ArcSwap<ShadowStatus>>,
    changed: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
}

/// What the shadow has done with its present candidate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowStatus {
    /// Where the candidate comes from, for people.
    pub source: String,
    /// The candidate; `None` if it cannot be used.
    pub candidate: Option<Revision>,
    /// Since when it decides.
    pub since: Option<Timestamp>,
    /// Why there is none.
    pub problem: Option<String>,
    /// Calls that it answers as they were answered.
    pub same: u64,
    /// Calls that it would answer otherwise.
    pub different: u64,
    /// Calls that cannot be decided again, because something in their records is masked.
    pub partial: u64,
    /// Records that were passed over.
    pub skipped: u64,
    /// Differences that could not be recorded.
    pub unrecorded: u64,
}

impl Shadow {
    /// Starts the shadow. Call it within a tokio runtime.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(parts: ShadowParts) -> io::Result<Self> {
        let status = ShadowStatus { source: parts.source.location(), ..ShadowStatus::default() };
        let status = Arc::new(ArcSwap::from_pointee(status));
        let (changed, stopped) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let shadowing = Shadowing {
            told: Arc::clone(&status),
            status: ShadowStatus::clone(&status.load()),
            changed: Arc::clone(&changed),
            stopped: Arc::clone(&stopped),
            runtime: Handle::current(),
            compiler: Compiler::default(),
            candidate: None,
            parts,
        };
        let thread = thread::Builder::new().name("shadow".into()).stack_size(COMPILE_STACK_BYTES);
        thread.spawn(move || shadowing.run())?;
        Ok(Self { status, changed, stopped })
    }

    /// Takes what a watch over the candidate reports. Never blocks. A watch that is down still looks again and again.
    pub fn notice(&self, notice: &Notice) {
        if matches!(notice, Notice::Changed) {
            self.changed.store(true, Ordering::Release);
        }
    }

    /// What it has done.
    #[must_use]
    pub fn status(&self) -> Arc<ShadowStatus> {
        self.status.load_full()
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
    }
}

/// The thread of the shadow.
struct Shadowing {
    parts: ShadowParts,
    told: Arc<ArcSwap<ShadowStatus>>,
    status: ShadowStatus,
    changed: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
    runtime: Handle,
    compiler: Compiler,
    candidate: Option<Snapshot>,
}

impl Shadowing {
    fn run(mut self) {
        yield_to_others();
        let records = Arc::clone(&self.parts.records);
        let mut cursor = records.cursor(records.last() + 1);
        while !self.stopped.load(Ordering::Acquire) {
            if self.changed.swap(false, Ordering::AcqRel) && self.load() {
                cursor = records.cursor(records.last() + 1);
            }
            let last = records.wait_beyond(cursor.next_seq().saturating_sub(1), PATIENCE);
            let behind = (last + 1).saturating_sub(cursor.next_seq());
            if self.candidate.is_none() || behind > LAG {
                self.pass_over(behind);
                cursor = records.cursor(last + 1);
            } else if behind > 0 && !self.follow(&mut *cursor) {
                cursor = records.cursor(last + 1);
            }
            self.told.store(Arc::new(self.status.clone()));
        }
    }

    /// Reads the candidate; whether it is another one now.
    fn load(&mut self) -> bool {
        let current = self.candidate.as_ref().map(|candidate| candidate.revision.clone());
        let known = |revision: &Revision| Some(revision) == current.as_ref();
        let parts = &self.parts;
        let found = match settle(&*parts.source, Extent::Changes, parts.quiet, known, |_| {}) {
            Ok(set) if known(&set.revision) => return false,
            Ok(set) => self.compile(&set.files),
            Err(error) => Err(chain(&error)),
        };
        let source = self.status.source.clone();
        self.candidate = None;
        match found {
            Ok(snapshot) => {
                ShadowLoaded { revision: snapshot.revision.as_str(), files: snapshot.files }.emit();
                let (candidate, since) = (Some(snapshot.revision.clone()), Some(self.parts.clock.now()));
                self.status = ShadowStatus { source, candidate, since, ..ShadowStatus::default() };
                self.candidate = Some(snapshot);
            }
            Err(problem) => {
                ShadowFailed { problem: &problem }.emit();
                self.status = ShadowStatus { source, problem: Some(problem), ..ShadowStatus::default() };
            }
        }
        give_back();
        true
    }

    fn compile(&mut self, files: &[procura_core::policy::SourceFile]) -> Result<Snapshot, String> {
        let compiler = &mut self.compiler;
        // A panic here is a defect, and no reason to end.
        let compiled = panic::catch_unwind(AssertUnwindSafe(|| compiler.compile(files)));
        let Ok(Compiled { snapshot, diagnostics, .. }) = compiled else {
            self.compiler = Compiler::default();
            PanicCaught { place: Where::Shadow }.emit(&self.parts.metrics);
            return Err("compiling it failed: this is a defect, please report it".to_owned());
        };
        snapshot.ok_or_else(|| {
            let mut errors = diagnostics.iter().filter(|found| found.severity == Severity::Error);
            let first = errors.next().map(|found| format!("{}: {}", found.position, found.message));
            format!("the candidate set has errors: {}", first.unwrap_or_default())
        })
    }

    /// Looks at the next records; whether they could be read.
    fn follow(&mut self, cursor: &mut dyn RecordCursor) -> bool {
        let mut receipts = Vec::new();
        let looked = panic::catch_unwind(AssertUnwindSafe(|| {
            cursor.read(&mut |_, payload| {
                let outcome = self.look(payload, &mut receipts);
                self.count(outcome, 1);
            })
        }));
        for receipt in receipts {
            if self.runtime.block_on(receipt).is_err() {
                self.count(Some(ShadowCall::Unrecorded), 1);
            }
        }
        match looked {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => {
                ShadowFailed { problem: &error.to_string() }.emit();
                false
            }
            Err(_) => {
                PanicCaught { place: Where::Shadow }.emit(&self.parts.metrics);
                false
            }
        }
    }

    fn look(&self, payload: &[u8], receipts: &mut Vec<Receipt>) -> Option<ShadowCall> {
        let candidate = self.candidate.as_ref()?;
        let record = match Recorded::read(payload, DecidedBy::AnotherSet) {
            Recorded::Call(record) => record,
            Recorded::Partial => return Some(ShadowCall::Partial),
            Recorded::Other | Recorded::Unreadable(_) => return None,
        };
        let after = RecordedCall::of(&record).ok()?.results(candidate);
        let changes = changes(&record, &record.results, &after);
        let found: Vec<_> = changes.filter(|change| change.weight() >= Weight::Answer).collect();
        if found.is_empty() {
            return Some(ShadowCall::Same);
        }
        let difference = self.difference(&record, candidate, &found);
        match Record::ShadowDifference(difference).encode() {
            Ok(payload) => {
                let at = self.parts.clock.now();
                receipts.push(self.parts.log.append(NewRecord { at, payload }));
                Some(ShadowCall::Different)
            }
            Err(_) => Some(ShadowCall::Unrecorded),
        }
    }

    fn difference<'r>(
        &self,
        record: &'r DecisionRecord<'_>,
        candidate: &'r Snapshot,
        found: &[Change<'_, '_>],
    ) -> ShadowDifference<'r> {
        let live = PolicySet {
            revision: (&*record.basis.policy_revision).into(),
            generation: record.basis.policy_generation,
        };
        let difference = |change: &Change<'_, '_>| DecisionDifference {
            decision: change.before.id.number,
            differs: change.differs.iter().map(|aspect| Aspect::as_str(*aspect).into()).collect(),
            from: Verdict::of(&change.before),
            to: Verdict::of(&change.after),
        };
        ShadowDifference {
            at: self.parts.clock.now(),
            call: (&*record.call.id).into(),
            live,
            candidate: candidate.revision.as_str().into(),
            changed: found.len(),
            differences: found.iter().take(DIFFERENCES).map(difference).collect(),
        }
    }

    fn pass_over(&mut self, records: u64) {
        if self.candidate.is_some() {
            self.count(Some(ShadowCall::Skipped), records);
        }
    }

    fn count(&mut self, outcome: Option<ShadowCall>, more: u64) {
        let Some(outcome) = outcome else { return };
        let count = match outcome {
            ShadowCall::Same => &mut self.status.same,
            ShadowCall::Different => &mut self.status.different,
            ShadowCall::Partial => &mut self.status.partial,
            ShadowCall::Skipped => &mut self.status.skipped,
            ShadowCall::Unrecorded => &mut self.status.unrecorded,
        };
        *count += more;
        self.parts.metrics.shadow_calls(outcome, more);
    }
}
