//! What retention deleted, as the last record of it says: a log that begins later is whole only if it says so.

use procura_core::record::{ChainHash, Record};

use super::walk::ChainEnd;

/// The last deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deleted {
    /// The record that says so.
    pub(super) seq: u64,
    /// The chain before the segment that it is about: with it the log began until then.
    before: ChainEnd,
    /// The chain after that segment.
    after: ChainEnd,
}

impl Deleted {
    /// What the record `seq` says, if it is one of a deletion.
    pub(super) fn of(seq: u64, payload: &[u8]) -> Option<Self> {
        let Ok(Record::Retention(record)) = Record::decode(payload) else { return None };
        let before =
            ChainEnd { seq: record.first.checked_sub(1)?, hash: ChainHash::parse(&record.hash_before)? };
        let after = ChainEnd { seq: record.last, hash: ChainHash::parse(&record.hash_after)? };
        Some(Self { seq, before, after })
    }

    /// INVARIANT(deleted_not_lost): a log whose first records are missing is whole only if its last deletion ends where it
    /// begins, or was about to begin there.
    ///
    /// A segment is deleted only when the one before it is gone for good, so the last deletion is enough.
    pub(super) fn explains(&self, beginning: ChainEnd) -> bool {
        beginning == self.after || self.is_unfinished(beginning)
    }

    /// Whether the segment with which the log begins should be gone.
    pub(super) fn is_unfinished(&self, beginning: ChainEnd) -> bool {
        beginning == self.before
    }
}
