//! What can happen that someone should know of. Each event writes its log line and moves its metrics in one `emit`.
//!
//! Log lines have a constant message, the same as the `event` field, and everything else in fields. Attribute values
//! and tokens never appear in them: those belong in the decision log.

mod callers;
mod facts;
mod index;
mod policies;
mod proof;
mod quarantine;
mod shedding;
mod shipping;
mod streams;
mod tls;
mod tokens;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

pub use callers::{
    AccessPoliciesLoaded, AccessPoliciesRefused, ApiKeysLoaded, ApiKeysRefused, CallerDenied, CallerRefused,
};
pub use facts::{FactsKept, FactsNotKept, FactsOpened, FactsSnapshotFailed};
pub use index::{IndexBegun, IndexStalled, IndexUnusable};
pub use policies::{
    ChangesRefused, PolicySetEmpty, ReloadFailed, ReloadRejected, ReloadUnchanged, ShadowFailed,
    ShadowLoaded, SnapshotActivated, TestsFailed, TestsFewer, WatchDegraded,
};
pub use proof::{CheckpointFailed, CheckpointSigned, CheckpointsResumed, WitnessFailed, WitnessKept};
pub use quarantine::QuarantineChanged;
pub use shedding::RequestShed;
pub use shipping::{RecordsShipped, ShipAttemptFailed, ShipRestarted};
pub use streams::{StreamRecovered, StreamTroubled};
pub use tls::{HandshakeEnded, TlsReloadFailed, TlsReloaded};
pub use tokens::{KeyRefreshFailed, KeysRefreshed, TokensNotVerified};
use tracing::{debug, error, info, trace, warn};

use super::labels::{Api, EffectLabel, Outcome, Phase, StatusClass, Surface, Where};
use super::metrics::Metrics;
use super::trace::{Trace, TraceParent};

// === Calls ===

/// A call was decided, recorded and is about to be answered.
#[derive(Debug)]
pub struct CallDecided<'a> {
    /// Through which API.
    pub api: Api,
    /// Its id.
    pub call_id: &'a str,
    /// Where it stands in a trace.
    pub trace: Option<Trace<'a>>,
    /// The policy set that decided.
    pub revision: &'a str,
    /// How many actions are allowed.
    pub allowed: u64,
    /// How many actions are denied.
    pub denied: u64,
    /// How many problems were met on the way.
    pub problems: usize,
    /// Time from bytes to a valid request.
    pub parse: Duration,
    /// Time to evaluate.
    pub decide: Duration,
    /// Time to record.
    pub record: Duration,
}

impl CallDecided<'_> {
    /// Writes the log line (level debug) and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        debug!(
            event = "call_decided",
            api = self.api.as_str(),
            call_id = self.call_id,
            trace_id = self.trace.as_ref().map(|trace| trace.parent.trace_id()),
            allowed = self.allowed,
            denied = self.denied,
            problems = self.problems,
            "call decided"
        );
        #[cfg(feature = "otel")]
        super::spans::decided(self);
        metrics.calls.inc((self.api, Outcome::Answered));
        metrics.decisions.inc_by(EffectLabel::Allow, self.allowed);
        metrics.decisions.inc_by(EffectLabel::Deny, self.denied);
        let phases = [(Phase::Parse, self.parse), (Phase::Decide, self.decide), (Phase::Record, self.record)];
        for (phase, took) in phases {
            metrics.phases.observe((self.api, phase), took.as_secs_f64());
        }
    }
}

/// A call was refused without a decision.
#[derive(Debug)]
pub struct CallRejected<'a> {
    /// Through which API.
    pub api: Api,
    /// Why, as a class.
    pub outcome: Outcome,
    /// Why, for the operator.
    pub detail: &'a str,
    /// Where it stands in a trace, if that is of use.
    pub parent: Option<TraceParent>,
    /// The status of the answer.
    pub status: u16,
}

impl CallRejected<'_> {
    /// Writes the log line (debug if the caller is at fault or shed, of which there is an event of its own, error
    /// otherwise) and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        let (api, outcome, detail) = (self.api.as_str(), self.outcome.as_str(), self.detail);
        let is_expected = matches!(
            self.outcome,
            Outcome::Invalid
                | Outcome::Unauthenticated
                | Outcome::Forbidden
                | Outcome::Limited
                | Outcome::Overloaded
        );
        if is_expected {
            debug!(event = "call_rejected", api, outcome, detail, "call rejected");
        } else {
            error!(event = "call_rejected", api, outcome, detail, "call rejected");
        }
        #[cfg(feature = "otel")]
        super::spans::rejected(self);
        metrics.calls.inc((self.api, self.outcome));
    }
}

/// An HTTP request has its response.
#[derive(Debug)]
pub struct RequestServed {
    /// The group of paths it belongs to.
    pub surface: Surface,
    /// The HTTP status.
    pub status: u16,
}

impl RequestServed {
    /// Writes the log line (level trace) and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        trace!(
            event = "request_served",
            surface = self.surface.as_str(),
            status = self.status,
            "request served"
        );
        metrics.http_requests.inc((self.surface, StatusClass::of(self.status)));
    }
}

/// A connection could not be accepted; it waits, and the next attempt is under way.
#[derive(Debug)]
pub struct AcceptFailed<'a> {
    /// Why.
    pub error: &'a (dyn Error + 'static),
}

impl AcceptFailed<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        error!(event = "accept_failed", error = chain(self.error), "connection cannot be accepted");
    }
}

/// A panic was caught and contained. The panic hook has logged its text and place.
#[derive(Debug)]
pub struct PanicCaught {
    /// What it interrupted.
    pub place: Where,
}

impl PanicCaught {
    /// Writes the log line and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        error!(event = "panic_caught", place = self.place.as_str(), "panic caught");
        metrics.panics.inc(self.place);
    }
}

// === Decision log ===

/// The log wrote a batch of records.
#[derive(Debug)]
pub struct LogBatchWritten {
    /// Records in the batch.
    pub records: usize,
    /// Bytes of the batch.
    pub bytes: u64,
    /// Time the disk took to make it durable, if it was asked to.
    pub sync: Option<Duration>,
}

impl LogBatchWritten {
    /// Writes the log line (level trace) and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        trace!(event = "log_batch_written", records = self.records, bytes = self.bytes, "log batch written");
        let records = u32::try_from(self.records).unwrap_or(u32::MAX);
        metrics.log_records.inc_by(records.into());
        metrics.log_bytes.inc_by(self.bytes);
        metrics.log_batch.observe(records.into());
        if let Some(took) = self.sync {
            metrics.log_sync.observe(took.as_secs_f64());
        }
    }
}

/// A write of the log failed; the calls that waited for it are not answered.
#[derive(Debug)]
pub struct LogWriteFailed<'a> {
    /// Why.
    pub error: &'a (dyn Error + 'static),
    /// How many records it concerned.
    pub records: usize,
}

impl LogWriteFailed<'_> {
    /// Writes the log line and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        error!(
            event = "log_write_failed",
            error = chain(self.error),
            records = self.records,
            "decision log cannot be written"
        );
        metrics.log_write_errors.inc();
    }
}

/// The end of the log did not fit at start and has been mended. That is what an interrupted write leaves; no
/// acknowledged record is lost by it, unless the disk lost what it had confirmed or somebody changed the files.
#[derive(Debug)]
pub struct LogRepaired<'a> {
    /// What was wrong, as the record of the repair says it.
    pub cause: &'a str,
    /// The segment.
    pub segment: &'a str,
    /// How many bytes were dropped.
    pub dropped_bytes: u64,
}

impl LogRepaired<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        let message = match self.cause {
            "log_missing" => {
                "the decision log begins anew though policy sets are archived: it was removed, or disabled until now"
            }
            "empty_segment" => {
                "the last segment has no content: a crash while it was begun, or its records were removed"
            }
            _ => {
                "the end of the decision log is no record and was cut: an interrupted write, unless the disk lost \
                 what it had confirmed or the file was changed"
            }
        };
        let (cause, segment, dropped_bytes) = (self.cause, self.segment, self.dropped_bytes);
        warn!(event = "log_repaired", cause, segment, dropped_bytes, "{message}");
    }
}

/// A segment was deleted as configured; a record of the log says which.
#[derive(Debug)]
pub struct SegmentDeleted<'a> {
    /// The segment.
    pub segment: &'a str,
}

impl SegmentDeleted<'_> {
    /// Writes the log line and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        info!(
            event = "segment_deleted",
            segment = self.segment,
            "the oldest segment was deleted by retention"
        );
        metrics.log_deleted.inc();
    }
}

/// A closed segment was compressed.
#[derive(Debug)]
pub struct SegmentCompressed<'a> {
    /// The segment.
    pub segment: &'a str,
    /// Bytes before and after.
    pub bytes: (u64, u64),
}

impl SegmentCompressed<'_> {
    /// Writes the log line (level debug) and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        let (segment, (before, after)) = (self.segment, self.bytes);
        debug!(event = "segment_compressed", segment, before, after, "a closed segment was compressed");
        metrics.log_compressed.inc();
    }
}

/// Segments of the decision log could not be compressed or deleted; it is tried again, and nothing is lost by it.
#[derive(Debug)]
pub struct LogUpkeepFailed<'a> {
    /// Why.
    pub error: &'a (dyn Error + 'static),
}

impl LogUpkeepFailed<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        warn!(
            event = "log_upkeep_failed",
            error = chain(self.error),
            "closed segments of the decision log stay as they are for now"
        );
    }
}

// === Lifecycle ===

/// The server accepts requests.
#[derive(Debug)]
pub struct ServerStarted<'a> {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where the policies are.
    pub policies: &'a str,
    /// Where its data are.
    pub data_dir: &'a str,
}

impl ServerStarted<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        info!(
            event = "server_started",
            version = env!("CARGO_PKG_VERSION"),
            policies = self.policies,
            data_dir = self.data_dir,
            address = self.address.to_string(),
            "server started"
        );
    }
}

/// The server listens on more than this machine, which until callers authenticate means that anybody may ask.
#[derive(Debug)]
pub struct OpenToNetwork {
    /// Where it listens.
    pub address: SocketAddr,
}

impl OpenToNetwork {
    /// Writes the log line.
    pub fn emit(&self) {
        warn!(
            event = "open_to_network",
            address = self.address.to_string(),
            "`callers.anonymous` is `allow`: whoever reaches this address may ask for decisions"
        );
    }
}

/// Keys and tokens of callers cross the network as they are.
#[derive(Debug)]
pub struct CredentialsUnencrypted {
    /// Where the server listens.
    pub address: SocketAddr,
}

impl CredentialsUnencrypted {
    /// Writes the log line.
    pub fn emit(&self) {
        warn!(
            event = "credentials_unencrypted",
            address = self.address.to_string(),
            "callers show keys and tokens over connections that are not encrypted: set `server.tls.cert` and \
             `server.tls.key`, or let only a proxy that encrypts reach this address"
        );
    }
}

/// The decision log is turned off.
#[derive(Debug)]
pub struct LogDisabled;

impl LogDisabled {
    /// Writes the log line.
    pub fn emit(&self) {
        warn!(event = "log_disabled", "decisions are not recorded: `audit.enabled` is false");
    }
}

/// SIGHUP asks for a reload.
#[derive(Debug)]
pub struct ReloadSignalled;

impl ReloadSignalled {
    /// Writes the log line.
    pub fn emit(&self) {
        info!(event = "reload_signalled", signal = "SIGHUP", "reload asked for");
    }
}

/// The server stops accepting and finishes what it has begun.
#[derive(Debug)]
pub struct ServerStopping<'a> {
    /// The signal that asked for it.
    pub signal: &'a str,
}

impl ServerStopping<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        info!(event = "server_stopping", signal = self.signal, "stopping");
    }
}

/// The server has ended.
#[derive(Debug)]
pub struct ServerStopped {
    /// Whether every request in flight was finished before the deadline.
    pub drained: bool,
}

impl ServerStopped {
    /// Writes the log line.
    pub fn emit(&self) {
        if self.drained {
            info!(event = "server_stopped", drained = true, "stopped");
        } else {
            warn!(event = "server_stopped", drained = false, "stopped before every request was finished");
        }
    }
}

/// Something about the configuration that its author should know.
#[derive(Debug)]
pub struct ConfigurationNotice<'a> {
    /// What, where and how to mend it.
    pub message: &'a str,
}

impl ConfigurationNotice<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        warn!(event = "configuration_notice", "{}", self.message);
    }
}

/// An error with all its causes, separated by colons.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decided_call_moves_calls_decisions_and_phases() {
        let metrics = Metrics::new().unwrap();
        let took = Duration::from_micros(20);
        CallDecided {
            api: Api::CheckResources,
            call_id: "c",
            trace: None,
            revision: "abc",
            allowed: 2,
            denied: 1,
            problems: 0,
            parse: took,
            decide: took,
            record: took,
        }
        .emit(&metrics);
        let text = metrics.render();
        for line in [
            "procura_calls_total{api=\"check_resources\",outcome=\"answered\"} 1",
            "procura_decisions_total{effect=\"allow\"} 2",
            "procura_decisions_total{effect=\"deny\"} 1",
            "procura_call_phase_seconds_count{api=\"check_resources\",phase=\"record\"} 1",
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
    }

    #[test]
    fn rejected_set_leaves_the_live_one_in_the_metrics() {
        let metrics = Metrics::new().unwrap();
        let took = Duration::from_millis(3);
        let live = SnapshotActivated {
            revision: "r",
            from: None,
            generation: 7,
            policies: 2,
            files: 3,
            warnings: 0,
            first_warning: None,
            cause: "start",
            at: 10.0,
            took,
        };
        live.emit(&metrics);
        let first = "a.yaml:1:1: bad";
        ReloadRejected { cause: "watch", revision: "s", errors: 4, first, live: Some("r") }.emit(&metrics);
        let text = metrics.render();
        for line in [
            "procura_policy_generation 7",
            "procura_policy_errors 4",
            "procura_policy_reloads_total{outcome=\"rejected\"} 1",
            "procura_policy_last_success_timestamp_seconds 10",
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
    }
}
