//! Which rules `engine.onError` matters for: those that an error in a condition makes wider under `cerbos`.

use procura_core::model::Effect;
use procura_core::policy::{Condition, Policy, Position, Rule, Snapshot};

/// A rule that may decide differently, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Affected<'a> {
    /// The policy, as decisions name it.
    pub(super) policy: &'a str,
    /// The rule's name.
    pub(super) rule: &'a str,
    /// Where the rule begins.
    pub(super) position: &'a Position,
    /// What the rule says.
    pub(super) effect: Effect,
    /// What an error does under either setting.
    pub(super) why: &'static str,
}

const DENY: &str = "if its condition errs, `closed` denies and `cerbos` drops the rule";
const DENY_ROLE: &str =
    "if the condition of a derived role errs, `closed` denies and `cerbos` drops the rule";
const ALLOW: &str = "if an expression below `none` errs, `closed` drops the rule and `cerbos` applies it";
const ALLOW_ROLE: &str =
    "if an expression below `none` of a derived role errs, `closed` drops the rule and `cerbos` applies it";

/// The rules of `snapshot` that `engine.onError` may decide, in the order of their policies.
///
/// An error never makes an allow rule without `none` apply, under either setting, so those are not listed.
pub(super) fn affected_by_on_error(snapshot: &Snapshot) -> Vec<Affected<'_>> {
    let policies = snapshot.policies();
    policies.flat_map(|policy| policy.rules.iter().filter_map(|rule| affected(policy, rule))).collect()
}

fn affected<'a>(policy: &'a Policy, rule: &'a Rule) -> Option<Affected<'a>> {
    let mut roles = rule.derived_roles.iter().filter_map(|index| policy.derived_roles.get(*index));
    let why = match rule.effect {
        Effect::Deny if rule.condition.is_some() => DENY,
        Effect::Deny if roles.any(|role| role.condition.is_some()) => DENY_ROLE,
        Effect::Allow if rule.condition.as_ref().is_some_and(negates) => ALLOW,
        Effect::Allow if roles.any(|role| role.condition.as_ref().is_some_and(negates)) => ALLOW_ROLE,
        Effect::Allow | Effect::Deny => return None,
    };
    Some(Affected {
        policy: &policy.name,
        rule: &rule.name,
        position: &rule.position,
        effect: rule.effect,
        why,
    })
}

fn negates(condition: &Condition) -> bool {
    match condition {
        Condition::Expr(_) => false,
        Condition::None(_) => true,
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(negates),
    }
}
