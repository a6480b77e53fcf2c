//! What a visited rule puts out.

use std::iter::repeat_with;
use std::sync::Arc;

use super::combine::Finding;
use super::resource::Visit;
use crate::expr::{Scope, Val};
use crate::model::{OutputEntry, OutputValue};
use crate::policy::ResourcePolicy;

/// The entries of one visit: `ruleActivated` where the rule applies, otherwise `conditionNotMet`.
/// An output that errs says so in its entry and changes no decision.
///
/// The peer repeats an entry for every action pattern and every way by which it finds the rule, up to a deny; so
/// do we, as clients count them.
pub(super) fn of<'r>(visit: &Visit<'_, 'r>, policy: &ResourcePolicy, scope: &Scope<'r>) -> Vec<OutputEntry> {
    let output = &visit.rule.output;
    let (expression, times) = match visit.says {
        Finding::Silent => (&output.condition_not_met, visit.found),
        Finding::Allow(_) | Finding::DenyUndecided(_) => (&output.rule_activated, visit.found),
        Finding::Deny(_) => (&output.rule_activated, 1),
    };
    let Some(expression) = expression else {
        return Vec::new();
    };
    let src: Arc<str> = format!("{}#{}", policy.name, visit.rule.name).into();
    let result = expression.node.eval(scope).map_err(|error| error.message);
    let entry = || OutputEntry {
        src: Arc::clone(&src),
        action: visit.action.to_owned(),
        value: convert(&result, scope),
    };
    repeat_with(entry).take(times).collect()
}

fn convert(result: &Result<Val<'_>, String>, scope: &Scope<'_>) -> OutputValue {
    let budget = scope.budget();
    let json = match result {
        Ok(value) => budget.expression(|| value.to_json(budget)),
        Err(message) => Err(message.clone()),
    };
    json.map_or_else(OutputValue::Error, OutputValue::Value)
}
