//! The keys of masking, as the server uses them: created when their period begins, recorded before they are used, and
//! recorded as destroyed once they are.

mod store;

pub use store::{ForgottenKey, KeyStore, PeriodKey};

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use procura_core::model::Timestamp;
use procura_core::record::{MaskKey, MaskKeys, Masks, PseudonymKey, Record, Treatment};
use tokio::sync::Mutex;

use crate::ports::{DecisionLog, LogError, MaskKeySource, MaskKeysFor, NewRecord};

/// The keys of one server.
pub struct Keyring {
    store: KeyStore,
    hash: Option<MaskKey>,
    /// Seconds of a period; `None` if there are no pseudonyms.
    period: Option<i64>,
    log: Arc<dyn DecisionLog>,
    current: ArcSwapOption<Current>,
    renewal: Mutex<()>,
}

struct Current {
    from: Timestamp,
    until: Timestamp,
    keys: Arc<MaskKeys>,
}

impl Keyring {
    /// The keys in `store` that `masks` need; pseudonyms have a new one each `period`.
    ///
    /// # Errors
    /// If the key of hashes cannot be read or created.
    pub fn open(
        store: KeyStore,
        masks: &Masks,
        period: Duration,
        log: Arc<dyn DecisionLog>,
    ) -> io::Result<Self> {
        let hash = masks.uses(Treatment::Hash).then(|| store.hash_key_or_new()).transpose()?;
        let seconds = i64::try_from(period.as_secs()).unwrap_or(i64::MAX).max(1);
        let period = masks.uses(Treatment::Pseudonym).then_some(seconds);
        Ok(Self { store, hash, period, log, current: ArcSwapOption::empty(), renewal: Mutex::new(()) })
    }

    /// Records the keys that were destroyed since this was last done, at the instant `now`.
    pub async fn record_forgotten(&self, now: Timestamp) -> Result<(), LogError> {
        self.current.rcu(|current| current.clone().filter(|current| now < current.until));
        for forgotten in self.store.forgotten().map_err(|error| self.unusable(&error))? {
            let ForgottenKey { id, from, until } = &forgotten;
            self.record(now, "destroyed", id, (*from, *until)).await?;
            self.store.settle(&forgotten).map_err(|error| self.unusable(&error))?;
        }
        Ok(())
    }

    /// The keys of the period of `at`. INVARIANT(recorded_keys): a key is in the log before anything made with it is.
    async fn renewed(&self, at: Timestamp, period: i64) -> Result<Arc<MaskKeys>, LogError> {
        let _turn = self.renewal.lock().await;
        if let Some(keys) = self.known(at) {
            return Ok(keys);
        }
        let found = self.store.key_at(at).map_err(|error| self.unusable(&error))?;
        let PeriodKey { key, from, until } = match found {
            Some(key) => key,
            None => {
                let (from, until) = period_of(at, period);
                let new = self.store.prepare(from, until).map_err(|error| self.unusable(&error))?;
                self.record(at, "created", new.key.id(), (from, until)).await?;
                self.store.adopt(&new).map_err(|error| self.unusable(&error))?;
                new
            }
        };
        let keys = Arc::new(MaskKeys { hash: self.hash.clone(), pseudonym: Some(key) });
        self.current.store(Some(Arc::new(Current { from, until, keys: Arc::clone(&keys) })));
        Ok(keys)
    }

    fn known(&self, at: Timestamp) -> Option<Arc<MaskKeys>> {
        let current = self.current.load();
        let current = current.as_ref().filter(|current| current.from <= at && at < current.until)?;
        Some(Arc::clone(&current.keys))
    }

    async fn record(
        &self,
        at: Timestamp,
        event: &'static str,
        key: &str,
        (from, until): (Timestamp, Timestamp),
    ) -> Result<(), LogError> {
        let record =
            Record::PseudonymKey(PseudonymKey { at, event: event.into(), key: key.into(), from, until });
        let payload = record.encode().map_err(|error| LogError::Unavailable(error.to_string()))?;
        self.log.append(NewRecord { at, payload }).await
    }

    fn unusable(&self, error: &io::Error) -> LogError {
        let directory = self.store.directory().display();
        LogError::Unavailable(format!("the keys of pseudonyms in `{directory}` cannot be used: {error}"))
    }
}

impl MaskKeySource for Keyring {
    fn keys(&self, at: Timestamp) -> MaskKeysFor<'_> {
        let known = match self.period {
            None => Some(Arc::new(MaskKeys { hash: self.hash.clone(), pseudonym: None })),
            Some(_) => self.known(at),
        };
        match (known, self.period) {
            (None, Some(period)) => Box::pin(self.renewed(at, period)),
            (known, _) => Box::pin(async { Ok(known.unwrap_or_default()) }),
        }
    }
}

/// Where the period of `at` begins and ends; periods are counted from 1970.
fn period_of(at: Timestamp, period: i64) -> (Timestamp, Timestamp) {
    let start = at.as_second().div_euclid(period).saturating_mul(period);
    let instant = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    (instant(start), instant(start.saturating_add(period)))
}

#[cfg(test)]
mod tests;
