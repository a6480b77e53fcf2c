//! Texts that many policies have in common, such as roles, actions and the names of rules: kept in memory once.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rules::{ActionPattern, Policy, Roles};

/// The texts met so far.
#[derive(Debug, Default)]
pub(super) struct Pool(BTreeSet<Arc<str>>);

impl Pool {
    /// `policy` with its texts in the pool, as far as others may have them.
    pub(super) fn share(&mut self, mut policy: Policy) -> Policy {
        self.replace(&mut policy.version);
        self.replace(&mut policy.scope);
        policy.parent_roles.iter_mut().for_each(|role| self.replace(role));
        for rule in &mut policy.rules {
            self.replace(&mut rule.name);
            for pattern in &mut rule.actions {
                if let ActionPattern::Exact(action) = pattern {
                    self.replace(action);
                }
            }
            if let Some(Roles::Named(roles)) = &mut rule.roles {
                roles.iter_mut().for_each(|role| self.replace(role));
            }
        }
        policy
    }

    /// Puts the text of the pool that is equal to `text` in its place.
    fn replace(&mut self, text: &mut Arc<str>) {
        match self.0.get(&**text) {
            Some(known) => *text = Arc::clone(known),
            None => drop(self.0.insert(Arc::clone(text))),
        }
    }
}
