//! From checked documents to the compiled snapshot.

mod conditions;
mod derived_roles;
mod rules;

pub(super) use conditions::expression;
pub(super) use derived_roles::{RoleSet, sets as role_sets};

use std::sync::Arc;

use self::derived_roles::RoleSets;
use self::rules::Rules;
use super::ast::{self, Body, Document, Scope};
use super::findings::Findings;
use super::index::{self, Index};
use super::lint;
use super::names::{self, Names};
use super::naming::policy_name;
use super::rules::{Policy, PolicyKind};
use super::source::Position;
use super::yaml::Place;
use crate::expr::Frame;

/// Compiles the policy in `document`, if it is one with rules; what does not compile is reported and left out. The
/// table of its rules is yet to be made.
pub(super) fn policy<'p>(
    document: &'p Document<'_>,
    sets: &RoleSets<'_>,
    index: &'p Index<'p, '_>,
    findings: &mut Findings<'_>,
) -> Option<Policy> {
    let (names, frame) = match &document.body {
        Body::Resource(_) | Body::Principal(_) | Body::Role(_) => {
            names::collect(document.body.names()?, &document.body.expressions(), index, findings)
        }
        _ => return None,
    };
    let policy = match &document.body {
        Body::Resource(body) => resource_policy(body, document.place, (sets, index), &names, findings),
        Body::Principal(body) => principal_policy(body, document.place, &names, findings),
        Body::Role(body) => role_policy(body, document.place, &names, findings),
        _ => return None,
    };
    let policy = Policy { frame, ..policy };
    if findings.errors(document.place) == 0 {
        lint::conditions(&policy, &document.body, findings);
    }
    Some(policy)
}

fn resource_policy(
    body: &ast::ResourcePolicy<'_>,
    place: Place,
    (sets, index): (&RoleSets<'_>, &Index<'_, '_>),
    names: &Names<'_>,
    findings: &mut Findings<'_>,
) -> Policy {
    let derived_roles = derived_roles::referenced(body, index, sets, findings);
    let identity = (body.resource.value.as_ref(), body.version.value.as_ref());
    let policy = empty(PolicyKind::Resource, identity, &body.scope, findings.position(place));
    let rules = Rules { policy: &policy.name, names, derived_roles: &derived_roles };
    let rules = rules.of_resource(&body.rules, findings);
    Policy { derived_roles, rules, ..policy }
}

fn principal_policy(
    body: &ast::PrincipalPolicy<'_>,
    place: Place,
    names: &Names<'_>,
    findings: &mut Findings<'_>,
) -> Policy {
    let identity = (body.principal.value.as_ref(), body.version.value.as_ref());
    let policy = empty(PolicyKind::Principal, identity, &body.scope, findings.position(place));
    let rules = Rules { policy: &policy.name, names, derived_roles: &[] };
    let rules = rules.of_principal(&body.rules, findings);
    Policy { rules, ..policy }
}

fn role_policy(
    body: &ast::RolePolicy<'_>,
    place: Place,
    names: &Names<'_>,
    findings: &mut Findings<'_>,
) -> Policy {
    let identity = (body.role.value.as_ref(), index::version_of(body));
    let policy = empty(PolicyKind::Role, identity, &body.scope, findings.position(place));
    let rules = Rules { policy: &policy.name, names, derived_roles: &[] };
    let rules = rules.of_role(&body.rules, findings);
    let parent_roles = body.parent_roles.iter().map(|role| role.value.as_ref().into()).collect();
    Policy { parent_roles, rules, ..policy }
}

/// A policy about `subject` in `version`, with nothing in it yet.
fn empty(
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
        table: Arc::default(),
        constants: Box::default(),
        frames: Box::default(),
    }
}
