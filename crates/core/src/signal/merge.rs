//! Which of two facts is held. The order in which they come never matters.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Fact, Subject};

/// Whether `new` takes the place of `held`, a fact of the same subject, source and slot: the later counts, of two of one
/// instant that of the greater rank, and of two of one rank that of the greater id. An event that comes twice changes
/// nothing.
#[must_use]
pub fn outweighs(new: &Fact, held: &Fact) -> bool {
    (new.at, new.rank, &new.id) > (held.at, held.rank, &held.id)
}

/// Facts in the plainest form: one for each subject, source and slot, also those that were withdrawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registers(BTreeMap<(Subject, Arc<str>, Arc<str>), Fact>);

impl Registers {
    /// Takes `fact`, if it outweighs what is held in its place; whether it does.
    pub fn take(&mut self, fact: Fact) -> bool {
        let key = (fact.subject.clone(), Arc::clone(&fact.source), Arc::clone(&fact.slot));
        let is_new = self.0.get(&key).is_none_or(|held| outweighs(&fact, held));
        if is_new {
            self.0.insert(key, fact);
        }
        is_new
    }

    /// What is held, by subject, source and slot.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.0.values()
    }
}
