//! In what two decisions about the same differ.

use crate::record::{Decision, DecisionRecord, OutputRecord, ResultRecord};

/// A part of a decision that may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Allow or deny.
    Effect,
    /// The code of the reason.
    Reason,
    /// The policy that decided.
    Policy,
    /// The scope that decided.
    Scope,
    /// The rule that decided.
    Rule,
    /// The derived roles that hold.
    DerivedRoles,
    /// What rules put out.
    Outputs,
    /// What went wrong on the way.
    Problems,
    /// What does not fit the schemas.
    ValidationErrors,
}

/// How much a change weighs, from little to much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The answer is the same and comes about in another way: another rule, other derived roles, other problems.
    Reason,
    /// The effect is the same, but not what is answered with it: outputs or validation errors.
    Answer,
    /// What was allowed is denied, or the other way round.
    Effect,
}

/// A decision that comes out otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'r, 'a> {
    /// The decision before.
    pub before: Decision<'r, 'a>,
    /// The same decision after.
    pub after: Decision<'r, 'a>,
    /// In what they differ, never empty, in the order of [`Aspect`].
    pub differs: Vec<Aspect>,
}

/// The decisions of the call of `record` that are others in `after` than in `before`, both of which are about its
/// resources and actions. Numbers are compared bit by bit.
pub fn changes<'r, 'a>(
    record: &'r DecisionRecord<'a>,
    before: &'r [ResultRecord<'a>],
    after: &'r [ResultRecord<'a>],
) -> impl Iterator<Item = Change<'r, 'a>> {
    let pairs = record.decisions_of(before).zip(record.decisions_of(after));
    pairs.filter_map(|(before, after)| {
        let differs = differing(&before, &after);
        (!differs.is_empty()).then_some(Change { before, after, differs })
    })
}

impl Change<'_, '_> {
    /// How much it weighs.
    #[must_use]
    pub fn weight(&self) -> Weight {
        self.differs.iter().copied().map(Aspect::weight).max().unwrap_or(Weight::Reason)
    }
}

impl Aspect {
    /// The name in reports and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Aspect::Effect => "effect",
            Aspect::Reason => "reason",
            Aspect::Policy => "policy",
            Aspect::Scope => "scope",
            Aspect::Rule => "rule",
            Aspect::DerivedRoles => "derivedRoles",
            Aspect::Outputs => "outputs",
            Aspect::Problems => "problems",
            Aspect::ValidationErrors => "validationErrors",
        }
    }

    pub(super) const fn weight(self) -> Weight {
        match self {
            Aspect::Effect => Weight::Effect,
            Aspect::Outputs | Aspect::ValidationErrors => Weight::Answer,
            Aspect::Reason
            | Aspect::Policy
            | Aspect::Scope
            | Aspect::Rule
            | Aspect::DerivedRoles
            | Aspect::Problems => Weight::Reason,
        }
    }
}

impl Weight {
    /// The name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Weight::Reason => "reason",
            Weight::Answer => "answer",
            Weight::Effect => "effect",
        }
    }
}

fn differing<'a>(before: &Decision<'_, 'a>, after: &Decision<'_, 'a>) -> Vec<Aspect> {
    let compared = [
        (Aspect::Effect, before.effect == after.effect),
        (Aspect::Reason, before.reason == after.reason),
        (Aspect::Policy, before.policy == after.policy),
        (Aspect::Scope, before.scope == after.scope),
        (Aspect::Rule, before.rule == after.rule),
        (Aspect::DerivedRoles, before.derived_roles == after.derived_roles),
        (Aspect::Outputs, are_same(before.outputs, after.outputs)),
        (Aspect::Problems, before.problems == after.problems),
        (Aspect::ValidationErrors, before.validation_errors == after.validation_errors),
    ];
    compared.into_iter().filter(|(_, same)| !same).map(|(aspect, _)| aspect).collect()
}

/// Whether the outputs are recorded as the same bytes: `0.0 == -0.0`, but they are not the same output.
fn are_same<'a>(before: &[OutputRecord<'a>], after: &[OutputRecord<'a>]) -> bool {
    let bytes = |outputs: &[OutputRecord<'_>]| serde_json::to_vec(outputs).ok();
    before == after && (before.is_empty() || bytes(before) == bytes(after))
}
