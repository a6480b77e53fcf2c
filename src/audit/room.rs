//! How much of the disk is left, and whether work that can wait has to.

use std::sync::atomic::{AtomicU64, Ordering};

use super::error::AuditError;
use crate::ports::{LogFiles, Room};
use crate::telemetry::Metrics;

/// What was found when it was looked last.
#[derive(Debug)]
pub(super) struct Gauge {
    free: AtomicU64,
    reserved: u64,
}

impl Gauge {
    /// A gauge of a disk of which `reserved` bytes are kept for records.
    pub(super) fn new(reserved: u64) -> Self {
        Self { free: AtomicU64::new(u64::MAX), reserved }
    }

    /// Looks at the disk of `files`. If that cannot be told, what was known before stays.
    pub(super) fn look(&self, files: &dyn LogFiles, metrics: &Metrics) -> Result<Room, AuditError> {
        let free = files.free_bytes();
        let free = free.map_err(AuditError::io("ask for the space that is left for", "the decision log"))?;
        self.free.store(free, Ordering::Relaxed);
        metrics.log_free_bytes(free);
        Ok(self.room())
    }

    /// What is left.
    pub(super) fn room(&self) -> Room {
        Room { free: self.free.load(Ordering::Relaxed), reserved: self.reserved }
    }
}
