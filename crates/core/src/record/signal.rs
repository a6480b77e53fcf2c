//! The records of what came in about principals, sessions, devices and resources: signals taken, and signals refused.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Caller, wire};
use crate::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use crate::value::Value;

/// A signal was taken. It is written before any decision knows of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalRecord<'a> {
    /// When it was received.
    #[serde(with = "wire::instant")]
    pub at: Timestamp,
    /// The source, by its name in the configuration.
    pub source: Cow<'a, str>,
    /// How it came: `push`, `poll`, `webhook` or `api`.
    pub via: Cow<'a, str>,
    /// The name of the event, unique for its source: the `jti` of a SET.
    pub id: Cow<'a, str>,
    /// The transaction that it belongs to, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txn: Option<Cow<'a, str>>,
    /// What happened, as the source names it: the types of the events of a SET.
    pub events: Vec<Cow<'a, str>>,
    /// What it states or withdraws.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<FactRecord<'a>>,
    /// Why it states nothing, as a stable code: `unknown_type`, `unknown_subject`, `not_entitled` or `no_fact`; absent if it
    /// states something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored: Option<Cow<'a, str>>,
    /// Who delivered it, if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller<'a>>,
}

/// A fact, as it is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FactRecord<'a> {
    /// What is said: `type` in conditions.
    #[serde(rename = "type")]
    pub name: Cow<'a, str>,
    /// What it takes the place of; absent if that is what is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Cow<'a, str>>,
    /// What it is about, by kind. A resource is its kind and its id, a token its issuer and its id, each with a line feed
    /// between them.
    pub subject: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    /// Who said so.
    pub source: Cow<'a, str>,
    /// The event that said so.
    pub id: Cow<'a, str>,
    /// Since when, as the source says.
    #[serde(with = "wire::instant")]
    pub since: Timestamp,
    /// When it was received.
    #[serde(with = "wire::instant")]
    pub received: Timestamp,
    /// Until when, if it ends by itself: RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Cow<'a, str>>,
    /// Its content; absent if it was withdrawn.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", deserialize_with = "wire::present")]
    pub data: Option<Cow<'a, Value<'a>>>,
}

/// What stands between the kind of a resource and its id, and between the issuer of a token and its id.
const WITHIN: char = '\n';

impl<'a> FactRecord<'a> {
    /// What is recorded of `fact`.
    #[must_use]
    pub fn new(fact: &'a Fact) -> Self {
        let entity = |entity: &'a Entity<'static>| (entity.kind.as_str().into(), written(entity));
        Self {
            name: Cow::Borrowed(&fact.name),
            slot: (fact.slot != fact.name).then_some(Cow::Borrowed(&*fact.slot)),
            subject: fact.subject.entities().iter().map(entity).collect(),
            source: Cow::Borrowed(&fact.source),
            id: Cow::Borrowed(&fact.id),
            since: fact.at,
            received: fact.received,
            expires: fact.expires.map(|expires| Cow::Owned(expires.to_string())),
            data: fact.value.as_ref().map(Cow::Borrowed),
        }
    }

    /// The same, owning its texts.
    #[must_use]
    pub fn into_owned(self) -> FactRecord<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        FactRecord {
            name: owned(self.name),
            slot: self.slot.map(owned),
            subject: self.subject.into_iter().map(|(kind, id)| (owned(kind), owned(id))).collect(),
            source: owned(self.source),
            id: owned(self.id),
            since: self.since,
            received: self.received,
            expires: self.expires.map(owned),
            data: self.data.map(|data| Cow::Owned(data.into_owned().into_owned())),
        }
    }

    /// The fact again, without its rank, which is of use only where facts are kept; `None` if it is about nothing that this
    /// release knows, or its end is no instant.
    #[must_use]
    pub fn fact(&self) -> Option<Fact> {
        let entities = self.subject.iter().map(|(kind, written)| read(kind, written));
        let expires = match &self.expires {
            Some(expires) => Some(expires.parse().ok()?),
            None => None,
        };
        Some(Fact {
            subject: Subject::new(entities.collect::<Option<_>>()?)?,
            name: (*self.name).into(),
            slot: self.slot.as_deref().unwrap_or(&self.name).into(),
            value: self.data.clone().map(|data| data.into_owned().into_owned()),
            source: (*self.source).into(),
            id: (*self.id).into(),
            at: self.since,
            received: self.received,
            expires,
            rank: 0,
        })
    }
}

fn written<'a>(entity: &'a Entity<'_>) -> Cow<'a, str> {
    match entity.kind {
        EntityKind::Resource | EntityKind::Token => Cow::Owned(format!("{}{WITHIN}{}", entity.of, entity.id)),
        _ => Cow::Borrowed(&entity.id),
    }
}

fn read(kind: &str, written: &str) -> Option<Entity<'static>> {
    let kind = EntityKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    Some(match kind {
        EntityKind::Resource | EntityKind::Token => {
            let (of, id) = written.split_once(WITHIN)?;
            Entity::within(kind, of, id).into_owned()
        }
        _ => Entity::new(kind, written).into_owned(),
    })
}

/// Signals of one source were refused: one of them, or, when there were many in a short time, how many more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalsRefused<'a> {
    /// When, or when the window ended.
    #[serde(with = "wire::instant")]
    pub at: Timestamp,
    /// The source that they were sent to, by its name in the configuration.
    pub source: Cow<'a, str>,
    /// How many, by the code of the reason.
    pub refused: BTreeMap<Cow<'a, str>, u64>,
    /// Why, for people; absent if there were many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    /// Who sent it, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller<'a>>,
}

#[cfg(test)]
mod tests;
