//! Derived roles: the definitions of each file, and which of them a resource policy refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::conditions::matching;
use super::rules::roles;
use crate::expr::Frame;
use crate::policy::ast::{self, Body, Document};
use crate::policy::diagnostic::{Code, Subject};
use crate::policy::findings::{Finding, Findings};
use crate::policy::hint;
use crate::policy::index::{self, Index};
use crate::policy::lint;
use crate::policy::names::{self, Names};
use crate::policy::rules::DerivedRole;

/// The definitions of the `derivedRoles` files, by name of the set.
pub(in crate::policy) type RoleSets<'p> = BTreeMap<&'p str, RoleSet>;

/// The definitions of one of them, by name.
pub(in crate::policy) type RoleSet = BTreeMap<Arc<str>, Arc<DerivedRole>>;

/// Compiles every `derivedRoles` file that is `imported`: like other exports, one that nobody imports is not compiled.
/// `literals` takes the regular expressions of each file, by its number.
pub(in crate::policy) fn sets<'p>(
    documents: &'p [Document<'_>],
    imported: &BTreeSet<Arc<str>>,
    index: &'p Index<'p, '_>,
    literals: &mut BTreeMap<u32, BTreeSet<Arc<str>>>,
    findings: &mut Findings<'_>,
) -> RoleSets<'p> {
    let mut sets = BTreeMap::new();
    for document in documents {
        let Body::DerivedRoles(body) = &document.body else {
            continue;
        };
        if !imported.contains(body.name.value.as_ref()) {
            names::check_imports(&body.names, index, findings);
            continue;
        }
        index.patterns.take_asked();
        let (names, frame) = names::collect(&body.names, &document.body.expressions(), index, findings);
        let frame = Arc::new(frame);
        let roles = body.definitions.iter().map(|definition| {
            let role = derived_role(definition, &names, &frame, findings);
            (Arc::clone(&role.name), Arc::new(role))
        });
        let roles = roles.collect();
        if findings.errors(document.place) == 0 {
            lint::derived_roles(body, &roles, &frame, findings);
        }
        literals.insert(document.place.file, index.patterns.take_asked());
        sets.insert(body.name.value.as_ref(), roles);
    }
    sets
}

/// The imported derived roles that some rule refers to, sorted by name; the others never take effect.
pub(super) fn referenced(
    body: &ast::ResourcePolicy<'_>,
    index: &Index<'_, '_>,
    sets: &RoleSets<'_>,
    findings: &mut Findings<'_>,
) -> Vec<Arc<DerivedRole>> {
    let mut imported: BTreeMap<&str, Vec<&Arc<DerivedRole>>> = BTreeMap::new();
    for import in &body.import_derived_roles {
        let found = index::import(import, "derived roles", &index.derived_roles, findings);
        let Some(set) = found.and_then(|found| sets.get(found.name.value.as_ref())) else {
            continue;
        };
        for role in set.values() {
            imported.entry(&role.name).or_default().push(role);
        }
    }
    let mut referenced = BTreeMap::new();
    for text in body.rules.iter().flat_map(|rule| &rule.derived_roles) {
        match imported.get(text.value.as_ref()).map(Vec::as_slice) {
            Some([role]) => drop(referenced.insert(Arc::clone(&role.name), Arc::clone(role))),
            Some(_) => {
                let message = format!("more than one import defines the derived role `{}`", text.value);
                let role = Subject::DerivedRole(text.value.to_string());
                findings.add(Finding::new(Code::AmbiguousName, text.place, message).about(role));
            }
            None => {
                let message = format!("no import defines the derived role `{}`", text.value);
                let role = Subject::DerivedRole(text.value.to_string());
                let finding = Finding::new(Code::UnknownDerivedRole, text.place, message).about(role);
                findings.add(match hint::similar(&text.value, imported.keys().copied()) {
                    Some(hint) => finding.hint(hint),
                    None => finding,
                });
            }
        }
    }
    referenced.into_values().collect()
}

fn derived_role(
    definition: &ast::DerivedRole<'_>,
    names: &Names<'_>,
    frame: &Arc<Frame>,
    findings: &mut Findings<'_>,
) -> DerivedRole {
    DerivedRole {
        name: definition.name.value.as_ref().into(),
        position: findings.position(definition.name.place),
        parent_roles: roles(&definition.parent_roles),
        condition: definition.condition.as_ref().and_then(|condition| matching(condition, names, findings)),
        frame: Arc::clone(frame),
    }
}
