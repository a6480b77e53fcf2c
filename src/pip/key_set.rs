//! One key set: the keys that are in use, and who replaces them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::keys::{KeyError, KeyRules, Keys};
use super::remote::{KeyPlace, Remote};
use super::rules::TokenRules;
use crate::discovery::TransmitterPlace;
use crate::ports::Clock;
use crate::telemetry::Metrics;
use crate::telemetry::events::{KeyRefreshFailed, KeysRefreshed};

/// A key set as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetSettings {
    /// How calls name it.
    pub id: String,
    /// Where its keys are.
    pub source: KeySource,
    /// What it demands of keys.
    pub rules: KeyRules,
    /// What it demands of tokens.
    pub tokens: TokenRules,
}

impl KeySetSettings {
    /// Whether its keys must be fetched.
    pub(super) fn is_remote(&self) -> bool {
        self.place().is_some()
    }

    /// Where its keys are fetched and how often, if they are.
    pub(super) fn place(&self) -> Option<(KeyPlace, Duration)> {
        match &self.source {
            KeySource::Remote { url, refresh_interval } => {
                Some((KeyPlace::Url(url.clone()), *refresh_interval))
            }
            KeySource::Discovered { transmitter, refresh_interval } => {
                Some((KeyPlace::Transmitter(transmitter.clone()), *refresh_interval))
            }
            KeySource::File { .. } | KeySource::Data { .. } => None,
        }
    }
}

/// Where keys are.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// At a URL, as a JSON Web Key Set.
    Remote {
        /// The URL.
        url: String,
        /// How often it is fetched.
        refresh_interval: Duration,
    },
    /// Where the metadata of a transmitter of security events say that they are, looked up each time.
    Discovered {
        /// The transmitter.
        transmitter: TransmitterPlace,
        /// How often they are fetched.
        refresh_interval: Duration,
    },
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// Whether it is PEM.
        pem: bool,
    },
    /// Here.
    Data {
        /// The text.
        text: Vec<u8>,
        /// Whether it is PEM.
        pem: bool,
    },
}

impl fmt::Debug for KeySource {
    /// Says where the keys are, and nothing of what they are or what opens the way to them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote { .. } => f.write_str("Remote(..)"),
            Self::Discovered { transmitter, .. } => {
                f.debug_tuple("Discovered").field(&transmitter.issuer).finish()
            }
            Self::File { path, .. } => f.debug_tuple("File").field(path).finish(),
            Self::Data { .. } => f.write_str("Data(..)"),
        }
    }
}

/// A key set in use.
pub(super) struct KeySet {
    /// Where its keys are.
    pub(super) shelf: Arc<Shelf>,
    /// What fetches them, if they are remote.
    pub(super) remote: Option<Remote>,
}

/// Holds the keys of one set; they change while tokens are verified.
pub(super) struct Shelf {
    /// The key set.
    pub(super) id: Arc<str>,
    /// What it demands of tokens.
    pub(super) tokens: TokenRules,
    rules: KeyRules,
    is_pem: bool,
    keys: ArcSwapOption<Loaded>,
    reports: Arc<Reports>,
}

struct Loaded {
    text: Vec<u8>,
    keys: Arc<Keys>,
}

/// Where all key sets tell how they fare.
pub(super) struct Reports {
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    /// When the keys of each remote set were last fetched, in Unix seconds; 0 for never.
    successes: Mutex<BTreeMap<String, f64>>,
}

impl Shelf {
    /// An empty shelf for the keys of `settings`.
    pub(super) fn new(settings: &KeySetSettings, reports: &Arc<Reports>) -> Self {
        let is_pem = match settings.source {
            KeySource::Remote { .. } | KeySource::Discovered { .. } => false,
            KeySource::File { pem, .. } | KeySource::Data { pem, .. } => pem,
        };
        let (id, tokens, rules) = (settings.id.as_str().into(), settings.tokens.clone(), settings.rules);
        Self { id, tokens, rules, is_pem, keys: ArcSwapOption::empty(), reports: Arc::clone(reports) }
    }

    /// The keys in use.
    pub(super) fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.load().as_ref().map(|loaded| Arc::clone(&loaded.keys))
    }

    /// Whether the keys in use are those of this number.
    pub(super) fn holds(&self, number: u64) -> bool {
        self.keys.load().as_ref().is_some_and(|loaded| loaded.keys.number == number)
    }

    /// Takes the keys in `text` into use.
    ///
    /// INVARIANT(good_keys_stay): what is not a usable set of keys replaces nothing.
    pub(super) fn put(&self, text: Vec<u8>) -> Result<(), KeyError> {
        let before = self.keys.load();
        let changed = before.as_ref().is_none_or(|loaded| loaded.text != text);
        let keys = match before.as_ref().filter(|_| !changed) {
            Some(loaded) => loaded.keys.len(),
            None => {
                let mut keys = Keys::read(&text, self.is_pem, self.rules, &self.tokens)?;
                keys.number = before.as_ref().map_or(0, |loaded| loaded.keys.number + 1);
                let count = keys.len();
                self.keys.store(Some(Arc::new(Loaded { text, keys: Arc::new(keys) })));
                count
            }
        };
        let oldest = self.reports.succeeded(&self.id);
        KeysRefreshed { key_set: &self.id, keys, changed, oldest }.emit(&self.reports.metrics);
        Ok(())
    }

    /// Tells that the keys could not be loaded.
    pub(super) fn failed(&self, error: &(dyn Error + 'static)) {
        let has_keys = self.keys.load().is_some();
        KeyRefreshFailed { key_set: &self.id, error, has_keys }.emit(&self.reports.metrics);
    }
}

impl Reports {
    /// For these key sets.
    pub(super) fn new(sets: &[KeySetSettings], metrics: Arc<Metrics>, clock: Arc<dyn Clock>) -> Self {
        let remote = sets.iter().filter(|set| set.is_remote());
        let successes = remote.map(|set| (set.id.clone(), 0.0)).collect();
        Self { metrics, clock, successes: Mutex::new(successes) }
    }

    /// Notes a success of `id` and returns the oldest of all remote sets.
    fn succeeded(&self, id: &str) -> f64 {
        let now = self.clock.now().as_duration().as_secs_f64();
        let mut successes = self.successes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = successes.get_mut(id) {
            *last = now;
        }
        successes.values().copied().reduce(f64::min).unwrap_or_default()
    }
}
