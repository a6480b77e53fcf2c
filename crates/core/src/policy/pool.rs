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
    texts: Texts,
    tables: BTreeSet<Arc<RuleTable>>,
}

/// The texts met so far.
#[derive(Debug, Default)]
pub(super) struct Texts(BTreeSet<Arc<str>>);

impl Texts {
    /// `text` as it is kept.
    pub(super) fn keep(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.0.insert(Arc::clone(&text));
        text
    }
}

impl Pool {
    /// `policy` with the table of its rules, and with its texts in the pool, as far as others may have them.
    pub(super) fn share(&mut self, mut policy: Policy) -> Policy {
        let mut keep = |text: &mut Arc<str>| *text = self.texts.keep(text);
        keep(&mut policy.version);
        keep(&mut policy.scope);
        policy.parent_roles.iter_mut().for_each(&mut keep);
        for rule in &mut policy.rules {
            keep(&mut rule.name);
            for pattern in &mut rule.actions {
                if let ActionPattern::Exact(action) = pattern {
                    keep(action);
                }
            }
            if let Some(Roles::Named(roles)) = &mut rule.roles {
                roles.iter_mut().for_each(&mut keep);
            }
        }
        let mut constants = Vec::new();
        policy.frames = frames(&policy.derived_roles);
        policy.table = self.table(RuleTable::of(&policy, &mut constants));
        policy.constants = constants.into();
        policy
    }

    fn table(&mut self, table: RuleTable) -> Arc<RuleTable> {
        if let Some(known) = self.tables.get(&table) {
            return Arc::clone(known);
        }
        let table = Arc::new(table);
        self.tables.insert(Arc::clone(&table));
        table
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
