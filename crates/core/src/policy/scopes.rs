//! The scopes of the set as a whole: none may hang in the air, and all policies of one must agree what an allow rule
//! means there.

use std::collections::BTreeMap;

use super::diagnostic::{Code, Subject};
use super::findings::{Finding, Findings};
use super::index::Known;
use super::naming::policy_name;
use super::outline::{Identity, Kind, Outline, Scoping};
use super::rules::PolicyKind;
use crate::limits::SCOPE_SEGMENTS;
use crate::model::is_scope;

/// Checks the scopes of the policies that take effect, which are `known`.
pub(super) fn check(outlines: &[&Outline], known: &Known<'_>, findings: &mut Findings<'_>) {
    let policies: Vec<_> = outlines
        .iter()
        .filter_map(|outline| scoped(outline))
        .filter(|policy| is_scope(policy.scope))
        .collect();
    missing(&policies, known, findings);
    conflicts(&policies, findings);
}

/// The scopes above `scope`, nearest first, down to the root.
pub fn ancestors(scope: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(scope), |scope| parent(scope))
}

fn parent(scope: &str) -> Option<&str> {
    if scope.is_empty() {
        return None;
    }
    Some(scope.rsplit_once('.').map_or("", |(parent, _)| parent))
}

/// A policy of the kinds that pass decisions on to the scope above.
struct Scoped<'p> {
    identity: (PolicyKind, &'p str, &'p str),
    scope: &'p str,
    scoping: &'p Scoping,
}

fn scoped(outline: &Outline) -> Option<Scoped<'_>> {
    let Kind::Policy(kind) = outline.identity.kind else { return None };
    let Identity { name, version, scope, .. } = &outline.identity;
    Some(Scoped { identity: (kind, name, version), scope, scoping: outline.scoping.as_ref()? })
}

/// Every policy needs one of its name and version in each scope above its own.
fn missing(policies: &[Scoped<'_>], known: &Known<'_>, findings: &mut Findings<'_>) {
    let mut missing: BTreeMap<_, Vec<&Scoped<'_>>> = BTreeMap::new();
    for policy in policies {
        let (kind, name, version) = policy.identity;
        let above = ancestors(policy.scope).take(SCOPE_SEGMENTS);
        let is_missing = |scope: &&str| !known.contains_key(&(Kind::Policy(kind), name, version, *scope));
        for ancestor in above.filter(is_missing) {
            missing.entry((policy.identity, ancestor)).or_default().push(policy);
        }
    }
    for ((identity, scope), mut descendants) in missing {
        descendants.sort_by_key(|policy| policy.scope);
        let name = |scope: &str| policy_name(identity.0, identity.1, identity.2, scope);
        let below: Vec<_> = descendants.iter().map(|policy| name(policy.scope)).collect();
        let message = format!("policy `{}` is missing, above `{}`", name(scope), below.join("`, `"));
        if let Some(first) = descendants.first() {
            let subject = Subject::MissingPolicy { policy: name(scope), descendants: below };
            findings.add(Finding::new(Code::MissingScope, first.scoping.place, message).about(subject));
        }
    }
}

/// INVARIANT(one_permission_per_scope): the peer keeps the permissions of a scope for all policies of the set together,
/// and where they differ the last one that it happens to load wins. Not to write any is to let scopes override.
fn conflicts(policies: &[Scoped<'_>], findings: &mut Findings<'_>) {
    let mut by_scope: BTreeMap<&str, &Scoped<'_>> = BTreeMap::new();
    for policy in policies {
        let first = *by_scope.entry(policy.scope).or_insert(policy);
        if first.scoping.permissions == policy.scoping.permissions {
            continue;
        }
        let message = format!(
            "policies of scope `{}` disagree about `scopePermissions`: here and at {}",
            policy.scope,
            findings.position(first.scoping.permissions_place),
        );
        let place = policy.scoping.permissions_place;
        let finding = Finding::new(Code::ConflictingScopePermissions, place, message);
        findings.add(finding.hint("a policy that does not write them overrides its parent scopes"));
    }
}
