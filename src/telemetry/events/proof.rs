//! What happens to the checkpoints of the decision log.

use std::error::Error;

use tracing::{error, info, trace, warn};

use super::chain;
use crate::telemetry::labels::WitnessKind;
use crate::telemetry::metrics::Metrics;

/// A checkpoint was signed.
#[derive(Debug)]
pub struct CheckpointSigned {
    /// Records under it.
    pub size: u64,
}

impl CheckpointSigned {
    /// Writes the log line (level trace) and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        trace!(event = "checkpoint_signed", size = self.size, "checkpoint of the decision log signed");
        metrics.checkpoints.inc();
        metrics.checkpoint_records.set(i64::try_from(self.size).unwrap_or(i64::MAX));
    }
}

/// No checkpoint can be signed: decisions go on, and what they add to the log is not yet proven.
#[derive(Debug)]
pub struct CheckpointFailed<'a> {
    /// Why.
    pub error: &'a (dyn Error + 'static),
}

impl CheckpointFailed<'_> {
    /// Writes the log line and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        error!(
            event = "checkpoint_failed",
            error = chain(self.error),
            "no checkpoint of the decision log can be signed"
        );
        metrics.checkpoint_errors.inc();
        metrics.checkpoints_failing.set(1);
    }
}

/// Checkpoints are signed again.
#[derive(Debug)]
pub struct CheckpointsResumed;

impl CheckpointsResumed {
    /// Writes the log line and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        info!(event = "checkpoints_resumed", "checkpoints of the decision log are signed again");
        metrics.checkpoints_failing.set(0);
    }
}

/// A witness keeps a checkpoint.
#[derive(Debug)]
pub struct WitnessKept {
    /// Which witness.
    pub witness: WitnessKind,
    /// Records under the checkpoint.
    pub size: u64,
    /// How many signed records are not witnessed yet.
    pub lag: u64,
}

impl WitnessKept {
    /// Writes the log line (level trace) and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        trace!(
            event = "witness_kept",
            witness = self.witness.as_str(),
            size = self.size,
            "checkpoint kept by the witness"
        );
        metrics.witness_lag(self.witness, self.lag);
    }
}

/// A witness does not keep the newest checkpoint; it is offered again.
#[derive(Debug)]
pub struct WitnessFailed<'a> {
    /// Which witness.
    pub witness: WitnessKind,
    /// Why.
    pub error: &'a (dyn Error + 'static),
    /// How many signed records are not witnessed, as far as this process knows.
    pub lag: u64,
}

impl WitnessFailed<'_> {
    /// Writes the log line and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        warn!(
            event = "witness_failed",
            witness = self.witness.as_str(),
            lag = self.lag,
            error = chain(self.error),
            "the witness does not keep the newest checkpoint"
        );
        metrics.witness_errors.inc(self.witness);
        metrics.witness_lag(self.witness, self.lag);
    }
}
