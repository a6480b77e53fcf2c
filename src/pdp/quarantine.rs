//! What is no longer relied on from an instant on: issuers, key sets and keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use procura_core::model::Timestamp;
use procura_core::query::{Condition, Facts, Field};
use procura_core::record::{QuarantineChange, Record, RecordError};
use tokio::sync::Mutex;
use tokio::task::{JoinError, spawn_blocking};

use super::Caller;
use super::caller::sender;
use crate::ports::{
    Clock, DecisionLog, Durability, LogError, NewRecord, Origin, Quarantine, QuarantineStore,
    QuarantineStoreError, Quarantined, Suspect,
};
use crate::telemetry::events::QuarantineChanged;

/// Most quarantines at a time: each is looked at for each credential.
const MOST: usize = 1000;

/// What is under quarantine at present.
#[derive(Debug, Default)]
pub struct Quarantines {
    epoch: AtomicU64,
    all: ArcSwap<Vec<Quarantined>>,
}

impl Quarantines {
    /// Every quarantine, oldest first.
    #[must_use]
    pub fn all(&self) -> Arc<Vec<Quarantined>> {
        self.all.load_full()
    }

    /// Makes `all` what counts, for every request that asks from now on.
    fn set(&self, all: Vec<Quarantined>) {
        self.all.store(Arc::new(all));
        // Whoever reads the new number finds the new list.
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }
}

impl Quarantine for Quarantines {
    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    fn is_quarantined(&self, origin: &Origin<'_>) -> bool {
        self.all.load().iter().any(|entry| entry.suspect.covers(origin))
    }
}

/// A quarantine that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedQuarantine {
    /// Its id.
    pub id: String,
    /// What is to be refused.
    pub suspect: Suspect,
    /// From when on decisions that relied on it are suspect; `None` for from now on.
    pub since: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

/// Why a quarantine is not begun or lifted as somebody asks.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// There is another one of this id.
    #[error("there is another quarantine with this id: lift it first, or choose another id")]
    Taken,
    /// There are too many.
    #[error("there are {MOST} quarantines, the most there may be: lift some, or quarantine whole issuers")]
    TooMany,
    /// Nobody can have relied on anything in the future.
    #[error("`since` must not be in the future")]
    NotYet,
    /// It cannot be recorded, so it is not done.
    #[error(transparent)]
    Unrecorded(#[from] LogError),
    /// It has no record.
    #[error(transparent)]
    Unrecordable(#[from] RecordError),
    /// It is recorded, but not kept. One that was begun counts until the server stops, one that was to be lifted stays.
    #[error(transparent)]
    NotKept(#[from] QuarantineStoreError),
    /// It ended before it was done.
    #[error("the change of quarantines was not finished")]
    Unfinished(#[from] JoinError),
}

/// What quarantines are changed with.
pub struct QuarantineParts {
    /// Where they are kept.
    pub store: Arc<dyn QuarantineStore>,
    /// Where each change is recorded; `None` if the log is turned off.
    pub log: Option<Arc<dyn DecisionLog>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Begins quarantines and lifts them, one after the other.
pub struct QuarantineOffice {
    now: Arc<Quarantines>,
    parts: QuarantineParts,
    turn: Mutex<()>,
}

impl QuarantineOffice {
    /// With what was kept. Blocking.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn open(parts: QuarantineParts) -> Result<Self, QuarantineStoreError> {
        let now = Quarantines::default();
        now.set(parts.store.load()?);
        Ok(Self { now: Arc::new(now), parts, turn: Mutex::default() })
    }

    /// What counts at present.
    #[must_use]
    pub fn quarantines(&self) -> Arc<Quarantines> {
        Arc::clone(&self.now)
    }

    /// Begins `wanted`, as `caller` asks: it counts once this returns. To ask for the same again changes nothing.
    ///
    /// # Errors
    /// If it is not begun, or not kept. Dropping the future leaves nothing half done.
    pub async fn begin(
        self: &Arc<Self>,
        caller: Caller,
        wanted: WantedQuarantine,
    ) -> Result<Quarantined, QuarantineError> {
        let office = Arc::clone(self);
        tokio::spawn(async move { office.begin_in_turn(&caller, wanted).await }).await?
    }

    /// Lifts the quarantine with this id, as `caller` asks; `None` if there is none.
    ///
    /// # Errors
    /// If it is not lifted. Dropping the future leaves nothing half done.
    pub async fn lift(
        self: &Arc<Self>,
        caller: Caller,
        id: String,
    ) -> Result<Option<Quarantined>, QuarantineError> {
        let office = Arc::clone(self);
        tokio::spawn(async move { office.lift_in_turn(&caller, &id).await }).await?
    }

    async fn begin_in_turn(
        &self,
        caller: &Caller,
        wanted: WantedQuarantine,
    ) -> Result<Quarantined, QuarantineError> {
        let _turn = self.turn.lock().await;
        let (at, mut all) = (self.parts.clock.now(), self.now.all().to_vec());
        let WantedQuarantine { id, suspect, since, reason } = wanted;
        if let Some(there) = all.iter().find(|entry| entry.id == id) {
            let is_same = there.suspect == suspect
                && there.reason == reason
                && since.is_none_or(|since| since == there.since);
            return if is_same { Ok(there.clone()) } else { Err(QuarantineError::Taken) };
        }
        if all.len() >= MOST {
            return Err(QuarantineError::TooMany);
        }
        let since = since.unwrap_or(at);
        if since > at {
            return Err(QuarantineError::NotYet);
        }
        let entry = Quarantined { id, suspect, since, reason, begun: at, by: caller.identity.name.clone() };
        self.record("begun", caller, &entry, at).await?;
        all.push(entry.clone());
        // Also if it cannot be kept: better refused too much.
        self.now.set(all.clone());
        self.keep(all).await?;
        Ok(entry)
    }

    async fn lift_in_turn(&self, caller: &Caller, id: &str) -> Result<Option<Quarantined>, QuarantineError> {
        let _turn = self.turn.lock().await;
        let (at, mut all) = (self.parts.clock.now(), self.now.all().to_vec());
        let Some(place) = all.iter().position(|entry| entry.id == id) else { return Ok(None) };
        let entry = all.remove(place);
        self.record("lifted", caller, &entry, at).await?;
        self.keep(all.clone()).await?;
        self.now.set(all);
        Ok(Some(entry))
    }

    /// INVARIANT(recorded_first): a change of quarantines is in the log, on disk, before it counts.
    async fn record(
        &self,
        event: &'static str,
        caller: &Caller,
        entry: &Quarantined,
        at: Timestamp,
    ) -> Result<(), QuarantineError> {
        let Quarantined { id, suspect: Suspect { issuer, key_set, key }, since, reason, .. } = entry;
        if let Some(log) = &self.parts.log {
            let text = |text: &Option<String>| text.clone().map(Into::into);
            let change = QuarantineChange {
                at,
                event: event.into(),
                id: id.into(),
                issuer: text(issuer),
                key_set: text(key_set),
                key: text(key),
                since: *since,
                reason: reason.into(),
                caller: sender(caller),
            };
            let payload = Record::Quarantine(change).encode()?;
            log.append_as(NewRecord { at, payload }, Durability::Durable).await?;
        }
        QuarantineChanged { event, id, reason }.emit();
        Ok(())
    }

    async fn keep(&self, all: Vec<Quarantined>) -> Result<(), QuarantineError> {
        let store = Arc::clone(&self.parts.store);
        Ok(spawn_blocking(move || store.save(&all)).await??)
    }
}

impl Quarantined {
    /// What every recorded decision is that relied on it since it is suspect; the index of the log finds those.
    #[must_use]
    pub fn affected(&self) -> Condition {
        let Suspect { issuer, key_set, key } = &self.suspect;
        let named = [(Field::Issuer, issuer), (Field::KeySet, key_set), (Field::Key, key)];
        let named = named.into_iter().filter_map(|(field, text)| Some((field, text.as_deref()?)));
        let parts = named.map(|(field, text)| Condition::Is(field, text.into()));
        Condition::All(parts.chain([Condition::Since(self.since)]).collect())
    }

    /// Whether the call of the encoded record `payload` relied on it: one credential rests on all that is suspect.
    #[must_use]
    pub fn has_affected(&self, payload: &[u8]) -> bool {
        Facts::decode(payload).is_ok_and(|facts| {
            facts.any_credential(|issuer, key_set, key| self.suspect.covers(&Origin { issuer, key_set, key }))
        })
    }
}
