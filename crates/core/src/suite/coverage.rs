//! What the tests of a set cover: every rule applied at least once, every expression of a condition seen true and false.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::engine::Sightings;
use crate::policy::{Condition, Position, Snapshot};

/// What tests cover, file by file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// Rules that applied at least once.
    pub rules: Share,
    /// Outcomes of expressions in conditions: each can be true and false.
    pub conditions: Share,
    /// By file, those with rules or derived roles.
    pub files: Vec<FileCoverage>,
}

/// What tests cover of one policy file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileCoverage {
    /// Path of the file within the set.
    pub file: String,
    /// Its rules.
    pub rules: Share,
    /// The outcomes of its conditions.
    pub conditions: Share,
    /// What is not covered, in the order of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// How many are covered.
    pub covered: usize,
    /// How many there are.
    pub total: usize,
}

/// Something that no test has met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// Where it is.
    #[serde(serialize_with = "as_text")]
    pub position: Position,
    /// The rule or derived role it belongs to.
    pub of: String,
    /// The expression, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expr: Option<String>,
    /// What has not happened.
    pub missing: Missing,
}

/// What tests have not brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Missing {
    /// The rule was never asked: no test is about it.
    Asked,
    /// The rule was asked and never applied.
    Applied,
    /// The expression was never true.
    True,
    /// The expression was never false.
    False,
}

impl Coverage {
    /// What `sightings` cover of `snapshot`.
    pub(super) fn of(snapshot: &Snapshot, sightings: &Sightings) -> Self {
        let mut tally = Tally { sightings, files: BTreeMap::new(), derived_roles: BTreeSet::new() };
        for policy in snapshot.policies() {
            for role in &policy.derived_roles {
                // Several policies may import the same one.
                if let (true, Some(condition)) = (tally.derived_roles.insert(&role.position), &role.condition)
                {
                    tally.condition(condition, &role.name);
                }
            }
            for rule in &policy.rules {
                let missing = match sightings.of_rule(rule) {
                    Some(true) => None,
                    Some(false) => Some(Missing::Applied),
                    None => Some(Missing::Asked),
                };
                let gap = missing.map(|missing| Gap {
                    position: rule.position.clone(),
                    of: rule.name.to_string(),
                    expr: None,
                    missing,
                });
                tally.add(&rule.position, |file| &mut file.rules, gap);
                if let Some(condition) = &rule.condition {
                    tally.condition(condition, &rule.name);
                }
            }
        }
        tally.coverage()
    }

    /// Rules and conditions together, in percent, rounded down; 100 if there are none.
    #[must_use]
    pub fn percent(&self) -> usize {
        let (rules, conditions) = (self.rules, self.conditions);
        Share { covered: rules.covered + conditions.covered, total: rules.total + conditions.total }.percent()
    }
}

impl Share {
    /// In percent, rounded down; 100 of nothing.
    #[must_use]
    pub fn percent(self) -> usize {
        (self.covered * 100).checked_div(self.total).unwrap_or(100)
    }

    fn add(&mut self, other: Share) {
        self.covered += other.covered;
        self.total += other.total;
    }
}

struct Tally<'t> {
    sightings: &'t Sightings,
    files: BTreeMap<&'t str, FileCoverage>,
    derived_roles: BTreeSet<&'t Position>,
}

impl<'t> Tally<'t> {
    fn condition(&mut self, condition: &'t Condition, of: &str) {
        let program = match condition {
            Condition::Expr(program) => program,
            Condition::All(items) | Condition::Any(items) | Condition::None(items) => {
                items.iter().for_each(|item| self.condition(item, of));
                return;
            }
        };
        let met = self.sightings.of_condition(condition);
        for (is_met, missing) in [(met.true_once, Missing::True), (met.false_once, Missing::False)] {
            let gap = (!is_met).then(|| Gap {
                position: program.position.clone(),
                of: of.to_owned(),
                expr: Some(program.node.source().to_string()),
                missing,
            });
            self.add(&program.position, |file| &mut file.conditions, gap);
        }
    }

    /// Counts one thing, which is covered unless there is a gap.
    fn add(&mut self, at: &'t Position, share: impl Fn(&mut FileCoverage) -> &mut Share, gap: Option<Gap>) {
        let file = self.files.entry(&at.file).or_default();
        share(file).add(Share { covered: usize::from(gap.is_none()), total: 1 });
        file.gaps.extend(gap);
    }

    fn coverage(self) -> Coverage {
        let mut coverage = Coverage::default();
        for (path, mut file) in self.files {
            path.clone_into(&mut file.file);
            file.gaps.sort_by(|a, b| a.position.cmp(&b.position));
            coverage.rules.add(file.rules);
            coverage.conditions.add(file.conditions);
            coverage.files.push(file);
        }
        coverage
    }
}

fn as_text<S: serde::Serializer>(position: &Position, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(position)
}
