//! The thread that keeps the index: it reads the log in order and fills blocks.
//!
//! The load rule: it has a low priority, and while records come in it rests nine times as long as it worked, so that it
//! takes a tenth of a processor at most; once it is [`IndexSettings::max_lag`] records behind, or when nothing comes in, it
//! does not rest.
//!
//! What another process left is looked at, block by block, newest first, before queries use it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use procura_core::query::Facts;

use super::block::Block;
use super::columns::IndexError;
use super::store::{BlockInfo, Store, Writer};
use super::{Index, State};
use crate::audit::catalog::Reach;
use crate::audit::cursor::Entry;
use crate::audit::query::LogReader;
use crate::background::yield_to_others;
use crate::telemetry::Metrics;
use crate::telemetry::events::{IndexBegun, IndexStalled};

/// How the index is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSettings {
    /// Where.
    pub dir: PathBuf,
    /// Records that it may be behind before it stops resting.
    pub max_lag: u64,
    /// Decisions in a block, unless its last call has more.
    pub block_rows: u32,
    /// Bytes of the disk that are kept for records: while less is free, the index stays as it is.
    pub reserved_bytes: u64,
}

impl IndexSettings {
    /// So many decisions that few blocks have to be looked at, and so few that the block that is being filled is soon
    /// made again at a start.
    pub const BLOCK_ROWS: u32 = 65_536;
}

/// How long the rest is in comparison to the work while records come in.
const REST: u32 = 9;
const LONGEST_REST: Duration = Duration::from_millis(500);

/// How long it waits for records before it looks whether to stop.
const WAIT: Duration = Duration::from_millis(100);

/// How long it waits before it begins anew: longer from time to time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long it waits before it tries to read a damaged log again.
const STALL_PAUSE: Duration = Duration::from_secs(10);

/// The thread. Ends when dropped.
pub struct IndexThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for IndexThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Whatever it did not do is done at the next start.
            let _ = thread.join();
        }
    }
}

impl Index {
    /// Keeps an index of the log that `reader` reads, for as long as the thread lives that is returned.
    ///
    /// # Errors
    /// If the thread cannot be started. Whatever else is wrong, the index is made again, again and again if need be.
    pub fn start(
        settings: &IndexSettings,
        reader: LogReader,
        metrics: Arc<Metrics>,
    ) -> io::Result<(Arc<Self>, IndexThread)> {
        let index = Arc::new(Self::new(Store::new(&settings.dir), Vec::new(), settings.block_rows));
        let stop = Arc::new(AtomicBool::new(false));
        let mut keeper = Keeper {
            index: Arc::clone(&index),
            reader,
            metrics,
            max_lag: settings.max_lag,
            reserved_bytes: settings.reserved_bytes,
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::Builder::new().name("log-index".to_owned()).spawn(move || keeper.run())?;
        Ok((index, IndexThread { stop, thread: Some(thread) }))
    }

    /// Takes in the next record.
    fn take(&self, entry: &Entry<'_>) {
        let facts = Facts::decode(entry.payload).ok();
        let mut state = self.lock();
        state.open.add(entry, facts.as_ref());
        state.next_seq = entry.seq + 1;
        if state.open.is_full(state.block_rows) {
            let full = std::mem::take(&mut state.open);
            state.closing.push(Arc::new(full));
        }
    }

    fn next_closing(&self) -> Option<Arc<Block>> {
        self.lock().closing.first().cloned()
    }

    fn closed(&self, info: BlockInfo) {
        let mut state = self.lock();
        state.closing.remove(0);
        state.closed.push(Arc::new(info));
    }

    /// Begins with these blocks.
    fn reset(&self, closed: Vec<BlockInfo>, first_seq: u64) {
        let next_seq = closed.last().map_or(first_seq, |block| block.records.end);
        let closed = closed.into_iter().map(Arc::new).collect();
        let mut state = self.lock();
        let block_rows = state.block_rows;
        *state = State { closed, next_seq, trusted_from: next_seq, block_rows, ..State::default() };
    }

    /// The newest block that nobody has looked at.
    fn untrusted(&self) -> Option<Arc<BlockInfo>> {
        let state = self.lock();
        let trusted = state.closed.partition_point(|block| block.records.end <= state.trusted_from);
        trusted.checked_sub(1).and_then(|at| state.closed.get(at)).cloned()
    }

    fn trust(&self, block: &BlockInfo) {
        self.lock().trusted_from = block.records.start;
    }

    /// Forgets the blocks all of whose records are before `first_seq`; the first record of those that are left.
    fn forget(&self, first_seq: u64) -> Option<u64> {
        let mut state = self.lock();
        let gone = state.closed.partition_point(|block| block.records.end <= first_seq);
        state.closed.drain(..gone);
        (gone > 0).then(|| state.closed.first().map_or(state.next_seq, |block| block.records.start))
    }
}

struct Keeper {
    index: Arc<Index>,
    reader: LogReader,
    metrics: Arc<Metrics>,
    max_lag: u64,
    reserved_bytes: u64,
    stop: Arc<AtomicBool>,
}

impl Keeper {
    fn run(&mut self) {
        yield_to_others();
        let (mut pause, mut anew) = (FIRST_PAUSE, false);
        while let Err(error) = self.keep(anew) {
            if self.is_stopped() {
                break;
            }
            self.index.give_up(&error);
            self.rest(pause);
            (pause, anew) = ((pause * 4).min(LONGEST_PAUSE), true);
        }
    }

    /// Keeps the index until told to stop.
    fn keep(&self, anew: bool) -> Result<(), IndexError> {
        let mut writer = self.begin(anew)?;
        let mut cursor = self.reader.cursor(self.index.lock().next_seq);
        let mut stalled = false;
        while !self.is_stopped() {
            if self.index.lock().unusable {
                return Err(IndexError::Damaged("a query found it so"));
            }
            if self.is_short_of_room() {
                self.report(0);
                self.rest(STALL_PAUSE);
                continue;
            }
            let (reach, begun) = (self.reader.reach(), Instant::now());
            let taken = match cursor.read(|entry| self.index.take(entry)) {
                Ok(taken) => taken,
                Err(error) => {
                    if !stalled {
                        IndexStalled { seq: cursor.next_seq(), error: &error }.emit();
                    }
                    stalled = true;
                    self.rest(STALL_PAUSE);
                    cursor = self.reader.cursor(self.index.lock().next_seq);
                    continue;
                }
            };
            stalled = false;
            self.close_blocks(&mut writer)?;
            self.report(taken);
            let verified = self.verify_next()?;
            if taken > 0 || verified {
                self.rest_after(begun.elapsed(), reach);
            } else {
                let _ = self.reader.wait_beyond(reach, WAIT);
            }
        }
        Ok(())
    }

    /// Opens what there is, as far as it is of this log, or begins with nothing.
    fn begin(&self, anew: bool) -> Result<Writer, IndexError> {
        let store = &self.index.store;
        let (mut writer, mut closed) = if anew { (store.begin()?, Vec::new()) } else { store.open()? };
        let first_seq = self.reader.first_seq();
        let fitting = closed.iter().rposition(|block| self.index.fits(block, &self.reader));
        let kept = fitting.map_or(0, |at| at + 1);
        if let Some(foreign) = closed.get(kept) {
            writer.drop_blocks(0, foreign.records.start)?;
            closed.truncate(kept);
        }
        let records = closed.last().map_or(0, |block| block.records.end - 1);
        IndexBegun { records }.emit(&self.metrics);
        self.index.reset(closed, first_seq);
        Ok(writer)
    }

    /// Stores the blocks that are full, and takes away those of which the log holds nothing any more.
    fn close_blocks(&self, writer: &mut Writer) -> Result<(), IndexError> {
        while let Some(block) = self.index.next_closing() {
            let info = writer.keep(&block)?;
            self.index.closed(info);
        }
        match self.index.forget(self.reader.first_seq()) {
            Some(first) => writer.drop_blocks(first, u64::MAX),
            None => Ok(()),
        }
    }

    /// Looks at a block that was there at the start, whether it is as it was written; false if there is none left.
    fn verify_next(&self) -> Result<bool, IndexError> {
        let Some(block) = self.index.untrusted() else { return Ok(false) };
        self.index.store.verify(&block)?;
        self.index.trust(&block);
        Ok(true)
    }

    /// Whether what is free belongs to the records. A disk that does not say how much it has left has enough.
    fn is_short_of_room(&self) -> bool {
        self.reader.files().free_bytes().is_ok_and(|free| free < self.reserved_bytes)
    }

    fn report(&self, taken: usize) {
        let next = self.index.lock().next_seq;
        self.metrics.index_moved(taken as u64, (self.reader.reach().last + 1).saturating_sub(next));
    }

    /// The load rule.
    fn rest_after(&self, worked: Duration, before: Reach) {
        let reach = self.reader.reach();
        let lag = (reach.last + 1).saturating_sub(self.index.lock().next_seq);
        if reach != before && lag < self.max_lag {
            self.rest((worked * REST).min(LONGEST_REST));
        }
    }

    /// Does nothing for so long, unless told to stop.
    fn rest(&self, pause: Duration) {
        let end = Instant::now() + pause;
        while !self.is_stopped() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(WAIT));
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
