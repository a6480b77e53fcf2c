//! What replaying many calls comes to: how many decisions would change, grouped by the rules behind them.

use std::collections::BTreeMap;

use super::{Aspect, Change, Unreplayable, Weight, changes};
use crate::record::{DecisionRecord, ResultRecord, Verdict, sentence};

/// Most groups that a report tells apart; what comes later is counted together.
const GROUPS: usize = 1000;

/// Most revisions and engine versions that a report names.
const NAMES: usize = 1000;

/// Examples of each group: the first calls of the log.
const EXAMPLES: usize = 3;

/// What replaying calls came to. Calls may be added in any order and reports joined: the outcome is the same as long
/// as there are at most a thousand groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Calls that were decided again and compared.
    pub calls: u64,
    /// Their decisions.
    pub decisions: u64,
    /// Calls of which some decision changes.
    pub changed_calls: u64,
    /// Decisions that change, by how much.
    pub changed: BTreeMap<Weight, u64>,
    /// Calls that cannot be compared, because something in their records is masked.
    pub partial: u64,
    /// Records that cannot be decided again though nothing is masked in them.
    pub unreplayable: u64,
    /// The first of these, by its place in the log, and why.
    pub first_unreplayable: Option<(u64, String)>,
    /// Calls whose policy set could not be had, by its revision.
    pub missing: BTreeMap<String, u64>,
    /// Compared calls that another version of the engine has decided, by version.
    pub other_engines: BTreeMap<String, u64>,
    /// The changes.
    pub groups: BTreeMap<(Verdict, Verdict, Vec<Aspect>), Group>,
    /// Changes that found no room in the groups.
    pub ungrouped: u64,
}

/// Decisions that change alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// A decision that changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Example {
    /// The place of its record in the log.
    pub seq: u64,
    /// `<call id>/<n>`.
    pub decision: String,
    /// What happened, as a sentence.
    pub before: String,
    /// What would happen.
    pub after: String,
}

impl Report {
    /// Takes up the call of `record`, number `seq` of the log, which was decided as `before` and is now as `after`.
    /// Changes that weigh less than `least` are not looked at. How many weigh as much.
    pub fn add<'a>(
        &mut self,
        seq: u64,
        record: &DecisionRecord<'a>,
        (before, after): (&[ResultRecord<'a>], &[ResultRecord<'a>]),
        least: Weight,
    ) -> u64 {
        self.calls += 1;
        self.decisions += record.decisions_of(before).count() as u64;
        let mut found = 0;
        for change in changes(record, before, after).filter(|change| change.weight() >= least) {
            found += 1;
            *self.changed.entry(change.weight()).or_default() += 1;
            self.group(seq, record, change);
        }
        self.changed_calls += u64::from(found > 0);
        found
    }

    /// Counts record `seq`, which cannot be decided again.
    pub fn add_unreplayable(&mut self, seq: u64, why: &Unreplayable) {
        self.unreplayable += 1;
        self.keep_first(Some((seq, why.to_string())));
    }

    /// Counts a record that cannot even be read.
    pub fn add_unreadable(&mut self, seq: u64, why: String) {
        self.unreplayable += 1;
        self.keep_first(Some((seq, why)));
    }

    /// Counts a call whose policy set, of this revision, could not be had.
    pub fn add_missing(&mut self, revision: &str) {
        count(&mut self.missing, revision);
    }

    /// Counts a compared call that another version of the engine has decided.
    pub fn add_other_engine(&mut self, version: &str) {
        count(&mut self.other_engines, version);
    }

    /// How many decisions change.
    #[must_use]
    pub fn changed_decisions(&self) -> u64 {
        self.changed.values().sum()
    }

    /// Adds what `other` found about other calls.
    pub fn join(&mut self, other: Self) {
        self.calls += other.calls;
        self.decisions += other.decisions;
        self.changed_calls += other.changed_calls;
        self.partial += other.partial;
        self.unreplayable += other.unreplayable;
        self.ungrouped += other.ungrouped;
        self.keep_first(other.first_unreplayable);
        for (weight, count) in other.changed {
            *self.changed.entry(weight).or_default() += count;
        }
        for (names, others) in
            [(&mut self.missing, other.missing), (&mut self.other_engines, other.other_engines)]
        {
            for (name, count) in others {
                *names.entry(name).or_default() += count;
            }
        }
        for (key, group) in other.groups {
            self.groups.entry(key).or_default().join(group);
        }
    }

    fn group(&mut self, seq: u64, record: &DecisionRecord<'_>, change: Change<'_, '_>) {
        let key = (Verdict::of(&change.before), Verdict::of(&change.after), change.differs);
        if self.groups.len() >= GROUPS && !self.groups.contains_key(&key) {
            self.ungrouped += 1;
            return;
        }
        let example = || Example {
            seq,
            decision: short(&change.before.id.to_string()),
            before: short(&sentence(record, &change.before)),
            after: short(&sentence(record, &change.after)),
        };
        self.groups.entry(key).or_default().add(seq, example);
    }

    fn keep_first(&mut self, other: Option<(u64, String)>) {
        let both = self.first_unreplayable.take().into_iter().chain(other);
        self.first_unreplayable = both.min();
    }
}

impl Group {
    fn add(&mut self, seq: u64, example: impl FnOnce() -> Example) {
        self.count += 1;
        if self.examples.len() < EXAMPLES || self.examples.last().is_some_and(|last| seq < last.seq) {
            self.examples.push(example());
            self.shorten();
        }
    }

    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.examples.extend(other.examples);
        self.shorten();
    }

    fn shorten(&mut self) {
        self.examples.sort();
        self.examples.truncate(EXAMPLES);
    }
}

/// Sentences contain names from requests, which may be long.
fn short(sentence: &str) -> String {
    const CHARS: usize = 1000;
    sentence.chars().take(CHARS).collect()
}

/// Counts one more of `name`. Names come from records: beyond a number that no honest log reaches they are counted as
/// one.
fn count(names: &mut BTreeMap<String, u64>, name: &str) {
    let known = names.len() < NAMES || names.contains_key(name);
    let name: String = if known { name.chars().take(100).collect() } else { "others".to_owned() };
    *names.entry(name).or_default() += 1;
}
