//! What happens to the certificates of the server, and to handshakes.

use std::error::Error;

use tracing::{debug, error, info};

use super::chain;
use crate::telemetry::labels::{HandshakeOutcome, TlsReload};
use crate::telemetry::metrics::Metrics;

/// The certificate, the key and the authorities of clients are those in the files.
#[derive(Debug)]
pub struct TlsReloaded<'a> {
    /// Their running number in this process.
    pub generation: u64,
    /// The last second of the certificate, in Unix time.
    pub ends: i64,
    /// The same for people.
    pub until: &'a str,
}

impl TlsReloaded<'_> {
    /// Writes the log line and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        let Self { generation, until, ends } = *self;
        info!(event = "tls_reloaded", generation, until, "certificates are in use");
        metrics.tls_reloads.inc(TlsReload::Succeeded);
        metrics.certificate_expiry.set(ends);
    }
}

/// The certificates in the files cannot be used; those from before stay.
#[derive(Debug)]
pub struct TlsReloadFailed<'a> {
    /// Why.
    pub error: &'a (dyn Error + 'static),
}

impl TlsReloadFailed<'_> {
    /// Writes the log line and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        error!(
            event = "tls_reload_failed",
            error = chain(self.error),
            "certificates cannot be reloaded, the old ones stay"
        );
        metrics.tls_reloads.inc(TlsReload::Failed);
    }
}

/// A handshake has ended.
#[derive(Debug)]
pub struct HandshakeEnded<'a> {
    /// How.
    pub outcome: HandshakeOutcome,
    /// Why it did not come to a connection, if it did not.
    pub error: Option<&'a (dyn Error + 'static)>,
}

impl HandshakeEnded<'_> {
    /// Writes the log line (level debug) if there is no connection, and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        if self.outcome != HandshakeOutcome::Completed {
            let (outcome, error) = (self.outcome.as_str(), self.error.map(chain));
            debug!(event = "handshake_ended", outcome, error, "handshake came to nothing");
        }
        metrics.handshakes.inc(self.outcome);
    }
}
