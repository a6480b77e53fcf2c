//! What goes over the wire of a poll (RFC 8936, section 2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, json};

use super::ask::object;
use crate::ports::SetFault;

/// Most events that are looked at in one answer, whatever was asked for.
const MAX_SETS: usize = 1000;

/// Events by their `jti`, in the order of the answer. What is no text stands for no event.
type Sets = Vec<(String, Option<String>)>;

/// An answer. Only an object is one.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The events.
    pub(super) sets: Sets,
    /// Whether there are more.
    pub(super) more: bool,
}

/// What the transmitter is told with the next request.
#[derive(Debug, Default)]
pub(super) struct Owed {
    taken: BTreeSet<String>,
    refused: BTreeMap<String, (SetFault, String)>,
}

impl Owed {
    /// The event is on disk and in effect.
    pub(super) fn take(&mut self, jti: String) {
        self.taken.insert(jti);
    }

    /// The event is none that is ever taken.
    pub(super) fn refuse(&mut self, jti: String, fault: SetFault, reason: String) {
        self.refused.insert(jti, (fault, reason));
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty() && self.refused.is_empty()
    }

    /// Whether this event is among those that are told of.
    pub(super) fn holds(&self, jti: &str) -> bool {
        self.taken.contains(jti) || self.refused.contains_key(jti)
    }

    /// The request that tells all this and asks for at most `most` events: at once those that there are, or the next ones.
    pub(super) fn request(&self, most: usize, at_once: bool) -> Value {
        let taken = || self.taken.iter().map(String::as_str).collect();
        let error =
            |(fault, reason): &(SetFault, String)| json!({"err": fault.code(), "description": reason});
        let errors = || self.refused.iter().map(|(jti, refused)| (jti.clone(), error(refused))).collect();
        object([
            ("maxEvents", Some(most.into())),
            ("returnImmediately", Some(at_once.into())),
            ("ack", (!self.taken.is_empty()).then(taken)),
            ("setErrs", (!self.refused.is_empty()).then(errors)),
        ])
    }
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BatchVisitor)
    }
}

struct BatchVisitor;

impl<'de> Visitor<'de> for BatchVisitor {
    type Value = Batch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer with events")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Batch, A::Error> {
        let mut batch = Batch::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "sets" => batch.sets = map.next_value_seed(SetsVisitor)?,
                "moreAvailable" => batch.more = map.next_value()?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(batch)
    }
}

struct SetsVisitor;

impl<'de> DeserializeSeed<'de> for SetsVisitor {
    type Value = Sets;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Sets, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for SetsVisitor {
    type Value = Sets;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("events by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sets, A::Error> {
        let mut sets = Vec::new();
        while sets.len() < MAX_SETS {
            let Some((jti, set)) = map.next_entry::<String, Value>()? else { return Ok(sets) };
            let set = if let Value::String(set) = set { Some(set) } else { None };
            sets.push((jti, set));
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(sets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_in_order_and_what_is_no_text_is_no_event() {
        let batch: Batch =
            serde_json::from_str(r#"{"sets": {"b": "2", "a": 1}, "moreAvailable": true}"#).unwrap();
        assert_eq!(batch.sets, [("b".to_owned(), Some("2".to_owned())), ("a".to_owned(), None)]);
        assert!(batch.more);
        let empty: Batch = serde_json::from_str("{}").unwrap();
        assert!(empty.sets.is_empty() && !empty.more);
        for text in ["[]", r#"{"sets": []}"#, r#"{"sets": {"a": "b"}, "moreAvailable": 1}"#, "1", ""] {
            assert!(serde_json::from_str::<Batch>(text).is_err(), "{text}");
        }
        let many: serde_json::Map<_, _> = (0..2000).map(|i| (i.to_string(), Value::from("x"))).collect();
        let many: Batch = serde_json::from_value(json!({"sets": many})).unwrap();
        assert_eq!(many.sets.len(), MAX_SETS);
    }

    #[test]
    fn requests_tell_what_was_taken_and_what_was_refused() {
        let mut owed = Owed::default();
        assert_eq!(owed.request(7, false), json!({"maxEvents": 7, "returnImmediately": false}));
        owed.take("a".to_owned());
        owed.refuse("b".to_owned(), SetFault::InvalidKey, "no key".to_owned());
        let errors = json!({"b": {"err": "invalid_key", "description": "no key"}});
        let expected = json!({"maxEvents": 0, "returnImmediately": true, "ack": ["a"], "setErrs": errors});
        assert_eq!(owed.request(0, true), expected);
    }
}
