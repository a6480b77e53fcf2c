//! Definitions and imports that nothing uses.

use std::collections::{BTreeMap, BTreeSet};

use crate::expr::{self, Used};
use crate::policy::ast::{Body, DerivedRoles, Document, Match, NameSources, Text, When};
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::index::Index;

/// Looks for what no policy of the set uses.
pub(super) fn check(documents: &[Document<'_>], index: &Index<'_, '_>, findings: &mut Findings<'_>) {
    derived_roles(documents, findings);
    for document in documents {
        if let Body::Resource(body) = &document.body {
            let named: BTreeSet<&str> = body
                .rules
                .iter()
                .flat_map(|rule| &rule.derived_roles)
                .map(|role| role.value.as_ref())
                .collect();
            for import in &body.import_derived_roles {
                let Some(set) = index.derived_roles.get(import.value.as_ref()) else { continue };
                if !set.definitions.iter().any(|role| named.contains(role.name.value.as_ref())) {
                    let message = format!("no rule of the policy names a derived role of `{}`", import.value);
                    findings.add(Finding::new(Code::Unused, import.place, message));
                }
            }
        }
        if let Some((sources, expressions)) = expressions(document) {
            definitions(sources, &expressions, index, findings);
        }
    }
}

/// Derived roles that no rule of any policy names.
fn derived_roles(documents: &[Document<'_>], findings: &mut Findings<'_>) {
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for document in documents {
        let Body::Resource(body) = &document.body else { continue };
        let roles = body.rules.iter().flat_map(|rule| &rule.derived_roles).map(|role| role.value.as_ref());
        let roles: Vec<_> = roles.collect();
        for import in &body.import_derived_roles {
            named.entry(&import.value).or_default().extend(&roles);
        }
    }
    for document in documents {
        let Body::DerivedRoles(DerivedRoles { name, definitions, .. }) = &document.body else { continue };
        let Some(named) = named.get(name.value.as_ref()) else {
            let message =
                format!("no policy imports the derived roles `{}`: they are not compiled", name.value);
            findings.add(Finding::new(Code::Unused, name.place, message));
            continue;
        };
        for role in definitions.iter().filter(|role| !named.contains(role.name.value.as_ref())) {
            let message = format!("no rule names the derived role `{}`", role.name.value);
            findings.add(Finding::new(Code::Unused, role.name.place, message));
        }
    }
}

/// Local variables that no expression of the policy reads, neither by itself nor through other variables, and local
/// constants that neither an expression nor a variable reads.
fn definitions(
    sources: &NameSources<'_>,
    expressions: &[&Text<'_>],
    index: &Index<'_, '_>,
    findings: &mut Findings<'_>,
) {
    let (variables, constants) = (&sources.variables.local, &sources.constants.local);
    if variables.is_empty() && constants.is_empty() {
        return;
    }
    let imports = sources.variables.import.iter().filter_map(|name| index.variables.get(name.value.as_ref()));
    let imported = imports.flat_map(|export| &export.definitions);
    let defined: BTreeMap<&str, Used> = imported
        .chain(variables)
        .map(|variable| (variable.name.value.as_ref(), expr::names_used(&variable.value.value)))
        .collect();
    let used: Vec<Used> = expressions.iter().map(|text| expr::names_used(&text.value)).collect();
    let mut unused = |name: &Text<'_>, what: &str| {
        let message = format!("no rule reads the {what} `{}`", name.value);
        findings.add(Finding::new(Code::Unused, name.place, message));
    };
    if let Some(read) = variables_read(&used, &defined) {
        let idle = variables.iter().filter(|variable| !read.contains(variable.name.value.as_ref()));
        idle.for_each(|variable| unused(&variable.name, "variable"));
    }
    let used: Option<Vec<_>> =
        used.iter().chain(defined.values()).map(|used| used.constants.as_ref()).collect();
    let Some(read) = used else { return };
    let read: BTreeSet<&str> = read.into_iter().flatten().map(String::as_str).collect();
    let idle = constants.iter().filter(|constant| !read.contains(constant.name.value.as_ref()));
    idle.for_each(|constant| unused(&constant.name, "constant"));
}

/// The variables that expressions read, by themselves or through others; `None` if it may be any.
fn variables_read<'u>(used: &'u [Used], defined: &'u BTreeMap<&str, Used>) -> Option<BTreeSet<&'u str>> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Used> = used.iter().collect();
    while let Some(next) = open.pop() {
        for name in next.variables.as_ref()? {
            if reached.insert(name.as_str()) {
                open.extend(defined.get(name.as_str()));
            }
        }
    }
    Some(reached)
}

/// The names of a policy and the expressions that may use them.
fn expressions<'p, 't>(document: &'p Document<'t>) -> Option<(&'p NameSources<'t>, Vec<&'p Text<'t>>)> {
    let mut found = Vec::new();
    let sources = match &document.body {
        Body::Resource(body) => {
            body.rules.iter().for_each(|rule| of_rule(&rule.when, &mut found));
            &body.names
        }
        Body::Principal(body) => {
            let actions = body.rules.iter().flat_map(|rule| &rule.actions);
            actions.for_each(|action| of_rule(&action.when, &mut found));
            &body.names
        }
        Body::Role(body) => {
            body.rules.iter().for_each(|rule| of_rule(&rule.when, &mut found));
            &body.names
        }
        Body::DerivedRoles(body) => {
            let conditions = body.definitions.iter().filter_map(|role| role.condition.as_ref());
            conditions.for_each(|condition| of_condition(condition, &mut found));
            &body.names
        }
        Body::ExportVariables(_) | Body::ExportConstants(_) | Body::Capabilities(_) => return None,
    };
    Some((sources, found))
}

fn of_rule<'p, 't>(when: &'p When<'t>, found: &mut Vec<&'p Text<'t>>) {
    when.condition.iter().for_each(|condition| of_condition(condition, found));
    found.extend(when.rule_activated.iter().chain(&when.condition_not_met));
}

/// The depth of conditions is bounded by the decoder.
fn of_condition<'p, 't>(condition: &'p Match<'t>, found: &mut Vec<&'p Text<'t>>) {
    match condition {
        Match::Expr(text) => found.push(text),
        Match::All(parts) | Match::Any(parts) | Match::None(parts) => {
            parts.iter().for_each(|part| of_condition(part, found));
        }
        Match::Script(_) => {}
    }
}
