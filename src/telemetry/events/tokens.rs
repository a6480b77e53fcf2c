//! What happens to tokens and the keys that verify them.

use std::error::Error;

use tracing::{debug, error, info};

use super::chain;
use crate::telemetry::labels::KeyRefresh;
use crate::telemetry::metrics::Metrics;

/// Tokens are believed without anyone having checked their signatures.
#[derive(Debug)]
pub struct TokensNotVerified;

impl TokensNotVerified {
    /// Writes the log line.
    pub fn emit(&self) {
        error!(
            event = "tokens_not_verified",
            "`auxData.jwt.disableVerification` is true: nobody checks the signatures of tokens, so whoever can send \
             a request can claim anything"
        );
    }
}

/// The keys of a key set are those at their source.
#[derive(Debug)]
pub struct KeysRefreshed<'a> {
    /// The key set.
    pub key_set: &'a str,
    /// How many keys it has.
    pub keys: usize,
    /// Whether they are others than before.
    pub changed: bool,
    /// When the remote set that is out of touch the longest was last fetched, in Unix seconds.
    pub oldest: f64,
}

impl KeysRefreshed<'_> {
    /// Writes the log line (level debug if nothing changed) and moves the metrics.
    pub fn emit(&self, metrics: &Metrics) {
        let Self { key_set, keys, changed, oldest } = *self;
        if changed {
            info!(event = "keys_refreshed", key_set, keys, "new keys of the key set are in use");
        } else {
            debug!(event = "keys_refreshed", key_set, keys, "keys of the key set are unchanged");
        }
        metrics.key_refreshes.inc(KeyRefresh::Succeeded);
        metrics.oldest_keys.set(oldest);
    }
}

/// The keys of a key set could not be loaded.
#[derive(Debug)]
pub struct KeyRefreshFailed<'a> {
    /// The key set.
    pub key_set: &'a str,
    /// Why.
    pub error: &'a (dyn Error + 'static),
    /// Whether there are keys from before.
    pub has_keys: bool,
}

impl KeyRefreshFailed<'_> {
    /// Writes the log line and moves the metric.
    pub fn emit(&self, metrics: &Metrics) {
        let stays = if self.has_keys { "the old keys stay" } else { "its tokens are refused" };
        error!(
            event = "key_refresh_failed",
            key_set = self.key_set,
            error = chain(self.error),
            "keys of the key set cannot be loaded, {stays}"
        );
        metrics.key_refreshes.inc(KeyRefresh::Failed);
    }
}
