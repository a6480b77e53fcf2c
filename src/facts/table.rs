//! The facts in memory, found by what they are about.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::mem;
use std::sync::Arc;

use procura_core::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use procura_core::signal::outweighs;

/// Parts of the table, so that none is large: one grows, is swept or is copied while readers wait only that long.
const PARTS: usize = 256;

/// How long what is not true any more outweighs what comes late, in seconds after its instant: 30 days.
const OUTWEIGHS: i64 = 30 * 24 * 60 * 60;

/// What facts are found by: the entity of their subject that the fewest facts are about.
const MOST_SELECTIVE: [EntityKind; 8] = [
    EntityKind::Token,
    EntityKind::Session,
    EntityKind::Principal,
    EntityKind::Device,
    EntityKind::Resource,
    EntityKind::Application,
    EntityKind::Group,
    EntityKind::Tenant,
];

/// Every fact that is held, one for each subject, source and slot.
#[derive(Debug)]
pub(super) struct Table {
    parts: Box<[Part]>,
    /// Of the facts about several entities: the key of another entity, and the key that they are found by.
    beside: BTreeSet<(Key, Key)>,
    hasher: RandomState,
    /// Facts, also those that were withdrawn.
    all: usize,
    /// Facts that were not withdrawn.
    stated: usize,
}

/// The hash of an entity. Two that have the same share a place, and each look compares the entities themselves.
pub(super) type Key = u64;

type Part = HashMap<Key, Place, BuildHasherDefault<AsItIs>>;

/// The facts of one key.
#[derive(Debug)]
enum Place {
    One(Arc<Fact>),
    Many(Box<[Arc<Fact>]>),
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            parts: (0..PARTS).map(|_| Part::default()).collect(),
            beside: BTreeSet::new(),
            hasher: RandomState::new(),
            all: 0,
            stated: 0,
        }
    }

    /// How many facts there are, withdrawn or not.
    pub(super) fn all(&self) -> usize {
        self.all
    }

    /// How many facts there are that were not withdrawn.
    pub(super) fn stated(&self) -> usize {
        self.stated
    }

    /// The facts in force about nothing but what is presented.
    pub(super) fn about(&self, presented: &[Entity<'_>], now: Timestamp) -> Vec<Arc<Fact>> {
        let mut found = Vec::new();
        for entity in presented {
            let is_meant = |fact: &&Arc<Fact>| {
                fact.is_in_force(now)
                    && finder(&fact.subject) == Some(entity)
                    && fact.subject.is_presented(presented)
            };
            found.extend(self.at(self.key(entity)).iter().filter(is_meant).cloned());
        }
        found
    }

    /// The fact in the place of `fact`.
    pub(super) fn held(&self, fact: &Fact) -> Option<&Arc<Fact>> {
        self.at(self.key_of(&fact.subject)).iter().find(|held| is_same_register(held, fact))
    }

    /// How many facts are found by the same entity as this subject.
    pub(super) fn beside(&self, subject: &Subject) -> usize {
        self.at(self.key_of(subject)).iter().filter(|held| finder(&held.subject) == finder(subject)).count()
    }

    /// Holds `fact`, unless what is held in its place outweighs it.
    pub(super) fn put(&mut self, fact: Arc<Fact>) {
        let key = self.key_of(&fact.subject);
        let others = self.other_keys(&fact.subject);
        self.stated += usize::from(fact.value.is_some());
        let Some(part) = part_mut(&mut self.parts, key) else { return };
        let Some(place) = part.get_mut(&key) else {
            part.insert(key, Place::One(fact));
            self.all += 1;
            self.beside.extend(others.map(|other| (other, key)));
            return;
        };
        match place.facts_mut().iter_mut().find(|held| is_same_register(held, &fact)) {
            Some(held) => {
                let outweighed = if outweighs(&fact, held) { mem::replace(held, fact) } else { fact };
                self.stated -= usize::from(outweighed.value.is_some());
            }
            None => {
                place.push(fact);
                self.all += 1;
                self.beside.extend(others.map(|other| (other, key)));
            }
        }
    }

    /// How many parts there are.
    pub(super) const fn parts() -> usize {
        PARTS
    }

    /// The facts of one part.
    pub(super) fn part(&self, part: usize) -> Vec<Arc<Fact>> {
        self.parts.get(part).into_iter().flat_map(HashMap::values).flat_map(Place::facts).cloned().collect()
    }

    /// Drops the facts of a part that are not true any more, and were not for so long that they need outweigh nothing.
    pub(super) fn sweep(&mut self, part: usize, now: Timestamp) {
        let Some(swept) = self.parts.get_mut(part) else { return };
        let (all, stated) = (&mut self.all, &mut self.stated);
        swept.retain(|_, place| {
            if !place.facts().iter().any(|fact| is_past(fact, now)) {
                return true;
            }
            let (gone, kept): (Vec<_>, Vec<_>) =
                place.facts().iter().cloned().partition(|fact| is_past(fact, now));
            *all -= gone.len();
            *stated -= gone.iter().filter(|fact| fact.value.is_some()).count();
            let is_kept = !kept.is_empty();
            *place = Place::Many(kept.into());
            is_kept
        });
    }

    /// Drops what leads from other entities to places that are empty.
    pub(super) fn sweep_beside(&mut self) {
        let parts = &self.parts;
        self.beside.retain(|(_, key)| part(parts, *key).is_some_and(|part| part.contains_key(key)));
    }

    /// The facts of at most `most` places that are about something with `entity` in it; where to go on, if there are more.
    pub(super) fn of(
        &self,
        entity: &Entity<'_>,
        after: Option<Key>,
        most: usize,
    ) -> (Vec<Arc<Fact>>, Option<Key>) {
        let key = self.key(entity);
        let first = after.map_or(Some(Key::MIN), |after| after.checked_add(1));
        let places: Vec<Key> = first
            .map(|first| {
                self.beside.range((key, first)..=(key, Key::MAX)).take(most).map(|(_, place)| *place)
            })
            .into_iter()
            .flatten()
            .collect();
        let next = places.last().copied().filter(|_| places.len() == most);
        let own = after.is_none().then_some(key);
        let is_meant = |fact: &&Arc<Fact>| fact.value.is_some() && fact.subject.entities().contains(entity);
        let found = own.into_iter().chain(places).flat_map(|place| self.at(place)).filter(is_meant).cloned();
        (found.collect(), next)
    }

    fn at(&self, key: Key) -> &[Arc<Fact>] {
        part(&self.parts, key).and_then(|part| part.get(&key)).map_or(&[], Place::facts)
    }

    fn key(&self, entity: &Entity<'_>) -> Key {
        self.hasher.hash_one(entity)
    }

    /// The key that facts about this subject are found by.
    pub(super) fn key_of(&self, subject: &Subject) -> Key {
        finder(subject).map_or(0, |entity| self.key(entity))
    }

    fn other_keys(&self, subject: &Subject) -> impl Iterator<Item = Key> + use<> {
        let found_by = finder(subject);
        let others = subject.entities().iter().filter(|entity| Some(*entity) != found_by);
        others.map(|entity| self.key(entity)).collect::<Vec<_>>().into_iter()
    }
}

impl Place {
    fn facts(&self) -> &[Arc<Fact>] {
        match self {
            Self::One(fact) => std::slice::from_ref(fact),
            Self::Many(facts) => facts,
        }
    }

    fn facts_mut(&mut self) -> &mut [Arc<Fact>] {
        match self {
            Self::One(fact) => std::slice::from_mut(fact),
            Self::Many(facts) => facts,
        }
    }

    fn push(&mut self, fact: Arc<Fact>) {
        let facts = self.facts().iter().cloned().chain([fact]).collect();
        *self = Self::Many(facts);
    }
}

/// Whether one of the two takes the place of the other.
pub(super) fn is_same_register(one: &Fact, other: &Fact) -> bool {
    one.slot == other.slot && one.source == other.source && one.subject == other.subject
}

/// The entity that facts about this subject are found by.
fn finder(subject: &Subject) -> Option<&Entity<'static>> {
    MOST_SELECTIVE.iter().find_map(|kind| subject.get(*kind))
}

/// Whether `fact` is true no more, and that for so long that nothing comes which it would outweigh.
fn is_past(fact: &Fact, now: Timestamp) -> bool {
    !fact.is_in_force(now) && now.as_second() - fact.at.as_second() > OUTWEIGHS
}

fn part(parts: &[Part], key: Key) -> Option<&Part> {
    parts.get(part_index(key))
}

fn part_mut(parts: &mut [Part], key: Key) -> Option<&mut Part> {
    parts.get_mut(part_index(key))
}

/// Neither the highest nor the lowest bits: those are what the maps themselves go by.
#[expect(clippy::cast_possible_truncation, reason = "a byte")]
const fn part_index(key: Key) -> usize {
    (key >> 40) as u8 as usize
}

/// Keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
