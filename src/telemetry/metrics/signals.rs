//! The metrics of signals. The names of sources are those of the configuration.

use std::time::Duration;

use prometheus::{Gauge, GaugeVec, Histogram, IntCounterVec, IntGauge, Opts};

use super::{By, Metrics, MetricsError, Names, SignalPhase};

/// The metrics of all sources.
#[derive(Debug)]
pub(super) struct SignalFamilies {
    outcomes: IntCounterVec,
    lag: GaugeVec,
    last: GaugeVec,
    held: IntGauge,
    limit: IntGauge,
    /// How long signals are on their way.
    pub(super) phases: By<SignalPhase, Histogram>,
}

/// The metrics of one source.
#[derive(Debug)]
pub struct SignalMetrics {
    name: String,
    outcomes: IntCounterVec,
    lag: Gauge,
    last: Gauge,
}

impl Metrics {
    /// Takes down how long a signal was in `phase`.
    pub fn signal_phase(&self, phase: SignalPhase, took: Duration) {
        self.signals.phases.observe(phase, took.as_secs_f64());
    }

    /// Sets how many facts there are, and how many there may be.
    pub fn facts(&self, held: usize, limit: usize) {
        self.signals.hold(held, limit);
    }

    /// The metrics of the source `name`, which are there from now on.
    #[must_use]
    pub fn signals_of(&self, name: &str) -> SignalMetrics {
        self.signals.of(name)
    }
}

impl SignalMetrics {
    /// Counts what became of a signal; `outcome` is one of a fixed set.
    pub fn outcome(&self, outcome: &'static str) {
        self.outcomes.with_label_values(&[&self.name, outcome]).inc();
    }

    /// Sets how many seconds the last one was late.
    pub fn lag(&self, seconds: f64) {
        self.lag.set(seconds);
    }

    /// Sets when one was last taken, in Unix time.
    pub fn heard(&self, at: f64) {
        self.last.set(at);
    }
}

impl SignalFamilies {
    /// Those of the source `name`.
    pub(super) fn of(&self, name: &str) -> SignalMetrics {
        let outcomes = self.outcomes.clone();
        // There from the start, so that a rate is right from the first scrape.
        outcomes.with_label_values(&[name, "taken"]);
        let (lag, last) = (self.lag.with_label_values(&[name]), self.last.with_label_values(&[name]));
        SignalMetrics { name: name.to_owned(), outcomes, lag, last }
    }

    /// Sets how many facts there are, and how many there may be.
    pub(super) fn hold(&self, held: usize, limit: usize) {
        self.held.set(i64::try_from(held).unwrap_or(i64::MAX));
        self.limit.set(i64::try_from(limit).unwrap_or(i64::MAX));
    }
}

impl Names {
    /// Creates and registers them.
    pub(super) fn signals(&self) -> Result<SignalFamilies, MetricsError> {
        let outcomes = Opts::new("procura_signals_total", "Signals of a source, by what became of them.");
        let lag = Opts::new(
            "procura_signal_lag_seconds",
            "How late the last signal of a source was: from the time of the event until it was received.",
        );
        let last = Opts::new(
            "procura_signal_last_timestamp_seconds",
            "When a signal of a source was last taken, in Unix time; 0 if none was since the start.",
        );
        Ok(SignalFamilies {
            outcomes: self.keep(IntCounterVec::new(outcomes, &["source", "outcome"])?)?,
            lag: self.keep(GaugeVec::new(lag, &["source"])?)?,
            last: self.keep(GaugeVec::new(last, &["source"])?)?,
            held: self.gauge("procura_facts", "Facts that are held.")?,
            limit: self.gauge("procura_facts_limit", "Facts that may be held, `signals.maxFacts`.")?,
            phases: self.histograms(
                "procura_signal_phase_seconds",
                "Time that a signal spent in each phase until it was acknowledged.",
                &["phase"],
            )?,
        })
    }
}
