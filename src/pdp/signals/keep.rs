//! What is stated, on its way into the decision log and into the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use procura_core::model::{Fact, Timestamp};
use procura_core::record::{Record, SignalRecord, SignalsRefused};
use procura_core::signal::Ignored;

use super::budget::Counted;
use super::{NotHeard, report};
use crate::pdp::caller::sender;
use crate::pdp::{Caller, Masking};
use crate::ports::{
    Applied, DecisionLog, Durability, FactStore, LogError, NewRecord, Room, SetFault, Statements, StoreError,
};
use crate::telemetry::{Metrics, SignalPhase};

/// What one event states.
#[derive(Debug)]
pub(super) struct Stated {
    /// Who says it.
    pub(super) source: Arc<str>,
    /// How it came: `push`, `poll`, `webhook` or `api`.
    pub(super) via: &'static str,
    /// The name of the event.
    pub(super) id: Arc<str>,
    /// The transaction that it belongs to.
    pub(super) txn: Option<String>,
    /// When it happened.
    pub(super) at: Option<Timestamp>,
    /// What happened.
    pub(super) events: Vec<String>,
    /// The facts.
    pub(super) facts: Vec<Fact>,
    /// Why there are none.
    pub(super) ignored: Option<Ignored>,
}

/// Records and keeps.
pub(super) struct Keeper {
    pub(super) store: Arc<dyn FactStore>,
    pub(super) log: Option<Arc<dyn DecisionLog>>,
    pub(super) masking: Option<Masking>,
    pub(super) metrics: Arc<Metrics>,
}

impl Keeper {
    /// Whether something could be taken now. While the disk of the log is short, what is left of it is for decisions.
    pub(super) fn can_take(&self) -> Result<(), NotHeard> {
        let not_now = |reason: String| Err(NotHeard::NotNow(reason));
        let log = self.log.as_ref();
        if log.and_then(|log| log.room()).as_ref().is_some_and(Room::is_short) {
            return not_now("the disk of the decision log is almost full: signals have to wait".to_owned());
        }
        if let Some(Err(error)) = log.map(|log| log.health()) {
            return not_now(error.to_string());
        }
        self.store.health().or_else(not_now)
    }

    /// Takes what is `stated`: it is recorded, kept, and known to every later question, in this order.
    pub(super) async fn keep(
        &self,
        stated: Stated,
        received: Timestamp,
        caller: Option<&Caller>,
    ) -> Result<Applied, NotHeard> {
        let begun = Instant::now();
        // INVARIANT(recorded_first): no fact changes before the signal that says so is in the log, on disk.
        self.record(&stated, received, caller).await?;
        let recorded = Instant::now();
        self.metrics.signal_phase(SignalPhase::Record, recorded - begun);
        let Stated { source, id, facts, .. } = stated;
        let applied = self.store.apply(Statements { source, id, received, facts }).await;
        self.metrics.signal_phase(SignalPhase::Journal, recorded.elapsed());
        self.show();
        applied.map_err(|error| match error {
            StoreError::Full { .. } | StoreError::Crowded { .. } => NotHeard::NoRoom(error.to_string()),
            StoreError::Overloaded | StoreError::Unavailable(_) => NotHeard::NotNow(error.to_string()),
        })
    }

    /// Shows how many facts there are.
    pub(super) fn show(&self) {
        self.metrics.facts(self.store.count(), self.store.limit());
    }

    async fn record(
        &self,
        stated: &Stated,
        received: Timestamp,
        caller: Option<&Caller>,
    ) -> Result<(), NotHeard> {
        let Some(log) = &self.log else { return Ok(()) };
        let record = report::signal(stated, received, caller);
        let payload = self.encode(record).await?;
        let receipt = log.append_as(NewRecord { at: received, payload }, Durability::Durable);
        receipt.await.map_err(|error| NotHeard::NotNow(error.to_string()))
    }

    async fn encode(&self, record: SignalRecord<'_>) -> Result<Vec<u8>, NotHeard> {
        let unable = |error: LogError| NotHeard::NotNow(error.to_string());
        let encoded = match &self.masking {
            None => Record::Signal(record).encode(),
            Some(masking) => Record::Signal(masking.signal(&record).await.map_err(unable)?).encode(),
        };
        let reason = || "what it states is too much for one record".to_owned();
        encoded.map_err(|_| NotHeard::Refused { fault: SetFault::InvalidRequest, reason: reason() })
    }

    /// Records one refusal. Nobody waits for it to be there.
    pub(super) async fn record_refused(
        &self,
        source: &str,
        (code, reason): (&'static str, &str),
        at: Timestamp,
        caller: Option<&Caller>,
    ) {
        let record = SignalsRefused {
            at,
            source: source.into(),
            refused: BTreeMap::from([(code.into(), 1)]),
            reason: Some(reason.into()),
            caller: caller.map(sender),
        };
        let Some(masking) = &self.masking else { return self.append(record) };
        match masking.refused(&record).await {
            Ok(seen) => self.append(seen),
            // Without a key nobody can say what of the caller may be seen.
            Err(_) => self.append(SignalsRefused { caller: None, ..record.clone() }),
        }
    }

    /// Records how many more there were. Nobody waits for it.
    pub(super) fn record_counted(&self, source: &str, counted: Counted, at: Timestamp) {
        let refused = counted.into_iter().map(|(code, count)| (code.into(), count)).collect();
        self.append(SignalsRefused { at, source: source.into(), refused, reason: None, caller: None });
    }

    /// While the disk of the log is short, what is refused is only counted in metrics.
    fn append(&self, record: SignalsRefused<'_>) {
        let Some(log) = &self.log else { return };
        if log.room().as_ref().is_some_and(Room::is_short) {
            return;
        }
        let at = record.at;
        if let Ok(payload) = Record::SignalsRefused(record).encode() {
            drop(log.append_as(NewRecord { at, payload }, Durability::Os));
        }
    }
}
