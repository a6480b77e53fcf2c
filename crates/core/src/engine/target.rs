//! Which policies a request asks: of which version, in which scopes.
//!
//! The scopes are asked from the nearest one up to the root. As for the peer, a scope exists for every kind of
//! resource as soon as any resource or role policy takes effect in it, and for every principal as soon as any
//! principal policy does; and the version of the resource selects the rules of principal policies, too.

use std::iter::once;
use std::sync::Arc;

use super::conditions::CostExceeded;
use super::{Call, Settings};
use crate::model::{Item, scope_name};
use crate::policy::{PolicyKind, ancestors, policy_name, sanitise};

/// What one item of a request is about.
pub(super) struct Target<'r> {
    /// Kind of resource.
    pub(super) kind: &'r str,
    /// The kind as decisions print it.
    pub(super) printed_kind: String,
    /// The version whose rules are asked.
    pub(super) version: &'r str,
    /// The scope that the request names for the resource, whether it exists or not.
    pub(super) scope: &'r str,
    /// Where principal policies are looked for.
    pub(super) principal: Chain<'r>,
    /// Where resource policies and role policies are looked for.
    pub(super) resource: Chain<'r>,
}

/// Scopes, nearest first.
pub(super) struct Chain<'r> {
    /// Those in which some policy takes effect; none if the request names a scope that does not exist.
    pub(super) scopes: Vec<&'r str>,
    /// The name that decisions print; nothing if there is no policy that could decide.
    pub(super) name: Option<Arc<str>>,
}

impl<'r> Target<'r> {
    /// What `item` is about.
    pub(super) fn of(call: &Call<'r>, item: &'r Item<'r>) -> Result<Self, CostExceeded> {
        let (snapshot, principal, resource) = (call.snapshot, &call.request.principal, &item.resource);
        let principals = |scope: &str| snapshot.principal_policies.is_in_effect(scope);
        let resources = |scope: &str| {
            snapshot.resource_policies.is_in_effect(scope) || snapshot.role_policies.is_in_effect(scope)
        };
        let scope = scope_or_default(&resource.scope, call.settings);
        let mut target = Self {
            kind: &resource.kind,
            printed_kind: sanitise(&resource.kind),
            version: version_or_default(&resource.policy_version, call.settings),
            scope,
            principal: Chain::from(call, scope_or_default(&principal.scope, call.settings), principals)?,
            resource: Chain::from(call, scope, resources)?,
        };
        target.principal.name = target.principal_name(call);
        target.resource.name = target.resource_name(call)?;
        Ok(target)
    }

    /// Whether there is anything to ask.
    pub(super) fn exists(&self) -> bool {
        self.principal.name.is_some() || self.resource.name.is_some()
    }

    /// As for the peer, whether principal policies exist depends on the version that the principal asks for, and on
    /// policies of any principal.
    fn principal_name(&self, call: &Call<'r>) -> Option<Arc<str>> {
        let principal = &call.request.principal;
        let version = version_or_default(&principal.policy_version, call.settings);
        let scopes = &self.principal.scopes;
        let policies = &call.snapshot.principal_policies;
        scopes.iter().find(|scope| policies.of_version(scope, version).is_some())?;
        Some(policy_name(PolicyKind::Principal, &principal.id, version, scopes.first()?).into())
    }

    fn resource_name(&self, call: &Call<'r>) -> Result<Option<Arc<str>>, CostExceeded> {
        let Some(nearest) = self.resource.scopes.first() else {
            return Ok(None);
        };
        if let Some(policy) = call.snapshot.resource_policies.get(nearest, self.version, self.kind) {
            return Ok(Some(Arc::clone(&policy.name)));
        }
        let name = || policy_name(PolicyKind::Resource, self.kind, self.version, nearest).into();
        Ok(self.has_resource_rules(call)?.then(name))
    }

    /// Whether a resource policy for the kind, or a rule of a role policy about it, is in any of the scopes.
    fn has_resource_rules(&self, call: &Call<'_>) -> Result<bool, CostExceeded> {
        let Target { kind, version, .. } = *self;
        let scopes = &self.resource.scopes;
        if scopes.iter().any(|scope| call.snapshot.resource_policies.get(scope, version, kind).is_some()) {
            return Ok(true);
        }
        let tables = scopes.iter().filter_map(|scope| call.snapshot.role_policies.of_version(scope, version));
        for rule in tables.flat_map(|by_name| by_name.values()).flat_map(|policy| &policy.rules) {
            let Some(pattern) = &rule.resource else { continue };
            call.charge(pattern.cost(kind))?;
            if pattern.matches(kind, &self.printed_kind) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<'r> Chain<'r> {
    fn from(call: &Call<'r>, scope: &'r str, exists: impl Fn(&str) -> bool) -> Result<Self, CostExceeded> {
        let mut scopes = Vec::new();
        if !exists(scope) && !call.settings.lenient_scope_search {
            return Ok(Self { scopes, name: None });
        }
        for scope in once(scope).chain(ancestors(scope)) {
            call.charge(1)?;
            if exists(scope) {
                scopes.push(scope);
            }
        }
        Ok(Self { scopes, name: None })
    }
}

fn version_or_default<'r>(written: &'r str, settings: &'r Settings) -> &'r str {
    if written.is_empty() { &settings.default_policy_version } else { written }
}

fn scope_or_default<'r>(written: &'r str, settings: &'r Settings) -> &'r str {
    scope_name(if written.is_empty() { &settings.default_scope } else { written })
}
