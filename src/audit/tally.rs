//! Decisions that are being counted.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use procura_core::query::{Field, Row};

use super::filter::Matcher;
use crate::ports::{DecisionCounts, DecisionFilter, LogError};

/// Most groups: with the texts that they have, some ten megabytes.
const GROUPS: usize = 100_000;

/// Most decisions of a block of the index with the groups that they are in, which is more than any single field makes.
const PAIRS: usize = 16 * 1024 * 1024;

/// How long one request counts before it ends early, with a cursor.
const TALLY_TIME: Duration = Duration::from_secs(2);

pub(super) struct Tally<'f> {
    /// What is asked for.
    pub(super) filter: &'f DecisionFilter,
    /// The same, ready to be used.
    pub(super) matcher: Matcher,
    /// The fields by whose values it is counted.
    pub(super) by: &'f [Field],
    /// How many decisions match.
    pub(super) total: u64,
    groups: HashMap<Vec<Box<str>>, u64>,
    /// There were more combinations of values than can be held.
    is_beyond: bool,
    begun: Instant,
}

impl<'f> Tally<'f> {
    pub(super) fn new(filter: &'f DecisionFilter, by: &'f [Field]) -> Self {
        let (matcher, begun) = (Matcher::new(filter), Instant::now());
        Self { filter, matcher, by, total: 0, groups: HashMap::new(), is_beyond: false, begun }
    }

    /// Counts the decisions of a record that match.
    pub(super) fn add(&mut self, payload: &[u8]) {
        let Some(facts) = self.matcher.facts(payload) else { return };
        for row in facts.rows() {
            if self.matcher.condition.holds(&row) {
                self.total += 1;
                self.add_row(&row);
            }
        }
    }

    fn add_row(&mut self, row: &Row<'_, '_>) {
        let mut keys: Vec<Vec<Box<str>>> = vec![Vec::new()];
        for field in self.by {
            let mut longer = Vec::new();
            let mut seen: Vec<Box<str>> = Vec::new();
            row.any(*field, |value| {
                if !seen.iter().any(|earlier| **earlier == *value) {
                    seen.push(value.into());
                    let with_value = |key: &Vec<Box<str>>| [key.as_slice(), &[value.into()]].concat();
                    longer.extend(keys.iter().map(with_value));
                }
                longer.len() > GROUPS
            });
            if self.is_beyond(longer.len(), 0) {
                return;
            }
            keys = longer;
        }
        keys.into_iter().for_each(|key| self.add_group(key, 1));
    }

    /// Counts `count` more of a group.
    pub(super) fn add_group(&mut self, key: Vec<Box<str>>, count: u64) {
        if !self.by.is_empty() && !self.has_too_many() {
            *self.groups.entry(key).or_default() += count;
        }
    }

    /// Whether so many groups, or decisions with their groups, are more than can be held; then that is the answer.
    pub(super) fn is_beyond(&mut self, groups: usize, pairs: usize) -> bool {
        self.is_beyond |= groups > GROUPS || pairs > PAIRS;
        self.is_beyond
    }

    /// Whether to end here.
    pub(super) fn is_over(&self) -> bool {
        self.has_too_many() || self.begun.elapsed() >= TALLY_TIME
    }

    fn has_too_many(&self) -> bool {
        self.is_beyond || self.groups.len() > GROUPS
    }

    pub(super) fn done(self, next_before_seq: Option<u64>) -> Result<DecisionCounts, LogError> {
        if self.has_too_many() {
            return Err(LogError::TooManyGroups { limit: GROUPS });
        }
        let groups = self.groups.into_iter().collect::<BTreeMap<_, _>>();
        Ok(DecisionCounts { total: self.total, groups, next_before_seq })
    }
}
