//! What would become of the events that wait, before anything is written.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use procura_core::model::Fact;
use procura_core::signal::outweighs;

use super::Limits;
use super::compact::Texts;
use super::form::{EventForm, FactForm, Instant};
use super::held::Held;
use super::table::{Key, is_same_register};
use super::taken::{Name, name};
use crate::ports::{Applied, Statements, StoreError};

/// Bytes beyond which no further event joins a batch.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The events of one batch, as they follow what is held.
pub(super) struct Plan<'a> {
    held: &'a Held,
    limits: Limits,
    /// What takes a place, by the key that it is found by: the last one for each.
    facts: HashMap<Key, Vec<Arc<Fact>>>,
    /// How many of them take a place that nothing had, by their key and all together.
    fresh_at: HashMap<Key, usize>,
    fresh: usize,
    names: HashSet<(Arc<str>, Name)>,
    batch: Planned,
}

/// What is to be written and then to be held.
#[derive(Default)]
pub(super) struct Planned {
    pub(super) events: Vec<Event>,
    /// The payload of the frame.
    pub(super) payload: Vec<u8>,
    /// The last change once it is held.
    pub(super) seq: u64,
}

/// An event that will be taken, with those of its facts that are news.
pub(super) struct Event {
    pub(super) source: Arc<str>,
    pub(super) name: Name,
    pub(super) received: i64,
    pub(super) facts: Vec<Arc<Fact>>,
}

/// The facts of one event that are news, so far.
#[derive(Default)]
struct News {
    facts: Vec<(Key, Arc<Fact>)>,
    /// The keys of those that take a place that nothing had.
    fresh: Vec<Key>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(held: &'a Held, limits: Limits) -> Self {
        let seq = held.changes.last();
        let payload = format!("{{\"after\":{seq},\"events\":[").into_bytes();
        let batch = Planned { events: Vec::new(), payload, seq };
        Self {
            held,
            limits,
            facts: HashMap::new(),
            fresh_at: HashMap::new(),
            fresh: 0,
            names: HashSet::new(),
            batch,
        }
    }

    /// Whether no more events should join.
    pub(super) fn is_full(&self) -> bool {
        self.batch.payload.len() > BATCH_BYTES
    }

    /// Adds `event`; what becomes of it if the batch is written.
    pub(super) fn add(&mut self, event: &Statements, texts: &mut Texts) -> Result<Applied, StoreError> {
        let name = name(&event.id);
        let key = (Arc::clone(&event.source), name);
        if self.held.taken.contains(&event.source, name) || self.names.contains(&key) {
            return Ok(Applied::Repeated);
        }
        let news = self.news(event, texts)?;
        self.encode(event, &news).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        self.names.insert(key);
        self.fresh += news.fresh.len();
        for key in news.fresh {
            *self.fresh_at.entry(key).or_default() += 1;
        }
        let facts: Vec<_> = news.facts.iter().map(|(_, fact)| Arc::clone(fact)).collect();
        for (key, fact) in news.facts {
            let place = self.facts.entry(key).or_default();
            place.retain(|other| !is_same_register(other, &fact));
            place.push(fact);
        }
        let received = event.received.as_second();
        self.batch.seq += facts.len() as u64;
        let applied =
            if facts.is_empty() { Applied::Unchanged } else { Applied::Changed { seq: self.batch.seq } };
        let source = texts.one(&event.source);
        self.batch.events.push(Event { source, name, received, facts });
        Ok(applied)
    }

    /// What is to be written; nothing, if there are no events.
    pub(super) fn finish(mut self) -> Planned {
        self.batch.payload.extend_from_slice(b"]}");
        self.batch
    }

    /// The facts of `event` that outweigh what is held, and what is added before them.
    fn news(&self, event: &Statements, texts: &mut Texts) -> Result<News, StoreError> {
        let mut news = News::default();
        for fact in &event.facts {
            let key = self.held.table.key_of(&fact.subject);
            let held = self.in_place(&news, key, fact);
            if held.is_some_and(|held| !outweighs(fact, held)) {
                continue;
            }
            if held.is_none() {
                self.require_room(&news, key, fact)?;
                news.fresh.push(key);
            }
            news.facts.push((key, Arc::new(texts.compact(fact.clone()))));
        }
        Ok(news)
    }

    /// What is in the place of `fact` once everything before it is held.
    fn in_place<'b>(&'b self, news: &'b News, key: Key, fact: &Fact) -> Option<&'b Arc<Fact>> {
        let own = news.facts.iter().rev().map(|(_, held)| held);
        let earlier = self.facts.get(&key).into_iter().flatten();
        own.chain(earlier).find(|held| is_same_register(held, fact)).or_else(|| self.held.table.held(fact))
    }

    fn require_room(&self, news: &News, key: Key, fact: &Fact) -> Result<(), StoreError> {
        let Limits { facts: most, about_one, .. } = self.limits;
        if self.held.table.all() + self.fresh + news.fresh.len() >= most {
            return Err(StoreError::Full { limit: most });
        }
        let own = news.fresh.iter().filter(|fresh| **fresh == key).count();
        let earlier = self.fresh_at.get(&key).copied().unwrap_or(0);
        if self.held.table.beside(&fact.subject) + earlier + own >= about_one {
            return Err(StoreError::Crowded { limit: about_one });
        }
        Ok(())
    }

    fn encode(&mut self, event: &Statements, news: &News) -> io::Result<()> {
        let form = EventForm {
            source: (&*event.source).into(),
            id: (&*event.id).into(),
            received: Instant::of(event.received),
            facts: news.facts.iter().map(|(_, fact)| FactForm::of(fact)).collect(),
        };
        let text = serde_json::to_vec(&form)?;
        if text.len() > super::frame::PAYLOAD_BYTES / 2 {
            return Err(io::Error::other("it is too large"));
        }
        if !self.batch.events.is_empty() {
            self.batch.payload.push(b',');
        }
        self.batch.payload.extend(text);
        Ok(())
    }
}
