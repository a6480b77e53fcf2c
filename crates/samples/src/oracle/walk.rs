//! One resource: for each action the principal's own policies and then, role by role, those of the resource; in each
//! from the requested scope to the root, until something is definite.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::Oracle;
use super::eval::{Asking, Bound, Failed, View};
use super::rows::{self, Row, RowEffect};
use super::standing::Standing;
use crate::answer::{Answer, Decision, Output};
use crate::expr::{Tree, Value};
use crate::model::{
    AllowRule, Ask, DerivedRole, Head, Item, Permission, Policy, ResourcePolicy, RolePolicy, Store,
};

/// What is answered about `item`.
pub(super) fn answer(oracle: &Oracle<'_>, policies: &[Policy], ask: &Ask, item: &Item) -> Answer {
    let walk = Walk::new(oracle, policies, ask, item);
    let actions = item.actions.iter().map(|action| (action.clone(), walk.action(action))).collect();
    Answer {
        actions,
        derived_roles: walk.held.into_inner(),
        outputs: walk.outputs.into_inner(),
        validation_errors: Vec::new(),
    }
}

/// One resource of a request, and what was found on the way.
pub(super) struct Walk<'s> {
    store: &'s Store,
    standing: &'s Standing<'s>,
    policies: &'s [Policy],
    ask: &'s Ask,
    item: &'s Item,
    asking: Asking,
    outputs: RefCell<Vec<Output>>,
    held: RefCell<BTreeSet<String>>,
}

/// An expression has no value and settings are strict: nothing more is asked.
struct Stopped {
    policy: String,
    scope: String,
}

/// What one role is told.
enum Told {
    Nothing,
    Allow(String),
    Deny { scope: String, role_policy: Option<String> },
}

impl<'s> Walk<'s> {
    pub(super) fn new(oracle: &'s Oracle<'s>, policies: &'s [Policy], ask: &'s Ask, item: &'s Item) -> Self {
        Self {
            store: oracle.store,
            standing: &oracle.standing,
            policies,
            ask,
            item,
            asking: Asking::Answers,
            outputs: RefCell::default(),
            held: RefCell::default(),
        }
    }

    /// With expressions as closed mode understands them.
    pub(super) fn in_closed_mode(self) -> Self {
        Self { asking: Asking::Fails, ..self }
    }

    fn action(&self, action: &str) -> Decision {
        let denied = |policy: &str, scope: &str| Decision {
            allow: false,
            policy: policy.to_owned(),
            scope: scope.to_owned(),
        };
        if !self.is_in_sight() {
            return denied("NO_MATCH", "");
        }
        let principal_scopes = self.standing.principal_chain(self.scope(&self.ask.scope));
        let resource_scopes = self.standing.resource_chain(self.scope(&self.item.scope));
        let principal_version = or(&self.ask.version, &self.store.settings.default_version);
        let principal_exists = self.standing.principal_exists(principal_version, &principal_scopes);
        let resource_exists = self.standing.resource_exists(&self.kind(), self.version(), &resource_scopes);
        if !principal_exists && !resource_exists {
            return denied("NO_MATCH", "");
        }
        let main = match (resource_exists, resource_scopes.first()) {
            (true, Some(scope)) => self.key("resource", &self.item.kind, self.version(), scope),
            _ => "NO_MATCH".to_owned(),
        };
        let own = match (principal_exists, principal_scopes.first()) {
            (true, Some(scope)) => self.key("principal", &self.ask.principal, principal_version, scope),
            _ => "NO_MATCH".to_owned(),
        };
        match self.principal(action, &principal_scopes) {
            Err(stopped) => return denied(&stopped.policy, &stopped.scope),
            Ok(Told::Nothing) => {}
            Ok(Told::Allow(scope)) => return Decision { allow: true, policy: own, scope },
            Ok(Told::Deny { scope, .. }) => return denied(&own, &scope),
        }
        let mut first = None;
        for role in &self.ask.roles {
            match self.role(role, action, &resource_scopes) {
                Err(stopped) => return denied(&stopped.policy, &stopped.scope),
                Ok(Told::Nothing) => {}
                Ok(Told::Allow(scope)) => return Decision { allow: true, policy: main, scope },
                Ok(Told::Deny { scope, role_policy }) => {
                    let policy = role_policy.unwrap_or_else(|| main.clone());
                    first.get_or_insert(denied(&policy, &scope));
                }
            }
        }
        first.unwrap_or_else(|| denied(&main, ""))
    }

    fn principal(&self, action: &str, scopes: &[String]) -> Result<Told, Stopped> {
        self.scopes(action, scopes, |scope| {
            let own = self.policies.iter().filter_map(|policy| match policy {
                Policy::Principal(policy) if policy.principal == self.ask.principal => Some(policy),
                _ => None,
            });
            let own =
                own.filter(|policy| policy.head.version == self.version() && policy.head.scope == *scope);
            own.flat_map(|policy| rows::principal(policy, &self.kind(), action)).collect()
        })
    }

    fn role(&self, role: &str, action: &str, scopes: &[String]) -> Result<Told, Stopped> {
        let roles = self.with_parents(role);
        self.scopes(action, scopes, |scope| {
            let mut rows = Vec::new();
            if self.any_row(scope, &roles) {
                for role in &roles {
                    let own = self.role_policies();
                    let own = own.filter(|policy| policy.role == *role && self.is_at(&policy.head, scope));
                    rows.extend(own.flat_map(|policy| rows::role(policy, &self.kind(), action)));
                }
            }
            if let Some(policy) = self.resource_policy(scope) {
                self.hold_derived_roles(policy);
                rows.extend(rows::resource(policy, self.policies, action, &roles));
            }
            rows
        })
    }

    /// Whether there is anything in `scope` about the kind and any of `roles`, whatever the action. Otherwise the
    /// peer does not look at the role policies.
    fn any_row(&self, scope: &str, roles: &[String]) -> bool {
        let of_roles = self.role_policies().any(|policy| {
            let about = |rule: &AllowRule| super::glob::matches(&rule.resource, &self.kind());
            roles.contains(&policy.role) && self.is_at(&policy.head, scope) && policy.rules.iter().any(about)
        });
        let of_kind = self.resource_policy(scope).is_some_and(|policy| {
            let derived = rows::derived_roles(policy, self.policies).into_iter();
            let derived = derived.flat_map(|(role, _)| &role.parents);
            let mut named = policy.rules.iter().flat_map(|rule| &rule.roles).chain(derived);
            named.any(|role| role == "*" || roles.contains(role))
        });
        of_roles || of_kind
    }

    /// From the first of `scopes` to the last, until one says something definite.
    fn scopes(
        &self,
        action: &str,
        scopes: &[String],
        rows: impl Fn(&String) -> Vec<Row<'s>>,
    ) -> Result<Told, Stopped> {
        for scope in scopes {
            let mut allowed = false;
            let rows = rows(scope);
            for row in &rows {
                let stopped = |Failed| Stopped {
                    policy: row.src.split('#').next().unwrap_or_default().to_owned(),
                    scope: scope.clone(),
                };
                // The derived roles of a rule come in any order; an error of one is met first, whatever the order.
                let beside = rows.iter().filter(|other| row.derived.is_some() && other.src == row.src);
                for (derived, head) in beside.filter_map(|other| other.derived) {
                    self.condition(derived.condition.as_ref(), head, None).map_err(stopped)?;
                }
                if let Some((derived, head)) = row.derived
                    && !self.condition(derived.condition.as_ref(), head, None).map_err(stopped)?
                {
                    continue;
                }
                let consent = self.store.permissions.get(scope) == Some(&Permission::Consent);
                let held = self.held_at(scope);
                let met = self.condition(row.condition, row.head, held.as_ref()).map_err(stopped)?;
                let effect = match row.effect {
                    RowEffect::Allow if consent && row.condition.is_some() => RowEffect::DenyUnless(None),
                    effect => effect,
                };
                let applies = met != matches!(effect, RowEffect::DenyUnless(_));
                let lists = matches!(effect, RowEffect::DenyUnless(Some(_)));
                self.put_out(row, action, if lists { met } else { applies }, scope);
                match effect {
                    RowEffect::Allow => allowed |= applies,
                    RowEffect::Deny if !applies => {}
                    RowEffect::Deny => {
                        let role_policy = row.when.is_none().then(|| row.src.replace('#', ""));
                        return Ok(Told::Deny { scope: scope.clone(), role_policy });
                    }
                    RowEffect::DenyUnless(_) if !applies => {}
                    RowEffect::DenyUnless(policy) => {
                        let role_policy = policy.map(|policy| rows::key("role", &policy.role, &policy.head));
                        return Ok(Told::Deny { scope: scope.clone(), role_policy });
                    }
                }
            }
            if allowed && self.store.permissions.get(scope) != Some(&Permission::Consent) {
                return Ok(Told::Allow(scope.clone()));
            }
        }
        Ok(Told::Nothing)
    }

    fn put_out(&self, row: &Row<'s>, action: &str, applies: bool, scope: &str) {
        let Some(when) = row.when else {
            return;
        };
        let Some(expr) = (if applies { &when.activated } else { &when.not_met }) else {
            return;
        };
        let names = self.bound(row.head, self.held_at(scope).as_ref());
        let held = self.held_at(scope);
        let value = self.view(&names, held.as_ref()).json(expr);
        let output = Output { src: row.src.clone(), action: action.to_owned(), value };
        self.outputs.borrow_mut().push(output);
    }

    fn condition(
        &self,
        tree: Option<&Tree>,
        head: &Head,
        held: Option<&BTreeSet<String>>,
    ) -> Result<bool, Failed> {
        let names = self.bound(head, held);
        tree.map_or(Ok(true), |tree| self.tree(tree, &self.view(&names, held)))
    }

    fn tree(&self, tree: &Tree, view: &View<'_>) -> Result<bool, Failed> {
        let until = |decisive: bool, items: &[Tree]| {
            for item in items {
                if self.tree(item, view)? == decisive {
                    return Ok(decisive);
                }
            }
            Ok(!decisive)
        };
        match tree {
            Tree::Leaf(expr) => match view.value(expr) {
                Ok(value) => Ok(value == Value::Bool(true)),
                Err(Failed) if self.store.settings.strict => Err(Failed),
                Err(Failed) => Ok(false),
            },
            Tree::All(items) => until(false, items),
            Tree::Any(items) => until(true, items),
            Tree::None(items) => until(true, items).map(|any| !any),
        }
    }

    pub(super) fn view<'v>(&'v self, names: &'v Bound, held: Option<&'v BTreeSet<String>>) -> View<'v> {
        let (settings, asking) = (&self.store.settings, self.asking);
        View { settings, ask: self.ask, item: self.item, names, held, asking }
    }

    pub(super) fn bound(&self, head: &Head, held: Option<&BTreeSet<String>>) -> Bound {
        let mut names = Bound { constants: rows::constants(head, self.policies), ..Bound::default() };
        for (name, expr) in rows::variables(head, self.policies) {
            let value = self.view(&names, held).value(expr);
            names.variables.extend(value.ok().map(|value| (name.clone(), value)));
        }
        names
    }

    fn hold_derived_roles(&self, policy: &ResourcePolicy) {
        self.held.borrow_mut().extend(self.held_by(policy));
    }

    /// The derived roles in effect in `scope`; `None` if settings are strict and one of them has no truth value.
    fn held_at(&self, scope: &str) -> Option<BTreeSet<String>> {
        let Some(policy) = self.resource_policy(scope) else {
            return Some(BTreeSet::new());
        };
        let derived = rows::derived_roles(policy, self.policies).into_iter();
        let held: Result<Vec<_>, Failed> =
            derived.map(|(role, head)| Ok(self.holds((role, head))?.then(|| role.name.clone()))).collect();
        held.ok().map(|held| held.into_iter().flatten().collect())
    }

    fn held_by(&self, policy: &'s ResourcePolicy) -> BTreeSet<String> {
        let derived = rows::derived_roles(policy, self.policies).into_iter();
        derived
            .filter(|derived| self.holds(*derived) == Ok(true))
            .map(|(role, _)| role.name.clone())
            .collect()
    }

    fn holds(&self, (role, head): (&DerivedRole, &Head)) -> Result<bool, Failed> {
        let mut roles = self.ask.roles.iter().flat_map(|role| self.with_parents(role));
        if !roles.any(|held| role.parents.iter().any(|parent| *parent == "*" || *parent == held)) {
            return Ok(false);
        }
        self.condition(role.condition.as_ref(), head, Some(&BTreeSet::new()))
    }

    /// `role` and those that it narrows, in the requested scope.
    fn with_parents(&self, role: &str) -> Vec<String> {
        let scope = self.scope(&self.item.scope);
        let mut found = vec![role.to_owned()];
        let mut next = 0;
        while let Some(role) = found.get(next).cloned() {
            for policy in
                self.role_policies().filter(|policy| policy.role == role && policy.head.scope == scope)
            {
                for parent in &policy.parents {
                    if !found.contains(parent) {
                        found.push(parent.clone());
                    }
                }
            }
            next += 1;
        }
        found
    }

    fn role_policies(&self) -> impl Iterator<Item = &'s RolePolicy> {
        self.policies.iter().filter_map(|policy| match policy {
            Policy::Role(policy) => Some(policy),
            _ => None,
        })
    }

    fn resource_policy(&self, scope: &str) -> Option<&'s ResourcePolicy> {
        self.policies.iter().find_map(|policy| match policy {
            Policy::Resource(policy) if policy.kind == self.item.kind && self.is_at(&policy.head, scope) => {
                Some(policy)
            }
            _ => None,
        })
    }

    fn is_at(&self, head: &Head, scope: &str) -> bool {
        head.version == self.version() && head.scope == scope
    }

    /// The policy version that is meant.
    pub(super) fn version(&self) -> &str {
        or(&self.item.version, &self.store.settings.default_version)
    }

    fn kind(&self) -> String {
        rows::printed(&self.item.kind)
    }

    /// Whether the tenants that the caller is bound to include that of the resource and, unless that is the root, of
    /// the principal.
    fn is_in_sight(&self) -> bool {
        let Some(tenants) = &self.ask.tenants else {
            return true;
        };
        let [resource, principal] = [&self.item.scope, &self.ask.scope].map(|scope| {
            let scope = self.scope(scope);
            tenants
                .iter()
                .filter(|tenant| scope == *tenant || scope.starts_with(&format!("{tenant}.")))
                .count()
        });
        resource > 0 && (principal > 0 || self.scope(&self.ask.scope).is_empty())
    }

    /// The scope that is meant.
    fn scope(&self, requested: &'s str) -> &'s str {
        match requested {
            "" => &self.store.settings.default_scope,
            "." => "",
            scope => scope,
        }
    }

    fn key(&self, kind: &str, name: &str, version: &str, scope: &str) -> String {
        let head = Head { version: version.to_owned(), scope: scope.to_owned(), ..Head::default() };
        rows::key(kind, name, &head)
    }
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}
