//! The bounded queue between the calls and the writer, and whether the log accepts records at all.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use procura_core::limits::RECORD_BYTES;
use tokio::sync::oneshot;

use crate::ports::{LogError, NewRecord};

/// A record that waits to be written.
pub(super) struct Entry {
    /// The record.
    pub(super) record: NewRecord,
    /// Whom to tell; `None` if nobody waits.
    pub(super) ack: Option<oneshot::Sender<Result<(), LogError>>>,
}

/// The queue. Many threads push, one takes.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    max_records: usize,
    max_bytes: usize,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    bytes: usize,
    closed: bool,
    failure: Option<String>,
}

impl Queue {
    /// An empty queue of at most this many records and bytes.
    pub(super) fn new(max_records: usize, max_bytes: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), max_records, max_bytes }
    }

    /// Adds a record; never waits. Returns how many are in the queue.
    pub(super) fn push(&self, entry: Entry) -> Result<usize, LogError> {
        let bytes = entry.record.payload.len();
        if bytes > RECORD_BYTES {
            return Err(LogError::TooLarge { bytes, limit: RECORD_BYTES });
        }
        let mut state = self.lock();
        state.health()?;
        if state.entries.len() >= self.max_records || state.bytes + bytes > self.max_bytes {
            return Err(LogError::Overloaded);
        }
        state.bytes += bytes;
        state.entries.push(entry);
        let waiting = state.entries.len();
        drop(state);
        self.changed.notify_one();
        Ok(waiting)
    }

    /// Takes everything that waits, or waits for something; `None` once closed and empty.
    pub(super) fn take(&self) -> Option<Vec<Entry>> {
        let mut state = self.lock();
        while state.entries.is_empty() {
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Some(state.drain())
    }

    /// Refuses records from now on, for this reason. Returns those that waited.
    pub(super) fn fail(&self, reason: String) -> Vec<Entry> {
        let mut state = self.lock();
        state.failure = Some(reason);
        state.drain()
    }

    /// Accepts records again.
    pub(super) fn recover(&self) {
        self.lock().failure = None;
    }

    /// Refuses records from now on; those that wait are still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits until closed, at most `timeout`; whether it is closed.
    pub(super) fn wait_closed(&self, timeout: Duration) -> bool {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, timeout, |state| !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Whether records are accepted.
    pub(super) fn health(&self) -> Result<(), LogError> {
        self.lock().health()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn health(&self) -> Result<(), LogError> {
        match &self.failure {
            Some(reason) => Err(LogError::Unavailable(reason.clone())),
            None if self.closed => Err(LogError::Unavailable("it is closed".to_owned())),
            None => Ok(()),
        }
    }

    fn drain(&mut self) -> Vec<Entry> {
        self.bytes = 0;
        std::mem::take(&mut self.entries)
    }
}
