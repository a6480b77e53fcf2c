//! Which segments there are and how far they may be read: what the writer publishes and readers see.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

/// How far the log reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The last record that is acknowledged; 0 before the first.
    pub last: u64,
    /// The last record that is known to be on disk.
    pub synced: u64,
}

/// Who must have met a record before it may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependent {
    /// Signs checkpoints over the records.
    Notary,
    /// Sends the records elsewhere.
    Shipping,
}

/// All segments, oldest first; the last one grows.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    state: Mutex<State>,
    grown: Condvar,
    /// A segment was begun, or the log is closed.
    begun: Condvar,
}

#[derive(Debug, Default)]
struct State {
    segments: Vec<SegmentInfo>,
    reach: Reach,
    /// The latest instant of a record that was deleted.
    deleted_until: Option<i64>,
    /// The oldest record that each dependent still needs.
    needed_from: Vec<(Dependent, u64)>,
    /// How many segments were begun since the log was opened.
    begun: usize,
    closed: bool,
}

impl Catalog {
    /// A catalog of these segments, oldest first, that reach so far.
    pub(super) fn new(segments: Vec<SegmentInfo>, reach: Reach) -> Self {
        let state = State { segments, reach, ..State::default() };
        Self { state: Mutex::new(state), ..Self::default() }
    }

    /// The same catalog of a log whose records up to the instant `until` were deleted, the smallest if none was.
    pub(super) fn with_deleted(self, until: i64) -> Self {
        self.lock().deleted_until = Some(until).filter(|until| *until > i64::MIN);
        self
    }

    /// The latest instant of a record that was deleted.
    pub(super) fn deleted_until(&self) -> Option<i64> {
        self.lock().deleted_until
    }

    /// The first record that there is, or would be.
    pub(super) fn first_seq(&self) -> u64 {
        self.lock().segments.first().map_or(1, |segment| segment.first_seq)
    }

    /// Whether `segment` was deleted since it was in the catalog.
    pub(super) fn is_gone(&self, segment: &SegmentInfo) -> bool {
        segment.first_seq < self.first_seq()
    }

    /// Takes out the oldest segment, which is about to be deleted.
    pub(super) fn forget(&self, oldest: &SegmentInfo) {
        let mut state = self.lock();
        if state.segments.first().is_some_and(|segment| segment.first_seq == oldest.first_seq) {
            state.segments.remove(0);
            state.deleted_until = state.deleted_until.max(Some(oldest.times.max));
        }
    }

    /// From now on `dependent` needs the records from `seq` on, which are not deleted; `None` if it needs none.
    pub(super) fn need_from(&self, dependent: Dependent, seq: Option<u64>) {
        let needs = &mut self.lock().needed_from;
        needs.retain(|(other, _)| *other != dependent);
        needs.extend(seq.map(|seq| (dependent, seq)));
    }

    /// Whether record `seq` must not be deleted yet.
    pub(super) fn needs(&self, seq: u64) -> bool {
        self.lock().needed_from.iter().any(|(_, needed)| *needed <= seq)
    }

    /// The segments at this moment.
    pub(super) fn segments(&self) -> Vec<SegmentInfo> {
        self.lock().segments.clone()
    }

    /// The segment that begins with record `first_seq`.
    pub(super) fn segment(&self, first_seq: u64) -> Option<SegmentInfo> {
        let state = self.lock();
        let at = state.segments.binary_search_by_key(&first_seq, |segment| segment.first_seq);
        at.ok().and_then(|at| state.segments.get(at)).copied()
    }

    /// The segment that holds record `seq`, or would if there were one.
    pub(super) fn segment_with(&self, seq: u64) -> Option<SegmentInfo> {
        let state = self.lock();
        let behind = state.segments.partition_point(|segment| segment.first_seq <= seq);
        behind.checked_sub(1).and_then(|at| state.segments.get(at)).copied()
    }

    /// How far the log reaches at this moment.
    pub(super) fn reach(&self) -> Reach {
        self.lock().reach
    }

    /// Waits until the log reaches beyond `seen`, at most `timeout`; how far it reaches then.
    pub(super) fn wait_beyond(&self, seen: Reach, timeout: Duration) -> Reach {
        let waited = self.grown.wait_timeout_while(self.lock(), timeout, |state| state.reach == seen);
        waited.unwrap_or_else(PoisonError::into_inner).0.reach
    }

    /// Makes the newest segment visible up to where `segment` says, or adds it.
    pub(super) fn publish(&self, segment: SegmentInfo, reach: Reach) {
        let mut state = self.lock();
        match state.segments.last_mut().filter(|last| last.first_seq == segment.first_seq) {
            Some(last) => *last = segment,
            None => {
                state.segments.push(segment);
                state.begun += 1;
                self.begun.notify_all();
            }
        }
        state.reach = reach;
        drop(state);
        self.grown.notify_all();
    }

    /// Waits until more than `seen` segments were begun or the log is closed, at most `timeout`; how many were begun then.
    pub(super) fn wait_for_segment(&self, seen: usize, timeout: Duration) -> usize {
        let waits = |state: &mut State| !state.closed && state.begun <= seen;
        let waited = self.begun.wait_timeout_while(self.lock(), timeout, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.begun
    }

    /// Says that the log is about to end.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.begun.notify_all();
    }

    /// Whether the log is about to end.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
