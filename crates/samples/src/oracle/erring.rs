//! Which conditions have no truth value for one request.

use std::collections::BTreeSet;

use super::eval::Failed;
use super::walk::Walk;
use super::{Oracle, rows};
use crate::expr::{Expr, Value};
use crate::model::{Ask, Head, Item, Policy, Set};

/// The conditions of a set that a request can meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erring {
    /// Expressions that err or yield no boolean, whatever derived roles are in effect: positions among
    /// [`Set::leaves_mut`].
    pub always: Vec<usize>,
    /// Whether other expressions do so with some derived roles in effect.
    pub with_derived_roles: bool,
    /// Whether an output asks for a variable that has no value, which closed mode takes for an error.
    pub in_outputs: bool,
}

impl Oracle<'_> {
    /// The conditions of `set` that have no truth value for `ask` and its resource number `item`.
    #[must_use]
    pub fn erring(&self, set: &Set, ask: &Ask, item: usize) -> Erring {
        let item = &ask.items[item];
        let peer = Walk::new(self, &set.policies, ask, item);
        let walk = Walk::new(self, &set.policies, ask, item).in_closed_mode();
        let none = BTreeSet::new();
        let all: BTreeSet<String> = set.policies.iter().flat_map(defined).collect();
        let mut erring = Erring::default();
        let mut position = 0;
        for policy in &set.policies {
            let Some(head) = policy.head() else {
                continue;
            };
            let met = can_be_met(policy, ask, item, walk.version());
            for leaf in policy.conditions().into_iter().flat_map(crate::expr::Tree::leaves) {
                let errs = |held| met && errs(&walk, policy, head, leaf, held);
                match (errs(&none), errs(&all)) {
                    (true, true) => erring.always.push(position),
                    (false, false) => {}
                    _ => erring.with_derived_roles = true,
                }
                position += 1;
            }
            for output in policy.outputs() {
                let differs = |held| {
                    value(&peer, policy, head, output, held) != value(&walk, policy, head, output, held)
                };
                erring.in_outputs |= differs(&none) || differs(&all);
            }
        }
        erring
    }
}

fn errs(walk: &Walk<'_>, policy: &Policy, head: &Head, leaf: &Expr, held: &BTreeSet<String>) -> bool {
    !matches!(value(walk, policy, head, leaf, held), Ok(Value::Bool(_)))
}

fn value(
    walk: &Walk<'_>,
    policy: &Policy,
    head: &Head,
    expr: &Expr,
    held: &BTreeSet<String>,
) -> Result<Value, Failed> {
    let held = matches!(policy, Policy::Resource(_)).then_some(held);
    walk.view(&walk.bound(head, held), held).value(expr)
}

fn can_be_met(policy: &Policy, ask: &Ask, item: &Item, version: &str) -> bool {
    match policy {
        Policy::Resource(policy) => policy.kind == item.kind && policy.head.version == version,
        Policy::Principal(policy) => policy.principal == ask.principal && policy.head.version == version,
        Policy::Role(policy) => {
            let kind = rows::printed(&item.kind);
            let about = policy.rules.iter().any(|rule| super::glob::matches(&rule.resource, &kind));
            about && policy.head.version == version
        }
        Policy::DerivedRoles(_) => true,
        Policy::Variables(..) | Policy::Constants(..) => false,
    }
}

fn defined(policy: &Policy) -> Vec<String> {
    match policy {
        Policy::DerivedRoles(roles) => roles.definitions.iter().map(|role| role.name.clone()).collect(),
        _ => Vec::new(),
    }
}
