//! What many policies have in common, such as roles, actions, the names of rules and whole tables of them: kept in
//! memory once, and so at hand more often than if each policy had its own.

use std::hash::Hash;
use std::sync::Arc;

use super::hash::Kept;
use super::rules::{ActionPattern, Policy, Roles};
use super::table::RuleTable;

/// What was met so far.
#[derive(Debug, Default)]
pub(super) struct Pool {
    texts: Kept<str>,
    tables: Kept<RuleTable>,
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
        policy.table = Arc::new(RuleTable::of(&policy));
        keep(&mut self.tables, &mut policy.table);
        policy
    }
}

/// Puts what is equal to `thing` and known already in its place.
fn keep<T: ?Sized + Eq + Hash>(known: &mut Kept<T>, thing: &mut Arc<T>) {
    match known.get(&**thing) {
        Some(known) => *thing = Arc::clone(known),
        None => drop(known.insert(Arc::clone(thing))),
    }
}
