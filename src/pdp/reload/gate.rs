//! The gate of recorded calls: a set that would change too many of their decisions does not go live.
//!
//! What counts is what going live would change: recorded calls are decided with the candidate and with the live set, or
//! are known as the live set decided them. A change that is live already is not held against a set that keeps it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use procura_core::model::Timestamp;
use procura_core::policy::Snapshot;
use procura_core::record::DecisionRecord;
use procura_core::replay::{DecidedBy, Recorded, RecordedCall, Report, Unreplayable, Weight};

use crate::pdp::{Force, MaxChanged};
use crate::ports::{LogError, RecordSource};

/// What a set must not change.
#[derive(Clone)]
pub struct ChangeGate {
    /// The recorded calls.
    pub records: Arc<dyn RecordSource>,
    /// How many decisions it may change.
    pub most: MaxChanged,
    /// How many of the newest records are looked at.
    pub newest: u64,
    /// How old the calls are at most.
    pub age: Duration,
    /// How long that may take.
    pub limit: Duration,
}

/// Why nobody can say what a set would change.
#[derive(Debug, thiserror::Error)]
pub(super) enum GateError {
    /// It took too long.
    #[error(
        "replaying recorded calls was stopped after {} seconds: lower `reload.replayCalls`, or force the reload", .0.as_secs()
    )]
    TooLong(Duration),
    /// The log cannot be read.
    #[error("recorded calls cannot be replayed")]
    Unreadable(#[from] LogError),
}

impl ChangeGate {
    /// What `candidate` would change of what `live` decides, at `now`. Only what is answered counts, not why.
    pub(super) fn report(
        &self,
        candidate: &Snapshot,
        live: &Snapshot,
        now: Timestamp,
    ) -> Result<Report, GateError> {
        let (began, last) = (Instant::now(), self.records.last());
        let since = now.checked_sub(self.age).unwrap_or(Timestamp::MIN);
        let mut cursor = self.records.cursor((last + 1).saturating_sub(self.newest));
        let mut report = Report::default();
        let mut flow = ControlFlow::Continue(());
        while cursor.next_seq() <= last && flow.is_continue() {
            let read = cursor.read(&mut |seq, payload| {
                if flow.is_continue() && seq <= last {
                    replay(&mut report, (seq, payload), since, (live, candidate));
                    flow = if began.elapsed() < self.limit { flow } else { ControlFlow::Break(()) };
                }
            })?;
            if read == 0 {
                break;
            }
        }
        if flow.is_break() { Err(GateError::TooLong(self.limit)) } else { Ok(report) }
    }

    /// Whether a set with this `report` is held back.
    pub(super) fn holds(&self, report: &Report) -> bool {
        !self.most.allows(report.changed_decisions(), report.decisions)
    }
}

impl Force {
    /// Whether the set of this revision is meant.
    pub(super) fn is_for(&self, candidate: &procura_core::policy::Revision) -> bool {
        match self {
            Force::Any => true,
            Force::Only(revision) => revision == candidate,
        }
    }
}

fn replay(
    report: &mut Report,
    (seq, payload): (u64, &[u8]),
    since: Timestamp,
    (live, candidate): (&Snapshot, &Snapshot),
) {
    let record = match Recorded::read(payload, DecidedBy::AnotherSet) {
        Recorded::Call(record) if record.at >= since => record,
        Recorded::Call(_) | Recorded::Other => return,
        Recorded::Partial => return report.partial += 1,
        Recorded::Unreadable(why) => return report.add_unreadable(seq, why),
    };
    if let Err(why) = compare(report, seq, &record, (live, candidate)) {
        report.add_unreplayable(seq, &why);
    }
}

fn compare(
    report: &mut Report,
    seq: u64,
    record: &DecisionRecord<'_>,
    (live, candidate): (&Snapshot, &Snapshot),
) -> Result<(), Unreplayable> {
    let call = RecordedCall::of(record)?;
    let after = call.results(candidate);
    let basis = &record.basis;
    let is_known =
        basis.policy_revision == live.revision.as_str() && basis.engine == env!("CARGO_PKG_VERSION");
    if is_known {
        report.add(seq, record, (&record.results, &after), Weight::Answer);
    } else {
        report.add(seq, record, (&call.results(live), &after), Weight::Answer);
    }
    Ok(())
}
