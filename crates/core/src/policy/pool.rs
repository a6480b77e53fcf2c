//! What many policies have in common, such as roles, actions, the names of rules and whole tables of them: kept in
//! memory once, and so at hand more often than if each policy had its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rules::{ActionPattern, DerivedRole, Policy, Roles};
use super::table::RuleTable;
use crate::expr::Frame;

/// What was met so far.
#[derive(Debug, Default)]
pub(super) struct Pool {
    texts: BTreeSet<Arc<str>>,
    tables: BTreeSet<Arc<RuleTable>>,
}

impl Pool {
    /// `policy` with the table of its rules, and with its texts in the pool, as far as others may have them.
    pub(super) fn share(&mut self, mut policy: Policy) -> Policy {
        let texts = &mut self.texts;
        keep(texts, &mut policy.version);
        keep(texts, &mut policy.scope);
        policy.parent_roles.iter_mut().for_each(|role| keep(texts, role));
        for rule in &mut policy.rules {
            keep(texts, &mut rule.name);
            for pattern in &mut rule.actions {
                if let ActionPattern::Exact(action) = pattern {
                    keep(texts, action);
                }
            }
            if let Some(Roles::Named(roles)) = &mut rule.roles {
                roles.iter_mut().for_each(|role| keep(texts, role));
            }
        }
        let mut constants = Vec::new();
        policy.frames = frames(&policy.derived_roles);
        policy.table = Arc::new(RuleTable::of(&policy, &mut constants));
        policy.constants = constants.into();
        keep(&mut self.tables, &mut policy.table);
        policy
    }
}

/// The frames of `derived_roles`, each once.
fn frames(derived_roles: &[Arc<DerivedRole>]) -> Box<[Arc<Frame>]> {
    let mut frames: Vec<Arc<Frame>> = Vec::new();
    for role in derived_roles {
        if !frames.iter().any(|known| Arc::ptr_eq(known, &role.frame)) {
            frames.push(Arc::clone(&role.frame));
        }
    }
    frames.into()
}

/// Puts what is equal to `thing` and known already in its place.
fn keep<T: ?Sized + Ord>(known: &mut BTreeSet<Arc<T>>, thing: &mut Arc<T>) {
    match known.get(&**thing) {
        Some(known) => *thing = Arc::clone(known),
        None => drop(known.insert(Arc::clone(thing))),
    }
}
