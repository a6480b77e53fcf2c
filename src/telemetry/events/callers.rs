//! What happens to callers and what they are known by.

use std::net::SocketAddr;

use tracing::{debug, error, info, warn};

use crate::telemetry::labels::Refused;
use crate::telemetry::metrics::Metrics;

/// Nobody vouches for a request.
#[derive(Debug)]
pub struct CallerRefused<'a> {
    /// Why.
    pub refused: Refused,
    /// More about why; nothing of what was shown.
    pub detail: Option<&'a str>,
    /// Where it comes from.
    pub address: Option<SocketAddr>,
}

impl CallerRefused<'_> {
    /// Moves the metric, and writes the log line if it `is_logged`. What was shown is in neither.
    pub fn emit(&self, metrics: &Metrics, is_logged: bool) {
        if is_logged {
            let address = self.address.map(|address| address.to_string());
            let (reason, detail) = (self.refused.as_str(), self.detail);
            warn!(event = "caller_refused", reason, detail, address, "caller refused");
        }
        metrics.callers_refused.inc(self.refused);
    }
}

/// A caller asked for what it has no right to.
#[derive(Debug)]
pub struct CallerDenied<'a> {
    /// Its name, if it has one.
    pub name: Option<&'a str>,
    /// What it asked for.
    pub action: &'static str,
}

impl CallerDenied<'_> {
    /// Writes the log line (level debug) and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        debug!(
            event = "caller_denied",
            caller = self.name,
            action = self.action,
            "caller has no right to this"
        );
        metrics.callers_refused.inc(Refused::NoRight);
    }
}

/// Other policies about callers are live.
#[derive(Debug)]
pub struct AccessPoliciesLoaded<'a> {
    /// Their revision.
    pub revision: &'a str,
}

impl AccessPoliciesLoaded<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        info!(
            event = "access_policies_loaded",
            revision = self.revision,
            "new policies about callers are live"
        );
    }
}

/// Changed policies about callers cannot be used.
#[derive(Debug)]
pub struct AccessPoliciesRefused<'a> {
    /// Why.
    pub reason: &'a str,
}

impl AccessPoliciesRefused<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        error!(
            event = "access_policies_refused",
            reason = self.reason,
            "changed policies about callers cannot be used, the old ones stay"
        );
    }
}

/// The API keys are those of their file.
#[derive(Debug)]
pub struct ApiKeysLoaded {
    /// How many there are.
    pub keys: usize,
}

impl ApiKeysLoaded {
    /// Writes the log line and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        info!(event = "api_keys_loaded", keys = self.keys, "API keys are in use");
        metrics.api_keys.set(i64::try_from(self.keys).unwrap_or(i64::MAX));
        metrics.api_keys_failing.set(0);
    }
}

/// The API keys of a changed file cannot be used.
#[derive(Debug)]
pub struct ApiKeysRefused<'a> {
    /// Why.
    pub reason: &'a str,
}

impl ApiKeysRefused<'_> {
    /// Writes the log line and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        error!(
            event = "api_keys_refused",
            reason = self.reason,
            "API keys cannot be loaded, the old ones stay"
        );
        metrics.api_keys_failing.set(1);
    }
}
