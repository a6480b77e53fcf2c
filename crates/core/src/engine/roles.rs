//! The roles of the principal, each with the roles that role policies put above it.
//!
//! The rules for a parent role speak to the role too. Only the role policies of the scope that the request names count:
//! those of the version that is asked for, or else those of other versions, as the peer keeps parent roles by scope
//! alone. Where several other versions disagree, a parent role must be in all of them; the peer takes any one.

use std::collections::BTreeSet;
use std::iter::once;
use std::sync::Arc;

use super::Call;
use super::conditions::CostExceeded;
use crate::model::Few;
use crate::policy::{Roles, ScopeTable};

/// Cost units for finding the policies of a role and remembering that it was met.
const NAME_COST: usize = 8;

/// A role that the principal holds.
#[derive(Default)]
pub(super) struct HeldRole<'r> {
    name: &'r str,
    /// The roles above it, nearest first.
    above: Vec<&'r str>,
}

impl<'r> HeldRole<'r> {
    /// The roles of the principal, in the order of the request.
    pub(super) fn of_principal(
        call: &Call<'r>,
        scope: &str,
        version: &str,
    ) -> Result<Few<Self, 2>, CostExceeded> {
        let policies = call.snapshot.role_policies.of_scope(scope);
        let roles = call.request.principal.roles.iter();
        roles.map(|role| Self::expand(call, role, policies, version)).collect()
    }

    /// The role itself.
    pub(super) fn name(&self) -> &'r str {
        self.name
    }

    /// The roles above it, nearest first.
    pub(super) fn above(&self) -> &[&'r str] {
        &self.above
    }

    /// The role itself, then the roles above it, nearest first.
    pub(super) fn names(&self) -> impl Iterator<Item = &'r str> {
        once(self.name).chain(self.above.iter().copied())
    }

    /// How many names it has.
    pub(super) fn count(&self) -> usize {
        1 + self.above.len()
    }

    /// By how many of its names it is one of `roles`.
    pub(super) fn ways_into(&self, roles: &Roles) -> usize {
        match roles {
            Roles::Any => 1,
            Roles::Named(_) => self.names().filter(|name| roles.contain(name)).count(),
        }
    }

    /// Breadth first and without recursion: chains of parent roles may be long, and may be circles.
    fn expand(
        call: &Call<'r>,
        role: &'r str,
        policies: Option<&'r ScopeTable>,
        version: &str,
    ) -> Result<Self, CostExceeded> {
        let mut above = Vec::new();
        let Some(policies) = policies else {
            return Ok(Self { name: role, above });
        };
        let mut known = BTreeSet::from([role]);
        let mut next = Some(role);
        let mut met = 0;
        while let Some(name) = next {
            let parents = parents(policies, version, name);
            call.charge(NAME_COST + policies.versions().len() + parents.len())?;
            above.extend(parents.into_iter().filter(|parent| known.insert(parent)));
            next = above.get(met).copied();
            met += 1;
        }
        Ok(Self { name: role, above })
    }
}

fn parents<'r>(policies: &'r ScopeTable, version: &str, role: &str) -> Vec<&'r str> {
    let own = policies.of_version(version).and_then(|by_name| by_name.get(role));
    let others: Vec<_> = match own {
        Some(policy) => vec![policy],
        None => policies.versions().filter_map(|by_name| by_name.get(role)).collect(),
    };
    let Some((first, others)) = others.split_first() else {
        return Vec::new();
    };
    let in_all = |parent: &&Arc<str>| others.iter().all(|policy| policy.parent_roles.contains(parent));
    first.parent_roles.iter().filter(in_all).map(AsRef::as_ref).collect()
}
