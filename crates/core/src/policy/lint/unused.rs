//! Definitions and imports that nothing uses.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::expr::{self, Used};
use crate::policy::ast::{Body, Document, NameSources, Text};
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::index::{Index, Uses};
use crate::policy::outline::{ExportKind, Outline};

/// Looks for what one policy defines or imports and does not use.
pub(super) fn check<'p>(document: &'p Document<'_>, index: &Index<'p, '_>, findings: &mut Findings<'_>) {
    if let Body::Resource(body) = &document.body {
        let named: BTreeSet<&str> =
            body.rules.iter().flat_map(|rule| &rule.derived_roles).map(|role| role.value.as_ref()).collect();
        for import in &body.import_derived_roles {
            let Some(set) = index.derived_roles.get(import.value.as_ref()) else { continue };
            if !set.definitions.iter().any(|role| named.contains(role.name.value.as_ref())) {
                let message = format!("no rule of the policy names a derived role of `{}`", import.value);
                findings.add(Finding::new(Code::Unused, import.place, message));
            }
        }
    }
    if let Some(sources) = document.body.names() {
        definitions(sources, &document.body.expressions(), index, findings);
    }
}

/// Looks for derived roles that no rule of any policy names.
pub(super) fn derived_roles(outlines: &[&Outline], findings: &mut Findings<'_>) {
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for outline in outlines {
        for import in outline.imported(ExportKind::DerivedRoles) {
            named.entry(import).or_default().extend(outline.named_roles.iter().map(AsRef::as_ref));
        }
    }
    for outline in outlines {
        let Some((place, definitions)) = &outline.defined_roles else { continue };
        let set = &outline.identity.name;
        let Some(named) = named.get(set.as_ref()) else {
            let message = format!("no policy imports the derived roles `{set}`: they are not compiled");
            findings.add(Finding::new(Code::Unused, *place, message));
            continue;
        };
        for (role, place) in definitions.iter().filter(|(role, _)| !named.contains(role.as_ref())) {
            let message = format!("no rule names the derived role `{role}`");
            findings.add(Finding::new(Code::Unused, *place, message));
        }
    }
}

/// Local variables that no expression of the policy reads, neither by itself nor through other variables, and local
/// constants that neither an expression nor a variable reads.
fn definitions<'p>(
    sources: &'p NameSources<'_>,
    expressions: &[&Text<'_>],
    index: &Index<'p, '_>,
    findings: &mut Findings<'_>,
) {
    let (variables, constants) = (&sources.variables.local, &sources.constants.local);
    if variables.is_empty() && constants.is_empty() {
        return;
    }
    let imports = sources.variables.import.iter().filter_map(|name| index.variables.get(name.value.as_ref()));
    let imported = imports.flat_map(|export| &export.definitions);
    let defined: BTreeMap<&str, Rc<Uses>> = imported
        .chain(variables)
        .map(|variable| (variable.name.value.as_ref(), index.uses(variable)))
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
    let used: Option<Vec<_>> = used
        .iter()
        .chain(defined.values().map(|uses| &uses.names))
        .map(|used| used.constants.as_ref())
        .collect();
    let Some(read) = used else { return };
    let read: BTreeSet<&str> = read.into_iter().flatten().map(String::as_str).collect();
    let idle = constants.iter().filter(|constant| !read.contains(constant.name.value.as_ref()));
    idle.for_each(|constant| unused(&constant.name, "constant"));
}

/// The variables that expressions read, by themselves or through others; `None` if it may be any.
fn variables_read<'u>(used: &'u [Used], defined: &'u BTreeMap<&str, Rc<Uses>>) -> Option<BTreeSet<&'u str>> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Used> = used.iter().collect();
    while let Some(next) = open.pop() {
        for name in next.variables.as_ref()? {
            if reached.insert(name.as_str()) {
                open.extend(defined.get(name.as_str()).map(|uses| &uses.names));
            }
        }
    }
    Some(reached)
}
