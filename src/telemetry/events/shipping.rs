//! What happens to the records that are sent elsewhere.

use std::error::Error;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::chain;
use crate::telemetry::metrics::ShipMetrics;

/// A destination has confirmed records.
#[derive(Debug)]
pub struct RecordsShipped<'a> {
    /// The destination.
    pub destination: &'a str,
    /// How many records.
    pub records: u64,
    /// The last of them.
    pub last_seq: u64,
    /// How long nothing could be sent before, if so.
    pub outage: Option<Duration>,
}

impl RecordsShipped<'_> {
    /// Writes the log line (level debug, info at the end of an outage) and moves the metric.
    pub fn emit(&self, metrics: &ShipMetrics) {
        let Self { destination, records, last_seq, outage } = *self;
        if let Some(outage) = outage {
            let seconds = outage.as_secs_f64();
            info!(event = "shipping_resumed", destination, last_seq, seconds, "records are sent again");
        } else {
            debug!(event = "records_shipped", destination, records, last_seq, "records sent");
        }
        metrics.records.inc_by(records);
    }
}

/// Records could not be sent. None is skipped: the next attempt begins with the same.
#[derive(Debug)]
pub struct ShipAttemptFailed<'a> {
    /// The destination.
    pub destination: &'a str,
    /// Why.
    pub error: &'a (dyn Error + 'static),
    /// The first record that is not sent.
    pub next_seq: u64,
    /// Whether it is the first failure of this sort since records were sent last.
    pub is_news: bool,
}

impl ShipAttemptFailed<'_> {
    /// Writes the log line (level debug unless it is news) and moves the metric.
    pub fn emit(&self, metrics: &ShipMetrics) {
        let Self { destination, next_seq, .. } = *self;
        let error = chain(self.error);
        if self.is_news {
            error!(
                event = "shipping_stopped",
                destination, error, next_seq, "records cannot be sent and wait; attempts go on"
            );
        } else {
            debug!(
                event = "shipping_attempt_failed",
                destination, error, next_seq, "records cannot be sent yet"
            );
        }
        metrics.failures.inc();
    }
}

/// A destination begins again with the first record of the log, because what it had was of another log or is not known.
#[derive(Debug)]
pub struct ShipRestarted<'a> {
    /// The destination.
    pub destination: &'a str,
    /// Why.
    pub reason: &'a str,
    /// The record it was at.
    pub was_at: u64,
    /// The first record that is sent now.
    pub next_seq: u64,
}

impl ShipRestarted<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        let Self { destination, reason, was_at, next_seq } = *self;
        warn!(
            event = "shipping_restarted",
            destination, reason, was_at, next_seq, "shipping begins again with the first record of the log"
        );
    }
}
