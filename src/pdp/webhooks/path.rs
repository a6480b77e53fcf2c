//! The one way in which statements become facts: recorded, then kept, then told that they are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use procura_core::model::{Entity, EntityKind, Fact, Timestamp};
use procura_core::record::{FactRecord, Record, RecordError, SignalRecord, SignalsRefused};
use tokio::task::JoinError;

use super::Caller;
use crate::pdp::caller::sender;
use crate::ports::{
    Applied, Clock, DecisionLog, Durability, FactStore, LogError, NewRecord, Statements, StoreError,
};

/// How far the clock of a source may be ahead.
const SKEW: Duration = Duration::from_secs(60);

/// How long after something happened it may still be said with an end of its own: what outweighs it is forgotten then.
const OLDEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// What statements go through.
#[derive(Clone)]
pub struct FactParts {
    /// Where facts are kept.
    pub store: Arc<dyn FactStore>,
    /// Where each event is recorded; `None` if the log is turned off.
    pub log: Option<Arc<dyn DecisionLog>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// An event that states something.
pub(super) struct Stated {
    pub(super) source: Arc<str>,
    /// How it came.
    pub(super) via: &'static str,
    pub(super) id: Arc<str>,
    pub(super) received: Timestamp,
    /// What it is about, as the source names it.
    pub(super) events: Vec<String>,
    pub(super) facts: Vec<Fact>,
    /// Why there are none.
    pub(super) ignored: Option<&'static str>,
    pub(super) caller: Caller,
}

/// Why an event is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotStated {
    /// It says something of the future.
    #[error("`at` must not be in the future")]
    Future,
    /// It ends before it begins, or has ended.
    #[error("`expires` must be after `at` and after now")]
    Ended,
    /// It says too late what ends by itself.
    #[error("`at` must be at most 30 days ago for what has `expires`")]
    Late,
    /// It cannot be recorded, so it is not taken.
    #[error(transparent)]
    Unrecorded(#[from] LogError),
    /// It has no record.
    #[error(transparent)]
    Unrecordable(#[from] RecordError),
    /// It is recorded, but not kept: it changes nothing.
    #[error(transparent)]
    NotKept(#[from] StoreError),
    /// It ended before it was done.
    #[error("the event was not finished")]
    Unfinished(#[from] JoinError),
}

impl FactParts {
    /// Takes `stated`: it is on disk and every later decision knows it once this returns. Dropping the future leaves nothing
    /// half done.
    pub(super) async fn take(&self, stated: Stated) -> Result<Applied, NotStated> {
        stated.facts.iter().try_for_each(|fact| check_times(fact, stated.received))?;
        if self.store.has_taken(&stated.source, &stated.id) {
            return Ok(Applied::Repeated);
        }
        let parts = self.clone();
        tokio::spawn(async move { parts.take_whole(stated).await }).await?
    }

    /// INVARIANT(recorded_first): an event is in the log, on disk, before any decision knows of it.
    async fn take_whole(&self, stated: Stated) -> Result<Applied, NotStated> {
        let Stated { source, id, received, facts, .. } = &stated;
        let record = SignalRecord {
            at: *received,
            source: Cow::Borrowed(source),
            via: Cow::Borrowed(stated.via),
            id: Cow::Borrowed(id),
            txn: None,
            events: stated.events.iter().map(|event| Cow::Borrowed(event.as_str())).collect(),
            facts: facts.iter().map(recorded).collect(),
            ignored: stated.ignored.map(Cow::Borrowed),
            caller: Some(sender(&stated.caller)),
        };
        self.record(*received, &Record::Signal(record)).await?;
        let Stated { source, id, received, facts, .. } = stated;
        Ok(self.store.apply(Statements { source, id, received, facts }).await?)
    }

    /// Records that an event of `source` was refused.
    pub(super) async fn refuse(
        &self,
        source: &str,
        code: &'static str,
        reason: &str,
        caller: &Caller,
    ) -> Result<(), NotStated> {
        let at = self.clock.now();
        let refused = SignalsRefused {
            at,
            source: Cow::Borrowed(source),
            refused: BTreeMap::from([(Cow::Borrowed(code), 1)]),
            reason: Some(Cow::Borrowed(reason)),
            caller: Some(sender(caller)),
        };
        self.record(at, &Record::SignalsRefused(refused)).await
    }

    async fn record(&self, at: Timestamp, record: &Record<'_>) -> Result<(), NotStated> {
        let Some(log) = &self.log else { return Ok(()) };
        let payload = record.encode()?;
        log.append_as(NewRecord { at, payload }, Durability::Durable).await?;
        Ok(())
    }
}

fn check_times(fact: &Fact, received: Timestamp) -> Result<(), NotStated> {
    let age = received.duration_since(fact.at);
    if age.is_negative() && age.unsigned_abs() > SKEW {
        return Err(NotStated::Future);
    }
    let Some(expires) = fact.expires else { return Ok(()) };
    if expires <= fact.at || expires <= received {
        return Err(NotStated::Ended);
    }
    if age.is_positive() && age.unsigned_abs() > OLDEST { Err(NotStated::Late) } else { Ok(()) }
}

/// `fact` as records hold it.
fn recorded(fact: &Fact) -> FactRecord<'_> {
    let name = |entity: &Entity<'static>| match entity.kind {
        EntityKind::Resource | EntityKind::Token => format!("{}\n{}", entity.of, entity.id),
        _ => entity.id.clone().into_owned(),
    };
    let entities = fact.subject.entities().iter();
    FactRecord {
        name: Cow::Borrowed(&fact.name),
        slot: (fact.slot != fact.name).then_some(Cow::Borrowed(&*fact.slot)),
        subject: entities
            .map(|entity| (Cow::Borrowed(entity.kind.as_str()), Cow::Owned(name(entity))))
            .collect(),
        source: Cow::Borrowed(&fact.source),
        id: Cow::Borrowed(&fact.id),
        since: fact.at,
        received: fact.received,
        expires: fact.expires.map(|expires| Cow::Owned(expires.to_string())),
        data: fact.value.as_ref().map(Cow::Borrowed),
    }
}
