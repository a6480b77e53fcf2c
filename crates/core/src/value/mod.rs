//! Attribute values: what a request carries, what conditions read, what a record keeps.
//!
//! A value borrows its strings from the request bytes where it can, so a request is parsed once and never
//! copied on its way to the evaluator.

mod hex;
mod json;
pub mod text;

pub use hex::hex;

use std::borrow::Cow;
use std::cmp::Ordering;

/// Up to so many entries, a look at each of them finds a key sooner than a binary search.
const SCANNED: usize = 16;

/// A JSON-shaped value.
/// All numbers are doubles, as in the `google.protobuf.Value` that policy authors know.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// JSON `null`.
    Null,
    /// JSON `true` or `false`.
    Bool(bool),
    /// Any JSON number; always finite.
    Number(f64),
    /// A string, borrowed from the request where it holds no escapes.
    String(Cow<'a, str>),
    /// A list.
    List(Vec<Value<'a>>),
    /// A map with string keys.
    Map(Map<'a>),
}

/// A map with unique string keys, kept sorted: the order of the source is never visible to a decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map<'a> {
    entries: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl Value<'_> {
    /// The same value, owning all its strings.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(b) => Value::Bool(b),
            Value::Number(n) => Value::Number(n),
            Value::String(s) => Value::String(Cow::Owned(s.into_owned())),
            Value::List(items) => Value::List(items.into_iter().map(Value::into_owned).collect()),
            Value::Map(map) => Value::Map(map.into_owned()),
        }
    }
}

impl<'a> Map<'a> {
    /// A map of `entries`; `Err` holds the first key that occurs twice.
    pub fn from_entries(mut entries: Vec<(Cow<'a, str>, Value<'a>)>) -> Result<Self, String> {
        if entries.is_sorted_by(|a, b| order(&a.0, &b.0).is_lt()) {
            return Ok(Self { entries });
        }
        entries.sort_unstable_by(|a, b| order(&a.0, &b.0));
        match entries.iter().zip(entries.iter().skip(1)).find(|(a, b)| a.0 == b.0) {
            Some((twice, _)) => Err(twice.0.clone().into_owned()),
            None => Ok(Self { entries }),
        }
    }

    /// The value under `key`.
    #[inline]
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        if self.entries.len() > SCANNED {
            let at = self.entries.binary_search_by(|(k, _)| order(k, key)).ok()?;
            return self.entries.get(at).map(|(_, v)| v);
        }
        self.entries.iter().find(|(k, _)| same(k, key)).map(|(_, v)| v)
    }

    /// Puts `value` under `key`, in the place of what was there.
    pub fn insert(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        match self.entries.binary_search_by(|(k, _)| order(k, &key)) {
            Ok(at) => self.entries.splice(at..=at, [(key, value)]).for_each(drop),
            Err(at) => self.entries.insert(at, (key, value)),
        }
    }

    /// Takes the value under `key` out of the map.
    pub fn remove(&mut self, key: &str) -> Option<Value<'a>> {
        let at = self.entries.binary_search_by(|(k, _)| order(k, key)).ok()?;
        Some(self.entries.remove(at).1)
    }

    /// The entries themselves, in the order of their keys.
    pub fn into_entries(self) -> impl ExactSizeIterator<Item = (Cow<'a, str>, Value<'a>)> {
        self.entries.into_iter()
    }

    /// The entries, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'a>)> {
        self.entries.iter().map(|(k, v)| (k.as_ref(), v))
    }

    /// Key and value at `index`, in the order of the keys.
    #[must_use]
    pub fn entry(&self, index: usize) -> Option<(&str, &Value<'a>)> {
        self.entries.get(index).map(|(k, v)| (k.as_ref(), v))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The same map, owning all its strings.
    #[must_use]
    pub fn into_owned(self) -> Map<'static> {
        let owned = self.entries.into_iter().map(|(k, v)| (Cow::Owned(k.into_owned()), v.into_owned()));
        Map { entries: owned.collect() }
    }
}

/// The order of keys, which is that of their bytes. The first byte tells mostly, without a call.
fn order(a: &str, b: &str) -> Ordering {
    let (first, second) = (a.as_bytes().first(), b.as_bytes().first());
    if first == second { a.cmp(b) } else { first.cmp(&second) }
}

/// Whether the keys are equal. Length and first byte tell mostly, without a call.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.as_bytes().first() == b.as_bytes().first() && a == b
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entries(keys: &[String]) -> Vec<(Cow<'_, str>, Value<'_>)> {
        let entry = |(n, key): (usize, &String)| (Cow::Owned(key.clone()), Value::Number(n as f64));
        keys.iter().enumerate().map(entry).collect()
    }

    proptest! {
        #[test]
        fn map_is_what_a_sorted_map_is(keys in prop::collection::vec("[ab]{0,3}", 0..2 * SCANNED), more in "[ab]{0,3}") {
            let expected: BTreeMap<_, _> = entries(&keys).into_iter().collect();
            match Map::from_entries(entries(&keys)) {
                Err(twice) => prop_assert!(keys.iter().filter(|key| **key == twice).count() > 1),
                Ok(map) => {
                    prop_assert_eq!(expected.len(), keys.len());
                    prop_assert!(map.iter().eq(expected.iter().map(|(key, value)| (&**key, value))));
                    for key in keys.iter().chain([&more]) {
                        prop_assert_eq!(map.get(key), expected.get(&**key));
                    }
                }
            }
        }
    }
}
