//! Watching a decision while it is made, and making it as if a condition were true or false.
//!
//! There is one way through the policies; whoever explains decisions or measures coverage looks on from here. Without
//! an observer nothing is done for it.

use super::combine::Finding;
use super::conditions::{CostExceeded, Truth};
use super::derived_roles::DerivedRoles;
use super::question::Word;
use super::roles::HeldRole;
use super::target::Target;
use crate::expr::Scope;
use crate::model::Resource;
use crate::policy::{Condition, Policy, Rule};

/// Somebody who looks on. What is not of interest does nothing.
pub(super) trait Observer {
    /// The truth that `condition` is to have whatever it says; usually none.
    fn assumed(&self, _condition: &Condition) -> Option<bool> {
        None
    }

    /// A condition, or a part of one, came to `truth`.
    fn judged(&self, _condition: &Condition, _scope: &Scope<'_>, _truth: Result<Truth, CostExceeded>) {}

    /// The next resource is looked at.
    fn begins(&self, _resource: &Resource<'_>) {}

    /// It was found out whom to ask about the resource.
    fn finds(&self, _target: &Target<'_>) {}

    /// The derived roles of a resource policy were established.
    fn established(&self, _policy: &Policy, _derived_roles: &DerivedRoles, _roles: &[HeldRole<'_>]) {}

    /// The next action is asked about.
    fn asks(&self, _action: &str) {}

    /// A rule of a policy that is asked about the action is looked at; `aside` is why it is not about the question.
    fn considers(&self, _policy: &Policy, _rule: &Rule, _aside: Option<Aside>) {}

    /// Some rule of a policy is about the action and could speak to a role of the principal; its expressions are evaluated
    /// in `scope`.
    fn looks_at(&self, _policy: &Policy, _scope: &Scope<'_>) {}

    /// A rule said something.
    fn visits(&self, _visit: &Visited<'_>) {}

    /// A role policy lists the action in none of its rules.
    fn finds_unlisted(&self, _policy: &Policy) {}

    /// The action is decided, on the word of somebody or of nobody.
    fn decides(&self, _word: Option<Word<'_>>) {}
}

/// Why a rule is not about the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aside {
    /// None of its patterns matches the action.
    Action,
    /// Its pattern of resources does not match the kind.
    Resource,
    /// The principal has none of its roles and derived roles.
    Role,
}

/// A rule that is asked, and what it says.
pub(super) struct Visited<'v> {
    pub(super) policy: &'v Policy,
    pub(super) rule: &'v Rule,
    /// The role to which it speaks; nothing where it speaks to whoever its policy is about.
    pub(super) role: Option<&'v HeldRole<'v>>,
    /// The derived roles of the policy, where there can be any.
    pub(super) derived_roles: Option<&'v DerivedRoles>,
    /// What its condition came to.
    pub(super) truth: Truth,
    /// What follows.
    pub(super) says: Finding<Word<'v>>,
    /// Whether it counts as activated, as for its outputs.
    pub(super) activated: bool,
}
