//! The set as a whole: which policy stands for which name, and what can be imported.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use super::ast::{Body, Definition, DerivedRoles, Document, Export, RolePolicy, Scope, Text};
use super::diagnostic::{Code, Subject};
use super::findings::{Finding, Findings};
use super::hash::Table;
use super::hint;
use super::names::Gathered;
use super::outline::{Identity, Kind, Outline};
use super::yaml::Place;
use crate::expr::{self, Patterns, Used};
use crate::model::scope_name;
use crate::value::Value;

/// What policies can import, by name, and the regular expressions that they share.
#[derive(Debug)]
pub(super) struct Index<'p, 't> {
    pub(super) derived_roles: BTreeMap<&'p str, &'p DerivedRoles<'t>>,
    pub(super) variables: BTreeMap<&'p str, &'p Export<'t, Text<'t>>>,
    pub(super) constants: BTreeMap<&'p str, &'p Export<'t, Value<'static>>>,
    pub(super) patterns: &'p Patterns,
    /// What each variable uses, once somebody asked.
    uses: RefCell<BTreeMap<*const (), Rc<Uses>>>,
    /// The variables that were compiled without need, each with the constants that its name were taken for.
    compiled: RefCell<BTreeSet<(*const (), Vec<*const ()>)>>,
}

/// The names that the expression of a variable uses.
#[derive(Debug)]
pub(super) struct Uses {
    /// The variables that must come before it; none if it cannot be parsed.
    pub(super) to_order: BTreeSet<String>,
    /// What it may use.
    pub(super) names: Used,
}

impl<'p, 't> Index<'p, 't> {
    /// The exports among `documents`; of those with the same name the first counts.
    pub(super) fn of(documents: &'p [Document<'t>], patterns: &'p Patterns) -> Self {
        let (derived_roles, variables, constants) = <_>::default();
        let (uses, compiled) = <_>::default();
        let mut index = Self { derived_roles, variables, constants, patterns, uses, compiled };
        for document in documents {
            match &document.body {
                Body::DerivedRoles(body) => drop(index.derived_roles.entry(&body.name.value).or_insert(body)),
                Body::ExportVariables(body) => drop(index.variables.entry(&body.name.value).or_insert(body)),
                Body::ExportConstants(body) => drop(index.constants.entry(&body.name.value).or_insert(body)),
                Body::Resource(_) | Body::Principal(_) | Body::Role(_) | Body::Capabilities(_) => {}
            }
        }
        index
    }

    /// What `variable` uses.
    pub(super) fn uses(&self, variable: &'p Definition<'_, Text<'_>>) -> Rc<Uses> {
        let mut known = self.uses.borrow_mut();
        let uses = known.entry(std::ptr::from_ref(variable).cast()).or_insert_with(|| {
            let source = &variable.value.value;
            let to_order = expr::variables_used(source).unwrap_or_default();
            Rc::new(Uses { to_order, names: expr::names_used(source) })
        });
        Rc::clone(uses)
    }

    /// Whether nobody has asked about `variable` yet with the same `constants` behind the names that it uses: then it
    /// comes to nothing new to compile it.
    pub(super) fn is_new(
        &self,
        variable: &'p Definition<'_, Text<'_>>,
        constants: &Gathered<'p, '_, Value<'static>>,
    ) -> bool {
        let of = |constant: &&Definition<'_, Value<'static>>| std::ptr::from_ref(*constant).cast();
        let used: Vec<*const ()> = match &self.uses(variable).names.constants {
            Some(names) => {
                let found = names.iter().map(|name| constants.get(name.as_str()));
                found.map(|found| found.map_or(std::ptr::null(), &of)).collect()
            }
            None => constants.values().map(of).collect(),
        };
        self.compiled.borrow_mut().insert((std::ptr::from_ref(variable).cast(), used))
    }
}

/// The policies of a set by kind, name, version and scope, each with its place.
pub(super) type Known<'p> = Table<(Kind, &'p str, &'p str, &'p str), Place>;

/// The policies of `outlines`; reports those that occur twice.
pub(super) fn known<'p>(outlines: &[&'p Outline], findings: &mut Findings<'_>) -> Known<'p> {
    let mut known = Known::with_capacity_and_hasher(outlines.len(), BuildHasherDefault::default());
    for Outline { identity, place, .. } in outlines {
        let Identity { kind, name, version, scope } = identity;
        let first = *known.entry((*kind, name, version, scope)).or_insert(*place);
        if first != *place {
            let first = findings.position(first);
            let message = format!("policy `{identity}` exists twice: here and at {first}");
            let subject = Subject::Duplicate { policy: identity.to_string(), other: first.file.to_string() };
            findings.add(Finding::new(Code::DuplicatePolicy, *place, message).about(subject));
        }
    }
    known
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

/// The version of a role policy, which may be left out.
pub(super) fn version_of<'p>(body: &'p RolePolicy<'_>) -> &'p str {
    let version = body.version.as_ref().map_or("", |version| &version.value);
    if version.is_empty() { "default" } else { version }
}

/// The scope of a policy, empty for the root.
pub(super) fn scope<'p>(scope: &'p Scope<'_>) -> &'p str {
    scope.scope.as_ref().map_or("", |text| scope_name(&text.value))
}
