//! What a visited rule puts out.

use std::cell::Cell;
use std::iter::repeat_n;
use std::sync::Arc;

use super::applied::Visit;
use crate::expr::{Program, Scope, Val};
use crate::limits::{BYTES_PER_COST_UNIT, CALL_OUTPUT_BYTES, CALL_OUTPUTS};
use crate::model::{OutputEntry, OutputValue, Problem, ProblemCode};
use crate::policy::Spanned;
use crate::value::Value;

/// What the outputs of one call may still take.
pub(super) struct Room {
    entries: Cell<usize>,
    bytes: Cell<usize>,
}

/// The entries of one visit: `ruleActivated` where the rule is activated, otherwise `conditionNotMet`.
/// An output that errs says so in its entry and changes no decision; outputs that do not fit into `room` or cannot
/// be paid for are none at all, and the action must be denied.
///
/// The peer repeats an entry for every action pattern and every way by which it finds the rule, up to a deny; so
/// do we, as clients count them.
pub(super) fn of<'r>(
    visit: &Visit<'_, 'r>,
    scope: &Scope<'r>,
    room: &Room,
) -> Result<Vec<OutputEntry>, Box<Problem>> {
    let Some(expression) = visit.rule.output.of(visit.activated) else {
        return Ok(Vec::new());
    };
    let entry = OutputEntry {
        src: Arc::clone(&visit.rule.output_source),
        action: visit.action.to_owned(),
        value: convert(expression.node.eval(scope).map_err(|error| error.message), scope),
    };
    let bytes = visit.times.saturating_mul(encoded(&entry));
    let problem = |message| Box::new(problem(visit, expression, message));
    if !room.take(visit.times, bytes) {
        let message =
            format!("a call puts out at most {CALL_OUTPUTS} entries of {CALL_OUTPUT_BYTES} bytes together");
        return Err(problem(message));
    }
    let cost = visit.times.saturating_add(bytes / BYTES_PER_COST_UNIT);
    scope.budget().charge_call(cost).map_err(|error| problem(error.message))?;
    Ok(repeat_n(entry, visit.times).collect())
}

impl Room {
    /// The room that every call has.
    pub(super) fn new() -> Self {
        Self { entries: Cell::new(CALL_OUTPUTS), bytes: Cell::new(CALL_OUTPUT_BYTES) }
    }

    /// Takes what the entries need; when there is not enough, takes nothing and says so.
    fn take(&self, entries: usize, bytes: usize) -> bool {
        let left = (self.entries.get().checked_sub(entries), self.bytes.get().checked_sub(bytes));
        let (Some(entries), Some(bytes)) = left else {
            return false;
        };
        self.entries.set(entries);
        self.bytes.set(bytes);
        true
    }
}

fn convert(result: Result<Val<'_>, String>, scope: &Scope<'_>) -> OutputValue {
    let budget = scope.budget();
    let json = result.and_then(|value| budget.expression(|| value.to_json(budget)));
    json.map_or_else(OutputValue::Error, OutputValue::Value)
}

fn problem(visit: &Visit<'_, '_>, expression: &Spanned<Program>, message: String) -> Problem {
    Problem {
        code: ProblemCode::CostExceeded,
        source: Arc::clone(&visit.rule.name),
        expression: Arc::clone(expression.node.source()),
        position: expression.locate(0).to_string().into(),
        message,
    }
}

/// About how many bytes the entry takes in an answer or a record.
fn encoded(entry: &OutputEntry) -> usize {
    /// Names of fields and punctuation.
    const AROUND: usize = 64;
    let value = match &entry.value {
        OutputValue::Value(value) => encoded_value(value),
        OutputValue::Error(message) => encoded_text(message),
    };
    AROUND + encoded_text(&entry.src) + encoded_text(&entry.action) + value
}

/// The depth of the value is bounded by the conversion that made it.
fn encoded_value(value: &Value<'_>) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 24,
        Value::String(text) => encoded_text(text),
        Value::List(items) => items.iter().fold(2, |bytes, item| bytes + 1 + encoded_value(item)),
        Value::Map(map) => {
            map.iter().fold(2, |bytes, (key, value)| bytes + 2 + encoded_text(key) + encoded_value(value))
        }
    }
}

fn encoded_text(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum::<usize>() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_counts_for_about_the_bytes_of_its_json() {
        let letters = "x".repeat(100);
        let many = vec!["y"; 100];
        let pairs: serde_json::Map<_, _> = (0..100).map(|n| (format!("k{n}"), "v".into())).collect();
        for value in [
            serde_json::json!(null),
            serde_json::json!(-1.25e-7),
            serde_json::json!("tab\t, quote\", back\\, bell\u{7}"),
            serde_json::json!(many),
            serde_json::json!(pairs),
            serde_json::json!([[[]], {"a": {}}, [true, false]]),
        ] {
            let json = serde_json::json!({"src": letters, "action": letters, "val": value}).to_string();
            let text = value.to_string();
            let value = serde_json::from_str::<Value<'_>>(&text).unwrap().into_owned();
            let entry = OutputEntry {
                src: letters.as_str().into(),
                action: letters.clone(),
                value: OutputValue::Value(value),
            };
            let counted = encoded(&entry);
            assert!((json.len()..json.len() + 200).contains(&counted), "{counted} for {json}");
        }
    }
}
