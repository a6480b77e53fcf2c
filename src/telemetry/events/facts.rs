//! What happens to the facts on disk.

use std::io;

use tracing::{error, info, warn};

/// The facts were read at the start.
#[derive(Debug)]
pub struct FactsOpened {
    /// How many there are.
    pub facts: usize,
    /// The number of the last change.
    pub changes: u64,
    /// Bytes of a write that was interrupted before anybody was told that it is kept; they are dropped.
    pub cut: u64,
}

impl FactsOpened {
    /// Writes the log line.
    pub fn emit(&self) {
        let Self { facts, changes, cut } = self;
        if *cut > 0 {
            warn!(
                event = "facts_cut",
                bytes = cut,
                "end of the journal of facts was not whole and is dropped"
            );
        }
        info!(event = "facts_opened", facts, changes, "facts read");
    }
}

/// Facts cannot be kept; signals are refused until they can.
#[derive(Debug)]
pub struct FactsNotKept<'a> {
    /// Why.
    pub error: &'a io::Error,
}

impl FactsNotKept<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        error!(event = "facts_not_kept", error = %self.error, "facts cannot be kept");
    }
}

/// Facts can be kept again.
#[derive(Debug)]
pub struct FactsKept;

impl FactsKept {
    /// Writes the log line.
    pub fn emit(&self) {
        info!(event = "facts_kept", "facts can be kept again");
    }
}

/// A snapshot of the facts could not be written; it is tried again.
#[derive(Debug)]
pub struct FactsSnapshotFailed<'a> {
    /// Why.
    pub error: &'a io::Error,
}

impl FactsSnapshotFailed<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        warn!(event = "facts_snapshot_failed", error = %self.error, "snapshot of the facts cannot be written");
    }
}
