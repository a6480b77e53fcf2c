//! The compiled form of a policy set: immutable, shared by all requests until the next set goes live.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::hash::NameMap;
use super::{Capabilities, Policy, PolicyKind, Revision, Schemas};

/// A compiled policy set.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Content hash of the set.
    pub revision: Revision,
    /// How many files the set has.
    pub files: usize,
    /// Resource policies; their name is the kind of resource.
    pub resource_policies: PolicyTable,
    /// Principal policies; their name is the id of the principal.
    pub principal_policies: PolicyTable,
    /// Role policies; their name is the role.
    pub role_policies: PolicyTable,
    /// What attributes must look like, by kind of resource and version: as policies of the root scope say.
    pub schemas: Arc<SchemaTable>,
    /// The actions that are declared, and what is known of them.
    pub capabilities: Capabilities,
}

/// What attributes must look like, by kind of resource and version.
pub type SchemaTable = BTreeMap<Arc<str>, BTreeMap<Arc<str>, Schemas>>;

/// The policies of one kind by scope, version and name.
#[derive(Debug, Default)]
pub struct PolicyTable {
    by_scope: NameMap<ScopeTable>,
}

/// The policies of one kind and scope.
#[derive(Debug, Default)]
pub struct ScopeTable {
    by_version: BTreeMap<Arc<str>, ByName>,
    in_effect: bool,
}

/// The policies of one kind, scope and version, by name.
pub type ByName = NameMap<Arc<Policy>>;

impl Snapshot {
    /// Every policy with rules: of resources, then of principals, then of roles; in each by scope, version and name.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        [&self.resource_policies, &self.principal_policies, &self.role_policies]
            .into_iter()
            .flat_map(PolicyTable::iter)
    }

    /// How many policies with rules there are.
    #[must_use]
    pub fn count(&self) -> usize {
        [&self.resource_policies, &self.principal_policies, &self.role_policies]
            .map(PolicyTable::len)
            .iter()
            .sum()
    }

    /// What attributes must look like for the resources of `kind` under this version.
    #[must_use]
    pub fn schemas(&self, kind: &str, version: &str) -> Option<&Schemas> {
        self.schemas.get(kind)?.get(version)
    }

    /// Adds `policy` to the table of its kind, in the place of any of the same scope, version and name.
    pub(super) fn insert(&mut self, policy: Arc<Policy>) {
        let table = match policy.kind {
            PolicyKind::Resource => &mut self.resource_policies,
            PolicyKind::Principal => &mut self.principal_policies,
            PolicyKind::Role => &mut self.role_policies,
        };
        table.insert(policy);
    }
}

impl PolicyTable {
    /// The policy of this scope, version and name.
    #[must_use]
    pub fn get(&self, scope: &str, version: &str, name: &str) -> Option<&Policy> {
        self.of_scope(scope)?.of_version(version)?.get(name).map(AsRef::as_ref)
    }

    /// The policies of a scope.
    #[must_use]
    pub fn of_scope(&self, scope: &str) -> Option<&ScopeTable> {
        self.by_scope.get(scope)
    }

    /// All of them, by scope, version and name.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        let by_name = self.by_scope.values().flat_map(ScopeTable::versions);
        let mut policies: Vec<&Policy> = by_name.flat_map(NameMap::values).map(AsRef::as_ref).collect();
        policies.sort_unstable_by_key(|policy| (&policy.scope, &policy.version, &policy.subject));
        policies.into_iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_scope.values().flat_map(ScopeTable::versions).map(NameMap::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_scope.is_empty()
    }

    fn insert(&mut self, policy: Arc<Policy>) {
        let table = self.by_scope.entry(Arc::clone(&policy.scope)).or_default();
        table.in_effect |= policy.kind != PolicyKind::Role || !policy.rules.is_empty();
        let by_name = table.by_version.entry(Arc::clone(&policy.version)).or_default();
        by_name.insert(Arc::clone(&policy.subject), policy);
    }
}

impl ScopeTable {
    /// Whether some policy, of whatever version and name, can take effect in the scope. As for the peer, a role policy
    /// without rules cannot.
    #[must_use]
    pub fn is_in_effect(&self) -> bool {
        self.in_effect
    }

    /// The policies of a version.
    #[must_use]
    pub fn of_version(&self, version: &str) -> Option<&ByName> {
        self.by_version.get(version)
    }

    /// The policies of each version, by version.
    pub fn versions(&self) -> impl ExactSizeIterator<Item = &ByName> {
        self.by_version.values()
    }
}
