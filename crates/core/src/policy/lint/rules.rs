//! Rules that other rules of the same resource policy make superfluous.

use std::collections::BTreeSet;

use crate::model::Effect;
use crate::policy::ast::{Body, Document, ResourceRule, Text};
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::rules::ActionPattern;

/// Most rules of a policy that are compared with one another: the comparison is quadratic.
const COMPARED: usize = 500;

/// Compares the rules of each resource policy.
pub(super) fn check(documents: &[Document<'_>], findings: &mut Findings<'_>) {
    for document in documents {
        let Body::Resource(body) = &document.body else { continue };
        if body.rules.len() > COMPARED {
            continue;
        }
        for (number, rule) in body.rules.iter().enumerate() {
            let others = body.rules.iter().enumerate().filter(|(other, _)| *other != number);
            superfluous(number, rule, others, findings);
        }
    }
}

/// Reports `rule` if one of `others` covers it: whoever it speaks to, whatever the request.
fn superfluous<'p, 't: 'p>(
    number: usize,
    rule: &ResourceRule<'t>,
    others: impl Iterator<Item = (usize, &'p ResourceRule<'t>)>,
    findings: &mut Findings<'_>,
) {
    for (other_number, other) in others {
        if other.when.condition.is_some() || !covers(other, rule) {
            continue;
        }
        let at = findings.position(other.place);
        match (rule.effect, other.effect) {
            (Some(Effect::Allow), Some(Effect::Deny)) => {
                let message = format!("the deny rule at {at} always overrides this rule");
                findings.add(Finding::new(Code::OverriddenRule, rule.place, message));
            }
            // Of two rules that cover each other the second is superfluous.
            (effect, same) if effect == same && !has_output(rule) => {
                let is_twin = rule.when.condition.is_none() && covers(rule, other);
                if is_twin && !has_output(other) && number < other_number {
                    continue;
                }
                let message = format!("the rule at {at} says all that this rule says");
                findings.add(Finding::new(Code::ShadowedRule, rule.place, message));
            }
            _ => continue,
        }
        return;
    }
}

/// Whether `wide` speaks to everyone and of every action that `narrow` does.
fn covers(wide: &ResourceRule<'_>, narrow: &ResourceRule<'_>) -> bool {
    let roles: BTreeSet<&str> = names(&wide.roles);
    let has_roles = roles.contains("*") || names(&narrow.roles).is_subset(&roles);
    let derived = names(&wide.derived_roles);
    let has_derived = roles.contains("*") || names(&narrow.derived_roles).is_subset(&derived);
    has_roles && has_derived && narrow.actions.iter().all(|action| has_action(wide, action))
}

fn has_action(wide: &ResourceRule<'_>, action: &Text<'_>) -> bool {
    let is_exact = !action.value.contains('*');
    wide.actions.iter().any(|pattern| {
        let covered = is_exact
            && ActionPattern::parse(&pattern.value).is_ok_and(|pattern| pattern.matches(&action.value));
        pattern.value == "*" || pattern.value == action.value || covered
    })
}

fn has_output(rule: &ResourceRule<'_>) -> bool {
    rule.when.rule_activated.is_some() || rule.when.condition_not_met.is_some()
}

fn names<'p>(texts: &'p [Text<'_>]) -> BTreeSet<&'p str> {
    texts.iter().map(|text| text.value.as_ref()).collect()
}
