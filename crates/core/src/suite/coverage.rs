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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Settings;
    use crate::policy::{SourceFile, compile};
    use crate::suite::{Filter, run_covered};

    const POLICIES: [(&str, &str); 4] = [
        (
            "roles.yaml",
            "derivedRoles: {name: all, definitions: [{name: owner, parentRoles: [user], condition: {match: {expr: R.id == P.id}}}]}",
        ),
        (
            "doc.yaml",
            "resourcePolicy: {resource: doc, version: default, importDerivedRoles: [all], rules: [
               {name: own, actions: [view, edit], derivedRoles: [owner], effect: EFFECT_ALLOW},
               {name: never, actions: [edit], roles: [user], effect: EFFECT_DENY, condition: {match: {none: {of: [{expr: 'R.attr.on'}]}}}}]}",
        ),
        (
            "ada.yaml",
            "principalPolicy: {principal: ada, version: default, rules: [{resource: doc, actions: [{name: allowed, action: print, effect: EFFECT_ALLOW}]}]}",
        ),
        (
            "role.yaml",
            "rolePolicy: {role: guest, rules: [{name: looks, resource: doc, allowActions: [view]}, {name: prints, resource: doc, allowActions: [print]}]}",
        ),
    ];

    const SUITE: &str = "
name: S
principals: {ada: {id: ada, roles: [user]}, bob: {id: bob, roles: [user]}, gus: {id: gus, roles: [guest]}}
resources: {own: {id: ada, kind: doc, attr: {on: true}}}
tests:
  - name: t
    input: {principals: [ada, bob, gus], resources: [own], actions: [view, edit, print]}
    expected:
      - {principal: ada, resource: own, actions: {view: EFFECT_ALLOW, edit: EFFECT_ALLOW, print: EFFECT_ALLOW}}
";

    fn covered(suite: &str) -> (bool, Coverage) {
        let file = |(path, text): (&str, String)| SourceFile { path: path.into(), text: text.into() };
        let head = |text: &str| format!("apiVersion: api.cerbos.dev/v1\n{text}\n");
        let mut files: Vec<_> = POLICIES.iter().map(|(path, text)| file((path, head(text)))).collect();
        files.push(file(("s_test.yaml", suite.to_owned())));
        let compiled = compile(&files);
        let snapshot = compiled.snapshot.unwrap_or_else(|| panic!("{:#?}", compiled.diagnostics));
        let (report, coverage) = run_covered(&files, &snapshot, &Settings::default(), &Filter::default());
        (report.is_success(), coverage)
    }

    #[test]
    fn rules_of_every_kind_and_both_outcomes_of_conditions_count() {
        let (passes, coverage) = covered(SUITE);
        assert!(passes);
        let of = |path: &str| coverage.files.iter().find(|file| file.file == path).unwrap();
        let share = |covered, total| Share { covered, total };
        assert_eq!((of("ada.yaml").rules, of("role.yaml").rules), (share(1, 1), share(2, 2)));
        assert_eq!(of("roles.yaml").conditions, share(2, 2));
        let doc = of("doc.yaml");
        assert_eq!((doc.rules, doc.conditions), (share(1, 2), share(1, 2)));
        let gaps: Vec<_> = doc.gaps.iter().map(|gap| (gap.of.as_str(), gap.missing)).collect();
        assert_eq!(gaps, [("never", Missing::Applied), ("never", Missing::False)]);
        assert_eq!((coverage.rules, coverage.conditions), (share(4, 5), share(3, 4)));
        assert_eq!(coverage.percent(), 77);
    }

    #[test]
    fn nothing_is_covered_by_no_tests_and_nothing_at_all_is_covered_whole() {
        let (_, coverage) = covered("name: S\nskip: true\n");
        assert_eq!((coverage.rules.covered, coverage.conditions.covered, coverage.percent()), (0, 0, 0));
        assert!(coverage.files.iter().flat_map(|file| &file.gaps).all(|gap| gap.missing != Missing::Applied));
        assert_eq!(Coverage::default().percent(), 100);
    }
}
