//! One thread reads the log, the others decide: in batches, of which few are under way at any time.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use procura_core::limits::COMPILE_STACK_BYTES;
use procura_core::model::Timestamp;
use procura_core::query::{Condition, Facts};
use procura_core::record::DecisionRecord;
use procura_core::replay::{Recorded, RecordedCall, Report, Weight};

use super::sets::Sets;
use crate::audit::{Entry, LogReader};
use crate::cli::print_error;

/// How often it is told how far it is.
const PROGRESS: Duration = Duration::from_secs(1);

/// What is replayed, and with which sets.
#[derive(Clone, Copy)]
pub(super) struct Plan<'p> {
    /// What decides.
    pub(super) sets: &'p Sets,
    /// Calls of which time.
    pub(super) window: Window,
    /// Calls with a decision for which this holds.
    pub(super) condition: Option<&'p Condition>,
    /// Changes that weigh less are not looked at.
    pub(super) least: Weight,
}

/// A span of time; what is absent does not bound it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// At or after.
    pub(super) since: Option<Timestamp>,
    /// Before.
    pub(super) until: Option<Timestamp>,
}

/// Records with their numbers.
type Batch = Vec<(u64, Vec<u8>)>;

/// Replays the calls of `log`, as far as it reaches now.
///
/// # Errors
/// If the log cannot be read.
pub(super) fn replay(log: &LogReader, plan: &Plan<'_>) -> anyhow::Result<Report> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let (sender, batches) = sync_channel(threads);
    let batches = Arc::new(Mutex::new(batches));
    thread::scope(move |scope| {
        let start = |_| {
            let batches = Arc::clone(&batches);
            thread().spawn_scoped(scope, move || decide_all(&batches, plan))
        };
        let workers: Vec<_> =
            (0..threads).map(start).collect::<Result<_, _>>().context("cannot start a thread")?;
        // From here on only the workers hold it: if all of them panic, nobody waits for them.
        drop(batches);
        let read = read_all(log, plan.window, &sender);
        drop(sender);
        let mut report = Report::default();
        for worker in workers {
            let part = worker.join();
            report.join(part.map_err(|_| anyhow!("deciding failed: this is a defect, please report it"))?);
        }
        read.map(|()| report)
    })
}

/// A thread with the stack that compiling takes.
pub(super) fn thread() -> thread::Builder {
    thread::Builder::new().name("replay".into()).stack_size(COMPILE_STACK_BYTES)
}

fn read_all(log: &LogReader, window: Window, batches: &SyncSender<Batch>) -> anyhow::Result<()> {
    let last = log.reach().last;
    let mut cursor = log.cursor(log.first_seq());
    let mut told = Instant::now();
    let mut tells = false;
    while cursor.next_seq() <= last {
        let mut batch = Batch::new();
        let read = cursor.read(|entry| {
            if entry.seq <= last && window.may_hold(entry) {
                batch.push((entry.seq, entry.payload.to_vec()));
            }
        })?;
        if read == 0 {
            bail!("the decision log ends before record {last}");
        }
        // Nobody takes batches once a worker has panicked, which is told when they are joined.
        if batches.send(batch).is_err() {
            break;
        }
        if told.elapsed() >= PROGRESS {
            (told, tells) = (Instant::now(), true);
            print_error(&format!("\rread {} of {last} records", cursor.next_seq() - 1));
        }
    }
    if tells {
        print_error("\n");
    }
    Ok(())
}

fn decide_all(batches: &Mutex<Receiver<Batch>>, plan: &Plan<'_>) -> Report {
    let mut report = Report::default();
    loop {
        let batch = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = batch else { return report };
        for (seq, payload) in batch {
            decide(&mut report, seq, &payload, plan);
        }
    }
}

fn decide(report: &mut Report, seq: u64, payload: &[u8], plan: &Plan<'_>) {
    if !plan.asks_for(payload) {
        return;
    }
    match Recorded::read(payload, plan.sets.decided_by()) {
        Recorded::Call(record) if plan.window.holds(record.at) => compare(report, seq, &record, plan),
        Recorded::Call(_) | Recorded::Other => {}
        Recorded::Partial => report.partial += 1,
        Recorded::Unreadable(why) => report.add_unreadable(seq, why),
    }
}

fn compare(report: &mut Report, seq: u64, record: &DecisionRecord<'_>, plan: &Plan<'_>) {
    let call = match RecordedCall::of(record) {
        Ok(call) => call,
        Err(why) => return report.add_unreplayable(seq, &why),
    };
    let basis = &record.basis;
    let Some(snapshot) = plan.sets.deciding(&basis.policy_revision) else {
        return report.add_missing(&basis.policy_revision);
    };
    if basis.engine != env!("CARGO_PKG_VERSION") {
        report.add_other_engine(&basis.engine);
    }
    report.add(seq, record, (&record.results, &call.results(&snapshot)), plan.least);
}

impl Plan<'_> {
    /// Whether the condition lets a record pass. What cannot be read passes, so that it is told.
    fn asks_for(&self, payload: &[u8]) -> bool {
        let Some(condition) = self.condition else { return true };
        Facts::decode(payload).map_or(true, |facts| condition.matches(&facts))
    }
}

impl Window {
    fn holds(self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }

    /// The same by the microseconds that stand beside the record, which may be rounded.
    fn may_hold(self, entry: &Entry<'_>) -> bool {
        self.since.is_none_or(|since| entry.at.saturating_add(1) >= since.as_microsecond())
            && self.until.is_none_or(|until| entry.at.saturating_sub(1) <= until.as_microsecond())
    }
}
