//! The decision log: an append-only, hash-chained sequence of records in segment files.
//!
//! One call's way through it:
//!
//! 1. [`Log::append`](crate::ports::DecisionLog::append) copies the encoded record into a bounded queue, where it stands
//!    as it will in the file, and returns a receipt; it never waits.
//! 2. The one writer thread takes everything that waits, chains it in place, writes it as one piece and syncs once. It
//!    waits a little for more if that saves more than it costs.
//! 3. Then the receipts resolve, and the records become visible to readers. Neither happens before.
//! 4. A failed write or sync fails the receipts of its batch, and the log refuses records until the segment is cut
//!    back to what is known to be durable and a record of the repair has been written.
//!
//! 5. Records in a file that is no longer at its place are not written: that is looked at before the receipts resolve.
//!
//! At start only the end of the last segment may be torn, and is cut; anything else that does not fit, or an end before
//! the mark, is damage, is named, and stops the start. `docs/reference/log-format.md` describes the files.

mod appender;
mod batch;
mod catalog;
mod compressed;
mod cursor;
mod deleted;
mod error;
mod files;
mod filter;
mod find;
mod follow;
#[cfg(fuzzing)]
pub mod fuzzing;
mod index;
mod mark;
mod masking;
mod pace;
mod page;
mod plain;
pub mod proof;
mod query;
mod queue;
mod refresh;
mod reverse;
mod room;
mod segment;
mod tally;
mod upkeep;
mod verify;
mod walk;
mod writer;

pub use catalog::{Dependent, Reach};
pub use cursor::{Cursor, Entry, Place};
pub use error::AuditError;
pub use files::DirFiles;
pub use index::{Index, IndexError, IndexSettings, IndexThread, IndexedLog};
pub use masking::{ForgottenKey, KeyStore, Keyring, PeriodKey};
pub use query::LogReader;
pub use verify::{Verified, verify};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use procura_core::query::Field;
use procura_core::record::LogRepair;
use tokio::sync::oneshot;

use self::catalog::Catalog;
use crate::ports::{
    Clock, DecisionCounts, DecisionFilter, DecisionLog, DecisionPage, DecisionQuery, Durability, Follower,
    LogError, LogFiles, NewRecord, Receipt, Room, StoredRecord,
};
use crate::telemetry::Metrics;
use crate::telemetry::events::LogRepaired;

/// How the log works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// What a receipt waits for.
    pub durability: Durability,
    /// How long a receipt waits at most.
    pub deadline: Duration,
    /// Most records in the queue.
    pub queue_records: usize,
    /// Most bytes of records in the queue. The memory they take may be twice as much.
    pub queue_bytes: usize,
    /// Size at which a segment is closed, in bytes; a batch is never split, so one may be larger.
    pub segment_bytes: u64,
    /// Age of its oldest record at which a segment is closed, also while nothing is written; `None` for no age.
    pub segment_age: Option<Duration>,
    /// Whether closed segments are compressed.
    pub compress: bool,
    /// Bytes of the disk that are kept for records: work that can wait does so while less is free.
    pub reserved_bytes: u64,
    /// What is deleted.
    pub retention: Retention,
    /// Who must have met a record before it is deleted: until each has said by [`LogReader::need_from`] how far it is, nothing is deleted.
    pub dependents: Vec<Dependent>,
    /// Whether there are signs of an earlier log. If there is none, it is recorded that it is missing.
    pub has_past: bool,
}

/// Which segments are deleted, oldest first; never the one that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Those whose records are all older than this; `None` for no age.
    pub age: Option<Duration>,
    /// Those that are too much if all take more bytes of the disk than this; `None` for no limit.
    pub bytes: Option<u64>,
    /// None at all, whatever the rest says.
    pub hold: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            durability: Durability::Durable,
            deadline: Duration::from_secs(1),
            queue_records: 16 * 1024,
            queue_bytes: 64 * 1024 * 1024,
            segment_bytes: 64 * 1024 * 1024,
            segment_age: None,
            compress: false,
            reserved_bytes: 0,
            retention: Retention::default(),
            dependents: Vec::new(),
            has_past: false,
        }
    }
}

/// What was found when the log was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryReport {
    /// How many segments there are.
    pub segments: usize,
    /// The last record that was found; 0 in a new log.
    pub last_seq: u64,
    /// What had to be repaired, if anything.
    pub repair: Option<Repair>,
}

/// What was wrong with the end of the log. It may hold records that were acknowledged only if the disk lost what it had
/// confirmed, or somebody changed the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// `torn_tail`, `empty_segment` or `log_missing`, as in the record of the repair.
    pub cause: &'static str,
    /// The segment file.
    pub segment: String,
    /// Where it was cut, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes were dropped.
    pub dropped_bytes: u64,
}

/// The decision log. Closes when dropped.
pub struct Log {
    queue: Arc<queue::Queue>,
    reader: LogReader,
    durability: Durability,
    deadline: Duration,
    catalog: Arc<Catalog>,
    gauge: Arc<room::Gauge>,
    threads: Mutex<Threads>,
}

/// The threads that work for the log, until they have ended.
#[derive(Default)]
struct Threads {
    upkeep: Option<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
}

impl Log {
    /// Opens the log in `files`, or begins one: repairs a torn end (and records that), then starts the writer.
    pub fn open(
        files: Arc<dyn LogFiles>,
        settings: &LogSettings,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<(Arc<Self>, RecoveryReport), AuditError> {
        let as_they_are = Arc::clone(&files);
        let files: Arc<dyn LogFiles> = Arc::new(plain::PlainFiles::new(files));
        let found = find::find(&*files)?;
        let catalog = Catalog::new(found.closed.clone(), Reach::default());
        let catalog = Arc::new(catalog.with_deleted(found.deleted_until));
        settings.dependents.iter().for_each(|follower| catalog.need_from(*follower, Some(1)));
        let limits = appender::Limits { bytes: settings.segment_bytes, age: settings.segment_age };
        let mut appender =
            appender::Appender::open(Arc::clone(&files), Arc::clone(&catalog), &found, limits)?;
        let report = RecoveryReport {
            segments: found.closed.len() + 1,
            last_seq: appender.last_seq(),
            repair: needed_repair(&found, settings.has_past),
        };
        if let Some(Repair { cause, segment, offset, dropped_bytes }) = &report.repair {
            LogRepaired { cause, segment, dropped_bytes: *dropped_bytes }.emit();
            let repair = writer::repair_record(LogRepair {
                at: clock.now(),
                cause: (*cause).into(),
                segment: segment.into(),
                offset: *offset,
                dropped_bytes: Some(*dropped_bytes),
                gap: None,
            });
            appender.append(&mut batch::Batch::of(&repair), true)?;
        }
        let queue =
            Arc::new(queue::Queue::new(settings.queue_records, settings.queue_bytes, Arc::clone(&metrics)));
        let writer = writer::Writer {
            appender,
            queue: Arc::clone(&queue),
            pace: pace::Pace::new(settings.durability),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
        };
        let gauge = Arc::new(room::Gauge::new(settings.reserved_bytes));
        let unfinished = found.deleted.is_some_and(|deleted| deleted.is_unfinished(found.beginning));
        let upkeep = upkeep::Upkeep {
            files: as_they_are,
            plain: Arc::clone(&files),
            catalog: Arc::clone(&catalog),
            queue: Arc::clone(&queue),
            doomed: found.closed.first().filter(|_| unfinished).copied(),
            settings: settings.clone(),
            gauge: Arc::clone(&gauge),
            clock,
            metrics,
        };
        let log = Self {
            queue,
            reader: LogReader::new(files, Arc::clone(&catalog)),
            durability: settings.durability,
            deadline: settings.deadline,
            catalog,
            gauge,
            threads: Mutex::default(),
        };
        log.start("decision-log", |threads| &mut threads.writer, move || writer.run())?;
        log.start("log-upkeep", |threads| &mut threads.upkeep, move || upkeep.run())?;
        Ok((Arc::new(log), report))
    }

    fn start(
        &self,
        name: &str,
        place: impl FnOnce(&mut Threads) -> &mut Option<JoinHandle<()>>,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), AuditError> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.map_err(AuditError::io("start", "a thread of the decision log"))?;
        *place(&mut self.threads()) = Some(thread);
        Ok(())
    }

    /// The read side.
    #[must_use]
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// Refuses new records, writes those that wait, and returns when that is done. Blocking.
    pub fn close(&self) {
        let Threads { upkeep, writer } = std::mem::take(&mut *self.threads());
        self.catalog.close();
        // A thread that panicked has been logged, and a writer has failed every receipt.
        let _ = upkeep.map(JoinHandle::join);
        self.queue.close();
        let _ = writer.map(JoinHandle::join);
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

impl DecisionLog for Log {
    fn append_as(&self, record: NewRecord, durability: Durability) -> Receipt {
        if durability == Durability::Async {
            return Receipt::Ready(self.queue.push(&record, false, None));
        }
        let (ack, done) = oneshot::channel();
        if let Err(error) = self.queue.push(&record, durability == Durability::Durable, Some(ack)) {
            return Receipt::Ready(Err(error));
        }
        let deadline = self.deadline;
        Receipt::Waiting(Box::pin(async move {
            match tokio::time::timeout(deadline, done).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(LogError::Unavailable("its writer has stopped".to_owned())),
                Err(_) => Err(LogError::Deadline),
            }
        }))
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    fn health(&self) -> Result<(), LogError> {
        self.queue.health()
    }

    fn room(&self) -> Option<Room> {
        Some(self.gauge.room()).filter(|room| room.free < u64::MAX)
    }
}

/// Reads without the index, which is beside the log.
impl DecisionQuery for Log {
    fn find(&self, filter: &DecisionFilter) -> Result<DecisionPage, LogError> {
        self.reader.find(filter)
    }

    fn get(&self, call_id: &str) -> Result<Option<StoredRecord>, LogError> {
        self.reader.get(call_id)
    }

    fn count(&self, filter: &DecisionFilter, by: &[Field]) -> Result<DecisionCounts, LogError> {
        self.reader.count(filter, by)
    }

    fn follow(&self, filter: &DecisionFilter, after: u64, each: Follower<'_>) -> Result<(), LogError> {
        self.reader.follow(filter, after, each)
    }

    fn last_seq(&self) -> u64 {
        self.reader.last_seq()
    }

    fn unindexed(&self) -> u64 {
        self.reader.unindexed()
    }
}

fn needed_repair(found: &find::Found, has_past: bool) -> Option<Repair> {
    let Some(tail) = &found.tail else {
        let segment = segment::file_name(1);
        return has_past.then_some(Repair { cause: "log_missing", segment, offset: 0, dropped_bytes: 0 });
    };
    let cause = match (tail.info.len, tail.torn) {
        (0, _) => "empty_segment",
        (_, 0) => return None,
        _ => "torn_tail",
    };
    let (segment, offset) = (tail.info.name(), tail.info.len);
    Some(Repair { cause, segment, offset, dropped_bytes: tail.torn })
}
