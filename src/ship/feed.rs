//! Reads the records that a destination gets next.

use std::collections::VecDeque;

use procura_core::record::{ChainHash, kind_of};

use super::bookmark::Bookmark;
use super::failure::Failure;
use super::settings::BatchLimits;
use crate::audit::{Cursor, Entry, LogReader};

/// A record on its way.
#[derive(Debug)]
pub(super) struct Parcel {
    /// Position in the chain.
    pub(super) seq: u64,
    /// Instant, in microseconds since 1970.
    pub(super) at: i64,
    /// Chain hash after it.
    pub(super) hash: ChainHash,
    /// The encoded record: one JSON object in one line.
    pub(super) payload: Vec<u8>,
}

/// The records behind a bookmark, as many as fit into a batch and what one reading of the log brings.
pub(super) struct Feed<'l> {
    reader: &'l LogReader,
    cursor: Cursor<'l>,
    waiting: VecDeque<Parcel>,
    waiting_bytes: usize,
    /// The last record that was read, whether it is sent or not.
    read_to: Option<Bookmark>,
}

impl<'l> Feed<'l> {
    /// What follows `after`, or everything.
    pub(super) fn new(reader: &'l LogReader, after: Option<Bookmark>) -> Self {
        let next = after.map_or(reader.first_seq(), |bookmark| bookmark.seq + 1);
        let cursor = reader.cursor(next);
        Self { reader, cursor, waiting: VecDeque::new(), waiting_bytes: 0, read_to: after }
    }

    /// Reads until a batch is full. Returns whether it met the end of the log.
    pub(super) fn gather(&mut self, kinds: &[String], limits: BatchLimits) -> Result<bool, Failure> {
        let goal = self.reader.reach().last;
        while !self.is_full(limits) {
            if self.cursor.next_seq() > goal {
                return Ok(true);
            }
            let Self { cursor, waiting, waiting_bytes, read_to, .. } = self;
            let (next, mut first) = (cursor.next_seq(), None);
            let read = cursor.read(|entry| {
                first.get_or_insert(entry.seq);
                *read_to = Some(Bookmark { seq: entry.seq, hash: entry.hash });
                if is_wanted(entry, kinds) {
                    *waiting_bytes += entry.payload.len();
                    waiting.push_back(Parcel::of(entry));
                }
            });
            read.map_err(Failure::Log)?;
            // A cursor goes on behind records that were deleted.
            if first != Some(next) {
                return Err(Failure::Missing(next));
            }
        }
        Ok(false)
    }

    /// The next batch.
    pub(super) fn batch(&mut self, limits: BatchLimits) -> &[Parcel] {
        let mut bytes = 0;
        let fits = self.waiting.iter().take(limits.records).take_while(|parcel| {
            bytes += parcel.payload.len();
            bytes <= limits.bytes
        });
        let count = fits.count().max(1);
        let waiting = self.waiting.make_contiguous();
        waiting.get(..count).unwrap_or(waiting)
    }

    /// Takes note that the first `count` records that wait are confirmed. Where the destination is then: behind the last
    /// of them, and behind what it does not get.
    pub(super) fn confirm(&mut self, count: usize) -> Option<Bookmark> {
        let mut last = None;
        for parcel in self.waiting.drain(..count.min(self.waiting.len())) {
            self.waiting_bytes -= parcel.payload.len();
            last = Some(Bookmark { seq: parcel.seq, hash: parcel.hash });
        }
        if self.waiting.is_empty() { self.read_to } else { last }
    }

    /// The instant of the oldest record that waits.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.waiting.front().map(|parcel| parcel.at)
    }

    /// Whether no record waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn is_full(&self, limits: BatchLimits) -> bool {
        self.waiting.len() >= limits.records || self.waiting_bytes >= limits.bytes
    }
}

impl Parcel {
    fn of(entry: &Entry<'_>) -> Self {
        Self { seq: entry.seq, at: entry.at, hash: entry.hash, payload: entry.payload.to_vec() }
    }
}

/// Whether a destination gets the record. What is not understood is not held back.
fn is_wanted(entry: &Entry<'_>, kinds: &[String]) -> bool {
    kinds.is_empty() || kind_of(entry.payload).map_or(true, |kind| kinds.contains(&kind))
}
