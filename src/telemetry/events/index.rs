//! What happens to the index of the decision log.

use std::error::Error;

use tracing::{info, warn};

use crate::telemetry::Metrics;

/// The index begins where it ended, or anew.
#[derive(Debug)]
pub struct IndexBegun {
    /// The last record that it knows already; 0 if it is made from the beginning.
    pub records: u64,
}

impl IndexBegun {
    /// Writes the log line (level info) and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        info!(event = "index_begun", records = self.records, "index of the decision log begun");
        metrics.index_begins.inc();
    }
}

/// The index cannot be used. Queries read the log itself until it has been made again.
#[derive(Debug)]
pub struct IndexUnusable<'a> {
    /// Why.
    pub reason: &'a str,
}

impl IndexUnusable<'_> {
    /// Writes the log line (level warn).
    pub fn emit(&self) {
        warn!(event = "index_unusable", reason = self.reason, "the index of the decision log is made again");
    }
}

/// The log cannot be read at the next record to index; what comes after it is found by reading the log itself.
#[derive(Debug)]
pub struct IndexStalled<'a> {
    /// The record.
    pub seq: u64,
    /// Why.
    pub error: &'a (dyn Error + 'static),
}

impl IndexStalled<'_> {
    /// Writes the log line (level warn).
    pub fn emit(&self) {
        warn!(
            event = "index_stalled",
            seq = self.seq,
            error = self.error,
            "the decision log cannot be read at the next record to index"
        );
    }
}
