//! Which policies a request asks: of which version, in which scopes.
//!
//! The scopes are asked from the nearest one up to the root. As for the peer, a scope exists for every kind of
//! resource as soon as any resource or role policy takes effect in it, and for every principal as soon as any
//! principal policy does; and the version of the resource selects the rules of principal policies, too.
//!
//! Nothing of this depends on the attributes or the id of a resource: what is found for one is kept for the next.

use std::cell::OnceCell;
use std::iter::once;
use std::sync::Arc;

use super::conditions::CostExceeded;
use super::reach::Reach;
use super::roles::HeldRole;
use super::{Call, Settings};
use crate::model::{Few, Item, scope_name, tenant_of};
use crate::policy::{
    ByName, Mask, Policy, PolicyKind, ScopeTable, Snapshot, ancestors, policy_name, sanitise,
};

/// What items of a request are about that share kind of resource, version and scope.
pub(super) struct Target<'r> {
    /// Kind of resource.
    pub(super) kind: &'r str,
    /// The version whose rules are asked.
    pub(super) version: &'r str,
    /// Where principal policies are looked for.
    pub(super) principal: Chain<'r>,
    /// Where resource policies and role policies are looked for.
    pub(super) resource: Chain<'r>,
    /// The policies of the principal, nearest scope first.
    pub(super) principal_policies: Vec<&'r Arc<Policy>>,
    /// The policies of each scope of the resource, nearest first.
    pub(super) places: Few<Place<'r>, 1>,
    /// The roles of the principal, in the order of the request.
    pub(super) roles: Few<HeldRole<'r>, 2>,
    printed_kind: OnceCell<String>,
}

/// Scopes, nearest first.
pub(super) struct Chain<'r> {
    /// Those in which some policy takes effect; none if the request names a scope that does not exist.
    pub(super) scopes: Few<&'r str, 3>,
    /// Whether there is a policy that could decide.
    pub(super) exists: bool,
    kind: PolicyKind,
    subject: &'r str,
    version: &'r str,
    /// The policy of the nearest scope, if it has one.
    nearest: Option<&'r Policy>,
    name: OnceCell<Arc<str>>,
}

/// The policies of one scope.
#[derive(Default)]
pub(super) struct Place<'r> {
    /// The one for the kind of resource.
    pub(super) policy: Option<&'r Policy>,
    /// The role policies.
    pub(super) role_policies: Option<&'r ByName>,
    /// What the resource policy makes of the roles, once it was asked for.
    pub(super) reach: OnceCell<Reach>,
}

/// Whether two items are about the same.
pub(super) fn is_shared(settings: &Settings, one: &Item<'_>, other: &Item<'_>) -> bool {
    one.resource.kind == other.resource.kind && asked_for(settings, one) == asked_for(settings, other)
}

impl<'r> Target<'r> {
    /// What `item` is about.
    pub(super) fn of(call: &Call<'r>, item: &'r Item<'r>) -> Result<Self, CostExceeded> {
        let (snapshot, kind) = (call.snapshot, &*item.resource.kind);
        let (version, scope) = asked_for(call.settings, item);
        if !is_in_sight(call, scope) {
            return Ok(Self::nowhere(kind, version));
        }
        let mut places = Few::default();
        let resource = Chain::of(call, scope, (PolicyKind::Resource, kind, version), |scope| {
            let place = Place::find(snapshot, scope, version, kind);
            place.map(|place| places.push(place)).is_some()
        })?;
        let roles = HeldRole::of_principal(call, scope, version)?;
        let mut principal_policies = Vec::new();
        let principal = Chain::of_principal(call, |table, id| {
            principal_policies.extend(table.of_version(version).and_then(|by_id| by_id.get(id)));
        })?;
        let printed_kind = OnceCell::new();
        let mut target =
            Self { kind, version, principal, resource, principal_policies, places, roles, printed_kind };
        target.resource.nearest = target.places.first().and_then(|place| place.policy);
        target.resource.exists = target.has_resource_rules(call)?;
        Ok(target)
    }

    /// What an item is about that asks for a scope which does not exist for the caller.
    fn nowhere(kind: &'r str, version: &'r str) -> Self {
        Self {
            kind,
            version,
            principal: Chain::nowhere(PolicyKind::Principal, version),
            resource: Chain::nowhere(PolicyKind::Resource, version),
            principal_policies: Vec::new(),
            places: Few::default(),
            roles: Few::default(),
            printed_kind: OnceCell::new(),
        }
    }

    /// Whether there is anything to ask.
    pub(super) fn exists(&self) -> bool {
        self.principal.exists || self.resource.exists
    }

    /// The rules of a principal or role policy that are about the kind of resource.
    pub(super) fn rules_of(&self, policy: &Policy, call: &Call<'_>) -> Result<Mask, CostExceeded> {
        let resources = &policy.table.resources;
        let mut found = Mask::below(policy.table.rules.len());
        if !resources.is_empty() {
            // INVARIANT(both-forms): a pattern of resources is compared with the kind as written and as printed.
            call.charge(2 * resources.cost(self.kind) + found.words())?;
            resources.find(self.kind, &mut found);
            resources.find(self.printed_kind.get_or_init(|| sanitise(self.kind)), &mut found);
        }
        Ok(found)
    }

    /// Whether a resource policy for the kind, or a rule of a role policy about it, is in any of the scopes.
    fn has_resource_rules(&self, call: &Call<'_>) -> Result<bool, CostExceeded> {
        if self.places.iter().any(|place| place.policy.is_some()) {
            return Ok(true);
        }
        let tables = self.places.iter().filter_map(|place| place.role_policies);
        for policy in tables.flat_map(ByName::values) {
            if !self.rules_of(policy, call)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<'r> Chain<'r> {
    /// Where policies of the principal are looked for. As for the peer, whether there are any depends on the version
    /// that the principal asks for, and on policies of any principal. `found` is told those of each scope, and the id.
    fn of_principal(
        call: &Call<'r>,
        mut found: impl FnMut(&'r ScopeTable, &str),
    ) -> Result<Self, CostExceeded> {
        let (principal, policies) = (&call.request.principal, &call.snapshot.principal_policies);
        let version = version_or_default(&principal.policy_version, call.settings);
        let scope = scope_or_default(&principal.scope, call.settings);
        let mut exists = false;
        let identity = (PolicyKind::Principal, &*principal.id, version);
        let chain = Self::of(call, scope, identity, |scope| {
            let table = policies.of_scope(scope).filter(|table| table.is_in_effect());
            exists |= table.is_some_and(|table| table.of_version(version).is_some());
            table.map(|table| found(table, &principal.id)).is_some()
        })?;
        Ok(Self { exists, ..chain })
    }

    /// `scope` and those above it, as far as `is_found` says that they exist: it is asked about each in turn.
    fn of(
        call: &Call<'r>,
        scope: &'r str,
        (kind, subject, version): (PolicyKind, &'r str, &'r str),
        mut is_found: impl FnMut(&'r str) -> bool,
    ) -> Result<Self, CostExceeded> {
        let mut scopes = Few::default();
        for scope in once(scope).chain(ancestors(scope)) {
            call.charge(1)?;
            if is_found(scope) {
                scopes.push(scope);
            } else if scopes.is_empty() && !call.settings.lenient_scope_search {
                break;
            }
        }
        Ok(Self { scopes, subject, ..Self::nowhere(kind, version) })
    }

    /// No scope at all.
    fn nowhere(kind: PolicyKind, version: &'r str) -> Self {
        let scopes = Few::default();
        Self { scopes, exists: false, kind, subject: "", version, nearest: None, name: OnceCell::new() }
    }

    /// The name that decisions print; nothing if there is no policy that could decide.
    pub(super) fn name(&self) -> Option<&Arc<str>> {
        let nearest = self.scopes.first().filter(|_| self.exists)?;
        let printed = || policy_name(self.kind, self.subject, self.version, nearest).into();
        Some(match self.nearest {
            Some(policy) => &policy.name,
            None => self.name.get_or_init(printed),
        })
    }
}

impl<'r> Place<'r> {
    /// What is in `scope`, if any resource or role policy takes effect there.
    fn find(snapshot: &'r Snapshot, scope: &str, version: &str, kind: &str) -> Option<Self> {
        let resources = snapshot.resource_policies.of_scope(scope);
        let roles = snapshot.role_policies.of_scope(scope);
        if !resources.into_iter().chain(roles).any(ScopeTable::is_in_effect) {
            return None;
        }
        let by_kind = resources.and_then(|table| table.of_version(version));
        Some(Self {
            policy: by_kind.and_then(|by_kind| by_kind.get(kind)).map(AsRef::as_ref),
            role_policies: roles.and_then(|table| table.of_version(version)),
            reach: OnceCell::new(),
        })
    }
}

/// Whether `scope` and that of the principal are among the tenants of the caller, if it is bound to some. The root is not,
/// but for a principal it means no scope in particular.
fn is_in_sight(call: &Call<'_>, scope: &str) -> bool {
    let Some(tenants) = &call.request.tenants else { return true };
    let holds = |scope| tenant_of(scope).is_some_and(|tenant| tenants.iter().any(|known| known == tenant));
    let of_principal = scope_or_default(&call.request.principal.scope, call.settings);
    holds(scope) && (of_principal.is_empty() || holds(of_principal))
}

/// The version and the scope that `item` asks for.
fn asked_for<'r>(settings: &'r Settings, item: &'r Item<'_>) -> (&'r str, &'r str) {
    let resource = &item.resource;
    (version_or_default(&resource.policy_version, settings), scope_or_default(&resource.scope, settings))
}

fn version_or_default<'r>(written: &'r str, settings: &'r Settings) -> &'r str {
    if written.is_empty() { &settings.default_policy_version } else { written }
}

fn scope_or_default<'r>(written: &'r str, settings: &'r Settings) -> &'r str {
    scope_name(if written.is_empty() { &settings.default_scope } else { written })
}
