//! What can be said of one policy alone: the form of its names, what must be unique in it, and what this
//! version does not evaluate yet.

use std::collections::BTreeMap;

use super::ast::{
    Body, DerivedRoles, Document, PrincipalPolicy, ResourcePolicy, ResourceRule, RolePolicy, Scope, Text,
};
use super::diagnostic::Code;
use super::findings::{Finding, Findings};
use super::yaml::Place;
use crate::limits::SCOPE_SEGMENTS;

/// Checks one policy.
pub(super) fn document(document: &Document<'_>, findings: &mut Findings<'_>) {
    match &document.body {
        Body::Resource(body) => resource_policy(body, findings),
        Body::Principal(body) => principal_policy(body, findings),
        Body::Role(body) => role_policy(body, findings),
        Body::DerivedRoles(body) => derived_roles(body, findings),
        Body::ExportVariables(body) => form(&body.name, "name", is_set_name, SET_NAME, findings),
        Body::ExportConstants(body) => form(&body.name, "name", is_set_name, SET_NAME, findings),
    }
    if !document.disabled {
        not_evaluated_yet(document, findings);
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
        findings.add(Finding::new(Code::NotUnique, text.place, message).hint(hint));
    }
}

/// Whether `name` can follow `V.`, `C.` or `G.` in an expression.
#[must_use]
pub fn is_identifier(name: &str) -> bool {
    const RESERVED: [&str; 20] = [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
    ];
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(is_word_char) && !RESERVED.contains(&name) && name != "while"
}

const NO_GLOB: &str = "none of `! * ? [ ] { }` may occur";
const WORD: &str = "only letters, digits and `_` may occur";
const SET_NAME: &str = "only letters, digits, `_`, `-` and `.` may occur";

fn resource_policy(body: &ResourcePolicy<'_>, findings: &mut Findings<'_>) {
    form(&body.resource, "resource", is_name_without_glob, NO_GLOB, findings);
    form(&body.version, "version", is_word, WORD, findings);
    scope_form(&body.scope, findings);
    for import in &body.import_derived_roles {
        form(import, "importDerivedRoles", is_set_name, SET_NAME, findings);
    }
    unique(&body.import_derived_roles, "import", findings);
    for rule in &body.rules {
        resource_rule(rule, findings);
    }
    rule_names(body.rules.iter().map(|rule| &rule.name), findings);
}

fn principal_policy(body: &PrincipalPolicy<'_>, findings: &mut Findings<'_>) {
    form(&body.principal, "principal", is_name_without_glob, NO_GLOB, findings);
    form(&body.version, "version", is_word, WORD, findings);
    scope_form(&body.scope, findings);
    let resources: Vec<_> = body.rules.iter().map(|rule| rule.resource.clone()).collect();
    unique(&resources, "resource", findings);
    for rule in &body.rules {
        rule_names(rule.actions.iter().map(|rule| &rule.name), findings);
    }
}

fn role_policy(body: &RolePolicy<'_>, findings: &mut Findings<'_>) {
    form(&body.role, "role", is_name_without_glob, NO_GLOB, findings);
    if let Some(version) = body.version.as_ref().filter(|version| is_given(version)) {
        form(version, "version", is_word, WORD, findings);
    }
    scope_form(&body.scope, findings);
    role_names(&body.parent_roles, findings);
    rule_names(body.rules.iter().map(|rule| &rule.name), findings);
    if body.rules.is_empty() {
        let message = format!("the policy has no rules and does not confine role `{}`", body.role.value);
        let hint = "list the actions that it may perform; as it is, it may do all that its parent roles may";
        findings.add(Finding::new(Code::NothingConfined, body.role.place, message).hint(hint));
    }
}

fn resource_rule(rule: &ResourceRule<'_>, findings: &mut Findings<'_>) {
    unique(&rule.actions, "action", findings);
    role_names(&rule.roles, findings);
    for role in &rule.derived_roles {
        form(role, "derivedRoles", is_set_name, SET_NAME, findings);
    }
    if rule.roles.is_empty() && rule.derived_roles.is_empty() {
        let message = "the rule names neither `roles` nor `derivedRoles`";
        let hint = "add `roles`, with `\"*\"` for whoever holds any role";
        findings.add(Finding::new(Code::MissingField, rule.place, message).hint(hint));
    }
}

/// The form of the names that are given, each to be given once.
fn rule_names<'p, 't: 'p>(names: impl Iterator<Item = &'p Option<Text<'t>>>, findings: &mut Findings<'_>) {
    const RULE_NAME: &str = "begin with a letter; then letters, digits, `_`, `-`, `.` and `@`";
    let given: Vec<_> = names.flatten().filter(|name| is_given(name)).cloned().collect();
    for name in &given {
        form(name, "name", is_rule_name, RULE_NAME, findings);
    }
    unique(&given, "rule name", findings);
}

fn derived_roles(body: &DerivedRoles<'_>, findings: &mut Findings<'_>) {
    form(&body.name, "name", is_set_name, SET_NAME, findings);
    for role in &body.definitions {
        form(&role.name, "name", is_set_name, SET_NAME, findings);
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

fn not_evaluated_yet(document: &Document<'_>, findings: &mut Findings<'_>) {
    let Body::Resource(ResourcePolicy { schemas: Some(place), .. }) = &document.body else {
        return;
    };
    let message = "`schemas` are not evaluated by this version";
    findings.add(Finding::new(Code::NotEvaluatedYet, *place, message));
}

fn scope_form(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    const SCOPE: &str = "write names of letters, digits, `_` and `-`, separated by single `.`";
    let Some(scope) = &scope.scope else { return };
    form(scope, "scope", is_scope, SCOPE, findings);
    if scope.value.split('.').count() > SCOPE_SEGMENTS {
        let message = format!("the scope has more than {SCOPE_SEGMENTS} segments");
        findings.add(Finding::new(Code::TooLarge, scope.place, message));
    }
}

fn form(text: &Text<'_>, field: &str, holds: fn(&str) -> bool, hint: &str, findings: &mut Findings<'_>) {
    if !holds(&text.value) {
        let message = format!("`{}` is not a valid `{field}`", text.value);
        findings.add(Finding::new(Code::InvalidValue, text.place, message).hint(hint));
    }
}

fn is_given(text: &Text<'_>) -> bool {
    !text.value.is_empty()
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_word_char)
}

fn is_set_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| is_word_char(c) || matches!(c, '-' | '.'))
}

fn is_name_without_glob(text: &str) -> bool {
    !text.is_empty() && !text.contains(['!', '*', '?', '[', ']', '{', '}'])
}

fn is_rule_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| is_word_char(c) || matches!(c, '@' | '.' | '-'))
}

fn is_scope(text: &str) -> bool {
    let is_segment = |segment: &str| {
        segment.starts_with(is_word_char) && segment.chars().all(|c| is_word_char(c) || c == '-')
    };
    text.is_empty() || text == "." || (!text.starts_with('_') && text.split('.').all(is_segment))
}
