//! What stands in frames: events in a journal; facts and the names of events in a snapshot.

use std::borrow::Cow;
use std::sync::Arc;

use super::compact::{Texts, compact};
use procura_core::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use procura_core::value::Value;
use serde::{Deserialize, Deserializer, Serialize};

/// The version of both forms.
pub(super) const VERSION: u32 = 1;

/// The first frame of a journal and of a snapshot.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) v: u32,
    /// The number in the name of the file.
    pub(super) generation: u64,
    /// The last change before the journal.
    pub(super) seq: u64,
}

/// A frame of a journal: what was written at once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch<'a> {
    /// The last change before it.
    pub(super) after: u64,
    #[serde(borrow)]
    pub(super) events: Vec<EventForm<'a>>,
}

/// An event that was taken, with those of its facts that were news.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventForm<'a> {
    #[serde(borrow)]
    pub(super) source: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    pub(super) received: Instant,
    #[serde(borrow)]
    pub(super) facts: Vec<FactForm<'a>>,
}

/// A frame of a snapshot behind its first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Piece<'a> {
    #[serde(borrow)]
    Facts(Vec<FactForm<'a>>),
    #[serde(borrow)]
    Taken(TakenForm<'a>),
    /// The last one: how many facts and names there were.
    End { facts: u64, taken: u64 },
}

/// Names of events that were taken from one source, oldest first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TakenForm<'a> {
    #[serde(borrow)]
    pub(super) source: Cow<'a, str>,
    /// What is kept of the name, as two halves, and the second in which it was received.
    pub(super) names: Vec<(u64, u64, i64)>,
}

/// Seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Instant(i64, i32);

/// A fact.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactForm<'a> {
    /// Kind, what it is of (empty if that is nothing) and id of each entity.
    #[serde(borrow)]
    subject: Vec<(Cow<'a, str>, Cow<'a, str>, Cow<'a, str>)>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    /// Absent if it is the name.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    slot: Option<Cow<'a, str>>,
    /// Absent if it was withdrawn.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    value: Option<Cow<'a, Value<'a>>>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    at: Instant,
    received: Instant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Instant>,
    #[serde(default, skip_serializing_if = "is_zero")]
    rank: u8,
}

impl Instant {
    pub(super) fn of(at: Timestamp) -> Self {
        Self(at.as_second(), at.subsec_nanosecond())
    }

    pub(super) fn get(self) -> Option<Timestamp> {
        Timestamp::new(self.0, self.1).ok()
    }
}

impl<'a> FactForm<'a> {
    pub(super) fn of(fact: &'a Fact) -> Self {
        let entity = |entity: &'a Entity<'static>| {
            (entity.kind.as_str().into(), Cow::Borrowed(&*entity.of), Cow::Borrowed(&*entity.id))
        };
        Self {
            subject: fact.subject.entities().iter().map(entity).collect(),
            name: Cow::Borrowed(&fact.name),
            slot: (fact.slot != fact.name).then(|| Cow::Borrowed(&*fact.slot)),
            value: fact.value.as_ref().map(Cow::Borrowed),
            source: Cow::Borrowed(&fact.source),
            id: Cow::Borrowed(&fact.id),
            at: Instant::of(fact.at),
            received: Instant::of(fact.received),
            expires: fact.expires.map(Instant::of),
            rank: fact.rank,
        }
    }

    /// The fact; `None` if it says what no fact can.
    pub(super) fn into_fact(self, texts: &mut Texts) -> Option<Fact> {
        let entities = self.subject.into_iter().map(|(kind, of, id)| entity(&kind, of, id));
        let name = texts.one(&self.name);
        Some(Fact {
            subject: Subject::new(entities.collect::<Option<_>>()?)?,
            slot: self.slot.map_or_else(|| Arc::clone(&name), |slot| texts.one(&slot)),
            name,
            value: self.value.map(|value| compact(&value)),
            source: texts.one(&self.source),
            id: texts.id(&self.id),
            at: self.at.get()?,
            received: self.received.get()?,
            expires: match self.expires {
                Some(expires) => Some(expires.get()?),
                None => None,
            },
            rank: self.rank,
        })
    }
}

fn entity(kind: &str, of: Cow<'_, str>, id: Cow<'_, str>) -> Option<Entity<'static>> {
    let kind = EntityKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    let of = if of.is_empty() { Cow::Borrowed("") } else { Cow::Owned(of.into_owned()) };
    Some(Entity { kind, of, id: Cow::Owned(id.into_owned()) })
}

/// A value that is there is one, also if it is `null`.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'a, Value<'a>>>, D::Error> {
    Value::deserialize(deserializer).map(|value| Some(Cow::Owned(value)))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(rank: &u8) -> bool {
    *rank == 0
}
