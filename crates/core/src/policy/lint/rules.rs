//! Rules that other rules of the same resource or principal policy make superfluous.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Effect;
use crate::policy::ast::{Body, Document, ResourceRule, Scope, Text, When};
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::rules::{ActionPattern, ScopePermissions};
use crate::policy::yaml::Place;

/// How many pairs of rules of one policy are compared; what lies beyond draws no warning.
const COMPARED: usize = 50_000;

/// Compares the rules of a resource policy or a principal policy.
pub(super) fn check(document: &Document<'_>, findings: &mut Findings<'_>) {
    let rules = statements(&document.body);
    let wide = Wide::of(&rules);
    let mut room = COMPARED;
    for (number, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule.confines) {
        for other in wide.candidates(rule).filter(|other| *other != number) {
            if room == 0 {
                break;
            }
            room -= 1;
            let Some(wide) = rules.get(other) else { continue };
            if superfluous((number, rule), (other, wide), findings) {
                break;
            }
        }
    }
}

/// What a rule says, in either kind of policy.
struct Statement<'p> {
    place: Place,
    effect: Option<Effect>,
    roles: BTreeSet<&'p str>,
    derived_roles: BTreeSet<&'p str>,
    /// In principal policies.
    resource: Option<&'p str>,
    actions: Vec<&'p str>,
    is_conditional: bool,
    has_output: bool,
    /// Whether it denies while its condition is false: no other rule does that in its stead.
    confines: bool,
}

fn statements<'p>(body: &'p Body<'_>) -> Vec<Statement<'p>> {
    match body {
        Body::Resource(body) => {
            let statement = |rule: &'p ResourceRule<'_>| {
                let ResourceRule { place, actions, effect, when, .. } = rule;
                Statement {
                    roles: names(&rule.roles),
                    derived_roles: names(&rule.derived_roles),
                    actions: actions.iter().map(|action| action.value.as_ref()).collect(),
                    ..base(*place, *effect, when, &body.scope)
                }
            };
            body.rules.iter().map(statement).collect()
        }
        Body::Principal(body) => {
            let actions = body.rules.iter().flat_map(|rule| {
                rule.actions.iter().map(|action| Statement {
                    resource: Some(rule.resource.value.as_ref()),
                    actions: vec![action.action.value.as_ref()],
                    ..base(action.place, action.effect, &action.when, &body.scope)
                })
            });
            actions.collect()
        }
        _ => Vec::new(),
    }
}

/// What rules of both kinds of policy have.
fn base<'p>(place: Place, effect: Option<Effect>, when: &When<'_>, scope: &Scope<'_>) -> Statement<'p> {
    let permissions = scope.permissions.as_ref().map(|permissions| permissions.value).unwrap_or_default();
    let is_conditional = when.condition.is_some();
    let needs_consent = permissions == ScopePermissions::RequireParentalConsent;
    Statement {
        place,
        effect,
        roles: BTreeSet::new(),
        derived_roles: BTreeSet::new(),
        resource: None,
        actions: Vec::new(),
        is_conditional,
        has_output: when.rule_activated.is_some() || when.condition_not_met.is_some(),
        confines: is_conditional && needs_consent && effect != Some(Effect::Deny),
    }
}

fn names<'p>(texts: &'p [Text<'_>]) -> BTreeSet<&'p str> {
    texts.iter().map(|text| text.value.as_ref()).collect()
}

/// The rules without a condition, by number: only they can cover others.
struct Wide<'p> {
    by_action: BTreeMap<&'p str, Vec<usize>>,
    /// Those with a pattern among their actions.
    patterns: Vec<usize>,
}

impl<'p> Wide<'p> {
    fn of(rules: &[Statement<'p>]) -> Self {
        let mut wide = Wide { by_action: BTreeMap::new(), patterns: Vec::new() };
        for (number, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule.is_conditional) {
            if rule.actions.iter().any(|action| action.contains('*')) {
                wide.patterns.push(number);
                continue;
            }
            for action in &rule.actions {
                wide.by_action.entry(action).or_default().push(number);
            }
        }
        wide
    }

    /// The rules that may cover `rule`: those that cover its first action.
    fn candidates(&self, rule: &Statement<'p>) -> impl Iterator<Item = usize> {
        let exact = rule.actions.first().and_then(|action| self.by_action.get(action));
        exact.into_iter().flatten().chain(&self.patterns).copied()
    }
}

/// Reports `rule` if `other`, which has no condition, covers it: whoever it speaks to, whatever the request.
fn superfluous(
    (number, rule): (usize, &Statement<'_>),
    (other_number, other): (usize, &Statement<'_>),
    findings: &mut Findings<'_>,
) -> bool {
    let is_overridden = rule.effect == Some(Effect::Allow) && other.effect == Some(Effect::Deny);
    let is_shadowed = rule.effect == other.effect && !rule.has_output;
    if !(is_overridden || is_shadowed) || !covers(other, rule) {
        return false;
    }
    let at = findings.position(other.place);
    if is_overridden {
        let message = format!("the deny rule at {at} always overrides this rule");
        findings.add(Finding::new(Code::OverriddenRule, rule.place, message));
        return true;
    }
    // Of two rules that cover each other the second is superfluous.
    let is_twin = !rule.is_conditional && !other.has_output && number < other_number && covers(rule, other);
    if !is_twin {
        let message = format!("the rule at {at} says all that this rule says");
        findings.add(Finding::new(Code::ShadowedRule, rule.place, message));
    }
    !is_twin
}

/// Whether `wide` speaks to everyone and of every action that `narrow` does.
fn covers(wide: &Statement<'_>, narrow: &Statement<'_>) -> bool {
    let is_any = wide.roles.contains("*");
    let has_roles = is_any || narrow.roles.is_subset(&wide.roles);
    let has_derived = is_any || narrow.derived_roles.is_subset(&wide.derived_roles);
    let has_resource = match (wide.resource, narrow.resource) {
        (Some(wide), Some(narrow)) => includes(wide, narrow),
        (wide, narrow) => wide == narrow,
    };
    has_roles
        && has_derived
        && has_resource
        && narrow.actions.iter().all(|action| wide.actions.iter().any(|pattern| includes(pattern, action)))
}

/// Whether pattern `wide` matches all that pattern `narrow` does, as far as that is seen without much ado.
fn includes(wide: &str, narrow: &str) -> bool {
    let has_exact = || ActionPattern::parse(wide).is_ok_and(|pattern| pattern.matches(narrow));
    wide == "*" || wide == narrow || (wide.contains('*') && !narrow.contains('*') && has_exact())
}
