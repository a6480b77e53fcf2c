//! The facts behind an explanation: those in force, and the one that a decision rests on.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::limits::{EXPLAINED_SIGNALS, EXPLAINED_VALUE_BYTES};
use crate::model::{Demand, Entity, Fact, Signals, Timestamp};
use crate::value::Value;

/// A fact in force about a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedSignal {
    /// What is said: `type` in conditions.
    #[serde(rename = "type")]
    pub name: String,
    /// What it is about, by kind; a resource is `kind:id`, a token `issuer:id`.
    pub about: BTreeMap<&'static str, String>,
    /// Who said so.
    pub source: String,
    /// The event that said so.
    pub id: String,
    /// Since when.
    pub since: String,
    /// How many seconds ago that was.
    pub age: i64,
    /// When it was received.
    pub received: String,
    /// Its content, unless it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value<'static>>,
}

/// The fact that a capability asks for and that is not there or too old.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedDemand {
    /// The type of the fact.
    pub signal: String,
    /// How old it may be, in seconds.
    pub max_age: u64,
    /// Where the capability is declared, `file:line:column`.
    pub capability: String,
}

impl ExplainedDemand {
    pub(super) fn new(demand: &Demand) -> Self {
        Self {
            signal: demand.signal.to_string(),
            max_age: demand.max_age,
            capability: demand.capability.to_string(),
        }
    }
}

/// The newest of the facts in force, and whether there are more.
pub(super) fn explained(signals: &Signals<'_>, now: Timestamp) -> (Vec<ExplainedSignal>, bool) {
    let shown = signals.facts.iter().take(EXPLAINED_SIGNALS).map(|fact| one(fact, now));
    (shown.collect(), signals.too_many || signals.facts.len() > EXPLAINED_SIGNALS)
}

fn one(fact: &Fact, now: Timestamp) -> ExplainedSignal {
    let is_short = |value: &&Value<'_>| {
        serde_json::to_string(value).is_ok_and(|text| text.len() <= EXPLAINED_VALUE_BYTES)
    };
    ExplainedSignal {
        name: fact.name.to_string(),
        about: fact.subject.entities().iter().map(|entity| (entity.kind.as_str(), named(entity))).collect(),
        source: fact.source.to_string(),
        id: fact.id.to_string(),
        since: fact.at.to_string(),
        age: now.duration_since(fact.at).as_secs(),
        received: fact.received.to_string(),
        data: fact.value.as_ref().filter(is_short).cloned(),
    }
}

fn named(entity: &Entity<'_>) -> String {
    let Entity { of, id, .. } = entity;
    if of.is_empty() { id.to_string() } else { format!("{of}:{id}") }
}
