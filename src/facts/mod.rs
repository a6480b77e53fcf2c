//! Facts, kept durably and found at once: an index in memory, a journal of what was taken, and snapshots.
//!
//! An event is written to the journal, then held in memory, then acknowledged, in this order; so whoever asks after the
//! acknowledgement is answered from it, and no power cut takes it back.

mod changes;
mod compact;
mod error;
mod form;
mod frame;
#[cfg(fuzzing)]
pub mod fuzzing;
mod held;
mod journal;
mod plan;
mod queue;
mod recover;
mod snapshot;
mod table;
mod taken;
mod writer;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle};

use procura_core::model::{Entity, Fact, Timestamp};
use tokio::sync::watch;

pub use error::FactsError;

use self::held::Held;
use self::plan::Event;
use self::queue::Queue;
use self::recover::{Found, recover};
use self::writer::{Snapshots, Writer};
use crate::ports::{Applying, Change, FactStore, Facts, LogFiles, Statements};
use crate::telemetry::events::FactsOpened;

/// Places that are looked at under one lock when all facts about something are asked for.
const PLACES_AT_ONCE: usize = 1024;

/// How much is held.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most facts, also those that were withdrawn and still outweigh what comes late.
    pub facts: usize,
    /// Most facts about one entity.
    pub about_one: usize,
    /// Most names of events that are kept of one source.
    pub names: usize,
    /// Bytes of a journal below which no snapshot is made.
    pub journal_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { facts: 1_000_000, about_one: 256, names: 1 << 18, journal_bytes: 16 * 1024 * 1024 }
    }
}

/// The facts of a server, and the one who writes them.
pub struct Store {
    shared: Arc<Shared>,
    limits: Limits,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What readers and the writer share.
struct Shared {
    held: RwLock<Held>,
    /// How many facts there are that were not withdrawn.
    stated: AtomicUsize,
    /// The number of the last change.
    seq: watch::Sender<u64>,
    queue: Queue,
}

impl Store {
    /// Reads what `files` hold, a directory of its own, and takes events from then on.
    pub fn open(files: Arc<dyn LogFiles>, limits: Limits) -> Result<Self, FactsError> {
        let Found { held, texts, journal, snapshot_bytes, cut } = recover(&files, limits.names)?;
        FactsOpened { facts: held.table.stated(), changes: held.changes.last(), cut }.emit();
        let shared = Arc::new(Shared {
            stated: AtomicUsize::new(held.table.stated()),
            seq: watch::Sender::new(held.changes.last()),
            held: RwLock::new(held),
            queue: Queue::default(),
        });
        let snapshots = Snapshots { bytes: snapshot_bytes, ..Snapshots::default() };
        let writer =
            Writer { shared: Arc::clone(&shared), files, journal, limits, texts, snapshots, swept: None };
        let thread = thread::Builder::new().name("facts".into()).spawn(|| writer.run());
        let writer = thread.map_err(FactsError::io("start", "writer"))?;
        Ok(Self { shared, limits, writer: Mutex::new(Some(writer)) })
    }

    /// Takes no more events, and returns once everything that was taken is on disk.
    pub fn close(&self) {
        self.shared.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A panic of it was shown when it happened.
            let _ = writer.join();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl Facts for Store {
    fn is_empty(&self) -> bool {
        self.count() == 0
    }

    fn about(&self, presented: &[Entity<'_>], now: Timestamp) -> Vec<Arc<Fact>> {
        self.shared.read().table.about(presented, now)
    }
}

impl FactStore for Store {
    fn apply(&self, event: Statements) -> Applying {
        self.shared.queue.push(event)
    }

    fn has_taken(&self, source: &str, id: &str) -> bool {
        let name = taken::name(id);
        self.shared.read().taken.contains(source, name)
    }

    fn of(&self, entity: &Entity<'_>) -> Vec<Arc<Fact>> {
        let (mut found, mut next) = self.shared.read().table.of(entity, None, PLACES_AT_ONCE);
        while next.is_some() {
            let (more, then) = self.shared.read().table.of(entity, next, PLACES_AT_ONCE);
            found.extend(more);
            next = then;
        }
        found
    }

    fn count(&self) -> usize {
        self.shared.stated.load(Ordering::Acquire)
    }

    fn limit(&self) -> usize {
        self.limits.facts
    }

    fn last_change(&self) -> u64 {
        *self.shared.seq.borrow()
    }

    fn changes_after(&self, after: u64, most: usize) -> Option<Vec<Change>> {
        self.shared.read().changes.after_number(after, most)
    }

    fn wait_beyond(&self, after: u64) -> Pin<Box<dyn Future<Output = u64> + Send + '_>> {
        let mut seq = self.shared.seq.subscribe();
        Box::pin(async move {
            // The sender lives as long as this store.
            seq.wait_for(|seq| *seq > after).await.map_or(after, |seq| *seq)
        })
    }

    fn health(&self) -> Result<(), String> {
        self.shared.queue.fault().map_or(Ok(()), Err)
    }
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds what is on disk now: every question from here on is answered from all of it.
    fn hold(&self, events: Vec<Event>) {
        let mut held = self.write();
        events.into_iter().for_each(|event| held.apply(event));
        let (stated, seq) = (held.table.stated(), held.changes.last());
        self.stated.store(stated, Ordering::Release);
        drop(held);
        self.seq.send_if_modified(|last| std::mem::replace(last, seq) != seq);
    }

    /// Counts again after a sweep.
    fn count(&self) {
        self.stated.store(self.read().table.stated(), Ordering::Release);
    }
}
