//! Policies of every kind.

use super::conditions::{self, Place};
use super::names::{DERIVED, Names, PATTERNS, VERSIONS};
use crate::expr::Tree;
use std::collections::BTreeMap;

use crate::model::{
    ActionRule, AllowRule, DerivedRole, DerivedRoles, Head, Permission, Policy, PrincipalPolicy,
    ResourcePolicy, RolePolicy, Rule,
};
use crate::rng::Rng;

/// The policies of one set.
pub(super) fn policies(
    names: &Names,
    permissions: &BTreeMap<String, Permission>,
    rng: &mut Rng,
) -> Vec<Policy> {
    let mut policies = if names.exports { exports(names, rng) } else { Vec::new() };
    for kind in rng.some(&names.kinds, 0, 2) {
        for head in heads(names, rng) {
            policies.push(Policy::Resource(resource(names, &kind, head, rng)));
        }
    }
    for principal in rng.some(&names.principals, 0, 1) {
        for head in heads(names, rng) {
            policies.push(Policy::Principal(self::principal(names, &principal, head, rng)));
        }
    }
    // The peer refuses a permission in a scope where a role policy stands as well.
    let free: Vec<_> =
        names.scopes.iter().filter(|scope| !permissions.contains_key(*scope)).cloned().collect();
    let narrowed = if names.narrows { rng.some(&names.roles[..3], 1, 2) } else { Vec::new() };
    for role in narrowed {
        for scope in rng.some(&free, 1, 2) {
            let parents = parents(names, &role, rng);
            for version in rng.some(VERSIONS, 1, 2) {
                let head = conditions::head(names, (version, &scope), Place::Other, rng);
                policies.push(Policy::Role(self::role(names, (&role, &parents), head, rng)));
            }
        }
    }
    policies
}

fn exports(names: &Names, rng: &mut Rng) -> Vec<Policy> {
    let prefix = &names.prefix;
    let mut policies = vec![
        Policy::Variables(format!("{prefix}vars"), conditions::exported_variables(rng)),
        Policy::Constants(format!("{prefix}consts"), conditions::exported_constants(rng)),
    ];
    for (number, pair) in DERIVED.chunks(2).enumerate() {
        policies.push(Policy::DerivedRoles(derived_roles(names, number, pair, rng)));
    }
    policies
}

/// Versions, each with a chain of scopes.
fn heads(names: &Names, rng: &mut Rng) -> Vec<Head> {
    let versions = if rng.chance(25) { VERSIONS.to_vec() } else { rng.some(VERSIONS, 1, 1) };
    let mut heads = Vec::new();
    for version in versions {
        for scope in names.chain(rng) {
            heads.push(conditions::head(names, (version, &scope), Place::Other, rng));
        }
    }
    heads
}

fn resource(names: &Names, kind: &str, mut head: Head, rng: &mut Rng) -> ResourcePolicy {
    let count = rng.below(5);
    let rule = |number: usize| {
        let mut roles = if rng.chance(20) { vec!["*".to_owned()] } else { rng.some(&names.roles, 0, 2) };
        let derived = if names.exports && rng.chance(45) { rng.some(DERIVED, 1, 2) } else { Vec::new() };
        if roles.is_empty() && derived.is_empty() {
            roles.push(names.roles[0].clone());
        }
        Rule {
            actions: patterns(rng),
            roles,
            derived: derived.into_iter().map(str::to_owned).collect(),
            deny: rng.chance(35),
            when: conditions::when(number, Place::ResourcePolicy, rng),
        }
    };
    let rules: Vec<_> = (0..count).map(rule).collect();
    head.keep_used(&rules.iter().flat_map(|rule| rule.when.expressions()).collect::<Vec<_>>());
    let needed = |roles: &&[&str]| {
        rules.iter().flat_map(|rule| &rule.derived).any(|role| roles.contains(&role.as_str()))
    };
    let files = DERIVED.chunks(2).enumerate().filter(|(_, roles)| needed(roles));
    let imports = files.map(|(number, _)| format!("{}dr{number}", names.prefix)).collect();
    ResourcePolicy { kind: kind.to_owned(), head, imports, rules }
}

fn principal(names: &Names, principal: &str, mut head: Head, rng: &mut Rng) -> PrincipalPolicy {
    let patterns = names.resource_patterns();
    let mut number = 0;
    let mut rule = |rng: &mut Rng| {
        number += 1;
        ActionRule {
            action: (*rng.pick(PATTERNS)).to_owned(),
            deny: rng.chance(45),
            when: conditions::when(number, Place::Other, rng),
        }
    };
    let resources = rng.some(&patterns, 1, 2);
    let rules = resources.into_iter().map(|resource| {
        let count = 1 + rng.below(2);
        (resource, (0..count).map(|_| rule(rng)).collect())
    });
    let rules: Vec<(String, Vec<ActionRule>)> = rules.collect();
    let all = rules.iter().flat_map(|(_, rules)| rules);
    head.keep_used(&all.flat_map(|rule| rule.when.expressions()).collect::<Vec<_>>());
    PrincipalPolicy { principal: principal.to_owned(), head, rules }
}

/// The parents of a role in one scope: the peer mixes up those of different versions, and puts out more than once
/// where a role is above itself.
fn parents(names: &Names, role: &str, rng: &mut Rng) -> Vec<String> {
    let later: Vec<_> = names.roles.iter().skip_while(|other| *other != role).skip(1).cloned().collect();
    rng.some(&later, 0, 2)
}

fn role(names: &Names, (role, parents): (&str, &[String]), mut head: Head, rng: &mut Rng) -> RolePolicy {
    // In a role policy the peer never finds a kind with a colon. It mixes up the conditions of rules with different
    // patterns of resources where both are about a kind.
    let mut patterns = names.resource_patterns();
    patterns.retain(|pattern| !pattern.contains(':'));
    let kinds = patterns.iter().filter(|pattern| !pattern.contains('*')).cloned().collect();
    let patterns = if rng.chance(50) { kinds } else { vec![rng.pick(&patterns).clone()] };
    let count = 1 + rng.below(3);
    let rule = |number: usize| AllowRule {
        resource: rng.pick(&patterns).clone(),
        actions: self::patterns(rng),
        when: conditions::when(number, Place::Other, rng),
    };
    let rules: Vec<_> = (0..count).map(rule).collect();
    head.keep_used(&rules.iter().flat_map(|rule| rule.when.expressions()).collect::<Vec<_>>());
    RolePolicy { role: role.to_owned(), head, parents: parents.to_vec(), rules }
}

fn derived_roles(names: &Names, number: usize, roles: &[&str], rng: &mut Rng) -> DerivedRoles {
    let definition = |name: &&str| DerivedRole {
        name: (*name).to_owned(),
        parents: if rng.chance(25) { vec!["*".to_owned()] } else { rng.some(&names.roles, 1, 2) },
        condition: rng.chance(70).then(|| conditions::tree(Place::DerivedRoles, rng)),
    };
    let definitions: Vec<_> = roles.iter().map(definition).collect();
    let mut head = conditions::head(names, ("", ""), Place::DerivedRoles, rng);
    let conditions = definitions.iter().filter_map(|role| role.condition.as_ref());
    head.keep_used(&conditions.flat_map(Tree::leaves).collect::<Vec<_>>());
    DerivedRoles { name: format!("{}dr{number}", names.prefix), head, definitions }
}

fn patterns(rng: &mut Rng) -> Vec<String> {
    let mut patterns = rng.some(PATTERNS, 1, 2);
    patterns.sort_unstable();
    patterns.dedup();
    patterns.into_iter().map(str::to_owned).collect()
}
