//! What a visited rule puts out.

use crate::expr::{Scope, Val};
use crate::model::{OutputEntry, OutputValue};
use crate::policy::{ResourcePolicy, Rule};

/// The entry of a rule that was visited for `action`, if it has an output for the case at hand:
/// `ruleActivated` when it applies, `conditionNotMet` when it does not.
///
/// An output that errs says so in its entry and changes no decision.
pub(super) fn entry<'r>(
    policy: &ResourcePolicy,
    rule: &'r Rule,
    action: &str,
    applies: bool,
    scope: &Scope<'r>,
) -> Option<OutputEntry> {
    let expression = if applies {
        &rule.output.rule_activated
    } else {
        &rule.output.condition_not_met
    };
    let program = &expression.as_ref()?.node;
    let value = match program.eval(scope) {
        Ok(value) => to_output(&value),
        Err(error) => OutputValue::Error(error.message),
    };
    let src = format!("{}#{}", policy.name, rule.name).into();
    Some(OutputEntry {
        src,
        action: action.to_owned(),
        value,
    })
}

fn to_output(value: &Val<'_>) -> OutputValue {
    match value {
        Val::Bool(b) => OutputValue::Value(crate::value::Value::Bool(*b)),
        _ => OutputValue::Error("no json form".into()),
    }
}
