//! The one thread that writes. Group commit: everything that waits goes into one write and one sync, and only then
//! is anybody told.

use std::sync::Arc;
use std::time::Duration;

use procura_core::record::{Gap, LogRepair, Record};

use super::appender::{Appender, Mended};
use super::batch::Batch;
use super::error::AuditError;
use super::pace::Pace;
use super::queue::{Queue, Waiting};
use crate::ports::{Clock, LogError, NewRecord};
use crate::telemetry::Metrics;
use crate::telemetry::events::{LogBatchWritten, LogWriteFailed};

/// How long a failed log waits before it is tried again; doubled after each failure.
const FIRST_RETRY: Duration = Duration::from_millis(10);
const LAST_RETRY: Duration = Duration::from_secs(1);

/// What the thread owns.
pub(super) struct Writer {
    pub(super) appender: Appender,
    pub(super) queue: Arc<Queue>,
    pub(super) pace: Pace,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _refuse_after = RefuseAfter(Arc::clone(&self.queue));
        let mut taken = Waiting::default();
        while self.queue.take(&mut taken, self.pace.patience(), self.longest_wait()) {
            match self.commit(&mut taken.batch, taken.sync) {
                Ok(()) => taken.tell(&Ok(())),
                Err(error) => {
                    let gap = self.fail(&mut taken, &error);
                    self.mend(&gap);
                }
            }
        }
        if let Err(error) = self.appender.sync() {
            LogWriteFailed { error: &error, records: 0 }.emit(&self.metrics);
        }
    }

    /// How long the writer may wait for a record: then the segment is old.
    fn longest_wait(&self) -> Duration {
        self.appender.left_of_age(&*self.clock).unwrap_or(Duration::MAX)
    }

    /// Writes `batch`, and syncs if `sync`. It may be empty: then all there is to do is to close a segment that is old.
    fn commit(&mut self, batch: &mut Batch, sync: bool) -> Result<(), AuditError> {
        self.appender.roll_if_old(&*self.clock)?;
        if batch.records() == 0 {
            return Ok(());
        }
        let written = self.appender.append(batch, sync)?;
        let records = batch.records();
        LogBatchWritten { records, bytes: written.bytes, sync: written.sync }.emit(&self.metrics);
        self.pace.wrote(records, written.sync, self.queue.len());
        Ok(())
    }

    /// Tells everybody who waits that nothing was written, and refuses whoever comes. Returns what is missing by now.
    fn fail(&self, taken: &mut Waiting, error: &AuditError) -> Gap {
        let since = self.clock.now();
        let reason = error.with_causes();
        let mut waiting = self.queue.fail(reason.clone());
        let records = taken.batch.records() + waiting.batch.records();
        let refused = taken.awaited() + waiting.awaited();
        LogWriteFailed { error, records }.emit(&self.metrics);
        let outcome = Err(LogError::Unavailable(reason));
        taken.tell(&outcome);
        waiting.tell(&outcome);
        Gap { since, refused: refused as u64, lost: records.saturating_sub(refused) as u64 }
    }

    /// Tries again and again until the log can be written, or is closed.
    fn mend(&mut self, gap: &Gap) {
        let mut wait = FIRST_RETRY;
        while !self.queue.wait_closed(wait) {
            match self.mend_once(gap) {
                Ok(()) => return self.queue.recover(),
                Err(error) => {
                    self.fail(&mut Waiting::default(), &error);
                }
            }
            wait = (wait * 2).min(LAST_RETRY);
        }
    }

    /// A record of the repair is the proof that the log can be written again.
    fn mend_once(&mut self, gap: &Gap) -> Result<(), AuditError> {
        let Mended { cause, segment } = self.appender.mend()?;
        let gap = Gap { refused: gap.refused + self.queue.refused(), ..gap.clone() };
        let repair = repair_record(LogRepair {
            at: self.clock.now(),
            cause: cause.into(),
            segment: segment.name().into(),
            offset: segment.len,
            dropped_bytes: None,
            gap: Some(gap),
        });
        self.appender.append(&mut Batch::of(&repair), true).map(|_| ())
    }
}

/// The record of a repair.
pub(super) fn repair_record(repair: LogRepair<'_>) -> NewRecord {
    let at = repair.at;
    // A few short strings: far below every limit of a record.
    let payload = Record::LogRepair(repair).encode().unwrap_or_default();
    NewRecord { at, payload }
}

/// However the thread ends, even by a panic, nobody waits for it afterwards.
struct RefuseAfter(Arc<Queue>);

impl Drop for RefuseAfter {
    fn drop(&mut self) {
        let reason = "its writer has stopped".to_owned();
        self.0.fail(reason.clone()).tell(&Err(LogError::Unavailable(reason)));
    }
}
