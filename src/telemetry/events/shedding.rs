//! Requests and connections that are turned away so that others are served.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tracing::warn;

use crate::telemetry::labels::{Label, Shed};
use crate::telemetry::metrics::Metrics;

/// A request or a connection was turned away.
#[derive(Debug)]
pub struct RequestShed {
    /// Why.
    pub reason: Shed,
}

impl RequestShed {
    /// Moves the metric, and writes a log line (level warning) at most once a second for each reason.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.shed.inc(self.reason);
        if is_first_of_its_second(self.reason) {
            warn!(
                event = "request_shed",
                reason = self.reason.as_str(),
                "requests are turned away; the metric `procura_requests_shed_total` counts them"
            );
        }
    }
}

fn is_first_of_its_second(reason: Shed) -> bool {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    static LAST: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
    let second = START.elapsed().as_secs() + 1;
    LAST.get(reason.index()).is_some_and(|last| last.swap(second, Ordering::Relaxed) != second)
}
