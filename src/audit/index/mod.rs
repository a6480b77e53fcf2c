//! The index over the decision log: derived from it, never the truth, and made again whenever it cannot be used.
//!
//! Consecutive records form a *block* of some 65 536 decisions. For each value of each field a block knows the set of
//! decisions that have it, so that a filter is a few operations on sets for each block, whatever it asks for. The block
//! that is being filled is in memory ([`block`]); a full one is kept in SQLite ([`store`]) and never changes again. One
//! thread ([`follow`]) reads the log in order and fills blocks. A query ([`search`]) reads what the index does not know
//! yet from the log itself, then asks the blocks, newest first; each record that they name is read and looked at again.

mod bits;
mod block;
mod columns;
mod follow;
mod search;
mod store;

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use columns::IndexError;
pub use follow::{IndexSettings, IndexThread};
pub use search::IndexedLog;

use self::block::Block;
use self::columns::Columns;
use self::store::{BlockInfo, Store};
use super::query::LogReader;
use crate::telemetry::events::IndexUnusable;

/// The index of one log.
pub struct Index {
    store: Store,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The stored blocks, oldest first, without gaps.
    closed: Vec<Arc<BlockInfo>>,
    /// Blocks that are being stored.
    closing: Vec<Arc<Block>>,
    /// The block that is being filled.
    open: Block,
    /// The next record to take in.
    next_seq: u64,
    /// The first record of the oldest stored block that was found to be as it was written. Older ones are not asked.
    trusted_from: u64,
    /// Decisions at which a block is full.
    block_rows: u32,
    /// Whether it must be made again.
    unusable: bool,
}

impl Index {
    fn new(store: Store, closed: Vec<BlockInfo>, block_rows: u32) -> Self {
        let next_seq = closed.last().map_or(1, |block| block.records.end);
        let closed = closed.into_iter().map(Arc::new).collect();
        Self { store, state: Mutex::new(State { closed, next_seq, block_rows, ..State::default() }) }
    }

    /// The index in `dir` of the log that `reader` reads, as another process wrote it; `None` if there is none, or it is
    /// of another log. Whether it was damaged since is not looked at.
    #[must_use]
    pub fn open_to_read(dir: &Path, reader: &LogReader) -> Option<Self> {
        let (store, closed) = Store::open_to_read(dir)?;
        let index = Self::new(store, closed, 0);
        let newest = index.lock().closed.last().cloned()?;
        index.fits(&newest, reader).then_some(index)
    }

    /// The records that it knows.
    fn known(&self) -> Range<u64> {
        let state = self.lock();
        if state.unusable {
            return 0..0;
        }
        let closed = state.closed.first().map(|block| block.records.start);
        let first = closed.or_else(|| state.closing.first().map(|block| block.range().start));
        first.unwrap_or_else(|| state.open.range().start)..state.next_seq
    }

    /// Shows the block with record `seq` to `each`, and which records it has; `None` if there is none.
    fn block_with<T>(
        &self,
        seq: u64,
        each: impl FnOnce(&dyn Columns, Range<u64>) -> Result<T, IndexError>,
    ) -> Result<Option<T>, IndexError> {
        let state = self.lock();
        if state.unusable {
            return Ok(None);
        }
        if state.open.range().contains(&seq) {
            // It is small: the thread that fills it waits.
            return each(&state.open, state.open.range()).map(Some);
        }
        if let Some(block) = state.closing.iter().find(|block| block.range().contains(&seq)) {
            let block = Arc::clone(block);
            drop(state);
            return each(&*block, block.range()).map(Some);
        }
        let behind = state.closed.partition_point(|block| block.records.start <= seq);
        let info = behind.checked_sub(1).and_then(|at| state.closed.get(at)).cloned();
        let trusted_from = state.trusted_from;
        drop(state);
        match info.filter(|info| info.records.contains(&seq) && info.records.start >= trusted_from) {
            Some(info) => self.store.read(&info, |block| each(block, info.records.clone())).map(Some),
            None => Ok(None),
        }
    }

    /// Whether the last record of the block is the one that the log holds there.
    fn fits(&self, info: &BlockInfo, reader: &LogReader) -> bool {
        let last = self.store.read(info, |block| Ok(block.spots()?.last().copied()));
        let stored = last.ok().flatten().and_then(|spot| reader.at(spot.place).ok());
        stored.is_some_and(|stored| stored.seq + 1 == info.records.end && stored.hash == info.hash)
    }

    /// Says that it must be made again.
    fn give_up(&self, error: &IndexError) {
        let mut state = self.lock();
        if !state.unusable {
            state.unusable = true;
            IndexUnusable { reason: &error.to_string() }.emit();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
