//! Which segments there are and how far they may be read: what the writer publishes and readers see.

use std::sync::{Mutex, PoisonError};

use super::segment::{TimeRange, file_name};

/// One segment as readers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentInfo {
    /// Its first record.
    pub(super) first_seq: u64,
    /// How far it may be read, in bytes: everything before is acknowledged.
    pub(super) len: u64,
    /// The instants of its records.
    pub(super) times: TimeRange,
}

impl SegmentInfo {
    /// Its file.
    pub(super) fn name(&self) -> String {
        file_name(self.first_seq)
    }
}

/// All segments, oldest first; the last one grows.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    segments: Mutex<Vec<SegmentInfo>>,
}

impl Catalog {
    /// A catalog of these segments, oldest first.
    pub(super) fn new(segments: Vec<SegmentInfo>) -> Self {
        Self { segments: Mutex::new(segments) }
    }

    /// The segments at this moment.
    pub(super) fn segments(&self) -> Vec<SegmentInfo> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the newest segment visible up to where `segment` says, or adds it.
    pub(super) fn publish(&self, segment: SegmentInfo) {
        let mut segments = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        match segments.last_mut().filter(|last| last.first_seq == segment.first_seq) {
            Some(last) => *last = segment,
            None => segments.push(segment),
        }
    }
}
