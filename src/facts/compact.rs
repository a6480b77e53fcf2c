//! Facts in as little memory as they need: texts that many have are kept once, and no room is left for more.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use procura_core::model::Fact;
use procura_core::value::{Map, Value};

/// The texts that many facts have: names, slots and sources.
#[derive(Debug, Default)]
pub(super) struct Texts {
    known: HashSet<Arc<str>>,
    /// The name of the event that was last asked for.
    last_id: Option<Arc<str>>,
}

impl Texts {
    /// The same fact in less memory.
    pub(super) fn compact(&mut self, fact: Fact) -> Fact {
        Fact {
            name: self.one(&fact.name),
            slot: self.one(&fact.slot),
            source: self.one(&fact.source),
            id: self.id(&fact.id),
            value: fact.value.as_ref().map(compact),
            ..fact
        }
    }

    /// The one text that says this.
    pub(super) fn one(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.known.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.known.insert(Arc::clone(&new));
        new
    }

    /// Forgets what no fact has any more.
    pub(super) fn sweep(&mut self) {
        self.known.retain(|text| Arc::strong_count(text) > 1);
    }

    /// The facts of one event come one after the other.
    pub(super) fn id(&mut self, id: &str) -> Arc<str> {
        if let Some(last) = self.last_id.as_ref().filter(|last| ***last == *id) {
            return Arc::clone(last);
        }
        let new: Arc<str> = id.into();
        self.last_id = Some(Arc::clone(&new));
        new
    }
}

/// The same value, owning its texts, without room for more.
pub(super) fn compact(value: &Value<'_>) -> Value<'static> {
    match value {
        Value::Null => Value::Null,
        Value::Bool(truth) => Value::Bool(*truth),
        Value::Number(number) => Value::Number(*number),
        Value::String(text) => Value::String(owned(text)),
        Value::List(items) => {
            let mut compacted = Vec::with_capacity(items.len());
            compacted.extend(items.iter().map(compact));
            Value::List(compacted)
        }
        Value::Map(map) => {
            let mut entries = Vec::with_capacity(map.len());
            entries.extend(map.iter().map(|(key, value)| (owned(key), compact(value))));
            // Its keys are unique.
            Value::Map(Map::from_entries(entries).unwrap_or_default())
        }
    }
}

fn owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}
