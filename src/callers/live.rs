//! The keys in use: those of the file, read again when it changes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use procura_core::model::Timestamp;
use tokio::sync::Notify;

use super::entry::{EntryError, KeyEntry};
use super::key::{Hash, id_of};
use crate::ports::{ApiKeys, Identity, KeyFault, KeyHolder, Method};
use crate::telemetry::Metrics;
use crate::telemetry::events::{ApiKeysLoaded, ApiKeysRefused};

/// Largest file, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How often the file is read. It is small, and reading finds every change whatever the file system reports.
const INTERVAL: Duration = Duration::from_secs(1);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("cannot read the API keys in `{}`, a file that `procura key create` makes: {}", .0.display(), .1)]
    Read(PathBuf, io::Error),
    /// It holds no usable keys.
    #[error("cannot use the API keys in `{}`: {}", .0.display(), .1)]
    Keys(PathBuf, EntryError),
}

/// The API keys of a file.
pub struct KeyFile {
    path: PathBuf,
    keys: ArcSwap<Keys>,
    epoch: AtomicU64,
    trouble: ArcSwapOption<String>,
    look: Notify,
    metrics: Arc<Metrics>,
}

/// The holders by the ids of their keys.
struct Keys {
    text: String,
    holders: BTreeMap<String, Held>,
}

struct Held {
    hash: Hash,
    identity: Arc<Identity>,
    expires: Option<Timestamp>,
    is_revoked: bool,
}

impl KeyFile {
    /// The keys of the file at `path`, kept up with it from now on. Call it within a tokio runtime.
    ///
    /// # Errors
    /// If the file is not good.
    pub fn start(path: &Path, metrics: Arc<Metrics>) -> Result<Arc<Self>, KeyFileError> {
        let keys = Keys::load(path, read(path)?)?;
        ApiKeysLoaded { keys: keys.holders.len() }.emit(&metrics);
        let file = Arc::new(Self {
            path: path.to_owned(),
            keys: ArcSwap::from_pointee(keys),
            epoch: AtomicU64::new(0),
            trouble: ArcSwapOption::empty(),
            look: Notify::new(),
            metrics,
        });
        tokio::spawn(watch(Arc::downgrade(&file)));
        Ok(file)
    }

    /// Looks at the file now.
    pub fn look(&self) {
        self.look.notify_one();
    }

    /// Takes what a reading of the file found.
    ///
    /// INVARIANT(good_keys_stay): what is not a good file replaces nothing, and `trouble` says why.
    fn take(&self, found: Result<String, KeyFileError>) {
        if found.as_ref().is_ok_and(|text| *text == self.keys.load().text) {
            if self.trouble.swap(None).is_some() {
                ApiKeysLoaded { keys: self.keys.load().holders.len() }.emit(&self.metrics);
            }
            return;
        }
        match found.and_then(|text| Keys::load(&self.path, text)) {
            Ok(keys) => {
                ApiKeysLoaded { keys: keys.holders.len() }.emit(&self.metrics);
                self.keys.store(Arc::new(keys));
                self.epoch.fetch_add(1, Ordering::Release);
                self.trouble.store(None);
            }
            Err(error) => {
                let reason = error.to_string();
                if self.trouble().as_ref() != Some(&reason) {
                    ApiKeysRefused { reason: &reason }.emit(&self.metrics);
                    self.trouble.store(Some(Arc::new(reason)));
                }
            }
        }
    }
}

impl ApiKeys for KeyFile {
    fn holder(&self, text: &str) -> Result<KeyHolder, KeyFault> {
        let keys = self.keys.load();
        let (id, shown) = (id_of(text).ok_or(KeyFault::Unknown)?, Hash::of(text));
        let held = keys.holders.get(id).filter(|held| held.hash.is(shown)).ok_or(KeyFault::Unknown)?;
        if held.is_revoked {
            return Err(KeyFault::Revoked);
        }
        Ok(KeyHolder { identity: Arc::clone(&held.identity), expires: held.expires })
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.load().as_deref().cloned()
    }
}

impl Keys {
    fn load(path: &Path, text: String) -> Result<Self, KeyFileError> {
        let entries = KeyEntry::read(&text).map_err(|error| KeyFileError::Keys(path.to_owned(), error))?;
        let holders = entries.into_iter().filter_map(|entry| {
            let hash = Hash::parse(&entry.hash)?;
            let (expires, is_revoked) = (entry.expires, entry.revoked.is_some());
            let identity = Arc::new(Identity {
                name: Some(entry.name),
                method: Some(Method::Key),
                issuer: None,
                key: Some(entry.id.clone()),
                roles: entry.roles,
                tenants: entry.tenants,
                agent: entry.agent,
            });
            Some((entry.id, Held { hash, identity, expires, is_revoked }))
        });
        Ok(Self { holders: holders.collect(), text })
    }
}

/// Looks at the file again and again, for as long as somebody asks for its keys. What it holds is taken once two readings
/// agree, so that a file which is still being written is not.
async fn watch(file: Weak<KeyFile>) {
    let mut seen = None;
    loop {
        let Some(kept) = file.upgrade() else { return };
        let _ = tokio::time::timeout(INTERVAL, kept.look.notified()).await;
        drop(kept);
        let Some(kept) = file.upgrade() else { return };
        let path = kept.path.clone();
        let Ok(found) = tokio::task::spawn_blocking(move || read(&path)).await else { continue };
        let now = found.as_ref().map(String::clone).map_err(ToString::to_string);
        if seen.as_ref() == Some(&now) {
            kept.take(found);
        }
        seen = Some(now);
    }
}

/// The text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<String, KeyFileError> {
    let wrong = |error| KeyFileError::Read(path.to_owned(), error);
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut text = String::new();
    let file = File::open(path).map_err(wrong)?;
    file.take(most + 1).read_to_string(&mut text).map_err(wrong)?;
    if text.len() > MAX_BYTES { Err(wrong(io::ErrorKind::FileTooLarge.into())) } else { Ok(text) }
}
