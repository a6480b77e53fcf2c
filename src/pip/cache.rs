//! Verified tokens, remembered: a token comes with many calls and its signature is the same in all of them.
//!
//! Only what was believed is kept, and it counts only while the keys are those that vouched for it and the instant is
//! one at which it is in force; otherwise the token is verified as if it came for the first time.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use procura_core::value::{Map, Value};

use super::claims::Period;
use crate::ports::{Token, VerifiedToken};

/// Most tokens of a generation; there are two.
const MAX_ENTRIES: usize = 5_000;

/// Most bytes of a generation.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Tokens that were believed, by their text. They are kept in two generations: what nobody asks for while the younger
/// one fills up goes with the older one.
#[derive(Default)]
pub(super) struct Cache(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
}

#[derive(Default)]
struct Generation {
    tokens: HashMap<Box<str>, Believed>,
    bytes: usize,
}

/// A token that was believed.
#[derive(Clone, Debug)]
pub(super) struct Believed {
    /// What it says.
    pub(super) told: VerifiedToken,
    /// When it is in force.
    pub(super) period: Period,
    /// Which keys vouched for it: the number of their set since the start.
    pub(super) keys: u64,
    /// The key set that the call named for it.
    pub(super) asked: Arc<str>,
}

impl Cache {
    /// What is remembered of `token`.
    pub(super) fn get(&self, token: &Token<'_>) -> Option<Believed> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.young.tokens.get(&*token.text) {
            return Some(found.clone()).filter(|found| *found.asked == *token.key_set);
        }
        let (text, found) = all.old.take(&token.text)?;
        let known = found.clone();
        all.put(text, found);
        Some(known).filter(|known| *known.asked == *token.key_set)
    }

    /// Remembers that `token` was believed.
    pub(super) fn put(&self, token: &Token<'_>, believed: Believed) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.old.take(&token.text);
        all.put((*token.text).into(), believed);
    }

    /// Forgets `token`.
    pub(super) fn forget(&self, token: &Token<'_>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.young.take(&token.text);
        all.old.take(&token.text);
    }
}

impl Generations {
    fn put(&mut self, text: Box<str>, believed: Believed) {
        self.young.take(&text);
        let bytes = weight(&text, &believed);
        if self.young.tokens.len() >= MAX_ENTRIES || self.young.bytes + bytes > MAX_BYTES {
            self.old = mem::take(&mut self.young);
        }
        self.young.bytes += bytes;
        self.young.tokens.insert(text, believed);
    }
}

impl Generation {
    fn take(&mut self, text: &str) -> Option<(Box<str>, Believed)> {
        let (text, believed) = self.tokens.remove_entry(text)?;
        self.bytes -= weight(&text, &believed);
        Some((text, believed))
    }
}

/// About how many bytes a token takes up here.
fn weight(text: &str, believed: &Believed) -> usize {
    size_of::<(Box<str>, Believed)>() + text.len() + believed.asked.len() + map_weight(&believed.told.claims)
}

fn map_weight(map: &Map<'_>) -> usize {
    map.iter().map(|(name, value)| size_of::<String>() + name.len() + value_weight(value)).sum()
}

fn value_weight(value: &Value<'_>) -> usize {
    size_of::<Value<'_>>()
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::List(items) => items.iter().map(value_weight).sum(),
            Value::Map(map) => map_weight(map),
        }
}

#[cfg(test)]
mod tests {
    use procura_core::model::Timestamp;

    use super::*;

    fn believed(claim: String) -> Believed {
        let mut claims = Map::default();
        claims.insert("a".into(), Value::String(claim.into()));
        let told = VerifiedToken { claims: Arc::new(claims), key_set: None, key: None, expires: None };
        let period = Period { begins: Timestamp::MIN, ends: None };
        Believed { told, period, keys: 0, asked: "".into() }
    }

    fn token(text: &str) -> Token<'_> {
        Token { text: text.into(), key_set: "".into() }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_asked_for_stays() {
        for (count, bytes, at_most) in [(4 * MAX_ENTRIES, 1, 2 * MAX_ENTRIES), (200, MAX_BYTES / 8, 16)] {
            let cache = Cache::default();
            cache.put(&token("often"), believed("often".into()));
            for i in 0..count {
                cache.put(&token(&i.to_string()), believed("x".repeat(bytes)));
                assert!(cache.get(&token("often")).is_some(), "{i}");
            }
            assert!(cache.get(&token("0")).is_none());
            assert!(cache.get(&token(&(count - 1).to_string())).is_some());
            let all = cache.0.lock().unwrap();
            assert!(all.young.tokens.len() + all.old.tokens.len() <= at_most);
            for generation in [&all.young, &all.old] {
                let bytes: usize = generation.tokens.iter().map(|(text, of)| weight(text, of)).sum();
                assert_eq!(generation.bytes, bytes);
                assert!(bytes <= MAX_BYTES);
            }
        }
    }

    #[test]
    fn token_that_another_key_set_was_named_for_is_not_remembered() {
        let cache = Cache::default();
        cache.put(&token("t"), Believed { asked: "a".into(), ..believed(String::new()) });
        assert!(cache.get(&token("t")).is_none());
        assert!(cache.get(&Token { key_set: "a".into(), ..token("t") }).is_some());
        cache.forget(&token("t"));
        assert!(cache.get(&Token { key_set: "a".into(), ..token("t") }).is_none());
    }
}
