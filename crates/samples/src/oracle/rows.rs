//! Policies as rows: one for each way to find a rule.

use std::collections::BTreeMap;

use super::glob;
use crate::expr::{Expr, Tree, Value};
use crate::model::{DerivedRole, Head, Policy, PrincipalPolicy, ResourcePolicy, RolePolicy, When};

/// One way to find a rule.
pub(super) struct Row<'s> {
    /// The rule, as outputs name it.
    pub(super) src: String,
    pub(super) effect: RowEffect<'s>,
    pub(super) head: &'s Head,
    pub(super) condition: Option<&'s Tree>,
    /// The derived role that the principal must hold, and the names that its condition may use.
    pub(super) derived: Option<(&'s DerivedRole, &'s Head)>,
    pub(super) when: Option<&'s When>,
}

/// What a row says where its condition is met.
#[derive(Clone, Copy)]
pub(super) enum RowEffect<'s> {
    Allow,
    Deny,
    /// The action is denied where the condition is *not* met: what a role policy lists, or an allow rule that needs
    /// the consent of the scope above. Of a role policy, it is named as the policy that decides.
    DenyUnless(Option<&'s RolePolicy>),
}

/// The rows of `policy` about `action` for any of `roles`.
pub(super) fn resource<'s>(
    policy: &'s ResourcePolicy,
    policies: &'s [Policy],
    action: &str,
    roles: &[String],
) -> Vec<Row<'s>> {
    let mut rows = Vec::new();
    for (number, rule) in policy.rules.iter().enumerate() {
        let src = format!("{}#{}", key("resource", &policy.kind, &policy.head), name(&rule.when, "", number));
        let row = |derived| Row {
            src: src.clone(),
            effect: if rule.deny { RowEffect::Deny } else { RowEffect::Allow },
            head: &policy.head,
            condition: rule.when.condition.as_ref(),
            derived,
            when: Some(&rule.when),
        };
        let held = |role: &&String| *role == "*" || roles.contains(role);
        for _ in rule.actions.iter().filter(|pattern| glob::matches(pattern, action)) {
            rows.extend(rule.roles.iter().filter(held).map(|_| row(None)));
            for derived in rule.derived.iter().map(|name| derived_role(policies, &policy.imports, name)) {
                rows.extend(derived.0.parents.iter().filter(held).map(|_| row(Some(derived))));
            }
        }
    }
    rows
}

/// The rows of `policy` about `action` on resources of `kind`.
pub(super) fn principal<'s>(policy: &'s PrincipalPolicy, kind: &str, action: &str) -> Vec<Row<'s>> {
    let mut rows = Vec::new();
    for (resource, rules) in &policy.rules {
        for (number, rule) in rules.iter().enumerate() {
            if !about(resource, kind) || !glob::matches(&rule.action, action) {
                continue;
            }
            let name = name(&rule.when, &format!("{resource}_"), number);
            rows.push(Row {
                src: format!("{}#{name}", key("principal", &policy.principal, &policy.head)),
                effect: if rule.deny { RowEffect::Deny } else { RowEffect::Allow },
                head: &policy.head,
                condition: rule.when.condition.as_ref(),
                derived: None,
                when: Some(&rule.when),
            });
        }
    }
    rows
}

/// The rows of `policy` about `action` on resources of `kind`: what it does not list is denied.
pub(super) fn role<'s>(policy: &'s RolePolicy, kind: &str, action: &str) -> Vec<Row<'s>> {
    let row = |when: Option<&'s When>| Row {
        src: format!(
            "{}#{}",
            key("role", &policy.role, &policy.head),
            when.and_then(|when| when.name.as_deref()).unwrap_or_default()
        ),
        effect: RowEffect::DenyUnless(Some(policy)),
        head: &policy.head,
        condition: when.and_then(|when| when.condition.as_ref()),
        derived: None,
        when,
    };
    let about_kind = policy.rules.iter().filter(|rule| {
        let of_action = |pattern: &String| glob::matches_in_full(pattern, action);
        glob::matches(&rule.resource, kind) && rule.actions.iter().any(of_action)
    });
    let listed: Vec<_> = about_kind.map(|rule| row(Some(&rule.when))).collect();
    if listed.is_empty() { vec![Row { effect: RowEffect::Deny, ..row(None) }] } else { listed }
}

/// The variables that expressions of `head` may use, in an order in which each needs earlier ones only.
pub(super) fn variables<'s>(head: &'s Head, policies: &'s [Policy]) -> Vec<&'s (String, Expr)> {
    let imported = policies.iter().filter_map(|policy| match policy {
        Policy::Variables(name, exported) if head.import_variables.as_ref() == Some(name) => Some(exported),
        _ => None,
    });
    imported.flatten().chain(&head.variables).collect()
}

/// The constants that expressions of `head` may use.
pub(super) fn constants(head: &Head, policies: &[Policy]) -> BTreeMap<String, Value> {
    let imported = policies.iter().filter_map(|policy| match policy {
        Policy::Constants(name, exported) if head.import_constants.as_ref() == Some(name) => Some(exported),
        _ => None,
    });
    imported.flatten().chain(&head.constants).cloned().collect()
}

/// The name of a policy in answers.
pub(super) fn key(kind: &str, name: &str, head: &Head) -> String {
    let scope = if head.scope.is_empty() { String::new() } else { format!("/{}", head.scope) };
    format!("{kind}.{}.v{}{scope}", printed(name), head.version)
}

/// Whether a pattern of kinds is about `kind`, which is given as answers print it. So is a pattern without a star.
pub(super) fn about(pattern: &str, kind: &str) -> bool {
    if pattern.contains('*') { glob::matches(pattern, kind) } else { printed(pattern) == kind }
}

/// A kind as answers print it.
pub(super) fn printed(name: &str) -> String {
    name.replace([':', '-'], "_")
}

fn name(when: &When, before: &str, number: usize) -> String {
    when.name.clone().unwrap_or_else(|| format!("{before}rule-{:03}", number + 1))
}

fn derived_role<'s>(policies: &'s [Policy], imports: &[String], name: &str) -> (&'s DerivedRole, &'s Head) {
    for policy in policies {
        if let Policy::DerivedRoles(set) = policy
            && imports.contains(&set.name)
            && let Some(role) = set.definitions.iter().find(|role| role.name == name)
        {
            return (role, &set.head);
        }
    }
    panic!("no derived role {name}")
}

/// The derived roles that rules of `policy` name, with the names that their conditions may use.
pub(super) fn derived_roles<'s>(
    policy: &'s ResourcePolicy,
    policies: &'s [Policy],
) -> Vec<(&'s DerivedRole, &'s Head)> {
    let mut named: Vec<_> = policy.rules.iter().flat_map(|rule| &rule.derived).collect();
    named.sort();
    named.dedup();
    named.into_iter().map(|name| derived_role(policies, &policy.imports, name)).collect()
}
