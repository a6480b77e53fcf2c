//! From checked documents to the compiled snapshot.

mod conditions;
mod derived_roles;
mod rules;

pub(super) use conditions::expression;
pub(super) use derived_roles::RoleSet;

use std::sync::Arc;

use self::derived_roles::RoleSets;
use self::rules::Rules;
use super::ast::{self, Body, Document, Scope};
use super::capability;
use super::findings::Findings;
use super::index::{self, Index};
use super::lint;
use super::names;
use super::naming::policy_name;
use super::rules::{Policy, PolicyKind};
use super::snapshot::Snapshot;
use super::source::Position;
use super::table::RuleTable;
use super::yaml::Place;
use crate::expr::Frame;

/// Compiles every document of the set; what does not compile is reported and left out.
pub(super) fn snapshot(
    documents: &[Document<'_>],
    index: &Index<'_, '_>,
    findings: &mut Findings<'_>,
) -> Snapshot {
    let sets = derived_roles::sets(documents, index, findings);
    let mut snapshot =
        Snapshot { capabilities: capability::compile(documents, findings), ..Snapshot::default() };
    for document in documents {
        let policy = match &document.body {
            Body::Resource(body) => resource_policy(body, document.place, &sets, index, findings),
            Body::Principal(body) => principal_policy(body, document.place, index, findings),
            Body::Role(body) => role_policy(body, document.place, index, findings),
            _ => continue,
        };
        if findings.errors(document.place) == 0 {
            lint::conditions(&policy, &document.body, findings);
        }
        snapshot.insert(Arc::new(policy.tabled()));
    }
    snapshot
}

fn resource_policy(
    body: &ast::ResourcePolicy<'_>,
    place: Place,
    sets: &RoleSets<'_>,
    index: &Index<'_, '_>,
    findings: &mut Findings<'_>,
) -> Policy {
    let (names, frame) = names::collect(&body.names, index, findings);
    let derived_roles = derived_roles::referenced(body, index, sets, findings);
    let identity = (body.resource.value.as_ref(), body.version.value.as_ref());
    let policy = policy(PolicyKind::Resource, identity, &body.scope, findings.position(place));
    let rules = Rules { policy: &policy.name, names: &names, derived_roles: &derived_roles };
    let rules = rules.of_resource(&body.rules, findings);
    Policy { frame, derived_roles, rules, ..policy }
}

fn principal_policy(
    body: &ast::PrincipalPolicy<'_>,
    place: Place,
    index: &Index<'_, '_>,
    findings: &mut Findings<'_>,
) -> Policy {
    let (names, frame) = names::collect(&body.names, index, findings);
    let identity = (body.principal.value.as_ref(), body.version.value.as_ref());
    let policy = policy(PolicyKind::Principal, identity, &body.scope, findings.position(place));
    let rules = Rules { policy: &policy.name, names: &names, derived_roles: &[] };
    let rules = rules.of_principal(&body.rules, findings);
    Policy { frame, rules, ..policy }
}

fn role_policy(
    body: &ast::RolePolicy<'_>,
    place: Place,
    index: &Index<'_, '_>,
    findings: &mut Findings<'_>,
) -> Policy {
    let (names, frame) = names::collect(&body.names, index, findings);
    let identity = (body.role.value.as_ref(), index::version_of(body));
    let policy = policy(PolicyKind::Role, identity, &body.scope, findings.position(place));
    let rules = Rules { policy: &policy.name, names: &names, derived_roles: &[] };
    let rules = rules.of_role(&body.rules, findings);
    let parent_roles = body.parent_roles.iter().map(|role| role.value.as_ref().into()).collect();
    Policy { parent_roles, frame, rules, ..policy }
}

/// A policy about `subject` in `version`, with nothing in it yet.
fn policy(
    kind: PolicyKind,
    (subject, version): (&str, &str),
    scope: &Scope<'_>,
    position: Position,
) -> Policy {
    let permissions = scope.permissions.as_ref().map(|permissions| permissions.value).unwrap_or_default();
    let scope = index::scope(scope);
    Policy {
        kind,
        subject: subject.into(),
        version: version.into(),
        scope: scope.into(),
        name: policy_name(kind, subject, version, scope).into(),
        position,
        scope_permissions: permissions,
        parent_roles: Vec::new(),
        frame: Frame::default(),
        derived_roles: Vec::new(),
        rules: Vec::new(),
        table: RuleTable::default(),
    }
}
