//! From checked ASTs to the compiled snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::ast::{self, Body, Match, Policy, Text, When};
use super::diagnostic::{Code, Subject};
use super::findings::{Finding, Findings};
use super::hint;
use super::index::{self, Index};
use super::names::{self, Names};
use super::scalar;
use super::snapshot::{ActionPattern, Condition, DerivedRole, Output, ResourcePolicy, Roles, Rule, Spanned};
use super::yaml::Place;
use crate::expr::{self, ExprFault, Frame, Program};
use crate::model::Effect;

/// Resource policies by kind, then version.
pub(super) type Policies = BTreeMap<Arc<str>, BTreeMap<Arc<str>, ResourcePolicy>>;

/// Compiles every policy of the set; what does not compile is reported and left out.
pub(super) fn policies(
    policies: &[Policy<'_>],
    index: &Index<'_, '_>,
    findings: &mut Findings<'_>,
) -> Policies {
    let sets = derived_role_sets(policies, index, findings);
    let mut compiled = Policies::new();
    for policy in policies {
        match &policy.body {
            Body::Resource(body) => {
                let by_version = compiled.entry(body.resource.value.as_ref().into()).or_default();
                let version = body.version.value.as_ref().into();
                by_version.insert(version, resource_policy(body, index, &sets, findings));
            }
            Body::Principal(body) => findings_only(&body.names, body.rules.iter().flatten(), index, findings),
            Body::Role(body) => findings_only(&body.names, &body.rules, index, findings),
            Body::DerivedRoles(_) | Body::ExportVariables(_) | Body::ExportConstants(_) => {}
        }
    }
    compiled
}

/// Compiles an expression; what is wrong with it is reported at its exact place in the file. Where
/// nothing more is listed for the file, nothing more is compiled.
pub(super) fn expression(
    text: &Text<'_>,
    names: &Names<'_>,
    findings: &mut Findings<'_>,
) -> Option<Spanned<Program>> {
    if findings.is_full(text.place) {
        return None;
    }
    let stretches = scalar::align(findings.text(text.place), text.place, &text.value);
    let place_of = |range: &Range<usize>| {
        let (line, column) = scalar::locate(&stretches, &text.value, range.start);
        let end = u32::try_from(range.len()).unwrap_or(u32::MAX);
        Place { line, column, start: 0, end, ..text.place }
    };
    match expr::compile(&text.value, names.view()) {
        Ok(program) => {
            let (line, column) = scalar::locate(&stretches, &text.value, 0);
            let position = findings.position(Place { line, column, ..text.place });
            Some(Spanned::new(program, position, stretches))
        }
        Err(diagnostics) => {
            let (line, column) = scalar::locate(&stretches, &text.value, 0);
            let begin = findings.position(Place { line, column, ..text.place });
            for found in diagnostics {
                let code = match found.kind {
                    ExprFault::Invalid => Code::InvalidExpression,
                    ExprFault::UndefinedVariable(_) => Code::UndefinedVariable,
                    ExprFault::UndefinedConstant(_) => Code::UndefinedConstant,
                };
                let finding = Finding::new(code, place_of(&found.range), found.message)
                    .about(Subject::Expression(begin.clone()));
                findings.add(match found.hint {
                    Some(hint) => finding.hint(hint),
                    None => finding,
                });
            }
            None
        }
    }
}

/// The compiled definitions of one `derivedRoles` file, by name.
type RoleSet = BTreeMap<Arc<str>, Arc<DerivedRole>>;

fn derived_role_sets<'p>(
    policies: &'p [Policy<'_>],
    index: &Index<'p, '_>,
    findings: &mut Findings<'_>,
) -> BTreeMap<&'p str, RoleSet> {
    let mut sets = BTreeMap::new();
    let imported = imported_roles(policies);
    for policy in policies {
        let Body::DerivedRoles(body) = &policy.body else {
            continue;
        };
        if !imported.contains(body.name.value.as_ref()) {
            names::check_imports(&body.names, index, findings);
            continue;
        }
        let (names, frame) = names::collect(&body.names, index, findings);
        let frame = Arc::new(frame);
        let roles = body.definitions.iter().map(|definition| {
            let role = derived_role(definition, &names, &frame, findings);
            (Arc::clone(&role.name), Arc::new(role))
        });
        sets.insert(body.name.value.as_ref(), roles.collect());
    }
    sets
}

/// The names of the `derivedRoles` files that some policy imports: like other exports, one that nobody imports is
/// not compiled.
fn imported_roles<'p>(policies: &'p [Policy<'_>]) -> BTreeSet<&'p str> {
    let imports = policies.iter().flat_map(|policy| match &policy.body {
        Body::Resource(body) => body.import_derived_roles.as_slice(),
        _ => &[],
    });
    imports.map(|import| import.value.as_ref()).collect()
}

fn derived_role(
    definition: &ast::DerivedRole<'_>,
    names: &Names<'_>,
    frame: &Arc<Frame>,
    findings: &mut Findings<'_>,
) -> DerivedRole {
    DerivedRole {
        name: definition.name.value.as_ref().into(),
        parent_roles: roles(&definition.parent_roles),
        condition: definition.condition.as_ref().and_then(|condition| matching(condition, names, findings)),
        frame: Arc::clone(frame),
    }
}

/// Reports what is wrong in policies that are not evaluated yet.
fn findings_only<'p, 't: 'p>(
    sources: &ast::NameSources<'t>,
    rules: impl IntoIterator<Item = &'p ast::NamedRule<'t>>,
    index: &Index<'_, '_>,
    findings: &mut Findings<'_>,
) {
    let (names, _) = names::collect(sources, index, findings);
    for rule in rules {
        when(&rule.when, &names, findings);
    }
}

fn resource_policy(
    body: &ast::ResourcePolicy<'_>,
    index: &Index<'_, '_>,
    sets: &BTreeMap<&str, RoleSet>,
    findings: &mut Findings<'_>,
) -> ResourcePolicy {
    let (names, frame) = names::collect(&body.names, index, findings);
    let derived_roles = referenced_roles(body, index, sets, findings);
    let rule = |(position, rule): (usize, &ast::ResourceRule<'_>)| {
        resource_rule(rule, position, &names, &derived_roles, findings)
    };
    let rules = body.rules.iter().enumerate().map(rule).collect();
    let name =
        format!("resource.{}.v{}", sanitise(&body.resource.value), sanitise(&body.version.value)).into();
    ResourcePolicy { name, frame, derived_roles, rules }
}

/// The imported derived roles that some rule refers to, sorted by name; the others never take effect.
fn referenced_roles(
    body: &ast::ResourcePolicy<'_>,
    index: &Index<'_, '_>,
    sets: &BTreeMap<&str, RoleSet>,
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

fn resource_rule(
    rule: &ast::ResourceRule<'_>,
    position: usize,
    names: &Names<'_>,
    derived_roles: &[Arc<DerivedRole>],
    findings: &mut Findings<'_>,
) -> Rule {
    let (condition, output) = when(&rule.when, names, findings);
    let written = rule.name.as_ref().map(|name| name.value.as_ref()).filter(|name| !name.is_empty());
    let mut indices: Vec<usize> = rule
        .derived_roles
        .iter()
        .filter_map(|role| derived_roles.binary_search_by(|known| (*known.name).cmp(&role.value)).ok())
        .collect();
    indices.sort_unstable();
    indices.dedup();
    Rule {
        name: written.map_or_else(|| format!("rule-{:03}", position + 1).into(), Arc::from),
        position: findings.position(rule.place),
        actions: rule.actions.iter().filter_map(|action| action_pattern(action, findings)).collect(),
        roles: (!rule.roles.is_empty()).then(|| roles(&rule.roles)),
        derived_roles: indices,
        effect: rule.effect.unwrap_or(Effect::Deny),
        condition,
        output,
    }
}

fn action_pattern(action: &Text<'_>, findings: &mut Findings<'_>) -> Option<ActionPattern> {
    match ActionPattern::parse(&action.value) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let message = format!("`{}` is no pattern of actions: {error}", action.value.escape_debug());
            findings.add(Finding::new(Code::InvalidValue, action.place, message));
            None
        }
    }
}

fn when(when: &When<'_>, names: &Names<'_>, findings: &mut Findings<'_>) -> (Option<Condition>, Output) {
    let condition = when.condition.as_ref().and_then(|condition| matching(condition, names, findings));
    let mut output =
        |text: &Option<Text<'_>>| text.as_ref().and_then(|text| expression(text, names, findings));
    let output = Output {
        rule_activated: output(&when.rule_activated),
        condition_not_met: output(&when.condition_not_met),
    };
    (condition, output)
}

/// Compiles a condition; its depth is bounded by the decoder. `None` if a part does not compile.
fn matching(node: &Match<'_>, names: &Names<'_>, findings: &mut Findings<'_>) -> Option<Condition> {
    let mut items = |list: &[Match<'_>]| -> Vec<Condition> {
        list.iter().filter_map(|item| matching(item, names, findings)).collect()
    };
    match node {
        Match::Expr(text) => expression(text, names, findings).map(Condition::Expr),
        Match::All(list) => Some(Condition::All(items(list))),
        Match::Any(list) => Some(Condition::Any(items(list))),
        Match::None(list) => Some(Condition::None(items(list))),
        Match::Script(place) => {
            let message = "scripts in conditions are not supported";
            findings.add(Finding::new(Code::ScriptCondition, *place, message));
            None
        }
    }
}

fn roles(texts: &[Text<'_>]) -> Roles {
    if texts.iter().any(|text| text.value == "*") {
        return Roles::Any;
    }
    let mut names: Vec<Arc<str>> = texts.iter().map(|text| text.value.as_ref().into()).collect();
    names.sort();
    names.dedup();
    Roles::Named(names)
}

/// A name as decisions print it. Names of the form that old versions of the peer demanded (segments that begin
/// with a letter, joined by `:`) get `_` for each run of other characters than letters, digits, `_` and `.`.
fn sanitise(name: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_old_segment = |segment: &str| {
        segment.starts_with(|c: char| c.is_ascii_alphabetic())
            && segment.chars().all(|c| is_word(c) || matches!(c, '@' | '.' | '-' | '/'))
    };
    if !name.split(':').all(is_old_segment) {
        return name.to_owned();
    }
    let mut printed = String::with_capacity(name.len());
    let mut in_run = false;
    for c in name.chars() {
        let kept = is_word(c) || c == '.';
        if kept {
            printed.push(c);
        } else if !in_run {
            printed.push('_');
        }
        in_run = !kept;
    }
    printed
}
