//! Expressions, conditions and outputs of rules.

use std::ops::Range;

use crate::expr::{self, ExprFault, Program};
use crate::policy::ast::{Match, Text, When};
use crate::policy::diagnostic::{Code, Subject};
use crate::policy::findings::{Finding, Findings};
use crate::policy::names::Names;
use crate::policy::rules::{Condition, Output, Spanned};
use crate::policy::scalar;
use crate::policy::yaml::Place;

/// Compiles an expression; what is wrong with it is reported at its exact place in the file. Where
/// nothing more is listed for the file, nothing more is compiled.
pub(in crate::policy) fn expression(
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
                let finding = Finding::new(code(found.fault), place_of(&found.range), found.message)
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

fn code(fault: ExprFault) -> Code {
    match fault {
        ExprFault::Invalid => Code::InvalidExpression,
        ExprFault::UndefinedVariable => Code::UndefinedVariable,
        ExprFault::UndefinedConstant => Code::UndefinedConstant,
    }
}

/// The condition of a rule and what it puts out.
pub(super) fn when(
    when: &When<'_>,
    names: &Names<'_>,
    findings: &mut Findings<'_>,
) -> (Option<Condition>, Output) {
    let condition = when.condition.as_ref().and_then(|condition| matching(condition, names, findings));
    let mut output = |text: &Option<Text<'_>>| {
        text.as_ref().and_then(|text| expression(text, names, findings)).map(Box::new)
    };
    let output = Output {
        rule_activated: output(&when.rule_activated),
        condition_not_met: output(&when.condition_not_met),
    };
    (condition, output)
}

/// Compiles a condition; its depth is bounded by the decoder. `None` if a part does not compile.
pub(super) fn matching(
    node: &Match<'_>,
    names: &Names<'_>,
    findings: &mut Findings<'_>,
) -> Option<Condition> {
    let mut items = |list: &[Match<'_>]| -> Vec<Condition> {
        list.iter().filter_map(|item| matching(item, names, findings)).collect()
    };
    match node {
        Match::Expr(text) => {
            expression(text, names, findings).map(|program| Condition::Expr(Box::new(program)))
        }
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
