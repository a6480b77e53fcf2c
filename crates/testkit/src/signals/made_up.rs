//! Made-up events about a few subjects, so that they meet: late ones, repeated ones, withdrawals and ties.

use std::sync::Arc;

use procura::ports::Statements;
use procura_core::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use procura_core::value::{Map, Value};

use crate::rng::Rng;

/// When the first event is received: 2026-11-22.
const BEGIN: i64 = 1_795_305_600;

/// How many principals, devices and sessions there are.
const OF_EACH_KIND: usize = 8;

/// Makes up events.
#[derive(Clone, Debug)]
pub struct MadeUp {
    rng: Rng,
    made: u64,
    /// Subjects are drawn from so many of each kind.
    entities: usize,
    /// Events that may come again.
    recent: Vec<Statements>,
}

impl MadeUp {
    /// Events that meet often.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::about(seed, OF_EACH_KIND)
    }

    /// Events about so many principals, devices and sessions.
    #[must_use]
    pub fn about(seed: u64, entities: usize) -> Self {
        Self { rng: Rng::new(seed), made: 0, entities, recent: Vec::new() }
    }

    /// The next event: now and then one that came before.
    pub fn event(&mut self) -> Statements {
        if !self.recent.is_empty() && self.rng.below(10) == 0 {
            let again = self.rng.below(self.recent.len());
            return self.recent[again].clone();
        }
        let event = self.fresh();
        if self.recent.len() < 64 {
            self.recent.push(event.clone());
        } else {
            let at = self.rng.below(self.recent.len());
            self.recent[at] = event.clone();
        }
        event
    }

    /// What can be presented: each kind at most once, of a few of each.
    pub fn presented(&mut self) -> Vec<Entity<'static>> {
        let mut entities: Vec<_> = [EntityKind::Principal, EntityKind::Session, EntityKind::Device]
            .into_iter()
            .filter(|_| self.rng.below(3) > 0)
            .collect::<Vec<_>>()
            .into_iter()
            .map(|kind| self.entity(kind))
            .collect();
        entities.push(Entity::within(EntityKind::Resource, "album", format!("r{}", self.rng.below(4))));
        entities
    }

    /// When the last event was received.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        at(BEGIN + i64::try_from(self.made).unwrap_or(i64::MAX), 0)
    }

    fn fresh(&mut self) -> Statements {
        self.made += 1;
        let source: Arc<str> = ["okta", "edr"][self.rng.below(2)].into();
        let id: Arc<str> = format!("jti-{:08}", self.made).into();
        let facts = (0..self.rng.below(4)).map(|_| self.fact(&source, &id)).collect();
        Statements { source, id, received: self.now(), facts }
    }

    fn fact(&mut self, source: &Arc<str>, id: &Arc<str>) -> Fact {
        let (name, slot) = [
            ("session-revoked", "session-revoked"),
            ("account-disabled", "account"),
            ("account-enabled", "account"),
            ("risk-level-change", "risk-level-change"),
        ][self.rng.below(4)];
        let now = self.now().as_second();
        Fact {
            subject: self.subject(),
            name: name.into(),
            slot: slot.into(),
            value: (self.rng.below(5) > 0).then(|| self.value()),
            source: Arc::clone(source),
            id: Arc::clone(id),
            at: at(now - self.rng.below(20) as i64, 500 * self.rng.below(2) as i32),
            received: self.now(),
            expires: (self.rng.below(4) == 0).then(|| at(now + self.rng.below(100) as i64, 0)),
            rank: self.rng.below(3) as u8,
        }
    }

    fn value(&mut self) -> Value<'static> {
        match self.rng.below(5) {
            0 => Value::Null,
            1 => Value::Number(self.rng.below(1000) as f64 / 7.0),
            2 => Value::List(vec![Value::Bool(true), Value::String("ü\n\"\u{1F600}".into())]),
            _ => {
                let level = Value::String(["LOW", "HIGH"][self.rng.below(2)].into());
                Value::Map(Map::from_entries(vec![("current_level".into(), level)]).unwrap())
            }
        }
    }

    fn subject(&mut self) -> Subject {
        let kinds: &[EntityKind] = match self.rng.below(6) {
            0 => &[EntityKind::Session],
            1 => &[EntityKind::Principal, EntityKind::Session],
            2 => &[EntityKind::Device, EntityKind::Principal],
            3 => &[EntityKind::Resource],
            _ => &[EntityKind::Principal],
        };
        Subject::new(kinds.iter().map(|kind| self.entity(*kind)).collect()).unwrap()
    }

    fn entity(&mut self, kind: EntityKind) -> Entity<'static> {
        let number = self.rng.below(self.entities);
        match kind {
            EntityKind::Resource => Entity::within(kind, "album", format!("r{}", number % 4)),
            _ => Entity::new(kind, format!("{}-{number}", kind.as_str())),
        }
    }
}

fn at(second: i64, nanosecond: i32) -> Timestamp {
    Timestamp::new(second, nanosecond).unwrap_or(Timestamp::UNIX_EPOCH)
}
