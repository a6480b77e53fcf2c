//! What decisions evaluate of conditions: all but constants and places. Policies that are alike but for their constants
//! share it, and each has its constants side by side: what is not at hand from the decision before is little, and close
//! together.

use std::sync::Arc;

use super::rules::{Condition, Spanned};
use crate::expr::{Form, Program, Val};

/// A condition without its constants.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Criterion {
    /// One expression.
    Expr(Leaf),
    /// All of these.
    All(Box<[Criterion]>),
    /// At least one of these.
    Any(Box<[Criterion]>),
    /// None of these.
    None(Box<[Criterion]>),
}

/// One expression of a condition.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leaf {
    /// The expression without its constants.
    pub(crate) form: Arc<Form>,
    /// Where its constants begin among those of the policy.
    first: usize,
    /// Which expression of the condition it is, in the order in which they are written.
    number: usize,
}

impl Criterion {
    /// That of `condition`, the constants of which are added to `constants`; nothing if an expression of it errs before
    /// it is evaluated.
    pub(super) fn of(condition: &Condition, constants: &mut Vec<Val<'static>>) -> Option<Self> {
        Gatherer { constants, leaves: 0 }.criterion(condition)
    }
}

impl Leaf {
    /// Its constants, among those of the policy, with others behind them.
    pub(crate) fn constants<'p>(&self, constants: &'p [Val<'static>]) -> &'p [Val<'static>] {
        constants.get(self.first..).unwrap_or_default()
    }

    /// It as it is written in `condition`.
    pub(crate) fn written<'c>(&self, condition: &'c Condition) -> Option<&'c Spanned<Program>> {
        leaf(condition, &mut { self.number })
    }
}

/// Goes through one condition.
struct Gatherer<'c> {
    constants: &'c mut Vec<Val<'static>>,
    leaves: usize,
}

impl Gatherer<'_> {
    fn criterion(&mut self, condition: &Condition) -> Option<Criterion> {
        Some(match condition {
            Condition::Expr(program) => {
                let (form, constants) = program.node.parts()?;
                let leaf = Leaf { form: Arc::clone(form), first: self.constants.len(), number: self.leaves };
                self.constants.extend_from_slice(constants);
                self.leaves += 1;
                Criterion::Expr(leaf)
            }
            Condition::All(items) => Criterion::All(self.criteria(items)?),
            Condition::Any(items) => Criterion::Any(self.criteria(items)?),
            Condition::None(items) => Criterion::None(self.criteria(items)?),
        })
    }

    fn criteria(&mut self, items: &[Condition]) -> Option<Box<[Criterion]>> {
        items.iter().map(|item| self.criterion(item)).collect()
    }
}

/// The expression of `condition` before which there are `before`; what it has is taken off these otherwise.
fn leaf<'c>(condition: &'c Condition, before: &mut usize) -> Option<&'c Spanned<Program>> {
    match condition {
        Condition::Expr(program) => match before.checked_sub(1) {
            None => Some(program),
            Some(left) => {
                *before = left;
                None
            }
        },
        Condition::All(items) | Condition::Any(items) | Condition::None(items) => {
            items.iter().find_map(|item| leaf(item, before))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Policy, SourceFile, compile};

    /// A policy about `kind` with one rule, the texts of which end in `suffix`.
    fn file(kind: &str, suffix: &str) -> SourceFile {
        let text = format!(
            "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: {kind}\n  version: default\n  rules:\n  \
             - actions: [view]\n    effect: EFFECT_ALLOW\n    roles: [user]\n    condition: {{match: {{any: {{of: [\n      \
             {{expr: 'R.id == \"a{suffix}\"'}},\n      \
             {{all: {{of: [{{expr: 'P.id == \"b{suffix}\"'}}, {{none: {{of: [{{expr: 'R.id != \"c{suffix}\"'}}]}}}}]}}}},\n      \
             {{expr: 'P.id != \"d{suffix}\"'}}]}}}}}}\n"
        );
        SourceFile { path: format!("{kind}.yaml").into(), text: text.into() }
    }

    fn leaves<'c>(criterion: &'c Criterion, found: &mut Vec<&'c Leaf>) {
        match criterion {
            Criterion::Expr(leaf) => found.push(leaf),
            Criterion::All(items) | Criterion::Any(items) | Criterion::None(items) => {
                items.iter().for_each(|item| leaves(item, found));
            }
        }
    }

    #[test]
    fn every_leaf_finds_its_constants_and_its_expression() {
        let snapshot = compile(&[file("album", "1")]).snapshot.unwrap();
        let policy = snapshot.policies().next().unwrap();
        let mut found = Vec::new();
        leaves(policy.table.rules[0].criterion.as_ref().unwrap(), &mut found);
        let condition = policy.rules[0].condition.as_ref().unwrap();
        for (leaf, text) in found.iter().zip(["a1", "b1", "c1", "d1"]) {
            let constant = &leaf.constants(&policy.constants)[0];
            assert!(matches!(constant, Val::String(known) if known.as_str() == text), "{constant:?}");
            assert!(leaf.written(condition).unwrap().node.source().contains(text), "{text}");
        }
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn policies_that_are_alike_but_for_constants_share_their_table() {
        let snapshot = compile(&[file("album", "1"), file("photo", "2")]).snapshot.unwrap();
        let policies: Vec<&Policy> = snapshot.policies().collect();
        assert!(Arc::ptr_eq(&policies[0].table, &policies[1].table));
        assert_eq!(policies[0].constants.len(), 4);
    }
}
