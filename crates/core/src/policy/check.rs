//! What can be said of one policy alone: what must be unique in it, and what this version does not evaluate
//! yet.

use std::collections::BTreeMap;

use super::ast::{Body, DerivedRoles, Policy, ResourceRule, Text};
use super::diagnostic::Code;
use super::findings::{Finding, Findings};
use super::yaml::Place;

/// Checks one policy. One that is disabled is as good as absent.
pub(super) fn policy(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    if policy.disabled {
        return;
    }
    match &policy.body {
        Body::Resource(body) => {
            body.rules.iter().for_each(|rule| resource_rule(rule, findings));
            rule_names(body.rules.iter().map(|rule| &rule.name), findings);
        }
        Body::Principal(body) => {
            for rules in &body.rules {
                rule_names(rules.iter().map(|rule| &rule.name), findings);
            }
        }
        Body::DerivedRoles(body) => derived_roles(body, findings),
        Body::Role(_) | Body::ExportVariables(_) | Body::ExportConstants(_) => {}
    }
    not_evaluated_yet(policy, findings);
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

/// Whether `name` can follow `V.` or `C.` in an expression.
pub(super) fn is_identifier(name: &str) -> bool {
    const RESERVED: [&str; 4] = ["false", "in", "null", "true"];
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(is_word_char) && !RESERVED.contains(&name)
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

fn not_evaluated_yet(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    let mut refuse = |place: Place, what: &str| {
        let message = format!("{what} are not evaluated by this version");
        findings.add(Finding::new(Code::NotEvaluatedYet, place, message));
    };
    let scope = match &policy.body {
        Body::Resource(body) => {
            if let Some(place) = body.schemas {
                refuse(place, "`schemas`");
            }
            Some(&body.scope)
        }
        Body::Principal(body) => {
            refuse(policy.place, "principal policies");
            Some(&body.scope)
        }
        Body::Role(body) => {
            refuse(policy.place, "role policies");
            Some(&body.scope)
        }
        Body::DerivedRoles(_) | Body::ExportVariables(_) | Body::ExportConstants(_) => None,
    };
    let Some(scope) = scope else { return };
    if let Some(text) = scope.scope.as_ref().filter(|scope| is_given(scope)) {
        refuse(text.place, "scopes");
    }
    if let Some(place) = scope.permissions {
        refuse(place, "`scopePermissions`");
    }
}

fn is_given(text: &Text<'_>) -> bool {
    !text.value.is_empty()
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
