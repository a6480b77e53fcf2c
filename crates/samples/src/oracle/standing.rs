//! Where policies stand. A scope exists if any policy of the store has it, whatever that policy is about.

use std::collections::BTreeSet;

use super::{glob, rows};
use crate::model::{Policy, Settings, Store};

/// The scopes and versions of all policies of a store.
pub(super) struct Standing<'s> {
    settings: &'s Settings,
    principal_scopes: BTreeSet<&'s str>,
    resource_scopes: BTreeSet<&'s str>,
    /// Version and scope of each principal policy.
    principals: BTreeSet<(&'s str, &'s str)>,
    /// Pattern of kinds, version and scope of each policy that has rules about resources.
    resources: BTreeSet<(String, &'s str, &'s str)>,
}

impl<'s> Standing<'s> {
    pub(super) fn of(store: &'s Store) -> Self {
        let mut standing = Self {
            settings: &store.settings,
            principal_scopes: BTreeSet::new(),
            resource_scopes: BTreeSet::new(),
            principals: BTreeSet::new(),
            resources: BTreeSet::new(),
        };
        for policy in store.sets.iter().flat_map(|set| &set.policies) {
            standing.add(policy);
        }
        standing
    }

    fn add(&mut self, policy: &'s Policy) {
        match policy {
            Policy::Principal(policy) => {
                self.principal_scopes.insert(&policy.head.scope);
                self.principals.insert((&policy.head.version, &policy.head.scope));
            }
            Policy::Resource(policy) => {
                self.resource_scopes.insert(&policy.head.scope);
                let kind = rows::printed(&policy.kind);
                self.resources.insert((kind, &policy.head.version, &policy.head.scope));
            }
            Policy::Role(policy) => {
                self.resource_scopes.insert(&policy.head.scope);
                for rule in &policy.rules {
                    let about = rule.resource.clone();
                    self.resources.insert((about, &policy.head.version, &policy.head.scope));
                }
            }
            Policy::DerivedRoles(_) | Policy::Variables(..) | Policy::Constants(..) => {}
        }
    }

    /// The scopes for the principal: from the requested one to the root, those that exist.
    pub(super) fn principal_chain(&self, requested: &str) -> Vec<String> {
        self.chain(requested, &self.principal_scopes)
    }

    /// The same for the resource.
    pub(super) fn resource_chain(&self, requested: &str) -> Vec<String> {
        self.chain(requested, &self.resource_scopes)
    }

    /// Whether any principal has a policy of this version in one of `scopes`.
    pub(super) fn principal_exists(&self, version: &str, scopes: &[String]) -> bool {
        self.principals.iter().any(|(known, scope)| *known == version && scopes.iter().any(|it| it == scope))
    }

    /// Whether a policy of this version in one of `scopes` has rules about `kind`.
    pub(super) fn resource_exists(&self, kind: &str, version: &str, scopes: &[String]) -> bool {
        self.resources.iter().any(|(about, known, scope)| {
            *known == version && scopes.iter().any(|it| it == scope) && glob::matches(about, kind)
        })
    }

    fn chain(&self, requested: &str, existing: &BTreeSet<&str>) -> Vec<String> {
        if !existing.contains(requested) && !self.settings.lenient {
            return Vec::new();
        }
        let upwards = std::iter::successors(Some(requested), |scope| above(scope));
        upwards.filter(|scope| existing.contains(scope)).map(str::to_owned).collect()
    }
}

/// The scope above.
fn above(scope: &str) -> Option<&str> {
    match scope.rsplit_once('.') {
        Some((above, _)) => Some(above),
        None if scope.is_empty() => None,
        None => Some(""),
    }
}
