//! Conditions that no request can change.

use crate::expr::Val;
use crate::policy::ast::Match;
use crate::policy::diagnostic::Code;
use crate::policy::findings::{Finding, Findings};
use crate::policy::rules::Condition;
use crate::policy::yaml::Place;

/// Looks at a condition, as written and compiled without an error; the two have the same form.
pub(in crate::policy) fn constant(written: &Match<'_>, compiled: &Condition, findings: &mut Findings<'_>) {
    let Some(place) = first_place(written) else { return };
    match value(compiled) {
        Some(false) => {
            findings.add(Finding::new(Code::NeverApplies, place, "the condition is false for every request"));
        }
        Some(true) => {
            findings.add(Finding::new(
                Code::ConstantCondition,
                place,
                "the condition is true for every request",
            ));
        }
        None => constant_parts(written, compiled, findings),
    }
}

/// Reports the parts of a condition that are always the same, while the whole is not.
fn constant_parts(written: &Match<'_>, compiled: &Condition, findings: &mut Findings<'_>) {
    let (Match::All(parts) | Match::Any(parts) | Match::None(parts)) = written else { return };
    let (Condition::All(compiled) | Condition::Any(compiled) | Condition::None(compiled)) = compiled else {
        return;
    };
    for (part, compiled) in parts.iter().zip(compiled) {
        match (value(compiled), first_place(part)) {
            (Some(always), Some(place)) => {
                let message = format!("this part of the condition is {always} for every request");
                findings.add(Finding::new(Code::ConstantCondition, place, message));
            }
            _ => constant_parts(part, compiled, findings),
        }
    }
}

/// What the condition is, if it is the same for every request.
fn value(condition: &Condition) -> Option<bool> {
    match condition {
        Condition::Expr(program) => match program.node.constant()? {
            Ok(Val::Bool(always)) => Some(*always),
            _ => None,
        },
        Condition::All(parts) => settled(parts, false),
        Condition::Any(parts) => settled(parts, true),
        Condition::None(parts) => settled(parts, true).map(|any| !any),
    }
}

/// `decisive` if a part is always that, the opposite if all parts always are.
fn settled(parts: &[Condition], decisive: bool) -> Option<bool> {
    let values: Vec<_> = parts.iter().map(value).collect();
    if values.contains(&Some(decisive)) {
        return Some(decisive);
    }
    values.iter().all(|value| *value == Some(!decisive)).then_some(!decisive)
}

/// Where the first expression is.
pub(in crate::policy) fn first_place(written: &Match<'_>) -> Option<Place> {
    match written {
        Match::Expr(text) => Some(text.place),
        Match::All(parts) | Match::Any(parts) | Match::None(parts) => parts.iter().find_map(first_place),
        Match::Script(place) => Some(*place),
    }
}
