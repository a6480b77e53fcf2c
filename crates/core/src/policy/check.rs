//! What can be said of one policy alone: what must be unique in it and how large it may be.

use std::collections::BTreeMap;

use super::ast::{
    Body, DerivedRoles, Document, PrincipalPolicy, ResourcePolicy, ResourceRule, RolePolicy, Scope, Text,
};
use super::diagnostic::Code;
use super::findings::{Finding, Findings};
use super::yaml::Place;
use crate::limits::SCOPE_SEGMENTS;

/// Checks one policy. One that is disabled is as good as absent.
pub(super) fn document(document: &Document<'_>, findings: &mut Findings<'_>) {
    if document.disabled {
        return;
    }
    match &document.body {
        Body::Resource(body) => resource_policy(body, findings),
        Body::Principal(body) => principal_policy(body, findings),
        Body::Role(body) => role_policy(body, findings),
        Body::DerivedRoles(body) => derived_roles(body, findings),
        Body::ExportVariables(_) | Body::ExportConstants(_) | Body::Capabilities(_) => {}
    }
}

/// Reports every text that occurs a second time in `texts`.
fn unique(texts: &[Text<'_>], what: &str, findings: &mut Findings<'_>) {
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    for text in texts {
        let Some(first) = seen.get(text.value.as_ref()) else {
            seen.insert(&text.value, text.place);
            continue;
        };
        let message = format!("{what} `{}` occurs twice", text.value);
        let hint = format!("the first is at line {}, column {}", first.line, first.column);
        findings.add(Finding::new(Code::DuplicateName, text.place, message).hint(hint));
    }
}

/// Whether `name` can follow `V.`, `C.` or `G.` in an expression.
#[must_use]
pub fn is_identifier(name: &str) -> bool {
    const RESERVED: [&str; 4] = ["false", "in", "null", "true"];
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(is_word_char) && !RESERVED.contains(&name)
}

fn resource_policy(body: &ResourcePolicy<'_>, findings: &mut Findings<'_>) {
    scope_depth(&body.scope, findings);
    body.rules.iter().for_each(|rule| resource_rule(rule, findings));
    rule_names(body.rules.iter().map(|rule| &rule.name), findings);
}

fn principal_policy(body: &PrincipalPolicy<'_>, findings: &mut Findings<'_>) {
    scope_depth(&body.scope, findings);
    let resources: Vec<_> = body.rules.iter().map(|rule| rule.resource.clone()).collect();
    unique(&resources, "resource", findings);
    for rule in &body.rules {
        rule_names(rule.actions.iter().map(|rule| &rule.name), findings);
    }
}

fn role_policy(body: &RolePolicy<'_>, findings: &mut Findings<'_>) {
    scope_depth(&body.scope, findings);
    role_names(&body.parent_roles, findings);
    if body.rules.is_empty() {
        let message = format!("the policy has no rules and does not confine role `{}`", body.role.value);
        let hint = "list the actions that it may perform; as it is, it may do all that its parent roles may";
        findings.add(Finding::new(Code::NothingConfined, body.role.place, message).hint(hint));
    }
}

fn resource_rule(rule: &ResourceRule<'_>, findings: &mut Findings<'_>) {
    role_names(&rule.roles, findings);
    if rule.roles.is_empty() && rule.derived_roles.is_empty() {
        let message = "the rule names neither `roles` nor `derivedRoles`";
        findings.add(Finding::new(Code::NoRoles, rule.place, message));
    }
}

/// The names that are given, each to be given once.
fn rule_names<'p, 't: 'p>(names: impl Iterator<Item = &'p Option<Text<'t>>>, findings: &mut Findings<'_>) {
    let given: Vec<_> = names.flatten().filter(|name| is_given(name)).cloned().collect();
    unique(&given, "rule name", findings);
}

fn derived_roles(body: &DerivedRoles<'_>, findings: &mut Findings<'_>) {
    for role in &body.definitions {
        role_names(&role.parent_roles, findings);
    }
    let names: Vec<_> = body.definitions.iter().map(|role| role.name.clone()).collect();
    unique(&names, "derived role", findings);
}

/// Roles are compared as they are written; whoever writes `ad*` may expect something else.
fn role_names(roles: &[Text<'_>], findings: &mut Findings<'_>) {
    for role in roles.iter().filter(|role| role.value != "*" && role.value.contains(['*', '?'])) {
        let message = format!("`{}` is taken for the name of a role: roles are no patterns", role.value);
        let hint = "name each role; only `*` alone stands for any role";
        findings.add(Finding::new(Code::PatternAsRole, role.place, message).hint(hint));
    }
}

fn scope_depth(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    let Some(scope) = &scope.scope else { return };
    if scope.value.split('.').count() > SCOPE_SEGMENTS {
        let message = format!("the scope has more than {SCOPE_SEGMENTS} segments");
        findings.add(Finding::new(Code::TooLarge, scope.place, message));
    }
}

fn is_given(text: &Text<'_>) -> bool {
    !text.value.is_empty()
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
