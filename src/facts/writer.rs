//! The one thread that writes: everything that waits goes into one write and one sync, then it is held, and only then is
//! anybody told.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::compact::Texts;
use super::journal::Journal;
use super::plan::{Plan, Planned};
use super::queue::{Found, Waiting, refuse};
use super::snapshot::Snapshot;
use super::table::Table;
use super::{Limits, Shared};
use crate::ports::{Applied, LogFiles, StoreError};
use crate::telemetry::events::{FactsKept, FactsNotKept, FactsSnapshotFailed};

/// How long nothing must come until the journal says that everything before is on disk.
const IDLE: Duration = Duration::from_secs(1);

/// How long a journal that failed, or a snapshot, waits before it is tried again; doubled after each failure.
const FIRST_RETRY: Duration = Duration::from_millis(10);
const LAST_RETRY: Duration = Duration::from_secs(1);
const SNAPSHOT_RETRY: Duration = Duration::from_secs(10);

/// How seldom room is looked for when there is none.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// What the thread owns.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) files: Arc<dyn LogFiles>,
    pub(super) journal: Journal,
    pub(super) limits: Limits,
    pub(super) texts: Texts,
    pub(super) snapshots: Snapshots,
    pub(super) swept: Option<Instant>,
}

/// The snapshot that is being written, and what is known of the last one.
#[derive(Default)]
pub(super) struct Snapshots {
    pub(super) running: Option<JoinHandle<io::Result<u64>>>,
    pub(super) is_given_up: Arc<AtomicBool>,
    /// Bytes of the last one.
    pub(super) bytes: u64,
    pub(super) not_before: Option<Instant>,
}

/// What an event becomes once the batch is written, and who waits for that.
type Verdict = (Waiting, Result<Applied, StoreError>);

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _refuse_after = RefuseAfter(Arc::clone(&self.shared));
        let mut taken = VecDeque::new();
        loop {
            match self.shared.queue.take(&mut taken, IDLE) {
                Found::Closed => break,
                Found::Nothing => self.idle(),
                Found::Events => {
                    while !taken.is_empty() {
                        self.batch(&mut taken);
                    }
                }
            }
            self.look_after_snapshot();
        }
        self.end();
    }

    /// Takes a batch of `taken`, or refuses all of it.
    fn batch(&mut self, taken: &mut VecDeque<Waiting>) {
        let (planned, verdicts) = self.plan(taken);
        if !planned.events.is_empty() {
            if let Err(error) = self.journal.append(&planned.payload) {
                let reason = error.to_string();
                self.shared.queue.fail(&reason);
                refuse(verdicts.into_iter().map(|(waiting, _)| waiting), &reason);
                refuse(taken.drain(..), &reason);
                return self.fail(&error);
            }
            self.shared.hold(planned.events);
        }
        if verdicts
            .iter()
            .any(|(_, verdict)| matches!(verdict, Err(StoreError::Full { .. } | StoreError::Crowded { .. })))
        {
            self.make_room();
        }
        for (waiting, verdict) in verdicts {
            // Who does not listen any more need not be told.
            let _ = waiting.told.send(verdict);
        }
    }

    fn plan(&mut self, taken: &mut VecDeque<Waiting>) -> (Planned, Vec<Verdict>) {
        let held = self.shared.read();
        let mut plan = Plan::new(&held, self.limits);
        let mut verdicts = Vec::new();
        while let Some(waiting) = taken.pop_front() {
            let verdict = plan.add(&waiting.event, &mut self.texts);
            verdicts.push((waiting, verdict));
            if plan.is_full() {
                break;
            }
        }
        (plan.finish(), verdicts)
    }

    /// Refuses everything until the journal can be written again, or is closed.
    fn fail(&mut self, error: &io::Error) {
        FactsNotKept { error }.emit();
        self.shared.queue.fail(&error.to_string());
        let mut wait = FIRST_RETRY;
        while !self.shared.queue.wait_closed(wait) {
            let seq = self.shared.read().changes.last();
            match self.journal.mend(seq) {
                Ok(()) => {
                    FactsKept.emit();
                    return self.shared.queue.recover();
                }
                Err(error) => self.shared.queue.fail(&error.to_string()),
            }
            wait = (wait * 2).min(LAST_RETRY);
        }
    }

    fn idle(&mut self) {
        if self.journal.is_unmarked()
            && let Err(error) = self.journal.mark()
        {
            self.fail(&error);
        }
    }

    /// Drops what is past, at most once in a while.
    fn make_room(&mut self) {
        if self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP_EVERY) {
            self.swept = Some(Instant::now());
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        for part in 0..Table::parts() {
            self.shared.write().sweep_part(part);
        }
        self.shared.write().sweep_rest();
        self.texts.sweep();
        self.shared.count();
    }

    /// Sees to a snapshot that has ended, and begins one if the journal is larger than the last.
    fn look_after_snapshot(&mut self) {
        if let Some(ended) = self.snapshots.running.take_if(|running| running.is_finished()) {
            match ended.join().unwrap_or_else(|_| Err(io::Error::other("its thread has panicked"))) {
                Ok(bytes) => self.snapshots.bytes = bytes,
                Err(error) => {
                    FactsSnapshotFailed { error: &error }.emit();
                    self.snapshots.not_before = Some(Instant::now() + SNAPSHOT_RETRY);
                }
            }
        }
        let is_due = self.journal.is_good()
            && self.journal.len() > self.limits.journal_bytes.max(self.snapshots.bytes)
            && self.snapshots.running.is_none()
            && self.snapshots.not_before.is_none_or(|at| Instant::now() >= at);
        if is_due && let Err(error) = self.begin_snapshot() {
            self.fail(&error);
        }
    }

    fn begin_snapshot(&mut self) -> io::Result<()> {
        self.sweep();
        let (seq, taken) = {
            let held = self.shared.read();
            (held.changes.last(), held.taken.clone())
        };
        self.journal.turn(seq)?;
        let snapshot = Snapshot {
            files: Arc::clone(&self.files),
            generation: self.journal.generation(),
            seq,
            taken,
            shared: Arc::clone(&self.shared),
            is_given_up: Arc::clone(&self.snapshots.is_given_up),
        };
        let thread = thread::Builder::new().name("facts-snapshot".into());
        self.snapshots.running = Some(thread.spawn(|| snapshot.write())?);
        Ok(())
    }

    /// Says that everything is on disk, and waits for what still writes.
    fn end(&mut self) {
        self.snapshots.is_given_up.store(true, Ordering::Relaxed);
        if self.journal.is_unmarked() {
            // If it cannot be said, the next start finds out what is there.
            let _ = self.journal.append(&[]);
        }
        if let Some(running) = self.snapshots.running.take() {
            // Whether it was finished is known to the next start.
            let _ = running.join();
        }
    }
}

/// However the thread ends, even by a panic, nobody waits for it afterwards.
struct RefuseAfter(Arc<Shared>);

impl Drop for RefuseAfter {
    fn drop(&mut self) {
        self.0.queue.close();
        self.0.queue.fail("its writer has stopped");
    }
}
