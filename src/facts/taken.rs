//! The names of the events that were taken, so that none is taken twice: those of seven days, as many as there is room for.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use procura_core::model::Timestamp;
use sha2::{Digest, Sha256};

/// How long a name is kept, in seconds: longer than any transmitter tries again.
const KEPT: i64 = 7 * 24 * 60 * 60;

/// What is kept of a name: the beginning of its SHA-256.
pub(super) type Name = u128;

/// The names, by source.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    sources: BTreeMap<Arc<str>, Source>,
    /// Most names of one source.
    most: usize,
}

#[derive(Clone, Debug, Default)]
struct Source {
    known: HashSet<Name>,
    /// In the order in which they came, each with the second in which it was received.
    order: VecDeque<(Name, i64)>,
}

/// What is kept of the name of an event.
pub(super) fn name(id: &str) -> Name {
    let digest = Sha256::digest(id);
    digest.first_chunk().map_or(0, |first| Name::from_be_bytes(*first))
}

impl Taken {
    pub(super) fn new(most: usize) -> Self {
        Self { sources: BTreeMap::new(), most }
    }

    pub(super) fn contains(&self, source: &str, name: Name) -> bool {
        self.sources.get(source).is_some_and(|source| source.known.contains(&name))
    }

    /// Keeps `name`, and forgets what is too old or too much.
    pub(super) fn insert(&mut self, source: &Arc<str>, name: Name, received: i64) {
        if !self.sources.contains_key(source) {
            self.sources.insert(Arc::clone(source), Source::default());
        }
        let Some(source) = self.sources.get_mut(source) else { return };
        if source.known.insert(name) {
            source.order.push_back((name, received));
        }
        let most = self.most;
        let is_over = |source: &Source| {
            let is_old =
                source.order.front().is_some_and(|(_, first)| received.saturating_sub(*first) > KEPT);
            is_old || source.order.len() > most
        };
        while is_over(source) {
            if let Some((name, _)) = source.order.pop_front() {
                source.known.remove(&name);
            }
        }
    }

    /// Every name with its source and when it was received, those of one source oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &VecDeque<(Name, i64)>)> {
        self.sources.iter().map(|(name, source)| (name, &source.order))
    }

    /// Forgets the names that are too old at `now`, and sources of which there are none any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        for source in self.sources.values_mut() {
            while source.order.front().is_some_and(|(_, first)| now.as_second() - first > KEPT) {
                if let Some((name, _)) = source.order.pop_front() {
                    source.known.remove(&name);
                }
            }
        }
        self.sources.retain(|_, source| !source.order.is_empty());
    }
}
