//! The set as a whole: which policy stands for which name, and what can be imported.

use std::collections::BTreeMap;

use super::ast::{Body, DerivedRoles, Document, Export, RolePolicy, Scope, Text};
use super::diagnostic::{Code, Subject};
use super::findings::{Finding, Findings};
use super::hint;
use super::yaml::Place;
use crate::expr::Patterns;
use crate::model::scope_name;
use crate::value::Value;

/// What policies can import, by name, and the regular expressions that they share.
#[derive(Debug, Default)]
pub(super) struct Index<'p, 't> {
    pub(super) derived_roles: BTreeMap<&'p str, &'p DerivedRoles<'t>>,
    pub(super) variables: BTreeMap<&'p str, &'p Export<'t, Text<'t>>>,
    pub(super) constants: BTreeMap<&'p str, &'p Export<'t, Value<'static>>>,
    pub(super) patterns: Patterns,
}

/// Indexes the set and reports policies that occur twice.
///
/// INVARIANT(policy_identity): two policies are the same if kind of policy, name, version and scope are, as
/// written; names that merely print alike stay apart.
pub(super) fn build<'p, 't>(documents: &'p [Document<'t>], findings: &mut Findings<'_>) -> Index<'p, 't> {
    let mut index = Index::default();
    let mut seen: BTreeMap<Identity<'p>, Place> = BTreeMap::new();
    for document in documents {
        let identity = identity(&document.body);
        if let Some(first) = seen.get(&identity) {
            let first = findings.position(*first);
            let message = format!("policy `{}` exists twice: here and at {first}", name(&identity));
            let subject = Subject::Duplicate { policy: name(&identity), other: first.file.to_string() };
            findings.add(Finding::new(Code::DuplicatePolicy, document.place, message).about(subject));
            continue;
        }
        seen.insert(identity, document.place);
        match &document.body {
            Body::DerivedRoles(body) => drop(index.derived_roles.insert(&body.name.value, body)),
            Body::ExportVariables(body) => drop(index.variables.insert(&body.name.value, body)),
            Body::ExportConstants(body) => drop(index.constants.insert(&body.name.value, body)),
            Body::Resource(_) | Body::Principal(_) | Body::Role(_) | Body::Capabilities(_) => {}
        }
    }
    index
}

/// What `import` names in `exports`; reported if there is no such thing.
pub(super) fn import<'p, T>(
    import: &Text<'_>,
    what: &'static str,
    exports: &BTreeMap<&'p str, &'p T>,
    findings: &mut Findings<'_>,
) -> Option<&'p T> {
    let found = exports.get(import.value.as_ref()).copied();
    if found.is_none() {
        let message = format!("no file of the set defines {what} `{}`", import.value);
        let subject = Subject::Import { what, name: import.value.to_string() };
        let finding = Finding::new(Code::UnknownImport, import.place, message).about(subject);
        findings.add(match hint::similar(&import.value, exports.keys().copied()) {
            Some(hint) => finding.hint(hint),
            None => finding,
        });
    }
    found
}

/// A policy as the peer prints it: kind, name, version and scope.
pub(super) fn name_of(document: &Document<'_>) -> String {
    name(&identity(&document.body))
}

/// The version of a role policy, which may be left out.
pub(super) fn version_of<'p>(body: &'p RolePolicy<'_>) -> &'p str {
    let version = body.version.as_ref().map_or("", |version| &version.value);
    if version.is_empty() { "default" } else { version }
}

/// The scope of a policy, empty for the root.
pub(super) fn scope<'p>(scope: &'p Scope<'_>) -> &'p str {
    scope.scope.as_ref().map_or("", |text| scope_name(&text.value))
}

/// Kind of policy, name, version, scope.
type Identity<'p> = (&'static str, &'p str, &'p str, &'p str);

fn identity<'p>(body: &'p Body<'_>) -> Identity<'p> {
    match body {
        Body::Resource(body) => ("resource", &body.resource.value, &body.version.value, scope(&body.scope)),
        Body::Principal(body) => {
            ("principal", &body.principal.value, &body.version.value, scope(&body.scope))
        }
        Body::Role(body) => ("role", &body.role.value, version_of(body), scope(&body.scope)),
        Body::DerivedRoles(body) => ("derived_roles", &body.name.value, "", ""),
        Body::ExportVariables(body) => ("export_variables", &body.name.value, "", ""),
        Body::ExportConstants(body) => ("export_constants", &body.name.value, "", ""),
        Body::Capabilities(body) => ("capabilities", &body.system.value, "", ""),
    }
}

fn name((kind, name, version, scope): &Identity<'_>) -> String {
    let version = if version.is_empty() { String::new() } else { format!(".v{version}") };
    let scope = if scope.is_empty() { String::new() } else { format!("/{scope}") };
    format!("{kind}.{name}{version}{scope}")
}
