//! The Prometheus metrics: every name in one place. The only module that knows the metrics library.
//!
//! `docs/reference/metrics.md` is written from this registry; a test fails when it is stale.

mod signals;

pub use signals::SignalMetrics;

use std::marker::PhantomData;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::labels::{
    Api, EffectLabel, HandshakeOutcome, KeyRefresh, Label, Outcome, Phase, Refused, ReloadOutcome,
    ShadowCall, Shed, SignalPhase, StatusClass, Surface, TlsReload, Where, WitnessKind,
};

/// Every metric of the server. Events move them; [`Metrics::render`] shows them.
#[derive(Debug)]
pub struct Metrics {
    pub(super) registry: Registry,
    pub(super) calls: By<(Api, Outcome), IntCounter>,
    pub(super) decisions: By<EffectLabel, IntCounter>,
    pub(super) phases: By<(Api, Phase), Histogram>,
    pub(super) generation: IntGauge,
    pub(super) policies: IntGauge,
    pub(super) policy_files: IntGauge,
    pub(super) reloads: By<ReloadOutcome, IntCounter>,
    pub(super) reload_success: Gauge,
    pub(super) diagnostics: IntGauge,
    pub(super) failed_tests: IntGauge,
    pub(super) changed_decisions: IntGauge,
    shadow_calls: By<ShadowCall, IntCounter>,
    pub(super) log_records: IntCounter,
    pub(super) log_bytes: IntCounter,
    pub(super) log_batch: Histogram,
    pub(super) log_sync: Histogram,
    pub(super) log_write_errors: IntCounter,
    pub(super) log_queue: IntGauge,
    pub(super) index_lag: IntGauge,
    pub(super) index_records: IntCounter,
    pub(super) index_begins: IntCounter,
    pub(super) log_compressed: IntCounter,
    pub(super) log_deleted: IntCounter,
    pub(super) log_free: IntGauge,
    pub(super) checkpoints: IntCounter,
    pub(super) checkpoint_records: IntGauge,
    pub(super) checkpoint_errors: IntCounter,
    pub(super) checkpoints_failing: IntGauge,
    pub(super) witness_lag: By<WitnessKind, IntGauge>,
    pub(super) witness_errors: By<WitnessKind, IntCounter>,
    pub(super) key_refreshes: By<KeyRefresh, IntCounter>,
    pub(super) oldest_keys: Gauge,
    pub(super) callers_refused: By<Refused, IntCounter>,
    pub(super) api_keys: IntGauge,
    pub(super) api_keys_failing: IntGauge,
    pub(super) tls_reloads: By<TlsReload, IntCounter>,
    pub(super) certificate_expiry: IntGauge,
    pub(super) handshakes: By<HandshakeOutcome, IntCounter>,
    pub(super) http_requests: By<(Surface, StatusClass), IntCounter>,
    pub(super) shed: By<Shed, IntCounter>,
    calls_in_hand: IntGauge,
    pub(super) panics: By<Where, IntCounter>,
    ship: ShipFamilies,
    signals: signals::SignalFamilies,
}

/// The metrics of one destination that records are sent to.
#[derive(Debug)]
pub struct ShipMetrics {
    pub(super) records: IntCounter,
    pub(super) failures: IntCounter,
    lag_records: IntGauge,
    lag_seconds: Gauge,
}

impl ShipMetrics {
    /// Sets how many records the destination is behind, and for how long the oldest of them has waited.
    pub fn lag(&self, records: u64, waited: Duration) {
        self.lag_records.set(i64::try_from(records).unwrap_or(i64::MAX));
        self.lag_seconds.set(waited.as_secs_f64());
    }
}

/// The metrics of all destinations. Their names are those of the configuration.
#[derive(Debug)]
struct ShipFamilies {
    records: IntCounterVec,
    failures: IntCounterVec,
    lag_records: IntGaugeVec,
    lag_seconds: GaugeVec,
}

/// The metrics of one name by the values of their labels: found by position, since to look for names takes longer than to
/// evaluate a condition.
#[derive(Debug)]
pub(super) struct By<L, M> {
    metrics: Vec<M>,
    labels: PhantomData<L>,
}

impl<L: Label, M> By<L, M> {
    fn new(metric: impl Fn(&[&str]) -> M) -> Self {
        Self { metrics: L::all().map(|label| metric(&label.texts())).collect(), labels: PhantomData }
    }

    /// The metric of `label`. There is one for each.
    fn get(&self, label: L) -> Option<&M> {
        self.metrics.get(label.index())
    }
}

impl<L: Label> By<L, IntCounter> {
    /// Counts one more.
    pub(super) fn inc(&self, label: L) {
        self.inc_by(label, 1);
    }

    /// Counts `more`.
    pub(super) fn inc_by(&self, label: L, more: u64) {
        if let Some(counter) = self.get(label) {
            counter.inc_by(more);
        }
    }
}

impl<L: Label> By<L, Histogram> {
    /// Takes down `seconds`.
    pub(super) fn observe(&self, label: L, seconds: f64) {
        if let Some(histogram) = self.get(label) {
            histogram.observe(seconds);
        }
    }
}

/// Why the metrics could not be set up: a name is used twice or is not a valid one.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the metrics")]
pub struct MetricsError(#[from] prometheus::Error);

/// Seconds: from 10 µs, a cached decision, to 1 s, the default deadline of the log.
const SECONDS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0,
];

/// Records per write of the log.
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

impl Metrics {
    /// All metrics at zero, each with every combination of its labels, so that a rate is right from the first scrape.
    ///
    /// # Errors
    /// Only if two metrics share a name, which a test excludes.
    pub fn new() -> Result<Self, MetricsError> {
        let names = Names(Registry::new());
        let metrics = Self {
            calls: names.counters(
                "procura_calls_total",
                "Calls that asked for decisions, by API and by how they ended.",
                &["api", "outcome"],
            )?,
            decisions: names.counters(
                "procura_decisions_total",
                "Decisions answered, one for each action on each resource.",
                &["effect"],
            )?,
            phases: names.histograms(
                "procura_call_phase_seconds",
                "Time spent in each phase of an answered call.",
                &["api", "phase"],
            )?,
            generation: names
                .gauge("procura_policy_generation", "Running number of the live policy set, 0 if none.")?,
            policies: names.gauge("procura_policies_loaded", "Policies in the live set.")?,
            policy_files: names.gauge("procura_policy_files", "Files in the live set.")?,
            reloads: names.counters(
                "procura_policy_reloads_total",
                "Attempts to load the policies, by how they ended.",
                &["outcome"],
            )?,
            reload_success: names.keep(Gauge::new(
                "procura_policy_last_success_timestamp_seconds",
                "When the files were last found to be good, in Unix time.",
            )?)?,
            diagnostics: names
                .gauge("procura_policy_errors", "Errors found by the last attempt to load the policies.")?,
            failed_tests: names.gauge(
                "procura_policy_failed_tests",
                "Policy tests that failed at the last attempt to load the policies.",
            )?,
            changed_decisions: names.gauge(
                "procura_policy_changed_decisions",
                "Recorded decisions for whose change the last attempt to load the policies was refused.",
            )?,
            shadow_calls: names.counters(
                "procura_shadow_calls_total",
                "Recorded calls by what the candidate set of `shadow.directory` made of them.",
                &["outcome"],
            )?,
            log_records: names
                .counter("procura_log_records_total", "Records written to the decision log.")?,
            log_bytes: names.counter("procura_log_bytes_total", "Bytes written to the decision log.")?,
            log_batch: names.histogram(
                "procura_log_batch_records",
                "Records in one write of the decision log.",
                BATCH,
            )?,
            log_sync: names.histogram(
                "procura_log_sync_seconds",
                "Time the disk took to make a write of the decision log durable.",
                SECONDS,
            )?,
            log_write_errors: names
                .counter("procura_log_write_errors_total", "Writes of the decision log that failed.")?,
            log_queue: names.gauge(
                "procura_log_queue_records",
                "Records that wait for the writer of the decision log.",
            )?,
            index_lag: names.gauge(
                "procura_index_lag_records",
                "Records of the decision log that its index does not know yet.",
            )?,
            index_records: names
                .counter("procura_index_records_total", "Records that the index of the decision log took in.")?,
            index_begins: names.counter(
                "procura_index_begins_total",
                "How often the index of the decision log was opened or begun anew: more than once if it was damaged.",
            )?,
            log_compressed: names.counter(
                "procura_log_segments_compressed_total",
                "Closed segments of the decision log that were compressed.",
            )?,
            log_deleted: names.counter(
                "procura_log_segments_deleted_total",
                "Segments of the decision log that were deleted by retention.",
            )?,
            log_free: names.gauge(
                "procura_log_free_bytes",
                "Bytes that may still be written to the disk of the decision log, looked at every second.",
            )?,
            checkpoints: names
                .counter("procura_log_checkpoints_total", "Checkpoints of the decision log that were signed.")?,
            checkpoint_records: names.gauge(
                "procura_log_checkpoint_records",
                "Records under the last checkpoint that this process signed.",
            )?,
            checkpoint_errors: names.counter(
                "procura_log_checkpoint_errors_total",
                "Attempts to sign a checkpoint of the decision log that failed.",
            )?,
            checkpoints_failing: names.gauge(
                "procura_log_checkpoints_failing",
                "1 while no checkpoint of the decision log can be signed, 0 otherwise.",
            )?,
            witness_lag: names.gauges(
                "procura_log_witness_lag_records",
                "Records under the last signed checkpoint that the witness is not known to keep one of.",
                &["witness"],
            )?,
            witness_errors: names.counters(
                "procura_log_witness_errors_total",
                "Checkpoints that a witness was offered and did not keep.",
                &["witness"],
            )?,
            key_refreshes: names.counters(
                "procura_key_refreshes_total",
                "Attempts to load the keys that verify tokens, by how they ended.",
                &["outcome"],
            )?,
            oldest_keys: names.keep(Gauge::new(
                "procura_keys_oldest_success_timestamp_seconds",
                "When the remote key set that is out of touch the longest was last fetched, in Unix time; 0 if some \
                 never was, or if there is none.",
            )?)?,
            callers_refused: names.counters(
                "procura_callers_refused_total",
                "Requests that were refused for who sent them, by why.",
                &["reason"],
            )?,
            api_keys: names.gauge("procura_api_keys", "API keys in the file of keys, revoked ones included.")?,
            api_keys_failing: names.gauge(
                "procura_api_keys_failing",
                "1 while the API keys in use are not those of their file, 0 otherwise.",
            )?,
            tls_reloads: names.counters(
                "procura_tls_reloads_total",
                "Attempts to load the certificates of the server, by how they ended.",
                &["outcome"],
            )?,
            certificate_expiry: names.gauge(
                "procura_tls_certificate_expiry_timestamp_seconds",
                "The last second of the certificate of the server, in Unix time; 0 without TLS.",
            )?,
            handshakes: names.counters(
                "procura_tls_handshakes_total",
                "TLS handshakes with callers, by how they ended.",
                &["outcome"],
            )?,
            http_requests: names.counters(
                "procura_http_requests_total",
                "HTTP requests, by group of paths and class of the status.",
                &["surface", "status"],
            )?,
            shed: names.counters(
                "procura_requests_shed_total",
                "Requests and connections turned away so that others are served.",
                &["reason"],
            )?,
            calls_in_hand: names.gauge(
                "procura_calls_in_hand",
                "Calls that are being decided, as `server.limits.concurrent` counts them.",
            )?,
            panics: names.counters(
                "procura_panics_total",
                "Panics caught, by what was interrupted.",
                &["where"],
            )?,
            ship: names.ship()?,
            signals: names.signals()?,
            registry: names.0,
        };
        metrics.record_build()?;
        Ok(metrics)
    }

    /// Everything in the Prometheus text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // It fails only for a family without samples, and each has one from the start: a test renders them all.
        let _ = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text);
        text
    }

    /// Sets how many calls are being decided.
    pub fn calls_in_hand(&self, calls: u32) {
        self.calls_in_hand.set(calls.into());
    }

    /// Sets the number of records that wait for the writer of the log.
    pub fn log_queue_length(&self, records: usize) {
        self.log_queue.set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// The index took in `records` and is `lag` behind.
    pub fn index_moved(&self, records: u64, lag: u64) {
        self.index_records.inc_by(records);
        self.index_lag.set(i64::try_from(lag).unwrap_or(i64::MAX));
    }

    /// Counts calls that a candidate set has decided.
    pub fn shadow_calls(&self, outcome: ShadowCall, calls: u64) {
        self.shadow_calls.inc_by(outcome, calls);
    }

    /// Sets the number of bytes that may still be written to the disk of the log.
    pub fn log_free_bytes(&self, bytes: u64) {
        self.log_free.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Sets how many signed records a witness holds no checkpoint of.
    pub fn witness_lag(&self, witness: WitnessKind, records: u64) {
        if let Some(gauge) = self.witness_lag.get(witness) {
            gauge.set(i64::try_from(records).unwrap_or(i64::MAX));
        }
    }

    /// The metrics of the destination `name`, which are there from now on.
    #[must_use]
    pub fn ship(&self, name: &str) -> ShipMetrics {
        let ShipFamilies { records, failures, lag_records, lag_seconds } = &self.ship;
        ShipMetrics {
            records: records.with_label_values(&[name]),
            failures: failures.with_label_values(&[name]),
            lag_records: lag_records.with_label_values(&[name]),
            lag_seconds: lag_seconds.with_label_values(&[name]),
        }
    }

    fn record_build(&self) -> Result<(), MetricsError> {
        let opts = Opts::new("procura_build_info", "Always 1; the label names the running version.");
        let build = IntGaugeVec::new(opts, &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        self.registry.register(Box::new(build))?;
        Ok(())
    }
}

/// Creates metrics and registers each.
struct Names(Registry);

impl Names {
    fn keep<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M, MetricsError> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
        self.keep(IntCounter::new(name, help)?)
    }

    fn counters<L: Label>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<By<L, IntCounter>, MetricsError> {
        let counters = self.keep(IntCounterVec::new(Opts::new(name, help), labels)?)?;
        Ok(By::new(|values| counters.with_label_values(values)))
    }

    fn ship(&self) -> Result<ShipFamilies, MetricsError> {
        let by = &["destination"];
        let records = Opts::new("procura_ship_records_total", "Records that a destination has confirmed.");
        let failures = Opts::new("procura_ship_failures_total", "Attempts to send records that failed.");
        let behind =
            Opts::new("procura_ship_lag_records", "Records that a destination has not been sent yet.");
        let waited =
            Opts::new("procura_ship_lag_seconds", "How long the oldest of these records has waited.");
        Ok(ShipFamilies {
            records: self.keep(IntCounterVec::new(records, by)?)?,
            failures: self.keep(IntCounterVec::new(failures, by)?)?,
            lag_records: self.keep(IntGaugeVec::new(behind, by)?)?,
            lag_seconds: self.keep(GaugeVec::new(waited, by)?)?,
        })
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
        self.keep(IntGauge::new(name, help)?)
    }

    fn gauges<L: Label>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<By<L, IntGauge>, MetricsError> {
        let gauges = self.keep(IntGaugeVec::new(Opts::new(name, help), labels)?)?;
        Ok(By::new(|values| gauges.with_label_values(values)))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, MetricsError> {
        self.keep(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
    }

    fn histograms<L: Label>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<By<L, Histogram>, MetricsError> {
        let opts = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        let histograms = self.keep(HistogramVec::new(opts, labels)?)?;
        Ok(By::new(|values| histograms.with_label_values(values)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;
    use std::fs;
    use std::path::Path;

    use super::*;

    const PAGE: &str = "docs/reference/metrics.md";

    /// The reference page, written from what a fresh registry holds.
    fn page(metrics: &Metrics) -> String {
        let mut page = String::from(
            "# Metrics\n\n\
             Served at `/metrics` and `/_cerbos/metrics` in the Prometheus text format.\n\
             This page is written from the server's own registry: `UPDATE=1 cargo test metrics` renews it.\n\
             Every label has a fixed set of values; nothing a caller sends becomes a label. A `destination` is a name \
             from `audit.ship`.\n\n\
             | metric | type | labels | meaning |\n|---|---|---|---|\n",
        );
        for family in metrics.registry.gather() {
            let mut labels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for pair in family.get_metric().iter().flat_map(prometheus::proto::Metric::get_label) {
                let values = labels.entry(pair.name()).or_default();
                if !values.contains(&pair.value()) && !["destination", "version"].contains(&pair.name()) {
                    values.push(pair.value());
                }
            }
            let labels: Vec<String> = labels
                .iter()
                .map(|(name, values)| match values.as_slice() {
                    [] => format!("`{name}`"),
                    values => format!("`{name}`: {}", values.join(", ")),
                })
                .collect();
            let kind = format!("{:?}", family.get_field_type()).to_lowercase();
            let (name, help) = (family.name(), family.help());
            writeln!(page, "| `{name}` | {kind} | {} | {help} |", labels.join("; ")).unwrap();
        }
        page
    }

    #[test]
    fn metrics_page_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
        let metrics = Metrics::new().unwrap();
        let _destination = metrics.ship("siem");
        let source = metrics.signals_of("okta");
        source.outcome("taken");
        let current = page(&metrics);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &current).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, current, "{PAGE} is stale: run with UPDATE=1");
    }

    #[test]
    fn every_family_is_rendered_from_the_start() {
        let metrics = Metrics::new().unwrap();
        let text = metrics.render();
        for family in metrics.registry.gather() {
            assert!(text.contains(&format!("# TYPE {} ", family.name())), "{}", family.name());
        }
        assert!(
            text.contains("procura_calls_total{api=\"check_resources\",outcome=\"answered\"} 0"),
            "{text}"
        );
    }
}
