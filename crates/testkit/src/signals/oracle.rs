//! The plain reading of what events come to, and whether a store says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::ensure;
use procura::ports::{Applied, Change, FactStore, Statements};
use procura_core::model::{Entity, EntityKind, Fact, Subject, Timestamp};

/// What is held, in the plainest form.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    registers: BTreeMap<(Subject, Arc<str>, Arc<str>), Fact>,
    taken: BTreeSet<(Arc<str>, Arc<str>)>,
    changes: Vec<Change>,
}

impl Oracle {
    /// What becomes of `event`.
    pub fn apply(&mut self, event: &Statements) -> Applied {
        if !self.taken.insert((Arc::clone(&event.source), Arc::clone(&event.id))) {
            return Applied::Repeated;
        }
        let before = self.changes.len();
        for fact in &event.facts {
            let key = (fact.subject.clone(), Arc::clone(&fact.source), Arc::clone(&fact.slot));
            let weight = |fact: &Fact| (fact.at, fact.rank, fact.id.to_string());
            if self.registers.get(&key).is_none_or(|held| weight(fact) > weight(held)) {
                self.registers.insert(key, fact.clone());
                self.changes.push(Change {
                    seq: self.changes.len() as u64 + 1,
                    subject: fact.subject.clone(),
                    name: fact.name.clone(),
                    source: fact.source.clone(),
                    at: fact.at,
                });
            }
        }
        if self.changes.len() > before {
            Applied::Changed { seq: self.last_change() }
        } else {
            Applied::Unchanged
        }
    }

    /// The number of the last change.
    #[must_use]
    pub fn last_change(&self) -> u64 {
        self.changes.len() as u64
    }

    /// How many events were taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.len()
    }

    /// Fails unless `store` holds exactly this: facts, changes and names of events.
    pub fn compare(&self, store: &dyn FactStore) -> anyhow::Result<()> {
        let last = self.last_change();
        ensure!(store.last_change() == last, "change {} is the last, not {last}", store.last_change());
        let stated = self.registers.values().filter(|fact| fact.value.is_some()).count();
        ensure!(store.count() == stated, "{} facts, not {stated}", store.count());
        let mut about: BTreeMap<&Entity<'_>, Vec<&Fact>> = BTreeMap::new();
        for fact in self.registers.values() {
            for entity in fact.subject.entities() {
                about.entry(entity).or_default().extend(fact.value.is_some().then_some(fact));
            }
        }
        for (entity, expected) in about {
            ensure!(sorted(&store.of(entity)) == sorted(expected), "other facts about {entity:?}");
        }
        ensure!(self.taken.iter().all(|(source, id)| store.has_taken(source, id)), "an event is forgotten");
        for after in [last.saturating_sub(1), last.saturating_sub(40), 0] {
            let Some(changes) = store.changes_after(after, 30) else { continue };
            let expected = self.changes.iter().filter(|change| change.seq > after).take(30);
            ensure!(changes.iter().eq(expected), "other changes after {after}");
        }
        Ok(())
    }

    /// Fails unless `store` says the same about what is presented.
    pub fn compare_about(
        &self,
        store: &dyn FactStore,
        presented: &[Entity<'_>],
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let meant = |fact: &&Fact| fact.is_in_force(now) && fact.subject.is_presented(presented);
        let expected = self.registers.values().filter(meant);
        ensure!(
            sorted(&store.about(presented, now)) == sorted(expected),
            "other facts for whoever presents {presented:?}"
        );
        Ok(())
    }
}

/// Everything in a fact.
fn sorted<'a, F: std::borrow::Borrow<Fact> + 'a>(facts: impl IntoIterator<Item = &'a F>) -> Vec<String> {
    let mut facts: Vec<_> = facts.into_iter().map(|fact| format!("{:?}", fact.borrow())).collect();
    facts.sort_unstable();
    facts
}

/// A fact about somebody, for tests that look at one thing.
#[must_use]
pub fn fact_about(principal: &str, name: &str, at: Timestamp) -> Fact {
    Fact {
        subject: Subject::new(vec![Entity::new(EntityKind::Principal, principal.to_owned())]).unwrap(),
        name: name.into(),
        slot: name.into(),
        value: Some(procura_core::value::Value::Bool(true)),
        source: "okta".into(),
        id: name.into(),
        at,
        received: at,
        expires: None,
        rank: 0,
    }
}
