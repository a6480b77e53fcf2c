//! What a visited rule puts out.

use std::iter::repeat_n;

use super::combine::Finding;
use super::resource::Visit;
use crate::expr::{Program, Scope, Val};
use crate::model::{OutputEntry, OutputValue};
use crate::policy::{ResourcePolicy, Spanned};

/// The entries of one visit: `ruleActivated` where the rule applies, `conditionNotMet` where it has a condition and
/// does not apply. An output that errs says so in its entry and changes no decision.
///
/// As in the peer there is an entry for every action pattern that matches and every way in which the rule is open
/// to the role, so equal entries repeat; a rule that denies for certain ends the visit with one entry.
pub(super) fn of<'r>(visit: &Visit<'_, 'r>, policy: &ResourcePolicy, scope: &Scope<'r>) -> Vec<OutputEntry> {
    let Visit {
        rule, link, patterns, ..
    } = visit;
    let (activated, not_met) = match visit.says {
        Finding::Deny(_) => (1, 0),
        Finding::Allow(_) | Finding::DenyUndecided(_) => {
            (link.counting, link.ways.saturating_sub(link.counting))
        }
        Finding::Silent => (0, link.ways),
    };
    let not_met = if rule.condition.is_some() { not_met } else { 0 };
    let patterns = if matches!(visit.says, Finding::Deny(_)) {
        1
    } else {
        *patterns
    };
    let repeat = |expression: &'r Option<Spanned<Program>>, ways: usize| {
        let wanted = expression.as_ref().filter(|_| ways > 0);
        let entry = wanted.map(|program| OutputEntry {
            src: format!("{}#{}", policy.name, rule.name).into(),
            action: visit.action.to_owned(),
            value: value(&program.node, scope),
        });
        entry
            .into_iter()
            .flat_map(move |entry| repeat_n(entry, ways.saturating_mul(patterns)))
    };
    let activated = repeat(&rule.output.rule_activated, activated);
    activated
        .chain(repeat(&rule.output.condition_not_met, not_met))
        .collect()
}

fn value<'r>(program: &'r Program, scope: &Scope<'r>) -> OutputValue {
    match program.eval(scope) {
        Ok(value) => to_output(&value),
        Err(error) => OutputValue::Error(error.message),
    }
}

fn to_output(value: &Val<'_>) -> OutputValue {
    match value {
        Val::Bool(b) => OutputValue::Value(crate::value::Value::Bool(*b)),
        Val::String(t) => OutputValue::Value(crate::value::Value::String(t.as_str().to_owned().into())),
        _ => OutputValue::Error("no json form".into()),
    }
}
